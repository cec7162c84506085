"""Handlers while the user has the floor, or takes it from nobody: words are gathered until the turn is over."""

from typing import Final

from processors.turns.asking import ask
from processors.turns.decisions import note_cancel_wrong
from processors.turns.end_of_turn import arm_early_end, arm_end_of_turn, await_words, is_silent_so_far, take_floor
from processors.turns.events import (
    AnnounceUserStarted,
    AnnounceUserStopped,
    EarlyWords,
    KeyPressed,
    Phrase,
    ReplyPlaying,
    ReportFault,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    TextTyped,
    TurnScored,
    Words,
)
from processors.turns.floor import ROUNDING_SECS, Floor
from processors.turns.free_floor import BURSTS_SECS, ask_silent_caller, listen
from processors.turns.preparing import prepare_early, prepare_reply, prepare_while_speaking
from processors.turns.replies import note_playing, say
from processors.turns.states import HASH, State, Timer
from processors.turns.suspended import arm_take_back, end_suspended, withdraw_question
from processors.turns.taken_back import take_back_empty_turn, weigh_cut

LONG_SOUND_SECS: Final = 3.0
"""A recogniser that tells words as they are said has told some by then, if any are said."""

SOUNDS_ON: Final = 0.3
"""Words that sound less complete than this while they are said are not asked about again for a while."""

# --- speech ------------------------------------------------------------------------------------


def user_takes_floor(floor: Floor, _: SpeechStarted) -> State:
    """The user speaks, and nobody else does."""
    return take_floor(floor)


def user_goes_on(floor: Floor, _: SpeechStarted) -> State:
    """The user speaks on: the turn is not over, and what was prepared is of no use."""
    _go_on_before_request(floor)
    known = floor.preemptive
    known.outspoken = known.prepared_text or known.outspoken
    prepare_reply(floor, "")
    floor.turn.relies_on_early = False
    floor.clear(Timer.END_OF_TURN, Timer.TRANSCRIPT)
    floor.wait(Timer.ENDLESS_SPEECH, floor.params.endless_speech_secs)
    arm_take_back(floor)
    return State.USER_SPEAKING


def speech_ends(floor: Floor, _: SpeechEnded) -> State:
    """Speech has ended (or was none): its words, the turn detector and the silence decide what follows."""
    await_words(floor)
    return State.USER_SPEAKING


def speech_pauses(floor: Floor, _: SpeechPaused) -> State:
    """A reply to words that are not final yet, if they may be all: they seldom change any more."""
    prepare_early(floor)
    return State.USER_SPEAKING


def _go_on_before_request(floor: Floor) -> None:
    """The turn was over, and its request waited: it is not over after all."""
    if floor.turn.ask_waits:
        floor.turn.ask_waits = False
        floor.do(AnnounceUserStarted())
    withdraw_question(floor)


def ask_noisy_caller(floor: Floor) -> State:
    """A caller who makes sounds, and says nothing, is asked like one who is silent."""
    if not is_silent_so_far(floor):
        return State.USER_SPEAKING
    speech, due = floor.speech, floor.course.idle_since + floor.params.idle_secs + BURSTS_SECS
    if floor.now < due or speech.on:
        worth_a_wait = _sound_over_at(floor)
        if worth_a_wait > floor.now + ROUNDING_SECS:
            floor.timers[Timer.IDLE] = min(worth_a_wait, floor.now + 0.5) if speech.on else worth_a_wait
            return State.USER_SPEAKING
    floor.transcript.close()
    speech.words_missed = True
    floor.do(AnnounceUserStopped())
    return ask_silent_caller(floor)


def _sound_over_at(floor: Floor) -> float:
    """When words of the sound must have come, if it has any."""
    speech = floor.speech
    if speech.on and speech.started_at is not None:
        longest_secs = LONG_SOUND_SECS if speech.tells_interims else floor.params.endless_speech_secs
        return speech.started_at + longest_secs
    return (speech.ended_at if speech.ended_at is not None else floor.now) + floor.params.take_back_secs


def bot_plays_on(floor: Floor, event: ReplyPlaying) -> State:
    """A kept reply has begun to sound: unless it is a filler, the turn that it answers is closed."""
    note_playing(floor, event)
    return State.USER_SPEAKING


# --- words -------------------------------------------------------------------------------------


def words_without_speech(floor: Floor, event: Words) -> State:
    """Words of a voice that the VAD has not noticed."""
    if not floor.transcript.text():
        return State.LISTENING
    take_floor(floor)
    return gather_words(floor, event)


def gather_words(floor: Floor, event: Words) -> State:
    """The recogniser's words: they move the end of the turn, and end a reply that was kept, or let it go on."""
    if (taken_back := weigh_cut(floor, event)) is not None:
        return taken_back
    if floor.speech.on:
        if floor.speech.pauses or event.eager:
            prepare_early(floor)
        elif not floor.same(floor.transcript.ahead(), floor.preemptive.prepared_text):
            prepare_reply(floor, "")
        if event.final:
            floor.wait(Timer.ENDLESS_SPEECH, floor.params.lost_end_secs)
        elif Timer.ENDLESS_SPEECH in floor.timers:
            floor.wait(Timer.ENDLESS_SPEECH, floor.params.endless_speech_secs)
    elif event.final and floor.transcript.is_settled():
        arm_end_of_turn(floor)
    elif not event.final:
        floor.clear(Timer.END_OF_TURN)
        floor.wait(Timer.TRANSCRIPT, floor.params.transcript_secs)
        prepare_early(floor)
        arm_early_end(floor)
    return State.USER_SPEAKING


def gather_early_words(floor: Floor, _: EarlyWords) -> State:
    """The early recogniser's words: enough to prepare a reply, and perhaps to end the turn."""
    if not floor.speech.on:
        if Timer.TRANSCRIPT in floor.timers:
            prepare_early(floor)
            arm_early_end(floor)
    elif floor.speech.pauses:
        prepare_early(floor)
    else:
        prepare_while_speaking(floor)
    return State.USER_SPEAKING


def rate_turn(floor: Floor, event: TurnScored) -> State:
    """The turn detector has an opinion: it moves the end of the turn, or lets a reply be prepared."""
    if event.probe:
        _rate_probe(floor, event)
    elif floor.transcript.awaits_final():
        arm_early_end(floor)
    elif Timer.END_OF_TURN in floor.timers:
        arm_end_of_turn(floor)
    return State.USER_SPEAKING


def _rate_probe(floor: Floor, event: TurnScored) -> None:
    known = floor.preemptive
    text = known.probes.get(event.probe, "")
    sounds_complete = event.p_complete >= floor.params.preemptive_speaking
    if text and event.p_complete < SOUNDS_ON:
        known.go_on.append(text)
    elif text and sounds_complete and floor.same(text, floor.transcript.ahead()):
        known.sounds_over = text
        if known.stands:
            prepare_reply(floor, text)


def take_typed(floor: Floor, event: TextTyped) -> State:
    """A typed text is a whole turn, together with what was said before it."""
    floor.turn.relies_on_early = False
    floor.transcript.add_typed(event.text)
    if floor.state is State.LISTENING:
        floor.do(AnnounceUserStarted())
    return ask(floor)


# --- the turn is over --------------------------------------------------------------------------


def end_turn(floor: Floor) -> State:
    """The silence has lasted: ask for a reply, or go on if the turn meant nothing."""
    if Timer.KEYS in floor.timers:
        return State.USER_SPEAKING  # the keys say when they are all there
    if floor.turn.relies_on_early and floor.transcript.awaits_final():
        floor.transcript.rely_on_early()  # they also say whether the reply that they cut goes on
    if (taken_back := take_back_empty_turn(floor)) is not None:
        return taken_back
    floor.clear(Timer.END_OF_TURN, Timer.TRANSCRIPT, Timer.ENDLESS_SPEECH)
    if floor.transcript.text():
        note_cancel_wrong(floor, wrong=False)
        return ask(floor)
    return _nothing_said(floor)


def _nothing_said(floor: Floor) -> State:
    """A sound without words. If it cost the caller a reply, that reply is asked for again."""
    turn = floor.turn
    floor.transcript.close()
    floor.do(AnnounceUserStopped())
    note_cancel_wrong(floor, wrong=True)
    if turn.unanswered_cut or (turn.is_open and turn.asked_text):
        floor.transcript.add_typed(turn.asked_text)
        return ask(floor, announce=False, again=True)
    return listen(floor, to_noise=True)


def words_missing(floor: Floor) -> State:
    """Speech has ended and the recogniser owes us its words."""
    if floor.transcript.text() or floor.bot.suspended is not None:
        return end_turn(floor)
    speech, course = floor.speech, floor.course
    started_at = speech.started_at if speech.started_at is not None else floor.now
    short = floor.now - started_at <= floor.params.short_sound_secs + floor.params.transcript_secs
    speech.words_missed = True
    floor.transcript.close()
    if short and floor.turn.unanswered_cut:
        return _nothing_said(floor)
    if course.leaving or (short and course.noise_told):  # it has been told once, and nothing was said since
        floor.do(AnnounceUserStopped())
        return listen(floor, to_noise=True)
    course.noise_told = course.noise_told or short
    floor.do(ReportFault("no transcript"))
    floor.do(AnnounceUserStopped())
    return say(floor, Phrase.REPEAT)


def end_endless_speech(floor: Floor) -> State:
    """The end of speech was missed, or it never was speech."""
    floor.speech.on = False
    floor.speech.ended_at = floor.now
    something_said = floor.bot.suspended is not None or floor.transcript.text()
    course, turn = floor.course, floor.turn
    if something_said or course.noise_told or course.leaving or turn.unanswered_cut or turn.is_open:
        return end_turn(floor)
    course.noise_told = True
    floor.transcript.close()
    floor.do(AnnounceUserStopped())
    return say(floor, Phrase.REPEAT)


# --- phone keys --------------------------------------------------------------------------------


def press_key(floor: Floor, event: KeyPressed) -> State:
    """Digits are one turn: it is over at the hash key, or when no other key follows."""
    if floor.state is State.LISTENING:
        take_floor(floor)
    else:
        _go_on_before_request(floor)
    return _add_key(floor, event)


def take_floor_by_key(floor: Floor, event: KeyPressed) -> State:
    """The first key of a turn that takes the floor from the bot."""
    take_floor(floor)
    _go_on_before_request(floor)
    return _add_key(floor, event)


def _add_key(floor: Floor, event: KeyPressed) -> State:
    if event.key == HASH and floor.transcript.has_keys():
        return ask(floor)
    end_suspended(floor)
    floor.transcript.add_key(event.key)
    floor.clear(Timer.END_OF_TURN, Timer.TRANSCRIPT)
    floor.wait(Timer.KEYS, floor.params.keys_secs)
    return State.USER_SPEAKING


def end_keys(floor: Floor) -> State:
    """No other key has followed: the turn is over, unless the caller speaks beside them."""
    return State.USER_SPEAKING if floor.speech.on else end_turn(floor)
