"""Handlers while both want the floor: a sound over the bot's voice is judged. Barge-in, and false interruptions."""

from contracts.interruption_decision import InterruptionDecision
from contracts.modes import InterruptionMode
from processors.turns.asking import ask
from processors.turns.decisions import close_decision, note_wrong, settle_decision
from processors.turns.end_of_turn import arm_end_of_turn, take_floor
from processors.turns.events import (
    AnnounceUserStarted,
    Duck,
    KeyPressed,
    Pause,
    PlayoutStalled,
    ReplyPlayed,
    ReplyPlaying,
    Resume,
    Scored,
    SoundEnded,
    SoundStarted,
    SoundWindow,
    SpeechEnded,
    SpeechStarted,
    StartJudging,
    TextTyped,
    Words,
)
from processors.turns.floor import ROUNDING_SECS, Floor
from processors.turns.meaning import Meaning
from processors.turns.replies import cancel, drop_filler, note_end, note_playing
from processors.turns.sound import Sound
from processors.turns.states import HASH, State, Timer
from processors.turns.suspended import cut, is_spent, meaning_of_words, new_meaning, score_of_words
from processors.turns.taken_back import voice_goes_on
from processors.turns.user_speaks import take_floor_by_key
from processors.turns.verdict.policy import Evidence, Verdict

# --- a sound begins ----------------------------------------------------------------------------


def sound_starts(floor: Floor, _: SoundStarted | SpeechStarted) -> State:
    """Lower, silence or hold back the voice at once; decide later."""
    mode, speaking = floor.params.mode, floor.state is State.SPEAKING
    if mode in (InterruptionMode.CANCEL, InterruptionMode.OFF) and speaking:
        return State.SPEAKING
    if _takes_leave(floor):
        return floor.state
    settle_decision(floor)
    judging, holding = floor.judging, _says_nothing_yet(floor)
    judging.last_sound_id += 1
    sound = judging.sound = Sound(judging.last_sound_id, started_at=floor.now, held=holding)
    if holding or mode is not InterruptionMode.DUCK:
        _fall_silent(floor, sound)
    else:
        floor.do(Duck())
        floor.wait(Timer.ESCALATE, floor.params.escalate_secs)
    judging.decision = InterruptionDecision(
        sound.sound_id, "hold" if holding else mode.value, floor.now, question_heard=floor.bot.question_heard
    )
    floor.clear(Timer.STALL, Timer.FILLER)
    floor.wait(Timer.VERDICT, floor.params.verdict_secs)
    floor.do(StartJudging(sound.sound_id))
    return State.PAUSED


def _takes_leave(floor: Floor) -> bool:
    """Whether the bot takes its leave, whoever speaks."""
    return floor.course.limit_stage >= 2


def _says_nothing_yet(floor: Floor) -> bool:
    """Whether there is no voice to lower: nothing sounds, or only just."""
    bot = floor.bot
    if bot.speaking_id is None or bot.dry_since is not None:
        return True
    reply = bot.reply
    return reply is not None and reply.reply_id == bot.speaking_id and not floor.has_said_something(reply)


def speech_over_voice(floor: Floor, event: SpeechStarted) -> State:
    """Confirmed speech that no sound announced: judge it; or, in cancel mode, obey it."""
    if _takes_leave(floor):
        return State.SPEAKING
    if floor.params.mode is InterruptionMode.CANCEL:
        cancel(floor)
        return take_floor(floor)
    sound = floor.judging.sound
    return sound_starts(floor, event) if sound is None or sound.ended_at is not None else State.SPEAKING


# --- the voice falls silent --------------------------------------------------------------------


def escalate(floor: Floor) -> State:
    """A lowered voice falls silent, unless the sound is likely nothing, and stays so; but not under a long one."""
    sound = floor.judging.sound
    if sound is None or sound.silent_since is not None:
        return State.PAUSED
    patient_until = sound.started_at + floor.params.patience_secs
    if floor.now < patient_until - ROUNDING_SECS and floor.policy.has_patience(_evidence(floor, sound)):
        floor.timers[Timer.ESCALATE] = min(floor.now + floor.params.escalate_secs, patient_until)
    else:
        _fall_silent(floor, sound)
    return State.PAUSED


def _fall_silent(floor: Floor, sound: Sound) -> None:
    sound.silent_since = floor.now
    if floor.bot.reply is not None:
        floor.bot.reply.falls_silent(floor.now)
    floor.clear(Timer.ESCALATE)
    floor.do(Pause())


def _hold_back(floor: Floor) -> None:
    """What sounded under the caller's voice is over: whatever comes next waits."""
    sound = floor.judging.sound
    if sound is not None and sound.silent_since is None:
        _fall_silent(floor, sound)


def runs_dry(floor: Floor, _: PlayoutStalled) -> State:
    """A reply that is judged under runs dry: it does not begin again over the caller."""
    if floor.bot.dry_since is not None:
        _hold_back(floor)
    return State.PAUSED


def plays_under_sound(floor: Floor, event: ReplyPlaying) -> State:
    """A reply has begun to sound: unless it is a filler, the turn that it answers is closed."""
    note_playing(floor, event)
    return State.PAUSED


# --- the sound is judged -----------------------------------------------------------------------


def judge_window(floor: Floor, _: SoundWindow) -> State:
    """So much more has been heard of the sound: judge it, now and then."""
    sound = floor.judging.sound
    if sound is None or sound.windows_since_judged < floor.params.verdict.judge_every_windows:
        return State.PAUSED
    return _judge(floor)


def judge(floor: Floor, _: SoundEnded | Scored | Words) -> State:
    """More is known of the sound: judge it."""
    return _judge(floor)


def judge_speech_end(floor: Floor, _: SpeechEnded) -> State:
    """The VAD's end of speech stands in for the sound's, if that was missed: judge it."""
    sound = floor.judging.sound
    if sound is not None and sound.ended_at is None:
        sound.ended_at = floor.now
    return _judge(floor)


def _judge(floor: Floor) -> State:
    sound = floor.judging.sound
    if sound is None:
        return State.PAUSED
    sound.windows_since_judged = 0
    evidence = _evidence(floor, sound)
    decision = floor.policy.decide(evidence)
    if decision.verdict is Verdict.CANCEL:
        return _cancel_verdict(floor, decision.reason, decision.confidence)
    if decision.verdict is Verdict.RESUME:
        if _waits_for_words(floor, sound):
            return State.PAUSED
        return _resume_verdict(floor, decision.reason, decision.confidence)
    if sound.silent_since is None and floor.policy.wants_silence(evidence):
        _fall_silent(floor, sound)
    if sound.ended_at is not None:  # wait only so long for words
        due = sound.ended_at + floor.policy.words_due_ms(evidence) / 1000
        floor.timers[Timer.VERDICT] = min(floor.timers.get(Timer.VERDICT, due), max(due, floor.now))
    return State.PAUSED


def _waits_for_words(floor: Floor, sound: Sound) -> bool:
    """Before the first sample a wait costs little, and a longer sound is likely to be the turn's second half."""
    if not sound.held or sound.voiced_ms < floor.params.short_sound_secs * 1000:
        return False
    return not (floor.transcript.is_settled() and sound.has_words_since)


def _evidence(floor: Floor, sound: Sound) -> Evidence:
    return sound.evidence(
        now=floor.now,
        text=floor.transcript.text_since_asked(),
        final=floor.transcript.has_final_since_asked(),
        confidence=floor.transcript.confidence(),
        question_heard=floor.bot.question_heard,
        holding=floor.bot.speaking_id is None,
    )


def force_verdict(floor: Floor) -> State:
    """No pause stays undecided for longer: decide on what is known."""
    sound = floor.judging.sound
    if sound is None:
        return State.PAUSED
    decision = floor.policy.decide_now(_evidence(floor, sound))
    if decision.verdict is not Verdict.CANCEL:
        return _resume_verdict(floor, decision.reason, decision.confidence)
    state = _cancel_verdict(floor, decision.reason, decision.confidence)
    if Timer.TRANSCRIPT in floor.timers:  # the words have been waited for already
        floor.wait(Timer.TRANSCRIPT, floor.params.overdue_words_secs)
    return state


def _cancel_verdict(floor: Floor, reason: str, confidence: float) -> State:
    if is_spent(floor) and meaning_of_words(floor) is not Meaning.CLEAR:
        if floor.state is State.PAUSED:
            return _resume_verdict(floor, "nothing but words ends this reply any more", confidence)
        return floor.state
    close_decision(floor, "cancel", reason, confidence)
    state = _caller_takes_floor(floor)
    if not floor.speech.on and floor.transcript.is_settled() and floor.transcript.text():
        arm_end_of_turn(floor)
    return state


def _caller_takes_floor(floor: Floor) -> State:
    """The reply is cut; if it was an answer, it is owed until the caller has said something."""
    reply = floor.bot.reply
    floor.turn.unanswered_cut = reply is not None and reply.phrase is None
    cut(floor)
    return take_floor(floor)


def _resume_verdict(floor: Floor, reason: str, confidence: float) -> State:
    close_decision(floor, "resume", reason, confidence)
    floor.clear(Timer.ESCALATE, Timer.VERDICT)
    return voice_goes_on(floor)


# --- what was let go ---------------------------------------------------------------------------


def judge_again(floor: Floor, _: Scored) -> State:
    """A sound that was let go and lasts: only a sure interruption still counts."""
    sound = floor.judging.sound
    if sound is None:
        return State.SPEAKING
    decision = floor.policy.decide(_evidence(floor, sound))
    if decision.verdict is Verdict.CANCEL:
        note_wrong(floor, wrong=True)
        return _cancel_verdict(floor, f"after a resume: {decision.reason}", decision.confidence)
    if sound.ended_at is not None:
        floor.stop_judging()
    return State.SPEAKING


def words_over_voice(floor: Floor, event: Words) -> State:
    """Words about a sound that was already let go, or that the VAD never heard."""
    if floor.params.mode is InterruptionMode.OFF or _takes_leave(floor):
        floor.transcript.close()
        return State.SPEAKING
    text = floor.transcript.text_since_asked()
    if not text:
        return State.SPEAKING
    worthless, score = new_meaning(floor) is Meaning.NONE, score_of_words(floor)
    takes = floor.policy.is_content(text, event.confidence, floor.bot.question_heard, event.final, score)
    if takes and not worthless:
        note_wrong(floor, wrong=True)
        state = _caller_takes_floor(floor)
        if event.final and not floor.speech.on:
            arm_end_of_turn(floor)
        return state
    if event.final and floor.transcript.is_settled():
        floor.acknowledge(text)
    return State.SPEAKING


def drained(floor: Floor, event: ReplyPlayed) -> State:
    """The bot had said everything while the sound was undecided: the floor is the user's."""
    bot = floor.bot
    if bot.is_filler(event.reply_id):
        drop_filler(floor)
        _hold_back(floor)
        return State.PAUSED
    reply = bot.reply
    if reply is None or reply.over or event.reply_id != reply.reply_id:
        return State.PAUSED
    note_end(floor, reply, event)
    if reply.error is not None or (reply.phrase is None and not reply.playing):
        return State.PAUSED  # it failed, or had no sound: what is said about that waits for the verdict
    floor.turn.unconfirmed = False
    close_decision(floor, "drained", "nothing was left to play", 1.0)
    floor.do(Resume())
    bot.reply = None
    floor.turn.cut_asks = 0
    floor.stop_judging()
    return take_floor(floor)


# --- by hand -----------------------------------------------------------------------------------


def interrupt_by_text(floor: Floor, event: TextTyped) -> State:
    """A typed text ends the reply at once."""
    _cancel_by_hand(floor)
    floor.transcript.add_typed(event.text)
    floor.do(AnnounceUserStarted())
    return ask(floor)


def interrupt_by_key(floor: Floor, event: KeyPressed) -> State:
    """A key ends the reply at once, as a typed text does; then the others are waited for."""
    if event.key == HASH and floor.state is State.THINKING and floor.transcript.has_keys():
        return State.THINKING  # it ends a turn of keys that has ended by itself
    _cancel_by_hand(floor)
    return take_floor_by_key(floor, event)


def _cancel_by_hand(floor: Floor) -> None:
    if floor.judging.sound is not None and floor.state is State.PAUSED:
        close_decision(floor, "cancel", "the client typed", 1.0)
    cancel(floor)
