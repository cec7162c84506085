"""A call on hold: for the turn machine, time stands still. Pure.

The caller has put the call on hold, or the line is lost and may come back. Nobody is heard then, and nothing is played;
but a model goes on writing, and a recogniser on reading what was said before. What happens meanwhile is
queued in its order, and happens to the machine when the call goes on. No deadline falls due in between.
"""

from processors.turns.events import Action, Event, HungUp, Tick
from processors.turns.machine import TurnMachine


class Hold:
    """Stands between the clock and a turn machine.

    Args:
        machine: The machine; see :class:`~processors.turns.machine.TurnMachine`.
    """

    def __init__(self, machine: TurnMachine) -> None:
        self._machine = machine
        self._held_at: float | None = None
        self._lost_secs = 0.0
        self._waiting: list[Event] = []

    @property
    def on(self) -> bool:
        """Whether the call is on hold."""
        return self._held_at is not None

    def begin(self, now: float) -> list[Action]:
        """Put the call on hold; again: nothing happens.

        Args:
            now: Monotonic seconds, as for :meth:`handle`.

        Returns:
            What was due before.
        """
        if self._held_at is not None:
            return []
        actions = self.handle(Tick(), now)
        self._held_at = now
        return actions

    def end(self, now: float) -> list[Action]:
        """Go on, with what has happened meanwhile; if the call is not on hold: nothing happens."""
        if self._held_at is None:
            return []
        self._lost_secs += max(0.0, now - self._held_at)
        self._held_at = None
        waiting, self._waiting = self._waiting, []
        return [action for event in waiting for action in self.handle(event, now)]

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take an event: at once, or when the call goes on; the end of the call always at once."""
        if self._held_at is None or isinstance(event, HungUp):
            return self._machine.handle(event, (now if self._held_at is None else self._held_at) - self._lost_secs)
        if not isinstance(event, Tick):
            self._waiting.append(event)
        return []

    def next_deadline(self) -> float | None:
        """When a Tick is due (same clock as ``now``); None on hold, or while nothing is waited for."""
        deadline = self._machine.next_deadline()
        if self._held_at is not None or deadline is None:
            return None
        return deadline + self._lost_secs
