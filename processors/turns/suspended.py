"""A cut reply is kept: until words mean something, a cancel can be taken back.

A sound that was judged an interruption gives the floor to the caller at once, and the bot is silent. But the reply
stays as it is, paused to the sample, with all that writes and speaks it. Words that surely mean something end it
(:func:`~processors.turns.meaning.meaning`). Words that mean nothing, or none by a deadline, give the floor back: see
``taken_back.py``.
"""

from typing import Final

from processors.turns.decisions import note_outcome
from processors.turns.events import Pause
from processors.turns.floor import Floor
from processors.turns.meaning import Meaning, meaning
from processors.turns.replies import cancel
from processors.turns.states import State, Timer
from processors.turns.turn_state import Suspended

DOUBTED: Final = 0.05
"""Words whose confidence is so much lower than what final words need may be a mishearing."""

OWN_WAITS: Final = (Timer.END_OF_TURN, Timer.TRANSCRIPT, Timer.ENDLESS_SPEECH, Timer.KEYS)
"""What is waited for while the user has the floor, whatever becomes of the reply."""


def new_meaning(floor: Floor) -> Meaning:
    """What the words are worth that were said since the last turn."""
    text = floor.transcript.text_since_asked()
    known = meaning(text, floor.params.verdict.language, answers=floor.bot.question_heard)
    if known is Meaning.CLEAR and floor.transcript.confidence() < floor.params.verdict.final_confidence - DOUBTED:
        return Meaning.UNSURE
    return known


def is_spent(floor: Floor) -> bool:
    """Whether the reply has been taken back so often that only words end it now."""
    reply = floor.bot.reply
    return reply is not None and 0 < floor.params.take_backs <= reply.taken_back


def cut(floor: Floor) -> None:
    """The caller gets the floor. The reply ends if the words say so; else it is kept for a while."""
    reply = floor.bot.reply
    final = not floor.params.take_backs or is_spent(floor) or new_meaning(floor) is Meaning.CLEAR
    if reply is None or reply.over or final:
        cancel(floor)
        return
    sound, spoke_at = floor.judging.sound, floor.speech.started_at
    silent_since = sound.silent_since if sound is not None and floor.state is State.PAUSED else None
    if silent_since is None:
        silent_since = floor.now
        reply.falls_silent(floor.now)
        floor.do(Pause())
    by_voice = sound is None or (spoke_at is not None and spoke_at >= sound.started_at)
    floor.stop_judging()
    floor.clear_waits()
    floor.bot.suspended = Suspended(cut_at=floor.now, silent_since=silent_since, by_voice=by_voice)


def arm_take_back(floor: Floor) -> None:
    """When the reply goes on, as things are."""
    suspended, params = floor.bot.suspended, floor.params
    if suspended is None:
        return
    if new_meaning(floor) is not Meaning.NONE:
        floor.clear(Timer.TAKE_BACK)  # the end of the turn decides
        return
    latest = suspended.cut_at + params.kept_secs
    if not floor.speech.on:
        said = bool(floor.transcript.text_since_asked())
        wordless_secs = params.take_back_secs if suspended.by_voice else params.unvoiced_secs
        due = floor.now + (params.settle_secs if said else wordless_secs)
    elif floor.speech.tells_interims:
        due = max(suspended.cut_at + params.wordless_secs, floor.now + params.take_back_secs)
    else:
        due = latest = floor.now + params.kept_secs  # its words come when it is over
    floor.wait_until(Timer.TAKE_BACK, min(due, latest))


def end_suspended(floor: Floor) -> None:
    """The cut stands: what was heard of the reply is history."""
    if floor.bot.suspended is None:
        return
    waits = {timer: floor.timers[timer] for timer in OWN_WAITS if timer in floor.timers}
    note_outcome(floor, "interrupted")
    cancel(floor)
    floor.timers.update(waits)
