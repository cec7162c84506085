"""History is what left the playout: by samples, whatever the voice tells of its words' times, and when."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import InterruptionFrame

from contracts.frames import (
    PlayoutDuckFrame,
    PlayoutPauseFrame,
    PlayoutResumeFrame,
    ReplyCutFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyStartFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    Word,
    WordTimesFrame,
)
from processors.tts.word_times import estimate, spans
from tests.processors.chain import running
from tests.transports.test_output import PACKET, RATE, audio, make, settle, spoken, tone
from transports.heard_words import SECS_PER_SYLLABLE, Pace, word_starts
from transports.playout import PlayoutEngine

TEXT = "Our branches are open from Monday to Friday, from nine in the morning until five in the afternoon."
TOKENS = [word + " " for word in TEXT.split()[:-1]] + TEXT.split()[-1:]


def pcm_of(text: str, pace: float = SECS_PER_SYLLABLE) -> tuple[bytes, list[Word]]:
    """Audio of a text at a pace, and the true times of its words."""
    secs = pace * sum(span for _, span in spans(text))
    return tone(round(secs * RATE)), estimate(text, secs)


async def play(
    *, pace: float, times: str, stop_secs: float, faster: float = 1.0, cut: object = None
) -> tuple[str, int]:
    """Play the text as it is made and cut it; returns what was heard, and how many words had begun."""
    pcm, truth = pcm_of(TEXT, pace)
    output, listener, _ = make()
    sent = 0
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, TEXT))
        waiting = list(truth)
        for packet in range(round(stop_secs * RATE / PACKET)):
            made = min(len(pcm), round((packet + 1) * PACKET * 2 * faster) // 2 * 2)
            if made > sent:
                await chain.push(audio(1, pcm[sent:made]))
                sent = made
            late = {"late": 0.5, "in time": -0.1, "none": 1e9}[times]
            due = [word for word in waiting if word.start_secs + late <= packet * PACKET / RATE]
            if due:
                waiting = waiting[len(due) :]
                await chain.push(WordTimesFrame(1, due))
            await settle()
            await listener.hear(1)
        await chain.push(cut or InterruptionFrame())
        played = await chain.until(ReplyPlayedFrame)
    heard_secs = round(stop_secs * RATE / PACKET) * PACKET / RATE
    assert played.heard + played.unheard == TEXT
    return played.heard, sum(word.start_secs < heard_secs for word in truth)


@pytest.mark.parametrize("stop_secs", [0.4, 0.9, 1.5, 2.1, 3.0, 4.2, 5.0])
@pytest.mark.parametrize(
    ("times", "faster"), [("late", 1.0), ("late", 3.0), ("in time", 1.0), ("none", 1.0), ("none", 2.0)]
)
async def test_a_cut_reply_holds_the_words_that_had_begun(virtual, stop_secs, times, faster):
    heard, begun = await play(pace=SECS_PER_SYLLABLE, times=times, stop_secs=stop_secs, faster=faster)
    assert abs(len(heard.split()) - begun) <= 1
    assert TEXT.startswith(heard)


async def test_the_pace_of_the_voice_is_learned_for_the_next_sentence(virtual):
    slow = 0.24
    pcm, truth = pcm_of(TEXT, slow)
    output, listener, _ = make()
    async with running(output) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, TEXT), audio(1, pcm))
        await chain.push(UtteranceEndFrame(1), ReplyEndFrame(reply_id=1))
        await settle()
        await listener.hear(len(pcm) // 2 // PACKET + 1)
        await chain.push(ReplyStartFrame(reply_id=2), UtteranceStartFrame(2, 2, TEXT))
        for at in range(0, 4 * RATE, PACKET):
            await chain.push(audio(2, pcm[2 * at : 2 * (at + PACKET)]))
            await settle()
            await listener.hear(1)
        await chain.push(InterruptionFrame())
        await settle()
        played = chain.down(ReplyPlayedFrame)[-1]
    begun = sum(word.start_secs < 4.0 for word in truth)
    assert abs(len(played.heard.split()) - begun) <= 1


async def test_what_sounded_before_a_voice_failed_was_heard(virtual):
    output, listener, _ = make()
    async with running(output) as chain:
        pcm, truth = pcm_of(TEXT)
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, TEXT), audio(1, pcm[: 2 * 2 * RATE]))
        await chain.push(UtteranceEndFrame(1, error="closed"), ReplyEndFrame(reply_id=1))
        await settle()
        await listener.hear(2 * RATE // PACKET + 1)
        await settle()
        (played,) = chain.down(ReplyPlayedFrame)
    assert abs(len(played.heard.split()) - sum(word.start_secs < 2.0 for word in truth)) <= 1
    assert played.error == "closed"


async def test_words_whose_times_never_come_are_heard_with_the_rest(virtual):
    output, listener, _ = make()
    async with running(output) as chain:
        pcm, truth = pcm_of(TEXT)
        await chain.push(ReplyStartFrame(reply_id=1), UtteranceStartFrame(1, 1, TEXT), audio(1, pcm))
        await chain.push(WordTimesFrame(1, truth[:4]), UtteranceEndFrame(1), ReplyEndFrame(reply_id=1))
        await settle()
        await listener.hear(len(pcm) // 2 // PACKET + 2)
        await settle()
        (played,) = chain.down(ReplyPlayedFrame)
    assert (played.heard, played.unheard) == (TEXT, "")


async def test_a_reply_that_was_cut_before_it_said_anything_was_not_heard(virtual):
    heard, _ = await play(pace=SECS_PER_SYLLABLE, times="in time", stop_secs=0.28, cut=ReplyCutFrame(unsaid=True))
    assert heard == ""


@given(st.text(max_size=60), st.integers(0, 8), st.floats(0.0, 20.0), st.booleans(), st.floats(0.05, 0.5))
def test_the_words_of_any_text_are_the_text_and_their_times_never_go_back(
    text: str, known: int, pushed: float, whole: bool, pace: float
) -> None:
    truth = [(word.start_secs, word.text) for word in estimate(text, 0.7 * pushed)]
    told = truth[:known]
    starts = word_starts(text, told, pushed_secs=pushed, whole=whole, pace_secs=pace)
    assert "".join(word for _, word in starts) == (text if text.strip() else "".join(word for _, word in told))
    assert starts[: len(told)] == told
    times = [start for start, _ in starts]
    assert times == sorted(times)


def test_a_pace_is_only_learned_from_what_tells_something() -> None:
    pace = Pace()
    pace.learn("Hm.", 3.0)
    pace.learn("", 3.0)
    assert pace.secs == SECS_PER_SYLLABLE


# --- a lowered voice begins nothing new -----------------------------------------------------------


@pytest.mark.parametrize("gap", [0, 5])
async def test_a_reply_does_not_begin_while_the_voice_is_lowered(virtual, gap):
    output, listener, _ = make()
    async with running(output) as chain:
        filler, filler_pcm = spoken(1, 1, ["One ", "moment."])
        reply, pcm = spoken(2, 2, ["Your ", "balance."])
        await chain.push(*filler, *([] if gap else reply))
        await settle()
        await listener.hear(4)
        await chain.push(PlayoutDuckFrame())
        await listener.hear(20 + gap)
        if gap:
            await chain.push(*reply)
            await settle()
        silent = await listener.hear(30)
        assert silent == bytes(len(silent))
        await chain.push(PlayoutPauseFrame(), PlayoutResumeFrame())
        await settle()
        await listener.hear(30)
        await settle()
        assert [played.heard for played in chain.down(ReplyPlayedFrame)] == ["One moment.", "Your balance."]
        assert pcm[-200:] in listener.pcm
        assert filler_pcm[:200] in listener.pcm


async def test_a_reply_that_waits_for_more_does_not_go_on_while_it_is_lowered(virtual):
    output, listener, _ = make()
    async with running(output) as chain:
        frames, _ = spoken(1, 1, ["Let ", "me ", "see."], end=False)
        await chain.push(*frames)
        await settle()
        await listener.hear(25)
        await chain.push(PlayoutDuckFrame())
        await listener.hear(10)
        more, _ = spoken(1, 2, ["Four."])
        await chain.push(*more[1:])
        await settle()
        heard = await listener.hear(10)
        assert heard == bytes(len(heard))
        await chain.push(PlayoutResumeFrame())
        await listener.hear(12)
        await asyncio.sleep(0.01)
        assert [played.heard for played in chain.down(ReplyPlayedFrame)] == ["Let me see.Four."]


def test_a_lowered_voice_loses_no_sample() -> None:
    engine = PlayoutEngine()
    first, second = tone(1000), tone(1000, 1)
    engine.mark_start()
    engine.push(first)
    engine.mark_start()
    engine.push(second)
    engine.pull(480)
    engine.duck()
    while engine.played < 1000:
        engine.pull(480)
    assert engine.pull(480) == bytes(960)
    assert engine.paused
    engine.unduck()
    heard = b"".join(engine.pull(480) for _ in range(3))
    assert engine.played == 2000
    assert np.frombuffer(heard, np.int16)[480:1000].tobytes() == second[960:2000]
