"""Tools on a call: interrupted, slow, silent, asked first, and with the last word."""

import asyncio
import gc
import weakref

import pytest

from contracts.llm import Finish, LanguageModelError, TextDelta, ToolCallDelta
from loadtest.in_process import calling
from processors.context.aggregators import CANCELLED
from processors.tools.base import Session, ToolContext
from processors.tools.declare import tool
from processors.tools.runner import NOT_TOLD
from services.services import Services
from settings import Settings
from tests.conversations.conftest import Calling, clip
from tests.conversations.test_reported_faults import ToneVoice, answered


class ToolModel:
    """Answers each prompt as ``respond(messages)`` says: a text, or calls ``(name, arguments)``.

    Attributes:
        prompts: The messages of each request.
    """

    name = "tools"

    def __init__(self, respond, think_secs=0.3):
        self.respond = respond
        self.think_secs = think_secs
        self.prompts = []

    async def warm(self, system_prompt, tools=()):
        pass

    async def stream(self, messages, tools=()):
        self.prompts.append(list(messages))
        await asyncio.sleep(self.think_secs)
        for part in self.respond(messages):
            if isinstance(part, Exception):
                raise part
            yield TextDelta(part) if isinstance(part, str) else ToolCallDelta("call_0", *part)
        yield Finish("stop")

    async def close(self):
        pass


def outputs(messages) -> dict[str, str]:
    return {message["tool_call_id"]: message["content"] for message in messages if message["role"] == "tool"}


def call_ids(messages) -> list[str]:
    return [call["id"] for message in messages for call in message.get("tool_calls", ())]


def spoken(c) -> list[str]:
    return [played["heard"].strip() for played in c.told("reply-played") if played["heard"]]


# --- a booking that is interrupted -----------------------------------------------------------


class Restaurant:
    """Takes two seconds to book a table."""

    def __init__(self):
        self.booked = []

        @tool(effect=True, confirm=False)
        async def book(people: int) -> str:
            """Book a table."""
            await asyncio.sleep(2.0)
            self.booked.append(people)
            return f"booked for {people}, number {len(self.booked)}"

        self.tool = book


def books(messages):
    """Calls for a table whenever the prompt does not show that there is one, or that one is coming."""
    known = [output.removesuffix(NOT_TOLD) for output in outputs(messages).values()]
    if not any(output.startswith(("booked", "still")) for output in known):
        return [("book", '{"people": 4}')]
    return [f"Your table is {known[-1]}."]


@pytest.mark.parametrize("cut_ms", [*range(400, 2_500, 20), *range(2_500, 5_100, 200)])
async def test_a_booking_is_made_once_whenever_it_is_interrupted(virtual, call: Calling, cut_ms):
    restaurant, model = Restaurant(), ToolModel(books)
    async with call(model, ToneVoice(), own_tools=[restaurant.tool]) as c:
        await c.type("a table for four")
        await c.listen(cut_ms / 1000)
        await c.type("make it six people")
        await c.listen(2.4)
        assert restaurant.booked == [4]
        await c.type("and what is my number?")
        await c.listen(1.0)
    prompt = model.prompts[-1]
    assert list(outputs(prompt)) == call_ids(prompt)
    assert [output.removesuffix(NOT_TOLD) for output in outputs(prompt).values()] == ["booked for 4, number 1"]
    after_cut = next(messages for messages in model.prompts if "six people" in str(messages))
    assert [output.removesuffix(NOT_TOLD) for output in outputs(after_cut).values()] == ["booked for 4, number 1"]
    said = [(message["role"], str(message.get("content"))) for message in after_cut]
    assert said.index(("user", "make it six people")) == len(said) - 1, "it is read in the light of what was done"


async def test_a_really_new_booking_is_made(virtual, call: Calling):
    restaurant = Restaurant()
    wishes = iter(['{"people": 4}', '{"people": 6}'])
    model = ToolModel(lambda messages: ["Done, then."] if messages[-1]["role"] == "tool" else [("book", next(wishes))])
    async with call(model, ToneVoice(), own_tools=[restaurant.tool]) as c:
        await c.type("a table for four")
        await answered(c, 2)
        await c.type("and one for six")
        await answered(c, 4)
    assert restaurant.booked == [4, 6]


async def test_a_caller_who_hangs_up_gets_the_table_all_the_same(virtual, call: Calling):
    restaurant = Restaurant()
    async with call(ToolModel(books), ToneVoice(), own_tools=[restaurant.tool]) as c:
        await c.type("a table for four")
        await c.listen(1.0)
        assert restaurant.booked == []
    assert restaurant.booked == [4]


# --- a tool that speaks for itself -----------------------------------------------------------


class Speaker:
    """Works for a while, says a line, and notes whether it was heard, and when it knew."""

    def __init__(self, secs=1.0):
        self.heard: list[tuple[float, bool]] = []

        @tool(effect=True, confirm=False)
        async def speak(context: ToolContext) -> str:
            """Say something."""
            await asyncio.sleep(secs)
            heard = await context.call.say("The line is open now for you.")
            self.heard.append((asyncio.get_running_loop().time(), heard))
            return f"heard: {heard}"

        self.tool = speak


def speaks(messages):
    """Calls the speaker once."""
    return ["All right."] if outputs(messages) else [("speak", "{}")]


@pytest.mark.parametrize("at_ms", range(1_700, 2_420, 20))
async def test_who_waits_for_a_line_to_be_heard_learns_that_it_was_cut(virtual, call: Calling, at_ms):
    before = asyncio.all_tasks()
    speaker, model = Speaker(), ToolModel(speaks, think_secs=1.0)
    async with call(model, ToneVoice(), own_tools=[speaker.tool]) as c:
        began = virtual.time()
        await c.type("go")
        await c.listen(at_ms / 1000)
        c.say(clip("stop"))
        await c.until_state("user_speaking")
        # Until the words are known the cut may be taken back, and the line be heard after all.
        await c.until_state("thinking")
        cut = virtual.time()
        await answered(c, len(c.told("reply-played")) + 1)
        assert spoken(c)[-1] == "All right."
    ((knew, heard),) = speaker.heard
    assert not heard
    # Cut before the line began, it is told when it would say it.
    assert knew <= max(cut + 0.1, began + 2.0 + 0.1)
    assert list(outputs(model.prompts[-1])) == call_ids(model.prompts[-1])
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_a_line_that_a_noise_disturbs_is_heard_whole(virtual, call: Calling):
    speaker, model = Speaker(secs=0.5), ToolModel(speaks)
    async with call(model, ToneVoice(), own_tools=[speaker.tool]) as c:
        began = virtual.time()
        await c.type("go")
        await c.until_state("speaking")
        await c.listen(0.3)
        c.say(clip("sneeze"))
        await c.until_state("listening")
        assert spoken(c) == ["The line is open now for you. All right."]
    ((knew, heard),) = speaker.heard
    assert heard
    assert knew - began > 0.3 + 0.5 + 7 * 0.3


# --- silence while tools run -----------------------------------------------------------------


def slow(secs: float, name: str = "look", **more):
    async def look(what: str = "it") -> str:
        """Look something up."""
        await asyncio.sleep(secs)
        return f"found {what}"

    look.__name__ = name
    return tool(**more)(look)


def looks(*before: str):
    """Says something, calls ``look``, tells what came of it."""

    def respond(messages):
        output = messages[-1]["content"] if messages[-1]["role"] == "tool" else CANCELLED
        return [*before, ("look", "{}")] if output == CANCELLED else [f"I have {output}."]

    return respond


async def test_a_slow_tool_is_covered_and_the_bot_goes_on_listening(virtual, call: Calling):
    async with call(ToolModel(looks()), ToneVoice(), own_tools=[slow(2.0)]) as c:
        start = c.now
        await c.type("go")
        await answered(c, 2)
        assert spoken(c) == ["One moment, please.", "I have found it."]
        first = next(index for index, tick in enumerate(c.ticks) if tick.content) * 0.02
        assert 0.3 + 0.7 <= first - start <= 0.3 + 0.7 + 0.15
        await c.type("go")
        await c.listen(1.2)
        await c.type("what else?")
        await answered(c, 5)
        assert spoken(c)[-1] == "I have found it."


async def test_a_quick_tool_is_not_covered(virtual, call: Calling):
    async with call(ToolModel(looks()), ToneVoice(), own_tools=[slow(0.6)]) as c:
        await c.type("go")
        await answered(c)
        assert spoken(c) == ["I have found it."]


async def test_words_before_a_tool_are_spoken_at_once_and_a_long_silence_after_them_is_covered(virtual, call: Calling):
    async with call(ToolModel(looks("Let me see.")), ToneVoice(), own_tools=[slow(9.0)]) as c:
        start = c.now
        await c.type("go")
        await c.until_state("speaking")
        assert c.now - start < 0.6
        await c.until_state("listening", timeout_secs=20)
        assert spoken(c) == ["Let me see. One moment, please. I have found it."]


async def test_a_tool_that_never_answers_is_told_of(virtual, call: Calling):
    async with call(ToolModel(looks()), ToneVoice(), own_tools=[slow(1_000.0, timeout_secs=5)]) as c:
        start = c.now
        await c.type("go")
        await c.until_state("speaking")
        await c.until_state("listening", timeout_secs=20)
        assert spoken(c)[0] == "One moment, please."
        assert spoken(c)[-1] == "I have timed out: no answer within 5 s."
        assert c.now - start < 10


async def test_a_reply_may_take_as_long_as_its_tools(virtual, call: Calling):
    async with call(ToolModel(looks()), ToneVoice(), own_tools=[slow(14.0, timeout_secs=20)]) as c:
        await c.type("go")
        await answered(c, 5)
        assert spoken(c)[0] == "One moment, please."
        assert spoken(c)[-1] == "I have found it."


async def test_several_tools_run_at_once(virtual, call: Calling):
    tools = [slow(1.0, "left"), slow(1.0, "right")]
    model = ToolModel(
        lambda messages: (
            [", ".join(outputs(messages).values()) + "."]
            if outputs(messages)
            else [("left", "{}"), ("right", '{"what": "b"}')]
        )
    )
    async with call(model, ToneVoice(), own_tools=tools) as c:
        start = c.now
        await c.type("go")
        await answered(c, 2)
        assert spoken(c)[-1] == "found it, found b."
        assert c.now - start < 0.3 + 1.0 + 0.3 + 4 * 0.3 + 0.9


async def test_a_tool_with_a_fault_gives_words_not_silence(virtual, call: Calling):
    @tool()
    async def look() -> str:
        """Look."""
        raise KeyError("boom")

    async with call(ToolModel(looks()), ToneVoice(), own_tools=[look]) as c:
        await c.type("go")
        await answered(c)
        assert spoken(c) == ["I have error: the tool failed (KeyError)."]


async def test_a_model_that_fails_after_a_tool_is_apologised_for(virtual, call: Calling):
    def respond(messages):
        return [LanguageModelError("boom", retryable=False)] if outputs(messages) else [("look", "{}")]

    async with call(ToolModel(respond), ToneVoice(), own_tools=[slow(0.1)]) as c:
        await c.type("go")
        await c.until_state("speaking")
        await c.until_state("listening")
        assert "can't answer" in spoken(c)[-1]


# --- the sample bank, with the scripted help line --------------------------------------------


async def test_a_balance_is_looked_up(virtual, call: Calling):
    async with call(voice=ToneVoice()) as c:
        await c.type("What is the balance of my savings account?")
        await answered(c)
        assert spoken(c) == ["The savings account holds 5300 dollars."]


async def test_an_appointment_is_asked_for_and_made_after_a_spoken_yes(virtual, call: Calling):
    async with call(voice=ToneVoice()) as c:
        await c.type("Book an appointment on Monday at ten about a loan")
        await answered(c)
        assert spoken(c) == ["Shall I book an appointment about your loan for monday at 10:00?"]
        c.say(clip("okay"))
        await answered(c, 2)
        assert spoken(c)[-1].startswith("The appointment is booked: Monday, ")
        await c.type("Book an appointment on Monday at ten about a loan")
        await answered(c, 3)
        assert spoken(c)[-1].startswith("That's done already.")


async def test_goodbye_is_heard_whole_before_the_line_closes(virtual, call: Calling):
    async with call(voice=ToneVoice()) as c:
        await c.type("goodbye")
        await answered(c)
        assert spoken(c) == ["Goodbye, and take care."]
        assert not c.closed.is_set()
        await c.listen(0.5)
        assert not c.closed.is_set()
        await c.listen(0.2)
        assert c.closed.is_set()


async def test_who_speaks_into_the_goodbye_stays_on_the_line(virtual, call: Calling):
    async with call(voice=ToneVoice()) as c:
        await c.type("goodbye")
        await c.until_state("speaking")
        await c.listen(0.4)
        await c.type("no, what is my balance?")
        await answered(c, 2)
        await c.listen(2.0)
        assert not c.closed.is_set()
        assert spoken(c)[-1] == "The checking account holds 1240 dollars."


# --- callers beside each other ---------------------------------------------------------------


class Notes:
    """What a caller told."""

    def __init__(self):
        self.names: list[str] = []


async def test_nothing_of_one_caller_reaches_another(virtual):
    kept: list[weakref.ref] = []

    @tool()
    async def remember(context: ToolContext, name: str) -> str:
        """Remember a name."""
        kept.append(weakref.ref(context.session))
        await asyncio.sleep(0.4)
        context.own(Notes).names.append(name)
        return "known: " + ", ".join(context.own(Notes).names)

    def respond(messages):
        if messages[-1]["role"] == "tool":
            return [messages[-1]["content"] + "."]
        return [("remember", f'{{"name": "{messages[-1]["content"]}"}}')]

    services = await Services.load(Settings(_env_file=None, llm="scripted", greeting="", bank_file=":memory:"))
    model = ToolModel(respond)
    services.language_model, services.voice, services.tools = model, ToneVoice(word_secs=0.1), [remember]

    async def caller(name: str) -> str:
        async with calling(services) as c:
            for number in range(4):
                await c.type(f"{name}-{number}")
                await answered(c, number + 1)
            return " ".join(spoken(c))

    names = [f"secret{letter}" for letter in "abcde"]
    heard = await asyncio.gather(*map(caller, names))
    for name, text in zip(names, heard, strict=True):
        assert f"{name}-0, {name}-1, {name}-2, {name}-3" in text
        for other in names:
            assert (other in text) == (other == name)
    for prompt in model.prompts:
        assert sum(name in str(prompt) for name in names) == 1
    await services.close()
    # And when the calls are over, nothing is kept of them.
    model.prompts.clear()
    gc.collect()
    assert len(kept) == 20
    assert [each() for each in kept] == [None] * 20
    sessions = [found for found in gc.get_objects() if isinstance(found, Session | Notes)]
    assert sessions == []
