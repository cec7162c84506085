"""What is done to a cluster, and what its callers noticed: one function for each row of the table."""

import asyncio
import contextlib
import difflib
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import numpy as np

from loadtest.caller import CallFailed, CallRefused
from loadtest.cluster_caller import ReturningCaller
from loadtest.emulated_cluster import GREETING, EmulatedCluster, calling

RETURN_SECS: Final = 30.0
GREETED_SECS: Final = 90.0
STAND_STILL_SECS: Final = 6.0


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        quantity: What was measured.
        value: As it is printed.
        bar: What it must reach, as it is printed.
        met: Whether it does.
    """

    quantity: str
    value: str
    bar: str
    met: bool


def percentile(values: Sequence[float], percent: float) -> float:
    """Of seconds; infinite where there are none."""
    return float(np.percentile(values, percent)) if len(values) else float("inf")


def wrong_words(callers: Sequence[ReturningCaller]) -> tuple[int, int]:
    """Words that were heard twice, and words that were not heard, of all callers."""
    twice = lost = 0
    for caller in callers:
        matcher = difflib.SequenceMatcher(None, GREETING.split(), caller.words(), autojunk=False)
        for kind, begin, end, heard_begin, heard_end in matcher.get_opcodes():
            if kind != "equal":
                lost += end - begin
                twice += heard_end - heard_begin
    return twice, lost


async def until(condition: Callable[[], bool], secs: float) -> None:
    """Wait until something holds, or so long; who asks looks again."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(secs):
            while not condition():  # noqa: ASYNC110 - many things may change it
                await asyncio.sleep(0.05)


async def calls_left(cluster: EmulatedCluster, index: int) -> int:
    """Calls that a node still has when it has had time to notice that they are not its own."""
    calls = -1
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RETURN_SECS):
            while calls := int((await cluster.nodes[index].health()).get("calls", -1)):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    return calls


async def greeted(callers: Sequence[ReturningCaller]) -> None:
    """Wait until all have heard the end of the greeting, or so long as that may take."""
    last = GREETING.split()[-1]
    await until(lambda: all(caller.words()[-1:] == [last] for caller in callers), GREETED_SECS)


async def returned(callers: Sequence[ReturningCaller], times: int = 1) -> None:
    """Wait until all have come back, or so long as that may take."""
    await until(lambda: all(len(caller.returned_at) >= times for caller in callers), RETURN_SECS)


async def of_node(cluster: EmulatedCluster, callers: Sequence[ReturningCaller], index: int) -> list[ReturningCaller]:
    """Callers whose call a node has."""
    return [caller for caller in callers if await cluster.node_of(caller) == index]


async def killed(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """A node dies without a word."""
    async with calling(cluster, count) as callers:
        held = await of_node(cluster, callers, 0)
        at = time.monotonic()
        await cluster.nodes[0].kill()
        await returned(held)
        silent = [caller.returned_at[0] - at for caller in held if caller.returned_at]
        await greeted(callers)
        twice, lost = wrong_words(callers)
    await cluster.nodes[0].start()
    p50, p95 = percentile(silent, 50), percentile(silent, 95)
    return [
        Figure(
            f"a node killed that held {len(held)} of {count} calls: calls that go on",
            f"{len(silent)} of {len(held)}",
            "all",
            len(silent) == len(held) > 0,
        ),
        Figure("the same: silence, p50 / p95", f"{p50:.1f} / {p95:.1f} s", "2.5 / 4 s", p50 <= 2.5 and p95 <= 4),
        Figure("the same: words said twice / lost", f"{twice} / {lost}", "0 / 0", not twice and not lost),
    ]


async def stood_still(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """A process stands still, its calls are taken up, and it wakes up."""
    async with calling(cluster, count, keeps_lines=True) as callers:
        held = await of_node(cluster, callers, 0)
        cluster.nodes[0].signal(signal.SIGSTOP)
        await asyncio.sleep(STAND_STILL_SECS)
        await returned(held)
        back = [caller for caller in held if caller.returned_at]
        woke_at = time.monotonic()
        cluster.nodes[0].signal(signal.SIGCONT)
        await asyncio.sleep(2.0)
        loud = sum(caller.loud_packets(caller.lines[0], woke_at) for caller in back)
        left = await calls_left(cluster, 0)
    return [
        Figure(
            "a process stands still and wakes up: calls taken up",
            f"{len(back)} of {len(held)}",
            "all",
            len(back) == len(held) > 0,
        ),
        Figure("the same: packets of a second voice", str(loud), "0", loud == 0),
        Figure("the same: calls that the stale node still has", str(left), "0", left == 0),
    ]


async def rolled(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """Each node is stopped and started again, one after the other, while callers are on the line."""
    gaps: list[float] = []
    lost_calls = 0
    twice = lost = 0
    for node in cluster.nodes:
        async with calling(cluster, count) as callers:
            node.signal(signal.SIGTERM)
            await node.ended()
            await greeted(callers)
            for caller in callers:
                gaps += [back - gone for gone, back in zip(caller.lost_at, caller.returned_at, strict=False)]
                lost_calls += caller.words()[-1:] != GREETING.split()[-1:]
            more_twice, more_lost = wrong_words(callers)
            twice, lost = twice + more_twice, lost + more_lost
        await node.start()
    p95 = percentile(gaps, 95) if gaps else 0.0
    return [
        Figure(
            f"rolling restart of {len(cluster.nodes)} nodes, {count} calls on the line each time: calls lost",
            str(lost_calls),
            "0",
            lost_calls == 0,
        ),
        Figure(f"the same: gap of the {len(gaps)} calls that moved, p95", f"{1000 * p95:.0f} ms", "200 ms", p95 <= 0.2),
        Figure("the same: words said twice / lost", f"{twice} / {lost}", "0 / 0", not twice and not lost),
    ]


async def misdirected(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """Each node is asked about each call."""
    served = asked = 0
    async with calling(cluster, count) as callers, aiohttp.ClientSession() as http:
        for caller in callers:
            for node in cluster.nodes:
                body = {"pc_id": caller.line.pc_id, "candidates": []}
                async with http.patch(f"{node.url}/api/offer", json=body) as answer:
                    asked += 1
                    served += answer.status == 200
    return [Figure("requests to any node about any call: served", f"{served} of {asked}", "all", served == asked)]


async def without_balancer(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """The balancer dies and is started again."""
    async with calling(cluster, count) as callers:
        await cluster.haproxy.kill()
        await asyncio.sleep(2.0)
        await cluster.haproxy.start()
        refused_secs = await until_let_in(cluster)
        lost = sum(bool(caller.lost_at) for caller in callers)
    return [
        Figure("HAProxy killed and started again: calls lost", str(lost), "0", lost == 0),
        Figure("the same: new calls refused afterwards for", f"{refused_secs:.1f} s", "2 s", refused_secs <= 2.0),
    ]


async def until_let_in(cluster: EmulatedCluster) -> float:
    """Seconds until a new call is answered."""
    began = time.monotonic()
    while True:
        caller = ReturningCaller(cluster.haproxy.url)
        try:
            await caller.call()
            return time.monotonic() - began
        except (CallRefused, CallFailed, aiohttp.ClientError, TimeoutError, OSError):
            await asyncio.sleep(0.1)
        finally:
            await caller.hang_up()


async def failed_over(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """The primary dies; Sentinels make its replica the next one. A node that dies afterwards loses no call."""
    async with calling(cluster, count) as callers:
        await cluster.redis[0].kill()
        refused_secs = await until_let_in(cluster)
        await asyncio.sleep(8.0)
        lost = sum(bool(caller.lost_at) for caller in callers)
    async with calling(cluster, count) as callers:
        held = await of_node(cluster, callers, 1)
        await cluster.nodes[1].kill()
        await returned(held)
        back = sum(bool(caller.returned_at) for caller in held)
    await cluster.nodes[1].start()
    return [
        Figure("Redis' primary killed, Sentinels promote another: calls lost", str(lost), "0", lost == 0),
        Figure("the same: new calls refused for", f"{refused_secs:.1f} s", "5 s", refused_secs <= 5.0),
        Figure(
            "the same, and then a node killed: calls that go on",
            f"{back} of {len(held)}",
            "all",
            back == len(held) > 0,
        ),
    ]


async def without_redis(cluster: EmulatedCluster, count: int) -> list[Figure]:
    """All of Redis is gone. Comes last."""
    async with calling(cluster, count) as callers:
        for program in (*cluster.sentinels, *cluster.redis):
            await program.kill()
        await asyncio.sleep(3.0)
        refused_secs = await until_let_in(cluster)
        lost = sum(bool(caller.lost_at) for caller in callers)
        warned = sum(any("calls go on, but none could be taken up" in line for line in n.lines) for n in cluster.nodes)
    return [
        Figure("Redis away altogether: calls lost", str(lost), "0", lost == 0),
        Figure("the same: new calls refused for", f"{refused_secs:.1f} s", "2 s", refused_secs <= 2.0),
        Figure("the same: nodes that warn", f"{warned} of {len(cluster.nodes)}", "all", warned == len(cluster.nodes)),
    ]


ROWS: Final = {
    "wrong-node": misdirected,
    "haproxy": without_balancer,
    "kill": killed,
    "standstill": stood_still,
    "rolling": rolled,
    "sentinel": failed_over,
    "no-redis": without_redis,
}
"""In their order."""
