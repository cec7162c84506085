"""The programs of a cluster: bots, and from Debian Redis, its Sentinels and HAProxy. Each can be killed."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from loadtest.bot_process import REPEATING, ROOT, START_SECS

NEEDED: Final = ("redis-server", "redis-sentinel", "haproxy")
READY_SECS: Final = 30.0

HAPROXY: Final = """
global
    maxconn 2000
    stats socket {socket} mode 600 level admin

defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    option redispatch 1
    retries 2
    retry-on conn-failure empty-response

frontend parley
    bind 127.0.0.1:{port}
    http-request set-header X-Forwarded-For %[src]
    default_backend nodes

backend nodes
    balance roundrobin
    option httpchk
    http-check send meth GET uri /ready ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server check inter 500ms fall 1 rise 1
{servers}
"""


def missing_programs() -> list[str]:
    """Programs that are not installed."""
    return [name for name in NEEDED if shutil.which(name) is None]


def free_ports(count: int) -> list[int]:
    """TCP ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in found]


class Program:
    """A process.

    Args:
        command: What starts it.
        env: Its environment; None: ours.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._env = env
        self.process: asyncio.subprocess.Process | None = None
        self.lines: list[str] = []
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read(self.process))

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            self.lines.append(raw.decode(errors="replace").rstrip())

    def signal(self, which: signal.Signals) -> None:
        """Send a signal."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(which)

    async def kill(self) -> None:
        """End it at once."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended."""
        if self.process is not None:
            await self.process.wait()
        if self._reading is not None:
            await self._reading


async def listening(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(READY_SECS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


class Redis(Program):
    """A server.

    Args:
        port: Where it listens.
        folder: Its working folder.
        replica_of: The port of its primary.
    """

    def __init__(self, port: int, folder: Path, replica_of: int | None = None) -> None:
        self.port = port
        command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
        if replica_of is not None:
            command += ["--replicaof", "127.0.0.1", str(replica_of)]
        super().__init__([*command, "--repl-diskless-sync-delay", "0"])

    async def start(self) -> None:
        """Start it; returns when it listens."""
        await super().start()
        await listening(self.port)


class Sentinel(Program):
    """One of those that choose a primary.

    Args:
        port: Where it listens.
        folder: Where it keeps its configuration.
        primary: The primary's port at first.
        quorum: How many must agree.
    """

    def __init__(self, port: int, folder: Path, primary: int, quorum: int) -> None:
        self.port = port
        file = folder / f"sentinel-{port}.conf"
        file.write_text(
            f"port {port}\ndir {folder}\nsentinel monitor parley 127.0.0.1 {primary} {quorum}\n"
            "sentinel down-after-milliseconds parley 1000\nsentinel failover-timeout parley 5000\n"
        )
        super().__init__(["redis-sentinel", str(file)])

    async def start(self) -> None:
        """Start it; returns when it listens."""
        await super().start()
        await listening(self.port)


class Haproxy(Program):
    """The balancer.

    Args:
        folder: Where its files are.
        nodes: The ports of the nodes.
    """

    def __init__(self, folder: Path, nodes: Sequence[int]) -> None:
        (self.port,) = free_ports(1)
        servers = "\n".join(f"    server node{index} 127.0.0.1:{port}" for index, port in enumerate(nodes))
        file = folder / "haproxy.cfg"
        file.write_text(HAPROXY.format(socket=folder / "haproxy.sock", port=self.port, servers=servers))
        super().__init__(["haproxy", "-db", "-f", str(file)])

    @property
    def url(self) -> str:
        """Where callers ask."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it; returns when it listens."""
        await super().start()
        await listening(self.port)


class Node(Program):
    """A bot.

    Args:
        port: Where it listens.
        settings: Environment variables.
    """

    def __init__(self, port: int, settings: Mapping[str, str]) -> None:
        self.port = port
        env = {
            **os.environ,
            "LLM": "scripted",
            "LLM_FALLBACK": "none",
            "MAX_LOOP_LAG_MS": "0",
            **REPEATING,
            **settings,
            "PORT": str(port),
        }
        super().__init__([sys.executable, "bot.py", "serve"], env)

    @property
    def url(self) -> str:
        """Where it can be asked."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it; returns when it takes calls.

        Raises:
            AssertionError: It did not start.
        """
        await super().start()
        async with asyncio.timeout(START_SECS):
            while not any(re.search("Parley is ready", line) for line in self.lines):
                assert self.process is not None
                assert self.process.returncode is None, "a node did not start:\n" + "\n".join(self.lines)
                await asyncio.sleep(0.05)

    async def health(self) -> dict[str, Any]:
        """What ``GET /health`` says; empty if it says nothing."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            timeout = aiohttp.ClientTimeout(total=5)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{self.url}/health") as answer:
                return await answer.json()
        return {}
