"""A second proof that the caller is who they are: a PIN, typed on the keypad, before tools that the operator names.

The digits go from the keypad to the check and nowhere else: no model, no history, no log and no record sees them. Three
tries a call; and who has failed three times waits, in whichever call.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from contracts.frames import UserTextFrame

TRIES: Final = 3
ENTRY_SECS: Final = 60.0
"""How long after the question keys are taken for the PIN."""

LOCK_SECS: Final = 900.0
"""How long a customer for whom all tries have failed is locked out."""

MOST_DIGITS: Final = 12
KEPT: Final = 10_000

ASK: Final = (
    "not done: the caller has to prove who they are first. Ask them to type their PIN on the keypad and to end it with "
    "the hash key; never ask for it to be spoken. When it was right, call the tool again"
)
LOCKED: Final = (
    "not done: the PIN was wrong too often. Say that this cannot be done in this call, and what can be done instead"
)
RIGHT: Final = "(I have typed my PIN on the keypad: it was right.)"
WRONG: Final = "(I have typed my PIN on the keypad: it was wrong. Tries left: {left}.)"


class Tries:
    """Failed tries of all calls, by customer. Pure: ``now`` (seconds) is an argument."""

    def __init__(self, _settings: object = None) -> None:
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def locked(self, customer: str, now: float) -> bool:
        """Whether a customer has no tries left just now."""
        count, at = self._failed.get(customer, (0, now))
        if now - at >= LOCK_SECS:
            self._failed.pop(customer, None)
            return False
        return count >= TRIES

    def note(self, customer: str, right: bool, now: float) -> None:
        """A try was right, or wrong."""
        count, _ = self._failed.pop(customer, (0, now))
        if not right:
            self._failed[customer] = (count + 1, now)
        while len(self._failed) > KEPT:
            self._failed.popitem(last=False)


class Proof:
    """The proof in one call. Pure: ``now`` (seconds) is an argument.

    Args:
        customer: Whose PIN it is, for counting over calls.
        tries: Failed tries of all calls.
    """

    def __init__(self, customer: str = "", tries: Tries | None = None) -> None:
        self.given = False
        self._customer = customer
        self._tries = tries or Tries()
        self._failed = 0
        self._digits = ""
        self._until = float("-inf")

    def missing(self, now: float) -> str | None:
        """What the model is told while the proof is missing, which asks for it; None: it was given."""
        if self.given:
            return None
        if self._locked(now):
            return LOCKED
        self._until, self._digits = now + ENTRY_SECS, ""
        return ASK

    def expects(self, now: float) -> bool:
        """Whether keys are taken for the PIN."""
        return not self.given and now < self._until and not self._locked(now)

    def press(self, keys: str, now: float) -> str | None:
        """Take keys: ``#`` ends the PIN, ``*`` begins it anew.

        Returns:
            The PIN, once it is whole.
        """
        for key in keys:
            if key == "*":
                self._digits = ""
            elif key == "#":
                if self._digits:
                    pin, self._digits = self._digits, ""
                    return pin
            elif len(self._digits) < MOST_DIGITS:
                self._digits += key
        self._until = max(self._until, now + ENTRY_SECS / 2)
        return None

    def settle(self, right: bool, now: float) -> str:
        """The PIN was right or not; what is said of it in the conversation."""
        self._tries.note(self._customer, right, now)
        if right:
            self.given = True
            return RIGHT
        self._failed += 1
        return WRONG.format(left=0 if self._locked(now) else TRIES - self._failed)

    def _locked(self, now: float) -> bool:
        return self._failed >= TRIES or self._tries.locked(self._customer, now)


class Keypad(FrameProcessor):
    """Takes keys out of the call while a PIN is expected, and tells the conversation whether it was right.

    Args:
        proof: The call's proof.
        check: Whether a PIN is the caller's.
    """

    def __init__(self, proof: Proof, check: Callable[[str], Awaitable[bool]]) -> None:
        super().__init__(name="keypad")
        self._proof = proof
        self._check = check

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Pass every frame on but the keys of a PIN."""
        await super().process_frame(frame, direction)
        now = asyncio.get_running_loop().time()
        if not (isinstance(frame, UserTextFrame) and frame.source == "key" and self._proof.expects(now)):
            await self.push_frame(frame, direction)
            return
        if (pin := self._proof.press(frame.text, now)) is not None:
            right = await self._check(pin)
            await self.push_frame(UserTextFrame(self._proof.settle(right, now)), direction)
