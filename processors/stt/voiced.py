"""Words need a voice: what a recogniser writes counts only where the VAD heard one. Pure; one rule for every vendor.

A streaming recogniser writes words into silence, too. Each word has a time, and in the windows around it somebody must
have spoken: a little clear voice, or more of a faint one that is not enough for the VAD to call it speech. It is the
word's own time that counts, not when it came: late words of a real sound are words. What is typed never gets here.
"""

from collections import deque
from typing import Final

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import RecognisedWord

WINDOW_SECS: Final = WINDOW_SAMPLES / INPUT_SAMPLE_RATE_HZ

KEPT_SECS: Final = 30.0
"""How much is remembered; a result that is older is believed."""

AROUND_SECS: Final = 0.35
"""Vendors' times of words are off by so much at most."""

UNTIMED_SECS: Final = 4.0
"""A word without a time was said in the last so many seconds before its place, or in its segment."""

CLEAR: Final = (0.5, 2)
FAINT: Final = (0.2, 5)
"""Speech probability of a window, and how many such windows are a voice."""


class VoicedTrack:
    """Where in the call's audio somebody spoke."""

    def __init__(self) -> None:
        self._probs: deque[float] = deque(maxlen=round(KEPT_SECS / WINDOW_SECS))
        self._fed = 0

    def feed(self, speech_prob: float) -> None:
        """Take the VAD's probability of one more window."""
        self._probs.append(speech_prob)
        self._fed += 1

    def has_voice(self, start_secs: float, end_secs: float) -> bool:
        """Whether somebody spoke between two times, in seconds since the first window; what is forgotten: yes."""
        kept_from = self._fed - len(self._probs)
        first, last = int(start_secs / WINDOW_SECS), int(end_secs / WINDOW_SECS) + 1
        if first < kept_from or not self._fed:
            return True
        probs = list(self._probs)[first - kept_from : max(0, last - kept_from)]
        return any(sum(prob >= least for prob in probs) >= count for least, count in (CLEAR, FAINT))

    def was_said(self, word: RecognisedWord) -> bool:
        """Whether somebody can have said a word.

        Args:
            word: With its times since the first window; one whose start is its end has no time of its own.
        """
        if word.start_secs is None or word.end_secs is None:
            return True
        before = AROUND_SECS if word.end_secs > word.start_secs else UNTIMED_SECS
        return self.has_voice(max(0.0, word.start_secs - before), word.end_secs + AROUND_SECS)
