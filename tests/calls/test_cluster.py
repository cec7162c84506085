"""Two nodes behind a real HAProxy at a real Redis, and callers who come back as the page does."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import pytest_asyncio

from loadtest.cluster_caller import ReturningCaller
from loadtest.cluster_programs import missing_programs
from loadtest.emulated_cluster import EmulatedCluster, emulated_cluster
from tests.calls.conftest import told

GREETING = (
    "Hello, this is the help line of the bank. We are open from Monday to Friday, from nine in the morning until five "
    "in the afternoon. What can I do for you?"
)
SECS = 120.0
"""Longest wait for anything: the machine may be busy."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster() -> AsyncIterator[EmulatedCluster]:
    if missing := missing_programs():
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("PARLEY_REQUIRE_PEERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    async with emulated_cluster(nodes=2, sentinels=0, GREETING=GREETING) as cluster:
        yield cluster


async def until(condition: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(SECS):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {SECS} s in vain: {what}") from None


async def greeted(caller: ReturningCaller) -> ReturningCaller:
    await until(lambda: len(caller.words()) >= 3, "the first words")
    return caller


async def called(cluster: EmulatedCluster, node: int | None = None, *, keeps_lines: bool = False) -> ReturningCaller:
    """A caller who has heard three words of a node: of this one, if it matters."""
    while True:
        caller = ReturningCaller(cluster.haproxy.url, keeps_lines=keeps_lines)
        await caller.call()
        if node is None or await cluster.node_of(caller) == node:
            return await greeted(caller)
        await caller.hang_up()


async def answered(caller: ReturningCaller) -> None:
    """Ask something, and wait for the answer."""
    before = len(told(caller.line, "reply-played"))
    caller.line.type_text("When do you open?")
    await until(lambda: len(told(caller.line, "reply-played")) > before, "an answer")


async def test_any_node_takes_any_request(cluster: EmulatedCluster) -> None:
    caller = await called(cluster)
    async with aiohttp.ClientSession() as http:
        for node in cluster.nodes:
            body = {"pc_id": caller.line.pc_id, "candidates": []}
            async with http.patch(f"{node.url}/api/offer", json=body) as answer:
                assert answer.status == 200
        owner = await cluster.node_of(caller)
        other = cluster.nodes[1 - owner]
        data = {"pc_id": caller.line.pc_id, "requestData": {"caller_token": caller.token}}
        async with http.delete(f"{other.url}/api/offer", json=data) as answer:
            assert answer.status == 200, "a goodbye at the wrong node ends the call at the right one"
    caller.over = True
    await caller.hang_up()


async def test_a_balancer_that_dies_costs_no_call(cluster: EmulatedCluster) -> None:
    caller = await called(cluster)
    await cluster.haproxy.kill()
    await answered(caller)
    await cluster.haproxy.start()
    assert len(caller.lines) == 1
    other = await called(cluster)
    await other.hang_up()
    await caller.hang_up()


async def test_a_process_that_stood_still_says_nothing_more_in_calls_that_were_taken_up(
    cluster: EmulatedCluster,
) -> None:
    caller = await called(cluster, 0, keeps_lines=True)
    node = cluster.nodes[0]
    node.signal(signal.SIGSTOP)
    await until(lambda: len(caller.lines) == 2, "the call taken up")
    await until(lambda: bool(told(caller.line, "bot-ready")), "the bot there")
    packets = caller.lines[0].recording.packets
    since = packets[-1].arrival_secs + 0.001
    node.signal(signal.SIGCONT)
    async with asyncio.timeout(SECS):
        while (await node.health()).get("calls") != 0:
            await asyncio.sleep(0.1)
    assert caller.loud_packets(caller.lines[0], since) == 0, "one voice only"
    await answered(caller)
    await caller.hang_up()


async def test_a_node_that_stops_leaves_its_calls_to_the_others(cluster: EmulatedCluster) -> None:
    caller = await called(cluster, 0)
    node = cluster.nodes[0]
    node.signal(signal.SIGTERM)
    await until(lambda: caller.words()[-1:] == GREETING.split()[-1:], "the end of the greeting")
    await node.ended()
    # A word whose message was on its way when the line closed was heard, and is not counted here.
    assert len(GREETING.split()) - 1 <= len(caller.words()) <= len(GREETING.split()), "no word is said twice"
    assert len(caller.lines) == 2
    await answered(caller)
    await caller.hang_up()
    await node.start()


async def test_without_redis_calls_go_on_and_a_warning_is_given(cluster: EmulatedCluster) -> None:
    caller = await called(cluster, 1)
    for program in (*cluster.sentinels, *cluster.redis):
        await program.kill()
    await answered(caller)
    assert len(caller.lines) == 1
    alone = await called(cluster, 1)
    await answered(alone)
    await until(
        lambda: any("calls go on, but none could be taken up" in line for line in cluster.nodes[1].lines), "a warning"
    )
    await alone.hang_up()
    await caller.hang_up()
