"""The part of the turn machine in which a cut reply is kept: until words mean something, a cancel can be taken back.

A sound that was judged an interruption gives the floor to the caller at once, and the bot is silent. But the reply
stays as it is, paused to the sample, with all that writes and speaks it. Words that surely mean something end it
(:func:`~processors.turns.meaning.meaning`). Words that mean nothing, or none by a deadline, give the floor back: the
reply goes on where it stopped. Every wait here has a deadline, and one reply is taken back so many times at most; after
that only words that mean something end it.
"""

from typing import Final

from processors.turns.events import AnnounceUserStopped, Event, Pause, ReplyPlayed, Resume, Words
from processors.turns.floor import Floor, Suspended
from processors.turns.interruption_decision import Outcome
from processors.turns.meaning import Meaning, meaning
from processors.turns.states import State, Timer

DOUBTED: Final = 0.05
"""Words whose confidence is so much lower than what final words need may be a mishearing."""

OWN_WAITS: Final = (Timer.END_OF_TURN, Timer.TRANSCRIPT, Timer.ENDLESS_SPEECH, Timer.KEYS)
"""What is waited for while the user has the floor, whatever becomes of the reply."""


class TakesBack(Floor):
    """The user has the floor, and it may turn out that nobody wanted it."""

    def _meaning(self) -> Meaning:
        """What the words are worth that were said since the last turn."""
        text = self._transcript.text_since_asked()
        known = meaning(text, self.params.verdict.language, answers=self._question_heard)
        if known is Meaning.CLEAR and self._transcript.confidence() < self.params.verdict.final_confidence - DOUBTED:
            return Meaning.UNSURE
        return known

    def _is_spent(self) -> bool:
        """Whether the reply has been taken back so often that only words end it now."""
        reply = self._reply
        return reply is not None and 0 < self.params.take_backs <= reply.taken_back

    # --- the floor goes to the caller ------------------------------------------------------------

    def _cut(self) -> None:
        """The caller gets the floor. The reply ends if the words say so; else it is kept for a while."""
        reply = self._reply
        final = not self.params.take_backs or self._is_spent() or self._meaning() is Meaning.CLEAR
        if reply is None or reply.over or final:
            self._cancel()
            return
        silent_since = self._sound.silent_since if self._sound is not None and self.state is State.PAUSED else None
        if silent_since is None:
            silent_since = self._now
            reply.falls_silent(self._now)
            self._do(Pause())
        sound, spoke_at = self._sound, self._speech_started_at
        by_voice = sound is None or (spoke_at is not None and spoke_at >= sound.started_at)
        self._stop_judging()
        self._clear_waits()
        self._suspended = Suspended(cut_at=self._now, silent_since=silent_since, by_voice=by_voice)

    def _arm_take_back(self) -> None:
        """When the reply goes on, as things are."""
        suspended = self._suspended
        if suspended is None:
            return
        known = self._meaning()
        if known is not Meaning.NONE:
            self._clear(Timer.TAKE_BACK)  # the end of the turn decides
            return
        latest = suspended.cut_at + self.params.kept_secs
        if not self._speech_on:
            said = bool(self._transcript.text_since_asked())
            wordless_secs = self.params.take_back_secs if suspended.by_voice else self.params.unvoiced_secs
            due = self._now + (self.params.settle_secs if said else wordless_secs)
        elif self._tells_interims:
            due = max(suspended.cut_at + self.params.wordless_secs, self._now + self.params.take_back_secs)
        else:
            due = latest = self._now + self.params.kept_secs  # its words come when it is over
        self._timers[Timer.TAKE_BACK] = max(min(due, latest), self._now)

    # --- what becomes of it ----------------------------------------------------------------------

    def _weigh_cut(self, event: Words) -> bool:
        """Words have come while the reply is kept; True if it has gone on."""
        if self._suspended is None:
            return False
        known = self._meaning()
        wanted = self.params.verdict.final_confidence if event.final else self.params.verdict.interim_confidence
        if known is Meaning.CLEAR and event.confidence >= wanted:
            self._end_suspended()
            return False
        heard_all = self._transcript.is_settled() and self._transcript.has_final_since_asked()
        if known is Meaning.NONE and heard_all and not self._speech_on:
            self._take_back()
            return True
        self._arm_take_back()
        return False

    def _take_back_due(self, _: Event | None) -> None:
        """No word that means anything has come in time."""
        if self._suspended is not None:
            self._take_back()

    def _gave_floor_for_nothing(self) -> bool:
        """The turn is over; True if it was none, and the reply goes on."""
        if self._suspended is None:
            return False
        if self._meaning() is Meaning.NONE:
            self._take_back()
            return True
        reply = self._reply
        self._doubted = reply is not None and reply.phrase is None and reply.playing and not reply.over
        self._end_suspended()
        return False

    def _take_back(self) -> None:
        """The reply goes on where it stopped."""
        suspended, reply = self._suspended, self._reply
        assert suspended is not None
        assert reply is not None
        self._suspended = None
        self._unanswered_cut = False
        reply.taken_back += 1
        self._note_outcome("taken_back", silent_secs=self._now - suspended.silent_since)
        self._clear_waits()
        self._do(AnnounceUserStopped())
        self._voice_goes_on()

    def _end_suspended(self) -> None:
        """The cut stands: what was heard of the reply is history."""
        if self._suspended is None:
            return
        waits = {timer: self._timers[timer] for timer in OWN_WAITS if timer in self._timers}
        self._note_outcome("interrupted")
        self._cancel()
        self._timers.update(waits)

    def _kept_over(self, event: Event | None) -> None:
        """A reply that is kept has come to its end: all of it was heard, or it failed."""
        assert isinstance(event, ReplyPlayed)
        reply = self._reply
        if self._suspended is None or reply is None:
            return
        if self._filler is not None and event.reply_id == self._filler.reply_id:
            self._filler = None
            self._speaking_id = None
        elif event.reply_id == reply.reply_id and not reply.over:
            self._note_end(reply, event)
            if reply.error is not None or (reply.phrase is None and not reply.playing):
                return  # what is said about that waits until the floor is free
            self._suspended = None
            self._unanswered_cut = False
            self._reply = None
            self._cut_asks = 0
            self._clear(Timer.TAKE_BACK)
            self._do(Resume())

    def _voice_goes_on(self) -> None:
        """The sound was nothing: its words are let go, and the voice is heard again."""
        self._acknowledge(self._transcript.text_since_asked())
        reply = self._reply
        if self._unconfirmed and (self._transcript.is_settled() or (reply is not None and reply.over)):
            self._unconfirmed = False
            self._clear(Timer.CONFIRM)
        if not self._unconfirmed:
            self._do(Resume())
        if self._sound is not None and self._sound.ended_at is not None:
            self._stop_judging()
        if reply is not None and reply.over:
            self._finish(reply)
        elif self._speaking_id is not None:
            if reply is not None and reply.playing:
                reply.sounding_since = self._now
            self._speak_on()
        else:
            self._think()

    def _note_outcome(self, outcome: Outcome, silent_secs: float = 0.0) -> None:
        """What the caller lost, or did not, by the last verdict."""
        decision = self._decision
        if decision is None or decision.verdict != "cancel" or decision.outcome is not None:
            return
        decision.outcome = outcome
        if outcome == "taken_back":
            decision.silence_ms = round(silent_secs * 1000)
            self._note_wrong(True)
