"""Endpointing: the user has the floor, and their words, the turn detector and the silence say when the turn is over."""

from processors.turns.endpoint import wait_ms
from processors.turns.events import AnnounceUserStarted
from processors.turns.floor import Floor
from processors.turns.preparing import patience_secs, prepare_early, prepare_reply
from processors.turns.states import State, Timer
from processors.turns.suspended import arm_take_back, ask_to_go_on


def take_floor(floor: Floor) -> State:
    """The user speaks, or has spoken: their words are waited for."""
    floor.clear_waits()
    floor.turn.relies_on_early = False
    known = floor.preemptive
    known.go_on = []
    known.heard_last = known.sounds_over = ""
    known.stands = False
    floor.do(AnnounceUserStarted())
    if is_silent_so_far(floor):
        floor.wait_until(Timer.IDLE, floor.course.idle_since + floor.params.idle_secs)
    if floor.speech.on:
        floor.wait(Timer.ENDLESS_SPEECH, floor.params.endless_speech_secs)
        arm_take_back(floor)
    else:
        await_words(floor)
    return State.USER_SPEAKING


def is_silent_so_far(floor: Floor) -> bool:
    """Whether nothing has been said since the floor was free: no word, no key."""
    turn = floor.turn
    owed = turn.is_open or floor.bot.suspended is not None or turn.unanswered_cut
    typed = Timer.KEYS in floor.timers or turn.ask_waits
    return bool(floor.params.idle_secs) and not owed and not floor.transcript.text() and not typed


def await_words(floor: Floor) -> None:
    """Speech has ended (or was none): its words, the turn detector and the silence decide what follows."""
    floor.clear(Timer.ENDLESS_SPEECH)
    arm_take_back(floor)
    if floor.adds_nothing():
        text = floor.transcript.text()
        secs = wait_ms(text, floor.preemptive.p_complete, floor.params.endpoint, floor.bot.said) / 1000
        floor.wait(Timer.END_OF_TURN, max(secs, floor.params.short_transcript_secs))
        return
    floor.wait(Timer.TRANSCRIPT, floor.params.transcript_secs)
    owes_words = floor.speech.started_at is not None and not floor.speech.words_since
    if floor.transcript.is_settled() and floor.transcript.text() and not owes_words:
        arm_end_of_turn(floor)
    else:
        prepare_early(floor)
        arm_early_end(floor)


def arm_early_end(floor: Floor) -> None:
    """The turn may be over before its final words are known, if words and sound are complete."""
    text, p_complete = floor.transcript.ahead(), floor.preemptive.p_complete
    if not floor.params.early_end or not text or p_complete is None or not floor.transcript.ahead_is_whole():
        return
    endpoint, ended_at = floor.params.endpoint, floor.speech.ended_at
    wait = wait_ms(text, p_complete, endpoint, floor.bot.said)
    if wait > endpoint.sure_ms or p_complete < endpoint.sounds_complete or ended_at is None:
        return
    floor.turn.relies_on_early = True
    floor.wait_until(Timer.END_OF_TURN, ended_at + wait / 1000)


def arm_end_of_turn(floor: Floor) -> None:
    """The words are there: the turn is over after the silence that they, and how they sounded, ask for."""
    floor.turn.relies_on_early = False
    params, text = floor.params, floor.transcript.text()
    voiceless = floor.is_voiceless()
    ended_at = floor.speech.voiceless_at if voiceless else floor.speech.ended_at
    if ended_at is None:
        ended_at = floor.now
    p_complete = None if voiceless else floor.preemptive.p_complete
    secs = wait_ms(text, p_complete, params.endpoint, floor.bot.said) / 1000
    if voiceless:
        secs = max(secs, params.endpoint.voiceless_ms / 1000)
    elif text and p_complete is None:
        secs = max(secs, params.turn_score_secs)
    if not floor.transcript.has_final():
        secs = params.transcript_secs
    else:
        if ended_at + secs > floor.now:
            prepare_reply(floor, text)
        floor.clear(Timer.TRANSCRIPT)
    floor.wait_until(Timer.END_OF_TURN, ended_at + max(secs, patience_secs(floor)))
    ask_to_go_on(floor)
