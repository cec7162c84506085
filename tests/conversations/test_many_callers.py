"""Many callers and a vendor that refuses: nobody is left in silence, nothing is asked too early, all recovers."""

import asyncio
import contextlib
import email.utils
import itertools
import time

import pytest

from emulators import groq
from emulators.faults import Kind, Vendor
from loadtest.in_process import LOUD_RMS, InProcessCall, calling
from processors.context.prompt import system_prompt
from services.language_models import make_language_model
from settings import Settings
from tests.emulators.serving import serving
from tests.loadtest.quick_bot import QuickServices, QuickVoice

pytestmark = pytest.mark.slow

TEN = 10
SOME = 5
"""As many as it takes where what is seen does not depend on how many they are."""
QUIET_SECS = 1.5
AGAIN_SECS = 3.0
EVERY_SECS = 5.0
WIDE = {"rpm": 3000, "rpd": 100_000, "tpm": 1_000_000, "tpd": 10_000_000}
MODELS = {"openai/gpt-oss-120b": WIDE, "openai/gpt-oss-20b": WIDE}


@contextlib.asynccontextmanager
async def many_callers(number, *faults, **profile):
    rules = [{"vendor": Vendor.GROQ, **fault} for fault in faults]
    async with serving(groq.make_app, *rules, groq_models=MODELS, **profile) as (world, host):
        settings = Settings(
            _env_file=None,
            llm="groq",
            groq_api_key="gsk_secret",
            groq_url=f"http://{host}",
            llm_fallback="none",
            reply_cache_secs=0,
            tools=["none"],
            greeting="",
            bank_file=":memory:",
        )
        model = make_language_model(settings)
        services = QuickServices(settings, system_prompt(settings, with_tools=False), model, QuickVoice())
        async with contextlib.AsyncExitStack() as stack:
            callers = [InProcessCall(f"caller {each}", room_rms=0) for each in range(number)]
            calls = [await stack.enter_async_context(calling(services, call)) for call in callers]
            yield calls, world, services
        assert services.language_model._policy.calls_remembered == 0, "their calls are over"
        await services.close()


async def ask_each_five_secs(call, number, turns):
    """Ask; returns what was said of each turn."""
    await call.listen(0.4 * number)
    heard = []
    for _ in range(turns):
        told = len(call.messages)
        await call.type("When are you open?")
        await call.listen(EVERY_SECS)
        heard.append([data for _, type_, data in call.messages[told:] if type_ == "word-heard"])
    return heard


def quiet(call):
    """While an answer is owed: the longest time until a first sound, and the longest between two sounds, in seconds."""
    levels = call.levels()
    first, between = 0.0, 0.0
    asked = True
    for (start, state), (end, _) in zip(call.states, [*call.states[1:], (call.now, "")], strict=True):
        if state != "thinking":
            asked = asked or state in ("listening", "user_speaking")
            continue
        loud = [
            start + k * 0.02 for k, level in enumerate(levels[round(start * 50) : round(end * 50)]) if level > LOUD_RMS
        ]
        for number, (a, b) in enumerate(itertools.pairwise([start, *loud, end])):
            if asked and number == 0:
                first = max(first, b - a)
            else:
                between = max(between, b - a)
        asked = False
    return first, between


def check_quiet(call):
    """A first sound soon; then, while the page shows that the caller is in the queue, another now and then."""
    first, between = quiet(call)
    assert first <= QUIET_SECS
    assert between <= AGAIN_SECS
    if between > QUIET_SECS:
        assert call.told("in-queue")


def words(turns):
    return ["".join(word["text"] for word in replies) for replies in turns]


VARIANTS = {
    "two seconds": {"retry_after": "2"},
    "no time": {"retry_after": None},
    "a date": {"retry_after": "date"},
}


@pytest.mark.parametrize("variant", list(VARIANTS))
async def test_a_storm_of_refusals_leaves_no_caller_in_silence(virtual, variant):
    retry_after = VARIANTS[variant]["retry_after"]
    if retry_after == "date":
        retry_after = email.utils.formatdate(time.time() + 25, usegmt=True)
    storm = {"kind": Kind.STATUS, "status": 429, "retry_after": retry_after, "from_secs": 6, "until_secs": 22}
    async with many_callers(TEN if variant == "two seconds" else SOME, storm) as (calls, world, services):
        results = await asyncio.gather(*(ask_each_five_secs(call, n, 7) for n, call in enumerate(calls)))
        refused = [entry for entry in world.log.entries() if entry.status == 429]
        entries = world.log.entries()
    for call, turns in zip(calls, results, strict=True):
        check_quiet(call)
        assert "open" in words(turns)[0]
        assert "open" in words(turns)[-1], "all is well afterwards"
    for model in MODELS:
        times = sorted(entry.at_secs for entry in refused if entry.detail["model"] == model)
        # At the first moment several are under way; from then on one each two seconds finds out.
        later = [at for at in times if at > times[0] + 1.0]
        assert len(later) <= 9, times
        if variant == "a date":
            assert later == []
    assert services.gateway()["queue"]["length"] == 0
    assert max(entry.at_secs for entry in entries if entry.status == 200) > 30


@pytest.mark.parametrize(
    "fault", [{"kind": Kind.QUOTA_GONE}, {"kind": Kind.STATUS, "status": 429, "retry_after": "3600"}]
)
async def test_with_nothing_left_each_caller_hears_one_clear_sentence(virtual, fault):
    async with many_callers(SOME, {**fault, "from_secs": 6}) as (calls, world, services):
        results = await asyncio.gather(*(ask_each_five_secs(call, n, 4) for n, call in enumerate(calls)))
        entries = world.log.entries()
        about = services.gateway()
    says = "today" if fault["kind"] is Kind.QUOTA_GONE else "try again in a minute"
    for call, turns in zip(calls, results, strict=True):
        check_quiet(call)
        assert says in words(turns)[-1]
    refused = [entry for entry in entries if entry.status == 429]
    assert len([entry for entry in refused if entry.at_secs > refused[0].at_secs + 1]) <= 2
    assert {model["circuit"] for model in about["models"].values()} == {"open"}


async def test_the_next_model_takes_the_turn_at_once(virtual):
    storm = {"kind": Kind.STATUS, "status": 429, "retry_after": "2", "models": ["openai/gpt-oss-120b"], "from_secs": 4}
    async with many_callers(SOME, storm) as (calls, world, _):
        results = await asyncio.gather(*(ask_each_five_secs(call, n, 3) for n, call in enumerate(calls)))
    for call, turns in zip(calls, results, strict=True):
        check_quiet(call)
        assert all("open" in said for said in words(turns))


async def test_a_vendor_gone_for_half_a_minute_is_told_and_found_again(virtual):
    gone = {"kind": Kind.RESET, "from_secs": 6, "until_secs": 36}
    async with many_callers(SOME, gone) as (calls, world, _):
        results = await asyncio.gather(*(ask_each_five_secs(call, n, 10) for n, call in enumerate(calls)))
        entries = world.log.entries()
    for call, turns in zip(calls, results, strict=True):
        assert max(quiet(call)) <= AGAIN_SECS, "one moment, please; and at last: I can't answer"
        assert "open" in words(turns)[-1]
    well = [entry.at_secs for entry in entries if entry.status == 200 and entry.at_secs > 36]
    assert min(well) < 41


async def test_nothing_is_kept_of_a_caller_who_came_back_by_another_connection(virtual):
    async with many_callers(1) as ([call], *_):
        (said,) = words(await ask_each_five_secs(call, 0, 1))
        assert "open" in said
        call.pc_id = "the connection after it"
