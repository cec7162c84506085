"""What the bot's policy makes of sounds and their words: the judge's scores and the recogniser's readings, in time.

Each clip is one sound over the bot's voice. The judge's opinions and the words arrive as in a call: an interim result
after 0.35 s and then each 0.3 s, the final one soon after the end. Whole calls (``python -m loadtest interruptions``)
cost a hundred times as much and find the same, but for what comes after a clip's first sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from processors.stt.moonshine_model import Analysis, analyse, analyse_twice
from processors.stt.plausibility import is_plausible, speech_evidence
from processors.turns.verdict.features import TAIL
from processors.turns.verdict.policy import Evidence, Verdict, VerdictPolicy
from training.moments import Moment

WINDOW_SECS: Final = 0.032
VOICED_PROB: Final = 0.5
JUDGE_MS: Final = 25
READING_MS: Final = 70
FINAL_MS: Final = 80
"""From a sound's end to its final words."""

READ_MS: Final = (416, 800, 1200)
"""At which of the judged lengths the words so far are read."""


@dataclass(frozen=True)
class Reading:
    """What the recogniser tells of a sound.

    Attributes:
        elapsed_ms: How much of it was heard.
        final: Whether it had ended.
        text: The words; empty if nobody can have said them.
        confidence: Mean probability of them.
    """

    elapsed_ms: int
    final: bool
    text: str
    confidence: float


def readings(asked: Sequence[Moment]) -> list[Reading]:
    """What the recogniser makes of a sound, at some of the moments at which the judge is asked about it."""
    found = []
    for moment in asked:
        if moment.ended or any(abs(moment.elapsed_ms - at) <= 32 for at in READ_MS):
            read = analyse_twice if moment.ended else analyse
            found.append(_reading(moment, read(np.concatenate([moment.pcm, TAIL]))))
    return found


def _reading(moment: Moment, analysis: Analysis) -> Reading:
    evidence = speech_evidence(list(map(float, moment.speech_probs)), WINDOW_SECS)
    plausible = is_plausible(analysis.text, analysis.confidence, evidence)
    text = analysis.text if plausible else ""
    return Reading(moment.elapsed_ms, moment.ended, text, analysis.confidence if text else 0.0)


@dataclass(frozen=True)
class Opinion:
    """The judge's score of a sound at one moment, and how much of it was voice."""

    elapsed_ms: int
    ended: bool
    score: float
    voiced_ms: int
    mean_prob: float
    max_prob: float


@dataclass(frozen=True)
class Outcome:
    """What became of a sound: when it cancelled, or None, and why."""

    cancel_ms: int | None
    reason: str


def replay(policy: VerdictPolicy, opinions: Sequence[Opinion], read: Sequence[Reading]) -> Outcome:
    """Let a policy decide on one sound."""
    ended_ms = next((each.elapsed_ms for each in opinions if each.ended), None)
    events: list[tuple[int, int, Opinion | Reading | None]] = []
    events += [(opinion.elapsed_ms + JUDGE_MS, 0, opinion) for opinion in opinions]
    events += [(each.elapsed_ms + (FINAL_MS if each.final else READING_MS), 1, each) for each in read]
    if ended_ms is None:
        events += [(at, 2, None) for at in range(1200, 2000, 64)]
    else:
        events += [(ended_ms + due, 2, None) for due in (0, 100, 250, 500, 700)]
    opinion, reading, let_go = opinions[0], Reading(0, False, "", 1.0), False
    known = False
    reason = "nothing"
    for now_ms, _, event in sorted(events, key=lambda each: each[:2]):
        if isinstance(event, Opinion):
            opinion, known = event, True
        elif isinstance(event, Reading):
            reading = event
        if now_ms < 160:
            continue
        over = ended_ms is not None and now_ms >= ended_ms
        score = opinion.score if known else None
        if let_go and over:
            counts = isinstance(event, Reading) and event.text
            if counts and policy.is_content(reading.text, reading.confidence, False, reading.final, score):
                return Outcome(now_ms, f"words after a resume: {reading.text}")
            continue
        decide = policy.decide if now_ms < 1950 else policy.decide_now
        decision = decide(_evidence(opinion, reading, now_ms, ended_ms if over else None, score))
        if decision.verdict is Verdict.CANCEL:
            return Outcome(now_ms, decision.reason)
        if decision.verdict is Verdict.RESUME:
            let_go, reason = True, decision.reason
    return Outcome(None, reason)


def _evidence(opinion: Opinion, reading: Reading, now_ms: int, ended_ms: int | None, score: float | None) -> Evidence:
    return Evidence(
        elapsed_ms=now_ms,
        since_end_ms=None if ended_ms is None else now_ms - ended_ms,
        voiced_ms=opinion.voiced_ms,
        max_prob=opinion.max_prob,
        mean_prob=opinion.mean_prob,
        level_dbfs=-25.0,
        interim_text=reading.text,
        final_text=reading.text if reading.final else None,
        text_confidence=reading.confidence if reading.text else 1.0,
        question_heard=False,
        score=score,
        score_ms=opinion.elapsed_ms,
    )
