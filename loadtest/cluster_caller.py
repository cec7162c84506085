"""A caller who comes back as the page does: it hears no packet for a while, and offers again with its token."""

import asyncio
import contextlib
import random
import secrets
import time
from typing import Final

import aiohttp
import numpy as np

from audio.opus import OpusDecoder
from loadtest.audio import LOUD_RMS
from loadtest.caller import Caller, CallFailed, CallRefused

SILENT_SECS: Final = 1.4
"""See ``web/connection.js``."""

LOOK_SECS: Final = 0.1
AT_ONCE_SECS: Final = 0.2
RETRY_SECS: Final = 0.5
PATIENT_TRIES: Final = 40


def is_loud(payload: bytes) -> bool:
    """Whether an Opus packet is more than silence."""
    samples = np.frombuffer(OpusDecoder(sample_rate_hz=8_000).decode(payload), np.int16).astype(np.float32)
    return bool(np.sqrt(np.mean(samples**2)) >= LOUD_RMS)


class ReturningCaller:
    """One caller, and as many connections as it takes.

    Args:
        url: The balancer.
        keeps_lines: Whether connections that were lost are kept, so that it is noticed if somebody speaks there.

    Attributes:
        lines: The connections, the newest last.
        returned_at: Monotonic times at which the bot was heard again after a connection was lost.
        lost_at: Monotonic times of the last packet before that.
        failures: Offers that were refused or not answered.
    """

    def __init__(self, url: str, *, keeps_lines: bool = False) -> None:
        self._keeps_lines = keeps_lines
        self.url = url
        self.token = secrets.token_urlsafe(24)
        self.lines: list[Caller] = []
        self.lost_at: list[float] = []
        self.returned_at: list[float] = []
        self.failures = 0
        self.over = False
        self._watching: asyncio.Task[None] | None = None

    @property
    def line(self) -> Caller:
        """The connection that is used."""
        return self.lines[-1]

    @property
    def node(self) -> str:
        """The node that has the call."""
        return self.line.pc_id.partition("-")[0]

    async def call(self) -> None:
        """Place the call, and stay on the line from then on; where no node is ready, a few times, as the page does."""
        for last in (*(False,) * PATIENT_TRIES, True):
            try:
                await self._connect()
                break
            except CallRefused as refused:
                if last or refused.status < 500:
                    raise
                await asyncio.sleep(RETRY_SECS)
        self._watching = asyncio.create_task(self._watch())

    async def hang_up(self) -> None:
        """Say goodbye."""
        self.over = True
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        if not self.lines:
            return
        body = {"pc_id": self.line.pc_id, "requestData": {"caller_token": self.token}}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=5)
            async with aiohttp.ClientSession(timeout=timeout) as http:
                await http.delete(f"{self.url}/api/offer", json=body)
        for line in self.lines:
            await line.hangup()

    # --- what was heard ------------------------------------------------------------------------

    def words(self, since: int = 0) -> list[str]:
        """The words that were heard, over all connections from a number on."""
        lines = self.lines[since:]
        told = [m for line in lines for m in line.recording.messages if m.type == "word-heard"]
        return [word for message in told for word in str(message.data["text"]).split()]

    def loud_packets(self, line: Caller, since_secs: float) -> int:
        """Packets with a voice in them that came over a connection after a moment."""
        return sum(packet.arrival_secs >= since_secs and is_loud(packet.payload) for packet in line.recording.packets)

    def _heard(self) -> dict[str, int] | None:
        told = [m.data for line in self.lines for m in line.recording.messages if m.type == "word-heard"]
        if not told:
            return None
        reply_id = told[-1]["reply_id"]
        letters = 0
        for data in reversed(told):
            if data["reply_id"] != reply_id:
                break
            letters += len("".join(data["text"].split()))
        return {"reply_id": reply_id, "letters": letters}

    # --- the line ------------------------------------------------------------------------------

    async def _connect(self) -> None:
        data: dict[str, object] = {"caller_token": self.token, "says_ready": True}
        if (heard := self._heard()) is not None:
            data["heard"] = heard
        extras: dict[str, object] = {"requestData": data}
        if self.lines:
            extras |= {"pc_id": self.line.pc_id, "restart_pc": True}
        line = Caller(self.url, offer_extras=extras)
        try:
            await line.connect()
        except CallRefused as refused:
            if refused.status != 404 or not self.lines:
                raise
            line = Caller(self.url, offer_extras={"requestData": data})  # as the page: then as a new call
            await line.connect()
        self.lines.append(line)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECS)
            packets = self.line.recording.packets
            connection = self.line.connection
            closed = connection is None or connection.connectionState in ("closed", "failed")
            last = packets[-1].arrival_secs if packets else time.monotonic()
            if closed or time.monotonic() - last >= SILENT_SECS:
                await self._return(last)

    async def _return(self, lost_at: float) -> None:
        await asyncio.sleep(AT_ONCE_SECS * random.random())
        old = self.line
        while True:
            try:
                await self._connect()
                break
            except (CallRefused, CallFailed, aiohttp.ClientError, TimeoutError, OSError):
                self.failures += 1
                await asyncio.sleep(RETRY_SECS)
        if not self._keeps_lines:
            await old.hangup()
        self.lost_at.append(lost_at)
        line = self.line
        with contextlib.suppress(CallFailed):
            await line.bot_speaks(timeout_secs=15)
            self.returned_at.append(time.monotonic())
