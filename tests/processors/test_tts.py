"""The node that speaks: frames in, frames out, deadlines in virtual time."""

import asyncio

import numpy as np
import pytest
from pipecat.frames.frames import EndFrame, InterruptionFrame, LLMTextFrame

from contracts.frames import (
    PreparedDroppedFrame,
    PreparedTextFrame,
    ReplyEndFrame,
    ReplyStartFrame,
    SayFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    Word,
    WordTimesFrame,
)
from contracts.tts import VoiceChunk, VoiceError
from processors.tts.local import HibariVoice
from processors.tts.processor import TTSParams, TTSProcessor
from tests.processors.chain import running


class FakeVoice:
    """Says each text as one chunk for each word, of as many samples as the word has letters; may wait, or fail."""

    name = "fake"

    def __init__(self, waits=(), fails=(), rate_hz=24_000, words=False) -> None:
        self.said = []
        self.closed = []
        self._waits = dict(waits)
        self._fails = set(fails)
        self._rate_hz = rate_hz
        self._words = words

    async def speak(self, text):
        self.said.append(text)
        try:
            for index, word in enumerate(text.split()):
                if word in self._fails:
                    raise VoiceError(f"cannot say {word}")
                await asyncio.sleep(self._waits.get(word, 0.01))
                times = [Word(word + " ", index * 0.1)] if self._words else []
                yield VoiceChunk(np.full(len(word) * 100, 100 + index, np.int16).tobytes(), self._rate_hz, times)
        finally:
            self.closed.append(text)


REPLY = (ReplyStartFrame, UtteranceStartFrame, UtteranceAudioFrame, WordTimesFrame, UtteranceEndFrame, ReplyEndFrame)


def plain(frame):
    match frame:
        case ReplyStartFrame():
            return ("reply", frame.reply_id, frame.remember)
        case UtteranceStartFrame():
            return ("start", frame.reply_id, frame.utterance_id, frame.text)
        case UtteranceAudioFrame():
            return ("audio", frame.utterance_id, len(frame.audio) // 2, frame.sample_rate)
        case WordTimesFrame():
            return ("words", frame.utterance_id, [word.text for word in frame.words])
        case UtteranceEndFrame():
            return ("end", frame.utterance_id, frame.error)
        case ReplyEndFrame():
            return ("over", frame.reply_id, frame.error)
        case _:
            return frame


def out(chain):
    return [plain(frame) for frame in chain.down(*REPLY)]


async def reply(chain, reply_id, *texts, error=None):
    await chain.push(ReplyStartFrame(reply_id=reply_id))
    for text in texts:
        await chain.push(LLMTextFrame(text))
    await chain.push(ReplyEndFrame(reply_id=reply_id, error=error))


async def test_a_reply_is_spoken_in_pieces_between_its_ends(virtual):
    async with running(TTSProcessor(FakeVoice())) as chain:
        await reply(chain, 7, "Hello the", "re. How ", "are you?")
        await chain.until(ReplyEndFrame)
        assert out(chain) == [
            ("reply", 7, True),
            ("start", 7, 1, "Hello there. "),
            ("audio", 1, 500, 24_000),
            ("audio", 1, 600, 24_000),
            ("words", 1, ["Hello ", "there. "]),
            ("end", 1, None),
            ("start", 7, 2, "How are you?"),
            ("audio", 2, 300, 24_000),
            ("audio", 2, 300, 24_000),
            ("audio", 2, 400, 24_000),
            ("words", 2, ["How ", "are ", "you?"]),
            ("end", 2, None),
            ("over", 7, None),
        ]


async def test_the_first_clause_is_spoken_before_the_rest_is_there(virtual):
    async with running(TTSProcessor(FakeVoice())) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), LLMTextFrame("We are open today, "), LLMTextFrame("un"))
        await chain.until(UtteranceEndFrame)
        assert [entry[0] for entry in out(chain)] == ["reply", "start", *["audio"] * 4, "words", "end"]


async def test_other_rates_are_made_to_fit(virtual):
    async with running(TTSProcessor(FakeVoice(rate_hz=16_000))) as chain:
        await reply(chain, 1, "aaaaaaaaaa bbbbbbbbbb cccccccccc")
        await chain.until(ReplyEndFrame)
        audio = chain.down(UtteranceAudioFrame)
        assert {frame.sample_rate for frame in audio} == {24_000}
        assert sum(len(frame.audio) // 2 for frame in audio) == 3000 * 24 // 16


async def test_word_times_are_told_with_the_texts_own_words(virtual):
    async with running(TTSProcessor(FakeVoice(words=True))) as chain:
        await reply(chain, 1, "one two")
        await chain.until(ReplyEndFrame)
        assert [words for kind, _, words in (e for e in out(chain) if e[0] == "words")] == [["one "], ["two"]]
        await reply(chain, 2, "**Pay** £1,250.50 🙂 by 5 pm.")
        await chain.until(ReplyEndFrame, 2)
        # Pay one thousand two hundred fifty pounds fifty by five p.m.: each word with the last one spoken for it
        told = [
            (word.text, round(word.start_secs, 1)) for frame in chain.down(WordTimesFrame)[2:] for word in frame.words
        ]
        assert told == [("**Pay** ", 0.0), ("£1,250.50 🙂 ", 0.7), ("by ", 0.8), ("5 pm.", 1.0)]


async def test_without_times_a_figure_takes_as_long_as_its_words(virtual):
    async with running(TTSProcessor(FakeVoice())) as chain:
        await reply(chain, 1, "It is £1,250.50 now.")
        await chain.until(ReplyEndFrame)
        (frame,) = chain.down(WordTimesFrame)
        secs = sum(len(audio.audio) for audio in chain.down(UtteranceAudioFrame)) / 48_000
        told = {word.text: word.start_secs / secs for word in frame.words}
        assert list(told) == ["It ", "is ", "£1,250.50 ", "now."]
        assert told["is "] < 0.2
        assert told["£1,250.50 "] > 0.7


async def test_text_that_cannot_be_spoken_is_an_utterance_without_audio(virtual):
    voice = FakeVoice()
    async with running(TTSProcessor(voice)) as chain:
        await reply(chain, 1, "👍")
        await chain.until(ReplyEndFrame)
        assert out(chain) == [("reply", 1, True), ("start", 1, 1, "👍"), ("end", 1, None), ("over", 1, None)]
        assert voice.said == []


async def test_an_interruption_stops_the_voice_and_drops_what_was_to_be_said(virtual):
    voice = FakeVoice(waits={"slow": 1.0})
    async with running(TTSProcessor(voice)) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), LLMTextFrame("This is slow to say. And there is more. "))
        await asyncio.sleep(0.5)
        before = out(chain)
        await chain.interrupt()
        await chain.until(InterruptionFrame)
        await chain.push(LLMTextFrame("Late words. "), ReplyEndFrame(reply_id=1))
        await asyncio.sleep(3)
        assert out(chain) == before
        assert voice.closed == voice.said == ["This is slow to say."]
        await reply(chain, 2, "New.")
        await chain.until(ReplyEndFrame)
        assert out(chain)[len(before) :] == [
            ("reply", 2, True),
            ("start", 2, 2, "New."),
            ("audio", 2, 400, 24_000),
            ("words", 2, ["New."]),
            ("end", 2, None),
            ("over", 2, None),
        ]


async def test_a_piece_that_fails_is_left_out_and_the_reply_goes_on(virtual):
    async with running(TTSProcessor(FakeVoice(fails={"bad."}))) as chain:
        await reply(chain, 1, "All is good. This is bad. This is fine.")
        await chain.until(ReplyEndFrame)
        assert [e for e in out(chain) if e[0] in ("end", "over")] == [
            ("end", 1, None),
            ("end", 2, "cannot say bad."),
            ("end", 3, None),
            ("over", 1, "cannot say bad."),
        ]


async def test_two_failures_in_a_row_end_the_reply(virtual):
    voice = FakeVoice(fails={"bad."})
    async with running(TTSProcessor(voice)) as chain:
        await reply(chain, 1, "This is bad. Also bad. Not tried.")
        await chain.until(ReplyEndFrame)
        assert voice.said == ["This is bad.", "Also bad."]
        assert out(chain)[-1] == ("over", 1, "cannot say bad.")


async def test_no_audio_in_time_is_a_failure_and_so_is_a_stall(virtual):
    voice = FakeVoice(waits={"never": 60.0})
    params = TTSParams(first_audio_secs=1.5, next_audio_secs=0.5)
    async with running(TTSProcessor(voice, params=params)) as chain:
        began = asyncio.get_running_loop().time()
        await reply(chain, 1, "never heard at all. It will never end.")
        end = await chain.until(ReplyEndFrame, timeout_secs=10)
        assert chain.at(end) - began == pytest.approx(1.5 + 0.02 + 0.5, abs=0.1)
        assert [e for e in out(chain) if e[0] == "end"] == [
            ("end", 1, "no audio within 1.5 s"),
            ("end", 2, "no audio within 0.5 s"),
        ]
        assert voice.closed == voice.said


async def test_a_voice_that_breaks_does_not_break_the_call(virtual):
    class Broken(FakeVoice):
        async def speak(self, text):
            raise RuntimeError("inside")
            yield

    async with running(TTSProcessor(Broken())) as chain:
        await reply(chain, 1, "Hello.")
        end = await chain.until(ReplyEndFrame)
        assert end.error == "RuntimeError"


async def test_the_models_error_is_kept(virtual):
    async with running(TTSProcessor(FakeVoice())) as chain:
        await reply(chain, 1, error="no token within 8 s")
        assert (await chain.until(ReplyEndFrame)).error == "no token within 8 s"


async def test_a_sentence_of_the_bots_own_is_a_reply(virtual):
    async with running(TTSProcessor(FakeVoice())) as chain:
        await chain.push(SayFrame(3, "One moment.", remember=False))
        await chain.until(ReplyEndFrame)
        assert out(chain)[0] == ("reply", 3, False)
        assert out(chain)[1] == ("start", 3, 1, "One moment.")
        assert out(chain)[-1] == ("over", 3, None)


async def test_a_filler_is_said_in_silence_only(virtual):
    voice = FakeVoice()
    async with running(TTSProcessor(voice)) as chain:
        await chain.push(SayFrame(1, "One moment.", only_if_idle=True))
        await chain.until(ReplyEndFrame)
        assert voice.said == ["One moment."]
        await chain.push(ReplyStartFrame(reply_id=2), LLMTextFrame("Well"))
        await chain.push(SayFrame(3, "Still looking.", only_if_idle=True), ReplyEndFrame(reply_id=2))
        await chain.until(ReplyEndFrame, 3)
        assert voice.said == ["One moment.", "Well"]
        assert [e for e in out(chain) if e[0] == "over"] == [("over", 1, None), ("over", 2, None), ("over", 3, None)]


async def test_the_end_of_a_call_waits_for_what_is_being_said(virtual):
    async with running(TTSProcessor(FakeVoice(waits={"slow": 1.0}))) as chain:
        await reply(chain, 1, "slow")
        await chain.push(EndFrame())
        await chain.until(EndFrame, timeout_secs=10)
        assert out(chain)[-1] == ("over", 1, None)


async def test_the_local_voice_speaks_and_remembers():
    voice = HibariVoice()
    await voice.load()
    chunks = [chunk async for chunk in voice.speak("Your balance is two hundred euros.")]
    assert {chunk.sample_rate_hz for chunk in chunks} == {24_000}
    pcm = b"".join(chunk.pcm for chunk in chunks)
    samples = np.frombuffer(pcm, np.int16).astype(float)
    assert 1.3 < len(samples) / 24_000 < 3.5
    assert 500 < np.sqrt(np.mean(samples**2)) < 12_000
    began = asyncio.get_running_loop().time()
    again = b"".join([chunk.pcm async for chunk in voice.speak("Your balance is two hundred euros.")])
    assert again == pcm
    assert asyncio.get_running_loop().time() - began < 0.01


async def test_the_local_voice_says_what_it_cannot_speak():
    with pytest.raises(VoiceError, match="cannot be spoken"):
        async for _ in HibariVoice().speak("你好"):
            pass


# --- the first piece of a reply that may be asked for is spoken ahead


async def prepare(chain, *texts):
    for index, text in enumerate(texts):
        await chain.push(PreparedTextFrame(text, last=index == len(texts) - 1))
    await asyncio.sleep(0)


async def test_what_was_spoken_ahead_is_there_at_once_and_as_it_would_have_been(virtual):
    voice, plain_voice = (FakeVoice(waits={"Hello": 0.5}, words=True) for _ in range(2))
    async with running(TTSProcessor(plain_voice)) as chain:
        await reply(chain, 7, "Hello the", "re. How ", "are you?")
        await chain.until(ReplyEndFrame)
        expected = out(chain)
    async with running(TTSProcessor(voice)) as chain:
        await prepare(chain, "Hello the", "re. How ", "are you?")
        await asyncio.sleep(0.6)
        assert out(chain) == []
        asked = virtual.time()
        await reply(chain, 7, "Hello the", "re. How ", "are you?")
        await chain.until(ReplyEndFrame)
        assert out(chain) == expected
        assert chain.at(chain.down(UtteranceAudioFrame)[0]) - asked < 0.01
    assert voice.said == ["Hello there.", "How are you?"]


async def test_what_is_still_being_spoken_ahead_goes_on(virtual):
    voice = FakeVoice(waits={"Hello": 0.5, "there.": 0.3})
    async with running(TTSProcessor(voice)) as chain:
        began = virtual.time()
        await prepare(chain, "Hello there.")
        await asyncio.sleep(0.2)
        await reply(chain, 7, "Hello there.")
        await chain.until(ReplyEndFrame)
        at = [chain.at(frame) - began for frame in chain.down(UtteranceAudioFrame)]
    assert at == [pytest.approx(0.5, abs=0.02), pytest.approx(0.8, abs=0.02)]
    assert voice.said == ["Hello there."]


async def test_what_was_spoken_ahead_for_another_reply_is_never_heard_and_told(virtual):
    voice, unheard = FakeVoice(waits={"Wrong": 5.0}), []
    async with running(TTSProcessor(voice, on_unheard=unheard.append)) as chain:
        await prepare(chain, "Wrong answer. ", "And more.")
        await asyncio.sleep(0.1)
        await reply(chain, 7, "Right.")
        await chain.until(ReplyEndFrame)
        assert [frame.text for frame in chain.down(UtteranceStartFrame)] == ["Right."]
    assert (voice.said, voice.closed) == (["Wrong answer.", "Right."], ["Wrong answer.", "Right."])
    assert unheard == ["Wrong answer. "]


async def test_a_dropped_reply_ends_the_voices_work_and_the_next_one_begins_afresh(virtual):
    voice, unheard = FakeVoice(waits={"Wrong.": 5.0}), []
    async with running(TTSProcessor(voice, on_unheard=unheard.append)) as chain:
        await prepare(chain, "Wrong.")
        await asyncio.sleep(0.1)
        await chain.push(PreparedDroppedFrame())
        await asyncio.sleep(0.1)
        assert (voice.closed, unheard) == (["Wrong."], ["Wrong."])
        await chain.push(PreparedTextFrame("Half a "))
        await chain.push(PreparedDroppedFrame())
        await prepare(chain, "Good morning.")
        await asyncio.sleep(0.1)
        await reply(chain, 7, "Good morning.")
        await chain.until(ReplyEndFrame)
    assert voice.said == ["Wrong.", "Good morning."]
    assert unheard == ["Wrong."]


async def test_a_voice_that_failed_ahead_is_asked_anew(virtual):
    voice = FakeVoice(fails={"Hello"})
    async with running(TTSProcessor(voice)) as chain:
        await prepare(chain, "Hello there.")
        await asyncio.sleep(0.1)
        voice._fails.clear()
        await reply(chain, 7, "Hello there.")
        await chain.until(ReplyEndFrame)
        assert out(chain)[-1] == ("over", 7, None)
    assert voice.said == ["Hello there.", "Hello there."]


async def test_a_filler_leaves_what_was_spoken_ahead(virtual):
    voice = FakeVoice()
    async with running(TTSProcessor(voice)) as chain:
        await prepare(chain, "Hello there.")
        await chain.push(SayFrame(6, "One moment."))
        await chain.until(ReplyEndFrame)
        await reply(chain, 7, "Hello there.")
        await chain.until(ReplyEndFrame, count=2)
    assert voice.said == ["Hello there.", "One moment."]


async def test_an_interruption_ends_a_reply_that_was_spoken_ahead(virtual):
    voice, unheard = FakeVoice(waits={"Hello": 5.0}), []
    async with running(TTSProcessor(voice, on_unheard=unheard.append)) as chain:
        await prepare(chain, "Hello there. ", "How")
        await chain.push(ReplyStartFrame(reply_id=7))
        await chain.push(LLMTextFrame("Hello there. How"))
        await asyncio.sleep(0.1)
        await chain.push(InterruptionFrame())
        await asyncio.sleep(0.1)
        assert voice.closed == ["Hello there."]
