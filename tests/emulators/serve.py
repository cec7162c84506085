"""One emulated vendor on a free port."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from emulators import deepgram, groq
from emulators.faults import FaultRule, Vendor
from emulators.profile import Profile
from emulators.world import World

APPS = {Vendor.DEEPGRAM: deepgram.make_app, Vendor.GROQ: groq.make_app}


@dataclass
class Emulator:
    """A running emulator."""

    world: World
    port: int

    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def entries(self):
        return self.world.log.entries()


@contextlib.asynccontextmanager
async def emulator(vendor: Vendor, *faults: FaultRule, **profile) -> AsyncIterator[Emulator]:
    world = World(Profile(faults=faults, **profile))
    runner = web.AppRunner(APPS[vendor](world), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Emulator(world, runner.addresses[0][1])
    finally:
        await runner.cleanup()
