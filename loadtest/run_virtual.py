"""``python -m loadtest run --virtual``: the same callers and scores on the pipeline itself, in virtual time.

The bot, its gateway, the vendors' wire protocols on loopback sockets and their limits are all real; what is left out is
WebRTC, and the time that computing takes. So latencies, queues, budgets and turns come out exactly, on any machine and
however busy it is, and nothing is said of how many calls a machine carries.
"""

import asyncio
import time
from typing import Any, Final

from emulators.known_clips import Library
from emulators.profile import load_profile
from loadtest import virtual_time, whole_calls
from loadtest.acts import Request
from loadtest.crowd import Progress
from loadtest.emulated_bot import emulated_bot
from loadtest.run import STAGGER_SECS, Run, live, put_together, record_references

PREEMPTIVE: Final = ("preemptive", "early_stt", "early_turns", "hedged", "calls_remembered")
"""What of the gateway's figures tells of prepared replies, of turns that end early, and of calls that are over."""

START_SECS: Final = 60.0
"""For what one caller hears alone."""


def run_all(run: Run) -> dict[str, Any]:
    """The whole test; returns what ``summary.json`` holds. Blocks for as long as the computing takes."""
    limit_secs = 2 * run.limit_secs + START_SECS * len(run.material.long_answers)
    return virtual_time.run(_run(run), limit_secs=limit_secs)


async def _run(run: Run) -> dict[str, Any]:
    options, scenario, material = run.options, run.scenario, run.material
    assert run.profile is not None
    done: list[Progress] = []
    clips = Library(material.known_clips()) if run.knows_clips else None
    async with emulated_bot(load_profile(run.profile), {"max_calls": options.max_calls}, clips) as emulated:
        with run.phase("one caller alone"):
            references = await record_references(run, whole_calls.Door(emulated.services, lambda: 1).phone)
        emulated.world.log.reset()
        providers = emulated.services.providers()
        with run.phase("load"), run.bar() as bar:

            def on_request(request: Request) -> None:
                done.append(Progress(request.quick_answer_ms()))
                bar.set_postfix_str(live(done), refresh=False)
                bar.update(1)

            began = time.monotonic()
            scores = await whole_calls.talk(
                emulated.services,
                scenario.deal(options.callers, options.requests),
                scenario,
                material,
                max_calls=emulated.services.admission_limit,
                stagger_secs=STAGGER_SECS,
                references=references,
                on_request=on_request,
                limit_secs=run.limit_secs,
            )
            load_secs = time.monotonic() - began
        task = asyncio.current_task()
        run.interrupted = task is not None and task.cancelling() > 0
        vendors = emulated.world.log.totals()
        preemptive = emulated.services.gateway()
    names = ", ".join(vendor.capitalize() for vendor in vendors)
    about = {
        "bot": {
            "url": "",
            "setup": f"{names} as emulated vendors (profile {run.profile}{run.recogniser}), without WebRTC",
            "providers": providers,
            "max_calls": options.max_calls,
        },
        "round_trip_ms": 0.0,
        "interrupted": run.interrupted,
        "unfinished_requests": scores.unfinished,
        "caller_processes_died": 0,
        "references": sorted(references),
        "vendors": vendors,
        "preemptive": {key: preemptive[key] for key in PREEMPTIVE if key in preemptive},
        "usage": [],
        "load_secs": round(load_secs, 1),
    }
    return put_together(run, scores.requests, scores.calls, about)
