"""What each event tells, whoever has the floor: who makes sound, which words are known, what was heard and remembered.

The machine notes these facts first; then the transition table says what follows from them. :data:`FACTS` names the
observer of each event and timer that tells something.
"""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from processors.turns.asking import confirm
from processors.turns.events import (
    CallEndsSoon,
    DetectEndOfTurn,
    EarlyWords,
    EndsCall,
    Event,
    PlayoutStalled,
    Refused,
    ReplyCommitted,
    Scored,
    SoundEnded,
    SoundWindow,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TurnScored,
    WaitsForTools,
    WaitsInQueue,
    WordHeard,
    Words,
)
from processors.turns.floor import Floor
from processors.turns.states import State, Timer

SENTENCES_KEPT: Final = 2
"""Sentences of the bot in which it may have asked for what the caller says next."""

_SENTENCE: Final = re.compile(r"(?<=[.!?…।])\s+(?=\S)")

# --- the caller's voice ------------------------------------------------------------------------


def note_speech(floor: Floor, _: SpeechStarted) -> None:
    """Somebody speaks; the words of it are still to come."""
    speech = floor.speech
    speech.on, speech.pauses = True, False
    speech.started_at = floor.now
    speech.words_since = speech.words_missed = False
    floor.transcript.note_speech()


def note_speech_end(floor: Floor, _: SpeechEnded) -> None:
    """Nobody speaks; unless it was a cough after words that are settled, the end of speech wants to be rated."""
    floor.speech.ended_at = floor.now
    floor.speech.on = False
    if floor.state in (State.USER_SPEAKING, State.PAUSED) and not floor.adds_nothing():
        floor.preemptive.p_complete = None
        floor.do(DetectEndOfTurn())


def note_pause(floor: Floor, _: SpeechPaused) -> None:
    """A silence in speech may be its end."""
    floor.speech.pauses = True


def note_no_pause(floor: Floor, _: SpeechResumed) -> None:
    """The pause was none."""
    floor.speech.pauses = False


def note_rating(floor: Floor, event: TurnScored) -> None:
    """The turn detector's opinion of the speech that has ended."""
    if not event.probe:
        floor.preemptive.p_complete = event.p_complete


def note_early_words(floor: Floor, event: EarlyWords) -> None:
    """The early recogniser's words."""
    floor.transcript.add_early(event)


def note_words(floor: Floor, event: Words) -> bool:
    """The recogniser's words.

    Returns:
        False if they tell nothing new.
    """
    if _belongs_to_nobody(floor, event):
        return True
    if not floor.transcript.add(event, floor.now, speaking=floor.speech.on):
        return False
    floor.speech.words_since = True
    floor.speech.tells_interims |= not event.final and bool(event.text.strip())
    _note_voiceless(floor, event)
    of_the_turn = confirm(floor, event)
    if floor.judging.sound is not None and not of_the_turn:
        floor.judging.sound.has_words_since |= event.final
    return True


def _belongs_to_nobody(floor: Floor, _: Words) -> bool:
    """Words whose speech was given up: in time they are still answered, later they are nobody's."""
    speech = floor.speech
    if not speech.words_missed or speech.on or speech.ended_at is None:
        return False
    return floor.now - speech.ended_at > floor.params.late_words_secs


def _note_voiceless(floor: Floor, words: Words) -> None:
    """Words that no speech accounts for: from a voice that the VAD does not notice. They have no other end."""
    ended_at = floor.speech.ended_at
    late = floor.params.late_words_secs
    heard = floor.speech.on or (ended_at is not None and floor.now - ended_at <= late)
    if words.text.strip() and not heard:
        floor.speech.voiceless_at = floor.now


# --- the sound that is judged ------------------------------------------------------------------


def note_window(floor: Floor, event: SoundWindow) -> None:
    """One more window of the sound."""
    if floor.judging.sound is not None:
        floor.judging.sound.add_window(event)


def note_sound_end(floor: Floor, _: SoundEnded) -> None:
    """The sound has faded."""
    sound, decision = floor.judging.sound, floor.judging.decision
    if sound is None or sound.ended_at is not None:
        return
    sound.ended_at = floor.now
    if decision is not None and decision.sound_id == sound.sound_id:
        decision.sound_ms = sound.elapsed_ms(floor.now)


def note_score(floor: Floor, event: Scored) -> None:
    """The sound classifier's opinion, if it is of this sound."""
    sound, decision = floor.judging.sound, floor.judging.decision
    if sound is None or sound.sound_id != event.sound_id:
        return
    sound.score, sound.score_ms = event.score, event.elapsed_ms
    if decision is not None:
        decision.scores.append((event.elapsed_ms, event.score))
        decision.judge_ms += event.took_ms


# --- the reply ---------------------------------------------------------------------------------


def note_tools(floor: Floor, event: WaitsForTools) -> None:
    """How long the reply waits for its tools at most."""
    if (reply := floor.bot.models_reply(event.reply_id)) is not None:
        reply.tools_until = floor.now + event.longest_secs


def note_queue(floor: Floor, event: WaitsInQueue) -> None:
    """How long the reply waits for a language model."""
    if (reply := floor.bot.models_reply(event.reply_id)) is not None:
        reply.queue_until = floor.now + event.wait_secs
        reply.tools_until = max(reply.tools_until or 0.0, reply.queue_until)


def note_refused(floor: Floor, event: Refused) -> None:
    """What is to be said when the reply fails."""
    if (reply := floor.bot.models_reply(event.reply_id)) is not None:
        reply.apology = event.phrase


def note_goodbye(floor: Floor, event: EndsCall) -> None:
    """After this reply the bot hangs up."""
    if (reply := floor.bot.models_reply(event.reply_id)) is not None:
        reply.ends_call = True


def note_dry(floor: Floor, event: PlayoutStalled) -> None:
    """Since when there is nothing to play of what is being said."""
    if event.reply_id == floor.bot.speaking_id:
        floor.bot.dry_since = floor.now if event.stalled else None


def note_word_heard(floor: Floor, event: WordHeard) -> None:
    """What the bot has just said, and whether it was a question."""
    floor.bot.question_heard = event.question and event.words_left <= 1
    floor.bot.said = " ".join(_SENTENCE.split(floor.bot.said + event.text)[-SENTENCES_KEPT:])


def note_committed(floor: Floor, event: ReplyCommitted) -> None:
    """History holds what was heard of the reply that was cut."""
    if event.reply_id == floor.bot.committing_id:
        floor.bot.committing_id = None
        floor.clear(Timer.COMMIT)


def note_commit_overdue(floor: Floor) -> None:
    """History is not waited for any longer."""
    floor.bot.committing_id = None


# --- the call ----------------------------------------------------------------------------------


def note_end_soon(floor: Floor, _: CallEndsSoon) -> None:
    """The call must end: the bot says so as soon as the floor is free."""
    floor.course.closes = True


# --- all of them -------------------------------------------------------------------------------

E = TypeVar("E", bound=Event)

FACTS: Final[dict[type[Event] | Timer, Callable[..., bool | None]]] = {}
"""The observer of each event and timer that tells something; one that returns False says that it told nothing new."""


def _observe(event: type[E], observer: Callable[[Floor, E], bool | None]) -> None:
    FACTS[event] = observer


_observe(SpeechStarted, note_speech)
_observe(SpeechEnded, note_speech_end)
_observe(SpeechPaused, note_pause)
_observe(SpeechResumed, note_no_pause)
_observe(TurnScored, note_rating)
_observe(EarlyWords, note_early_words)
_observe(Words, note_words)
_observe(SoundWindow, note_window)
_observe(SoundEnded, note_sound_end)
_observe(Scored, note_score)
_observe(WaitsForTools, note_tools)
_observe(WaitsInQueue, note_queue)
_observe(Refused, note_refused)
_observe(EndsCall, note_goodbye)
_observe(PlayoutStalled, note_dry)
_observe(WordHeard, note_word_heard)
_observe(ReplyCommitted, note_committed)
_observe(CallEndsSoon, note_end_soon)
FACTS[Timer.COMMIT] = note_commit_overdue
