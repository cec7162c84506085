"""One emulated vendor on loopback."""

import contextlib

from aiohttp import web

from emulators.faults import FaultRule
from emulators.profile import Profile
from emulators.world import World


@contextlib.asynccontextmanager
async def serving(make_app, *faults, **profile):
    """The world, and ``127.0.0.1:PORT``; each fault is a dict of a rule's fields."""
    world = World(Profile(faults=tuple(FaultRule(**fault) for fault in faults), **profile))
    runner = web.AppRunner(make_app(world), shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield world, f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
