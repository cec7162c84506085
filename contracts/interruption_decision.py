"""Interruption decisions: what was decided about one sound over the bot's voice, on what, and whether it was right."""

from dataclasses import dataclass, field, replace
from typing import Literal

Verdict = Literal["pending", "cancel", "resume", "drained"]

Outcome = Literal["taken_back", "lost", "interrupted"]


@dataclass
class InterruptionDecision:
    """The record of one sound over the bot's voice.

    All ``*_ms`` are counted from the sound's first voiced window.

    Attributes:
        sound_id: Number of the sound within the call.
        mode: What happened at its first moment: ``duck``, ``pause`` or ``hold`` (before a first sample).
        onset_secs: When, in seconds of the call's own clock.
        verdict: ``cancel``, ``resume``, ``drained`` (the bot had said everything meanwhile) or ``pending``.
        reason: Why, in a few words.
        confidence: How sure (0 to 1).
        verdict_ms: When it was decided.
        silence_ms: How long the bot's voice was silent for it; 0 when it was only lowered.
        sound_ms: Length of the sound; None while it lasts.
        text: The words that were known when it was decided.
        scores: The classifier's opinions: pairs of elapsed milliseconds and log-odds.
        judge_ms: How long the classifier took for its answers in all, waiting included.
        question_heard: Whether the bot had just asked something.
        outcome: What a cancel cost the caller: nothing but a silence (``taken_back``: the reply went on where it had
            stopped), the reply (``lost``: nobody had wanted to interrupt), or what the caller wanted it to
            (``interrupted``); None: no cancel, or not known yet.
        wrong: True if the next seconds proved the verdict wrong, False if not, None while unknown.
    """

    sound_id: int
    mode: str
    onset_secs: float
    verdict: Verdict = "pending"
    reason: str = ""
    confidence: float = 0.0
    verdict_ms: int | None = None
    silence_ms: int = 0
    sound_ms: int | None = None
    text: str = ""
    scores: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    judge_ms: float = 0.0
    question_heard: bool = False
    outcome: Outcome | None = None
    wrong: bool | None = None

    def copy(self) -> "InterruptionDecision":
        """A copy that does not change when this one does."""
        return replace(self, scores=[*self.scores])

    def as_dict(self) -> dict[str, object]:
        """Plain values for logs, messages and files."""
        return {
            "sound_id": self.sound_id,
            "mode": self.mode,
            "onset_secs": round(self.onset_secs, 3),
            "verdict": self.verdict,
            "reason": self.reason,
            "confidence": round(self.confidence, 3),
            "verdict_ms": self.verdict_ms,
            "silence_ms": self.silence_ms,
            "sound_ms": self.sound_ms,
            "text": self.text,
            "scores": [[at, round(score, 2)] for at, score in self.scores],
            "judge_ms": round(self.judge_ms, 1),
            "question_heard": self.question_heard,
            "outcome": self.outcome,
            "wrong": self.wrong,
        }
