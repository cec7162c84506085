"""One reply of the language model: what it said, what of that was heard, and a tool's way into it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from contracts.transfer import Transfer, TransferOutcome, not_transferred
from processors.llm.parts import ReplyParts

HEAR_SECS: Final = 8.0
HEAR_SECS_PER_CHAR: Final = 0.15
"""A line that has not been heard after this long was not spoken."""


class Reply:
    """A reply to one turn.

    Args:
        reply_id: The reply.
        turn_id: The turn.
        parts: How much of it is said before the bot asks whether to go on.

    Attributes:
        started: Whether any of its text has been passed on.
        said: Its text so far.
        rest: What was not heard of the reply that the turn cut, if the model may go on with that.
        waits: Whether tools run for it, or the model has been asked again and has said nothing yet.
        cost_tokens: About what its prompts have cost.
    """

    def __init__(self, reply_id: int, turn_id: int, parts: ReplyParts) -> None:
        self.reply_id = reply_id
        self.turn_id = turn_id
        self.parts = parts
        self._lead = ""
        self.started = False
        self.said = ""
        self.rest = ""
        self.waits = False
        self.cost_tokens = 0.0
        self._heard = ""
        self._rests = asyncio.Event()
        self._lines = 0
        self._over = False

    @property
    def over(self) -> bool:
        """Whether nothing can be added any more."""
        return self._over

    @property
    def any_heard(self) -> bool:
        """Whether a word of it has been heard."""
        return bool(self._heard)

    @property
    def waits_to_be_heard(self) -> bool:
        """Whether a tool waits for its line to be heard."""
        return self._lines > 0

    def with_lead(self, text: str) -> str:
        """Its first text, with the signs before it; empty until there is a letter or a digit."""
        self._lead += text
        if not any(char.isalnum() for char in text):
            return ""
        lead, self._lead = self._lead.lstrip(), ""
        return lead

    @property
    def unheard(self) -> str:
        """What of its text so far has not been heard."""
        left = _letters(self._heard)
        if not left:
            return self.said
        for at, char in enumerate(self.said):
            left -= not char.isspace()
            if not left:
                return self.said[at + 1 :].lstrip()
        return ""

    def end(self) -> None:
        """It is complete, or was cut."""
        self._over = True
        self._rests.set()

    def note_word(self, text: str) -> None:
        """A word of it has been heard."""
        self._heard += text
        self._rests.clear()

    def note_dry(self) -> None:
        """There is nothing more to play of it."""
        if _letters(self._heard) >= _letters(self.said):
            self._rests.set()

    async def until_heard(self) -> bool:
        """Wait until all that was said so far has been heard; False if it was not."""
        if not self._over:
            self._rests.clear()
            self._lines += 1
            try:
                async with asyncio.timeout(HEAR_SECS + HEAR_SECS_PER_CHAR * len(self.said)):
                    await self._rests.wait()
            except TimeoutError:
                return False
            finally:
                self._lines -= 1
        return not self._over


def _letters(text: str) -> int:
    return len("".join(text.split()))


class ReplyCallControl:
    """The :class:`~processors.tools.base.CallControl` of the tools that a reply calls.

    Args:
        reply: The reply.
        speak: Adds a text to it, to be spoken at once.
        hang_up: Ends the call once it has been heard.
        transfer: Puts the caller through.
    """

    def __init__(
        self,
        reply: Reply,
        speak: Callable[[str], Awaitable[None]],
        hang_up: Callable[[], None],
        transfer: Transfer = not_transferred,
    ) -> None:
        self._reply = reply
        self._speak = speak
        self._hang_up = hang_up
        self._transfer = transfer

    async def say(self, text: str) -> bool:
        """Say something within the reply and wait until it has been heard; see :meth:`CallControl.say`."""
        if self._reply.over:
            return False
        await self._speak(text.strip() + " ")
        return await self._reply.until_heard()

    def hang_up(self) -> None:
        """End the call after the reply."""
        if not self._reply.over:
            self._hang_up()

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """Put the caller through; see :class:`~processors.tools.base.CallControl`."""
        return await self._transfer(target, within_secs)
