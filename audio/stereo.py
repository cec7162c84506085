"""Two channels to one, so that no voice is lost or halved. Pure.

Half the sum of both is right where both hold the same. It is silence where one is the other's negative (a balanced
microphone at a stereo jack), and 6 dB too soft where only one holds anything (a headset). So where the sum has lost
more than half of the power, the louder channel alone is taken.
"""

from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from audio.opus import OpusDecoder

SMOOTHING: Final = 0.6
"""What is kept of the powers from one block to the next. So a voice that comes 40 dB softer on the other side is taken
after 0.4 s, where a block has 20 ms."""

LEAVE_SUM: Final = 0.4
RETURN_TO_SUM: Final = 0.6
"""Shares of the louder channel's power. Independent noise in both gives 0.5: no reason to change to and fro."""

MUCH_LOUDER: Final = 2.0
"""By so much in power the other channel must be louder to be taken instead."""

QUIET_POWER: Final = 30.0**2
"""Below this (of 32768 squared) nothing can be told: -61 dBFS."""


class Source(Enum):
    """What the one channel is made of."""

    SUM = "sum"
    LEFT = "left"
    RIGHT = "right"


class Downmix:
    """Blocks of two channels to blocks of one; a change of the source fades within a block."""

    def __init__(self) -> None:
        self.source = Source.SUM
        self._powers: NDArray[np.float64] | None = None

    def mix(self, pcm: bytes) -> bytes:
        """One block.

        Parameters:
            pcm: 16-bit samples, left and right in turns.

        Returns:
            16-bit mono samples.
        """
        both = np.frombuffer(pcm, np.int16).reshape(-1, 2).astype(np.float32)
        if not len(both):
            return b""
        before, self.source = self.source, self._choose(both)
        mono = _taken(both, self.source)
        if before is not self.source:
            fade = np.linspace(0, 1, len(mono), dtype=np.float32)
            mono = mono * fade + _taken(both, before) * (1 - fade)
        return np.clip(np.rint(mono), -32768, 32767).astype(np.int16).tobytes()

    def _choose(self, both: NDArray[np.float32]) -> Source:
        left, right = both[:, 0], both[:, 1]
        powers = np.array([np.mean(left**2), np.mean(right**2), np.mean(((left + right) / 2) ** 2)], np.float64)
        if max(powers[:2]) < QUIET_POWER:
            return self.source
        if self._powers is None:
            self._powers = powers  # the first sound decides at once
        else:
            self._powers = SMOOTHING * self._powers + (1 - SMOOTHING) * powers
        on_left, on_right, in_sum = self._powers
        louder = Source.LEFT if on_left >= on_right else Source.RIGHT
        share = in_sum / max(on_left, on_right)
        if self.source is Source.SUM:
            return louder if share < LEAVE_SUM else Source.SUM
        if share > RETURN_TO_SUM:
            return Source.SUM
        much_louder = max(on_left, on_right) > MUCH_LOUDER * min(on_left, on_right)
        return louder if much_louder else self.source


def _taken(both: NDArray[np.float32], source: Source) -> NDArray[np.float32]:
    match source:
        case Source.SUM:
            return both.mean(axis=1)
        case Source.LEFT:
            return both[:, 0]
        case Source.RIGHT:
            return both[:, 1]


class StereoDecoder:
    """An :class:`~audio.opus.OpusDecoder` for packets of two channels.

    Parameters:
        sample_rate_hz: See there.
    """

    def __init__(self, *, sample_rate_hz: int = 16_000) -> None:
        self._decoder = OpusDecoder(sample_rate_hz=sample_rate_hz, channels=2)
        self._downmix = Downmix()

    def decode(self, packet: bytes) -> bytes:
        """See :meth:`OpusDecoder.decode`."""
        return self._downmix.mix(self._decoder.decode(packet))

    def conceal(self, samples: int) -> bytes:
        """See :meth:`OpusDecoder.conceal`."""
        return self._downmix.mix(self._decoder.conceal(samples))

    def recover(self, following: bytes, samples: int) -> bytes:
        """See :meth:`OpusDecoder.recover`."""
        return self._downmix.mix(self._decoder.recover(following, samples))
