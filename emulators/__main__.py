"""``python -m emulators --profile seed``: the vendors' wire protocols on loopback."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from aiohttp import web

from emulators.faults import FaultRule, Vendor
from emulators.known_clips import Library
from emulators.log import RequestLog
from emulators.profile import SHIPPED, Profile, ProfileError, load_profile
from emulators.serving import bot_environment, serving
from emulators.world import World
from processors.models import files as models

BASE_PORT = 9400


def parser() -> argparse.ArgumentParser:
    """The command line."""
    shipped = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
    top = argparse.ArgumentParser(
        prog="python -m emulators",
        description="Deepgram, Groq, Google Translate's speech, ElevenLabs and Azure on loopback, with the latencies, "
        "limits and faults of a profile. Prints the settings that point the bot at them.",
    )
    top.add_argument("--profile", default="today", metavar="NAME|FILE", help=f"one of {shipped}, or a TOML file")
    top.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    top.add_argument(
        "--port",
        type=int,
        default=BASE_PORT,
        help=f"port of Deepgram; Groq, gTTS, ElevenLabs, Azure and the admin's port follow (default {BASE_PORT}; "
        "0: free ones)",
    )
    top.add_argument("--log", type=Path, metavar="FILE", help="append each finished request to it, as a JSON line")
    top.add_argument(
        "--clips",
        type=Path,
        metavar="FILE",
        help="what callers may say, as a load test writes it: speech to text compares, and need not recognise",
    )
    return top


def make_admin(world: World) -> web.Application:
    """``GET /log``, ``GET /totals``, ``PUT /faults``: for those who run a test, not for the bot."""

    async def log(_: web.Request) -> web.Response:
        return web.json_response([entry.as_json() for entry in world.log.entries()])

    async def totals(_: web.Request) -> web.Response:
        return web.json_response(world.log.totals())

    async def faults(request: web.Request) -> web.Response:
        try:
            rules = [FaultRule.model_validate(rule) for rule in await request.json()]
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        world.faults.replace(rules, world.now())
        return web.json_response({"faults": len(rules)})

    app = web.Application()
    app.router.add_get("/log", log)
    app.router.add_get("/totals", totals)
    app.router.add_put("/faults", faults)
    return app


async def serve(profile: Profile, host: str, port: int, log: Path | None, clips: Library | None = None) -> None:
    """Serve until told to stop.

    Raises:
        OSError: A port is taken.
    """
    world = World(profile, RequestLog(time.monotonic, log), clips)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    admin = web.AppRunner(make_admin(world), access_log=None)
    await admin.setup()
    try:
        async with serving(world, host=host, base_port=port) as ports:
            await web.TCPSite(admin, host, port + len(Vendor) if port else 0).start()
            print(f"# profile {profile.name}: {profile.note}")
            print("# latencies and limits are assumed or published, none is measured; any key is taken")
            for variable, value in bot_environment(ports, host).items():
                print(f"{variable}={value}")
            print(f"# admin: http://{host}:{admin.addresses[0][1]} (GET /log, GET /totals, PUT /faults)", flush=True)
            await stopped.wait()
    finally:
        await admin.cleanup()
        world.log.end()
    print(json.dumps(world.log.totals(), indent=2))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; returns the exit code."""
    options = parser().parse_args(arguments)
    try:
        profile = load_profile(options.profile)
        clips = Library.read(options.clips) if options.clips else None
        uvloop.run(serve(profile, options.host, options.port, options.log, clips))
    except (ProfileError, models.ModelError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}; give another --port", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
