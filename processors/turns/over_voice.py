"""The part of the turn machine in which both want the floor: a sound over the bot's voice is judged."""

from typing import Final

from contracts.modes import InterruptionMode
from processors.turns.events import (
    AnnounceUserStarted,
    Cancel,
    Duck,
    Event,
    KeyPressed,
    Pause,
    ReplyPlayed,
    Resume,
    SpeechEnded,
    SpeechStarted,
    StartJudging,
    TextTyped,
    Words,
)
from processors.turns.floor import ROUNDING_SECS, Reply
from processors.turns.interruption_decision import InterruptionDecision
from processors.turns.meaning import Meaning
from processors.turns.sound import Sound
from processors.turns.states import HASH, State, Timer
from processors.turns.taken_back import TakesBack
from processors.turns.verdict.policy import Evidence, Verdict

HEARD_SECS: Final = 2.0
"""A reply that was cut after so long was listened to: the caller does not talk past the bot."""


class OverVoice(TakesBack):
    """Both want the floor."""

    def _pause(self, event: Event | None = None) -> None:
        """Lower, silence or hold back the voice at once; decide later."""
        if self.params.mode in (InterruptionMode.CANCEL, InterruptionMode.OFF) and self.state is State.SPEAKING:
            return
        if self._limit_stage >= 2:
            return  # the bot takes its leave, whoever speaks
        self._review_verdict()
        holding = self._says_nothing_yet()
        self._last_sound_id += 1
        self._sound = Sound(self._last_sound_id, started_at=self._now, held=holding)
        if holding or self.params.mode is not InterruptionMode.DUCK:
            self._fall_silent(self._sound)
        else:
            self._do(Duck())
            self._set(Timer.ESCALATE, self.params.escalate_secs)
        mode = "hold" if holding else self.params.mode.value
        self._decision = InterruptionDecision(self._last_sound_id, mode, self._now, question_heard=self._question_heard)
        self._clear(Timer.STALL, Timer.FILLER)
        self._set(Timer.VERDICT, self.params.verdict_secs)
        self._do(StartJudging(self._last_sound_id))
        self.state = State.PAUSED
        if isinstance(event, SpeechStarted):
            self._sound.by_vad = True

    def _says_nothing_yet(self) -> bool:
        """Whether there is no voice to lower: nothing sounds, or only just."""
        if self._speaking_id is None or self._dry_since is not None:
            return True
        reply = self._reply
        return reply is not None and reply.reply_id == self._speaking_id and not self._has_said_something(reply)

    def _hold_back(self) -> None:
        """What sounded under the caller's voice is over: whatever comes next waits."""
        if self._sound is not None and self._sound.silent_since is None:
            self._fall_silent(self._sound)

    def _note_dry(self, _: Event | None) -> None:
        """A reply that is judged under runs dry: it does not begin again over the caller."""
        if self._dry_since is not None:
            self._hold_back()

    def _speech_over_voice(self, event: Event | None) -> None:
        """Confirmed speech that no sound announced: judge it; or, in cancel mode, obey it."""
        if self._limit_stage >= 2:
            return
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
        if self._reply is not None:
            self._reply.falls_silent(self._now)
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
            due = sound.ended_at + self._policy.words_due_ms(evidence) / 1000
            self._timers[Timer.VERDICT] = min(self._timers.get(Timer.VERDICT, due), max(due, self._now))

    def _waits_for_words(self, sound: Sound) -> bool:
        """Before the first sample a wait costs little, and a longer sound is likely to be the turn's second half."""
        if not sound.held or sound.voiced_ms < self.params.short_sound_secs * 1000:
            return False
        return not (self._transcript.is_settled() and sound.has_words_since)

    def _force_verdict(self, _: Event | None) -> None:
        assert self._sound is not None
        decision = self._policy.decide_now(self._evidence(self._sound))
        if decision.verdict is Verdict.CANCEL:
            self._verdict_cancel(decision.reason, decision.confidence)
            if Timer.TRANSCRIPT in self._timers:  # the words have been waited for already
                self._timers[Timer.TRANSCRIPT] = self._now + self.params.overdue_words_secs
        else:
            self._verdict_resume(decision.reason, decision.confidence)

    def _evidence(self, sound: Sound) -> Evidence:
        text = self._transcript.text_since_asked()
        return sound.evidence(
            now=self._now,
            text=text,
            final=self._transcript.has_final_since_asked(),
            confidence=self._transcript.confidence(),
            question_heard=self._question_heard,
            holding=self._speaking_id is None,
        )

    def _verdict_cancel(self, reason: str, confidence: float) -> None:
        if self._is_spent() and self._meaning() is not Meaning.CLEAR:
            if self.state is State.PAUSED:
                self._verdict_resume("nothing but words ends this reply any more", confidence)
            return
        self._close_decision("cancel", reason, confidence)
        self._unanswered_cut = self._reply is not None and self._reply.phrase is None
        self._cut()
        self._user_takes_floor()
        if not self._speech_on and self._transcript.is_settled() and self._transcript.text():
            self._arm_end_of_turn()

    def _verdict_resume(self, reason: str, confidence: float) -> None:
        self._close_decision("resume", reason, confidence)
        self._clear(Timer.ESCALATE, Timer.VERDICT)
        self._voice_goes_on()

    def _judge_again(self, _: Event | None = None) -> None:
        """A sound that was let go and lasts: only a sure interruption still counts."""
        if self._sound is None:
            return
        decision = self._policy.decide(self._evidence(self._sound))
        if decision.verdict is Verdict.CANCEL:
            self._note_wrong(True)
            self._verdict_cancel(f"after a resume: {decision.reason}", decision.confidence)
        elif self._sound.ended_at is not None:
            self._stop_judging()

    def _words_over_voice(self, event: Event | None) -> None:
        """Words about a sound that was already let go, or that the VAD never heard."""
        assert isinstance(event, Words)
        if self.params.mode is InterruptionMode.OFF or self._limit_stage >= 2:
            self._transcript.close()
            return
        text = self._transcript.text_since_asked()
        if not text:
            return
        worthless = self._meaning() is Meaning.NONE
        score = self._score_of_words()
        takes = self._policy.is_content(text, event.confidence, self._question_heard, event.final, score)
        if takes and not worthless:
            self._note_wrong(True)
            self._unanswered_cut = self._reply is not None and self._reply.phrase is None
            self._cut()
            self._user_takes_floor()
            if event.final and not self._speech_on:
                self._arm_end_of_turn()
        elif event.final and self._transcript.is_settled():
            self._acknowledge(text)

    def _score_of_words(self) -> float | None:
        """What the judge thought of the sound that words are of which come now; None: it has heard no such sound."""
        if self._sound is not None:
            return self._sound.score
        sound = self._last_sound
        if sound is None:
            return None
        known_until = sound.started_at if sound.ended_at is None else sound.ended_at
        return sound.score if self._now - known_until <= self.params.late_words_secs else None

    def _drained(self, event: Event | None) -> None:
        """The bot had said everything while the sound was undecided: the floor is the user's."""
        assert isinstance(event, ReplyPlayed)
        ours = {reply.reply_id for reply in (self._reply, self._filler) if reply is not None and not reply.over}
        if event.reply_id not in ours:
            return
        if self._filler is not None and event.reply_id == self._filler.reply_id:
            self._filler = None
            self._speaking_id = None
            self._hold_back()
            return
        reply = self._reply
        assert reply is not None
        self._note_end(reply, event)
        if reply.error is not None or (reply.phrase is None and not reply.playing):
            return  # it failed, or had no sound: what is said about that waits for the verdict
        self._unconfirmed = False
        self._close_decision("drained", "nothing was left to play", 1.0)
        self._do(Resume())
        self._reply = None
        self._cut_asks = 0
        self._stop_judging()
        self._user_takes_floor()

    def _interrupt_by_text(self, event: Event | None) -> None:
        assert isinstance(event, TextTyped)
        self._cancel_by_hand()
        self._transcript.add_typed(event.text)
        self._do(AnnounceUserStarted())
        self._ask()

    def _interrupt_by_key(self, event: Event | None) -> None:
        """A key ends the reply at once, as a typed text does; then the others are waited for."""
        assert isinstance(event, KeyPressed)
        if event.key == HASH and self.state is State.THINKING and self._transcript.has_keys():
            return  # it ends a turn of keys that has ended by itself
        self._cancel_by_hand()
        self._user_takes_floor()
        self._press_key(event)

    def _cancel_by_hand(self) -> None:
        if self._sound is not None and self.state is State.PAUSED:
            self._close_decision("cancel", "the client typed", 1.0)
        self._cancel()

    def _cancel(self) -> None:
        """End the current reply and filler; whatever was heard is committed before a new prompt."""
        reply = self._reply or self._filler
        if reply is None:
            return
        heard = self._speaking_id is not None
        cut = self._reply
        unsaid = cut is not None and cut.playing and not cut.over and not self._has_said_something(cut)
        self._do(Cancel(reply.reply_id, unsaid))
        if cut is not None and cut.phrase is None and cut.playing:
            self._note_cut(cut, unsaid=unsaid)
        if heard:
            self._committing_id = self._speaking_id
        self._reply = None
        self._filler = None
        self._speaking_id = None
        self._suspended = None
        self._dry_since = None
        self._stop_judging()
        self._clear_waits()
        if heard:
            self._set(Timer.COMMIT, self.params.commit_secs)

    def _note_cut(self, reply: Reply, *, unsaid: bool) -> None:
        """A reply was cut; one that had said nothing leaves its turn open."""
        if unsaid:
            self._turn_open = True
            self._transcript.reopen()
        elif reply.heard_secs(self._now) >= HEARD_SECS:
            self._cut_asks = 0
