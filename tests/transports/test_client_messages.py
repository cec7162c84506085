"""What one client may say, and that it cannot keep the others waiting."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import (
    CallErrorFrame,
    CallHoldFrame,
    ClientAnswerFrame,
    ClientMicrophoneFrame,
    ClientReadyFrame,
    UserTextFrame,
)
from transports.client_messages import MAX_MESSAGE_BYTES, ClientMessages, MessageLimits


def message(type_: str, data: object = None) -> str:
    return json.dumps({"label": "rtvi-ai", "type": type_, "id": "1", "data": data})


def typed(text: str = "What is my balance?") -> str:
    return message("send-text", {"content": text})


def told(frames) -> list[str]:
    return [frame.message for frame in frames if isinstance(frame, CallErrorFrame)]


def test_what_a_person_does_is_never_too_much():
    reader, now = ClientMessages(), 0.0
    for second in range(300):
        now = float(second)
        assert reader.read("ping", now) == []
        if second % 5 == 0:
            assert [type(f) for f in reader.read(typed(), now)] == [UserTextFrame]
        for _ in range(2):
            assert [type(f) for f in reader.read(message("client-message", {"t": "dtmf", "d": {"key": "4"}}), now)] == [
                UserTextFrame,
                ClientAnswerFrame,
            ]
    card = list("4111111111111111#")
    assert len(reader.read(message("dtmf", {"buttons": card}), now + 5)) == len(card), "a card number at once"
    assert reader.refused == 0


def test_a_flood_of_texts_asks_for_few_answers():
    reader = ClientMessages()
    frames = [frame for n in range(200) for frame in reader.read(typed(), n / 50)]
    assert sum(isinstance(frame, UserTextFrame) for frame in frames) <= 12
    assert "Too many texts; please wait a moment." in told(frames)
    assert len(told(frames)) <= 8, "a flood is not answered by another"
    assert any(isinstance(frame, UserTextFrame) for frame in reader.read(typed(), 64.0))


def test_one_message_of_thousands_of_keys_is_cut_short():
    reader = ClientMessages()
    frames = reader.read(message("dtmf", {"buttons": ["5"] * 6000}), 0.0)
    assert len(frames) <= 61
    assert told(frames) == ["Too many keys; please press them one after the other."]
    assert told(reader.read(message("dtmf", {"buttons": ["5"] * 16_000}), 0.0)) == [
        f"The message is too long: at most {MAX_MESSAGE_BYTES} bytes are taken."
    ]


def test_ready_and_hold_over_and_over_are_refused():
    reader = ClientMessages()
    toggles = [message("client-message", {"t": "hold", "d": {"on": bool(n % 2)}}) for n in range(200)]
    frames = [f for n, m in enumerate([*toggles, *[message("client-ready")] * 200]) for f in reader.read(m, n / 100)]
    assert sum(isinstance(f, (CallHoldFrame, ClientReadyFrame)) for f in frames) <= 13


def test_limits_are_the_calls_own():
    reader = ClientMessages(MessageLimits(turns_per_minute=3))
    assert [type(f) for f in reader.read(typed(), 0.0)] == [UserTextFrame]
    assert told(reader.read(typed(), 0.0)) == ["Too many texts; please wait a moment."]


@pytest.mark.parametrize(
    "raw", ["{", "nonsense", "[" * 30_000, b"\xff\xfe", b"\x00", "1" * 5000, '"' + "\\ud800" * 20, "pong", ""]
)
def test_what_is_no_message_is_answered_with_an_error_or_nothing(raw):
    assert told(ClientMessages().read(raw, 0.0)) in ([], ["The message could not be read."])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
rtvi_like = st.fixed_dictionaries(
    {},
    optional={
        "label": st.just("rtvi-ai") | json_values,
        "type": st.sampled_from(["client-ready", "send-text", "dtmf", "client-message"]) | json_values,
        "id": json_values,
        "data": st.fixed_dictionaries(
            {},
            optional={
                "content": json_values,
                "buttons": json_values | st.lists(st.sampled_from("0123456789*#x")),
                "t": st.sampled_from(["dtmf", "hold"]) | json_values,
                "d": json_values | st.fixed_dictionaries({"key": json_values, "on": json_values}),
            },
        )
        | json_values,
    },
)


@given(st.lists(st.tuples(st.text() | st.binary() | (json_values | rtvi_like).map(json.dumps), st.floats(0, 1))))
def test_any_message_is_read_or_refused_and_never_more_than_the_limits(steps):
    limits = MessageLimits(messages_per_minute=60, turns_per_minute=6, keys_per_minute=6, signals_per_minute=6)
    reader, now, frames = ClientMessages(limits), 0.0, []
    for raw, pause in steps:
        now += pause
        frames += reader.read(raw, now)
    assert sum(isinstance(f, UserTextFrame) and f.source == "typed" for f in frames) <= 2 + now / 10 + 1e-6
    assert sum(isinstance(f, UserTextFrame) and f.source == "key" for f in frames) <= 2 + now / 10 + 1e-6
    assert len(told(frames)) <= 5 + now / 2 + 1e-6


# --- signalling, and answers to requests ------------------------------------------------------


def signal(**fields: object) -> str:
    return json.dumps({"type": "signalling", "message": fields})


def test_track_status_of_the_microphone_mutes_and_unmutes_however_often():
    reader = ClientMessages()
    for number in range(90):
        (frame,) = reader.read(signal(type="trackStatus", receiver_index=0, enabled=number % 2 == 1), float(number))
        assert frame == ClientMicrophoneFrame(number % 2 == 1) or frame.on is (number % 2 == 1)
    for other in (1, 2):
        assert reader.read(signal(type="trackStatus", receiver_index=other, enabled=True), 100.0) == []


@pytest.mark.parametrize(
    "text",
    [
        "ping: 1764580000000",
        json.dumps({"type": "signalling"}),
        json.dumps({"type": "signalling", "message": None}),
        json.dumps({"type": "signalling", "message": "trackStatus"}),
        signal(type="trackStatus"),
        signal(type="trackStatus", receiver_index="0", enabled=True),
        signal(type="trackStatus", receiver_index=False, enabled=True),
        signal(type="trackStatus", receiver_index=0, enabled=1),
        signal(type="renegotiate"),
        signal(type="of the future"),
    ],
)
def test_what_means_nothing_is_ignored(text):
    reader = ClientMessages()
    assert reader.read(text, 0.0) == []
    assert reader.refused == 0


def test_a_request_is_answered_and_a_flood_of_strange_ones_is_not():
    reader = ClientMessages()
    asked = json.dumps({"label": "rtvi-ai", "type": "client-message", "id": "42", "data": {"t": "weather"}})
    answers = [frame for n in range(100) for frame in reader.read(asked, n / 50)]
    assert answers[0].message["type"] == "error-response"
    assert answers[0].message["id"] == "42"
    assert len([frame for frame in answers if isinstance(frame, ClientAnswerFrame)]) <= 7
