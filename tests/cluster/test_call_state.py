"""What a call is outside its process: nothing of it is lost on the way, and nobody else can read it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.call_state import MAX_BYTES, CallState, OpenReply, StateError, letters
from cluster.sealing import seal, unseal
from transports.takeover import caller_of_peer, heard_there, read_caller

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=120)
REPLIES = st.builds(
    OpenReply,
    st.integers(1, 99),
    st.none() | st.integers(1, 99),
    TEXTS,
    st.booleans(),
    st.integers(0, 140),
    st.booleans(),
)
STATES = st.builds(
    CallState,
    call_id=TEXTS,
    place=TEXTS,
    subject=st.none() | TEXTS,
    request_data=st.dictionaries(TEXTS, TEXTS, max_size=3),
    language=st.sampled_from(["en", "de"]),
    conversation=st.fixed_dictionaries(
        {
            "turns": st.lists(st.fixed_dictionaries({"text": TEXTS}), max_size=4),
            "earlier": st.fixed_dictionaries({"summary": TEXTS}),
        }
    ),
    turn_id=st.integers(0, 99),
    reply_id=st.integers(0, 99),
    asked=TEXTS,
    begun=TEXTS,
    reply=st.none() | REPLIES,
)
KEY = bytes(range(32))


@given(STATES)
def test_a_state_comes_back_as_it_was(state):
    assert CallState.unpacked(unseal(seal(state.packed(), KEY), KEY)) == state


@given(REPLIES)
def test_heard_and_rest_are_the_reply_and_no_word_is_in_both(reply):
    heard, rest = reply.heard, reply.rest
    assert [*heard.split(), *rest.split()] == reply.text.split()
    assert letters(heard) >= min(reply.heard_chars, letters(reply.text))


@given(TEXTS, st.lists(st.integers(0, 120), max_size=6))
def test_words_that_are_told_one_by_one_are_the_words_that_were_heard(text, cuts):
    pieces = [text[begin:end] for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True)]
    reply = OpenReply(1, 1, text, True, sum(letters(piece) for piece in pieces))
    assert reply.rest == ""


def test_a_state_that_is_too_large_loses_its_oldest_turns_only():
    import random

    noise = random.Random(1)
    turns = [{"text": "".join(chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(4_000))} for _ in range(20)]
    state = CallState(conversation={"turns": turns, "earlier": {}}, asked="What now?")
    packed = state.packed()
    kept = CallState.unpacked(packed)
    assert len(packed) <= MAX_BYTES
    assert kept.asked == "What now?"
    assert 0 < len(kept.conversation["turns"]) < 20
    assert kept.conversation["turns"] == turns[-len(kept.conversation["turns"]) :]


@given(st.binary(max_size=200))
def test_what_is_no_state_is_refused(damaged):
    with pytest.raises(StateError):
        CallState.unpacked(damaged)
    with pytest.raises(StateError):
        unseal(damaged, KEY)


@given(STATES, st.integers(0, 500), st.integers(1, 255))
def test_a_changed_byte_is_noticed(state, at, change):
    sealed = bytearray(seal(state.packed(), KEY))
    sealed[at % len(sealed)] ^= change
    with pytest.raises(StateError):
        unseal(bytes(sealed), KEY)


def test_another_version_is_refused():
    import json
    import zlib

    other = zlib.compress(json.dumps({"version": 2, "reply": None}).encode())
    with pytest.raises(StateError, match="version 2"):
        CallState.unpacked(other)


def test_only_the_callers_token_opens_it():
    one, other = (
        read_caller({"caller_token": token}) for token in ("abcdefghijklmnopqrstuv", "bbcdefghijklmnopqrstuv")
    )
    assert one.key != other.key
    assert one.key != one.digest
    sealed = seal(b"What is my balance?", one.key)
    assert b"balance" not in sealed
    assert unseal(sealed, one.key) == b"What is my balance?"
    for key in (other.key, one.digest, caller_of_peer("abcdefghijklmnopqrstuv").key):
        with pytest.raises(StateError):
            unseal(sealed, key)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ({"heard": {"reply_id": 3, "letters": 12}}, (3, 12)),
        ({"heard": {"reply_id": True, "letters": 12}}, None),
        ({"heard": {"reply_id": 3, "letters": -1}}, None),
        ({"heard": {"reply_id": 3, "letters": 1e9}}, None),
        ({"heard": "all"}, None),
        ({}, None),
        ("heard", None),
        (None, None),
    ],
)
def test_what_a_client_says_it_heard_is_read_with_care(said, heard):
    assert heard_there(said) == heard


def test_the_farther_of_two_who_listened_counts():
    reply = OpenReply(1, 1, "One two three.", True, 3)
    assert reply.heard_at_least(6).rest == "three."
    assert reply.heard_at_least(1) == replace(reply, heard_chars=3)
