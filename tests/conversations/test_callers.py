"""Callers as they are: silent, busy with their keys, on hold, gone and back."""

import numpy as np
import pytest

from contracts.frames import CallHoldFrame, ClientReadyFrame, UserTextFrame
from processors.tts import local
from tests.conversations.conftest import Calling, clip
from tests.conversations.test_reported_faults import ToneVoice
from tests.conversations.test_turns import LONG, Model


def heard(c) -> list[str]:
    return [played["heard"].strip() for played in c.told("reply-played") if played["heard"]]


async def press(c, keys: str, gap_secs: float = 0.2) -> None:
    for key in keys:
        await c.take(UserTextFrame(key, source="key"))
        await c.listen(gap_secs)


# --- keys (scenario 24 e) --------------------------------------------------------------------


@pytest.mark.parametrize("state", ["listening", "speaking", "paused"])
async def test_keys_interrupt_and_are_one_turn(virtual, call: Calling, state):
    model = Model(*([LONG] if state != "listening" else []), "Thank you.")
    async with call(model, ToneVoice()) as c:
        if state != "listening":
            await c.type("When?")
            await c.until_state("speaking")
            await c.listen(1.5)
        if state == "paused":
            c.say(clip("sneeze"))
            await c.until_state("paused")
        pressed_at = c.now
        await press(c, "1234#")
        await c.until_state("thinking")
        assert c.now - pressed_at < 1.2, "answered without waiting for a voice"
        if state != "listening":
            assert np.max(c.levels(pressed_at + 0.04)) < 100, "silent from the first key on"
            assert c.told("reply-played")[0]["cut"]
        await c.until_state("speaking")
        await c.until_state("listening")
    asked = [text for role, text in model.prompts[-1] if role == "user"]
    assert asked[-1].split()[-1] == "1234"
    assert len(model.prompts) == (1 if state == "listening" else 2)


# --- silence ---------------------------------------------------------------------------------


async def test_a_caller_who_says_nothing_is_asked_and_parted_from_politely(virtual, call: Calling):
    async with call(greeting="Hello.", idle_secs=10.0, idle_prompts=2) as c:
        await c.listen(45)
        assert c.closed.is_set()
        assert heard(c) == [
            "Hello.",
            "Are you still there?",
            "Are you still there?",
            "It seems that nobody is there, so I'll hang up now. Goodbye.",
        ]
        assert not c.told("reply-played")[-1]["cut"]


# --- hold ------------------------------------------------------------------------------------


async def test_on_hold_the_bot_is_silent_and_goes_on_where_it_was(virtual, call: Calling):
    async with call(Model(LONG), ToneVoice()) as c:
        await c.type("When?")
        await c.until_state("speaking")
        await c.listen(3.0)
        await c.take(CallHoldFrame(True))
        held_at = c.now + 0.04
        played = c.ticks[-1].position
        await c.listen(300)
        assert np.max(c.levels(held_at)) == 0, "silent for five minutes"
        assert c.told("call-hold") == [{"type": "call-hold", "on": True}]
        await c.take(CallHoldFrame(False))
        await c.listen(0.1)
        assert 0 < c.ticks[-1].position - played <= 6 * 480
        await c.until_state("listening", timeout_secs=60)
        assert heard(c) == [LONG]
        assert len(c.told("reply-played")) == 1


async def test_on_hold_nobody_listens_and_a_question_before_it_is_answered_after_it(virtual, call: Calling):
    model = Model("Which day?")
    async with call(model) as c:
        c.say(clip("book_a_room"))
        await c.listen(len(clip("book_a_room")) / 16_000 + 0.1)
        await c.take(CallHoldFrame(True))
        c.say(clip("stop"))
        await c.listen(30)
        assert model.prompts == []
        assert c.told("reply-played") == []
        await c.take(CallHoldFrame(False))
        await c.until_state("speaking")
        await c.until_state("listening")
        assert heard(c) == ["Which day?"]
    assert len(model.prompts) == 1
    assert "stop" not in str(model.prompts).lower()


async def test_a_reply_that_comes_during_a_hold_is_heard_after_it(virtual, call: Calling):
    async with call(Model("Nine to five.", think_secs=2.0), ToneVoice()) as c:
        await c.type("When?")
        await c.listen(0.5)
        await c.take(CallHoldFrame(True))
        await c.listen(60)
        assert c.told("reply-played") == []
        await c.take(CallHoldFrame(False))
        released_at = c.now
        await c.until_state("listening")
        assert heard(c) == ["Nine to five."]
        assert np.argmax(c.levels(released_at) > 300) <= 10


async def test_a_text_takes_the_call_off_hold(virtual, call: Calling):
    async with call(Model("Nine to five."), ToneVoice()) as c:
        await c.take(CallHoldFrame(True))
        await c.listen(10)
        await c.type("When?")
        await c.until_state("speaking")
        await c.until_state("listening")
        assert heard(c) == ["Nine to five."]
        assert [told["on"] for told in c.told("call-hold")] == [True, False]


async def test_what_was_said_into_a_dead_line_is_said_again(virtual, call: Calling):
    async with call(Model(LONG), ToneVoice()) as c:
        await c.type("When?")
        await c.until_state("speaking")
        await c.listen(4.0)
        before = c.ticks[-1].position
        await c.take(CallHoldFrame(True, unheard_secs=1.5))
        await c.listen(20)
        await c.take(ClientReadyFrame())
        await c.take(CallHoldFrame(False))
        await c.listen(0.2)
        assert before - 36_000 <= c.ticks[-1].position < before - 24_000
        await c.until_state("listening", timeout_secs=60)
        assert heard(c) == [LONG], "history has every word once, and nobody was greeted again"


# --- greeting --------------------------------------------------------------------------------


async def test_a_long_greeting_comes_from_memory_at_once(virtual, call: Calling, monkeypatch):
    spoken_for: list[str] = []
    synthesise = local.synthesise
    monkeypatch.setattr(local, "synthesise", lambda text, speed: spoken_for.append(text) or synthesise(text, speed))
    async with call(greeting=LONG) as c:
        warmed_up = len(spoken_for)
        await c.until_state("speaking")
        await c.until_state("listening", timeout_secs=60)
        assert heard(c) == [LONG]
        assert len(spoken_for) == warmed_up, f"said for the first time: {spoken_for[warmed_up:]}"
