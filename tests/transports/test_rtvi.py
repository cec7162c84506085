import pytest
from pipecat.frames.frames import InterruptionFrame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame

from processors.frames import (
    CallErrorFrame,
    ClientReadyFrame,
    DecisionCardFrame,
    InterimTranscriptFrame,
    PlayoutPauseFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    StillThinkingFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserTextFrame,
    WordHeardFrame,
)
from transports import rtvi


def parse(type_, data=None, **more):
    return list(rtvi.parse({"label": "rtvi-ai", "type": type_, "id": "7", "data": data, **more}))


def test_client_ready_is_answered_with_its_own_id():
    (frame,) = parse("client-ready", {"version": "2.0.0"})
    assert isinstance(frame, ClientReadyFrame)
    (answer,) = rtvi.messages(frame)
    assert (answer["label"], answer["type"], answer["id"]) == ("rtvi-ai", "bot-ready", "7")
    assert answer["data"]["version"].split(".")[0] == "2"


def test_typed_text_and_keys():
    (typed,) = parse("send-text", {"content": "  What\nis my balance? \u200b"})
    assert isinstance(typed, UserTextFrame)
    assert (typed.text, typed.source) == ("What is my balance?", "typed")
    (key,) = parse("client-message", {"t": "dtmf", "d": {"key": "#"}})
    assert (key.text, key.source) == ("#", "key")
    keys = parse("dtmf", {"buttons": ["4", "2", "x"]})
    assert [(k.text, k.source) for k in keys] == [("4", "key"), ("2", "key")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "There is nothing to send: the text is empty."),
        (" \n\t ", "There is nothing to send: the text is empty."),
        ("x" * 5000, "The text is too long: 5000 characters, and at most 2000 are taken."),
        (None, "The text could not be read."),
        (["a"], "The text could not be read."),
    ],
)
def test_text_that_cannot_be_taken_says_why(content, reason):
    (frame,) = parse("send-text", {"content": content})
    assert isinstance(frame, CallErrorFrame)
    assert frame.message == reason
    assert rtvi.messages(frame)[0]["data"] == {"message": reason, "fatal": False}


@pytest.mark.parametrize(
    "message",
    [
        None,
        "ping",
        17,
        [],
        {},
        {"label": "other", "type": "client-ready"},
        {"label": "rtvi-ai"},
        {"label": "rtvi-ai", "type": "no-such-thing", "data": {}},
        {"label": "rtvi-ai", "type": "client-message", "data": {"t": "dtmf", "d": {"key": "12"}}},
        {"label": "rtvi-ai", "type": "client-message", "data": {"t": "dtmf", "d": "1"}},
        {"label": "rtvi-ai", "type": "client-message", "data": "dtmf"},
        {"label": "rtvi-ai", "type": "dtmf", "data": {"buttons": "42"}},
        {"label": "rtvi-ai", "type": "dtmf", "data": {"buttons": [{"a": 1}, None]}},
    ],
)
def test_what_is_not_for_us_is_nothing(message):
    assert list(rtvi.parse(message)) == []


def plain(frame):
    return [
        (m["data"]["type"], {k: v for k, v in m["data"].items() if k != "type"})
        if m["type"] == "server-message"
        else (m["type"], m.get("data"))
        for m in rtvi.messages(frame)
    ]


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (StillThinkingFrame(), [("still-thinking", {})]),
        (TurnStateFrame("paused", 3), [("turn-state", {"state": "paused", "turn_id": 3})]),
        (UserStartedSpeakingFrame(), [("user-started-speaking", None)]),
        (UserStoppedSpeakingFrame(), [("user-stopped-speaking", None)]),
        (ReplyPlayingFrame(reply_id=2), [("bot-started-speaking", None)]),
        (WordHeardFrame(2, "Hello "), [("word-heard", {"reply_id": 2, "text": "Hello "})]),
        (InterruptionFrame(), [("bot-interrupted", None)]),
        (DecisionCardFrame({"sound_id": 1}), [("decision-card", {"card": {"sound_id": 1}})]),
        (PlayoutPauseFrame(), []),
        (
            ReplyPlayedFrame(reply_id=2, heard="Hello ", unheard="there.", cut=True),
            [
                ("reply-played", {"reply_id": 2, "heard": "Hello ", "unheard": "there.", "cut": True, "error": None}),
                ("bot-stopped-speaking", None),
            ],
        ),
    ],
)
def test_what_the_client_is_told(frame, told):
    assert plain(frame) == told


def test_transcripts_keep_their_segment():
    for frame, final in (
        (InterimTranscriptFrame("my bal", "", "t", segment=4), False),
        (TranscriptFrame("my balance", "", "t", segment=4), True),
    ):
        ((type_, data),) = plain(frame)
        assert type_ == "user-transcription"
        assert (data["text"], data["final"], data["segment"]) == (frame.text, final, 4)


def test_every_message_has_an_id_of_its_own():
    ids = {rtvi.time_to_answer(1, 700, {"stt": 200})["id"] for _ in range(100)}
    assert len(ids) == 100
    assert rtvi.time_to_answer(1, 700, {"stt": 200}, reply_id=5)["data"] == {
        "type": "time-to-answer",
        "turn_id": 1,
        "reply_id": 5,
        "ms": 700,
        "stages": {"stt": 200},
    }
