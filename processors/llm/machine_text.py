"""Takes machine text out of a reply as it streams: thoughts, tool calls written as text, marks of chat templates. Pure.

Models put such text among their words when a server does not parse it for them: ``<think>``, ``book(n=6)``,
``to=functions.book {...}``, ``<|channel|>analysis<|message|>``. None of it is for the caller. Ordinary text is never
held back, but for the few characters that may begin a mark, and the word that may be a call's name: what passes does
not depend on how the text was split. A reply that begins as thoughts do waits for their end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.llm import ToolCallDelta, ToolSpec
from processors.llm.foreign_calls import NAME, is_call
from processors.llm.marks import TAGS, UNDECIDED, Marks, Opened, Place
from processors.llm.unopened_thoughts import END_OF_THOUGHT, thinks_aloud
from processors.llm.written_calls import THOUGHT_KEYS, closing, is_arguments, wrapped_answer, written_calls

MAX_CALL_CHARS: Final = 4_000
"""A longer call is no call of a voice bot: it is dropped unread."""

MAX_HEADER_CHARS: Final = 200
"""Longest header of a message in harmony's format."""

MEMORY_CHARS: Final = 80
"""How much of what passed, or of a thought, is looked back at."""

_WRAPPED: Final = re.compile(r"^(?:```\w*\s*|\[|print\(|await\s+)+")
_TAGGED: Final = re.compile(r"<(\w+)>\s*(\{.*)", re.DOTALL)
_MESSAGE: Final = "<|message|>"
_SAID_BY_END: Final = ("<|end|>", "<|call|>", "<|return|>")


@dataclass(frozen=True)
class Rest:
    """What is left when a stream is over.

    Attributes:
        text: Words that are still to be spoken.
        calls: Tool calls that were found in machine text.
        broken: Whether a call was begun that cannot be read.
        thinking: Whether the model was still thinking when it stopped.
    """

    text: str = ""
    calls: tuple[ToolCallDelta, ...] = ()
    broken: bool = False
    thinking: bool = False


class MachineTextFilter:
    """Lets the words of a reply through.

    Use: pass each delta through :meth:`feed`, and at the end of the stream :meth:`finish`. A filter serves one stream.

    Args:
        tools: Tools that the model may call: their names mark calls such as ``book(n=6)``.
    """

    def __init__(self, tools: Sequence[ToolSpec] = ()) -> None:
        self._tools = tools
        self._marks = Marks(tools)
        self._held = ""
        self._open: Opened | None = None
        self._calls: list[ToolCallDelta] = []
        self._broken = False
        self._passed = ""
        self._trims = False
        self._aloud: bool | None = None
        self._thought_known = False
        self._withdrawn = False
        self._found: Opened | None = None

    def feed(self, text: str) -> str:
        """Take a delta; the text that may be spoken now."""
        self._held += text
        if self._aloud is not False and self._may_think_aloud():
            return ""
        passed = ""
        while True:
            more, goes_on = self._step()
            passed += more
            if self._ends_unopened():
                passed = ""
            if not goes_on:
                return passed

    def took_back(self) -> bool:
        """Whether all that was passed before the last delta's text turned out to be a thought; once."""
        taken, self._withdrawn = self._withdrawn, False
        return taken

    def finish(self, *, cut: bool = False) -> Rest:
        """The stream is over.

        Args:
            cut: Whether it ended at the model's limit.
        """
        if self._aloud and cut:
            return Rest(thinking=True)
        text, thinking = "", False
        if self._aloud is not False:
            self._aloud = False
            text = self.feed("")
        held, self._held = self._held, ""
        match self._open.kind if self._open is not None else Place.TEXT:
            case Place.TEXT if self._marks.is_fragment(held):
                self._broken = True
            case Place.TEXT if self._marks.is_whole(held):
                pass
            case Place.TEXT:
                text += self._pass(held)
            case Place.THOUGHT | Place.HEADER:
                thinking = True
            case Place.CALL:
                self._read(held)
            case Place.DROPPED:
                pass
        return Rest(text, tuple(self._calls), self._broken and not self._calls, thinking)

    def _may_think_aloud(self) -> bool:
        """Whether to wait: a thought begins the reply, or may."""
        if self._aloud is None:
            self._aloud = thinks_aloud(self._held)
        if self._aloud is False:
            return False
        end = END_OF_THOUGHT.search(self._held) if self._aloud else None
        if end is None:
            return True
        self._held = self._held[end.end() :]
        self._aloud, self._thought_known, self._trims = False, True, True
        return False

    def _ends_unopened(self) -> bool:
        """Whether a thought has just ended that nothing had opened."""
        found, self._found = self._found, None
        if found is None:
            return False
        unopened = found.ends_thought and not self._thought_known
        self._thought_known = self._thought_known or found.ends_thought or found.kind is Place.THOUGHT
        if unopened:
            self._withdrawn, self._passed, self._trims = True, "", True
        return unopened

    def _step(self) -> tuple[str, bool]:
        """Go on by one mark: text that passes, and whether there may be more to do."""
        match self._open:
            case None:
                return self._text()
            case Opened(kind=Place.THOUGHT):
                return "", self._thought(self._open)
            case Opened(kind=Place.HEADER):
                return "", self._header()
            case Opened(kind=Place.CALL):
                return self._call(self._open)
            case _:
                self._held = ""
                return "", False

    def _text(self) -> tuple[str, bool]:
        begin, found = self._marks.find(self._held, self._passed)
        passed = self._pass(self._held[:begin])
        self._held = self._held[begin:]
        if found is None or found is UNDECIDED:
            return passed, False
        assert isinstance(found, Opened)
        self._held = self._held[found.skip :]
        self._open = found if found.kind is not Place.TEXT else None
        self._found = found
        self._trims = True
        return passed, True

    def _pass(self, text: str) -> str:
        """Text goes on; where something was taken out, no second space is left."""
        if self._trims and text:
            if not self._passed or self._passed[-1].isspace():
                text = text.lstrip()
            self._trims = not text
        self._passed = (self._passed + text)[-MEMORY_CHARS:]
        return text

    def _thought(self, opened: Opened) -> bool:
        end = opened.close.search(self._held) if opened.close is not None else None
        if end is None:
            self._held = self._held[-MEMORY_CHARS:]
            return False
        self._close(end)
        return True

    def _close(self, end: re.Match[str]) -> None:
        """Go on behind what ends a part; at it, if it begins another one."""
        begins_another = end.group() in ("<|start|>", "<|channel|>")
        self._held = self._held[end.start() if begins_another else end.end() :]
        self._open = None

    def _header(self) -> bool:
        """``commentary to=functions.book <|constrain|>json``, up to the message."""
        end = self._held.find(_MESSAGE)
        if end < 0:
            if len(self._held) > MAX_HEADER_CHARS:
                self._open = None
            return len(self._held) > MAX_HEADER_CHARS
        header = self._held[:end]
        self._open = self._marks.message(header)
        if self._open is None or self._open.kind is not Place.CALL:
            self._held = self._held[end + len(_MESSAGE) :]
        return True

    def _call(self, opened: Opened) -> tuple[str, bool]:
        """Hold a call until its end, then read it."""
        if opened.close is None:
            end = closing(self._held)
            region, rest = (self._held[:end], self._held[end:]) if end is not None else (None, "")
        else:
            found = opened.close.search(self._held, opened.skip_close)
            region, rest = (self._held[: found.start()], self._held[found.start() :]) if found else (None, "")
        if region is None:
            if len(self._held) <= MAX_CALL_CHARS:
                return "", False
            self._broken, self._open = True, Opened(Place.DROPPED)
            return "", True
        if opened.close is None and region.startswith("{") and not self._is_machine(region):
            self._open, self._held, self._trims = None, rest, False
            words = wrapped_answer(region)
            if words is None and region[1:].lstrip(" \n\"'").startswith(tuple(THOUGHT_KEYS)):
                self._broken = True
                return "", True
            return self._pass(region if words is None else words), True
        if opened.alone and written_calls(region, self._tools):
            # A small model goes on with words about a result that it has not seen, or with more calls.
            self._open = Opened(Place.CALL, close=re.compile(r"(?!)"))
            return "", False
        self._read(region)
        self._held, self._open = rest, None
        if opened.close is not None and (found := opened.close.match(rest)) is not None:
            self._close(found)
        return "", True

    def _is_machine(self, region: str) -> bool:
        return bool(written_calls(region, self._tools)) or is_arguments(region, self._tools)

    def _read(self, region: str) -> None:
        calls = written_calls(region, self._tools) or _foreign_calls(region)
        self._calls += calls
        shown_only = region.startswith("```") and not is_arguments(
            region.strip("`\n ").removeprefix("json"), self._tools
        )
        self._broken = self._broken or not (calls or shown_only)


def _foreign_calls(region: str) -> list[ToolCallDelta]:
    """The call of a tool that there is not: whoever runs tools tells the model so."""
    call = _WRAPPED.sub("", region)
    if (tagged := _TAGGED.match(call)) is not None and tagged[1].lower() not in TAGS:
        call = f"{tagged[1]} {tagged[2]}"
    name = NAME.match(call)
    if name is None or not is_call(call):
        return []
    bare = name.group().rpartition(".")[2]
    return written_calls(call[name.end() - len(bare) :], [ToolSpec(bare, "", {})]) or [ToolCallDelta("", bare, "{}")]
