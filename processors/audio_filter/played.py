"""What was played lately: the reference by which the filter tells the bot's own voice from the caller's. Pure."""

from collections import deque
from typing import Final

import numpy as np

from audio.pcm import mean_square
from contracts.frames import OUTPUT_SAMPLE_RATE_HZ

KEPT_SECS: Final = 4.0
"""How much is kept: the longest echo path, and how far the filter looks back."""


class PlayedAudio:
    """The last seconds of what left the playout, silence included, on a clock that counts samples of 24 kHz."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, bytes]] = deque()
        self._silences: dict[int, bytes] = {}
        self._powers: dict[int, float] = {}
        """Mean squares of blocks that were asked for, by their start."""
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
            self._powers.pop(self._blocks.popleft()[0], None)

    def silent_secs(self, at: int) -> float:
        """How long before a position nothing but silence had been played; 0 in the middle of sound."""
        return max(0, at - self.last_sound) / OUTPUT_SAMPLE_RATE_HZ

    def loudest(self, start: int, end: int, before: int, decay: float) -> float:
        """The highest mean square (16-bit scale) of a block between two positions, or of one that still rings.

        Args:
            start: Position of the first sample.
            end: Position after the last.
            before: How many samples before the first may still ring.
            decay: What is left of a block's power that ended one block before the first sample; and so on.
        """
        most, blocks = 0.0, self._blocks
        usual = len(blocks[-1][1]) // 2 if blocks else 0
        if not usual:
            return most
        later = max(0, self.samples - end) // usual  # all blocks are as long, but for some
        for back in range(later if later < len(blocks) else 0, len(blocks)):
            at, pcm = blocks[-1 - back]
            length = len(pcm) // 2
            if at >= end or not length:
                continue
            if at + length <= start - before:
                break
            power = self._powers.get(at)
            if power is None:
                power = self._powers[at] = mean_square(pcm)
            if at + length <= start:
                power *= decay ** ((start - at) / length)
            most = max(most, power)
        return most

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
