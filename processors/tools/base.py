"""What a tool is, and what it is handed when it runs."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from contracts.caller_identity import CallerIdentity
from contracts.caller_time import CallerClock, now_in
from contracts.llm import Meant, ToolSpec
from contracts.transfer import TransferOutcome
from processors.tools.proof import Proof, Tries
from settings import Settings

T = TypeVar("T")


class ToolError(Exception):
    """The tool did not do it; the message is for the model, which tells the caller."""


class CallControl(Protocol):
    """What a tool may do with the call."""

    async def say(self, text: str) -> bool:
        """Say a line of its own within the reply, and wait until it has been heard.

        Returns:
            True if it was heard to its end; False if it was interrupted, or could not be said.
        """
        ...

    def hang_up(self) -> None:
        """End the call once the reply that this serves has been heard whole; a reply that is cut ends nothing."""
        ...

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """Put the caller through to somebody else, and leave the call if they take it.

        Args:
            target: A telephone number or a SIP address.
            within_secs: How long they may take.
        """
        ...


class NoCallControl:
    """A :class:`CallControl` with nobody on it."""

    async def say(self, text: str) -> bool:
        """Nobody hears it."""
        return False

    def hang_up(self) -> None:
        """Nobody is there."""

    async def transfer(self, target: str, within_secs: float) -> TransferOutcome:
        """Nobody is there."""
        return TransferOutcome.IMPOSSIBLE


class Shared:
    """What the tools of all calls use together, such as a database: one object of each class, made at its first use.

    Args:
        settings: What each object is made with.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[type[Any], Any] = {}
        self._lock = threading.Lock()

    def get(self, kind: Callable[[Settings], T]) -> T:
        """The one object of a class, whose constructor takes the settings and does not block."""
        assert isinstance(kind, type)
        with self._lock:  # each tool runs on a thread of its own
            if kind not in self._made:
                self._made[kind] = kind(self._settings)
            return self._made[kind]

    def close(self) -> None:
        """Close those that can be closed."""
        for made in self._made.values():
            close = getattr(made, "close", None)
            if close is not None:
                close()
        self._made.clear()


class Session:
    """What the tools know of one caller, and of no other. It lives as long as the call.

    Args:
        call_id: The call's name.
        shared: What all calls use together.
        language: Language that the caller speaks.
        identity: Who the caller is by a signed token; None: nobody vouches for them.
        request_data: What the client sent when it called. Nobody vouches for it: it may choose a greeting, and must
            open nothing.
        clock: The caller's time.
    """

    def __init__(
        self,
        call_id: str = "",
        shared: Shared | None = None,
        language: str = "en",
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        clock: CallerClock | None = None,
    ) -> None:
        self.call_id = call_id
        self.clock = clock or CallerClock(None)
        self.identity = identity
        self.request_data: Mapping[str, Any] = request_data or {}
        self.proof = Proof(identity.subject if identity is not None else "", shared.get(Tries) if shared else None)
        self.language = language
        self._shared = shared
        self.hears_caller: Callable[[], bool] = lambda: True
        """Whether what was said last was said in the caller's own voice."""
        self._own: dict[type[Any], Any] = {}
        self._lock = threading.Lock()

    def own(self, kind: Callable[[], T]) -> T:
        """This call's object of a class, made at its first use; what one tool keeps there, the next one finds."""
        assert isinstance(kind, type)
        with self._lock:
            if kind not in self._own:
                self._own[kind] = kind()
            return self._own[kind]

    def shared(self, kind: Callable[[Settings], T]) -> T:
        """See :meth:`Shared.get`."""
        if self._shared is None:
            raise ToolError("nothing is set up for it")
        return self._shared.get(kind)


@dataclass(frozen=True)
class ToolContext:
    """What a tool is handed beside its arguments.

    Attributes:
        session: The caller's own state.
        key: Names this one wish. What changes something outside hands it on, so that a repeated request is known there.
        call: What the tool may do with the call.
        now: The time in the caller's zone, with its offset.
    """

    session: Session = field(default_factory=Session)
    key: str = ""
    call: CallControl = field(default_factory=NoCallControl)
    now: Callable[[], datetime] = lambda: now_in(None)

    @property
    def line(self) -> CallControl:
        """The old name of :attr:`call`; the next version knows that one only."""
        return self.call

    @property
    def identity(self) -> CallerIdentity | None:
        """Who the caller is by a signed token; None: nobody vouches for them."""
        return self.session.identity

    @property
    def request_data(self) -> Mapping[str, Any]:
        """What the client sent when it called; nobody vouches for it."""
        return self.session.request_data

    def own(self, kind: Callable[[], T]) -> T:
        """See :meth:`Session.own`."""
        return self.session.own(kind)

    def shared(self, kind: Callable[[Settings], T]) -> T:
        """See :meth:`Shared.get`."""
        return self.session.shared(kind)


Arguments = Mapping[str, Any]

ToolFunction = Callable[[Arguments, ToolContext], Awaitable[str]]
"""Takes checked arguments; returns what the model is told. Raises :class:`ToolError`."""


def unchecked(arguments: dict[str, Any]) -> Arguments:
    """Takes any arguments as they are."""
    return arguments


class MeantBy:
    """By which words a tool is asked for, so that it need not be described where it cannot be meant.

    List too many words rather than too few: a tool that is left out cannot be called. See :mod:`processors.llm.meant`.

    Args:
        words: By language code: words and phrases of them, separated by commas, in lower case and without apostrophes
            ("that s all"). A star stands for any letters, ``#`` for a word with a digit. English words count in every
            language, for people mix them in.
        few_ways: Whether it is asked for in few ways, such as the time. Otherwise it is also described where a word
            that nobody knows was said.
    """

    def __init__(self, words: Mapping[str, str], *, few_ways: bool = False) -> None:
        self._words = {
            code: frozenset(" ".join(entry.split()) for entry in text.split(",") if entry.strip())
            for code, text in words.items()
        }
        self._few_ways = few_ways

    def in_(self, language: str) -> Meant:
        """The words of callers who speak a language; none if the language is not known."""
        own = self._words.get(language)
        words = own | self._words.get("en", frozenset()) if own is not None else frozenset[str]()
        return Meant(language, words, self._few_ways)


@dataclass(frozen=True)
class Tool:
    """Something that the model can have done.

    Attributes:
        name: Name to call it by.
        description: What it does and when to use it, for the model.
        schema: JSON schema of its arguments, an object.
        run: Does it.
        check: Turns what the model wrote into arguments; raises :class:`ToolError` if it cannot.
        effect: Whether it changes something in the world. What changes something is never stopped half-way and never
            done twice for one wish; what only looks something up is stopped when nobody waits for it any more.
        confirm: Whether it is done only after the caller's yes.
        proof: Whether it is done only for a caller who has typed their PIN in this call.
        outcome: Tells what became of an effect whose process died while it ran: called with the same arguments and the
            same :attr:`ToolContext.key`. It returns what the tool would have returned, or raises :class:`ToolError` if
            nothing was done, and then nothing may be done under that key any more. None: nobody can tell.
        timeout_secs: How long a reply waits for it. A look-up is then stopped; an effect goes on in the background.
        on_loop: Whether it must run on the calls' own event loop, which it then must never block. By default it runs on
            a thread and a loop of its own.
        worded_for: Words of questions to which the result is the answer as it stands; none: the model words it. See
            :mod:`processors.tools.wording`.
        meant_by: Words by which it is asked for; None: it is always described to the model.
    """

    name: str
    description: str
    schema: dict[str, Any]
    run: ToolFunction
    check: Callable[[dict[str, Any]], Arguments] = unchecked
    effect: bool = False
    confirm: bool = False
    proof: bool = False
    outcome: ToolFunction | None = None
    timeout_secs: float = 10.0
    on_loop: bool = False
    worded_for: frozenset[str] = frozenset()
    meant_by: MeantBy | None = None

    @property
    def spec(self) -> ToolSpec:
        """The tool as the model is told of it, whatever is said."""
        note = " It is done only after the caller's yes: the first call tells you to ask." if self.confirm else ""
        return ToolSpec(self.name, self.description + note, self.schema)

    def spec_in(self, language: str) -> ToolSpec:
        """The same, with the words by which callers of a language ask for it."""
        return replace(self.spec, meant=self.meant_by.in_(language) if self.meant_by is not None else None)
