"""Is that the caller? A voice far below theirs is somebody else's: a television, a colleague, the next table. Pure.

The yardstick is the level of what the caller said before: the mean of the louder half of its voiced windows, which
pauses and soft endings do not change. Levels are compared as a sound goes on: the first windows let anything pass that
is not clearly soft, since a word may begin softly, and a voice that stays low is taken out again.

Nobody is locked out. A voice that comes as near as the caller's is always heard. One that stays far is heard again when
the bot has had to ask twice, when nobody near has spoken for long, or when the caller has said that somebody else will
speak; the yardstick is then made anew. Only consent asks for the level that the caller had at best.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES

WINDOWS_PER_SEC: Final = INPUT_SAMPLE_RATE_HZ / WINDOW_SAMPLES
VOICED_PROB: Final = 0.5
QUIET_PROB: Final = 0.35


@dataclass(frozen=True)
class CallerParams:
    """How far below the caller's a voice counts as another's.

    Attributes:
        onset_db: How far below the yardstick the loudest of a sound's first windows may be.
        onset_windows: So many voiced windows (32 ms each) are its first.
        far_db: How far below a longer sound may be.
        near_db: How near one must come that was taken out.
        consent_db: How far below the caller's best level a yes may be.
        known_windows: Voiced windows that make a yardstick.
        kept_windows: Voiced windows of which it is the level: the caller's last seconds of speech.
        gap_windows: Windows without voice that end a sound.
        asked: After so many utterances of the bot without an answer from near, who answers is the caller: a filler,
            a reply, and the question whether anybody is there.
        silent_secs: After so long without a voice from near while the bot was silent, likewise.
    """

    onset_db: float = 6.0
    onset_windows: int = 4
    far_db: float = 7.0
    near_db: float = 5.0
    consent_db: float = 8.0
    known_windows: int = 16
    kept_windows: int = 250
    gap_windows: int = 10
    asked: int = 3
    silent_secs: float = 45.0


class CallerVoice:
    """The level of one call's caller.

    Args:
        params: How far below it a voice is another's.
    """

    def __init__(self, params: CallerParams | None = None) -> None:
        self._params = params or CallerParams()
        self._powers: deque[float] = deque(maxlen=self._params.kept_windows)
        self._sound: list[float] = []
        self._gap = 0
        self._far = self._was_far = False
        self._accepts_far = False
        self._silent_windows = 0
        self._asked = 0
        self._bot_sounds = False
        self.level_db: float | None = None
        """The yardstick: dB relative to one step of 16-bit PCM; None: the caller has not said enough."""
        self._best_db: float | None = None
        self._last_db: float | None = None

    def bot_sounds(self, sounds: bool) -> None:
        """Whether the bot is heard at this moment; each new utterance asks something of the caller."""
        if sounds and not self._bot_sounds:
            self._asked += 1
        self._bot_sounds = sounds

    def judge(self, window: bytes, speech_prob: float) -> bool:
        """Whether a window may be the caller's.

        Args:
            window: 512 samples of 16 kHz mono 16-bit PCM.
            speech_prob: The VAD's probability of speech in it.
        """
        self._silent_windows += not self._bot_sounds
        if speech_prob < VOICED_PROB:
            if self._sound:
                self._gap = self._gap + 1 if speech_prob < QUIET_PROB else 0
                if self._gap >= self._params.gap_windows:
                    self._end_sound()
            return not self._far
        self._gap = 0
        if not self._sound:
            self._accepts_far = self._has_way_back()
        samples = np.frombuffer(window, np.int16).astype(np.float32)
        self._sound.append(float(np.dot(samples, samples)) / len(samples) + 1.0)
        self._far = self._is_far()
        if not self._far:
            self._silent_windows = 0
        return not self._far

    def is_callers(self, *, far_counts: bool = False) -> bool:
        """Whether what was said last came at a level that the caller's own voice has; for a consent.

        Args:
            far_counts: Whether voices from afar are heard all the same, so that the last may have been one.
        """
        if far_counts and (self._far if self._sound else self._was_far):
            return False
        self._settle()
        if self._best_db is None or self._last_db is None:
            return True
        return self._last_db >= self._best_db - self._params.consent_db

    def hand_over(self) -> None:
        """Somebody else will speak: whoever comes next is the caller."""
        self._powers.clear()
        self._sound = []
        self._far = self._was_far = False
        self.level_db = self._best_db = self._last_db = None

    @property
    def is_onset(self) -> bool:
        """Whether too little of the sound is known to be sure: a word of the caller's may begin softly."""
        return len(self._sound) <= self._params.onset_windows

    # --- one sound -----------------------------------------------------------------------

    def _is_far(self) -> bool:
        params = self._params
        if self.level_db is None or self._accepts_far:
            return False
        if len(self._sound) <= params.onset_windows:
            return _db(max(self._sound)) < self.level_db - params.onset_db
        return _level_db(self._sound) < self.level_db - (params.near_db if self._far else params.far_db)

    def _has_way_back(self) -> bool:
        """Whether a voice from afar must be the caller's: nobody near has answered for so long."""
        silent_secs = self._silent_windows / WINDOWS_PER_SEC
        return self._asked >= self._params.asked or silent_secs >= self._params.silent_secs

    def _settle(self) -> None:
        """Book the sound so far, if it is the caller's."""
        if self._far or not self._sound:
            return
        self._last_db = _level_db(self._sound)

    def _end_sound(self) -> None:
        self._settle()
        if not self._far:
            self._asked = 0
            if self._accepts_far and self.level_db is not None and _level_db(self._sound) < self.level_db:
                self._powers.clear()  # the caller has moved away
            self._powers.extend(self._sound)
            if len(self._powers) >= self._params.known_windows:
                self.level_db = _level_db(self._powers)
                self._best_db = max(self.level_db, self._best_db or self.level_db)
        self._was_far = self._far
        self._sound = []
        self._gap = 0
        self._far = False


def _level_db(powers: list[float] | deque[float]) -> float:
    """Level of the louder half."""
    louder = sorted(powers, reverse=True)[: max(1, len(powers) // 2)]
    return _db(sum(louder) / len(louder))


def _db(power: float) -> float:
    return 10 * math.log10(power)
