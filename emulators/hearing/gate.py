"""Where speech is, by its level: a streaming gate with an adaptive noise floor. Pure.

A vendor's own detector is a neural one; a loud noise passes this gate and would not pass the vendor's. It does no harm:
the noise is looked up like speech, and gives no words.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from emulators.hearing.prints import HOP_SECS

QUIETEST_DB: Final = -52.0
"""Below this level nothing counts as speech."""

ABOVE_FLOOR_DB: Final = 9.0
"""Speech stands out of the noise by so much."""

FLOOR_FRAMES: Final = 190
"""The noise floor is the lowest level of the last 3 s: even a fluent speaker pauses that often."""

ONSET_FRAMES: Final = 3
"""Louder frames in a row that begin speech: 48 ms."""


@dataclass(frozen=True)
class Turn:
    """Speech begins or ends.

    Attributes:
        speaking: True at a begin.
        frame: First frame of the speech, or the first one after it.
        known_at: The frame at which it was known.
    """

    speaking: bool
    frame: int
    known_at: int


class SpeechGate:
    """Finds the beginnings and ends of speech.

    Args:
        silence_secs: Silence that ends speech: Deepgram's ``endpointing``.
    """

    def __init__(self, silence_secs: float) -> None:
        self._silence_frames = max(1, round(silence_secs / HOP_SECS))
        self._levels: deque[float] = deque(maxlen=FLOOR_FRAMES)
        self._frame = 0
        self._loud_run = 0
        self._last_loud = -1
        self.speaking = False

    @property
    def last_loud_frame(self) -> int:
        """The last frame that was loud enough to be speech; -1 before there was one."""
        return self._last_loud

    @property
    def frame(self) -> int:
        """Frames heard so far."""
        return self._frame

    def feed(self, level_db: np.ndarray) -> list[Turn]:
        """Take the levels of the next frames; return what begins and ends in them."""
        turns: list[Turn] = []
        for level in level_db.tolist():
            self._levels.append(level)
            loud = level > max(QUIETEST_DB, min(self._levels) + ABOVE_FLOOR_DB)
            self._loud_run = self._loud_run + 1 if loud else 0
            if loud:
                self._last_loud = self._frame
            if not self.speaking and self._loud_run == ONSET_FRAMES:
                self.speaking = True
                turns.append(Turn(True, self._frame - ONSET_FRAMES + 1, self._frame))
            elif self.speaking and self._frame - self._last_loud >= self._silence_frames:
                turns.append(self._end())
            self._frame += 1
        return turns

    def finish(self) -> list[Turn]:
        """End speech now, whatever the silence: the client asks for its words."""
        return [self._end()] if self.speaking else []

    def _end(self) -> Turn:
        self.speaking = False
        self._loud_run = 0
        return Turn(False, self._last_loud + 1, self._frame)


def speech_frames(level_db: np.ndarray, below_peak_db: float = 35.0) -> np.ndarray:
    """Which frames of a clean recording hold sound worth comparing; bool of shape (frames,)."""
    if not len(level_db):
        return np.zeros(0, bool)
    return level_db > max(QUIETEST_DB - 8, float(level_db.max()) - below_peak_db)
