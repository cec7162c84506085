"""The turn machine: who has the floor, and what happens when both want it.

Pure: :meth:`TurnMachine.handle` takes an event and ``now`` (monotonic seconds) and returns actions;
:meth:`TurnMachine.next_deadline` says when it wants a :class:`~processors.turns.events.Tick`. There is no clock,
no I/O and no asyncio in here. The thin driver is ``handler.py``.

How to read it. An event first tells its facts, whoever has the floor (``facts.py``). Then
:data:`~processors.turns.table.RULES` says what follows: for each state the events and timers that mean something there,
the handler, and the states it may lead to. A pair that is not in the table is late, double or out of order, and
changes nothing but the facts. A handler is a function that returns the next state; the machine enters it, and checks it
against the table. The state is plain data, all in one place (``turn_state.py``).

The handlers: ``user_speaks.py`` (the user has the floor), ``bot_answers.py`` and ``waiting.py`` (the bot has it),
``over_voice.py`` (both want it: barge-in), ``taken_back.py`` (false interruptions), ``free_floor.py`` (nobody has it).
Below them: ``asking.py`` (a reply is asked for), ``end_of_turn.py`` (endpointing), ``preparing.py`` (preemptive
generation), ``suspended.py`` and ``replies.py`` (what becomes of a reply), ``decisions.py`` and ``floor.py``. Modules
import downwards only.

One reply at a time is wanted; at most one filler sentence may be spoken before it. A turn stays open until the reply to
it begins to sound: until then, further words extend it and the reply is asked for anew.
"""

import copy
from dataclasses import replace
from typing import Final

from processors.turns.events import Action, Event, Tick
from processors.turns.facts import FACTS
from processors.turns.floor import ROUNDING_SECS, Floor
from processors.turns.states import State, Timer, TurnParams
from processors.turns.table import RULES, Key
from processors.turns.turn_state import TurnState
from processors.turns.verdict.policy import VerdictPolicy

LIMIT_NOTICE_SECS: Final = 15.0
"""So long before the longest call is over the bot takes the next chance to say goodbye."""

MAX_DUE: Final = 50
"""Timers that may fall due at one instant; more would be a loop."""


class WrongTransition(AssertionError):
    """A handler led to a state that the table does not name for it."""


class TurnMachine:
    """Gives and takes the floor of one call.

    Args:
        params: Times and modes.
        policy: The verdict's rules; by default made from ``params.verdict``.
    """

    def __init__(self, params: TurnParams | None = None, policy: VerdictPolicy | None = None) -> None:
        params = params or TurnParams()
        self._floor = Floor(params, policy or VerdictPolicy(params.verdict))

    # --- events in, actions out ------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event and return what is to be done, in order.

        Args:
            event: What happened.
            now: Monotonic seconds; must never go back.
        """
        known = self.known
        if not known.course.began:
            self._begin(now)
        known.now = max(now, known.now)
        self._fire_due_timers()
        if not isinstance(event, Tick):
            self._take(type(event), event)
        return self._floor.take_actions()

    def next_deadline(self) -> float | None:
        """When a Tick is due (same clock as ``now``), or None while nothing is waited for."""
        return min(self.known.timers.values(), default=None)

    # --- what others may know --------------------------------------------------------------

    @property
    def known(self) -> TurnState:
        """The whole state."""
        return self._floor.known

    @property
    def params(self) -> TurnParams:
        """Times and modes."""
        return self._floor.params

    @property
    def state(self) -> State:
        """Who has the floor."""
        return self.known.state

    @property
    def turn_id(self) -> int:
        """Number of the user's turn that is open, or was last."""
        return self.known.turn.turn_id

    @property
    def last_reply_id(self) -> int:
        """Number of the newest reply of the call."""
        return self.known.bot.last_reply_id

    @property
    def words_so_far(self) -> tuple[int, str]:
        """The turn that is open or would be next, and its words so far."""
        return self._floor.next_turn_id(), self.known.transcript.text()

    @property
    def judges(self) -> bool:
        """Whether a sound now would be one over the bot's voice (or over its thinking)."""
        return self.state in (State.THINKING, State.SPEAKING, State.PAUSED)

    def begin_after(self, turn_id: int, reply_id: int) -> None:
        """The call began in another process: count on from its turns and replies. Comes before the first event."""
        self.known.turn.turn_id = turn_id
        self.known.bot.last_reply_id = reply_id

    def speak(self, language: str) -> None:
        """The caller speaks another language: words are judged, and sentences measured, by that from now on."""
        floor = self._floor
        floor.params = replace(
            floor.params,
            endpoint=replace(floor.params.endpoint, language=language),
            verdict=replace(floor.params.verdict, language=language),
        )
        floor.policy = copy.copy(floor.policy)  # it may be shared by all calls
        floor.policy.params = replace(floor.policy.params, language=language)

    def fork(self) -> "TurnMachine":
        """A machine in the same state, that goes its own way."""
        other = TurnMachine(self.params, self._floor.policy)
        other._floor.known = copy.deepcopy(self.known)
        return other

    # --- the machinery -----------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        """The call begins with its first event."""
        self.known.course.began = True
        self.known.now = now
        if self.params.max_call_secs:
            self._floor.wait(Timer.CALL_LIMIT, max(0.0, self.params.max_call_secs - LIMIT_NOTICE_SECS))

    def _fire_due_timers(self) -> None:
        timers = self.known.timers
        for _ in range(MAX_DUE):
            due = [(at, timer) for timer, at in timers.items() if at <= self.known.now + ROUNDING_SECS]
            if not due:
                return
            _, timer = min(due, key=lambda entry: (entry[0], entry[1].value))
            del timers[timer]
            self._take(timer)
        raise AssertionError(f"timers without end: {timers}")

    def _take(self, key: Key, *event: Event) -> None:
        """Note what an event (or, alone, a timer) tells, then do what follows from it in this state."""
        observe = FACTS.get(key)
        if observe is not None and observe(self._floor, *event) is False:
            return
        before = self.known.state
        rule = RULES.get((before, key))
        if rule is None:
            return
        after = rule.act(self._floor, *event)
        if after is not before and after not in rule.leads_to:
            raise WrongTransition(f"{before.name} -{key}-> {after.name} is not in the table")
        self.known.state = after
