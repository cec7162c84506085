"""The bot's voice on one peer's line: pulls 20 ms at each beat, encodes and sends it there and then."""

from collections.abc import Callable
from typing import Final

from processors.compat import SendRtp
from processors.frames import OUTPUT_SAMPLE_RATE_HZ
from transports.beat import beat
from transports.opus import OpusEncoder

PACKET_SAMPLES: Final = OUTPUT_SAMPLE_RATE_HZ * 20 // 1000
RTP_CLOCK_HZ: Final = 48_000
"""The RTP clock of Opus, whatever the rate of the audio (RFC 7587 §4.1)."""

RTP_TICKS: Final = RTP_CLOCK_HZ * 20 // 1000
_SILENCE: Final = bytes(2 * PACKET_SAMPLES)

_SETTLE_PACKETS: Final = 10
"""Silent packets that are encoded before the encoder's answer is reused: by then its filters are empty."""


class Voice:
    """Sends Opus packets at the beat that all calls share.

    Encoding costs less than handing it to a thread, so it happens on the event loop. Silence costs nothing but the
    packet: the encoder's packet for it is kept.

    Parameters:
        pull: Called once for each packet, at the moment it is due, with the number of samples; returns as many of
            24 kHz 16-bit mono PCM.
        on_end: Called when the line fails.
        encoder: What encodes them.
    """

    def __init__(
        self, pull: Callable[[int], bytes], on_end: Callable[[], None], encoder: OpusEncoder | None = None
    ) -> None:
        self._pull = pull
        self._on_end = on_end
        self._encoder = encoder or OpusEncoder(sample_rate_hz=OUTPUT_SAMPLE_RATE_HZ)
        self._send: SendRtp | None = None
        self._rtp_time = -RTP_TICKS
        self._silent_packets = 0
        self._silence = b""

    def begin(self, send: SendRtp) -> None:
        """Speak over this line from the next beat on."""
        self._send = send
        beat().join(self._on_beat)

    def end(self) -> None:
        """Speak no more; does nothing the second time."""
        if self._send is not None:
            self._send = None
            beat().leave(self._on_beat)
            self._on_end()

    def _on_beat(self, packets: int) -> None:
        self._rtp_time += packets * RTP_TICKS
        send = self._send
        assert send is not None
        try:
            send(self._encode(self._pull(PACKET_SAMPLES)), self._rtp_time)
        except OSError:  # ConnectionError above all: the line is closed
            self.end()
        except Exception:
            self.end()
            raise

    def _encode(self, pcm: bytes) -> bytes:
        if pcm != _SILENCE:
            self._silent_packets = 0
            return self._encoder.encode(pcm)
        if self._silent_packets < _SETTLE_PACKETS:
            self._silent_packets += 1
            self._silence = self._encoder.encode(pcm)
        return self._silence
