"""A call registry behind the real dashboard's addresses, for tests that write into it what a page shall show."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from observe.call_registry import CallRegistry
from processors import compat
from server.dashboard import Sources, add_dashboard
from server.signalling import make_app
from tests.server.test_signalling import Limits
from transports.webrtc import WebRTCCall

PROVIDERS = {"stt": "local", "llm": "scripted", "tts": "local"}


@dataclass
class WatchedCalls:
    """The call registry and where it is shown."""

    registry: CallRegistry
    url: str

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def event(self) -> dict[str, Any]:
        """What ``/api/events`` says."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.url}/api/events") as response:
            async for line in response.content:
                if line.startswith(b"data: "):
                    return json.loads(line[6:])
        raise AssertionError("no event")

    async def calls(self) -> dict[str, Any]:
        """What ``/api/calls`` says."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.url}/api/calls") as response:
            return await response.json()


@asynccontextmanager
async def watched_calls(
    *,
    token: str = "",
    vendors: Mapping[str, str] = PROVIDERS,
    gateway: Mapping[str, Any] | None = None,
    cost: Mapping[str, float] | None = None,
    worker: Mapping[str, int] | None = None,
    port: int = 0,
    registry: CallRegistry | None = None,
) -> AsyncIterator[WatchedCalls]:
    compat.install()
    registry = registry or CallRegistry(lambda: vendors)

    async def no_call(call: WebRTCCall) -> None:
        await call.closed.wait()

    app = make_app(Limits(max_calls=4), no_call)
    sources = Sources(
        registry,
        lambda: 4,
        SecretStr(token),
        info=lambda: {"providers": vendors, "warnings": [], "worker": worker},
        gateway=None if gateway is None else lambda: gateway,
        cost=lambda: cost or {},
    )
    add_dashboard(app, sources, period_secs=0.2)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
        yield WatchedCalls(registry, f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
