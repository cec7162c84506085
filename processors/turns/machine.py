"""The turn machine: who has the floor, and what happens when both want it.

Pure: :meth:`TurnMachine.handle` takes an event and ``now`` (monotonic seconds) and returns actions;
:meth:`TurnMachine.next_deadline` says when it wants a :class:`~processors.turns.events.Tick`. There is no clock,
no I/O and no asyncio in here. The thin driver is ``handler.py``.

How to read it. :data:`~processors.turns.states.RULES` is the whole of the machine: for each state the events and
timers that mean something there, the method that acts, and the states it may lead to. A pair that is not in the table
is an echo (late, double, out of order) and changes nothing but bookkeeping. The diagram in the documentation is
printed from this table, and every step asserts that it went where the table allows.

One reply at a time is wanted (``_reply``); at most one filler sentence may be spoken before it (``_filler``). A turn
stays open until the reply to it begins to sound: until then, further words extend it and the reply is asked for anew.
"""

from collections.abc import Callable
from dataclasses import dataclass

from processors.turns.card import DecisionCard
from processors.turns.endpoint import wait_ms
from processors.turns.events import (
    Action,
    AnnounceUserStarted,
    AnnounceUserStopped,
    AskReply,
    Backchannel,
    Cancel,
    DetectEndOfTurn,
    Duck,
    Event,
    Pause,
    Phrase,
    PlayoutStalled,
    PublishCard,
    ReplyCommitted,
    ReplyPlayed,
    ReplyPlaying,
    ReportFault,
    Resume,
    Say,
    Scored,
    SoundEnded,
    SoundWindow,
    SpeechEnded,
    SpeechStarted,
    StartJudging,
    StopJudging,
    TellClient,
    TextTyped,
    Tick,
    TurnScored,
    WordHeard,
    Words,
)
from processors.turns.sound import Sound
from processors.turns.states import RULES, InterruptionMode, State, Timer, TurnParams
from processors.turns.transcript import Transcript, beyond, normalised
from processors.turns.verdict.policy import Evidence, Verdict, VerdictPolicy

MAX_DUE = 50
"""Timers that may fall due at one instant; more would be a loop."""

ROUNDING_SECS = 1e-6
"""A timer is due this much before its time: sums of seconds differ in their last digits."""


@dataclass
class _Reply:
    reply_id: int
    phrase: Phrase | None = None
    playing: bool = False


class TurnMachine:
    """The state of one call's floor.

    Args:
        params: Times and modes.
        policy: The verdict's rules; by default made from ``params.verdict``.
    """

    def __init__(self, params: TurnParams | None = None, policy: VerdictPolicy | None = None) -> None:
        self.params = params or TurnParams()
        self.state = State.LISTENING
        self.turn_id = 0
        self._policy = policy or VerdictPolicy(self.params.verdict)
        self._timers: dict[Timer, float] = {}
        self._actions: list[Action] = []
        self._now = 0.0
        self._transcript = Transcript()
        self._turn_open = False
        self._asked_text = ""
        self._last_reply_id = 0
        self._reply: _Reply | None = None
        self._filler: _Reply | None = None
        self._fillers_said = 0
        self._speaking_id: int | None = None
        self._committing_id: int | None = None
        self._ask_waits = False
        self._speech_on = False
        self._speech_started_at = 0.0
        self._speech_ended_at: float | None = None
        self._words_missed = False
        self._p_complete: float | None = None
        self._question_heard = False
        self._sound: Sound | None = None
        self._last_sound_id = 0
        self._card: DecisionCard | None = None
        self._unanswered_cut = False

    # --- the face ----------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event and return what is to be done, in order.

        Args:
            event: What happened.
            now: Monotonic seconds; must never go back.
        """
        self._now = max(now, self._now)
        self._fire_due_timers()
        if not isinstance(event, Tick):
            self._keep_books(event)
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

    def _keep_books(self, event: Event) -> None:
        """Facts that hold whatever the state: who makes sound, which words are known, what was committed."""
        match event:
            case SpeechStarted():
                self._speech_on = True
                self._speech_started_at = self._now
                self._words_missed = False
            case SpeechEnded():
                self._end_speech()
            case TurnScored():
                self._p_complete = event.p_complete
            case Words() if not self._belongs_to_nobody(event):
                self._transcript.add(event)
                if self._sound is not None:
                    self._sound.has_words_since |= event.final
            case SoundWindow() if self._sound is not None:
                self._sound.add_window(event)
            case SoundEnded() if self._sound is not None and self._sound.ended_at is None:
                self._sound.ended_at = self._now
                if self._card is not None and self._card.sound_id == self._sound.sound_id:
                    self._card.sound_ms = self._sound.elapsed_ms(self._now)
            case Scored() if self._sound is not None and self._sound.sound_id == event.sound_id:
                self._sound.score, self._sound.score_ms = event.score, event.elapsed_ms
                if self._card is not None:
                    self._card.scores.append((event.elapsed_ms, event.score))
                    self._card.cpu_ms += event.cpu_ms
            case WordHeard():
                self._question_heard = event.question and event.words_left <= 1
            case ReplyCommitted() if event.reply_id == self._committing_id:
                self._committing_id = None
                self._timers.pop(Timer.COMMIT, None)
            case _:
                pass

    def _end_speech(self) -> None:
        """Speech has ended; unless it was a cough after words that are settled, its end wants to be rated."""
        self._speech_ended_at = self._now
        self._speech_on = False
        if self.state in (State.USER_SPEAKING, State.PAUSED) and not self._adds_nothing():
            self._p_complete = None
            self._do(DetectEndOfTurn())

    def _adds_nothing(self) -> bool:
        """Whether the last sound was too short to add to a turn that is complete without it."""
        short = self._now - self._speech_started_at <= self.params.short_sound_secs
        return short and self._transcript.is_settled() and bool(self._transcript.text())

    def _belongs_to_nobody(self, words: Words) -> bool:
        """Words whose speech was given up: in time they are still answered, later they are nobody's."""
        if not self._words_missed or self._speech_on or self._speech_ended_at is None:
            return False
        return self._now - self._speech_ended_at > self.params.late_words_secs

    def _set(self, timer: Timer, secs: float) -> None:
        self._timers[timer] = self._now + secs

    def _clear(self, *timers: Timer) -> None:
        for timer in timers:
            self._timers.pop(timer, None)

    def _do(self, action: Action) -> None:
        self._actions.append(action)

    # --- the user speaks ---------------------------------------------------------------

    def _user_takes_floor(self, _: Event | None = None) -> None:
        self._clear_waits()
        self.state = State.USER_SPEAKING
        self._do(AnnounceUserStarted())
        if self._speech_on:
            self._set(Timer.ENDLESS_SPEECH, self.params.endless_speech_secs)
        else:
            self._await_words()

    def _user_goes_on(self, _: Event | None) -> None:
        if self._ask_waits:
            self._ask_waits = False
            self._do(AnnounceUserStarted())
        self._clear(Timer.END_OF_TURN, Timer.TRANSCRIPT)
        self._set(Timer.ENDLESS_SPEECH, self.params.endless_speech_secs)

    def _await_words(self, _: Event | None = None) -> None:
        """Speech has ended (or was none): its words, the turn detector and the silence decide what follows."""
        self._clear(Timer.ENDLESS_SPEECH)
        if self._adds_nothing():
            text = self._transcript.text()
            secs = wait_ms(text, self._p_complete, self.params.endpoint) / 1000
            self._set(Timer.END_OF_TURN, max(secs, self.params.short_transcript_secs))
            return
        self._set(Timer.TRANSCRIPT, self.params.transcript_secs)
        if self._transcript.is_settled() and self._transcript.text():
            self._arm_end_of_turn()

    def _gather_words(self, event: Event | None) -> None:
        assert isinstance(event, Words)
        if self._speech_on:
            if event.final:
                self._set(Timer.ENDLESS_SPEECH, self.params.lost_end_secs)
            elif Timer.ENDLESS_SPEECH in self._timers:
                self._set(Timer.ENDLESS_SPEECH, self.params.endless_speech_secs)
        elif event.final and self._transcript.is_settled():
            self._arm_end_of_turn()
        elif not event.final:
            self._clear(Timer.END_OF_TURN)
            self._set(Timer.TRANSCRIPT, self.params.transcript_secs)

    def _rate_turn(self, _: Event | None) -> None:
        if Timer.END_OF_TURN in self._timers:
            self._arm_end_of_turn()

    def _arm_end_of_turn(self) -> None:
        """The words are there: the turn is over after the silence that they, and how they sounded, ask for."""
        text = self._transcript.text()
        ended_at = self._speech_ended_at if self._speech_ended_at is not None else self._now
        secs = wait_ms(text, self._p_complete, self.params.endpoint) / 1000
        if text and self._p_complete is None:
            secs = max(secs, self.params.turn_score_secs)
        if not self._transcript.has_final():
            secs = self.params.transcript_secs
        self._timers[Timer.END_OF_TURN] = max(ended_at + secs, self._now)

    def _end_turn(self, _: Event | None = None) -> None:
        self._clear(Timer.END_OF_TURN, Timer.TRANSCRIPT, Timer.ENDLESS_SPEECH)
        if self._transcript.text():
            self._note_cancel_regret(False)
            self._ask()
        else:
            self._nothing_said()

    def _nothing_said(self) -> None:
        """A sound without words. If it cost the caller a reply, that reply is asked for again."""
        self._transcript.close()
        self._do(AnnounceUserStopped())
        self._note_cancel_regret(True)
        if self._unanswered_cut or (self._turn_open and self._asked_text):
            self._transcript.add_typed(self._asked_text)
            self._ask(announce=False)
        else:
            self._listen()

    def _words_missing(self, _: Event | None) -> None:
        """Speech has ended and the recogniser owes us its words."""
        if self._transcript.text():
            self._end_turn()
            return
        short = self._now - self._speech_started_at <= self.params.short_sound_secs + self.params.transcript_secs
        self._words_missed = True
        self._transcript.close()
        if short and self._unanswered_cut:
            self._nothing_said()
            return
        self._do(ReportFault("no transcript"))
        self._do(AnnounceUserStopped())
        self._say(Phrase.REPEAT)

    def _end_endless_speech(self, _: Event | None) -> None:
        """The end of speech was missed, or it never was speech."""
        self._speech_on = False
        self._speech_ended_at = self._now
        self._end_turn()

    def _words_without_speech(self, event: Event | None) -> None:
        assert isinstance(event, Words)
        if not self._transcript.text():
            return
        self._user_takes_floor()
        self._gather_words(event)

    def _take_typed(self, event: Event | None) -> None:
        assert isinstance(event, TextTyped)
        self._transcript.add_typed(event.text)
        if self.state is State.LISTENING:
            self._do(AnnounceUserStarted())
        self._ask()

    # --- thinking ----------------------------------------------------------------------

    def _ask(self, *, announce: bool = True) -> None:
        """Ask for a reply to the open turn; a prompt waits until history holds what was heard before."""
        self._clear_waits()
        if announce:
            self._do(AnnounceUserStopped())
        if self._committing_id is not None:
            self._ask_waits = True
            self.state = State.USER_SPEAKING
            return
        self._ask_waits = False
        if not self._turn_open:
            self.turn_id += 1
            self._turn_open = True
        self._asked_text = self._transcript.text()
        self._transcript.mark_asked()
        self._unanswered_cut = False
        self._reply = _Reply(self._new_reply_id())
        self._fillers_said = 0
        self._do(AskReply(self.turn_id, self._reply.reply_id, self._asked_text))
        self._set(Timer.REPLY, self.params.reply_secs)
        self._think()

    def _ask_after_commit(self, _: Event | None) -> None:
        if self._ask_waits and self._committing_id is None:
            self._ask(announce=False)

    def _think(self) -> None:
        """Wait for the reply; a deadline that passed while something else was heard is due soon."""
        self.state = State.THINKING
        self._timers.setdefault(Timer.REPLY, self._now + self.params.overdue_secs)
        if self._reply is not None and self._reply.phrase is None:
            self._set(Timer.FILLER, self.params.filler_secs)

    def _new_reply_id(self) -> int:
        self._last_reply_id += 1
        return self._last_reply_id

    def _greet(self, _: Event | None) -> None:
        self._say(Phrase.GREETING)

    def _say(self, phrase: Phrase) -> None:
        self._clear_waits()
        self._transcript.close()
        self._turn_open = False
        self._reply = _Reply(self._new_reply_id(), phrase)
        self._do(Say(self._reply.reply_id, phrase))
        self.state = State.THINKING
        self._set(Timer.REPLY, self.params.phrase_secs)

    def _say_filler(self, _: Event | None) -> None:
        phrase = Phrase.MOMENT if self._fillers_said == 0 else Phrase.STILL
        self._fillers_said += 1
        self._filler = _Reply(self._new_reply_id(), phrase)
        self._do(Say(self._filler.reply_id, phrase))
        self._set(Timer.FILLER, self.params.filler_secs)

    def _reply_missing(self, _: Event | None) -> None:
        """Nothing was heard within the deadline: say so, by voice if that works, else on the page."""
        assert self._reply is not None
        phrase = self._reply.phrase
        self._do(ReportFault("no reply" if phrase is None else "a fixed sentence could not be spoken"))
        self._cancel()
        if phrase is None:
            self._say(Phrase.APOLOGY)
        else:
            self._cannot_speak()

    def _cannot_speak(self) -> None:
        self._do(TellClient("The bot has no voice at the moment. Please try again, or use the text box."))
        self._listen()

    def _words_while_thinking(self, event: Event | None) -> None:
        """Words that arrive late, or change, before the reply is heard: they extend the turn."""
        assert isinstance(event, Words)
        text = self._transcript.text()
        if not event.final or normalised(text) == normalised(self._asked_text) or not text:
            return
        if self._policy.is_acknowledgement(text, self._asked_text):
            return
        self._cancel()
        self._user_takes_floor()
        if not self._speech_on:
            self._arm_end_of_turn()

    # --- speaking ----------------------------------------------------------------------

    def _speak(self, event: Event | None) -> None:
        assert isinstance(event, ReplyPlaying)
        if self._note_playing(event):
            self.state = State.SPEAKING

    def _note_playing(self, event: Event | None) -> bool:
        """A reply has begun to sound: unless it is a filler, the turn that it answers is closed."""
        assert isinstance(event, ReplyPlaying)
        if self._filler is not None and event.reply_id == self._filler.reply_id:
            self._filler.playing = True
        elif self._reply is not None and event.reply_id == self._reply.reply_id:
            self._reply.playing = True
            self._turn_open = False
            self._clear(Timer.REPLY)
            if self.state is State.PAUSED:
                self._transcript.close_asked()
            else:
                self._transcript.close()
        else:
            return self.state is State.SPEAKING
        self._speaking_id = event.reply_id
        self._question_heard = False
        self._clear(Timer.FILLER)
        return True

    def _reply_over(self, event: Event | None) -> None:
        assert isinstance(event, ReplyPlayed)
        if self._filler is not None and event.reply_id == self._filler.reply_id:
            self._filler = None
            self._speaking_id = None
            self._think()
            return
        if self._reply is None or event.reply_id != self._reply.reply_id:
            return
        reply, self._reply = self._reply, None
        self._speaking_id = None
        if event.error is None or (event.heard and reply.phrase is not None):
            self._listen()
        elif reply.phrase is None:
            self._do(ReportFault(f"reply failed: {event.error}"))
            self._say(Phrase.APOLOGY)
        else:
            self._do(ReportFault(f"a fixed sentence could not be spoken: {event.error}"))
            self._cannot_speak()

    def _note_stall(self, event: Event | None) -> None:
        assert isinstance(event, PlayoutStalled)
        if event.stalled and event.reply_id == self._speaking_id:
            self._set(Timer.STALL, self.params.stall_secs)
        else:
            self._clear(Timer.STALL)

    def _give_up_stalled(self, _: Event | None) -> None:
        self._do(ReportFault("reply stalled"))
        self._cancel()
        self._say(Phrase.APOLOGY)

    def _listen(self) -> None:
        """The floor is free, unless somebody is speaking already."""
        self._clear_waits()
        self._turn_open = False
        self._unanswered_cut = False
        self._asked_text = ""
        self.state = State.LISTENING
        if self._speech_on or self._transcript.text():
            self._user_takes_floor()

    # --- a sound over the bot's voice --------------------------------------------------

    def _pause(self, event: Event | None = None) -> None:
        """Lower, silence or hold back the voice at once; decide later."""
        if self.params.mode in (InterruptionMode.CANCEL, InterruptionMode.OFF) and self.state is State.SPEAKING:
            return
        self._settle_regret()
        holding = self._speaking_id is None
        self._last_sound_id += 1
        self._sound = Sound(self._last_sound_id, started_at=self._now)
        if holding or self.params.mode is not InterruptionMode.DUCK:
            self._sound.silent_since = self._now
            self._do(Pause())
        else:
            self._do(Duck())
            self._set(Timer.ESCALATE, self.params.escalate_secs)
        mode = "hold" if holding else self.params.mode.value
        self._card = DecisionCard(self._last_sound_id, mode, self._now, question_heard=self._question_heard)
        self._clear(Timer.STALL, Timer.FILLER)
        self._set(Timer.VERDICT, self.params.verdict_secs)
        self._do(StartJudging(self._last_sound_id))
        self.state = State.PAUSED
        if isinstance(event, SpeechStarted):
            self._sound.by_vad = True

    def _speech_over_voice(self, event: Event | None) -> None:
        """Confirmed speech that no sound announced: judge it; or, in cancel mode, obey it."""
        if self.params.mode is InterruptionMode.CANCEL:
            self._cancel()
            self._user_takes_floor()
        elif self._sound is None or self._sound.ended_at is not None:
            self._pause(event)

    def _escalate(self, _: Event | None = None) -> None:
        """A lowered voice falls silent, unless the sound is likely nothing; then only if it lasts much longer."""
        sound = self._sound
        if sound is None or sound.silent_since is not None:
            return
        patient_until = sound.started_at + self.params.patience_secs
        if self._now < patient_until - ROUNDING_SECS and self._policy.has_patience(self._evidence(sound)):
            self._timers[Timer.ESCALATE] = patient_until
            return
        self._fall_silent(sound)

    def _fall_silent(self, sound: Sound) -> None:
        sound.silent_since = self._now
        self._clear(Timer.ESCALATE)
        self._do(Pause())

    def _judge_window(self, _: Event | None) -> None:
        assert self._sound is not None
        if self._sound.windows_since_judged >= self.params.verdict.judge_every_windows:
            self._judge()

    def _judge(self, event: Event | None = None) -> None:
        assert self._sound is not None
        if isinstance(event, SpeechEnded) and self._sound.ended_at is None:
            # The fast gate's end was missed; the VAD's slower one stands in for it.
            self._sound.ended_at = self._now
        self._sound.windows_since_judged = 0
        evidence = self._evidence(self._sound)
        decision = self._policy.decide(evidence)
        if decision.verdict is Verdict.CANCEL:
            self._verdict_cancel(decision.reason, decision.confidence)
        elif decision.verdict is Verdict.RESUME:
            if not self._waits_for_words(self._sound):
                self._verdict_resume(decision.reason, decision.confidence)
        else:
            self._hold(self._sound, evidence)

    def _hold(self, sound: Sound, evidence: Evidence) -> None:
        """Undecided: silence a lowered voice if the sound is likely an interruption; wait only so long for words."""
        if sound.silent_since is None and self._policy.wants_silence(evidence):
            self._fall_silent(sound)
        if sound.ended_at is not None:
            due = sound.ended_at + self.params.verdict.after_end_ms / 1000
            self._timers[Timer.VERDICT] = min(self._timers.get(Timer.VERDICT, due), max(due, self._now))

    def _waits_for_words(self, sound: Sound) -> bool:
        """Before the first sample a wait costs little, and a longer sound is likely to be the turn's second half."""
        if self._speaking_id is not None or sound.voiced_ms < self.params.short_sound_secs * 1000:
            return False
        return not (self._transcript.is_settled() and sound.has_words_since)

    def _force_verdict(self, _: Event | None) -> None:
        assert self._sound is not None
        decision = self._policy.decide_now(self._evidence(self._sound))
        if decision.verdict is Verdict.CANCEL:
            self._verdict_cancel(decision.reason, decision.confidence)
        else:
            self._verdict_resume(decision.reason, decision.confidence)

    def _evidence(self, sound: Sound) -> Evidence:
        text = self._transcript.text()
        if self._turn_open:
            text = beyond(text, self._asked_text)
        return sound.evidence(
            now=self._now,
            text=text,
            final=self._transcript.has_final(),
            confidence=self._transcript.confidence(),
            question_heard=self._question_heard,
            holding=self._speaking_id is None,
        )

    def _verdict_cancel(self, reason: str, confidence: float) -> None:
        self._close_card("cancel", reason, confidence)
        self._unanswered_cut = self._reply is not None and self._reply.phrase is None
        self._cancel()
        self._user_takes_floor()
        if not self._speech_on and self._transcript.is_settled() and self._transcript.text():
            self._arm_end_of_turn()

    def _verdict_resume(self, reason: str, confidence: float) -> None:
        self._close_card("resume", reason, confidence)
        self._clear(Timer.ESCALATE, Timer.VERDICT)
        said = self._transcript.text()
        if self._turn_open:
            said = beyond(said, self._asked_text)
            self._asked_text = self._transcript.text() or self._asked_text
        else:
            self._transcript.close()
        if said:
            self._do(Backchannel(said))
        self._do(Resume())
        if self._sound is not None and self._sound.ended_at is not None:
            self._stop_judging()
        if self._speaking_id is not None:
            self.state = State.SPEAKING
        else:
            self._think()

    def _judge_again(self, _: Event | None = None) -> None:
        """A sound that was let go and lasts: only a sure interruption still counts."""
        if self._sound is None:
            return
        decision = self._policy.decide(self._evidence(self._sound))
        if decision.verdict is Verdict.CANCEL:
            self._note_regret(True)
            self._verdict_cancel(f"after a resume: {decision.reason}", decision.confidence)
        elif self._sound.ended_at is not None:
            self._stop_judging()

    def _words_over_voice(self, event: Event | None) -> None:
        """Words about a sound that was already let go, or that the VAD never heard."""
        assert isinstance(event, Words)
        if self.params.mode is InterruptionMode.OFF:
            self._transcript.close()
            return
        text = self._transcript.text()
        if not text:
            return
        if self._policy.is_content(text, event.confidence, self._question_heard, event.final):
            self._note_regret(True)
            self._unanswered_cut = self._reply is not None and self._reply.phrase is None
            self._cancel()
            self._user_takes_floor()
            if event.final and not self._speech_on:
                self._arm_end_of_turn()
        elif event.final:
            self._transcript.close()
            self._do(Backchannel(text))

    def _drained(self, event: Event | None) -> None:
        """The bot had said everything while the sound was undecided: the floor is the user's."""
        assert isinstance(event, ReplyPlayed)
        ours = {reply.reply_id for reply in (self._reply, self._filler) if reply is not None}
        if event.reply_id not in ours:
            return
        if self._filler is not None and event.reply_id == self._filler.reply_id:
            self._filler = None
            self._speaking_id = None
            return
        if event.error is not None and not event.heard:
            self._close_card("drained", "the reply failed", 1.0)
            self._do(Resume())
            self._stop_judging()
            self._reply_over(event)
            return
        self._close_card("drained", "nothing was left to play", 1.0)
        self._do(Resume())
        self._reply = None
        self._speaking_id = None
        self._stop_judging()
        self._user_takes_floor()

    def _interrupt_by_text(self, event: Event | None) -> None:
        assert isinstance(event, TextTyped)
        if self._sound is not None and self.state is State.PAUSED:
            self._close_card("cancel", "the client typed", 1.0)
        self._cancel()
        self._transcript.add_typed(event.text)
        self._do(AnnounceUserStarted())
        self._ask()

    def _cancel(self) -> None:
        """End the current reply and filler; whatever was heard is committed before a new prompt."""
        reply = self._reply or self._filler
        if reply is None:
            return
        heard = self._speaking_id is not None
        self._do(Cancel(reply.reply_id))
        if heard:
            self._committing_id = self._speaking_id
        self._reply = None
        self._filler = None
        self._speaking_id = None
        self._stop_judging()
        self._clear_waits()
        if heard:
            self._set(Timer.COMMIT, self.params.commit_secs)

    def _stop_judging(self) -> None:
        if self._sound is not None:
            self._sound = None
            self._do(StopJudging())

    # --- cards -------------------------------------------------------------------------

    def _close_card(self, verdict: str, reason: str, confidence: float) -> None:
        if self._card is None or self._sound is None or self._card.verdict != "pending":
            return
        card = self._card
        card.verdict = verdict  # pyright: ignore[reportAttributeAccessIssue] - a literal at each caller
        card.reason, card.confidence = reason, confidence
        card.verdict_ms = self._sound.elapsed_ms(self._now)
        if self._sound.silent_since is not None and verdict == "resume":
            card.silence_ms = round((self._now - self._sound.silent_since) * 1000)
        card.text = self._transcript.text()
        self._do(PublishCard(card.as_dict()))
        self._set(Timer.REGRET, self.params.regret_secs)

    def _note_regret(self, regret: bool) -> None:
        if self._card is not None and self._card.verdict in ("resume", "cancel") and self._card.regret is None:
            self._card.regret = regret
            self._do(PublishCard(self._card.as_dict()))
        self._clear(Timer.REGRET)

    def _note_cancel_regret(self, regret: bool) -> None:
        """The turn that a cancel made room for had words, or it had none."""
        if self._card is not None and self._card.verdict == "cancel":
            self._note_regret(regret)

    def _settle_regret(self, _: Event | None = None) -> None:
        """The next seconds have told: a cancel without words was wrong, a resume that nobody disputed was right."""
        if self._card is None or self._card.regret is not None:
            return
        self._note_regret(self._card.verdict == "cancel" and not (self._transcript.text() or self._asked_text))

    def _clear_waits(self) -> None:
        keep = {Timer.REGRET, Timer.COMMIT}
        for timer in [timer for timer in self._timers if timer not in keep]:
            del self._timers[timer]

    def _close(self, _: Event | None) -> None:
        self._timers.clear()
        self._stop_judging()
        self.state = State.CLOSING
