"""Keeps the decision on the last sound over the bot's voice, and finds out whether it was right."""

from contracts.interruption_decision import Outcome, Verdict
from processors.turns.events import PublishDecision
from processors.turns.floor import Floor
from processors.turns.states import Timer


def close_decision(floor: Floor, verdict: Verdict, reason: str, confidence: float) -> None:
    """The sound is decided: publish why; the next seconds tell whether that was right."""
    decision, sound = floor.judging.decision, floor.judging.sound
    if decision is None or sound is None or decision.verdict != "pending":
        return
    decision.verdict, decision.reason, decision.confidence = verdict, reason, confidence
    decision.verdict_ms = sound.elapsed_ms(floor.now)
    if sound.silent_since is not None and verdict == "resume":
        decision.silence_ms = round((floor.now - sound.silent_since) * 1000)
    decision.text = floor.transcript.text()
    floor.do(PublishDecision(decision.copy()))
    floor.wait(Timer.REVIEW, floor.params.review_secs)


def note_wrong(floor: Floor, *, wrong: bool) -> None:
    """It is known whether the verdict was wrong."""
    decision = floor.judging.decision
    if decision is not None and decision.verdict in ("resume", "cancel") and decision.wrong is None:
        decision.wrong = wrong
        floor.do(PublishDecision(decision.copy()))
    floor.clear(Timer.REVIEW)


def note_cancel_wrong(floor: Floor, *, wrong: bool) -> None:
    """The turn that a cancel made room for had words, or it had none, and the reply is lost."""
    decision = floor.judging.decision
    if decision is not None and decision.verdict == "cancel" and decision.wrong is None:
        decision.outcome = decision.outcome or ("lost" if wrong else "interrupted")
        note_wrong(floor, wrong=wrong)


def note_outcome(floor: Floor, outcome: Outcome, silent_secs: float = 0.0) -> None:
    """What the caller lost, or did not, by the last verdict."""
    decision = floor.judging.decision
    if decision is None or decision.verdict != "cancel" or decision.outcome is not None:
        return
    decision.outcome = outcome
    if outcome == "taken_back":
        decision.silence_ms = round(silent_secs * 1000)
        note_wrong(floor, wrong=True)


def settle_decision(floor: Floor) -> None:
    """The next seconds have told: a cancel without words was wrong, a resume that nobody disputed was right."""
    decision = floor.judging.decision
    if decision is None or decision.wrong is not None or floor.bot.suspended is not None:
        return
    said = floor.transcript.text() or floor.turn.asked_text
    note_wrong(floor, wrong=decision.verdict == "cancel" and not said)
