"""A cancel is taken back: the sound meant nothing, and the reply goes on where it stopped.

Every wait here has a deadline, and one reply is taken back so many times at most; after that only words that mean
something end it.
"""

from dataclasses import replace

from processors.turns.asking import ask
from processors.turns.decisions import note_cancel_wrong, note_outcome
from processors.turns.events import AnnounceUserStopped, GoOnDecided, ReplyPlayed, Resume, Words
from processors.turns.floor import Floor
from processors.turns.free_floor import finish
from processors.turns.meaning import Meaning
from processors.turns.replies import drop_filler, note_end, speak_on, think
from processors.turns.states import State, Timer
from processors.turns.suspended import (
    arm_take_back,
    ask_to_go_on,
    end_suspended,
    may_go_on,
    new_meaning,
    withdraw_question,
)
from processors.turns.turn_state import Reply, Suspended


def weigh_cut(floor: Floor, words: Words) -> State | None:
    """Words have come while a reply may be kept.

    Returns:
        Who has the floor if the reply has gone on, or the words are no news; None if they go on with the turn.
    """
    suspended, reply = floor.bot.suspended, floor.bot.reply
    if suspended is None or reply is None:
        return None
    if suspended.question is not None and not floor.same(floor.transcript.text(), suspended.asked):
        withdraw_question(floor)
    elif suspended.waits:
        return State.USER_SPEAKING  # the same words again
    known, verdict = new_meaning(floor), floor.params.verdict
    wanted = verdict.final_confidence if words.final else verdict.interim_confidence
    if known is Meaning.CLEAR and words.confidence >= wanted:
        end_suspended(floor)
        return None
    heard_all = floor.transcript.is_settled() and floor.transcript.has_final_since_asked()
    if known is Meaning.NONE and heard_all and not floor.speech.on:
        return _take_back(floor, suspended, reply)
    arm_take_back(floor)
    return None


def take_back_due(floor: Floor) -> State:
    """No word that means anything has come in time."""
    suspended, reply = floor.bot.suspended, floor.bot.reply
    if suspended is None or reply is None:
        return State.USER_SPEAKING
    return _take_back(floor, suspended, reply)


def take_back_empty_turn(floor: Floor) -> State | None:
    """The turn is over.

    Returns:
        Who has the floor if the turn was none, and the reply goes on, or the model decides; None if it stands.
    """
    suspended, reply = floor.bot.suspended, floor.bot.reply
    if suspended is None or reply is None:
        return None
    known = new_meaning(floor)
    if known is Meaning.NONE:
        return _take_back(floor, suspended, reply)
    ask_to_go_on(floor)
    suspended = floor.bot.suspended
    if suspended is not None and suspended.question is not None and not suspended.stands:
        floor.bot.suspended = replace(suspended, waits=True)
        due = floor.timers.get(Timer.GO_ON, floor.now)
        floor.clear_waits()
        floor.wait_until(Timer.GO_ON, due)
        floor.do(AnnounceUserStopped())
        return State.USER_SPEAKING
    floor.turn.doubted = floor.transcript.text() if known is Meaning.UNSURE and may_go_on(floor) else ""
    end_suspended(floor)
    return None


def go_on_decided(floor: Floor, event: GoOnDecided) -> State:
    """The model has begun its answer: the reply goes on, or the cut stands."""
    suspended, reply = floor.bot.suspended, floor.bot.reply
    if suspended is None or reply is None or suspended.question != event.question or suspended.stands:
        return State.USER_SPEAKING
    return _take_back(floor, suspended, reply) if event.goes_on else go_on_undecided(floor)


def go_on_undecided(floor: Floor) -> State:
    """The cut stands: the model's answer is wanted as any other is, once the turn is over."""
    suspended, reply = floor.bot.suspended, floor.bot.reply
    if suspended is None or suspended.question is None:
        return State.USER_SPEAKING
    floor.clear(Timer.GO_ON)
    if not suspended.waits:
        floor.bot.suspended = replace(suspended, stands=True)
        return State.USER_SPEAKING
    floor.turn.doubted = suspended.asked if reply is not None and not reply.over else ""
    end_suspended(floor)
    note_cancel_wrong(floor, wrong=False)
    return ask(floor, announce=False)


def _take_back(floor: Floor, suspended: Suspended, reply: Reply) -> State:
    """The reply goes on where it stopped."""
    floor.bot.suspended = None
    floor.turn.unanswered_cut = False
    reply.taken_back += 1
    note_outcome(floor, "taken_back", silent_secs=floor.now - suspended.silent_since)
    floor.clear_waits()
    if not suspended.waits:
        floor.do(AnnounceUserStopped())
    return voice_goes_on(floor)


def kept_over(floor: Floor, event: ReplyPlayed) -> State:
    """A reply that is kept has come to its end: all of it was heard, or it failed."""
    suspended, reply = floor.bot.suspended, floor.bot.reply
    if suspended is None or reply is None:
        return State.USER_SPEAKING
    if floor.bot.is_filler(event.reply_id):
        drop_filler(floor)
    elif event.reply_id == reply.reply_id and not reply.over:
        note_end(floor, reply, event)
        if reply.error is None and (reply.phrase is not None or reply.playing):
            floor.bot.suspended = None
            floor.turn.unanswered_cut = False
            floor.bot.reply = None
            floor.turn.cut_asks = 0
            floor.clear(Timer.TAKE_BACK, Timer.GO_ON)
            floor.do(Resume())
            if suspended.waits:
                return ask(floor, announce=False)
        # else: what is said about that waits until the floor is free
    return State.USER_SPEAKING


def voice_goes_on(floor: Floor) -> State:
    """The sound was nothing: its words are let go, and the voice is heard again."""
    floor.acknowledge(floor.transcript.text_since_asked())
    turn, bot, sound = floor.turn, floor.bot, floor.judging.sound
    reply = bot.reply
    if turn.unconfirmed and (floor.transcript.is_settled() or (reply is not None and reply.over)):
        turn.unconfirmed = False
        floor.clear(Timer.CONFIRM)
    if not turn.unconfirmed:
        floor.do(Resume())
    if sound is not None and sound.ended_at is not None:
        floor.stop_judging()
    if reply is not None and reply.over:
        return finish(floor, reply)
    if bot.speaking_id is None:
        return think(floor)
    if reply is not None and reply.playing:
        reply.sounding_since = floor.now
    return speak_on(floor)
