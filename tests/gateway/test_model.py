"""The gateway's driver: models that refuse, stall and break off, in the loop's own time."""

import asyncio
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from contracts.llm import (
    Allowance,
    Cause,
    Finish,
    InQueue,
    LanguageModelError,
    LimitsTold,
    Quota,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from emulators.faults import Kind, Vendor
from emulators.groq import make_app
from gateway.model import Endpoint, Gateway, GatewayParams
from gateway.policy import Choice, PolicyParams
from gateway.reply_cache import ReplyCache
from processors.llm.groq import GroqModel
from processors.tools.catalogue import find_tools
from tests.emulators.serving import serving

PROMPT = [{"role": "system", "content": "You are a help line."}, {"role": "user", "content": "When do you open?"}]
ANSWER = [TextDelta("We open "), TextDelta("at nine."), Finish("stop", Usage(20, 0, 4))]


class Scripted:
    """Plays one script for each request, the last one again and again: deltas, seconds to wait, errors."""

    def __init__(self, name, *scripts):
        self.name = name
        self.scripts = list(scripts)
        self.asked = []
        self.closed = 0
        self.warmed = 0
        self.error = None

    async def warm(self, system_prompt, tools=()):
        self.warmed += 1
        if self.error is not None:
            raise self.error

    async def stream(self, messages, tools=()):
        self.asked.append(list(messages))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        try:
            for step in script:
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed += 1

    async def close(self):
        pass


def gateway(*models, limits=None, cache=None, last_resort=None, policy=None):
    endpoints = [Endpoint(Choice(model.name, limits or {}), model) for model in models]
    params = GatewayParams(policy=policy or PolicyParams())
    return Gateway(endpoints, params, cache=cache, last_resort=last_resort)


async def ask(asked, call="anna", prompt=PROMPT):
    return [delta async for delta in asked.for_call(call).stream(prompt)]


def text(deltas):
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def busy(after=None):
    return LanguageModelError("slow down", retryable=True, retry_after_secs=after, cause=Cause.BUSY)


def fault():
    return LanguageModelError("broken", retryable=True)


async def test_an_answer_passes_as_it_is():
    first = Scripted("a", [LimitsTold(()), *ANSWER])
    gate = gateway(first, Scripted("b", ANSWER))
    assert await ask(gate) == ANSWER
    assert gate.snapshot()["models"]["a"]["sent"] == 1
    assert gate.name == "a"


@pytest.mark.parametrize("trouble", [busy(), busy(3600), fault()])
async def test_the_next_model_answers_at_once(trouble, virtual):
    gate = gateway(Scripted("a", [trouble]), Scripted("b", ANSWER))
    began = asyncio.get_running_loop().time()
    assert text(await ask(gate)) == "We open at nine."
    assert asyncio.get_running_loop().time() - began < 0.1


@pytest.mark.parametrize("script", [[10.0, *ANSWER], [LimitsTold(()), 10.0, *ANSWER]])
async def test_a_model_that_does_not_begin_is_left_for_the_next(script, virtual):
    first = Scripted("a", script)
    gate = gateway(first, Scripted("b", ANSWER))
    began = asyncio.get_running_loop().time()
    assert text(await ask(gate)) == "We open at nine."
    assert asyncio.get_running_loop().time() - began == pytest.approx(2.5, abs=0.05)
    assert first.closed == 1, "its stream is closed: never two voices"


@pytest.mark.parametrize("end", [[], [fault()], [5.0, Finish("stop")]])
@pytest.mark.parametrize(
    "second",
    [[TextDelta("at nine."), Finish("stop")], ANSWER, [TextDelta("We "), TextDelta("open at nine."), Finish("stop")]],
)
async def test_an_answer_that_breaks_off_is_gone_on_with_once(end, second, virtual):
    other = Scripted("b", second)
    gate = gateway(Scripted("a", [TextDelta("We open "), *end]), other)
    deltas = await ask(gate)
    assert text(deltas) == "We open at nine."
    assert [delta for delta in deltas if isinstance(delta, Finish)] == [deltas[-1]]
    assert other.asked[0][-2] == {"role": "assistant", "content": "We open "}


async def test_what_has_been_called_is_not_called_again(virtual):
    call = ToolCallDelta("1", "book", "{}")
    other = Scripted("b", ANSWER)
    gate = gateway(Scripted("a", [call, fault()]), other)
    with pytest.raises(LanguageModelError, match="broken"):
        await ask(gate)
    assert other.asked == []


async def test_a_wait_is_told_and_kept(virtual):
    gate = gateway(Scripted("a", ANSWER), limits={Quota.REQUESTS_PER_MINUTE: 6.0})
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(6):
        await ask(gate, "before")
    deltas = await ask(gate)
    assert isinstance(deltas[0], InQueue)
    assert deltas[0].wait_secs == pytest.approx(10, abs=0.2)
    assert deltas[1:] == ANSWER
    assert loop.time() - began == pytest.approx(10, abs=0.2)


async def test_too_long_a_wait_is_refused_with_the_cause(virtual):
    gate = gateway(Scripted("a", ANSWER), limits={Quota.TOKENS_PER_DAY: 200.0})
    assert text(await ask(gate)) == "We open at nine."
    answers = await asyncio.gather(*(ask(gate, str(number)) for number in range(8)), return_exceptions=True)
    (error, *_) = [answer for answer in answers if isinstance(answer, LanguageModelError)]
    assert "day's budget" in str(error)
    assert error.cause is Cause.QUOTA
    assert gate.snapshot()["queue"]["length"] == 0
    assert gate.snapshot()["queue"]["refused"] > 0


async def test_the_last_resort_answers_when_nobody_else_can(virtual):
    local = Scripted("local", ANSWER)
    refused = LanguageModelError("no", retryable=False, cause=Cause.KEY)
    gate = gateway(Scripted("a", [refused]), last_resort=local)
    assert await ask(gate) == ANSWER
    assert await ask(gate) == ANSWER
    assert (local.warmed, len(local.asked)) == (1, 2)


async def test_who_leaves_gives_the_place_back(virtual):
    slow = Scripted("a", [1.0, *ANSWER])
    gate = gateway(slow, limits={Quota.REQUESTS_PER_MINUTE: 1.0})
    first = asyncio.create_task(ask(gate, "anna"))
    second = asyncio.create_task(ask(gate, "ben"))
    await asyncio.sleep(0.5)
    assert gate.snapshot()["queue"]["length"] + gate.snapshot()["models"]["a"]["in_flight"] >= 1
    for task in (first, second):
        task.cancel()
    await asyncio.wait([first, second])
    assert gate.snapshot()["queue"]["length"] == 0
    assert gate.snapshot()["models"]["a"]["in_flight"] == 0
    assert slow.closed == len(slow.asked)


async def test_an_interrupted_answer_is_closed_and_paid_for(virtual):
    first = Scripted("a", [TextDelta("We open "), 1.0, *ANSWER])
    gate = gateway(first, limits={Quota.TOKENS_PER_MINUTE: 1000.0})
    async with aclosing(gate.for_call("anna").stream(PROMPT)) as stream:
        assert await anext(stream) == TextDelta("We open ")
    about = gate.snapshot()["models"]["a"]
    assert (first.closed, about["in_flight"]) == (1, 0)
    assert 0 < 1000 - about["budgets"]["tokens_per_minute"]["left"] < 60


async def test_the_same_question_is_answered_from_memory():
    first = Scripted("a", ANSWER)
    gate = gateway(first, cache=ReplyCache(600))
    await ask(gate)
    assert text(await ask(gate, "ben")) == "We open at nine."
    assert len(first.asked) == 1
    assert gate.snapshot()["cache"]["hits"] == 1


async def test_an_answer_with_a_tool_or_cut_short_is_not_remembered():
    for script in ([ToolCallDelta("1", "balance", "{}"), Finish("tool_calls")], [TextDelta("We"), Finish("length")]):
        first = Scripted("a", script)
        gate = gateway(first, cache=ReplyCache(600))
        await ask(gate)
        await ask(gate)
        assert len(first.asked) == 2


async def test_warming_takes_the_first_model_that_answers():
    first, second = Scripted("a", ANSWER), Scripted("b", ANSWER)
    first.error = LanguageModelError("gone", retryable=False, cause=Cause.GONE)
    gate = gateway(first, second)
    await gate.warm("Be brief.")
    assert gate.name == "b"
    second.error = fault()
    with pytest.raises(LanguageModelError, match="gone"):
        await gate.warm("Be brief.")


# --- against the emulator, through the vendor's SDK


async def at_the_emulator(*faults, names=("openai/gpt-oss-120b", "openai/gpt-oss-20b"), **profile):
    async with serving(make_app, *[{"vendor": Vendor.GROQ, **fault} for fault in faults], **profile) as (world, host):
        models = [GroqModel(SecretStr("gsk_secret"), name, base_url=f"http://{host}") for name in names]
        gate = Gateway([Endpoint(Choice(name), model) for name, model in zip(names, models, strict=True)])
        try:
            yield gate, world
        finally:
            await gate.close()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": Kind.STATUS, "status": 503},
        {"kind": Kind.STATUS, "status": 429, "retry_after": "3600"},
        {"kind": Kind.QUOTA_GONE},
        {"kind": Kind.RESET},
        {"kind": Kind.DROP, "after_chunks": 5},
        {"kind": Kind.MALFORMED_JSON, "after_chunks": 5},
        {"kind": Kind.NO_END},
        {"kind": Kind.ERROR_EVENT, "after_chunks": 5},
    ],
    ids=lambda fault: fault["kind"].value,
)
async def test_one_whole_answer_whatever_the_first_model_does(fault):
    fault = {**fault, "requests": [1]}
    async for gate, world in at_the_emulator(fault):
        said = text(await ask(gate))
        assert said.startswith("Our branches are open")
        assert said.count("Our branches are open") == 1
        assert said.rstrip().endswith(".")
        assert len(world.log.entries()) == 2
        assert world.log.entries()[1].detail["model"] == "openai/gpt-oss-20b"


async def test_a_model_that_is_served_no_more_is_left_once():
    async for gate, world in at_the_emulator(names=("llama-3.3-70b-versatile", "openai/gpt-oss-20b")):
        for _ in range(3):
            assert text(await ask(gate)).startswith("Our branches are open")
        assert [entry.status for entry in world.log.entries()] == [400, 200, 200, 200]
        assert gate.name == "groq openai/gpt-oss-20b"


async def test_the_vendors_limits_are_learned_and_kept():
    limits = {"openai/gpt-oss-120b": {"rpm": 3, "rpd": 100, "tpm": 8000, "tpd": 100_000}}
    async for gate, world in at_the_emulator(names=("openai/gpt-oss-120b",), groq_models=limits):
        for _ in range(3):
            await ask(gate)
        stream = gate.for_call("ben").stream(PROMPT)
        line = await anext(stream)
        assert isinstance(line, InQueue)
        assert line.wait_secs == pytest.approx(20, abs=2)
        budgets = gate.snapshot()["models"]["openai/gpt-oss-120b"]["budgets"]
        assert budgets["requests_per_minute"]["limit"] == 3
        assert budgets["requests_per_day"]["left"] <= 97
        await stream.aclose()
        assert [entry.status for entry in world.log.entries()] == [200, 200, 200, 429]


async def test_equal_questions_in_flight_are_asked_once():
    model = Scripted("a", [0.05, TextDelta("We open "), 0.05, TextDelta("at nine."), Finish("stop", Usage(20, 0, 4))])
    gate = gateway(model, cache=ReplyCache(600))
    answers = await asyncio.gather(*(ask(gate, f"caller {number}") for number in range(5)))
    assert {text(each) for each in answers} == {"We open at nine."}
    assert len(model.asked) == 1
    usages = [delta.usage for each in answers for delta in each if isinstance(delta, Finish)]
    assert sum(usage is not None for usage in usages) == 1, "it cost once"
    assert gate.snapshot()["cache"]["joined"] == 4


async def test_who_asked_first_may_leave_without_the_others_losing_a_word():
    model = Scripted("a", [TextDelta("We open "), 0.1, TextDelta("at nine."), Finish("stop")])
    gate = gateway(model, cache=ReplyCache(600))
    first = gate.for_call("anna").stream(PROMPT)
    assert isinstance(await anext(first), TextDelta)
    second = asyncio.create_task(ask(gate, "ben"))
    await asyncio.sleep(0.02)
    await first.aclose()
    assert text(await second) == "We open at nine."
    assert (len(model.asked), model.closed) == (1, 1)


async def test_what_nobody_wants_any_more_ends():
    model = Scripted("a", [TextDelta("We open "), 60, Finish("stop")])
    gate = gateway(model, cache=ReplyCache(600))
    streams = [gate.for_call(name).stream(PROMPT) for name in ("anna", "ben")]
    for stream in streams:
        await anext(stream)
    for stream in streams:
        await stream.aclose()
    await asyncio.sleep(0.02)
    assert (len(model.asked), model.closed) == (1, 1)
    assert gate.snapshot()["queue"]["length"] == 0
    assert gate.snapshot()["models"]["a"]["in_flight"] == 0


async def test_a_failure_of_a_shared_answer_is_told_to_all_who_asked():
    model = Scripted("a", [0.02, LanguageModelError("no", retryable=False, cause=Cause.REQUEST)])
    gate = gateway(model, cache=ReplyCache(600))
    failed = await asyncio.gather(*(ask(gate, str(number)) for number in range(3)), return_exceptions=True)
    assert [type(each) for each in failed] == [LanguageModelError] * 3
    assert len(model.asked) == 1


# --- answers that are worth nothing ------------------------------------------------------


@pytest.mark.parametrize(
    "nothing",
    [[Finish("stop")], [TextDelta(" \n"), Finish("length")], [TextDelta("…"), Finish("stop")]]
    + [[TextDelta("<think>Hm, what"), Finish("stop")]],
)
async def test_after_an_answer_that_says_nothing_another_model_comes_first_for_once(virtual, nothing):
    first, second = Scripted("first", nothing, ANSWER), Scripted("second", ANSWER)
    asked = gateway(first, second)
    assert (await ask(asked))[-1] == nothing[-1]
    assert text(await ask(asked, "bert")) == "We open at nine."
    assert (len(first.asked), len(second.asked)) == (2, 0)
    assert text(await ask(asked)) == "We open at nine."
    assert (len(first.asked), len(second.asked)) == (2, 1)
    assert text(await ask(asked)) == "We open at nine."
    assert (len(first.asked), len(second.asked)) == (3, 1)


async def test_the_only_model_is_asked_again_and_what_said_nothing_is_not_remembered(virtual):
    only = Scripted("only", [TextDelta("…"), Finish("stop")], ANSWER)
    asked = gateway(only, cache=ReplyCache(600))
    assert text(await ask(asked)) == "…"
    assert text(await ask(asked)) == "We open at nine."


# --- overflow


class Local(Scripted):
    """A model on this machine."""

    async def warm(self, system_prompt, tools=()):
        self.warmed += 1


def short_of_budget(local, *, overflows=True):
    """A vendor whose budget is used up by one request, and the model on this machine."""
    vendor = Scripted("vendor", ANSWER)
    limits = {Quota.REQUESTS_PER_MINUTE: 1.0}
    params = GatewayParams(policy=PolicyParams(max_wait_secs=120))
    gate = Gateway([Endpoint(Choice("vendor", limits), vendor)], params, last_resort=local, overflows=overflows)
    return gate, vendor


async def test_when_the_budgets_are_short_the_local_model_answers_and_says_how_long_others_wait():
    local = Local("local", [TextDelta("Nine "), 0.05, TextDelta("to five."), Finish("stop")])
    gate, vendor = short_of_budget(local)
    await gate.warm("You are a help line.")
    await asyncio.sleep(0)
    assert text(await ask(gate)) == "We open at nine."
    answers = await asyncio.gather(*(ask(gate, f"caller {number}") for number in range(3)))
    assert [text(each) for each in answers] == ["Nine to five."] * 3
    told = [[delta.wait_secs for delta in each if isinstance(delta, InQueue)] for each in answers]
    assert [len(each) for each in told] == [0, 1, 1]
    assert told[1][0] < told[2][0], "who stands further back is told a longer wait"
    assert (len(vendor.asked), len(local.asked)) == (1, 3)
    assert gate.snapshot()["overflow"]["answered"] == 3
    await gate.close()


async def test_its_queue_is_short_and_the_others_wait_for_the_vendor():
    local = Local("local", [TextDelta("Nine."), 0.3, Finish("stop")])
    gate, _ = short_of_budget(local)
    await gate.warm("You are a help line.")
    await asyncio.sleep(0)
    await ask(gate)
    asking = [asyncio.create_task(ask(gate, f"caller {number}")) for number in range(3)]
    await asyncio.sleep(0.05)
    late = gate.for_call("late").stream(PROMPT)
    wait = await anext(late)
    assert isinstance(wait, InQueue)
    assert wait.wait_secs > 50, "that is the vendor's"
    assert gate.snapshot()["overflow"]["full"] == 1
    await late.aclose()
    assert [text(each) for each in await asyncio.gather(*asking)] == ["Nine."] * 3
    await gate.close()


async def test_a_setting_turns_it_off():
    local = Local("local", [TextDelta("Nine."), Finish("stop")])
    gate, _ = short_of_budget(local, overflows=False)
    await gate.warm("You are a help line.")
    await ask(gate)
    stream = gate.for_call("ben").stream(PROMPT)
    assert isinstance(await anext(stream), InQueue)
    await stream.aclose()
    assert (local.warmed, len(local.asked)) == (0, 0)
    await gate.close()


async def test_a_local_model_that_cannot_be_loaded_takes_nobody():
    class Broken(Local):
        async def warm(self, system_prompt, tools=()):
            raise LanguageModelError("no weights", retryable=False)

    gate, _ = short_of_budget(Broken("local", [Finish("stop")]))
    await gate.warm("You are a help line.")
    await asyncio.sleep(0)
    await ask(gate)
    stream = gate.for_call("ben").stream(PROMPT)
    assert isinstance(await anext(stream), InQueue)
    await stream.aclose()
    await gate.close()


# --- every request's tokens count


async def spent(*models, ask_for=None):
    """What a call is told that requests have cost, beside what their ends tell."""
    gate, told = gateway(*models), []
    stream = gate.for_call("anna", told.append).stream(PROMPT)
    deltas = []
    async with aclosing(stream) as answers:
        async for delta in answers:
            deltas.append(delta)
            if len(deltas) == ask_for:
                break
    return told, [delta.usage for delta in deltas if isinstance(delta, Finish)]


async def test_a_request_that_ends_tells_its_cost_once():
    told, ends = await spent(Scripted("a", ANSWER))
    assert (told, ends) == ([], [Usage(20, 0, 4)])


async def test_a_request_that_is_given_up_counts_by_its_length():
    told, ends = await spent(Scripted("a", [TextDelta("We open at nine."), 60, Finish("stop")]), ask_for=1)
    assert ends == []
    (usage,) = told
    assert usage.prompt_tokens > 20
    assert usage.completion_tokens == 4


async def test_a_request_that_breaks_off_counts_and_so_does_the_one_that_goes_on():
    broken = [TextDelta("We open at "), LanguageModelError("gone", retryable=True)]
    told, ends = await spent(Scripted("a", broken), Scripted("b", ANSWER))
    assert len(told) == 1
    assert ends == [Usage(20, 0, 4)]


async def test_a_request_that_was_refused_costs_nothing():
    told, ends = await spent(Scripted("a", [busy(2.0)]), Scripted("b", ANSWER))
    assert (told, ends) == ([], [Usage(20, 0, 4)])


async def test_an_end_without_usage_counts_by_its_length():
    told, _ = await spent(Scripted("a", [TextDelta("At nine."), Finish("stop")]))
    assert [usage.completion_tokens for usage in told] == [2]


class Told(Scripted):
    """Keeps the tools that it is told of."""

    def __init__(self, name, *scripts):
        super().__init__(name, *scripts)
        self.tools = []

    async def stream(self, messages, tools=()):
        self.tools.append([tool.name for tool in tools])
        async for delta in super().stream(messages, tools):
            yield delta


async def test_only_tools_that_can_be_meant_are_described():
    tools = [tool.spec_in("en") for tool in find_tools().values()]
    first, second = Told("a", [LanguageModelError("no", retryable=True)], ANSWER), Told("b", ANSWER)
    gate = gateway(first, second)
    deltas = [delta async for delta in gate.for_call("anna").stream(PROMPT, tools)]
    assert text(deltas) == "We open at nine."
    assert first.tools == second.tools == [["current_time", "search_knowledge"]]


async def test_all_tools_are_described_where_what_is_cached_is_free_and_the_budget_is_short():
    tools = [tool.spec_in("en") for tool in find_tools().values()]
    model = Told("a", ANSWER)
    limits = {Quota.TOKENS_PER_DAY: 100_000.0}
    gate = Gateway([Endpoint(Choice("a", limits, cached_is_free=True), model)], GatewayParams())
    gate._policy.learned("a", [Allowance(Quota.TOKENS_PER_DAY, 100_000.0, 20_000.0)], asyncio.get_running_loop().time())
    assert text([delta async for delta in gate.for_call("anna").stream(PROMPT, tools)]) == "We open at nine."
    assert model.tools == [[tool.name for tool in tools]]
