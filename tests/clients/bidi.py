"""Firefox, driven by its own WebDriver BiDi socket (https://w3c.github.io/webdriver-bidi/), without any driver.

It plays into a PulseAudio null sink, because its page waits for a sound device. Its microphone is a recording that the
page itself plays (WebAudio), so that a test says when what is said.
"""

import asyncio
import itertools
import json
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import websockets

START_SECS: Final = 60.0
ANSWER_SECS: Final = 30.0

PREFERENCES: Final = {
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


def program(name: str) -> str:
    """Path of a program; skips or fails the test if it is missing."""
    path = shutil.which(name)
    if path is None:
        reason = f"no {name} on the PATH"
        if os.environ.get("PARLEY_REQUIRE_PEERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


class BiDi:
    """One tab, and the socket that drives it.

    Args:
        socket: Connected to the browser.
    """

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._context = ""

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Run a command and return its result; events are passed over."""
        id_ = next(self._ids)
        await self._socket.send(json.dumps({"id": id_, "method": method, "params": params}))
        async with asyncio.timeout(ANSWER_SECS):
            while True:
                answer = json.loads(await self._socket.recv())
                if answer.get("id") == id_:
                    break
        assert answer["type"] == "success", answer
        return answer["result"]

    async def start(self, preload: str) -> None:
        """Open a session; ``preload`` is a function that runs before each page's own scripts."""
        await self.command("session.new", capabilities={})
        await self.command("script.addPreloadScript", functionDeclaration=preload)
        tree = await self.command("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def go(self, url: str) -> None:
        """Load a page."""
        await self.command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, body: str) -> Any:
        """The JSON value of an async function's body."""
        result = await self.command(
            "script.evaluate",
            expression=f"(async () => {{ {body} }})().then((value) => JSON.stringify(value ?? null))",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert result["type"] == "success", result
        return json.loads(result["result"]["value"])

    async def until(self, expression: str, timeout_secs: float = 40.0) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(timeout_secs):
            while not await self.run(f"return Boolean({expression})"):
                await asyncio.sleep(0.1)


@asynccontextmanager
async def null_sink(folder: Path) -> AsyncIterator[dict[str, str]]:
    """A sound device that nobody hears; yields the environment that leads to it."""
    pulseaudio = program("pulseaudio")
    runtime = folder / "pulse"
    runtime.mkdir(mode=0o700)
    server = runtime / "socket"
    environment = {"PULSE_SERVER": f"unix:{server}", "PULSE_RUNTIME_PATH": str(runtime), "HOME": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *(pulseaudio, "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"),
        *(
            "-L",
            "module-null-sink sink_name=nobody",
            "-L",
            f"module-native-protocol-unix socket={server} auth-anonymous=1",
        ),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(START_SECS):
            while not server.exists():
                assert process.returncode is None, "pulseaudio did not start"
                await asyncio.sleep(0.05)
        yield environment
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def firefox(preload: str) -> AsyncIterator[BiDi]:
    """A headless Firefox with one tab."""
    path = program("firefox-esr")
    with tempfile.TemporaryDirectory(prefix="parley-firefox-") as name:
        folder = Path(name)
        profile = folder / "profile"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in PREFERENCES.items()]
        (profile / "user.js").write_text("\n".join(lines))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        async with null_sink(folder) as environment:
            process = await asyncio.create_subprocess_exec(
                *(path, "--headless", "--no-remote", "--profile", str(profile), f"--remote-debugging-port={port}"),
                "about:blank",
                env={**os.environ, **environment, "MOZ_HEADLESS": "1", "MOZ_CRASHREPORTER_DISABLE": "1"},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with _connected(port) as driver:
                    await driver.start(preload)
                    yield driver
            finally:
                if process.returncode is None:
                    process.terminate()
                try:
                    async with asyncio.timeout(10):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[BiDi]:
    deadline = asyncio.get_running_loop().time() + START_SECS
    while True:
        try:
            socket_ = await websockets.connect(f"ws://127.0.0.1:{port}/session", max_size=None, ping_interval=None)
            break
        except OSError:
            assert asyncio.get_running_loop().time() < deadline, "Firefox did not start"
            await asyncio.sleep(0.2)
    async with socket_:
        yield BiDi(socket_)
