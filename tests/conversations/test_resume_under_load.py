"""A sound that was no interruption: the voice goes on at once, whatever the vendors do and however long the line is.

Between the verdict and the voice stands no wait for a model, a vendor or a queue: what is to be played is there.
"""

import asyncio
import contextlib
import math

import numpy as np
import pytest

from contracts.llm import LanguageModelError
from emulators import groq
from emulators.faults import FaultRule, Kind, Vendor
from loadtest.in_process import LOUD_RMS
from tests.conversations.conftest import Calling, clip
from tests.emulators.serving import serving

GAP_MS = 250.0
SPEAKS_SECS = 2.0

MEANWHILE = {
    "nothing is wrong": None,
    "every request is refused": {"kind": Kind.STATUS, "status": 429, "retry_after": "30"},
    "the day's quota is gone": {"kind": Kind.QUOTA_GONE},
    "the vendor is gone": {"kind": Kind.RESET},
}


def gap_ms(c, ends: float) -> float:
    """From the end of the sound to the bot's voice; infinite if it is not heard."""
    loud = np.flatnonzero(c.levels(ends) > LOUD_RMS)
    return 20.0 * float(loud[0]) if len(loud) else math.inf


@pytest.mark.parametrize("trouble", MEANWHILE)
@pytest.mark.parametrize("sound", ["sneeze", "okay"])
async def test_the_voice_goes_on_at_once(virtual, call: Calling, trouble, sound):
    async with contextlib.AsyncExitStack() as stack:
        world, where = await stack.enter_async_context(serving(groq.make_app))
        settings = {"llm": "groq", "groq_api_key": "gsk_test", "groq_url": f"http://{where}", "llm_fallback": "none"}
        c = await stack.enter_async_context(call(None, **settings))
        await c.type("Tell me everything that you can do.")
        await c.until_state("speaking")
        await c.listen(SPEAKS_SECS)
        if (rule := MEANWHILE[trouble]) is not None:
            world.faults.replace([FaultRule(vendor=Vendor.GROQ, **rule)], world.now())
        _, ends = c.say(clip(sound))
        await c.listen(ends - c.now)
        await c.listen(ends + 2 * GAP_MS / 1000 - c.now)
        assert gap_ms(c, ends) <= GAP_MS
        await c.until_state("listening", timeout_secs=60)
        assert [played["cut"] for played in c.told("reply-played")] == [False]


async def test_nor_does_a_line_of_others_hold_it_up(virtual, call: Calling):
    """Many requests of others wait for the same account while the sound is judged."""
    limits = {name: {"rpm": 3} for name in ("openai/gpt-oss-120b", "openai/gpt-oss-20b")}
    async with contextlib.AsyncExitStack() as stack:
        _, where = await stack.enter_async_context(serving(groq.make_app, groq_models=limits))
        settings = {"llm": "groq", "groq_api_key": "gsk_test", "groq_url": f"http://{where}", "llm_fallback": "none"}
        services = []
        c = await stack.enter_async_context(call(None, seen=services.append, **settings))
        await c.type("Tell me everything that you can do.")
        await c.until_state("speaking")

        async def wants(number: int) -> None:
            prompt = [{"role": "user", "content": f"Question number {number}"}]
            with contextlib.suppress(LanguageModelError):
                async for _ in services[0].language_model_for(f"other {number}").stream(prompt):
                    pass

        others = [asyncio.create_task(wants(number)) for number in range(40)]
        await c.listen(SPEAKS_SECS)
        assert services[0].gateway()["queue"]["length"] >= 8
        _, ends = c.say(clip("sneeze"))
        await c.listen(ends + 2 * GAP_MS / 1000 - c.now)
        assert gap_ms(c, ends) <= GAP_MS
        await c.until_state("listening", timeout_secs=60)
        assert [played["cut"] for played in c.told("reply-played")] == [False]
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
