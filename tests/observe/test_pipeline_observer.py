"""What a call's pipeline does, as events: each once, with the time at which it happened."""

from typing import Any

import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from contracts.frames import (
    ReplyCutFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyStartFrame,
    TurnStateFrame,
    UserTextFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    WordHeardFrame,
)
from observe import call_events as ev
from observe.pipeline_observer import PipelineObserver
from tests.observe.nodes import Node

AUDIO = UtteranceAudioFrame(b"", 24_000, 1, utterance_id=1)


def both_ways(kind: type[Frame], **fields: Any) -> tuple[Frame, Frame]:
    """As ``FrameProcessor.broadcast_frame`` makes them."""
    down, up = kind(**fields), kind(**fields)
    down.broadcast_sibling_id, up.broadcast_sibling_id = up.id, down.id
    return down, up


@pytest.fixture
def watched() -> tuple[list[Any], list[ev.CallEvent]]:
    """The four nodes of a call at 100 s, and what is told of them."""
    nodes: list[Any] = [Node() for _ in range(4)]
    events: list[ev.CallEvent] = []
    observer = PipelineObserver(lambda: 100.0)
    observer.subscribe(events.append)
    observer.watch(*nodes)
    return nodes, events


@pytest.mark.parametrize(
    ("node", "frames", "events"),
    [
        (0, [TurnStateFrame("speaking", 1)], [ev.StateChanged(100.0, "speaking")]),
        (0, [VADUserStartedSpeakingFrame(start_secs=0.2)], [ev.SpeechBegan(99.8)]),
        (0, [VADUserStoppedSpeakingFrame(stop_secs=0.5)], [ev.SpeechEnded(99.5)]),
        (
            0,
            [UserTextFrame("12", "key"), UserTextFrame("hi")],
            [ev.KeysPressed(100.0, "12"), ev.TextTyped(100.0, "hi")],
        ),
        (0, [InterruptionFrame(), ReplyCutFrame()], [ev.Interrupted(100.0)] * 2),
        (0, [LLMTextFrame("no node of the model"), AUDIO], []),
        (
            1,
            [ReplyStartFrame(reply_id=7), *map(LLMTextFrame, (" ", "A", "B")), ReplyEndFrame(reply_id=7)],
            [ev.FirstToken(100.0, 7), ev.ModelDone(100.0, None)],
        ),
        (1, [ReplyStartFrame(reply_id=7), ReplyEndFrame(reply_id=7), LLMTextFrame("A")], [ev.ModelDone(100.0, None)]),
        (
            2,
            [UtteranceStartFrame(7, 1, "Hi."), AUDIO, AUDIO, UtteranceEndFrame(1)],
            [ev.PieceBegan(100.0, 7, 1, "Hi."), ev.FirstAudio(100.0, 7), ev.PieceDone(100.0, None)],
        ),
    ],
)
def test_frames_become_events(
    watched: tuple[list[Any], list[ev.CallEvent]], node: int, frames: list[Frame], events: list[ev.CallEvent]
) -> None:
    nodes, told = watched
    for frame in frames:
        nodes[node].push(frame)
    assert told == events


def test_what_the_playout_tells_both_ways_is_one_event(watched: tuple[list[Any], list[ev.CallEvent]]) -> None:
    (*_, output), told = watched
    first, second = (both_ways(WordHeardFrame, reply_id=7, text=text) for text in ("Hi ", "there."))
    playing, played = both_ways(ReplyPlayingFrame, reply_id=7), both_ways(ReplyPlayedFrame, reply_id=7, heard="Hi ")
    for frame in (*playing, first[0], second[0], first[1], second[1], *played):
        output.push(frame)
    assert told == [
        ev.ReplyPlaying(100.0, 7),
        ev.WordHeard(100.0, "Hi "),
        ev.WordHeard(100.0, "there."),
        ev.ReplyPlayed(100.0, 7, "Hi ", "", False, None),
    ]
