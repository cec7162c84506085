"""A PIN on the keypad, in a whole call: it opens what it should, and its digits are nowhere."""

import re

from loguru import logger

from contracts.frames import UserTextFrame
from processors.tools.proof import ASK, RIGHT
from tests.conversations.conftest import Calling
from tests.conversations.test_reported_faults import ToneVoice
from tests.conversations.test_tools import ToolModel

PIN, WRONG_PIN = "4711", "8352"


def respond(messages):
    last = messages[-1]
    if last["role"] == "tool":
        return ["Please type your PIN."] if last["content"] == ASK else [f"I see: {last['content']}"]
    return [("check_balance", "{}")]


async def test_the_pin_opens_the_account_and_is_nowhere(call: Calling, virtual):
    model, lines = ToolModel(respond), []
    sink = logger.add(lines.append, level="TRACE")
    async with call(model, ToneVoice(), tools="check_balance", tools_with_pin="check_balance", transcripts="full") as c:
        await c.type("What is my balance?")
        await c.listen(4.0)
        for pin in (WRONG_PIN, PIN):
            for key in pin + "#":
                await c.take(UserTextFrame(key, source="key"))
                await c.listen(0.2)
            await c.listen(6.0)
        said = " ".join(played["heard"] for played in c.told("reply-played"))
    logger.remove(sink)
    assert "1240 dollars" in said
    prompts = repr(model.prompts)
    assert RIGHT in prompts
    assert "Tries left: 2" in prompts
    seen = prompts + repr(c.messages) + "".join(lines)
    for pin in (PIN, WRONG_PIN):
        assert not re.search(r"(?<!\d)" + pin + r"(?!\d)", seen)
    for key in "4711":
        assert not any(m[0]["role"] == "user" and m[0]["content"].strip() == key for m in model.prompts)


async def test_keys_are_keys_while_no_pin_is_asked_for(call: Calling, virtual):
    model = ToolModel(lambda messages: ["You have pressed " + messages[-1]["content"]])
    async with call(model, ToneVoice(), tools="check_balance", tools_with_pin="check_balance") as c:
        await c.take(UserTextFrame("1", source="key"))
        await c.take(UserTextFrame("#", source="key"))
        await c.listen(5.0)
        assert "1" in c.told("reply-played")[-1]["heard"]
