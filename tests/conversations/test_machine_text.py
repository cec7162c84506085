"""Machine text on a call: none of it is heard, nor stands in history."""

from processors.tools.declare import tool
from tests.conversations.conftest import Calling
from tests.conversations.test_reported_faults import ToneVoice, answered
from tests.conversations.test_tools import ToolModel, spoken


@tool()
async def look_up() -> str:
    """Look something up."""
    return "nothing"


THOUGHT = "Opening hours are what is wanted here. It is nine, as I know. So I say nine. "


async def test_of_a_thought_that_nothing_opened_only_what_had_begun_is_heard(virtual, call: Calling):
    """What looks like words until its end comes is dropped then, as far as it has not begun to sound."""
    model = ToolModel(lambda _: [*(f"{word} " for word in THOUGHT.split()), "</think>", "At nine."])
    async with call(model, ToneVoice()) as c:
        await c.type("When do you open?")
        await answered(c)
        await c.type("Thanks.")
        await answered(c, 2)
    assert spoken(c)[0].endswith("At nine.")
    assert "So I say" not in spoken(c)[0]
    assert "</think>" not in str(model.prompts)


async def test_a_thought_that_speaks_of_the_caller_is_not_heard_at_all(virtual, call: Calling):
    thought = ["Okay, ", "the ", "user ", "asks when we open. ", "It is nine. ", "</think>", "At nine."]
    async with call(ToolModel(lambda _: thought), ToneVoice()) as c:
        await c.type("When do you open?")
        await answered(c)
    assert spoken(c) == ["At nine."]


async def test_a_tool_that_there_is_not_is_called_in_words_and_the_model_is_told(virtual, call: Calling):
    def respond(messages):
        told = [str(message["content"]) for message in messages if message["role"] == "tool"]
        return ["That I cannot do."] if told else ["One moment. ", "reserve", "_table", "(people=", "4)"]

    model = ToolModel(respond)
    async with call(model, ToneVoice(), own_tools=[look_up]) as c:
        await c.type("A table for four")
        await answered(c)
    assert "reserve" not in " ".join(spoken(c))
    assert "That I cannot do." in spoken(c)[-1]


async def test_without_tools_it_is_asked_again_and_does_not_say_the_same_again(virtual, call: Calling):
    def respond(messages):
        heard = [str(message["content"]) for message in messages if "Do not say that again" in str(message["content"])]
        return ["That I cannot do."] if heard and "One moment." in heard[0] else ["One moment. ", "reserve(n=4)"]

    async with call(ToolModel(respond), ToneVoice(), own_tools=[]) as c:
        await c.type("A table for four")
        await answered(c)
    assert spoken(c)[0] == "One moment. That I cannot do."
