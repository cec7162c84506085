"""A reply that is awaited is covered: by a sign on the page, by "one moment", or by how long the wait will be."""

import math

from processors.turns.events import Phrase, Say, ShowWaiting, WaitsForTools, WaitsInQueue
from processors.turns.floor import Floor
from processors.turns.replies import stall_over
from processors.turns.states import State, Timer


def show_waiting(floor: Floor) -> State:
    """A pause is not yet so long that words should fill it, but long enough to wonder."""
    floor.do(ShowWaiting())
    floor.wait(Timer.SIGN, floor.params.sign_secs)
    return floor.state


def filler_due(floor: Floor) -> State:
    """The reply is late: say so."""
    say_filler(floor)
    return State.THINKING


def say_filler(floor: Floor) -> None:
    """Cover the wait: a long one in the queue is told, with its length; any other by "one moment"."""
    bot, params = floor.bot, floor.params
    wait_secs = _queue_secs(floor)
    if bot.fillers_said >= 2 and _waits_in_queue(floor):
        # One short wait follows the other: there will be more of them.
        wait_secs = max(wait_secs, params.queue_again_secs)
    if wait_secs >= params.queue_told_secs:
        phrase = Phrase.IN_QUEUE if bot.queue_told else Phrase.BUSY
        bot.queue_told = True
    else:
        wait_secs = 0.0
        phrase = Phrase.MOMENT if bot.fillers_said == 0 else Phrase.STILL
        bot.fillers_said += 1
    bot.filler = bot.new_reply(phrase)
    floor.do(Say(bot.filler.reply_id, phrase, wait_secs))
    floor.wait(Timer.FILLER, params.filler_secs)


def _waits_in_queue(floor: Floor) -> bool:
    """Whether the reply waits for a language model, or did so a moment ago."""
    queue_until = floor.bot.reply.queue_until if floor.bot.reply is not None else None
    return queue_until is not None and floor.now < queue_until + floor.params.overdue_secs


def _queue_secs(floor: Floor) -> float:
    """How much longer the reply waits in the queue; 0 if it does not."""
    queue_until = floor.bot.reply.queue_until if floor.bot.reply is not None else None
    return max(0.0, queue_until - floor.now) if queue_until is not None else 0.0


def cover_queue(floor: Floor, event: WaitsInQueue) -> State:
    """The reply comes when a language model may be asked: a long wait is told, a short one is covered soon."""
    bot, params = floor.bot, floor.params
    if bot.models_reply(event.reply_id) is None:
        return State.THINKING
    floor.wait(Timer.REPLY, event.wait_secs + params.reply_secs)
    if bot.filler is not None or bot.queue_told:
        return State.THINKING
    if event.wait_secs >= params.queue_told_secs:
        say_filler(floor)
    elif bot.fillers_said == 0:
        due = floor.timers.get(Timer.FILLER, math.inf)
        floor.timers[Timer.FILLER] = min(due, floor.now + params.tools_secs)
    return State.THINKING


def cover_tools(floor: Floor, event: WaitsForTools) -> State:
    """The reply waits for tools: it may come later, but is covered sooner; it has waited: as before."""
    reply = floor.bot.models_reply(event.reply_id)
    if reply is None:
        return State.THINKING
    floor.wait(Timer.REPLY, event.longest_secs + floor.params.reply_secs)
    filler_at = floor.timers.get(Timer.FILLER)
    if filler_at is None or floor.bot.fillers_said:
        return State.THINKING
    if event.longest_secs:
        reply.filler_at = filler_at
        floor.timers[Timer.FILLER] = min(filler_at, floor.now + floor.params.tools_secs)
    elif reply.filler_at is not None:
        floor.wait_until(Timer.FILLER, reply.filler_at)
    return State.THINKING


def tools_after_words(floor: Floor, event: WaitsForTools) -> State:
    """What has been said is followed by tools: they take their time."""
    if Timer.STALL in floor.timers and event.reply_id == floor.bot.speaking_id:
        floor.timers[Timer.STALL] = stall_over(floor)
    return State.SPEAKING


def queue_after_words(floor: Floor, event: WaitsInQueue) -> State:
    """What has been said is followed by another answer of the model, which waits; short waits may follow each other."""
    if Timer.STALL in floor.timers and event.reply_id == floor.bot.speaking_id:
        dry_since = floor.bot.dry_since if floor.bot.dry_since is not None else floor.now
        floor.timers[Timer.STALL] = min(stall_over(floor), dry_since + floor.params.reply_secs)
    return State.SPEAKING
