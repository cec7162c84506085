"""The user's turn is over: a reply to it is asked for, or something is said instead."""

from typing import Final

from processors.turns.events import AnnounceUserStopped, AskReply, KeepTurn, Pause, Phrase, TurnEndedEarly, Words
from processors.turns.floor import Floor
from processors.turns.partner import Suspicion
from processors.turns.replies import say, think
from processors.turns.states import State, Timer
from processors.turns.suspended import end_suspended

LEAVE_SECS: Final = 8.0
"""How long the bot takes to leave once it must: then it hangs up, said or not."""


def ask(floor: Floor, *, announce: bool = True, again: bool = False) -> State:
    """Ask for a reply to the open turn; a prompt waits until history holds what was heard before.

    Args:
        floor: The floor.
        announce: Whether the client has not been told yet that the user's turn is over.
        again: Whether a reply to the same words has been asked for before: that is done once.
    """
    turn = floor.turn
    end_suspended(floor)
    floor.clear_waits()
    if announce:
        floor.do(AnnounceUserStopped())
    if floor.bot.committing_id is not None:
        turn.ask_waits, turn.again_waits = True, again
        return State.USER_SPEAKING
    text = floor.transcript.text()
    again = again or turn.again_waits or (turn.is_open and floor.same(text, turn.asked_text))
    turn.ask_waits = turn.again_waits = False
    if again and turn.asked_again:
        return say(floor, Phrase.REPEAT)
    turn.asked_again = again
    extends = turn.is_open
    if not turn.is_open:
        turn.turn_id += 1
        turn.is_open = True
    suspicion = Suspicion.NONE if again else _suspicion(floor, text, extends=extends)
    if suspicion is not Suspicion.NONE:
        return _answer_machine(floor, suspicion, text)
    return _ask_model(floor, text)


def _ask_model(floor: Floor, text: str) -> State:
    turn, bot = floor.turn, floor.bot
    doubted = bool(turn.doubted) and floor.same(text, turn.doubted)
    turn.asked_text = text
    turn.unanswered_cut = False
    turn.doubted = ""
    turn.cut_asks += 1
    floor.transcript.mark_asked()
    floor.course.times_asked = 0
    floor.course.noise_told = floor.course.leaving = False
    bot.reply = bot.new_reply()
    bot.fillers_said = 0
    bot.queue_told = False
    floor.preemptive.prepared_text = floor.preemptive.outspoken = ""
    floor.preemptive.probes.clear()
    floor.do(AskReply(turn.turn_id, bot.reply.reply_id, text, doubted))
    floor.wait(Timer.REPLY, floor.params.reply_secs)
    state = think(floor)
    if not floor.transcript.is_settled() and turn.relies_on_early:
        _await_confirmation(floor)
    return state


def ask_after_commit(floor: Floor) -> State:
    """History holds what was heard before: the request that has waited is made."""
    if floor.turn.ask_waits and floor.bot.committing_id is None:
        return ask(floor, announce=False)
    return State.USER_SPEAKING


# --- a turn that ended before its final words were known ---------------------------------------


def _await_confirmation(floor: Floor) -> None:
    """The turn was ended before its final words were known: the voice waits for them."""
    since = floor.speech.ended_at if floor.speech.ended_at is not None else floor.now
    floor.turn.relies_on_early = False
    floor.turn.unconfirmed = True
    floor.wait_until(Timer.CONFIRM, since + floor.params.confirm_secs)
    floor.do(Pause())


def confirm(floor: Floor, words: Words) -> bool:
    """Whether words are those of a turn that was ended early: all its final ones, or a first reading of all of them."""
    turn = floor.turn
    if not turn.unconfirmed or not floor.same(floor.transcript.text(), turn.asked_text):
        return False
    if floor.transcript.is_settled() or floor.same(words.text, turn.asked_text):
        floor.do(TurnEndedEarly("confirmed"))
        floor.release_voice()
    return True


def speak_unconfirmed(floor: Floor) -> State:
    """The final words are late: what was heard early must do."""
    floor.do(TurnEndedEarly("unconfirmed"))
    floor.release_voice()
    return floor.state


# --- no person on the line ---------------------------------------------------------------------


def _suspicion(floor: Floor, text: str, *, extends: bool) -> Suspicion:
    """Whether a machine seems to be on the line."""
    return floor.course.partner.note(text, extends=extends) if floor.transcript.is_spoken() else Suspicion.NONE


def _answer_machine(floor: Floor, suspicion: Suspicion, text: str) -> State:
    """A machine seems to be on the line: it is asked once whether it is a person, then left."""
    floor.do(KeepTurn(floor.turn.turn_id, text))
    floor.transcript.close()
    if suspicion is Suspicion.ASK:
        return say(floor, Phrase.PERSON)
    floor.course.limit_stage = 2
    floor.wait(Timer.CALL_LIMIT, LEAVE_SECS)
    return say(floor, Phrase.GOODBYE)
