"""Simple strategies for a sound over the bot's voice, as other bots have them: to measure the bot's own against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from processors.turns.verdict.policy import Decision, Evidence, Verdict, VerdictPolicy

VOICED_MS: Final = 50
"""Voice of this length confirms an interruption."""

LEVEL_DBFS: Final = -30.0
"""A sound of this level is taken for an interruption."""


class VoicedFor(VerdictPolicy):
    """So much voice interrupts, whatever it says."""

    def decide(self, evidence: Evidence) -> Decision:
        """Cancel when there is enough voice; let go what ends before."""
        if evidence.voiced_ms >= VOICED_MS:
            return Decision(Verdict.CANCEL, 1.0, f"{VOICED_MS} ms of voice")
        over = evidence.since_end_ms is not None
        return Decision(Verdict.RESUME if over else Verdict.HOLD, 1.0, "not enough voice")

    def decide_now(self, evidence: Evidence) -> Decision:
        """The same, without waiting."""
        decision = self.decide(evidence)
        return Decision(Verdict.RESUME, 1.0, decision.reason) if decision.verdict is Verdict.HOLD else decision


class LouderThan(VoicedFor):
    """So loud a sound interrupts, whatever it is."""

    def decide(self, evidence: Evidence) -> Decision:
        """Cancel when it is loud enough; let go what ends before."""
        if evidence.level_dbfs >= LEVEL_DBFS:
            return Decision(Verdict.CANCEL, 1.0, f"louder than {LEVEL_DBFS:.0f} dBFS")
        over = evidence.since_end_ms is not None
        return Decision(Verdict.RESUME if over else Verdict.HOLD, 1.0, "not loud enough")


@dataclass(frozen=True)
class Strategy:
    """What a sound over the bot's voice does.

    Attributes:
        mode: Setting ``INTERRUPTION_MODE``.
        policy: Who decides; None: the bot's own.
    """

    mode: str
    policy: VerdictPolicy | None = None


STRATEGIES: Final[Mapping[str, Strategy]] = {
    "duck, then decide (base)": Strategy("duck"),
    "pause, then decide": Strategy("pause"),
    "cancel at once": Strategy("cancel"),
    f"cancel after {VOICED_MS} ms of voice": Strategy("duck", VoicedFor()),
    f"cancel above {LEVEL_DBFS:.0f} dBFS": Strategy("duck", LouderThan()),
}
"""By their names in the tables; the first is what the others are set against."""
