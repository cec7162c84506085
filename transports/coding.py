"""How the voice is coded for one link, decided by what RTCP tells of it. Pure: the time is told.

``python -m bench.voice`` prints the table that the choice was made by: how each way sounds (PESQ-WB), clean and at 5 %
loss, and what it costs. On a clean link CELT at a high rate is best and cheapest. CELT has no copies in it, so that 5 %
loss is heard in every sentence: then each packet carries the one before it as well (RED, RFC 2198), where the client
takes that, as Chromium does; that costs bits but no CPU. Where it does not, SILK's in-band FEC serves, for a third more
CPU on that link.
"""

import struct
from dataclasses import dataclass
from typing import Final

LOSSY: Final = 0.01
"""From this share of lost packets on a link is lossy: it is two a second."""

CLEAN_AGAIN: Final = 0.003
CLEAN_SECS: Final = 20.0
"""So long a link must be clean again: bursts of loss come back."""

COMPLEXITY: Final = 0
"""Of the encoder, whatever the link: a higher bit rate is cheaper than a longer search."""

MAX_RED_BYTES: Final = 1023
"""Longest copy in a RED packet (RFC 2198 section 3: 10 bits)."""

_RED_HEADER: Final = struct.Struct("!IB")


@dataclass(frozen=True)
class Coding:
    """One way to code the voice.

    Attributes:
        name: For people.
        bitrate_bps: Of Opus; with copies twice as much goes over the line.
        fec_loss_percent: See :meth:`~audio.opus.OpusEncoder.tune`.
        repeats: Whether each packet carries the one before it as well (RED).
    """

    name: str
    bitrate_bps: int
    fec_loss_percent: int = 0
    repeats: bool = False


CLEAN: Final = Coding("clean", 96_000)
REPEATED: Final = Coding("repeated", 80_000, repeats=True)
FEC: Final = Coding("fec", 48_000, fec_loss_percent=10)


class LinkCoding:
    """Chooses for one link.

    Args:
        can_repeat: Whether the client takes RED.
    """

    def __init__(self, *, can_repeat: bool = False) -> None:
        self.can_repeat = can_repeat
        self.now = CLEAN
        self._lossy_at: float | None = None

    def reported(self, lost: float, now: float) -> Coding:
        """A receiver report has come.

        Args:
            lost: The share of packets that were lost since the one before it (RFC 3550 section 6.4.1), 0 to 1.
            now: Monotonic seconds.
        """
        if lost >= LOSSY or (self._lossy_at is not None and lost >= CLEAN_AGAIN):
            self._lossy_at = now
        elif self._lossy_at is not None and now - self._lossy_at >= CLEAN_SECS:
            self._lossy_at = None
        if self._lossy_at is None:
            self.now = CLEAN
        else:
            self.now = REPEATED if self.can_repeat else FEC
        return self.now


def red_packet(payload_type: int, before: bytes, ticks: int, packet: bytes) -> bytes | None:
    """A packet with a copy of the one before it (RFC 2198 section 3).

    Args:
        payload_type: That of Opus.
        before: The packet before it.
        ticks: How much earlier that was, in RTP time: at most 16383.
        packet: The packet itself.

    Returns:
        The payload; None: the copy is too long.
    """
    if len(before) > MAX_RED_BYTES:
        return None
    first = (1 << 31) | (payload_type << 24) | (ticks << 10) | len(before)
    return _RED_HEADER.pack(first, payload_type) + before + packet
