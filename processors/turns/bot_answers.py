"""Handlers while the bot thinks and speaks, and nobody disturbs it."""

from processors.turns.end_of_turn import arm_end_of_turn, take_floor
from processors.turns.events import (
    Phrase,
    PlayoutStalled,
    ReplyPlayed,
    ReplyPlaying,
    ReportFault,
    TurnEndedEarly,
    Words,
)
from processors.turns.floor import Floor
from processors.turns.free_floor import cannot_speak, finish, listen
from processors.turns.meaning import Meaning, meaning
from processors.turns.replies import cancel, drop_filler, note_end, note_playing, say, speak_on, stall_over, think
from processors.turns.states import State, Timer
from processors.turns.transcript import beyond

# --- thinking ----------------------------------------------------------------------------------


def reply_missing(floor: Floor) -> State:
    """Nothing was heard within the deadline: say so, by voice if that works, else on the page."""
    phrase = floor.bot.reply.phrase if floor.bot.reply is not None else None
    floor.do(ReportFault("no reply" if phrase is None else "a fixed sentence could not be spoken"))
    cancel(floor)
    return say(floor, Phrase.APOLOGY) if phrase is None else cannot_speak(floor, phrase)


def words_while_thinking(floor: Floor, event: Words) -> State:
    """Words that arrive late, or change, before the reply is heard: they extend the turn."""
    turn, text = floor.turn, floor.transcript.text()
    if turn.unconfirmed and event.final and floor.transcript.is_settled() and not text:
        return _nothing_was_said(floor)
    if not event.final or not text or floor.same(text, turn.asked_text):
        return State.THINKING
    means_nothing = meaning(beyond(text, turn.asked_text), floor.params.verdict.language) is Meaning.NONE
    if means_nothing or floor.policy.is_acknowledgement(text, turn.asked_text):
        floor.acknowledge(floor.transcript.text_since_asked())
        floor.release_voice()
        return State.THINKING
    if turn.unconfirmed:
        turn.unconfirmed = False
        turn.cut_asks -= 1
        floor.do(TurnEndedEarly("changed"))
    cancel(floor)
    state = take_floor(floor)
    if not floor.speech.on:
        arm_end_of_turn(floor)
    return state


def _nothing_was_said(floor: Floor) -> State:
    """What the early recogniser took for words was none: what comes next takes the turn's place."""
    floor.turn.unconfirmed = False
    floor.do(TurnEndedEarly("changed"))
    cancel(floor)
    floor.turn.asked_text = ""
    state = listen(floor)
    floor.turn.is_open = True
    return state


# --- speaking ----------------------------------------------------------------------------------


def speak(floor: Floor, event: ReplyPlaying) -> State:
    """The reply, or a filler before it, is heard."""
    return speak_on(floor) if note_playing(floor, event) else State.THINKING


def reply_over(floor: Floor, event: ReplyPlayed) -> State:
    """A reply has been played to its end, or failed; a filler is followed by the reply."""
    if floor.bot.is_filler(event.reply_id):
        drop_filler(floor)
        return think(floor)
    reply = floor.bot.reply
    if reply is None or event.reply_id != reply.reply_id:
        return floor.state
    note_end(floor, reply, event)
    return finish(floor, reply)


def note_stall(floor: Floor, _: PlayoutStalled) -> State:
    """The reply runs dry, or flows again."""
    if floor.bot.dry_since is not None:
        floor.timers[Timer.STALL] = stall_over(floor)
        floor.wait(Timer.SIGN, floor.params.dry_sign_secs)
    else:
        floor.clear(Timer.SIGN, Timer.STALL)
    return State.SPEAKING


def give_up_stalled(floor: Floor) -> State:
    """A reply that has run dry does not go on: apologise."""
    floor.do(ReportFault("reply stalled"))
    cancel(floor)
    return say(floor, Phrase.APOLOGY)
