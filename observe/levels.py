"""How loud a voice was, ten times a second: coarse, and cheap enough to be always on."""

from collections import deque
from typing import Final

import numpy as np

VALUES_PER_SEC: Final = 10

SILENCE_DB: Final = 90
"""Levels are kept as decibels below full scale, 0 to this, so that each fits a byte."""

KEEP_SECS: Final = 1800
"""Older levels of a long call are forgotten."""

_STRIDE: Final = 4
"""Every fourth sample tells the level of speech as well as all of them."""

_PENDING_CHUNKS: Final = 200
"""Audio that nobody asks about is dropped: four seconds of 20 ms packets."""

_TOLERATED_GAP: Final = 5
"""So many values may be missing before silence is put in their place: packets come in bursts."""


class LevelMeter:
    """Levels of one voice of one call.

    :meth:`push` only keeps a reference; the arithmetic is done for a second at a time, in :meth:`measure`.

    Args:
        sample_rate_hz: Rate of the audio: mono, 16 bits.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._block_bytes = 2 * sample_rate_hz // VALUES_PER_SEC
        self._pending: deque[bytes] = deque(maxlen=_PENDING_CHUNKS)
        self.push = self._pending.append
        """Take a chunk of PCM."""

        self._rest = b""
        self._levels = bytearray()
        self._first = 0

    def measure(self, elapsed_secs: float) -> None:
        """Turn what was pushed into levels; where there was no audio, there was silence.

        Args:
            elapsed_secs: Since the call began.
        """
        pcm = self._rest + b"".join(self._pending)
        self._pending.clear()
        whole = len(pcm) - len(pcm) % self._block_bytes
        self._rest = pcm[whole:]
        due = round(elapsed_secs * VALUES_PER_SEC) - whole // self._block_bytes
        missing = due - self._first - len(self._levels)
        if missing > _TOLERATED_GAP:
            self._levels += bytes([SILENCE_DB]) * missing
        if whole:
            self._levels += _below_full_scale_db(pcm[:whole], self._block_bytes)
        excess = len(self._levels) - KEEP_SECS * VALUES_PER_SEC
        if excess > 0:
            del self._levels[:excess]
            self._first += excess

    def since(self, index: int) -> tuple[int, list[int]]:
        """Levels from a value on.

        Args:
            index: Number of the value, counted from the call's beginning.

        Returns:
            The number of the first value that is returned (a later one, if that is forgotten), and the values.
        """
        first = max(index, self._first)
        return first, list(self._levels[first - self._first :])


def _below_full_scale_db(pcm: bytes, block_bytes: int) -> bytes:
    samples = np.frombuffer(pcm, np.int16).reshape(-1, block_bytes // 2)[:, ::_STRIDE].astype(np.float32)
    power = np.einsum("ij,ij->i", samples, samples) / (samples.shape[1] * 32768.0**2)
    below = -10.0 * np.log10(np.maximum(power, 1e-9))
    return np.clip(np.rint(below), 0, SILENCE_DB).astype(np.uint8).tobytes()
