"""Where the time of an answer went."""

from typing import Any

from pipecat.frames.frames import LLMTextFrame, VADUserStoppedSpeakingFrame

from contracts.frames import (
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyStartFrame,
    TranscriptFrame,
    UserTurnFrame,
    UtteranceAudioFrame,
    UtteranceStartFrame,
)
from observe.pipeline_observer import PipelineObserver
from observe.turn_clock import TurnClock, TurnTimes
from tests.observe.nodes import Node


def test_stages_add_up_to_the_answer():
    now = [100.0]
    answers, over = [], []
    clock = TurnClock(answers.append, lambda times, played: over.append((times.reply_id, played.heard)))
    nodes: list[Any] = [Node() for _ in range(4)]
    interruptions, llm, tts, output = nodes
    observer = PipelineObserver(lambda: now[0])
    observer.subscribe(clock.take)
    observer.watch(*nodes)
    script = [
        (0.2, interruptions, VADUserStoppedSpeakingFrame(stop_secs=0.2)),
        (0.05, interruptions, TranscriptFrame("Hi.", "", "t")),
        (0.1, interruptions, UserTurnFrame(3, 7, "Hi.")),
        (0.3, llm, ReplyStartFrame(reply_id=7)),
        (0.0, llm, LLMTextFrame(" ")),
        (0.0, llm, LLMTextFrame("Hello.")),
        (0.02, tts, UtteranceStartFrame(7, 1, "Hello.")),
        (0.08, tts, UtteranceAudioFrame(b"", 24_000, 1, utterance_id=1)),
        (0.01, output, ReplyPlayingFrame(reply_id=7)),
        (1.0, output, ReplyPlayedFrame(reply_id=7, heard="Hello.")),
        (0.0, output, ReplyPlayedFrame(reply_id=7, heard="Hello.")),
    ]
    for secs, node, frame in script:
        now[0] += secs
        node.push(frame)
    (times,) = answers
    stages = {"stt": 250, "end_of_turn": 100, "llm": 300, "clause": 20, "tts": 80, "playout": 10}
    assert times.stages_ms() == stages
    assert times.answer_ms() == sum(stages.values())
    assert (times.turn_id, times.text) == (3, "Hi.")
    assert over == [(7, "Hello.")]


def test_a_typed_turn_counts_from_when_it_was_sent():
    times = TurnTimes(1, 1, "hi", turn_ended=5.0, first_token=5.2, first_sample=5.5)
    assert times.answer_ms() == 500
    assert times.stages_ms() == {"end_of_turn": 0, "llm": 200, "playout": 300}


def test_what_has_not_happened_is_not_told():
    times = TurnTimes(1, 1, "hi", turn_ended=5.0)
    assert times.answer_ms() is None
    assert TurnTimes(1, 1, "hi").stages_ms() == {}
