"""The turn machine: who has the floor, and what happens when both want it.

Pure: :meth:`TurnMachine.handle` takes an event and ``now`` (monotonic seconds) and returns actions;
:meth:`TurnMachine.next_deadline` says when it wants a :class:`~processors.turns.events.Tick`. There is no clock,
no I/O and no asyncio in here. The thin driver is ``handler.py``.

How to read it. :data:`~processors.turns.states.RULES` is the whole of the machine: for each state the events and
timers that mean something there, the method that acts, and the states it may lead to. A pair that is not in the table
is an echo (late, double, out of order) and changes nothing but bookkeeping. The diagram in the documentation is
printed from this table, and every step asserts that it went where the table allows. The methods stand in three parts:
``user_speaks.py``, ``bot_answers.py`` and ``over_voice.py``; what they share is in ``floor.py``.

One reply at a time is wanted (``_reply``); at most one filler sentence may be spoken before it (``_filler``). A turn
stays open until the reply to it begins to sound: until then, further words extend it and the reply is asked for anew.
"""

import re
from collections.abc import Callable
from typing import Final

from processors.turns.bot_answers import BotAnswers
from processors.turns.events import (
    Action,
    CallEndsSoon,
    DetectEndOfTurn,
    EarlyWords,
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
    Tick,
    TurnScored,
    WaitsForTools,
    WaitsInQueue,
    WordHeard,
    Words,
)
from processors.turns.floor import ROUNDING_SECS
from processors.turns.over_voice import OverVoice
from processors.turns.states import RULES, State, Timer
from processors.turns.user_speaks import UserSpeaks

LIMIT_NOTICE_SECS = 15.0
"""So long before the longest call is over the bot takes the next chance to say goodbye."""

SENTENCES_KEPT: Final = 2
"""Sentences of the bot in which it may have asked for what the caller says next."""

_SENTENCE: Final = re.compile(r"(?<=[.!?…।])\s+(?=\S)")

MAX_DUE = 50
"""Timers that may fall due at one instant; more would be a loop."""


class TurnMachine(UserSpeaks, BotAnswers, OverVoice):
    """The state of one call's floor.

    Args:
        params: Times and modes.
        policy: The verdict's rules; by default made from ``params.verdict``.
    """

    # --- the face ----------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event and return what is to be done, in order.

        Args:
            event: What happened.
            now: Monotonic seconds; must never go back.
        """
        if not self._began:
            self._begin(now)
        self._now = max(now, self._now)
        self._fire_due_timers()
        if not isinstance(event, Tick) and self._keep_books(event):
            self._apply(type(event), event)
        actions, self._actions = self._actions, []
        return actions

    def next_deadline(self) -> float | None:
        """When a Tick is due (same clock as ``now``), or None while nothing is waited for."""
        return min(self._timers.values(), default=None)

    @property
    def judges(self) -> bool:
        """Whether a sound now would be one over the bot's voice (or over its thinking)."""
        return self.state in (State.THINKING, State.SPEAKING, State.PAUSED)

    # --- the machinery -----------------------------------------------------------------

    def _fire_due_timers(self) -> None:
        for _ in range(MAX_DUE):
            due = [(at, timer) for timer, at in self._timers.items() if at <= self._now + ROUNDING_SECS]
            if not due:
                return
            _, timer = min(due, key=lambda entry: (entry[0], entry[1].value))
            del self._timers[timer]
            if timer is Timer.COMMIT:
                self._committing_id = None
            self._apply(timer, None)
        raise AssertionError(f"timers without end: {self._timers}")

    def _apply(self, key: type[Event] | Timer, event: Event | None) -> None:
        rule = RULES.get((self.state, key))
        if rule is None:
            return
        before = self.state
        act: Callable[[Event | None], None] = getattr(self, rule.act)
        act(event)
        assert self.state is before or self.state in rule.leads_to, (
            f"{before.name} -{key}-> {self.state.name} is not in the table"
        )

    def _begin(self, now: float) -> None:
        """The call begins with its first event."""
        self._began = True
        self._now = now
        if self.params.max_call_secs:
            self._set(Timer.CALL_LIMIT, max(0.0, self.params.max_call_secs - LIMIT_NOTICE_SECS))

    def _keep_books(self, event: Event) -> bool:
        """Facts that hold whatever the state: who makes sound, which words are known, what was committed.

        Returns:
            False for an event that tells nothing new.
        """
        match event:
            case SpeechStarted():
                self._speech_on = True
                self._speech_pauses = False
                self._speech_started_at = self._now
                self._words_missed = False
                self._words_since_speech = False
                self._transcript.note_speech()
            case SpeechEnded():
                self._end_speech()
            case SpeechPaused() | SpeechResumed():
                self._speech_pauses = isinstance(event, SpeechPaused)
            case TurnScored() if not event.probe:
                self._p_complete = event.p_complete
            case EarlyWords():
                self._transcript.add_early(event)
            case Words() if not self._belongs_to_nobody(event):
                if not self._transcript.add(event, self._now, speaking=self._speech_on):
                    return False
                self._words_since_speech = True
                self._tells_interims |= not event.final and bool(event.text.strip())
                self._note_voiceless(event)
                of_the_turn = self._confirm(event)
                if self._sound is not None and not of_the_turn:
                    self._sound.has_words_since |= event.final
            case SoundWindow() if self._sound is not None:
                self._sound.add_window(event)
            case SoundEnded() if self._sound is not None and self._sound.ended_at is None:
                self._sound.ended_at = self._now
                if self._decision is not None and self._decision.sound_id == self._sound.sound_id:
                    self._decision.sound_ms = self._sound.elapsed_ms(self._now)
            case Scored() if self._sound is not None and self._sound.sound_id == event.sound_id:
                self._sound.score, self._sound.score_ms = event.score, event.elapsed_ms
                if self._decision is not None:
                    self._decision.scores.append((event.elapsed_ms, event.score))
                    self._decision.judge_ms += event.took_ms
            case WaitsForTools():
                if self._reply is not None and self._reply.phrase is None and event.reply_id == self._reply.reply_id:
                    self._reply.tools_until = self._now + event.longest_secs
            case WaitsInQueue():
                if self._reply is not None and self._reply.phrase is None and event.reply_id == self._reply.reply_id:
                    self._reply.queue_until = self._now + event.wait_secs
                    self._reply.tools_until = max(self._reply.tools_until or 0.0, self._reply.queue_until)
            case Refused():
                if self._reply is not None and self._reply.phrase is None and event.reply_id == self._reply.reply_id:
                    self._reply.apology = event.phrase
            case CallEndsSoon():
                self._closes = True
            case PlayoutStalled() if event.reply_id == self._speaking_id:
                self._dry_since = self._now if event.stalled else None
            case WordHeard():
                self._question_heard = event.question and event.words_left <= 1
                self._bot_said = " ".join(_SENTENCE.split(self._bot_said + event.text)[-SENTENCES_KEPT:])
            case ReplyCommitted() if event.reply_id == self._committing_id:
                self._committing_id = None
                self._timers.pop(Timer.COMMIT, None)
            case _:
                pass
        return True

    def _note_voiceless(self, words: Words) -> None:
        """Words that no speech accounts for: from a voice that the VAD does not notice. They have no other end."""
        ended_at = self._speech_ended_at
        heard = self._speech_on or (ended_at is not None and self._now - ended_at <= self.params.late_words_secs)
        if words.text.strip() and not heard:
            self._voiceless_at = self._now

    def _end_speech(self) -> None:
        """Speech has ended; unless it was a cough after words that are settled, its end wants to be rated."""
        self._speech_ended_at = self._now
        self._speech_on = False
        if self.state in (State.USER_SPEAKING, State.PAUSED) and not self._adds_nothing():
            self._p_complete = None
            self._do(DetectEndOfTurn())

    def _belongs_to_nobody(self, words: Words) -> bool:
        """Words whose speech was given up: in time they are still answered, later they are nobody's."""
        if not self._words_missed or self._speech_on or self._speech_ended_at is None:
            return False
        return self._now - self._speech_ended_at > self.params.late_words_secs

    def _close(self, _: Event | None) -> None:
        self._timers.clear()
        self._stop_judging()
        self.state = State.CLOSING
