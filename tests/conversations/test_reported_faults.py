"""Faults that users of other bots reported, played as whole calls: what is heard is looked for in the samples."""

import asyncio

import numpy as np
import pytest

from contracts.frames import Word
from contracts.llm import Finish, TextDelta
from contracts.tts import VoiceChunk
from tests.conversations.conftest import Calling, clip
from tests.conversations.test_turns import Model

RATE_HZ = 24_000


class ToneVoice:
    """Says each text as a tone, so that one can hear which text it was; knows its word times, or not.

    Args:
        tones: Frequency by the text's first word.
        waits: Seconds until the audio of a text is there, by its first word.
        word_secs: Length of a word.
        timed: Whether it tells when words sound.
    """

    name = "tone"

    def __init__(self, tones=(), waits=(), word_secs=0.3, timed=True):
        self.tones, self.waits = dict(tones), dict(waits)
        self.word_secs, self.timed = word_secs, timed
        self.made: list[tuple[float, str]] = []
        self.closed: list[str] = []

    async def load(self):
        pass

    async def warm_up(self, texts):
        pass

    async def speak(self, text):
        words = text.split()
        try:
            await asyncio.sleep(self.waits.get(words[0], 0.05))
            self.made.append((asyncio.get_running_loop().time(), text))
            at = np.arange(round(len(words) * self.word_secs * RATE_HZ))
            samples = (9000 * np.sin(2 * np.pi * self.tones.get(words[0], 660) * at / RATE_HZ)).astype(np.int16)
            spaced = [word + " " for word in words[:-1]] + words[-1:]
            times = [Word(word, index * self.word_secs) for index, word in enumerate(spaced)]
            for start in range(0, len(samples), 4801):
                yield VoiceChunk(samples[start : start + 4801].tobytes(), RATE_HZ, times if self.timed else ())
                times = []
        finally:
            self.closed.append(text)

    async def close(self):
        pass


def energy(c, hz: float, start: float, end: float) -> float:
    """Mean level of one frequency in what was heard, by correlation."""
    pcm = b"".join(c.heard[round(start / 0.02) : round(end / 0.02)])
    samples = np.frombuffer(pcm, np.int16).astype(float)
    at = np.arange(len(samples)) / RATE_HZ
    return float(np.abs(np.mean(samples * np.exp(-2j * np.pi * hz * at)))) * 2 if len(samples) else 0.0


async def answered(c, count: int = 1) -> None:
    async with asyncio.timeout(30):
        while len(c.told("reply-played")) < count:
            await asyncio.sleep(0.02)


async def test_late_audio_of_a_dead_reply_is_never_heard(virtual, call: Calling):
    voice = ToneVoice({"Alpha": 440, "Late": 440, "Later": 440, "Beta": 880}, {"Late": 0.9, "Later": 1.4, "Beta": 0.6})
    model = Model("Alpha is the first of it. Late is the second one. Later is the third one.", "Beta is new.")
    async with call(model, voice) as c:
        await c.type("first")
        await c.until_state("speaking")
        await c.listen(1.0)
        cut_at = c.now
        await c.type("second")
        await answered(c, 2)
        assert energy(c, 440, cut_at - 0.5, cut_at) > 5000
        assert energy(c, 440, cut_at + 0.06, c.now) < 30
        assert energy(c, 880, cut_at + 0.06, c.now) > 1000
        assert sorted(voice.closed) == sorted(text for _, text in voice.made) or len(voice.closed) >= len(voice.made)
        assert c.told("reply-played")[1]["heard"] == "Beta is new."


async def test_audio_that_comes_late_is_played_when_it_comes(virtual, call: Calling):
    voice = ToneVoice({"First": 440, "Second": 880}, {"Second": 2.4})
    async with call(Model("First sentence here. Second sentence here."), voice, tts_first_byte_secs=5) as c:
        await c.type("go")
        await answered(c)
        second_at = voice.made[1][0] - voice.made[0][0]
        began = next(i for i, tick in enumerate(c.ticks) if tick.content) * 0.02
        silent = energy(c, 880, began + second_at - 0.3, began + second_at - 0.05)
        assert silent < 30
        assert energy(c, 880, began + second_at + 0.06, began + second_at + 0.5) > 5000
        assert c.told("reply-played")[0]["heard"] == "First sentence here. Second sentence here."


async def test_a_sentence_that_never_comes_is_skipped_and_not_remembered(virtual, call: Calling):
    voice = ToneVoice(waits={"Second": 1000.0})
    model = Model("First sentence here. Second sentence here. Third sentence here.")
    async with call(model, voice, tts_first_byte_secs=1) as c:
        await c.type("go")
        await answered(c)
        assert c.told("reply-played")[0]["heard"] == "First sentence here. Third sentence here."
        await c.type("and")
        await answered(c, 2)
    assert model.prompts[1][1] == ("assistant", "First sentence here. Third sentence here.")


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("at_secs", [0.1, 0.7, 1.5, 2.9, 4.4, 6.0, 8.5])
async def test_history_holds_the_words_that_were_heard(virtual, call: Calling, at_secs, timed):
    numbers = "one two three four five six seven eight nine ten " * 3
    model = Model(numbers.strip(), "All right.")
    async with call(model, ToneVoice(timed=timed)) as c:
        await c.type("count")
        await c.until_state("speaking")
        began = next(i for i, tick in enumerate(c.ticks) if tick.content)
        await c.listen(at_secs)
        await c.type("stop")
        await answered(c, 2)
    cut = next(i for i, tick in enumerate(c.ticks) if i > began and not tick.content)
    samples = sum(tick.content for tick in c.ticks[began:cut])
    heard_words = -(-samples // round(0.3 * RATE_HZ))
    if samples < 0.3 * RATE_HZ:  # so little says nothing: the turn goes on
        assert model.prompts[1] == [("user", "count stop")]
        return
    role, text = model.prompts[1][1]
    assert role == "assistant"
    assert text.endswith(" …[interrupted]")
    said = text.removesuffix(" …[interrupted]").split()
    assert said == numbers.split()[: len(said)]
    assert abs(len(said) - heard_words) <= (0 if timed else 1)


class Stalling(Model):
    """Sends some words and stalls; then goes on as if nothing had been."""

    async def stream(self, messages, tools=()):
        self.prompts.append(messages)
        for word in ["One", "two", "three", "four", "five,", ""]:
            yield TextDelta(word + " ")
        await asyncio.sleep(10.0)
        yield TextDelta("six seven eight nine ten.")
        yield Finish("stop")


async def test_a_stream_that_stalls_leaves_no_second_voice_and_no_silence(virtual, call: Calling):
    async with call(Stalling(), ToneVoice(), llm_next_token_secs=2) as c:
        await c.type("count")
        await answered(c)
        await c.until_state("listening", timeout_secs=20)
        await c.listen(12.0)
        heard = [played["heard"].strip() for played in c.told("reply-played")]
        assert heard[0].startswith("One two three four five,")
        assert "six" not in " ".join(heard)
        # What happened is said, not left to be guessed.
        assert any("can't answer" in text for text in heard[1:])


class Halting(Model):
    """Stops between two sentences; then the rest comes at once, with the end of the reply."""

    async def stream(self, messages, tools=()):
        self.prompts.append(messages)
        yield TextDelta("Here is the first sentence. And ")
        await asyncio.sleep(self.think_secs)
        yield TextDelta("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen.")
        yield Finish("stop")


@pytest.mark.parametrize("halt_secs", [1.0, 1.8, 2.2, 2.6, 3.0])
async def test_a_reply_that_halts_and_then_comes_whole_is_heard_whole(virtual, call: Calling, halt_secs):
    async with call(Halting(think_secs=halt_secs), ToneVoice(waits={"And": 0.0})) as c:
        await c.type("count")
        await answered(c)
        await c.listen(8.0)
        (played,) = c.told("reply-played")
    assert played["heard"].strip().endswith("fifteen.")
    assert not played["cut"]


async def test_an_interruption_is_answered_no_later_than_a_plain_turn(virtual, call: Calling):
    waits = []
    for interrupting in (False, True):
        model = Model(
            *(["A long answer, which goes on and on and on, for quite a long while. "] * interrupting), "Yes."
        )
        async with call(model, ToneVoice()) as c:
            if interrupting:
                await c.type("go")
                await c.until_state("speaking")
                await c.listen(1.0)
            _, end = c.say(clip("go_forward_ten_meters"))
            await answered(c, 1 + interrupting)
            first = next(i for i, tick in enumerate(c.ticks) if tick.content and i * 0.02 > end)
            waits.append(first * 0.02 - end)
    plain, interrupted = waits
    assert interrupted <= plain + 0.04
