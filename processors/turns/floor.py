"""What the parts of the turn machine share: what is known of the call, its timers and its actions."""

import copy
from dataclasses import dataclass, replace

from processors.turns.events import (
    Action,
    Backchannel,
    Event,
    Phrase,
    PublishDecision,
    ReplyPlayed,
    Resume,
    StopJudging,
    Words,
)
from processors.turns.interruption_decision import InterruptionDecision
from processors.turns.partner import PartnerWatch
from processors.turns.sound import Sound
from processors.turns.states import State, Timer, TurnParams
from processors.turns.transcript import Transcript
from processors.turns.verdict.policy import VerdictPolicy
from processors.turns.wording import same_words

ROUNDING_SECS = 1e-6
"""A timer is due this much before its time: sums of seconds differ in their last digits."""

BURSTS_SECS = 5.0
"""So long after a silent caller should have been asked, sounds without words are not waited for any more."""


@dataclass
class Reply:
    """One reply of the bot that is wanted, or its filler.

    Attributes:
        reply_id: The reply.
        phrase: The fixed sentence that it is; None: the model's.
        playing: Whether it has begun to sound.
        tools_until: When the wait for its tools is over at the latest; None if it has called none.
        filler_at: When it would have been covered without tools.
        queue_until: When a language model may be asked, if the reply waits for that.
        apology: What is said if it fails.
        over: Whether it has ended while a sound was judged.
        error: Why it ended too soon, if it did.
        sounded_secs: How long it has sounded, up to ``sounding_since``.
        sounding_since: Since when it sounds; None: it does not.
        taken_back: How often it was cut by a sound that was nothing, and went on.
    """

    reply_id: int
    phrase: Phrase | None = None
    playing: bool = False
    tools_until: float | None = None
    filler_at: float | None = None
    queue_until: float | None = None
    apology: Phrase = Phrase.APOLOGY
    over: bool = False
    error: str | None = None
    sounded_secs: float = 0.0
    sounding_since: float | None = None
    taken_back: int = 0

    def falls_silent(self, now: float) -> None:
        """It does not sound from now on."""
        if self.sounding_since is not None:
            self.sounded_secs += now - self.sounding_since
            self.sounding_since = None

    def heard_secs(self, now: float) -> float:
        """How long it has sounded in all."""
        return self.sounded_secs + (0.0 if self.sounding_since is None else now - self.sounding_since)


@dataclass(frozen=True)
class Suspended:
    """A reply that a sound has cut, and that is kept until words say whether that was right.

    Attributes:
        cut_at: When the caller got the floor.
        silent_since: Since when the voice is silent.
        by_voice: Whether the VAD has heard speech in the sound.
    """

    cut_at: float
    silent_since: float
    by_voice: bool = True


class Floor:
    """The state of one call's floor. The parts that act on it are mixed in to one machine; see ``machine.py``."""

    def __init__(self, params: TurnParams | None = None, policy: VerdictPolicy | None = None) -> None:
        self.params = params or TurnParams()
        self.state = State.LISTENING
        self.turn_id = 0
        self._policy = policy or VerdictPolicy(self.params.verdict)
        self._timers: dict[Timer, float] = {}
        self._actions: list[Action] = []
        self._now = 0.0
        self._began = False
        self._transcript = Transcript()
        self._turn_open = False
        self._asked_text = ""
        self._last_reply_id = 0
        self._first_reply_id = 0
        self._reply: Reply | None = None
        self._filler: Reply | None = None
        self._fillers_said = 0
        self._queue_told = False
        self._asked_again = False
        self._cut_asks = 0
        self._dry_since: float | None = None
        self._prepared_text = ""
        self._outspoken = ""
        self._closes = False
        self._speaking_id: int | None = None
        self._committing_id: int | None = None
        self._ask_waits = False
        self._again_waits = False
        self._speech_on = False
        self._speech_pauses = False
        self._words_since_speech = False
        self._speech_started_at: float | None = None
        self._voiceless_at: float | None = None
        self._speech_ended_at: float | None = None
        self._words_missed = False
        self._p_complete: float | None = None
        self._probes: dict[int, str] = {}
        self._go_on: list[str] = []
        self._heard_last = ""
        self._stands = False
        self._sounds_over = ""
        self._last_probe = 0
        self._probed_at = float("-inf")
        self._relies_on_early = False
        self._unconfirmed = False
        self._question_heard = False
        self._bot_said = ""
        self._sound: Sound | None = None
        self._last_sound_id = 0
        self._last_sound: Sound | None = None
        self._decision: InterruptionDecision | None = None
        self._unanswered_cut = False
        self._suspended: Suspended | None = None
        self._tells_interims = False
        self._doubted = False
        self._times_minded = 0
        self._idle_from = 0.0
        self._noise_told = False
        self._limit_stage = 0
        self._farewell = Phrase.CLOSING
        self._partner = PartnerWatch(self.params.partner_repeats)

    # --- what every part uses ------------------------------------------------------------

    @property
    def words_so_far(self) -> tuple[int, str]:
        """The turn that is open or would be next, and its words so far."""
        return self.turn_id if self._turn_open else self.turn_id + 1, self._transcript.text()

    @property
    def last_reply_id(self) -> int:
        """The newest reply of the call."""
        return self._last_reply_id

    def begin_after(self, turn_id: int, reply_id: int) -> None:
        """The call began in another process: count on from its turns and replies. Comes before the first event."""
        self.turn_id = turn_id
        self._last_reply_id = self._first_reply_id = reply_id

    def _set(self, timer: Timer, secs: float) -> None:
        self._timers[timer] = self._now + secs

    def _clear(self, *timers: Timer) -> None:
        for timer in timers:
            self._timers.pop(timer, None)

    def _do(self, action: Action) -> None:
        self._actions.append(action)

    def _release(self) -> None:
        """Nothing is waited for before the voice may be heard."""
        if self._unconfirmed:
            self._unconfirmed = False
            self._clear(Timer.CONFIRM)
            if self.state is not State.PAUSED and self._suspended is None:
                self._do(Resume())

    def _clear_waits(self) -> None:
        keep = {Timer.REVIEW, Timer.COMMIT, Timer.CALL_LIMIT}
        for timer in [timer for timer in self._timers if timer not in keep]:
            del self._timers[timer]

    def _new_reply_id(self) -> int:
        self._last_reply_id += 1
        return self._last_reply_id

    def _stop_judging(self) -> None:
        if self._sound is not None:
            self._last_sound = self._sound
            self._sound = None
            self._do(StopJudging())

    def _same(self, one: str, other: str) -> bool:
        """Whether two texts are the same words."""
        return same_words(one, other, self.params.endpoint.language)

    def _adds_nothing(self) -> bool:
        """Whether the last sound was too short to add to a turn that is complete without it."""
        if self._speech_started_at is None or self._is_voiceless():
            return False
        short = self._now - self._speech_started_at <= self.params.short_sound_secs
        return short and self._transcript.is_settled() and bool(self._transcript.text())

    def _acknowledge(self, said: str) -> None:
        """What was said since the asking goes on with the turn, but wants no other answer."""
        if self._turn_open:
            self._asked_text = self._transcript.text() or self._asked_text
            self._transcript.mark_asked()
        else:
            self._transcript.close()
        if said:
            self._do(Backchannel(said))

    def _is_voiceless(self) -> bool:
        """Whether the newest words came without a voice that the VAD noticed."""
        if self._voiceless_at is None:
            return False
        return self._speech_started_at is None or self._voiceless_at > self._speech_started_at

    def _has_said_something(self, reply: Reply) -> bool:
        """Whether so much of a reply has sounded that the caller may have understood something."""
        return reply.heard_secs(self._now) >= self.params.unsaid_secs - ROUNDING_SECS

    # --- the interruption decision -----------------------------------------------------------------

    def _close_decision(self, verdict: str, reason: str, confidence: float) -> None:
        if self._decision is None or self._sound is None or self._decision.verdict != "pending":
            return
        decision = self._decision
        decision.verdict = verdict  # pyright: ignore[reportAttributeAccessIssue] - a literal at each caller
        decision.reason, decision.confidence = reason, confidence
        decision.verdict_ms = self._sound.elapsed_ms(self._now)
        if self._sound.silent_since is not None and verdict == "resume":
            decision.silence_ms = round((self._now - self._sound.silent_since) * 1000)
        decision.text = self._transcript.text()
        self._do(PublishDecision(decision.as_dict()))
        self._set(Timer.REVIEW, self.params.review_secs)

    def _note_wrong(self, wrong: bool) -> None:
        if (
            self._decision is not None
            and self._decision.verdict in ("resume", "cancel")
            and self._decision.wrong is None
        ):
            self._decision.wrong = wrong
            self._do(PublishDecision(self._decision.as_dict()))
        self._clear(Timer.REVIEW)

    def _note_cancel_wrong(self, wrong: bool) -> None:
        """The turn that a cancel made room for had words, or it had none, and the reply is lost."""
        if self._decision is not None and self._decision.verdict == "cancel" and self._decision.wrong is None:
            self._decision.outcome = self._decision.outcome or ("lost" if wrong else "interrupted")
            self._note_wrong(wrong)

    def _review_verdict(self, _: Event | None = None) -> None:
        """The next seconds have told: a cancel without words was wrong, a resume that nobody disputed was right."""
        if self._decision is None or self._decision.wrong is not None or self._suspended is not None:
            return
        self._note_wrong(self._decision.verdict == "cancel" and not (self._transcript.text() or self._asked_text))

    # --- what one part asks of another -------------------------------------------------------

    def _user_takes_floor(self, _: Event | None = None) -> None:
        """The user speaks; defined by :class:`UserSpeaks`."""
        raise NotImplementedError

    def _mind_silence(self, _: Event | None) -> None:
        """The caller has said nothing for a while; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _press_key(self, event: Event | None) -> None:
        """A phone key while the user has the floor; defined by :class:`UserSpeaks`."""
        raise NotImplementedError

    def _arm_end_of_turn(self) -> None:
        """Words are there, wait for the turn's end; defined by :class:`UserSpeaks`."""
        raise NotImplementedError

    def _ask(self, *, announce: bool = True, again: bool = False) -> None:
        """Ask for a reply to the open turn; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _end_turn(self, _: Event | None = None) -> None:
        """The turn is over; defined by :class:`UserSpeaks`."""
        raise NotImplementedError

    def _confirm(self, words: Words) -> bool:
        """Whether words are those of a turn that was ended early; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _think(self) -> None:
        """Wait for the reply; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def judge_words_in(self, language: str) -> None:
        """Sounds over the bot's voice are judged by the words of this language."""
        self._policy = copy.copy(self._policy)  # it may be shared by all calls
        self._policy.params = replace(self._policy.params, language=language)

    def _say(self, phrase: Phrase) -> None:
        """Say a fixed sentence; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _note_end(self, reply: Reply, event: ReplyPlayed) -> None:
        """Keep how a reply ended; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _speak_on(self) -> None:
        """The voice is to be heard; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _finish(self, reply: Reply) -> None:
        """A reply is over; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _listen(self, *, to_noise: bool = False, least_secs: float = 0.0) -> None:
        """The floor is free; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _reply_over(self, event: Event | None) -> None:
        """A reply has been played to its end, or was cut; defined by :class:`BotAnswers`."""
        raise NotImplementedError

    def _cancel(self) -> None:
        """End the reply; defined by :class:`OverVoice`."""
        raise NotImplementedError

    def _judge_again(self, _: Event | None = None) -> None:
        """Judge a sound that was let go; defined by :class:`OverVoice`."""
        raise NotImplementedError
