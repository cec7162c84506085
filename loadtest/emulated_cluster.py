"""A cluster on one machine: nodes, balancer, Redis with Sentinels; vendors are emulated in the callers' process."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emulators.faults import Vendor
from emulators.profile import load_profile
from emulators.serving import bot_environment, serving
from emulators.world import World
from loadtest.cluster_caller import ReturningCaller
from loadtest.cluster_programs import Haproxy, Node, Redis, Sentinel, free_ports

GREETING: Final = (
    "Hello, this is the help line of the bank. We are open from Monday to Friday, from nine in the morning until five "
    "in the afternoon, and on Saturdays until one. You can ask me for your balance, for the last payments, or for an "
    "appointment at a branch. If a card is lost, I can block it at once, and a new one is sent to you within a week. "
    "Statements come by mail on the first day of each month. What can I do for you today?"
)
"""Long enough that all callers are in the middle of it when something happens."""

VENDORS: Final = (Vendor.DEEPGRAM, Vendor.GROQ, Vendor.ELEVENLABS)
SETTINGS: Final = {
    "STT": "deepgram",
    "DEEPGRAM_API_KEY": "emulated",
    "TTS": "elevenlabs",
    "ELEVENLABS_API_KEY": "emulated",
    "IDLE_SECS": "0",
    "HOST": "127.0.0.1",
    "MAX_CALLS": "100",
    "HOLD_SECS": "30",
    "DRAIN_SECS": "15",
    "OFFERS_PER_MINUTE": "0",
    "CALLS_PER_ADDRESS": "0",
}
PLACE_AT_ONCE: Final = 5
"""Calls that are set up at the same time."""


@dataclass
class EmulatedCluster:
    """What runs.

    Attributes:
        folder: Its files.
        nodes: The bots.
        haproxy: The balancer.
        redis: The primary at first, then its replica.
        sentinels: Those that choose a primary; may be none.
    """

    folder: Path
    nodes: list[Node]
    haproxy: Haproxy
    redis: list[Redis]
    sentinels: list[Sentinel]

    async def node_of(self, caller: ReturningCaller) -> int:
        """The node that has a call, by its number; each node names itself in its health."""
        for index, node in enumerate(self.nodes):
            if (await node.health()).get("node") == caller.node:
                return index
        return -1


@asynccontextmanager
async def emulated_cluster(
    *, nodes: int = 3, sentinels: int = 3, local: bool = False, **settings: str
) -> AsyncIterator[EmulatedCluster]:
    """Start all of it; at the end all of it is gone.

    Args:
        nodes: Bots.
        sentinels: With them Redis has a replica; 0: one Redis alone.
        local: Without emulated vendors: the bots' own recogniser and voice.
        settings: Further settings of the bots.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = free_ports(2 + sentinels + nodes)
        redis = [Redis(ports[0], folder)]
        if sentinels:
            redis.append(Redis(ports[1], folder, replica_of=ports[0]))
        watchers = [Sentinel(port, folder, ports[0], sentinels // 2 + 1) for port in ports[2 : 2 + sentinels]]
        url = f"redis://127.0.0.1:{ports[0]}/0"
        if sentinels:
            url = f"redis+sentinel://{','.join(f'127.0.0.1:{each.port}' for each in watchers)}/parley/0"
        told = {"GREETING": GREETING, "REDIS_URL": url, "BANK_FILE": str(folder / "bank.sqlite3")}
        if local:
            told |= {"IDLE_SECS": "0"}
        else:
            vendors = await stack.enter_async_context(serving(World(load_profile("paid-100")), vendors=VENDORS))
            told |= {**SETTINGS, **bot_environment(vendors)}
        bots = [Node(port, {**told, **settings}) for port in ports[2 + sentinels :]]
        cluster = EmulatedCluster(folder, bots, Haproxy(folder, [bot.port for bot in bots]), redis, watchers)
        stack.push_async_callback(_end, cluster)
        for program in (*redis, *watchers):
            await program.start()
        await bots[0].start()  # what has to be fetched is there for the others
        await asyncio.gather(*(bot.start() for bot in bots[1:]))
        await cluster.haproxy.start()
        yield cluster


async def _end(cluster: EmulatedCluster) -> None:
    for program in (*cluster.nodes, cluster.haproxy, *cluster.sentinels, *cluster.redis):
        with contextlib.suppress(ProcessLookupError):
            await program.kill()


@asynccontextmanager
async def calling(
    cluster: EmulatedCluster, count: int, *, keeps_lines: bool = False
) -> AsyncIterator[Sequence[ReturningCaller]]:
    """So many callers, each of whom hears the bot."""
    callers = [ReturningCaller(cluster.haproxy.url, keeps_lines=keeps_lines) for _ in range(count)]
    at_once = asyncio.Semaphore(PLACE_AT_ONCE)

    async def place(caller: ReturningCaller) -> None:
        async with at_once:
            await caller.call()
            await caller.line.bot_speaks(timeout_secs=30)

    try:
        await asyncio.gather(*map(place, callers))
        yield callers
    finally:
        await asyncio.gather(*(caller.hang_up() for caller in callers))
