"""The bot's voice as a WebRTC track: pulls 20 ms at the pace of RTP and encodes it there and then."""

import asyncio
import fractions
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import Packet

from processors.frames import OUTPUT_SAMPLE_RATE_HZ
from transports.opus import OpusEncoder

PACKET_SECS: Final = 0.02
PACKET_SAMPLES: Final = OUTPUT_SAMPLE_RATE_HZ * 20 // 1000
RTP_CLOCK_HZ: Final = 48_000
"""The RTP clock of Opus, whatever the rate of the audio (RFC 7587 §4.1)."""

RTP_TICKS: Final = RTP_CLOCK_HZ * 20 // 1000
_TIME_BASE: Final = fractions.Fraction(1, RTP_CLOCK_HZ)
_SILENCE: Final = bytes(2 * PACKET_SAMPLES)

_SETTLE_PACKETS: Final = 10
"""Silent packets that are encoded before the encoder's answer is reused: by then its filters are empty."""


class Pacer:
    """When each packet is due: every 20 ms from the first, without drift, and never a burst. Pure.

    A packet that is late by less than two is sent at once and the schedule stands, so that the peer's jitter buffer
    evens it out. After a longer stall the missed packets are skipped, and the RTP time with them: to catch up would
    pile that much delay onto the rest of the call.
    """

    MAX_LATE_PACKETS: Final = 2

    def __init__(self) -> None:
        self._origin: float | None = None
        self._index = 0

    def next(self, now: float) -> tuple[int, float]:
        """Schedule a packet.

        Parameters:
            now: Monotonic seconds.

        Returns:
            The packet's number (times 960 is its RTP time), and the seconds to wait before it is due.
        """
        if self._origin is None:
            self._origin = now
            return 0, 0.0
        self._index += 1
        late_packets = (now - self._origin) / PACKET_SECS - self._index
        if late_packets >= self.MAX_LATE_PACKETS:
            self._index += int(late_packets)
        return self._index, max(0.0, self._origin + self._index * PACKET_SECS - now)


class PlayoutTrack(MediaStreamTrack):
    """An audio track of Opus packets (aiortc sends encoded packets as they are).

    Encoding costs less than handing it to a thread, so it happens on the event loop. Silence costs nothing but the
    packet: the encoder's packet for it is kept.

    Parameters:
        pull: Called once for each packet, at the moment it is due, with the number of samples; returns as many of
            24 kHz 16-bit mono PCM.
        encoder: What encodes them.
        clock: Monotonic seconds.
        sleep: Waits seconds.
    """

    kind = "audio"

    def __init__(
        self,
        pull: Callable[[int], bytes],
        encoder: OpusEncoder | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        super().__init__()
        self._pull = pull
        self._encoder = encoder or OpusEncoder(sample_rate_hz=OUTPUT_SAMPLE_RATE_HZ)
        self._clock = clock
        self._sleep = sleep
        self._pacer = Pacer()
        self._silent_packets = 0
        self._silence = b""

    async def recv(self) -> Packet:
        """Wait until the next packet is due, and return it.

        Raises:
            MediaStreamError: The track has been stopped.
        """
        self._require_live()
        index, wait_secs = self._pacer.next(self._clock())
        if wait_secs > 0:
            await self._sleep(wait_secs)
            self._require_live()
        packet = Packet(self._encode(self._pull(PACKET_SAMPLES)))
        packet.pts = index * RTP_TICKS
        packet.time_base = _TIME_BASE
        return packet

    def _require_live(self) -> None:
        if self.readyState != "live":
            raise MediaStreamError

    def _encode(self, pcm: bytes) -> bytes:
        if pcm != _SILENCE:
            self._silent_packets = 0
            return self._encoder.encode(pcm)
        if self._silent_packets < _SETTLE_PACKETS:
            self._silent_packets += 1
            self._silence = self._encoder.encode(pcm)
        return self._silence
