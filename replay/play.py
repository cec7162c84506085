"""Plays a recorded call to the real pipeline, in virtual time: packets, pulls and messages come when they came."""

import asyncio
import contextlib
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

import bot
from contracts.caller_identity import CallerIdentity
from loadtest import virtual_time
from loadtest.offline_call import OfflineCall
from loadtest.virtual_time import VirtualTimeLoop
from recording.container import Entry
from recording.entries import NOISE, PACKET, PULL, Kind, frame_of, from_json
from replay.guesswork import STEP_SECS, Guesswork, Order, until
from replay.record import Record, Trace
from replay.services import ReplayServices, settings_of
from settings import Settings
from transports.receive import FRAME_BYTES, AudioReceiver

MORE_SECS: Final = 60.0
"""A replay ends at the latest so much after its call."""


class ReplayedCall(OfflineCall):
    """A :class:`~transports.call.Call` without a network.

    Args:
        record: The call.
        trace: Is filled.
    """

    def __init__(self, record: Record, trace: Trace) -> None:
        header = record.header
        identity = header["identity"]
        super().__init__(str(header["call_id"]))
        self.quality: Mapping[str, float] = {}
        self.identity = CallerIdentity(identity["subject"], identity["claims"]) if identity is not None else None
        self.request_data: Mapping[str, Any] = header["request_data"]
        self._trace = trace

    def send_message(self, message: dict[str, Any]) -> None:
        """Note what the client is told."""
        if not self.closed.is_set():
            self._trace.sent.append((asyncio.get_running_loop().time(), message))


@cache
def noise(level: int) -> bytes:
    """20 ms of white noise at 16 kHz with this root mean square; always the same."""
    samples = np.random.default_rng(seed=1).standard_normal(FRAME_BYTES // 2) * level
    return np.clip(samples, -32768, 32767).astype(np.int16).tobytes()


class Player:
    """What came from the caller, played to a call.

    Args:
        record: The call that was.
        call: The call that is.
        trace: Is filled.
        order: Is told what has come.
        keeps_audio: Whether the trace keeps the audio itself.
    """

    def __init__(self, record: Record, call: ReplayedCall, trace: Trace, order: Order, *, keeps_audio: bool) -> None:
        self._order = order
        self._record = record
        self._call = call
        self._trace = trace
        self._keeps_audio = keeps_audio
        self._receivers: dict[int, AudioReceiver] = {}

    async def play(self) -> None:
        """Play all of it; ends with the call."""
        await self._call.input().started.wait()
        for number, entry in enumerate(self._record.inputs):
            await until(entry.at)
            if behind := self._record.settled.get(number):
                await until(entry.at + behind * STEP_SECS)  # the clock goes on when all that is due now is done
            if self._call.closed.is_set():
                return
            await self._one(entry)
            self._order.input_came()
        self._call.end("the record ends")

    async def _one(self, entry: Entry) -> None:
        call, body = self._call, entry.body
        match entry.kind:
            case Kind.PACKET:
                peer, ssrc, sequence, _, listened_to = PACKET.unpack_from(body)
                for pcm in self._receiver(peer).push(ssrc, sequence, body[PACKET.size :]):
                    if listened_to:
                        await self._hear(pcm, directly=True)
            case Kind.PCM:
                await self._hear(body[1:], directly=body[0] != 0)
            case Kind.NOISE:
                directly, level, frames = NOISE.unpack(body)
                for _ in range(frames):
                    await self._hear(noise(level), directly=directly != 0)
            case Kind.STREAM:
                told = from_json(body)
                receiver = self._receiver(told["peer"])
                receiver.skip() if told["what"] == "skip" else receiver.flush()
            case Kind.PULL:
                samples, _ = PULL.unpack(body)
                self._pull(samples)
            case Kind.FRAME:
                await call.input().take(frame_of(from_json(body)))
            case Kind.LINE:
                unheard_secs = from_json(body)["unheard_secs"]
                call.output().connection_back() if unheard_secs is None else call.output().connection_lost(unheard_secs)
            case _:
                call.end(from_json(body)["reason"])

    def _receiver(self, peer: int) -> AudioReceiver:
        return self._receivers.setdefault(peer, AudioReceiver())

    async def _hear(self, pcm: bytes, *, directly: bool) -> None:
        if self._keeps_audio:
            self._trace.caller.append((asyncio.get_running_loop().time(), pcm))
        if not (directly and self._call.input().hear_directly(pcm)):
            await self._call.input().hear(pcm)

    def _pull(self, samples: int) -> None:
        pcm = self._call.output().pull(samples)
        silent = pcm.count(0) == len(pcm)
        self._trace.pulls.append((asyncio.get_running_loop().time(), samples, 0 if silent else zlib.crc32(pcm)))
        if self._keeps_audio:
            self._trace.played.append(pcm)


async def _play(record: Record, settings: Settings, *, keeps_audio: bool) -> Trace:
    trace, guesswork, order = Trace(), Guesswork(), Order()
    services = ReplayServices(record, settings, guesswork, order)
    call = ReplayedCall(record, trace)
    pipeline = asyncio.create_task(bot.run_call(call, services))
    playing = asyncio.create_task(Player(record, call, trace, order, keeps_audio=keeps_audio).play())
    try:
        await call.closed.wait()
        trace.ended = asyncio.get_running_loop().time()
        order.end()
        await pipeline
    finally:
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
        await services.close()
    trace.notes = guesswork.notes
    return trace


def play(record: Record, changes: Mapping[str, str] | None = None, *, keeps_audio: bool = False) -> Trace:
    """Play a recorded call. Blocks for as long as the computing takes.

    Args:
        record: The call.
        changes: Settings that are to be others, by name.
        keeps_audio: Whether the trace keeps the audio itself.

    Raises:
        RecordError: A setting is wrong.
    """
    settings = settings_of(record, changes)
    loop = VirtualTimeLoop(start_secs=record.began)
    return virtual_time.run(
        _play(record, settings, keeps_audio=keeps_audio), loop=loop, limit_secs=record.secs + MORE_SECS
    )
