"""Did anybody say that? A recogniser that must write something writes words for a cough, too.

Pure rules over what is known of one segment. Moonshine (like Whisper, whose training data it shares) answers noise with
the sentences that silence is subtitled with ("You", "Thank you for watching"), with notes and with loops; and it is
less sure of them than of real words. The limits were set on noise clips (also stretched and mixed) that get past the
VAD, against real speech down to 5 dB above noise.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

MIN_EVIDENCE: Final = 0.3
"""Least product of the words' confidence and the mean speech probability."""

SHORT_SECS: Final = 0.35
"""A sound with less voice than this must be one of the two: clearly voice, or clearly words."""

CLEAR_VOICE: Final = 0.9
CLEAR_WORDS: Final = 0.7

STOCK_VOICE: Final = 0.95
"""Stock phrases need voice this clear."""

STEADY_VOICE: Final = 0.85
"""A loop of words needs a mean speech probability like that of somebody close by."""

MAX_WORDS_PER_SEC: Final = 8.0
"""Faster than anybody talks; fast speech has 5 words a second."""

STOCK_PHRASES: Final = frozenset(
    {"you", "so", "the", "i", "oh", "ah", "uh", "bye", "thank you", "thanks for watching", "thank you for watching"}
)
"""What the recogniser likes to write for no words at all."""


@dataclass(frozen=True)
class SpeechEvidence:
    """What the VAD says of a segment.

    Attributes:
        voiced_secs: Seconds of windows with a speech probability of at least 0.5.
        mean_prob: Mean speech probability from the first to the last voiced window.
        max_prob: Highest speech probability.
    """

    voiced_secs: float
    mean_prob: float
    max_prob: float


def speech_evidence(probs: list[float], window_secs: float, voiced_prob: float = 0.5) -> SpeechEvidence:
    """Sum up the speech probabilities of a segment's windows."""
    voiced = [index for index, prob in enumerate(probs) if prob >= voiced_prob]
    if not voiced:
        return SpeechEvidence(0.0, 0.0, max(probs, default=0.0))
    within = probs[voiced[0] : voiced[-1] + 1]
    return SpeechEvidence(len(voiced) * window_secs, float(np.mean(within)), max(within))


def is_plausible(text: str, confidence: float, evidence: SpeechEvidence) -> bool:
    """Whether a segment's text may be what somebody said.

    Args:
        text: What the recogniser wrote.
        confidence: Its mean confidence (0 to 1).
        evidence: What the VAD says of the segment.
    """
    words = _words(text)
    if not words or confidence * evidence.mean_prob < MIN_EVIDENCE:
        return False
    clear_voice = evidence.max_prob >= CLEAR_VOICE
    if evidence.voiced_secs < SHORT_SECS and not clear_voice and confidence < CLEAR_WORDS:
        return False
    if " ".join(words) in STOCK_PHRASES and evidence.max_prob < STOCK_VOICE:
        return False
    if loops(words) and evidence.mean_prob < STEADY_VOICE:
        return False
    return len(words) <= 2 + MAX_WORDS_PER_SEC * evidence.voiced_secs


def loops(words: list[str]) -> bool:
    """Whether two or more words come three times in a row, as they are; single words may ("no, no, no", "5 5 5")."""
    for length in range(2, len(words) // 3 + 1):
        for start in range(len(words) - 3 * length + 1):
            unit = words[start : start + length]
            if len(set(unit)) > 1 and unit * 3 == words[start : start + 3 * length]:
                return True
    return False


def _words(text: str) -> list[str]:
    """Words in lower case without punctuation, signs and notes."""
    return "".join(c if c.isalnum() or c in "'’" else " " for c in text.lower()).split()
