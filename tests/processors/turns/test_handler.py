"""The node that gives and takes the floor: frames in, frames out."""

import asyncio

import numpy as np
from pipecat.frames.frames import (
    InterruptionFrame,
    UserBackchannelFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from contracts.frames import (
    AudioWindowFrame,
    ClientReadyFrame,
    InterruptionDecisionFrame,
    PlayoutDuckFrame,
    PlayoutPauseFrame,
    PlayoutResumeFrame,
    ReplyCommittedFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    SayFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserTextFrame,
    UserTurnFrame,
)
from contracts.modes import InterruptionMode
from processors.turns.handler import HandlerParams, InterruptionHandler
from processors.turns.machine import TurnMachine
from processors.turns.states import TurnParams
from tests.processors.chain import running

LOUD = (np.sin(np.arange(512) / 5) * 9000).astype(np.int16).tobytes()


def window(prob):
    return AudioWindowFrame(LOUD, 16_000, 1, speech_prob=prob)


def handler(mode=InterruptionMode.PAUSE, **options):
    return InterruptionHandler(TurnMachine(TurnParams(mode=mode)), **options)


async def up(chain, frame):
    """Send a frame from below, as the playout does."""
    await chain.processors[0].queue_frame(frame, FrameDirection.UPSTREAM)
    await asyncio.sleep(0.01)


async def hear(chain, windows, prob):
    for _ in range(windows):
        await chain.push(window(prob))
        await asyncio.sleep(0.032)


async def test_typed_text_asks_for_a_reply(virtual):
    async with running(handler()) as chain:
        await chain.push(UserTextFrame("When are you open?"))
        turn = await chain.until(UserTurnFrame)
        assert (turn.turn_id, turn.reply_id, turn.text) == (1, 1, "When are you open?")
        assert [frame.state for frame in chain.down(TurnStateFrame)] == ["thinking"]
        assert len(chain.down(UserStartedSpeakingFrame)) == len(chain.down(UserStoppedSpeakingFrame)) == 1


async def test_speech_and_its_words_are_a_turn_and_audio_ends_here(virtual):
    asked = []

    async def detect(pcm):
        asked.append(len(pcm))
        return 0.9

    async with running(handler(detect_end_of_turn=detect)) as chain:
        await chain.push(VADUserStartedSpeakingFrame())
        await hear(chain, 30, 0.95)
        await chain.push(VADUserStoppedSpeakingFrame())
        await chain.push(TranscriptFrame("Book a room.", "", "t", segment=1))
        turn = await chain.until(UserTurnFrame)
        assert turn.text == "Book a room."
        assert asked == [30 * 512]
        assert chain.down(AudioWindowFrame) == []
        assert [frame.text for frame in chain.down(TranscriptFrame)] == ["Book a room."]


async def test_the_greeting_waits_for_the_client(virtual):
    async with running(handler(params=HandlerParams(greeting="Hello."))) as chain:
        await asyncio.sleep(5)
        assert chain.down(SayFrame) == []
        await chain.push(ClientReadyFrame())
        say = await chain.until(SayFrame)
        assert (say.reply_id, say.text, say.remember, say.only_if_idle) == (1, "Hello.", True, False)


async def speaking(chain):
    await chain.push(UserTextFrame("go"))
    await chain.until(UserTurnFrame)
    await up(chain, ReplyPlayingFrame(reply_id=1))
    await asyncio.sleep(0.5)


async def test_a_stop_over_the_voice_pauses_then_cancels_and_waits_for_history(virtual):
    async with running(handler()) as chain:
        await speaking(chain)
        await hear(chain, 1, 0.95)
        assert len(chain.down(PlayoutPauseFrame)) == 1
        await hear(chain, 8, 0.95)
        await chain.push(TranscriptFrame("Stop, my card.", "", "t", segment=1))
        await chain.until(InterruptionFrame)
        (decision,) = [frame.decision for frame in chain.down(InterruptionDecisionFrame)]
        assert (decision.verdict, decision.mode, decision.text) == ("cancel", "pause", "Stop, my card.")
        await up(chain, ReplyCommittedFrame(1))
        await hear(chain, 5, 0.0)
        await asyncio.sleep(1)
        turn = await chain.until(UserTurnFrame, 2)
        assert (turn.turn_id, turn.reply_id, turn.text) == (2, 2, "Stop, my card.")


async def test_an_acknowledgement_resumes(virtual):
    async with running(handler(InterruptionMode.DUCK)) as chain:
        await speaking(chain)
        await hear(chain, 4, 0.95)
        assert len(chain.down(PlayoutDuckFrame)) == 1
        await chain.push(TranscriptFrame("Mm-hmm.", "", "t", segment=1))
        resume = await chain.until(PlayoutResumeFrame)
        assert not resume.step_back
        assert chain.down(InterruptionFrame) == []
        assert (await chain.until(UserBackchannelFrame)).text == "Mm-hmm."


async def test_the_judge_hears_from_before_the_onset_and_its_word_counts(virtual):
    clips = []

    async def judge(clip):
        clips.append(clip)
        return 5.0

    async with running(handler(judge=judge)) as chain:
        await speaking(chain)
        await hear(chain, 20, 0.02)
        await hear(chain, 6, 0.95)
        await chain.until(PlayoutPauseFrame)
        await chain.until(UserStartedSpeakingFrame)
        assert [clip.elapsed_ms for clip in clips] == [160]
        assert len(clips[0].speech_probs) == 11  # 0.2 s before, and five windows of the sound
        assert len(clips[0].pcm) == 11 * 512
        assert not clips[0].ended


async def test_nothing_is_judged_while_nobody_speaks_over_the_bot(virtual):
    asked = []

    async def judge(clip):
        asked.append(clip)
        return 0.0

    async with running(handler(judge=judge)) as chain:
        await hear(chain, 40, 0.95)
        await speaking(chain)
        await hear(chain, 40, 0.05)
        assert asked == []


async def test_a_fault_that_a_deadline_repaired_is_reported(virtual):
    faults = []
    async with running(handler(on_fault=faults.append)) as chain:
        await chain.push(UserTextFrame("go"))
        await chain.until(UserTurnFrame)
        await asyncio.sleep(13)
        assert faults == ["no reply"]
        assert "can't answer" in chain.down(SayFrame)[-1].text


async def test_the_reply_that_is_over_frees_the_floor(virtual):
    async with running(handler()) as chain:
        await speaking(chain)
        await up(chain, ReplyPlayedFrame(reply_id=1, heard="All of it."))
        assert [frame.state for frame in chain.down(TurnStateFrame)] == ["thinking", "speaking", "listening"]
