"""What a language model is to the bot: messages in, a stream of deltas out."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")

Message = dict[str, Any]
"""One message in the shape of OpenAI's chat completions API."""


@dataclass(frozen=True, slots=True)
class Meant:
    """By which words a tool is asked for; see :mod:`processors.llm.meant`.

    Attributes:
        language: Code of the caller's language.
        words: Words and phrases, lower case; a star stands for any letters, ``#`` for a word with a digit. None: it is
            not known, and the tool may always be meant.
        few_ways: Whether it is asked for in few ways: without one of these words it is not meant.
    """

    language: str
    words: frozenset[str]
    few_ways: bool = False


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it.

    Attributes:
        name: Name to call it by.
        description: What it does and when to use it.
        schema: JSON schema of its arguments, an object.
        meant: By which words it is asked for; None: it may always be meant.
    """

    name: str
    description: str
    schema: dict[str, Any]
    meant: Meant | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Some more text of the reply; may be a part of a word."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A whole tool call.

    Attributes:
        call_id: Identifies it within the conversation; empty if the model gives none.
        name: The tool.
        arguments: JSON, as the model wrote it: it may be wrong.
    """

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a stream has cost.

    Attributes:
        prompt_tokens: Tokens of the prompt.
        cached_tokens: Those of them that the model had read before.
        completion_tokens: Tokens of the reply.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


UNREADABLE = "unreadable"
"""Reason of a :class:`Finish`: the vendor could not read the answer, and nor can we."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The model came to the end; a stream without it broke off.

    Attributes:
        reason: OpenAI's: ``"stop"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``.
        usage: What it cost, if the model says.
    """

    reason: str
    usage: Usage | None = None


class Quota(Enum):
    """What vendors count; the value is the name on the dashboard."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    REQUESTS_PER_DAY = "requests_per_day"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    TOKENS_PER_DAY = "tokens_per_day"


SHORT_NAMES: Final = {
    "RPM": Quota.REQUESTS_PER_MINUTE,
    "RPD": Quota.REQUESTS_PER_DAY,
    "TPM": Quota.TOKENS_PER_MINUTE,
    "TPD": Quota.TOKENS_PER_DAY,
}
"""As vendors and settings write them."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a vendor says of one of its limits.

    Attributes:
        quota: The limit.
        limit: How much may be used within its window.
        left: How much of that is left.
        met: Whether it is the limit for which the request was refused.
    """

    quota: Quota
    limit: float
    left: float
    met: bool = False


@dataclass(frozen=True, slots=True)
class LimitsTold:
    """The vendor has taken the request, and says what is left."""

    allowances: tuple[Allowance, ...]


@dataclass(frozen=True, slots=True)
class InQueue:
    """The request waits until a vendor may be asked; said again when the estimate changes.

    Attributes:
        wait_secs: How much longer, estimated.
        why: What it waits for, if possible in the vendor's words.
    """

    wait_secs: float
    why: str = ""


Delta = TextDelta | ToolCallDelta | Finish | LimitsTold | InQueue


class Cause(Enum):
    """Whose fault it is that there is no answer, and so what helps; the value is the name on the dashboard."""

    FAULT = "fault"  # the vendor or the way to it: it may work in a moment
    BUSY = "busy"  # too many requests: it works later
    QUOTA = "quota"  # the day's budget is used up: it works tomorrow
    KEY = "key"  # the key is refused: somebody must set another
    GONE = "gone"  # the model is served no more
    REQUEST = "request"  # this request, of all
    SIZE = "size"  # this request is too long


class LanguageModelError(Exception):
    """The model cannot answer.

    Args:
        message: Why, in a few words.
        retryable: Whether the same request may work later (rate limit, timeout, server fault).
        retry_after_secs: When, if the vendor says.
        cause: Whose fault it is.
        allowances: What the vendor said of its limits on this occasion.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after_secs: float | None = None,
        cause: Cause = Cause.FAULT,
        allowances: tuple[Allowance, ...] = (),
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after_secs = retry_after_secs
        self.cause = cause
        self.allowances = allowances


class LanguageModel(Protocol):
    """A model that any number of calls may ask at once."""

    @property
    def name(self) -> str:
        """For logs and the dashboard."""
        ...

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Load what must be loaded, and read the system prompt and the tools once, so that no first reply is late.

        Raises:
            LanguageModelError: It cannot be used at all.
        """
        ...

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer. Closing the iterator, or cancelling its consumer, stops the model's work.

        Args:
            messages: The prompt, system message first.
            tools: Tools that may be called.

        Raises:
            LanguageModelError: While iterating.
        """
        ...

    async def close(self) -> None:
        """Give back what :meth:`warm` took."""
        ...


@runtime_checkable
class ReadsAlong(Protocol):
    """A model that can read a prompt while its last words are still being spoken."""

    def read_ahead(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> None:
        """Begin to read; returns at once, and asks for nothing.

        Args:
            messages: The prompt so far; its last message, the user's, will go on.
            tools: Tools that may be called.
        """
        ...


async def as_generator(items: AsyncIterator[T]) -> AsyncGenerator[T]:
    """Give any iterator the ``aclose`` that a generator has."""
    try:
        async for item in items:
            yield item
    finally:
        close: Callable[[], Awaitable[None]] | None = getattr(items, "aclose", None)
        if close is not None:
            await close()
