import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import InterruptionFrame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame

from contracts.frames import (
    CallerHangsUpFrame,
    CallErrorFrame,
    ClientReadyFrame,
    InterimTranscriptFrame,
    InterruptionDecisionFrame,
    PlayoutPauseFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    StillThinkingFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserTextFrame,
    WordHeardFrame,
)
from contracts.interruption_decision import InterruptionDecision
from transports import rtvi

DECISION = InterruptionDecision(1, "duck", 2.5)


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
    assert rtvi.messages(frame)[0]["data"] == {"error": reason, "message": reason, "fatal": False}


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


def answered(type_, data=None, **more):
    return rtvi.answer({"label": "rtvi-ai", "type": type_, "id": "7", "data": data, **more})


def test_keys_of_a_client_from_before_2_1_come_one_at_a_time():
    assert [key.text for key in parse("dtmf", {"button": "5"})] == ["5"]
    assert parse("dtmf", {"button": "55"}) == []


def test_what_clients_sent_before_there_was_send_text():
    (typed,) = parse("append-to-context", {"role": "user", "content": "Hello.", "run_immediately": True})
    assert typed.text == "Hello."
    for data in ({"role": "assistant", "content": "x", "run_immediately": True}, {"role": "user", "content": "x"}):
        assert parse("append-to-context", data) == []
        assert answered("append-to-context", data)["type"] == "error-response"


def test_a_client_can_ask_the_bot_to_hang_up():
    (frame,) = parse("disconnect-bot", {})
    assert isinstance(frame, CallerHangsUpFrame)
    assert answered("disconnect-bot", {}) is None


def test_a_request_is_answered_with_its_own_id():
    told = answered("client-message", {"t": "dtmf", "d": {"key": "1"}})
    assert (told["type"], told["id"], told["data"]) == ("server-response", "7", {"t": "dtmf", "d": None})
    told = answered("client-message", {"t": "weather", "d": {"city": "Rome"}})
    assert (told["type"], told["id"]) == ("error-response", "7")
    assert "Rome" not in str(told)
    assert "weather" not in str(told)


def test_a_text_that_is_not_to_be_answered_is_refused():
    kept = {"content": "x", "options": {"run_immediately": False}}
    assert parse("send-text", kept) == []
    assert answered("send-text", kept)["type"] == "error-response"
    assert answered("send-text", {"content": "x", "options": {"run_immediately": True}}) is None
    assert len(parse("send-text", {"content": "x", "options": {"audio_response": False}})) == 1


@pytest.mark.parametrize(
    ("id_", "repeated"),
    [
        ("7f", "7f"),
        (7, "7"),
        ("x" * 40_000, "x" * rtvi.MAX_ID_CHARS),
        (["x"] * 5_000, ""),
        ({"a": "b"}, ""),
        (None, ""),
    ],
)
def test_no_more_of_an_identifier_is_repeated_than_one_has(id_, repeated):
    (frame,) = rtvi.parse({"label": rtvi.LABEL, "type": "client-ready", "id": id_, "data": {}})
    assert frame.message_id == repeated


@pytest.mark.parametrize("type_", [*sorted(rtvi.NOT_SERVED), "client-ready", "disconnect-bot"])
def test_what_needs_no_answer_has_none(type_):
    assert answered(type_, {}) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(["t", "d", "key", "on", "content", "options", "button", "buttons", "role", "tree"])
types = st.sampled_from(
    [*sorted(rtvi.NOT_SERVED), "client-ready", "client-message", "send-text", "dtmf", "append-to-context", "send-file"]
)


@given(
    message=json_values
    | st.fixed_dictionaries(
        {"label": st.just("rtvi-ai"), "type": types | json_values, "data": st.dictionaries(field_names, json_values)},
        optional={"id": json_values | st.text(max_size=200)},
    )
)
def test_no_message_breaks_the_reader_and_an_answer_is_short(message):
    list(rtvi.parse(message))
    told = rtvi.answer(message)
    if told is not None:
        assert told["id"] == message["id"]
        assert told["type"] in ("server-response", "error-response")
        assert len(json.dumps(told)) < 1000


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
        (InterruptionDecisionFrame(DECISION), [("interruption-decision", {"decision": DECISION.as_dict()})]),
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
