"""Prompts keep within their size: pairs stay pairs, the last turn stays whole, and what the caller told is known."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipecat.processors.aggregators.llm_context import LLMContext

from contracts.frames import ReplyEndFrame
from contracts.llm import Cause, Finish, LanguageModelError
from gateway.model import Endpoint, Gateway
from gateway.policy import Choice
from processors.context.aggregators import Conversation, ReplyContextFrame
from processors.context.prompt_size import HEAD, Earlier, fit, has_fact, shorter, tokens
from processors.llm.chat_completions import is_too_long
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.llm.processor import LLMProcessor
from processors.llm.recap import Recap
from tests.processors.chain import running
from tests.processors.models import STOP, ScriptModel

SYSTEM = {"role": "system", "content": "Be brief."}


def turn(n, *, look_up=0, words="What about it?"):
    """A user's turn with a look-up of so many characters, and a reply."""
    messages = [{"role": "user", "content": f"{words} {n}"}]
    if look_up:
        call = {"id": f"call_{n}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{n}", "content": "x" * look_up},
        ]
    return [*messages, {"role": "assistant", "content": f"Answer {n}."}]


def is_valid(messages):
    """Each call has its result behind it, and each result its call."""
    open_calls = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] in open_calls
            open_calls.remove(message["tool_call_id"])
        else:
            assert open_calls == []
        open_calls += [call["id"] for call in message.get("tool_calls") or ()]
    assert open_calls == []
    return True


def test_old_results_are_shortened_first_and_the_last_turn_stays():
    messages = [SYSTEM, *turn(1, look_up=1_900), *turn(2, look_up=1_900), *turn(3, look_up=1_900)]
    kept, dropped = fit(messages, 800)
    assert dropped == []
    assert [len(each["content"]) < 200 for each in kept if each["role"] == "tool"] == [True, True, False]
    assert messages[3]["content"] == "x" * 1_900, "the prompt that was given is as it was"


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.text("ab 1", max_size=200)), min_size=1, max_size=12),
    st.integers(100, 3_000),
)
def test_any_prompt_fits_or_is_as_short_as_it_gets(turns, limit):
    messages = [SYSTEM]
    for n, (look_up, words) in enumerate(turns):
        messages += turn(n, look_up=look_up, words=words)
    kept, dropped = fit(messages, limit)
    assert is_valid(kept)
    assert kept[0] == SYSTEM
    last = [each["content"] for each in messages if each["role"] == "user"][-1]
    assert [each["content"] for each in kept if each["role"] == "user"][-1] == last
    assert tokens(kept) <= max(limit, tokens(messages[-4:]) + 60, 400)
    users = [each["content"] for each in messages if each["role"] == "user"]
    assert dropped == users[: len(dropped)], "they leave from the front, and none is lost"
    assert tokens(messages) > limit or kept == messages


def test_one_result_of_200_kilobytes_does_not_burst_the_prompt():
    kept, _ = fit([SYSTEM, *turn(1), *turn(2, look_up=200_000)[:-1]], 2_000)
    assert tokens(kept) <= 2_000
    assert is_valid(kept)


def test_sixty_turns_with_a_lookup_each_stay_small_and_facts_told_early_are_known():
    conversation = Conversation("Be brief.", max_tokens=2_000, earlier_chars=2_400)
    conversation.user_turn(0, "Hello, my name is Jane Canary and my customer number is 4711.")
    for n in range(1, 61):
        conversation.user_turn(n, f"And how about thing {'abc'[n % 3]}, please?")
        conversation.tool_call(n, f"call_{n}", "look", "{}")
        conversation.tool_result(f"call_{n}", "y" * 1_900)
        assert tokens(conversation.messages()) <= 2_700
        assert "4711" in json.dumps(conversation.messages())
        conversation.reply(n, n, f"This is what I know of it: {n}.", cut=False)
    assert is_valid(conversation.messages())
    assert HEAD in conversation.messages()[0]["content"]


@given(
    st.lists(st.sampled_from(["and then?", "my pin is 0042", "I live in Bonn", "ok"]), max_size=400),
    st.integers(60, 900),
)
def test_what_is_kept_of_earlier_turns_is_bounded_and_facts_go_last(texts, limit):
    earlier = Earlier(limit)
    for text in texts:
        earlier.add(text)
    assert sum(map(len, earlier.lines)) <= max(limit, 20)
    facts = [text for text in texts if has_fact(text)]
    kept = [text for text in earlier.lines if has_fact(text)]
    assert kept == facts[len(facts) - len(kept) :]


def test_a_summary_that_loses_a_figure_does_not_lose_it():
    earlier = Earlier(2_400)
    for text in ("my number is 4711", "and I like tea", "on the 3rd at 10"):
        earlier.add(text)
    shown = earlier.lines
    earlier.add("one more thing")
    earlier.summed_up("The caller likes tea and has number 4711.", shown)
    assert "number 4711" in earlier.text
    assert earlier.lines == ["on the 3rd at 10", "one more thing"]


async def test_turns_are_summed_up_in_quiet_time_and_who_waits_comes_first(virtual):
    earlier = Earlier(2_400)
    for n in range(30):
        earlier.add(f"tell me about the savings account number {n}, please")
    model = ScriptModel(["Anna asked about accounts " + ", ".join(map(str, range(30))), 0.5, ".", STOP])
    recap = Recap(model, earlier, PreemptiveBudget(lambda: 1.0, 0.5))
    recap.begin()
    recap.begin()
    await asyncio.sleep(1)
    assert len(model.prompts) == 1
    assert earlier.lines == []
    assert "Anna asked" in earlier.text
    poor = Recap(model, earlier, PreemptiveBudget(lambda: 0.1, 0.5))
    poor.begin()
    assert len(model.prompts) == 1


@pytest.mark.parametrize("refusals", [1, 2])
async def test_a_prompt_that_is_too_long_is_asked_again_at_once_with_less(virtual, refusals):
    too_long = [LanguageModelError("HTTP 413: the prompt is too long", retryable=False, cause=Cause.SIZE)]
    model = ScriptModel(*[too_long] * refusals, ["Here.", STOP])
    messages = [SYSTEM, *turn(1, look_up=4_000), *turn(2, look_up=4_000), {"role": "user", "content": "And?"}]
    async with running(LLMProcessor(model)) as chain:
        began = virtual.time()
        await chain.push(ReplyContextFrame(LLMContext(messages), reply_id=1, turn_id=1))
        end = await chain.until(ReplyEndFrame)
        assert end.error is None
        assert virtual.time() - began < 0.1
    sizes = [tokens(prompt) for prompt in model.prompts]
    assert all(later < 0.7 * sooner for sooner, later in zip(sizes, sizes[1:], strict=False))
    assert all(is_valid(prompt) for prompt in model.prompts)


async def test_a_prompt_that_stays_too_long_ends_in_an_apology(virtual):
    model = ScriptModel(respond=lambda _: [LanguageModelError("too long", retryable=False, cause=Cause.SIZE)])
    async with running(LLMProcessor(model)) as chain:
        await chain.push(ReplyContextFrame(LLMContext([SYSTEM, {"role": "user", "content": "Hi"}]), reply_id=1))
        assert (await chain.until(ReplyEndFrame)).error == "too long"
    assert len(model.prompts) <= 4
    assert len(model.prompts) == 1, "nothing could be left out, and the same prompt is not asked again"


async def test_one_model_finds_it_too_long_and_another_takes_it(virtual):
    class Small(ScriptModel):
        name = "small"

    small = Small(respond=lambda _: [LanguageModelError("too long", retryable=False, cause=Cause.SIZE)])
    large = ScriptModel(respond=lambda _: ["Here.", STOP])
    gateway = Gateway([Endpoint(Choice("small", {}), small), Endpoint(Choice("large", {}), large)])
    for _ in range(3):
        deltas = [delta async for delta in gateway.for_call("anna").stream([SYSTEM, {"role": "user", "content": "Hi"}])]
        assert isinstance(deltas[-1], Finish)
    assert gateway.snapshot()["models"]["small"]["circuit"] == "closed"


@pytest.mark.parametrize(
    ("status", "said", "right"),
    [
        (413, "Request too large for model", True),
        (400, "context_length_exceeded", True),
        (400, "This model's maximum context length is 8192 tokens.", True),
        (400, "Please reduce the length of the messages or completion.", True),
        (400, "the request exceeds the available context size", True),
        (400, "tools.0.name is missing", False),
        (429, "too many tokens", False),
        (500, "context window", False),
    ],
)
def test_how_servers_say_that_it_is_too_long(status, said, right):
    assert is_too_long(status, said) is right


def test_shorter_is_shorter_and_keeps_the_callers_words():
    talk = [{"role": "user", "content": "And what about it?"}, {"role": "assistant", "content": "It is so."}]
    messages = [SYSTEM, *turn(1, words="my number is 4711"), *(dict(each) for each in talk * 40), *turn(40)[:1]]
    less = shorter(messages, 0.5)
    assert tokens(less) < 0.7 * tokens(messages)
    assert "4711" in less[0]["content"]
