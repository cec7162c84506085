"""What was played lately: the reference by which the filter tells the bot's own voice from the caller's. Pure."""

from collections import deque
from typing import Final

import numpy as np

from contracts.frames import OUTPUT_SAMPLE_RATE_HZ

KEPT_SECS: Final = 4.0
"""How much is kept: the longest echo path, and how far the filter looks back."""


class PlayedAudio:
    """The last seconds of what left the playout, silence included, on a clock that counts samples of 24 kHz."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, bytes]] = deque()
        self._silences: dict[int, bytes] = {}
        self.samples = 0
        """Samples that have been played in all."""
        self.last_sound = -(1 << 40)
        """Position after the last block that was not digital silence."""

    def push(self, pcm: bytes) -> None:
        """Take what is played next: 24 kHz mono 16-bit PCM."""
        silence = self._silences.get(len(pcm))
        if silence is None:
            silence = self._silences[len(pcm)] = bytes(len(pcm))
        start = self.samples
        self.samples = start + len(pcm) // 2
        if pcm == silence:
            pcm = silence  # one object for all of them
        else:
            self.last_sound = self.samples
        self._blocks.append((start, pcm))
        while self._blocks[0][0] < self.samples - KEPT_SECS * OUTPUT_SAMPLE_RATE_HZ:
            self._blocks.popleft()

    def silent_secs(self, at: int) -> float:
        """How long before a position nothing but silence had been played; 0 in the middle of sound."""
        return max(0, at - self.last_sound) / OUTPUT_SAMPLE_RATE_HZ

    def between(self, start: int, end: int) -> np.ndarray:
        """The samples from one position to another, as float32 of full scale 1; zeros where nothing is kept."""
        out = np.zeros(end - start, np.float32)
        for at, pcm in reversed(self._blocks):
            length = len(pcm) // 2
            if at >= end:
                continue
            if at + length <= start:
                break
            first, last = max(start, at), min(end, at + length)
            out[first - start : last - start] = np.frombuffer(pcm, np.int16)[first - at : last - at]
        out *= np.float32(1 / 32768)
        return out
