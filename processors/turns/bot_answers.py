"""The part of the turn machine in which the bot has the floor: a reply is asked for, awaited, covered and heard."""

import math
from typing import Final

from processors.turns.events import (
    AnnounceUserStopped,
    AskReply,
    ClientReady,
    Event,
    HangUp,
    KeepTurn,
    Pause,
    Phrase,
    PlayoutStalled,
    ReplyPlayed,
    ReplyPlaying,
    ReportFault,
    Say,
    ShowWaiting,
    TellClient,
    TurnEndedEarly,
    WaitsForTools,
    WaitsInQueue,
    Words,
)
from processors.turns.floor import BURSTS_SECS, Reply
from processors.turns.meaning import Meaning, meaning
from processors.turns.partner import Suspicion
from processors.turns.states import State, Timer
from processors.turns.taken_back import TakesBack
from processors.turns.transcript import beyond

FAREWELLS: Final = frozenset({Phrase.GOODBYE, Phrase.CLOSING, Phrase.TIME_UP})
"""After these the bot hangs up."""

AFTER_REPEAT_SECS: Final = 4.0
"""So long at least a caller who was asked to say it again has time for that."""

AFTER_NOISE_SECS: Final = 1.0
"""After a sound without words, so long at least until a silent caller is asked again."""

LIMIT_FIRM_SECS: Final = 10.0
"""How long a chance to say goodbye is waited for when the longest call is nearly over; then the bot takes the floor."""

LEAVE_SECS: Final = 8.0
"""How long the bot takes to leave once it must: then it hangs up, said or not."""


class BotAnswers(TakesBack):
    """The bot thinks and speaks, and nobody disturbs it."""

    def _ask(self, *, announce: bool = True, again: bool = False) -> None:
        """Ask for a reply to the open turn; a prompt waits until history holds what was heard before.

        Args:
            announce: Whether the client has not been told yet that the user's turn is over.
            again: Whether a reply to the same words has been asked for before: that is done once.
        """
        self._end_suspended()
        self._clear_waits()
        if announce:
            self._do(AnnounceUserStopped())
        if self._committing_id is not None:
            self._ask_waits = True
            self._again_waits = again
            self.state = State.USER_SPEAKING
            return
        self._ask_waits = False
        text = self._transcript.text()
        again = again or self._again_waits or (self._turn_open and self._same(text, self._asked_text))
        self._again_waits = False
        if again and self._asked_again:
            self._say(Phrase.REPEAT)
            return
        self._asked_again = again
        if not self._turn_open:
            self.turn_id += 1
            self._turn_open = True
        if not again and self._is_no_person(text):
            return
        self._asked_text = text
        self._transcript.mark_asked()
        self._unanswered_cut = False
        self._times_minded = 0
        self._noise_told = False
        self._cut_asks += 1
        self._reply = Reply(self._new_reply_id())
        self._fillers_said = 0
        self._queue_told = False
        self._prepared_text = self._outspoken = ""
        self._probes.clear()
        doubted = self._doubted and meaning(text, self.params.verdict.language) is not Meaning.CLEAR
        self._doubted = False
        self._do(AskReply(self.turn_id, self._reply.reply_id, self._asked_text, doubted))
        self._set(Timer.REPLY, self.params.reply_secs)
        self._think()
        if not self._transcript.is_settled() and self._relies_on_early:
            self._await_confirmation()

    def _await_confirmation(self) -> None:
        """The turn was ended before its final words were known: the voice waits for them."""
        since = self._speech_ended_at if self._speech_ended_at is not None else self._now
        self._relies_on_early = False
        self._unconfirmed = True
        self._timers[Timer.CONFIRM] = max(since + self.params.confirm_secs, self._now)
        self._do(Pause())

    def _confirm(self, words: Words) -> bool:
        """Words of a turn that was ended early: all of its final ones, or the vendor's first guess at all of them."""
        if not self._unconfirmed or not self._same(self._transcript.text(), self._asked_text):
            return False
        if self._transcript.is_settled() or self._same(words.text, self._asked_text):
            self._do(TurnEndedEarly("confirmed"))
            self._release()
        return True

    def _speak_unconfirmed(self, _: Event | None) -> None:
        """The final words are late: what was heard early must do."""
        self._do(TurnEndedEarly("unconfirmed"))
        self._release()

    def _is_no_person(self, text: str) -> bool:
        """Whether a machine seems to be on the line: it is asked once whether it is a person, then left."""
        if not self._transcript.is_spoken():
            return False
        suspicion = self._partner.note(text)
        if suspicion is Suspicion.NONE:
            return False
        self._do(KeepTurn(self.turn_id, text))
        self._transcript.close()
        if suspicion is Suspicion.ASK:
            self._say(Phrase.PERSON)
        else:
            self._limit_stage = 2
            self._set(Timer.CALL_LIMIT, LEAVE_SECS)
            self._say(Phrase.GOODBYE)
        return True

    def _ask_after_commit(self, _: Event | None) -> None:
        if self._ask_waits and self._committing_id is None:
            self._ask(announce=False)

    def _think(self) -> None:
        """Wait for the reply; a deadline that passed while something else was heard is due soon."""
        self.state = State.THINKING
        due = self._timers.setdefault(Timer.REPLY, self._now + self.params.overdue_secs)
        if self._reply is not None and self._reply.tools_until is not None:
            self._timers[Timer.REPLY] = max(due, self._reply.tools_until + self.params.overdue_secs)
        self._set(Timer.SIGN, self.params.sign_secs)
        if self._reply is not None and self._reply.phrase is None:
            self._set(Timer.FILLER, self.params.filler_secs)

    def _show_waiting(self, _: Event | None) -> None:
        """A pause is not yet so long that words should fill it, but long enough to wonder."""
        self._do(ShowWaiting())
        self._set(Timer.SIGN, self.params.sign_secs)

    def _greet(self, event: Event | None) -> None:
        """The client can hear; one that comes back in the middle of a call is not greeted again."""
        assert isinstance(event, ClientReady)
        if event.greets and self._last_reply_id == self._first_reply_id:
            self._say(Phrase.GREETING)
        else:
            self._listen()

    def _say(self, phrase: Phrase) -> None:
        self._release()
        self._clear_waits()
        self._transcript.close_asked()
        self._turn_open = False
        self._reply = Reply(self._new_reply_id(), phrase)
        self._do(Say(self._reply.reply_id, phrase))
        self.state = State.THINKING
        self._set(Timer.SIGN, self.params.sign_secs)
        self._set(Timer.REPLY, self.params.phrase_secs)

    def _say_filler(self, _: Event | None) -> None:
        wait_secs = self._queue_secs()
        if self._fillers_said >= 2 and self._waits_in_queue():
            # One short wait follows the other: there will be more of them.
            wait_secs = max(wait_secs, self.params.queue_again_secs)
        if wait_secs >= self.params.queue_told_secs:
            phrase = Phrase.IN_QUEUE if self._queue_told else Phrase.BUSY
            self._queue_told = True
        else:
            wait_secs = 0.0
            phrase = Phrase.MOMENT if self._fillers_said == 0 else Phrase.STILL
            self._fillers_said += 1
        self._filler = Reply(self._new_reply_id(), phrase)
        self._do(Say(self._filler.reply_id, phrase, wait_secs))
        self._set(Timer.FILLER, self.params.filler_secs)

    def _waits_in_queue(self) -> bool:
        """Whether the reply waits for a language model, or did so a moment ago."""
        queue_until = self._reply.queue_until if self._reply is not None else None
        return queue_until is not None and self._now < queue_until + self.params.overdue_secs

    def _queue_secs(self) -> float:
        """How much longer the reply waits in the queue; 0 if it does not."""
        queue_until = self._reply.queue_until if self._reply is not None else None
        return max(0.0, queue_until - self._now) if queue_until is not None else 0.0

    def _cover_queue(self, event: Event | None) -> None:
        """The reply comes when a language model may be asked: a long wait is told, a short one is covered soon."""
        assert isinstance(event, WaitsInQueue)
        reply = self._reply
        if reply is None or event.reply_id != reply.reply_id or reply.phrase is not None:
            return
        self._set(Timer.REPLY, event.wait_secs + self.params.reply_secs)
        if self._filler is not None:
            return
        if event.wait_secs >= self.params.queue_told_secs and not self._queue_told:
            self._say_filler(None)
        elif self._fillers_said == 0 and not self._queue_told:
            due = self._timers.get(Timer.FILLER, math.inf)
            self._timers[Timer.FILLER] = min(due, self._now + self.params.tools_secs)

    def _cover_tools(self, event: Event | None) -> None:
        """The reply waits for tools: it may come later, but is covered sooner; it has waited: as before."""
        assert isinstance(event, WaitsForTools)
        reply = self._reply
        if reply is None or event.reply_id != reply.reply_id or reply.phrase is not None:
            return
        self._set(Timer.REPLY, event.longest_secs + self.params.reply_secs)
        filler_at = self._timers.get(Timer.FILLER)
        if event.longest_secs and filler_at is not None and self._fillers_said == 0:
            reply.filler_at = filler_at
            self._timers[Timer.FILLER] = min(filler_at, self._now + self.params.tools_secs)
        elif reply.filler_at is not None and filler_at is not None and self._fillers_said == 0:
            self._timers[Timer.FILLER] = max(reply.filler_at, self._now)

    def _reply_missing(self, _: Event | None) -> None:
        """Nothing was heard within the deadline: say so, by voice if that works, else on the page."""
        assert self._reply is not None
        phrase = self._reply.phrase
        self._do(ReportFault("no reply" if phrase is None else "a fixed sentence could not be spoken"))
        self._cancel()
        if phrase is None:
            self._say(Phrase.APOLOGY)
        else:
            self._cannot_speak(phrase)

    def _cannot_speak(self, phrase: Phrase) -> None:
        if phrase in FAREWELLS:
            self._do(TellClient("The call ends now. Goodbye."))
            self._take_leave()
            return
        self._do(TellClient("The bot has no voice at the moment. Please try again, or use the text box."))
        self._listen()

    def _words_while_thinking(self, event: Event | None) -> None:
        """Words that arrive late, or change, before the reply is heard: they extend the turn."""
        assert isinstance(event, Words)
        text = self._transcript.text()
        if self._unconfirmed and event.final and self._transcript.is_settled() and not text:
            self._nothing_was_said()
            return
        if not event.final or not text or self._same(text, self._asked_text):
            return
        means_nothing = meaning(beyond(text, self._asked_text), self.params.verdict.language) is Meaning.NONE
        if means_nothing or self._policy.is_acknowledgement(text, self._asked_text):
            self._acknowledge(self._transcript.text_since_asked())
            self._release()
            return
        if self._unconfirmed:
            self._unconfirmed = False
            self._cut_asks -= 1
            self._do(TurnEndedEarly("changed"))
        self._cancel()
        self._user_takes_floor()
        if not self._speech_on:
            self._arm_end_of_turn()

    def _nothing_was_said(self) -> None:
        """What the early recogniser took for words was none: what comes next takes the turn's place."""
        self._unconfirmed = False
        self._do(TurnEndedEarly("changed"))
        self._cancel()
        self._asked_text = ""
        self._listen()
        self._turn_open = True

    # --- speaking ----------------------------------------------------------------------

    def _speak(self, event: Event | None) -> None:
        assert isinstance(event, ReplyPlaying)
        if self._note_playing(event):
            self._speak_on()

    def _speak_on(self) -> None:
        """The voice is heard, or is to be heard: one that has run dry has a deadline."""
        self.state = State.SPEAKING
        if self._dry_since is not None:
            self._timers[Timer.STALL] = self._stall_over()
            self._set(Timer.SIGN, self.params.dry_sign_secs)

    def _note_playing(self, event: Event | None) -> bool:
        """A reply has begun to sound: unless it is a filler, the turn that it answers is closed."""
        assert isinstance(event, ReplyPlaying)
        if self._filler is not None and event.reply_id == self._filler.reply_id:
            self._filler.playing = True
        elif self._reply is not None and event.reply_id == self._reply.reply_id:
            self._reply.playing = True
            self._turn_open = False
            self._clear(Timer.REPLY)
            self._transcript.close_asked()
            judged = self.state is State.PAUSED and self._sound is not None and self._sound.silent_since is not None
            if not judged and self._suspended is None:
                self._reply.sounding_since = self._now
        else:
            return self.state is State.SPEAKING
        self._speaking_id = event.reply_id
        self._dry_since = None
        if self._filler is None or event.reply_id != self._filler.reply_id:
            self._bot_said = ""
        self._question_heard = False
        self._clear(Timer.SIGN, Timer.FILLER)
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
        self._note_end(self._reply, event)
        self._finish(self._reply)

    def _note_end(self, reply: Reply, event: ReplyPlayed) -> None:
        """Keep how a reply ended. A fixed sentence of which something was heard has been said."""
        reply.over = True
        reply.error = None if event.heard and reply.phrase is not None else event.error
        reply.falls_silent(self._now)
        self._speaking_id = None
        self._dry_since = None

    def _finish(self, reply: Reply) -> None:
        """What follows a reply that is over: the floor is free; if it failed or had no sound, that was no answer."""
        self._reply = None
        if reply.error is not None:
            if reply.phrase is None:
                self._do(ReportFault(f"reply failed: {reply.error}"))
                self._say(reply.apology)
            else:
                self._do(ReportFault(f"a fixed sentence could not be spoken: {reply.error}"))
                self._cannot_speak(reply.phrase)
        elif reply.phrase in FAREWELLS:
            self._take_leave()
        elif reply.phrase is None and not reply.playing:
            self._do(ReportFault("a reply without sound"))
            if self._asked_again:
                self._say(reply.apology)
            else:
                self._ask(announce=False, again=True)
        else:
            if reply.phrase is None:
                self._cut_asks = 0
            repeats = reply.phrase is Phrase.REPEAT
            self._listen(to_noise=repeats, least_secs=AFTER_REPEAT_SECS)

    def _note_stall(self, event: Event | None) -> None:
        assert isinstance(event, PlayoutStalled)
        if self._dry_since is not None:
            self._timers[Timer.STALL] = self._stall_over()
            self._set(Timer.SIGN, self.params.dry_sign_secs)
        else:
            self._clear(Timer.SIGN, Timer.STALL)

    def _allow_stall(self, event: Event | None) -> None:
        """What has been said is followed by tools, or by another answer of the model: both take their time."""
        assert isinstance(event, (WaitsForTools, WaitsInQueue))
        if Timer.STALL in self._timers and event.reply_id == self._speaking_id:
            over = self._stall_over()
            if isinstance(event, WaitsInQueue):
                dry_since = self._dry_since if self._dry_since is not None else self._now
                over = min(over, dry_since + self.params.reply_secs)  # short waits may follow each other for ever
            self._timers[Timer.STALL] = over

    def _stall_over(self) -> float:
        """When a reply that runs dry now is given up."""
        tools_until = self._reply.tools_until if self._reply is not None else None
        if tools_until is None:
            return self._now + self.params.stall_secs
        return max(self._now, tools_until) + self.params.reply_secs

    def _give_up_stalled(self, _: Event | None) -> None:
        self._do(ReportFault("reply stalled"))
        self._cancel()
        self._say(Phrase.APOLOGY)

    def _listen(self, *, to_noise: bool = False, least_secs: float = AFTER_NOISE_SECS) -> None:
        """The floor is free, unless somebody is speaking already.

        Args:
            to_noise: Whether nothing was said since it was free before: the silence goes on.
            least_secs: Until a silent caller is asked after that, at least.
        """
        self._release()
        self._clear_waits()
        if not to_noise:
            self._idle_from = self._now
        self._turn_open = False
        self._unanswered_cut = False
        self._asked_text = ""
        self.state = State.LISTENING
        if self._speech_on or self._transcript.text():
            self._user_takes_floor()
        elif self._closes:
            self._say_closing()
        elif self.params.idle_secs:
            due = self._idle_from + self.params.idle_secs
            latest = max(due + BURSTS_SECS, self._now)
            self._timers[Timer.IDLE] = max(due, min(self._now + least_secs, latest)) if to_noise else due

    # --- nobody speaks ------------------------------------------------------------------

    def _mind_silence(self, _: Event | None) -> None:
        """The caller has said nothing for a while: ask, and in the end part politely."""
        asked = self._times_minded
        self._times_minded += 1
        self._say(Phrase.STILL_THERE if asked < self.params.idle_prompts else Phrase.GOODBYE)

    def _say_closing(self, _: Event | None = None) -> None:
        """The line closes, and the floor is free to say so."""
        self._closes = False
        self._say(self._farewell)

    def _end_call_in_time(self, _: Event | None) -> None:
        """The longest call is nearly over: goodbye when the floor is free; then whoever has it; then hang up."""
        self._limit_stage += 1
        says_goodbye = self._reply is not None and self._reply.phrase in FAREWELLS
        if self._limit_stage == 1:
            self._farewell = Phrase.TIME_UP
            self._closes = True
            self._set(Timer.CALL_LIMIT, LIMIT_FIRM_SECS)
            if self.state is State.LISTENING:
                self._say_closing()
        elif self._limit_stage == 2:
            self._set(Timer.CALL_LIMIT, LEAVE_SECS)
            if not says_goodbye:
                self._farewell = Phrase.TIME_UP
                self._cancel()
                self._stop_judging()
                self._transcript.close()
                self._say_closing()
        else:
            self._do(TellClient("The call has come to its end. Goodbye."))
            self._do(HangUp())

    def _take_leave(self) -> None:
        """The goodbye has been said. Whoever speaks into the line that is about to close stays on it."""
        self._listen()
        if self.state is State.LISTENING:
            self._clear(Timer.IDLE)
            self._set(Timer.HANG_UP, self.params.hang_up_secs)

    def _hang_up(self, _: Event | None) -> None:
        self._do(HangUp())
