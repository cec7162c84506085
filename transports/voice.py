"""The bot's voice on one peer's line: pulls 20 ms at each tick, encodes and sends it there and then."""

from collections.abc import Callable
from typing import Final

from audio.opus import OpusEncoder
from contracts.frames import OUTPUT_SAMPLE_RATE_HZ
from processors.compat import SendRtp
from transports.coding import CLEAN, COMPLEXITY, LinkCoding, red_packet
from transports.pacer import shared_pacer

PACKET_SAMPLES: Final = OUTPUT_SAMPLE_RATE_HZ * 20 // 1000
RTP_CLOCK_HZ: Final = 48_000
"""The RTP clock of Opus, whatever the rate of the audio (RFC 7587 §4.1)."""

RTP_TICKS: Final = RTP_CLOCK_HZ * 20 // 1000
_SILENCE: Final = bytes(2 * PACKET_SAMPLES)

SETTLE_PACKETS: Final = 10
"""Silent packets that are encoded and sent before transmission pauses: by then the codec's filters are empty."""

DTX_PACKETS: Final = 20
"""In silence one packet in so many is sent (RFC 7587 section 3.1.3: discontinuous transmission). It has no more than
the codec's first byte, which tells that silence goes on: where packets just stayed away, browsers would conceal them.
"""

_TOC_ONE_FRAME: Final = 0xFC
"""Of a packet's first byte all but the number of frames, which is 0 for one (RFC 6716 section 3.1)."""


MAX_REPEAT_TICKS: Final = 3 * RTP_TICKS
"""A packet that was sent longer ago is not repeated: its moment has passed."""


class Voice:
    """Sends Opus packets at the 20 ms tick that all calls share.

    Encoding costs less than handing it to a thread, so it happens on the event loop. Silence costs next to nothing:
    a byte now and then.

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
        self._encoder = encoder or OpusEncoder(
            sample_rate_hz=OUTPUT_SAMPLE_RATE_HZ, bitrate_bps=CLEAN.bitrate_bps, complexity=COMPLEXITY
        )
        self._send: SendRtp | None = None
        self._rtp_time = -RTP_TICKS
        self._silent_packets = 0
        self._dtx = b""
        self._link = LinkCoding()
        self._coding = CLEAN
        self._red: tuple[int, int] | None = None
        self._before = b""
        self._before_at = 0

    def may_repeat(self, red_type: int, opus_type: int) -> None:
        """The client takes RED.

        Parameters:
            red_type: Payload type of RED.
            opus_type: That of Opus.
        """
        self._red = (red_type, opus_type)
        self._link.can_repeat = True

    def reported(self, lost: float, now: float) -> None:
        """The client has reported what it lost; see :meth:`~transports.coding.LinkCoding.reported`."""
        coding = self._link.reported(lost, now)
        if coding != self._coding:
            self._coding = coding
            self._encoder.tune(bitrate_bps=coding.bitrate_bps, fec_loss_percent=coding.fec_loss_percent)

    def begin(self, send: SendRtp) -> None:
        """Speak over this line from the next tick on."""
        self._send = send
        shared_pacer().join(self._on_tick)

    def end(self) -> None:
        """Speak no more; does nothing the second time."""
        if self._send is not None:
            self._send = None
            shared_pacer().leave(self._on_tick)
            self._on_end()

    def _on_tick(self, packets: int) -> None:
        self._rtp_time += packets * RTP_TICKS
        send = self._send
        assert send is not None
        try:
            packet = self._encode(self._pull(PACKET_SAMPLES))
            if packet is not None:
                self._send_packet(send, packet)
        except OSError:  # ConnectionError above all: the line is closed
            self.end()
        except Exception:
            self.end()
            raise

    def _send_packet(self, send: SendRtp, packet: bytes) -> None:
        ticks = self._rtp_time - self._before_at
        if self._coding.repeats and self._red is not None and self._before and ticks <= MAX_REPEAT_TICKS:
            red_type, opus_type = self._red
            repeated = red_packet(opus_type, self._before, ticks, packet)
            if repeated is not None:
                send(repeated, self._rtp_time, red_type)
            else:
                send(packet, self._rtp_time)
        else:
            send(packet, self._rtp_time)
        self._before, self._before_at = packet, self._rtp_time

    def _encode(self, pcm: bytes) -> bytes | None:
        """The packet to send; None: none."""
        if pcm != _SILENCE:
            self._silent_packets = 0
            return self._encoder.encode(pcm)
        self._silent_packets += 1
        since = self._silent_packets - SETTLE_PACKETS
        if since > 0:
            return self._dtx if since % DTX_PACKETS == 1 else None
        packet = self._encoder.encode(pcm)
        self._dtx = bytes([packet[0] & _TOC_ONE_FRAME])
        return packet
