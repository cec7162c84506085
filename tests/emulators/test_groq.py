"""Groq's own SDK against the emulator: replies, limits, retired models, broken streams."""

import contextlib

import pytest
from pydantic import SecretStr

from contracts.llm import Cause, Finish, LanguageModelError, LimitsTold, Quota, TextDelta
from emulators.faults import FaultRule, Kind, Vendor
from emulators.groq import make_app
from processors.llm.groq import GroqModel
from tests.emulators.serving import serving

PROMPT = [{"role": "system", "content": "You are a help line."}, {"role": "user", "content": "When do you open?"}]


@contextlib.asynccontextmanager
async def groq(*faults, name="openai/gpt-oss-120b", **profile):
    rules = [{"vendor": Vendor.GROQ, **fault} for fault in faults]
    async with serving(make_app, *rules, **profile) as (world, address):
        model = GroqModel(SecretStr("gsk_secret"), name, base_url=f"http://{address}")
        try:
            yield world, model
        finally:
            await model.close()


async def collect(model):
    return [delta async for delta in model.stream(PROMPT)]


async def test_a_reply_its_usage_and_the_limits():
    async with groq() as (world, model):
        limits, *texts, finish = await collect(model)
        assert "".join(t.text for t in texts if isinstance(t, TextDelta)).startswith("Our branches are open")
        assert isinstance(finish, Finish)
        (entry,) = world.log.entries()
        assert finish.usage is not None
        assert (finish.usage.prompt_tokens, finish.usage.completion_tokens) == (
            entry.prompt_tokens,
            entry.completion_tokens,
        )
        assert isinstance(limits, LimitsTold)
        (tokens,) = [told for told in limits.allowances if told.quota is Quota.TOKENS_PER_MINUTE]
        assert tokens.limit == 8000
        assert tokens.left < 8000


async def test_over_the_limit_the_wait_is_told():
    limits = {"openai/gpt-oss-120b": {"rpm": 2, "rpd": 100, "tpm": 8000, "tpd": 100_000}}
    async with groq(groq_models=limits) as (_, model):
        await collect(model)
        await collect(model)
        with pytest.raises(LanguageModelError, match="HTTP 429: too many requests") as error:
            await collect(model)
        assert error.value.retryable
        assert error.value.retry_after_secs == pytest.approx(30, abs=1)


async def test_a_retired_model_says_so():
    async with groq(name="llama-3.3-70b-versatile") as (world, model):
        with pytest.raises(LanguageModelError, match="the model is served no more") as error:
            await collect(model)
        assert error.value.cause is Cause.GONE
        assert [entry.status for entry in world.log.entries()] == [400]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"kind": Kind.STATUS, "status": 503}, "HTTP 503"),
        ({"kind": Kind.STATUS, "status": 401}, "set GROQ_API_KEY"),
        ({"kind": Kind.QUOTA_GONE}, "the day's quota is used up"),
        ({"kind": Kind.RESET}, "no connection"),
        ({"kind": Kind.DROP, "after_chunks": 3}, "no connection"),
        ({"kind": Kind.MALFORMED_JSON, "after_chunks": 2}, "damaged"),
        ({"kind": Kind.ERROR_EVENT, "after_chunks": 2}, "an error in the middle of Groq's stream"),
    ],
    ids=lambda value: value["kind"].value if isinstance(value, dict) else "",
)
async def test_a_fault_is_an_error_with_its_reason(fault, says):
    async with groq(fault) as (_, model):
        with pytest.raises(LanguageModelError, match=says):
            await collect(model)


async def test_a_stream_without_an_end_has_no_finish():
    async with groq({"kind": Kind.NO_END}) as (_, model):
        assert not any(isinstance(delta, Finish) for delta in await collect(model))


async def test_a_fault_can_begin_in_the_middle_of_an_answer():
    async with groq(groq_tokens_per_sec=40.0) as (world, model):
        stream = model.stream(PROMPT)
        for _ in range(3):
            await anext(stream)
        rule = FaultRule(vendor=Vendor.GROQ, kind=Kind.DROP, after_chunks=1, how="rst")
        world.faults.replace([rule], world.now())
        with pytest.raises(LanguageModelError):
            assert len([delta async for delta in stream]) <= 3
        assert [entry.fault for entry in world.log.entries()] == ["drop"]
