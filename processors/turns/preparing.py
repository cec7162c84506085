"""Preemptive generation: a reply is prepared to words that may be all, before the turn is over."""

from typing import Final

from processors.turns.completeness import Completeness, completeness
from processors.turns.events import DetectEndOfTurn, PrepareReply
from processors.turns.floor import Floor
from processors.turns.states import Timer

PATIENCE_SECS: Final = 1.8
PATIENCE_GROWTH: Final = 1.5
"""How long a caller who goes on and on is waited for, and how much longer with each further request that is cut."""


def prepare_reply(floor: Floor, text: str) -> None:
    """Have a reply to these words prepared, or (no words) given up."""
    known = floor.preemptive
    if text and floor.bot.suspended is not None:
        return
    if text and (floor.same(text, known.outspoken) or _will_go_on(floor, text)):
        return  # the caller goes on: these words are not all, only the others are not known yet
    if floor.params.preemptive and not floor.same(text, known.prepared_text):
        known.prepared_text = text
        floor.do(PrepareReply(floor.next_turn_id(), text))


def _will_go_on(floor: Floor, text: str) -> bool:
    """Whether more words are sure to come: keys are pressed, something is dictated, or the caller never stops."""
    if patience_secs(floor) or Timer.KEYS in floor.timers:
        return True
    return completeness(text, floor.params.endpoint.language, floor.bot.said) is Completeness.DICTATED


def patience_secs(floor: Floor) -> float:
    """Who goes on whenever an answer is due is not asked about at each pause, but waited for longer and longer."""
    more = floor.turn.cut_asks - floor.params.patient_after_asks
    if more < 0:
        return 0.0
    return min(PATIENCE_SECS * PATIENCE_GROWTH**more, floor.params.patience_max_secs)


def prepare_early(floor: Floor) -> None:
    """A reply to words that are not final yet, if they may be all: they seldom change any more."""
    text = floor.transcript.ahead()
    if text and completeness(text, floor.params.endpoint.language) is not Completeness.UNFINISHED:
        prepare_reply(floor, text)


def prepare_while_speaking(floor: Floor) -> None:
    """Words that may be all: the turn detector is asked whether they sound so.

    A reply is prepared once they have been heard twice: the last word of a reading is often half a word.
    """
    params, known = floor.params, floor.preemptive
    text = floor.transcript.ahead()
    known.stands = floor.same(text, known.heard_last)
    known.heard_last = text
    if params.preemptive_speaking > 1 or floor.same(text, known.prepared_text):
        return
    if known.stands and floor.same(text, known.sounds_over):
        prepare_reply(floor, text)
        return
    stood_secs = floor.now - known.probed_at
    if len(text.split()) < params.probe_words or len(known.probes) >= params.probes or stood_secs < params.probe_secs:
        return
    if stood_secs < params.probe_again_secs and any(floor.same(text, asked) for asked in known.go_on):
        return
    if completeness(text, params.endpoint.language) is not Completeness.UNFINISHED:
        known.last_probe += 1
        known.probes[known.last_probe] = text
        known.probed_at = floor.now
        floor.do(DetectEndOfTurn(known.last_probe))
