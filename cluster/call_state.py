"""What a call is outside its process: small, plain, versioned. Pure.

:class:`CallState` is all that another process needs to go on with a call: what was said and heard, what is being said
and how much of it was heard, what the caller asked and nobody has answered, what tools have done or are doing. It is
written after each event that counts, and read once, when a node takes the call up.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

VERSION: Final = 1
MAX_BYTES: Final = 64_000
"""A state that is larger, once packed, loses its oldest turns."""


class StateError(Exception):
    """It cannot be read: damaged, or of a version that is not known."""


def letters(text: str) -> int:
    """Characters that are no white space: what is counted alike wherever a text is cut into pieces."""
    return sum(not char.isspace() for char in text)


@dataclass(frozen=True)
class OpenReply:
    """The reply that was being made or spoken.

    Attributes:
        reply_id: Its number.
        turn_id: The turn that it answers; None: the bot spoke of its own accord.
        text: Its words, as far as they are known.
        complete: Whether these are all.
        heard_chars: How much of it was heard; see :func:`letters`.
        cut: Whether the caller has cut it: the rest is not wanted.
    """

    reply_id: int
    turn_id: int | None = None
    text: str = ""
    complete: bool = False
    heard_chars: int = 0
    cut: bool = False

    @property
    def heard(self) -> str:
        """The words that were heard."""
        return self.text[: self._split()]

    @property
    def rest(self) -> str:
        """The words that were not."""
        return self.text[self._split() :].strip()

    def heard_at_least(self, chars: int) -> "OpenReply":
        """The same, when somebody knows that more of it was heard."""
        return replace(self, heard_chars=max(self.heard_chars, chars))

    def _split(self) -> int:
        """Where the first word begins that was not heard: never within a word."""
        left = self.heard_chars
        if left <= 0:
            return 0
        for index, char in enumerate(self.text):
            if char.isspace():
                if left <= 0:
                    return index
            else:
                left -= 1
        return len(self.text)


@dataclass(frozen=True)
class CallState:
    """A call between two processes.

    Attributes:
        call_id: The name that its first client connection had.
        place: Under which name it takes up a place among all calls.
        subject: Whom a signed token named; None: nobody was named.
        claims: What else the token said.
        request_data: What the client sent when it called, without tokens.
        language: Code of the language that the caller speaks.
        conversation: See :meth:`~processors.context.aggregators.Conversation.stored`.
        tools: See :class:`~processors.tools.stored.StoredTools`.
        turn_id: The last turn.
        reply_id: The last reply.
        asked: A turn that was over and has not been answered.
        begun: The words of a turn that was not over.
        reply: What was being said.
    """

    call_id: str = ""
    place: str = ""
    subject: str | None = None
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    request_data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    language: str = ""
    conversation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tools: Mapping[str, Any] | None = None
    turn_id: int = 0
    reply_id: int = 0
    asked: str = ""
    begun: str = ""
    reply: OpenReply | None = None

    def packed(self) -> bytes:
        """As bytes; at most :data:`MAX_BYTES`, as far as leaving out old turns helps."""
        state = self
        while len(packed := state._packed()) > MAX_BYTES:
            turns = list(state.conversation.get("turns", ()))
            if len(turns) <= 1:
                break
            state = replace(state, conversation={**state.conversation, "turns": turns[len(turns) // 4 or 1 :]})
        return packed

    def _packed(self) -> bytes:
        values = {"version": VERSION, **self.__dict__}
        values["reply"] = None if self.reply is None else self.reply.__dict__
        return zlib.compress(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode(), 1)

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """From bytes.

        Raises:
            StateError: They are none.
        """
        try:
            unpacker = zlib.decompressobj()
            values = json.loads(unpacker.decompress(packed, 100 * MAX_BYTES))
            version = values.pop("version")
            if version != VERSION:
                raise StateError(f"version {version} is not known")
            reply = values.pop("reply")
            return cls(**values, reply=None if reply is None else OpenReply(**reply))
        except (zlib.error, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(f"the call's state cannot be read ({type(error).__name__})") from None
