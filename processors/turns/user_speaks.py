"""The part of the turn machine in which the user has the floor: words are gathered until the turn is over."""

from typing import Final

from processors.turns.completeness import Completeness, completeness
from processors.turns.endpoint import wait_ms
from processors.turns.events import (
    AnnounceUserStarted,
    AnnounceUserStopped,
    DetectEndOfTurn,
    EarlyWords,
    Event,
    KeyPressed,
    Phrase,
    PrepareReply,
    ReportFault,
    TextTyped,
    TurnScored,
    Words,
)
from processors.turns.floor import BURSTS_SECS, ROUNDING_SECS
from processors.turns.states import HASH, State, Timer
from processors.turns.taken_back import TakesBack

PATIENCE_SECS: Final = 1.8
PATIENCE_GROWTH: Final = 1.5
"""How long a caller who goes on and on is waited for, and how much longer with each further request that is cut."""


LONG_SOUND_SECS: Final = 3.0
"""A recogniser that tells words as they are said has told some by then, if any are said."""

SOUNDS_ON: Final = 0.3
"""Words that sound less complete than this while they are said are not asked about again for a while."""


class UserSpeaks(TakesBack):
    """The user has the floor."""

    def _user_takes_floor(self, _: Event | None = None) -> None:
        self._clear_waits()
        self._relies_on_early = False
        self._go_on = []
        self._heard_last = self._sounds_over = ""
        self._stands = False
        self.state = State.USER_SPEAKING
        self._do(AnnounceUserStarted())
        if self._is_silent_so_far():
            self._timers[Timer.IDLE] = max(self._idle_from + self.params.idle_secs, self._now)
        if self._speech_on:
            self._set(Timer.ENDLESS_SPEECH, self.params.endless_speech_secs)
            self._arm_take_back()
        else:
            self._await_words()

    def _is_silent_so_far(self) -> bool:
        """Whether nothing has been said since the floor was free: no word, no key."""
        owed = self._turn_open or self._suspended is not None or self._unanswered_cut
        return bool(self.params.idle_secs) and not owed and not self._transcript.text() and not self._speech_typed()

    def _speech_typed(self) -> bool:
        return Timer.KEYS in self._timers or self._ask_waits

    def _mind_sounds(self, _: Event | None) -> None:
        """A caller who makes sounds, and says nothing, is asked like one who is silent."""
        if not self._is_silent_so_far():
            return
        started_at, ended_at = self._speech_started_at, self._speech_ended_at
        if self._now < self._idle_from + self.params.idle_secs + BURSTS_SECS or self._speech_on:
            if self._speech_on and started_at is not None:
                secs = LONG_SOUND_SECS if self._tells_interims else self.params.endless_speech_secs
                due = started_at + secs
            else:
                due = (ended_at if ended_at is not None else self._now) + self.params.take_back_secs
            if due > self._now + ROUNDING_SECS:
                self._timers[Timer.IDLE] = min(due, self._now + 0.5) if self._speech_on else due
                return
        self._transcript.close()
        self._words_missed = True
        self._do(AnnounceUserStopped())
        self._mind_silence(None)

    def _user_goes_on(self, _: Event | None) -> None:
        if self._ask_waits:
            self._ask_waits = False
            self._do(AnnounceUserStarted())
        self._outspoken = self._prepared_text or self._outspoken
        self._prepare_reply("")
        self._relies_on_early = False
        self._clear(Timer.END_OF_TURN, Timer.TRANSCRIPT)
        self._set(Timer.ENDLESS_SPEECH, self.params.endless_speech_secs)
        self._arm_take_back()

    def _prepare_reply(self, text: str) -> None:
        """Have a reply to these words prepared, or (no words) given up."""
        if text and self._suspended is not None:
            return
        if text and (self._same(text, self._outspoken) or self._will_go_on(text)):
            return  # the caller goes on: these words are not all, only the others are not known yet
        if self.params.preemptive and not self._same(text, self._prepared_text):
            self._prepared_text = text
            self._do(PrepareReply(self.turn_id if self._turn_open else self.turn_id + 1, text))

    def _will_go_on(self, text: str) -> bool:
        """Whether more words are sure to come: keys are pressed, something is dictated, or the caller never stops."""
        if self._patience_secs() or Timer.KEYS in self._timers:
            return True
        return completeness(text, self.params.endpoint.language, self._bot_said) is Completeness.DICTATED

    def _prepare_early(self, _: Event | None = None) -> None:
        """A reply to words that are not final yet, if they may be all: they seldom change any more."""
        text = self._transcript.ahead()
        if text and completeness(text, self.params.endpoint.language) is not Completeness.UNFINISHED:
            self._prepare_reply(text)

    def _gather_early_words(self, event: Event | None) -> None:
        """The early recogniser's words: enough to prepare a reply, and perhaps to end the turn."""
        assert isinstance(event, EarlyWords)
        if not self._speech_on:
            if Timer.TRANSCRIPT in self._timers:
                self._prepare_early()
                self._arm_early_end()
        elif self._speech_pauses:
            self._prepare_early()
        else:
            self._prepare_while_speaking()

    def _prepare_while_speaking(self) -> None:
        """Words that may be all: the turn detector is asked whether they sound so.

        A reply is prepared once they have been heard twice: the last word of a reading is often half a word.
        """
        text = self._transcript.ahead()
        self._stands = self._same(text, self._heard_last)
        self._heard_last = text
        if self.params.preemptive_speaking > 1 or self._same(text, self._prepared_text):
            return
        if self._stands and self._same(text, self._sounds_over):
            self._prepare_reply(text)
            return
        if len(text.split()) < self.params.probe_words:
            return
        if len(self._probes) >= self.params.probes or self._now - self._probed_at < self.params.probe_secs:
            return
        stood_secs = self._now - self._probed_at
        if stood_secs < self.params.probe_again_secs and any(self._same(text, asked) for asked in self._go_on):
            return
        if completeness(text, self.params.endpoint.language) is not Completeness.UNFINISHED:
            self._last_probe += 1
            self._probes[self._last_probe] = text
            self._probed_at = self._now
            self._do(DetectEndOfTurn(self._last_probe))

    def _await_words(self, _: Event | None = None) -> None:
        """Speech has ended (or was none): its words, the turn detector and the silence decide what follows."""
        self._clear(Timer.ENDLESS_SPEECH)
        self._arm_take_back()
        if self._adds_nothing():
            text = self._transcript.text()
            secs = wait_ms(text, self._p_complete, self.params.endpoint, self._bot_said) / 1000
            self._set(Timer.END_OF_TURN, max(secs, self.params.short_transcript_secs))
            return
        self._set(Timer.TRANSCRIPT, self.params.transcript_secs)
        owes_words = self._speech_started_at is not None and not self._words_since_speech
        if self._transcript.is_settled() and self._transcript.text() and not owes_words:
            self._arm_end_of_turn()
        else:
            self._prepare_early()
            self._arm_early_end()

    def _gather_words(self, event: Event | None) -> None:
        assert isinstance(event, Words)
        if self._weigh_cut(event):
            return
        if self._speech_on:
            if self._speech_pauses or event.eager:
                self._prepare_early()
            elif not self._same(self._transcript.ahead(), self._prepared_text):
                self._prepare_reply("")
            if event.final:
                self._set(Timer.ENDLESS_SPEECH, self.params.lost_end_secs)
            elif Timer.ENDLESS_SPEECH in self._timers:
                self._set(Timer.ENDLESS_SPEECH, self.params.endless_speech_secs)
        elif event.final and self._transcript.is_settled():
            self._arm_end_of_turn()
        elif not event.final:
            self._clear(Timer.END_OF_TURN)
            self._set(Timer.TRANSCRIPT, self.params.transcript_secs)
            self._prepare_early()
            self._arm_early_end()

    def _rate_turn(self, event: Event | None) -> None:
        assert isinstance(event, TurnScored)
        if event.probe:
            text = self._probes.get(event.probe, "")
            sounds_complete = event.p_complete >= self.params.preemptive_speaking
            if text and event.p_complete < SOUNDS_ON:
                self._go_on.append(text)
            elif text and sounds_complete and self._same(text, self._transcript.ahead()):
                self._sounds_over = text
                if self._stands:
                    self._prepare_reply(text)
        elif self._transcript.awaits_final():
            self._arm_early_end()
        elif Timer.END_OF_TURN in self._timers:
            self._arm_end_of_turn()

    def _arm_early_end(self) -> None:
        """The turn may be over before its final words are known, if words and sound are complete."""
        text, p_complete = self._transcript.ahead(), self._p_complete
        if not self.params.early_end or not text or p_complete is None or not self._transcript.ahead_is_whole():
            return
        endpoint = self.params.endpoint
        wait = wait_ms(text, p_complete, endpoint, self._bot_said)
        if wait > endpoint.sure_ms or p_complete < endpoint.sounds_complete or self._speech_ended_at is None:
            return
        self._relies_on_early = True
        self._timers[Timer.END_OF_TURN] = max(self._speech_ended_at + wait / 1000, self._now)

    def _arm_end_of_turn(self) -> None:
        """The words are there: the turn is over after the silence that they, and how they sounded, ask for."""
        self._relies_on_early = False
        text = self._transcript.text()
        voiceless = self._is_voiceless()
        ended_at = self._voiceless_at if voiceless else self._speech_ended_at
        if ended_at is None:
            ended_at = self._now
        p_complete = None if voiceless else self._p_complete
        secs = wait_ms(text, p_complete, self.params.endpoint, self._bot_said) / 1000
        if voiceless:
            secs = max(secs, self.params.endpoint.voiceless_ms / 1000)
        elif text and p_complete is None:
            secs = max(secs, self.params.turn_score_secs)
        if not self._transcript.has_final():
            secs = self.params.transcript_secs
        else:
            if ended_at + secs > self._now:
                self._prepare_reply(text)
            self._clear(Timer.TRANSCRIPT)
        secs = max(secs, self._patience_secs())
        self._timers[Timer.END_OF_TURN] = max(ended_at + secs, self._now)

    def _patience_secs(self) -> float:
        """Who goes on whenever an answer is due is not asked about at each pause, but waited for longer and longer."""
        more = self._cut_asks - self.params.patient_after_asks
        if more < 0:
            return 0.0
        return min(PATIENCE_SECS * PATIENCE_GROWTH**more, self.params.patience_max_secs)

    def _end_turn(self, _: Event | None = None) -> None:
        if Timer.KEYS in self._timers:
            return  # the keys say when they are all there
        if self._relies_on_early and self._transcript.awaits_final():
            self._transcript.rely_on_early()  # they also say whether the reply that they cut goes on
        if self._gave_floor_for_nothing():
            return
        self._clear(Timer.END_OF_TURN, Timer.TRANSCRIPT, Timer.ENDLESS_SPEECH)
        if self._transcript.text():
            self._note_cancel_wrong(False)
            self._ask()
        else:
            self._nothing_said()

    def _nothing_said(self) -> None:
        """A sound without words. If it cost the caller a reply, that reply is asked for again."""
        self._transcript.close()
        self._do(AnnounceUserStopped())
        self._note_cancel_wrong(True)
        if self._unanswered_cut or (self._turn_open and self._asked_text):
            self._transcript.add_typed(self._asked_text)
            self._ask(announce=False, again=True)
        else:
            self._listen(to_noise=True)

    def _words_missing(self, _: Event | None) -> None:
        """Speech has ended and the recogniser owes us its words."""
        if self._transcript.text() or self._suspended is not None:
            self._end_turn()
            return
        started_at = self._speech_started_at if self._speech_started_at is not None else self._now
        short = self._now - started_at <= self.params.short_sound_secs + self.params.transcript_secs
        self._words_missed = True
        self._transcript.close()
        if short and self._unanswered_cut:
            self._nothing_said()
            return
        if short and self._noise_told:  # it has been told once, and nothing was said since
            self._do(AnnounceUserStopped())
            self._listen(to_noise=True)
            return
        self._noise_told = self._noise_told or short
        self._do(ReportFault("no transcript"))
        self._do(AnnounceUserStopped())
        self._say(Phrase.REPEAT)

    def _end_endless_speech(self, _: Event | None) -> None:
        """The end of speech was missed, or it never was speech."""
        self._speech_on = False
        self._speech_ended_at = self._now
        if (
            self._suspended is not None
            or self._transcript.text()
            or self._noise_told
            or self._unanswered_cut
            or self._turn_open
        ):
            self._end_turn()
            return
        self._noise_told = True
        self._transcript.close()
        self._do(AnnounceUserStopped())
        self._say(Phrase.REPEAT)

    def _words_without_speech(self, event: Event | None) -> None:
        assert isinstance(event, Words)
        if not self._transcript.text():
            return
        self._user_takes_floor()
        self._gather_words(event)

    def _take_typed(self, event: Event | None) -> None:
        assert isinstance(event, TextTyped)
        self._relies_on_early = False
        self._transcript.add_typed(event.text)
        if self.state is State.LISTENING:
            self._do(AnnounceUserStarted())
        self._ask()

    # --- phone keys --------------------------------------------------------------------

    def _press_key(self, event: Event | None) -> None:
        """Digits are one turn: it is over at the hash key, or when no other key follows."""
        assert isinstance(event, KeyPressed)
        if self.state is State.LISTENING:
            self._user_takes_floor()
        elif self._ask_waits:
            self._ask_waits = False
            self._do(AnnounceUserStarted())
        if event.key == HASH and self._transcript.has_keys():
            self._ask()
            return
        self._end_suspended()
        self._transcript.add_key(event.key)
        self._clear(Timer.END_OF_TURN, Timer.TRANSCRIPT)
        self._set(Timer.KEYS, self.params.keys_secs)

    def _end_keys(self, _: Event | None) -> None:
        if not self._speech_on:
            self._end_turn()
