"""What a caller does at a full bot: wait in the queue as the page does, and come in later."""

import asyncio

import pytest

from loadtest import virtual_time
from loadtest.acts import Conversation
from loadtest.caller import CallFailed, CallRefused
from loadtest.material import Material
from loadtest.phrases import is_still_to_come
from loadtest.recording import Message, Recording
from loadtest.scenario import Kind, Scenario

SCENARIO = Scenario.model_validate({"mix": {"silence": 1}, "think_secs": (1, 1), "silence_secs": 1})
NOTHING = Material("", (), (), (), (), ())


class FullBot:
    """Says no some times, and then takes the call but never says a word."""

    def __init__(self, refusals: int, status: int = 503) -> None:
        self.refusals = refusals
        self.status = status
        self.recording = Recording()
        self.bot_is_speaking = False

    async def connect(self) -> None:
        if self.refusals:
            self.refusals -= 1
            raise CallRefused(self.status, {"code": "at_capacity"}, 5.0)

    async def bot_speaks(self, *, timeout_secs: float) -> None:
        await asyncio.sleep(timeout_secs)
        raise CallFailed("silence")

    async def bot_is_silent(self, *, for_secs: float, timeout_secs: float) -> None:
        raise CallFailed("end of the test")

    async def hangup(self) -> None: ...


def talk(bot: FullBot) -> Conversation:
    conversation = Conversation(0, [Kind.SILENCE], SCENARIO, NOTHING, lambda: bot)  # pyright: ignore[reportArgumentType]
    virtual_time.run(conversation.run())
    return conversation


def test_a_caller_at_a_full_bot_waits_and_gets_in():
    conversation = talk(FullBot(3))
    (call,) = conversation.calls
    assert (call.refusals, round(call.waited_secs, 3)) == (3, 15.0)
    assert conversation.requests[0].refusal != "at_capacity"


def test_a_caller_who_gets_in_at_once_has_not_waited():
    (call,) = talk(FullBot(0)).calls
    assert (call.refusals, call.waited_secs) == (0, 0.0)


def test_a_caller_who_is_refused_for_another_reason_does_not_wait():
    conversation = talk(FullBot(1, status=403))
    assert not conversation.calls
    assert (conversation.requests[0].refusal, conversation.requests[0].told) == ("refused", True)


def told(*messages: tuple[str, str]) -> list[Message]:
    return [Message(float(at), kind, {"text": text}) for at, (kind, text) in enumerate(messages)]


@pytest.mark.parametrize(
    ("messages", "to_come"),
    [
        ([], False),
        ([("bot-tts-text", "We are open from nine to five.")], False),
        ([("bot-tts-text", "One moment, please.")], True),
        ([("bot-tts-text", "I'm getting many calls right now."), ("bot-tts-text", "It will take about")], True),
        ([("bot-tts-text", "One moment, please."), ("time-to-answer", "")], False),
        ([("bot-tts-text", "One moment, please."), ("error", "")], False),
        (
            [("bot-tts-text", "One moment, please."), ("bot-tts-text", "I'm sorry, I can't answer that right now.")],
            False,
        ),
    ],
)
def test_a_caller_who_is_told_to_wait_waits_for_the_answer(messages, to_come):
    assert is_still_to_come(told(*messages)) is to_come
