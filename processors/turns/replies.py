"""What happens to the one reply that is wanted: it is said, awaited, heard, cut. Whoever has the floor afterwards."""

from typing import Final

from processors.turns.events import Cancel, Phrase, ReplyPlayed, ReplyPlaying, Say
from processors.turns.floor import Floor
from processors.turns.states import State, Timer
from processors.turns.turn_state import Reply

HEARD_SECS: Final = 2.0
"""A reply that was cut after so long was listened to: the caller does not talk past the bot."""


def say(floor: Floor, phrase: Phrase) -> State:
    """Say a fixed sentence, whatever was waited for."""
    floor.release_voice()
    floor.clear_waits()
    floor.transcript.close_asked()
    floor.turn.is_open = False
    floor.bot.reply = floor.bot.new_reply(phrase)
    floor.do(Say(floor.bot.reply.reply_id, phrase))
    floor.wait(Timer.SIGN, floor.params.sign_secs)
    floor.wait(Timer.REPLY, floor.params.phrase_secs)
    return State.THINKING


def think(floor: Floor) -> State:
    """Wait for the reply; a deadline that passed while something else was heard is due soon."""
    reply = floor.bot.reply
    due = floor.timers.setdefault(Timer.REPLY, floor.now + floor.params.overdue_secs)
    if reply is not None and reply.tools_until is not None:
        floor.timers[Timer.REPLY] = max(due, reply.tools_until + floor.params.overdue_secs)
    floor.wait(Timer.SIGN, floor.params.sign_secs)
    if reply is not None and reply.phrase is None:
        floor.wait(Timer.FILLER, floor.params.filler_secs)
    return State.THINKING


def speak_on(floor: Floor) -> State:
    """The voice is heard, or is to be heard: one that has run dry has a deadline."""
    if floor.bot.dry_since is not None:
        floor.timers[Timer.STALL] = stall_over(floor)
        floor.wait(Timer.SIGN, floor.params.dry_sign_secs)
    return State.SPEAKING


def stall_over(floor: Floor) -> float:
    """When a reply that runs dry now is given up."""
    reply = floor.bot.reply
    if reply is None or reply.tools_until is None:
        return floor.now + floor.params.stall_secs
    return max(floor.now, reply.tools_until) + floor.params.reply_secs


def note_playing(floor: Floor, event: ReplyPlaying) -> bool:
    """A reply or filler has begun to sound. A reply closes the turn that it answers.

    Returns:
        False if it is neither.
    """
    bot = floor.bot
    if bot.filler is not None and event.reply_id == bot.filler.reply_id:
        bot.filler.playing = True
    elif bot.reply is not None and event.reply_id == bot.reply.reply_id:
        bot.reply.playing = True
        bot.said = ""
        floor.turn.is_open = False
        floor.clear(Timer.REPLY)
        floor.transcript.close_asked()
        sound = floor.judging.sound
        judged = floor.state is State.PAUSED and sound is not None and sound.silent_since is not None
        if not judged and bot.suspended is None:
            bot.reply.sounding_since = floor.now
    else:
        return False
    bot.speaking_id = event.reply_id
    bot.dry_since = None
    bot.question_heard = False
    floor.clear(Timer.SIGN, Timer.FILLER)
    return True


def drop_filler(floor: Floor) -> None:
    """The filler has been said."""
    floor.bot.filler = None
    floor.bot.speaking_id = None


def note_end(floor: Floor, reply: Reply, event: ReplyPlayed) -> None:
    """Keep how a reply ended. A fixed sentence, or a goodbye, of which something was heard has been said."""
    said = bool(event.heard) and (reply.phrase is not None or reply.ends_call)
    reply.over = True
    reply.error = None if said else event.error
    if reply.ends_call and (reply.playing or reply.error is not None):
        floor.course.leaving = True
    reply.falls_silent(floor.now)
    floor.bot.speaking_id = None
    floor.bot.dry_since = None


def cancel(floor: Floor) -> None:
    """End the current reply and filler; whatever was heard is committed before a new prompt."""
    bot = floor.bot
    current = bot.reply or bot.filler
    if current is None:
        return
    heard_id = bot.speaking_id
    cut = bot.reply
    unsaid = cut is not None and cut.playing and not cut.over and not floor.has_said_something(cut)
    floor.do(Cancel(current.reply_id, unsaid))
    if cut is not None and cut.phrase is None and cut.playing:
        _note_cut(floor, cut, unsaid=unsaid)
    if heard_id is not None:
        bot.committing_id = heard_id
    bot.reply = bot.filler = bot.suspended = None
    bot.speaking_id = None
    bot.dry_since = None
    floor.stop_judging()
    floor.clear_waits()
    if heard_id is not None:
        floor.wait(Timer.COMMIT, floor.params.commit_secs)


def _note_cut(floor: Floor, reply: Reply, *, unsaid: bool) -> None:
    """A reply was cut; one that had said nothing leaves its turn open."""
    if unsaid:
        floor.turn.is_open = True
        floor.transcript.reopen()
    elif reply.heard_secs(floor.now) >= HEARD_SECS:
        floor.turn.cut_asks = 0
