"""A cut reply is kept: until words mean something, a cancel can be taken back.

A sound that was judged an interruption gives the floor to the caller at once, and the bot is silent. But the reply
stays as it is, paused to the sample, with all that writes and speaks it. Words that surely mean something end it
(:func:`~processors.turns.meaning.meaning`). Words that mean nothing, or none by a deadline, give the floor back: see
``taken_back.py``. Of words of which neither is sure the language model decides, in the request that would answer them
anyway: it may say that the reply goes on.
"""

from dataclasses import replace
from typing import Final

from processors.turns.decisions import note_outcome
from processors.turns.events import AnnounceUserStarted, AskToGoOn, Pause
from processors.turns.floor import Floor
from processors.turns.meaning import Meaning, is_command, meaning
from processors.turns.replies import cancel
from processors.turns.states import State, Timer
from processors.turns.turn_state import Suspended

DOUBTED: Final = 0.05
"""Words whose confidence is so much lower than what final words need may be a mishearing."""

SURE_SCORE: Final = 0.5
"""Log-odds from which the judge believes so much in an interruption that the words of a sentence are no mishearing."""

OWN_WAITS: Final = (Timer.END_OF_TURN, Timer.TRANSCRIPT, Timer.ENDLESS_SPEECH, Timer.KEYS)
"""What is waited for while the user has the floor, whatever becomes of the reply."""


def new_meaning(floor: Floor) -> Meaning:
    """What the words are worth that were said since the last turn, and how sure it is that they were said."""
    known = meaning_of_words(floor)
    if known is not Meaning.CLEAR:
        return known
    if floor.transcript.confidence() < floor.params.verdict.final_confidence - DOUBTED:
        return Meaning.UNSURE
    score, text = score_of_words(floor), floor.transcript.text_since_asked()
    doubted = score is not None and score < SURE_SCORE and not floor.bot.question_heard
    return Meaning.UNSURE if doubted and not is_command(text, floor.params.verdict.language) else known


def meaning_of_words(floor: Floor) -> Meaning:
    """The same, whatever they sounded like."""
    text = floor.transcript.text_since_asked()
    return meaning(text, floor.params.verdict.language, answers=floor.bot.question_heard)


def score_of_words(floor: Floor) -> float | None:
    """What the judge thought of the sound that words are of which come now; None: it has heard no such sound."""
    if floor.judging.sound is not None:
        return floor.judging.sound.score
    sound = floor.judging.last_sound
    if sound is None:
        return None
    known_until = sound.started_at if sound.ended_at is None else sound.ended_at
    return sound.score if floor.now - known_until <= floor.params.late_words_secs else None


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
    said = floor.transcript.text_since_asked()
    if said != suspended.said:
        suspended = floor.bot.suspended = replace(suspended, said=said, said_at=floor.now)
    latest = suspended.cut_at + params.kept_secs
    if not floor.speech.on:
        wordless_secs = params.take_back_secs if suspended.by_voice else params.unvoiced_secs
        due = floor.now + (params.settle_secs if said else wordless_secs)
    elif said:
        due = suspended.said_at + params.stable_secs
    elif floor.speech.tells_interims:
        due = max(suspended.cut_at + params.wordless_secs, floor.now + params.take_back_secs)
    else:
        due = latest = floor.now + params.kept_secs  # its words come when it is over
    floor.wait_until(Timer.TAKE_BACK, min(due, latest))


# --- the model decides -------------------------------------------------------------------------


def may_go_on(floor: Floor) -> bool:
    """Whether the reply that is kept is the model's own, and has been heard in part."""
    reply = floor.bot.reply
    return reply is not None and reply.phrase is None and reply.playing and not reply.over


def ask_to_go_on(floor: Floor) -> None:
    """Words are known that may mean nothing: the model answers them, or says that the reply goes on.

    That is asked before the turn is sure to be over, since the answer to it is that to the turn.
    """
    bot, transcript = floor.bot, floor.transcript
    suspended, reply = bot.suspended, bot.reply
    if suspended is None or suspended.question is not None or reply is None or not may_go_on(floor):
        return
    heard_all = transcript.is_settled() and transcript.has_final_since_asked() and not floor.speech.on
    if not heard_all or new_meaning(floor) is not Meaning.UNSURE or Timer.KEYS in floor.timers:
        return
    text = transcript.text()
    bot.last_question += 1
    bot.suspended = replace(suspended, question=bot.last_question, asked=text, stands=False)
    floor.wait(Timer.GO_ON, floor.params.go_on_secs)
    floor.do(AskToGoOn(bot.last_question, floor.next_turn_id(), reply.reply_id, text))


def withdraw_question(floor: Floor) -> None:
    """The caller goes on: what the model was asked is not all that was said."""
    suspended = floor.bot.suspended
    if suspended is None or suspended.question is None:
        return
    floor.bot.suspended = replace(suspended, question=None, asked="", stands=False, waits=False)
    floor.clear(Timer.GO_ON)
    floor.do(AskToGoOn(suspended.question, floor.next_turn_id()))
    if suspended.waits:
        floor.do(AnnounceUserStarted())


def end_suspended(floor: Floor) -> None:
    """The cut stands: what was heard of the reply is history."""
    if floor.bot.suspended is None:
        return
    waits = {timer: floor.timers[timer] for timer in OWN_WAITS if timer in floor.timers}
    note_outcome(floor, "interrupted")
    cancel(floor)
    floor.timers.update(waits)
