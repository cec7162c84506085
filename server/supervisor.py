"""Several bot processes (workers), and this one as their supervisor and reverse proxy, from the start to the stop."""

import asyncio
import os
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import aiohttp
from aiohttp import web
from loguru import logger

from admission.capacity import CALLS_PER_CORE
from server import exposure
from server.call_tokens import CallTokens
from server.dispatch import Dispatcher
from server.reverse_proxy import ReverseProxy, make_proxy_app
from server.site import app_runner
from server.worker import WorkerConfig
from server.workers import Workers
from settings import LlmProvider, Settings

CLIENTS_LEAVE_SECS: Final = 2.0
"""How long requests that are being answered may hold up the end."""


async def run_workers(
    settings: Settings,
    command: Sequence[str],
    env: Mapping[str, str],
    stopped: asyncio.Event,
    on_ready: Callable[[web.AppRunner], None],
    *,
    pin: bool,
) -> int:
    """Take calls with several processes until told to stop.

    Args:
        settings: The settings.
        command: What starts a worker.
        env: Its environment.
        stopped: Is set by each signal to stop.
        on_ready: Is called when all workers are.
        pin: Each worker is to have a core of its own, if there are enough.

    Returns:
        The exit code.

    Raises:
        OSError: The port is taken.
    """
    max_calls = CALLS_PER_CORE if settings.max_calls == "auto" else settings.max_calls
    dispatcher = Dispatcher(
        settings.workers,
        max_calls,
        settings.offers_per_minute,
        calls_per_address=settings.calls_of_one_address(settings.workers * max_calls),
    )
    secret = secrets.token_urlsafe(32)
    cores = cores_for(settings.workers) if pin else []
    configs = [
        WorkerConfig(index, settings.workers, secret, cores[index] if cores else None)
        for index in range(settings.workers)
    ]
    # No limit on connections: each open dashboard holds one, and must not keep an offer waiting.
    connector = aiohttp.TCPConnector(limit=0)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False) as http:
        workers = Workers(command, env, configs, dispatcher, http)
        app = make_proxy_app(
            ReverseProxy(dispatcher, workers, http, secret, CallTokens.from_settings(settings)),
            exposure.make_access(settings),
            exposure.make_guard(settings),
        )
        runner = app_runner(app, shutdown_timeout=CLIENTS_LEAVE_SECS)
        await runner.setup()
        try:
            await exposure.make_site(runner, settings).start()
            starting = asyncio.create_task(workers.start())
            await first_of(asyncio.shield(starting), stopped.wait())
            if not starting.done():
                starting.cancel()
                return 0
            if code := starting.result():
                return code
            limited = settings.llm is LlmProvider.GROQ or settings.llm_limits
            if limited and not settings.redis_url.get_secret_value():
                logger.warning("each worker counts the vendor's limits as its own: set REDIS_URL, and they share them")
            exposure.tell(settings)
            on_ready(runner)
            await stopped.wait()
            calls = sum(dispatcher.taken(index) for index in range(settings.workers))
            logger.info(
                "stopping: {} calls may come to an end within {:g} s; once more to stop at once",
                calls,
                settings.drain_secs,
            )
            stopped.clear()
            dispatcher.stop()
            workers.stop()
            await first_of(workers.ended(), stopped.wait())
            workers.stop()
            await workers.close()
        finally:
            await workers.kill()
            await runner.cleanup()
    return 0


def cores_for(workers: int) -> list[int]:
    """A core for each worker; none if there are too few, or nobody may say."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return cores[:workers] if workers <= len(cores) else []


async def first_of(*waits: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> None:
    """Wait for one of them; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
