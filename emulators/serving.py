"""Runs the emulators: one port for each vendor, opened and closed as the profile's faults say."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web

from emulators import azure, deepgram, elevenlabs, groq, gtts
from emulators.faults import Vendor
from emulators.world import World

APPS: Mapping[Vendor, Callable[[World], web.Application]] = {
    Vendor.DEEPGRAM: deepgram.make_app,
    Vendor.GROQ: groq.make_app,
    Vendor.GTTS: gtts.make_app,
    Vendor.ELEVENLABS: elevenlabs.make_app,
    Vendor.AZURE: azure.make_app,
}
"""The vendors' servers, in the order of their ports."""

POLL_SECS = 0.25
"""How often the faults are asked whether a port is to be closed."""


class Port:
    """A vendor's port, which a fault may close."""

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        self._host = host
        self.port = port
        self._site: web.TCPSite | None = None

    async def set_open(self, is_open: bool) -> None:
        """Listen, or refuse connections; those that stand are left."""
        if is_open and self._site is None:
            self._site = web.TCPSite(self._runner, self._host, self.port, reuse_address=True)
            await self._site.start()
            if not self.port:
                self.port = self._runner.addresses[0][1]
        elif not is_open and self._site is not None:
            await self._site.stop()
            self._site = None

    def break_connections(self) -> None:
        """Reset every connection that stands, as a server that goes down does."""
        server = self._runner.server
        for connection in list(server.connections) if server is not None else ():
            if connection.transport is not None:
                connection.transport.abort()


@contextlib.asynccontextmanager
async def open_ports(
    world: World, *, host: str = "127.0.0.1", base_port: int = 0, vendors: tuple[Vendor, ...] = tuple(Vendor)
) -> AsyncIterator[dict[Vendor, Port]]:
    """Serve; gives each vendor's port, which opens and closes as the faults say.

    Args:
        world: What they share.
        host: Address to listen on.
        base_port: The first vendor's port, the others follow; 0: free ones.
        vendors: Who is served.

    Raises:
        OSError: A port is taken.
    """
    async with contextlib.AsyncExitStack() as stack:
        ports: dict[Vendor, Port] = {}
        for index, vendor in enumerate(vendors):
            runner = web.AppRunner(
                APPS[vendor](world), handler_cancellation=True, shutdown_timeout=0.1, access_log=None
            )
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            ports[vendor] = Port(runner, host, base_port + index if base_port else 0)
            await ports[vendor].set_open(True)
        gates = asyncio.create_task(_keep_gates(world, ports))
        try:
            yield ports
        finally:
            gates.cancel()
            await asyncio.wait([gates])


@contextlib.asynccontextmanager
async def serving(
    world: World, *, host: str = "127.0.0.1", base_port: int = 0, vendors: tuple[Vendor, ...] = tuple(Vendor)
) -> AsyncIterator[dict[Vendor, int]]:
    """The same, for whoever only wants the ports' numbers."""
    async with open_ports(world, host=host, base_port=base_port, vendors=vendors) as ports:
        yield {vendor: port.port for vendor, port in ports.items()}


async def _keep_gates(world: World, ports: Mapping[Vendor, Port]) -> None:
    while True:
        for vendor, port in ports.items():
            await port.set_open(not world.faults.refuses(vendor, world.now()))
        await asyncio.sleep(POLL_SECS)


def bot_environment(ports: Mapping[Vendor, int], host: str = "127.0.0.1") -> dict[str, str]:
    """The settings that point the bot at the emulators."""
    urls = {
        Vendor.DEEPGRAM: ("DEEPGRAM_URL", "ws"),
        Vendor.GROQ: ("GROQ_URL", "http"),
        Vendor.GTTS: ("GTTS_URL", "http"),
        Vendor.ELEVENLABS: ("ELEVENLABS_URL", "ws"),
        Vendor.AZURE: ("AZURE_URL", "ws"),
    }
    found = {}
    for vendor, port in ports.items():
        name, scheme = urls[vendor]
        found[name] = f"{scheme}://{host}:{port}"
    return found
