"""From RTP packets to the audio that is listened to: order, concealment, decoding. Pure: no clock, no I/O."""

from typing import Final

from audio.opus import STEREO_BIT, OpusDecoder, OpusError
from audio.stereo import StereoDecoder
from contracts.frames import INPUT_SAMPLE_RATE_HZ

FRAME_MS: Final = 20
FRAME_BYTES: Final = 2 * INPUT_SAMPLE_RATE_HZ * FRAME_MS // 1000
SILENCE: Final = bytes(FRAME_BYTES)
"""One frame of digital silence."""

_HALF: Final = 1 << 15


class ReorderBuffer:
    """Puts RTP packets into order, and decides when one is lost.

    A packet in order passes at once: nothing is held back to smooth jitter, because whoever listens needs no steady
    pace. One that comes early waits until the gap before it has closed, or ``depth`` packets wait.

    Sequence numbers wrap at 16 bits (RFC 3550 §5.1, and A.1 for the jumps that mean a restarted sender).

    Parameters:
        depth: How many packets must follow a missing one before it counts as lost.
    """

    MAX_GAP: Final = 50
    """A jump over more packets (1 s) is not concealed; the stream goes on from there."""

    MAX_LATE: Final = 10
    """After so many packets in a row that are too late, the sender must have started anew."""

    def __init__(self, depth: int = 3) -> None:
        self._depth = depth
        self._next: int | None = None
        self._held: dict[int, bytes] = {}
        self._late = 0

    def passes(self, sequence_number: int) -> bool:
        """Whether a packet is the next one and no other waits: it counts as taken then, and passes at once."""
        if sequence_number != self._next or self._held:
            return False
        self._late = 0
        self._next = (sequence_number + 1) & 0xFFFF
        return True

    def push(self, sequence_number: int, payload: bytes) -> list[bytes | None]:
        """Take a packet.

        Returns:
            The payloads that are now in order, None for each one lost before the next.
        """
        if self._next is None:
            self._next = sequence_number
        ahead = (sequence_number - self._next) & 0xFFFF
        if ahead >= _HALF:
            self._late += 1
            if self._late < self.MAX_LATE:
                return []
            return self._restart(sequence_number, payload)
        if ahead > self.MAX_GAP:
            return self._restart(sequence_number, payload)
        self._late = 0
        self._held.setdefault(sequence_number, payload)
        return self._release(self._depth)

    def flush(self) -> list[bytes | None]:
        """Give up on what is missing and return all that waits."""
        return self._release(1)

    def _restart(self, sequence_number: int, payload: bytes) -> list[bytes | None]:
        released = self.flush()
        self._late = 0
        self._next = (sequence_number + 1) & 0xFFFF
        return [*released, payload]

    def _release(self, depth: int) -> list[bytes | None]:
        released: list[bytes | None] = []
        while self._next is not None and (self._next in self._held or len(self._held) >= depth):
            released.append(self._held.pop(self._next, None))
            self._next = (self._next + 1) & 0xFFFF
        return released


class AudioReceiver:
    """One peer's audio stream: Opus in RTP packets to 20 ms frames of 16 kHz mono 16-bit PCM.

    A lost packet is restored from the next one where the peer sent in-band FEC, else concealed by the decoder.
    """

    def __init__(self) -> None:
        self.lost_packets = 0
        self._ssrc: int | None = None
        self._restart()

    def _restart(self) -> None:
        self._reorder = ReorderBuffer()
        self._decoder: OpusDecoder | StereoDecoder = OpusDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ)
        self._stereo = False
        self._packet_samples = INPUT_SAMPLE_RATE_HZ * FRAME_MS // 1000
        self._pcm = bytearray()

    def push(self, ssrc: int, sequence_number: int, payload: bytes) -> list[bytes]:
        """Take a packet; a new ``ssrc`` (the peer changed its source) starts afresh.

        Returns:
            The frames that are complete now, each of :data:`FRAME_BYTES`.
        """
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            self._restart()
        if not self._reorder.passes(sequence_number):
            return self._frames(self._reorder.push(sequence_number, payload))
        pcm = self._decode(payload, None)
        return [pcm] if len(pcm) == FRAME_BYTES and not self._pcm else self._cut(pcm)

    def skip(self) -> None:
        """A packet is left out on purpose: the stream goes on with the next one, and nothing stands in for it."""
        self._reorder = ReorderBuffer()
        self._pcm.clear()

    def flush(self) -> list[bytes]:
        """No more packets are coming for now: decode those that still wait for a missing one."""
        return self._frames(self._reorder.flush())

    def _frames(self, payloads: list[bytes | None]) -> list[bytes]:
        pcm = bytearray()
        for index, payload in enumerate(payloads):
            following = payloads[index + 1] if index + 1 < len(payloads) else None
            pcm += self._decode(payload, following)
        return self._cut(pcm)

    def _cut(self, pcm: bytes | bytearray) -> list[bytes]:
        self._pcm += pcm
        count = len(self._pcm) // FRAME_BYTES
        frames = [bytes(self._pcm[i * FRAME_BYTES : (i + 1) * FRAME_BYTES]) for i in range(count)]
        del self._pcm[: count * FRAME_BYTES]
        return frames

    def _decode(self, payload: bytes | None, following: bytes | None) -> bytes:
        try:
            if payload is not None:
                if not self._stereo and payload and payload[0] & STEREO_BIT:
                    self._stereo, self._decoder = True, StereoDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ)
                pcm = self._decoder.decode(payload)
                self._packet_samples = len(pcm) // 2
                return pcm
            self.lost_packets += 1
            if following is not None:
                return self._decoder.recover(following, self._packet_samples)
        except OpusError:
            self.lost_packets += payload is not None  # not Opus: as good as lost
        return self._decoder.conceal(self._packet_samples)
