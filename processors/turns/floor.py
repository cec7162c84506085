"""The floor of one call: its state, and what every handler of the turn machine needs to act on it.

A handler is a function that takes the floor (and its event), changes the state, orders actions, and returns who has
the floor next. It never sets that itself: :class:`~processors.turns.machine.TurnMachine` does, and checks it against
the table.
"""

from typing import Final

from processors.turns.events import Action, Backchannel, Resume, StopJudging
from processors.turns.partner import PartnerWatch
from processors.turns.states import State, Timer, TurnParams
from processors.turns.transcript import Transcript
from processors.turns.turn_state import (
    BotTurn,
    CallCourse,
    Judging,
    Preemptive,
    Reply,
    Speech,
    TurnState,
    UserTurn,
)
from processors.turns.verdict.policy import VerdictPolicy
from processors.turns.wording import same_words

ROUNDING_SECS: Final = 1e-6
"""A timer is due this much before its time: sums of seconds differ in their last digits."""

LASTING_TIMERS: Final = frozenset({Timer.REVIEW, Timer.COMMIT, Timer.CALL_LIMIT})
"""What is waited for whoever gets the floor."""


class Floor:
    """The floor of one call.

    Args:
        params: Times and modes.
        policy: The rules by which a sound over the bot's voice is judged.
    """

    def __init__(self, params: TurnParams, policy: VerdictPolicy) -> None:
        self.params = params
        self.policy = policy
        self.known = TurnState(course=CallCourse(partner=PartnerWatch(params.partner_repeats)))
        self._actions: list[Action] = []

    # --- the state, by its parts -----------------------------------------------------------

    @property
    def state(self) -> State:
        """Who has the floor; while a handler runs: who had it before."""
        return self.known.state

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self.known.now

    @property
    def timers(self) -> dict[Timer, float]:
        """What is waited for, and until when."""
        return self.known.timers

    @property
    def speech(self) -> Speech:
        """The caller's voice."""
        return self.known.speech

    @property
    def transcript(self) -> Transcript:
        """What the user says."""
        return self.known.transcript

    @property
    def turn(self) -> UserTurn:
        """The user's turn."""
        return self.known.turn

    @property
    def preemptive(self) -> Preemptive:
        """What is known for a reply that is prepared before the turn is over."""
        return self.known.preemptive

    @property
    def bot(self) -> BotTurn:
        """What the bot says."""
        return self.known.bot

    @property
    def judging(self) -> Judging:
        """The sound over the bot's voice."""
        return self.known.judging

    @property
    def course(self) -> CallCourse:
        """How the call goes."""
        return self.known.course

    # --- timers and actions ----------------------------------------------------------------

    def wait(self, timer: Timer, secs: float) -> None:
        """Wait so long from now."""
        self.timers[timer] = self.now + secs

    def wait_until(self, timer: Timer, at: float) -> None:
        """Wait until then; what is past is due now."""
        self.timers[timer] = max(at, self.now)

    def clear(self, *timers: Timer) -> None:
        """Wait for these no more."""
        for timer in timers:
            self.timers.pop(timer, None)

    def clear_waits(self) -> None:
        """Wait for nothing but what lasts whoever has the floor."""
        for timer in [timer for timer in self.timers if timer not in LASTING_TIMERS]:
            del self.timers[timer]

    def do(self, action: Action) -> None:
        """Order an action."""
        self._actions.append(action)

    def take_actions(self) -> list[Action]:
        """The actions that were ordered since this was asked last."""
        actions, self._actions = self._actions, []
        return actions

    # --- what several handlers ask ---------------------------------------------------------

    def next_turn_id(self) -> int:
        """Number of the turn that is open, or would be next."""
        return self.turn.turn_id if self.turn.is_open else self.turn.turn_id + 1

    def same(self, one: str, other: str) -> bool:
        """Whether two texts are the same words."""
        return same_words(one, other, self.params.endpoint.language)

    def is_voiceless(self) -> bool:
        """Whether the newest words came without a voice that the VAD noticed."""
        voiceless_at, started_at = self.speech.voiceless_at, self.speech.started_at
        return voiceless_at is not None and (started_at is None or voiceless_at > started_at)

    def adds_nothing(self) -> bool:
        """Whether the last sound was too short to add to a turn that is complete without it."""
        if self.speech.started_at is None or self.is_voiceless():
            return False
        short = self.now - self.speech.started_at <= self.params.short_sound_secs
        return short and self.transcript.is_settled() and bool(self.transcript.text())

    def has_said_something(self, reply: Reply) -> bool:
        """Whether so much of a reply has sounded that the caller may have understood something."""
        return reply.heard_secs(self.now) >= self.params.unsaid_secs - ROUNDING_SECS

    # --- what several handlers do ----------------------------------------------------------

    def acknowledge(self, said: str) -> None:
        """What was said since the asking goes on with the turn, but wants no other answer."""
        if self.turn.is_open:
            self.turn.asked_text = self.transcript.text() or self.turn.asked_text
            self.transcript.mark_asked()
        else:
            self.transcript.close()
        if said:
            self.do(Backchannel(said))

    def release_voice(self) -> None:
        """Nothing is waited for before the voice may be heard."""
        if self.turn.unconfirmed:
            self.turn.unconfirmed = False
            self.clear(Timer.CONFIRM)
            if self.state is not State.PAUSED and self.bot.suspended is None:
                self.do(Resume())

    def stop_judging(self) -> None:
        """The sound is decided."""
        if self.judging.sound is not None:
            self.judging.last_sound = self.judging.sound
            self.judging.sound = None
            self.do(StopJudging())
