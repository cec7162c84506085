"""The pipeline's mouth: what is told is what was played."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipecat.frames.frames import EndFrame, InterruptionFrame
from pipecat.processors.frame_processor import FrameDirection

from contracts.frames import (
    CallHoldFrame,
    PlayoutDuckFrame,
    PlayoutPauseFrame,
    PlayoutResumeFrame,
    PlayoutStalledFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyStartFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    Word,
    WordHeardFrame,
    WordTimesFrame,
)
from tests.processors.chain import running
from transports.output import PlayoutOutput

RATE = 24_000
PACKET = 480


def tone(samples: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(1000, 20000, samples, dtype=np.int16).tobytes()


def audio(utterance_id: int, pcm: bytes) -> UtteranceAudioFrame:
    return UtteranceAudioFrame(pcm, RATE, 1, utterance_id=utterance_id)


def spoken(reply_id, utterance_id, words, *, secs=0.2, end=True, remember=True):
    """Frames of a reply of one utterance whose words start ``secs`` apart."""
    text = "".join(words)
    pcm = tone(round(secs * RATE) * len(words), utterance_id)
    times = [Word(word, index * secs) for index, word in enumerate(words)]
    frames = [
        ReplyStartFrame(reply_id=reply_id, remember=remember),
        UtteranceStartFrame(reply_id, utterance_id, text),
        audio(utterance_id, pcm),
        WordTimesFrame(utterance_id, times),
        UtteranceEndFrame(utterance_id),
    ]
    return [*frames, ReplyEndFrame(reply_id=reply_id)] if end else frames, pcm


class Listener:
    """The track: pulls packets, and keeps them."""

    def __init__(self, output):
        self.output = output
        self.pcm = b""

    async def hear(self, packets: int) -> bytes:
        heard = b""
        for _ in range(packets):
            heard += self.output.pull(PACKET)
            await asyncio.sleep(0.001)
        self.pcm += heard
        return heard


def make():
    sent = []
    output = PlayoutOutput(sent.append)
    return output, Listener(output), sent


async def settle():
    for _ in range(3):
        await asyncio.sleep(0.001)


async def test_plays_the_very_bytes_and_tells_words_when_they_sound():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, pcm = spoken(1, 1, ["One ", "two ", "three."])
        await chain.push(*frames)
        await settle()
        assert chain.up(ReplyPlayingFrame) == []
        await listener.hear(1)
        await settle()
        assert [f.reply_id for f in chain.up(ReplyPlayingFrame)] == [1]
        assert [f.text for f in chain.up(WordHeardFrame)] == ["One "]
        await listener.hear(9)
        assert [f.text for f in chain.up(WordHeardFrame)] == ["One "]
        await listener.hear(1)
        await settle()
        assert [f.text for f in chain.up(WordHeardFrame)] == ["One ", "two "]
        await listener.hear(19)
        await settle()
        assert listener.pcm == pcm
        (played,) = chain.down(ReplyPlayedFrame)
        assert (played.reply_id, played.heard, played.unheard, played.cut, played.error) == (
            1,
            "One two three.",
            "",
            False,
            None,
        )
        assert [f.reply_id for f in chain.up(ReplyPlayedFrame)] == [1]
        assert await listener.hear(2) == bytes(2 * 2 * PACKET)


async def test_questions_and_words_left_are_told():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["Which ", "account?"])
        await chain.push(*frames)
        await settle()
        await listener.hear(20)
        await settle()
        assert [(f.question, f.words_left) for f in chain.up(WordHeardFrame)] == [(True, 1), (True, 0)]


async def test_pause_is_silent_at_the_next_packet_and_resume_loses_nothing():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, pcm = spoken(1, 1, ["One ", "two "], secs=0.4)
        await chain.push(*frames)
        await settle()
        await listener.hear(7)
        await chain.push(PlayoutPauseFrame())
        await settle()
        paused = await listener.hear(20)
        fade_bytes = 2 * RATE * 5 // 1000
        assert paused[fade_bytes:] == bytes(len(paused) - fade_bytes)
        await chain.push(PlayoutResumeFrame())
        await settle()
        resumed = await listener.hear(34)
        rest = pcm[7 * 2 * PACKET :]
        assert rest in resumed
        await settle()
        assert chain.down(ReplyPlayedFrame)[0].heard == "One two "


async def test_step_back_repeats_the_cut_word_and_no_word_is_told_twice():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, pcm = spoken(1, 1, ["One ", "two "], secs=0.4)
        await chain.push(*frames)
        await settle()
        await listener.hear(25)
        await chain.push(PlayoutPauseFrame())
        await settle()
        await listener.hear(2)
        await chain.push(PlayoutResumeFrame(step_back=True))
        await settle()
        assert pcm[2 * round(0.4 * RATE) :] in await listener.hear(25)
        assert [f.text for f in chain.up(WordHeardFrame)] == ["One ", "two "]


async def test_duck_lowers_and_resume_restores():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["One "], secs=2)
        await chain.push(*frames)
        await settle()
        loud = np.frombuffer(await listener.hear(5), np.int16).astype(float)
        await chain.push(PlayoutDuckFrame())
        await settle()
        await listener.hear(2)
        low = np.frombuffer(await listener.hear(5), np.int16).astype(float)
        await chain.push(PlayoutResumeFrame())
        await settle()
        await listener.hear(2)
        again = np.frombuffer(await listener.hear(5), np.int16).astype(float)
        level = [np.sqrt(np.mean(part**2)) for part in (loud, low, again)]
        assert 20 * np.log10(level[1] / level[0]) == pytest.approx(-15, abs=0.5)
        assert level[2] == pytest.approx(level[0], rel=0.05)


async def test_an_interruption_commits_the_heard_words_before_it_goes_on():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["One ", "two ", "three."], end=False)
        await chain.push(*frames)
        await settle()
        await listener.hear(12)
        await chain.interrupt()
        await settle()
        order = [type(f).__name__ for f in chain.down(ReplyPlayedFrame, InterruptionFrame)]
        assert order == ["ReplyPlayedFrame", "InterruptionFrame"]
        (played,) = chain.down(ReplyPlayedFrame)
        assert (played.heard, played.unheard, played.cut) == ("One two ", "three.", True)
        after = await listener.hear(3)
        assert after[2 * RATE * 5 // 1000 :] == bytes(len(after) - 2 * RATE * 5 // 1000)


async def test_frames_of_a_cut_reply_are_not_played():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["One "], end=False)
        await chain.push(*frames)
        await settle()
        await listener.hear(2)
        await chain.interrupt()
        await settle()
        await listener.hear(1)
        await chain.push(audio(1, tone(4800)), UtteranceStartFrame(1, 2, "More. "), audio(2, tone(4800)))
        await chain.push(UtteranceEndFrame(2), ReplyEndFrame(reply_id=1))
        await settle()
        assert await listener.hear(5) == bytes(5 * 2 * PACKET)
        assert len(chain.down(ReplyPlayedFrame)) == 1
        frames, pcm = spoken(2, 3, ["New."])
        await chain.push(*frames)
        await settle()
        assert await listener.hear(10) == pcm


async def test_held_before_its_first_sample():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(PlayoutPauseFrame())
        frames, pcm = spoken(1, 1, ["One "])
        await chain.push(*frames)
        await settle()
        assert await listener.hear(5) == bytes(5 * 2 * PACKET)
        assert chain.up(ReplyPlayingFrame) == []
        await chain.push(PlayoutResumeFrame())
        await settle()
        assert pcm in await listener.hear(12)


async def test_a_reply_without_audio_is_over_at_once_with_its_error():
    output, _, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=4), ReplyEndFrame(reply_id=4, error="no voice"))
        played = await chain.until(ReplyPlayedFrame)
        assert (played.reply_id, played.heard, played.error) == (4, "", "no voice")


@pytest.mark.parametrize("sounds", [False, True])
async def test_a_text_without_sound_counts_as_heard_with_words_that_sound_and_not_alone(sounds):
    output, listener, _ = make()
    async with running(output) as chain:
        silent = [UtteranceStartFrame(1, 7, "🙂 "), UtteranceEndFrame(7)]
        (start, *said, end), _ = spoken(1, 1, ["One ", "two."])
        await chain.push(start, *silent, *(said if sounds else []), end)
        await listener.hear(24)
        await settle()
        (played,) = chain.down(ReplyPlayedFrame)
    assert (played.heard, played.unheard) == (("🙂 One two.", "") if sounds else ("", "🙂 "))


async def test_a_reply_whose_rest_comes_with_its_end_has_not_stalled_any_more():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["One "], end=False)
        await chain.push(*frames)
        await listener.hear(10 + 26)
        await settle()
        assert [frame.stalled for frame in chain.up(PlayoutStalledFrame)] == [True]
        (_, *more, end), _ = spoken(1, 2, ["two ", "three."])
        await chain.push(*more, end)
        await settle()
        assert [frame.stalled for frame in chain.up(PlayoutStalledFrame)] == [True, False]


async def test_words_of_a_failed_utterance_stay_unheard():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1))
        await chain.push(UtteranceStartFrame(1, 1, "First. "), audio(1, tone(4800)), UtteranceEndFrame(1))
        await chain.push(UtteranceStartFrame(1, 2, "Lost. "), WordTimesFrame(2, [Word("Lost. ", 0.0)]))
        await chain.push(UtteranceEndFrame(2, error="stalled"))
        await chain.push(UtteranceStartFrame(1, 3, "Third."), audio(3, tone(4800)), UtteranceEndFrame(3))
        await chain.push(ReplyEndFrame(reply_id=1))
        await settle()
        await listener.hear(21)
        await settle()
        (played,) = chain.down(ReplyPlayedFrame)
        assert (played.heard, played.unheard, played.error) == ("First. Third.", "Lost. ", "stalled")


async def test_without_word_times_they_are_estimated():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, "one two three four"))
        await chain.push(audio(1, tone(RATE)), UtteranceEndFrame(1), ReplyEndFrame(reply_id=1))
        await settle()
        await listener.hear(26)
        await chain.interrupt()
        await settle()
        heard = chain.down(ReplyPlayedFrame)[0].heard.split()
        assert 1 <= len(heard) <= 3
        assert heard == ["one", "two", "three", "four"][: len(heard)]


async def test_word_times_beyond_the_audio_still_count():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, "one two"))
        await chain.push(WordTimesFrame(1, [Word("one ", 0.0), Word("two", 9.0)]), audio(1, tone(4800)))
        await chain.push(UtteranceEndFrame(1), ReplyEndFrame(reply_id=1))
        await settle()
        await listener.hear(12)
        await settle()
        assert chain.down(ReplyPlayedFrame)[0].heard == "one two"


async def test_stall_is_told_after_half_a_second_and_taken_back():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, "one two"), audio(1, tone(4800)))
        await settle()
        await listener.hear(10 + 24)
        assert chain.up(PlayoutStalledFrame) == []
        await listener.hear(1)
        await settle()
        assert [(f.reply_id, f.stalled) for f in chain.up(PlayoutStalledFrame)] == [(1, True)]
        await chain.push(audio(1, tone(4800)))
        await settle()
        await listener.hear(1)
        await settle()
        assert [f.stalled for f in chain.up(PlayoutStalledFrame)] == [True, False]


async def test_a_pause_of_speech_that_comes_after_a_hole_is_a_part_of_the_stall():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, "one two"), audio(1, tone(4800)))
        await settle()
        await listener.hear(10 + 20)
        await chain.push(audio(1, bytes(2 * 4800)))
        await settle()
        await listener.hear(5)
        await settle()
        assert [f.stalled for f in chain.up(PlayoutStalledFrame)] == [True]
        await listener.hear(20)
        await settle()
        assert [f.stalled for f in chain.up(PlayoutStalledFrame)] == [True]
        await chain.push(audio(1, tone(4800)))
        await settle()
        await listener.hear(1)
        await settle()
        assert [f.stalled for f in chain.up(PlayoutStalledFrame)] == [True, False]


async def test_a_pause_is_no_stall():
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, "one two"), audio(1, tone(4800)))
        await settle()
        await listener.hear(2)
        await chain.push(PlayoutPauseFrame())
        await settle()
        await listener.hear(60)
        assert chain.up(PlayoutStalledFrame) == []


async def test_replies_follow_each_other_and_are_told_apart():
    output, listener, sent = make()
    async with running(output) as chain:
        first, pcm1 = spoken(1, 1, ["One. "], remember=False)
        second, pcm2 = spoken(2, 2, ["Two. "])
        await chain.push(*first, *second)
        await settle()
        assert await listener.hear(20) == pcm1 + pcm2
        await settle()
        assert [(f.reply_id, f.heard, f.remember) for f in chain.down(ReplyPlayedFrame)] == [
            (1, "One. ", False),
            (2, "Two. ", True),
        ]
        types = [m["data"]["type"] if m["type"] == "server-message" else m["type"] for m in sent]
        one = ["bot-started-speaking", "word-heard", "bot-tts-text", "reply-played", "bot-stopped-speaking"]
        assert types == one * 2


async def test_the_end_of_a_call_waits_until_the_reply_is_heard():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["Goodbye."])
        await chain.push(*frames, EndFrame())
        await settle()
        assert chain.down(EndFrame) == []
        await listener.hear(10)
        await chain.until(EndFrame)
        assert chain.down(ReplyPlayedFrame)[0].heard == "Goodbye."


async def test_frames_from_below_pass():
    output, _, _ = make()
    async with running(output) as chain:
        frame = PlayoutPauseFrame()
        await output.queue_frame(frame, FrameDirection.UPSTREAM)
        await settle()
        assert chain.up(PlayoutPauseFrame) == [frame]


async def test_chunks_of_any_size_that_come_with_jitter_are_played_sample_for_sample():
    output, listener, _ = make()
    rng = np.random.default_rng(3)
    at = np.arange(10 * RATE)
    pcm = (12_000 * np.sin(2 * np.pi * 300 * at / RATE)).astype(np.int16)
    pcm[pcm == 0] = 1  # so that every zero that is heard is silence that was added
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, "a long tone"))
        sent = 0
        while sent < len(pcm) or output._engine.pending:
            if sent < len(pcm):
                size = int(rng.integers(1, 4802))
                await chain.push(audio(1, pcm[sent : sent + size].tobytes()))
                sent += size
            await settle()
            await listener.hear(int(rng.integers(0, 12)))
    heard = np.frombuffer(listener.pcm, np.int16)
    assert np.array_equal(heard[heard != 0], pcm)


# --- a line that is down for a while ---------------------------------------------------------


async def cut_connection(words: int, down_at: int, found_after: int, down_for: int, *, holds: bool = False):
    """Pull a reply over a line that is down from packet ``down_at`` on, which is found out later, and comes back.

    Returns:
        The reply, what came through, what was pulled while the line was known to be down, and the told frames.
    """
    output, listener, _ = make()
    async with running(output) as chain:
        frames, pcm = spoken(1, 1, [f"word{number} " for number in range(words)])
        await chain.push(*frames)
        await settle()
        before = await listener.hear(down_at)
        await listener.hear(found_after)
        output.connection_lost(found_after * PACKET / RATE)
        if holds:
            await chain.push(CallHoldFrame(True, found_after * PACKET / RATE))
        silence = await listener.hear(down_for)
        if holds:
            output.connection_back()
            assert not np.any(np.frombuffer(await listener.hear(5), np.int16)), "the call is on hold"
            await chain.push(CallHoldFrame(False))
        output.connection_back()
        after = await listener.hear(words * 10 + 5)
        await settle()
        return pcm, before, silence, after, chain.down(ReplyPlayedFrame)


@given(
    down_at=st.integers(1, 28),
    found_after=st.integers(1, 40),
    down_for=st.integers(1, 60),
    holds=st.booleans(),
)
@settings(max_examples=25)
def test_what_was_sent_into_a_dead_line_is_played_again_to_the_sample(down_at, found_after, down_for, holds):
    pcm, before, silence, after, played = asyncio.run(cut_connection(3, down_at, found_after, down_for, holds=holds))
    first = before[: len(pcm)]
    fade = 2 * round(0.005 * RATE)
    rest = pcm[len(first) :]
    assert first == pcm[: len(first)]
    assert not np.any(np.frombuffer(silence[fade:], np.int16)), "nothing is played into a dead line"
    again = after[after.find(rest[:200]) :] if rest else b""
    assert again[: len(rest)] == rest
    assert not np.any(np.frombuffer(again[len(rest) :], np.int16))
    assert [(reply.heard, reply.cut) for reply in played] == [("word0 word1 word2 ", False)]


async def test_what_was_cut_is_not_played_again():
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["One ", "two ", "three."])
        await chain.push(*frames)
        await settle()
        await listener.hear(10)
        await chain.push(InterruptionFrame())
        await settle()
        await listener.hear(2)
        output.connection_lost(0.2)
        await listener.hear(5)
        output.connection_back()
        assert not np.any(np.frombuffer(await listener.hear(20), np.int16))
