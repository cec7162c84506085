"""A telephone that we did not write: baresip, driven over its control port, heard at the sound that it decodes."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.audio import SAMPLE_RATE_HZ, Samples, resampled
from tests.calls.conftest import SECS

RATE_HZ = 8_000
HEADER_BYTES = 44
LOUD_RMS = 300.0
TAIL_SECS = 90.0
"""Silence after what is said: when a file ends, baresip hangs up."""

CONFIG = """
sip_listen 127.0.0.1:{sip_port}
net_interface 127.0.0.1
audio_source aufile,{silence}
audio_player alsa,null
snd_path {folder}/heard
rtp_ports 30000-31000
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module alsa.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
"""


def need(program: str) -> str:
    """A program of Debian's; the test is skipped without it, unless ``PARLEY_REQUIRE_PEERS`` is set."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("PARLEY_REQUIRE_PEERS"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return found


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Phone:
    """One telephone.

    Args:
        folder: Where its files are.
        address: Who it is.
        reader: What it tells.
        writer: What it is told.
    """

    def __init__(self, folder: Path, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.address = address
        self.events: list[dict[str, Any]] = []
        self._folder = folder
        self._reader, self._writer = reader, writer
        self._clips = 0

    def order(self, command: str, parameter: str = "") -> None:
        """Press something."""
        text = json.dumps({"command": command, "params": parameter})
        self._writer.write(f"{len(text)}:{text},".encode())

    def say(self, samples: Samples) -> None:
        """Say 16 kHz samples now."""
        self._clips += 1
        path = self._folder / f"say-{self._clips}.wav"
        write_wav(path, resampled(samples, SAMPLE_RATE_HZ, RATE_HZ))
        self.order("ausrc", f"aufile,{path}")

    async def until(self, kind: str, count: int = 1) -> None:
        """Wait for an event."""
        async with asyncio.timeout(SECS):
            while sum(event.get("type") == kind for event in self.events) < count:
                await asyncio.sleep(0.02)

    def levels(self) -> np.ndarray:
        """Root mean square of each 20 ms that was heard, of 32768."""
        files = sorted((self._folder / "heard").glob("*-dec.wav"))
        heard = b"".join(path.read_bytes()[HEADER_BYTES:] for path in files)
        samples = np.frombuffer(heard[: len(heard) // 320 * 320], np.int16).astype(float)
        return np.sqrt(np.mean(samples.reshape(-1, 160) ** 2, axis=1))

    async def until_loud(self, since: int) -> int:
        """Wait for the bot's voice after so many blocks of 20 ms; returns the block at which it begins."""
        async with asyncio.timeout(SECS):
            while True:
                loud = np.flatnonzero(self.levels()[since:] >= LOUD_RMS)
                if len(loud) >= 5:
                    return since + int(loud[0])
                await asyncio.sleep(0.02)

    async def until_quiet(self, since: int, blocks: int = 40) -> int:
        """Wait until nothing was heard for so many blocks after one; returns the first of these."""
        async with asyncio.timeout(2 * SECS):
            while True:
                levels = self.levels()
                loud = np.flatnonzero(levels[since:] >= LOUD_RMS)
                after = since + (int(loud[-1]) + 1 if len(loud) else 0)
                if len(levels) - after >= blocks:
                    return after
                await asyncio.sleep(0.02)

    async def listen(self) -> None:
        while True:
            length = int((await self._reader.readuntil(b":"))[:-1])
            text = await self._reader.readexactly(length + 1)
            self.events.append(json.loads(text[:-1]))


def write_wav(path: Path, samples: Samples) -> None:
    """8 kHz mono, with a long silence behind."""
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype(np.int16).tobytes() + bytes(2 * round(TAIL_SECS * RATE_HZ)))


@asynccontextmanager
async def phone(
    folder: Path, name: str = "alice", sip_port: int | None = None, options: str = ""
) -> AsyncIterator[Phone]:
    """Switch a telephone on.

    Args:
        folder: An empty one, for its files.
        name: Its user.
        sip_port: Where it is called; None: anywhere.
        options: Parameters of its account.
    """
    program = need("baresip")
    (folder / "heard").mkdir()
    write_wav(folder / "silence.wav", np.zeros(RATE_HZ, np.int16))
    sip_port, control_port = sip_port or free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    config = CONFIG.format(folder=folder, silence=folder / "silence.wav", sip_port=sip_port, control_port=control_port)
    (folder / "config").write_text(config)
    account = f"<sip:{name}@127.0.0.1:{sip_port}>;regint=0;audio_codecs=PCMU;{options}\n"
    (folder / "accounts").write_text(account)
    (folder / "contacts").write_text("")
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, "-f", str(folder), "-s", "-v", stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        reader, writer = await _connected(control_port)
        made = Phone(folder, f"sip:{name}@127.0.0.1:{sip_port}", reader, writer)
        listening = asyncio.create_task(made.listen())
        try:
            yield made
        finally:
            listening.cancel()
            writer.close()
    finally:
        process.terminate()
        await process.wait()


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(SECS):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
