"""Nobody speaks: a silent caller is asked, a call that must end is ended, and what follows a reply that is over."""

from typing import Final

from processors.turns.asking import LEAVE_SECS, ask
from processors.turns.end_of_turn import take_floor
from processors.turns.events import ClientReady, HangUp, Phrase, ReportFault, TellClient
from processors.turns.floor import Floor
from processors.turns.replies import cancel, say
from processors.turns.states import State, Timer
from processors.turns.turn_state import Reply

FAREWELLS: Final = frozenset({Phrase.GOODBYE, Phrase.CLOSING, Phrase.TIME_UP})
"""After these the bot hangs up."""

AFTER_REPEAT_SECS: Final = 4.0
"""So long at least a caller who was asked to say it again has time for that."""

AFTER_NOISE_SECS: Final = 1.0
"""After a sound without words, so long at least until a silent caller is asked again."""

BURSTS_SECS: Final = 5.0
"""So long after a silent caller should have been asked, sounds without words are not waited for any more."""

LIMIT_FIRM_SECS: Final = 10.0
"""How long a chance to say goodbye is waited for when the longest call is nearly over; then the bot takes the floor."""


def listen(floor: Floor, *, to_noise: bool = False, least_secs: float = AFTER_NOISE_SECS) -> State:
    """The floor is free, unless somebody is speaking already.

    Args:
        floor: The floor.
        to_noise: Whether nothing was said since it was free before: the silence goes on.
        least_secs: Until a silent caller is asked after that, at least.
    """
    course = floor.course
    floor.release_voice()
    floor.clear_waits()
    if not to_noise:
        course.idle_since = floor.now
    floor.turn.is_open = False
    floor.turn.unanswered_cut = False
    floor.turn.asked_text = ""
    if floor.speech.on or floor.transcript.text():
        return take_floor(floor)
    if course.closes:
        return say_farewell(floor)
    if course.leaving:
        floor.wait(Timer.HANG_UP, floor.params.hang_up_secs)
    elif floor.params.idle_secs:
        due = course.idle_since + floor.params.idle_secs
        latest = max(due + BURSTS_SECS, floor.now)
        floor.timers[Timer.IDLE] = max(due, min(floor.now + least_secs, latest)) if to_noise else due
    return State.LISTENING


# --- a reply is over ---------------------------------------------------------------------------


def finish(floor: Floor, reply: Reply) -> State:
    """What follows a reply that is over: the floor is free; if it failed or had no sound, that was no answer."""
    floor.bot.reply = None
    if reply.error is not None and reply.ends_call:
        floor.do(ReportFault(f"a goodbye could not be spoken: {reply.error}"))
        floor.transcript.close_asked()  # nothing of it was heard, but the turn is answered
        return cannot_speak(floor, Phrase.GOODBYE)
    if reply.error is not None:
        if reply.phrase is None:
            floor.do(ReportFault(f"reply failed: {reply.error}"))
            return say(floor, reply.apology)
        floor.do(ReportFault(f"a fixed sentence could not be spoken: {reply.error}"))
        return cannot_speak(floor, reply.phrase)
    if reply.phrase in FAREWELLS:
        return take_leave(floor)
    if reply.phrase is None and not reply.playing:
        floor.do(ReportFault("a reply without sound"))
        if floor.turn.asked_again:
            return say(floor, reply.apology)
        return ask(floor, announce=False, again=True)
    if reply.phrase is None:
        floor.turn.cut_asks = 0
    return listen(floor, to_noise=reply.phrase is Phrase.REPEAT, least_secs=AFTER_REPEAT_SECS)


def cannot_speak(floor: Floor, phrase: Phrase) -> State:
    """A fixed sentence could not be said: the page tells it."""
    if phrase in FAREWELLS:
        floor.do(TellClient("The call ends now. Goodbye."))
        return take_leave(floor)
    floor.do(TellClient("The bot has no voice at the moment. Please try again, or use the text box."))
    return listen(floor)


# --- handlers ----------------------------------------------------------------------------------


def greet(floor: Floor, event: ClientReady) -> State:
    """The client can hear; one that comes back in the middle of a call is not greeted again."""
    if event.greets and not floor.bot.has_spoken:
        return say(floor, Phrase.GREETING)
    return listen(floor)


def ask_silent_caller(floor: Floor) -> State:
    """The caller has said nothing for a while: ask, and in the end part politely."""
    asked = floor.course.times_asked
    floor.course.times_asked += 1
    return say(floor, Phrase.STILL_THERE if asked < floor.params.idle_prompts else Phrase.GOODBYE)


def say_farewell(floor: Floor) -> State:
    """The call must end, and the floor is free to say so."""
    floor.course.closes = False
    return say(floor, floor.course.farewell)


def end_call_in_time(floor: Floor) -> State:
    """The longest call is nearly over: goodbye when the floor is free; then whoever has it; then hang up."""
    course, reply = floor.course, floor.bot.reply
    course.limit_stage += 1
    if course.limit_stage == 1:
        course.farewell = Phrase.TIME_UP
        course.closes = True
        floor.wait(Timer.CALL_LIMIT, LIMIT_FIRM_SECS)
        return say_farewell(floor) if floor.state is State.LISTENING else floor.state
    if course.limit_stage == 2:
        floor.wait(Timer.CALL_LIMIT, LEAVE_SECS)
        if reply is not None and reply.phrase in FAREWELLS:
            return floor.state
        course.farewell = Phrase.TIME_UP
        cancel(floor)
        floor.stop_judging()
        floor.transcript.close()
        return say_farewell(floor)
    floor.do(TellClient("The call has come to its end. Goodbye."))
    floor.do(HangUp())
    return floor.state


def take_leave(floor: Floor) -> State:
    """The goodbye has been said. Whoever speaks into the call that is about to end stays in it."""
    state = listen(floor)
    if state is State.LISTENING:
        floor.clear(Timer.IDLE)
        floor.wait(Timer.HANG_UP, floor.params.hang_up_secs)
    return state


def hang_up(floor: Floor) -> State:
    """The goodbye has been heard, and nobody has said anything since."""
    floor.do(HangUp())
    return State.LISTENING


def close(floor: Floor) -> State:
    """The call is over: nothing is waited for any more."""
    floor.timers.clear()
    floor.stop_judging()
    return State.CLOSING
