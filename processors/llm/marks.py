"""Where machine text begins in a reply, and what ends it: the marks of published chat templates. Pure.

OpenAI's harmony, Llama 3 and 4, Qwen 2.5 and 3, Mistral, DeepSeek, Kimi, GLM, Gemma; see :mod:`.machine_text`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from contracts.llm import ToolSpec
from processors.llm.foreign_calls import is_call
from processors.llm.unopened_thoughts import END_OF_THOUGHT
from processors.llm.written_calls import ANSWER_KEYS, CALL_KEYS

INSTRUCTION: Final = "To call one, write nothing but"
"""How the local model is told to call tools."""

_PARROTED: Final = "To call one, write"
"""What of that it likes to repeat before it does."""


class Place(Enum):
    """What stands behind a mark."""

    TEXT = auto()
    THOUGHT = auto()
    HEADER = auto()
    CALL = auto()
    DROPPED = auto()
    """All that comes."""


@dataclass(frozen=True)
class Opened:
    """A mark that was found.

    Attributes:
        kind: What stands behind it.
        skip: Characters of the mark that are dropped at once.
        close: Ends it; None for a call: the bracket that closes the first one does.
        skip_close: Where to begin to look for that.
        alone: Whether what follows such a call is no text.
        ends_thought: Whether it ends a thought, which began with the reply if nothing opened one.
    """

    kind: Place
    skip: int = 0
    close: re.Pattern[str] | None = None
    skip_close: int = 0
    alone: bool = False
    ends_thought: bool = False


UNDECIDED: Final = "undecided"
"""It may be a mark: more text must come."""

Look = Opened | str | None

_NEVER: Final = re.compile(r"(?!)")
_THOUGHTS: Final = frozenset(
    (
        "think",
        "thinking",
        "thought",
        "thoughts",
        "reasoning",
        "reflection",
        "scratchpad",
        "inner_monologue",
        "antthinking",
        "analysis",
        "seed:think",
        "tool_response",
        "tool_result",
        "tool_results",
        "tool_output",
        "function_result",
        "function_results",
        "function_response",
    )
)
"""Tags around what is not for the caller; echoed results of tools among them."""

_CALLS: Final = frozenset(
    (
        "tool_call",
        "tool_calls",
        "toolcall",
        "function",
        "function_call",
        "function_calls",
        "functioncall",
        "invoke",
        "tool_use",
        "use_tool",
        "tool_code",
        "minimax:tool_call",
        "antml:function_calls",
        "antml:invoke",
    )
)
_WRAPPERS: Final = frozenset(
    (
        "start_of_turn",
        "end_of_turn",
        "answer",
        "response",
        "final",
        "final_answer",
        "parameter",
        "speak",
        "prosody",
        "emphasis",
        "break",
        "voice",
        "emotion",
    )
)
"""Tags around what is for the caller, those for other voices (SSML) among them."""

MAX_TAG_CHARS: Final = 40
"""A longer tag of no known name is not waited for."""

TAGS: Final = _THOUGHTS | _CALLS | _WRAPPERS
"""All that are known, in lower case."""

_TAG: Final = re.compile(r"<(/?)\s*([a-z_]+(?::[a-z_]+)?)((?:\s|/)[^<>]{0,60})?(>|$)", re.IGNORECASE)
_TAG_BEGUN: Final = re.compile(r"</?\s*([a-z_]*:?[a-z_]*)$", re.IGNORECASE)
_FUNCTION: Final = re.compile(r"<function[=(]", re.IGNORECASE)
_SPECIAL: Final = re.compile(r"<[|｜]([\w▁]{1,64})[|｜]>")
_SPECIAL_BEGUN: Final = re.compile(r"<[|｜][\w▁]{0,64}[|｜]?$")
_ROLE: Final = re.compile(r"\s*(assistant|system|user|tool|model|developer)\s*")
_BRACKETS: Final = {
    "[TOOL_CALLS]": Opened(Place.CALL, close=_NEVER),
    "[THINK]": Opened(Place.THOUGHT, 7, re.compile(r"\[/THINK\]")),
    "[TOOL_RESULTS]": Opened(Place.THOUGHT, 14, re.compile(r"\[/TOOL_RESULTS\]")),
    "[AVAILABLE_TOOLS]": Opened(Place.THOUGHT, 17, re.compile(r"\[/AVAILABLE_TOOLS\]")),
    "[INST]": Opened(Place.THOUGHT, 6, re.compile(r"\[/INST\]")),
    **{mark: Opened(Place.TEXT, len(mark)) for mark in ("[/TOOL_CALLS]", "[/TOOL_RESULTS]", "[/INST]")},
    "[/THINK]": Opened(Place.TEXT, 8, ends_thought=True),
}
_KIMI: Final = {
    "◁think▷": Opened(Place.THOUGHT, 7, re.compile("◁/think▷")),
    "◁/think▷": Opened(Place.TEXT, 8, ends_thought=True),
}
_FENCE: Final = re.compile(r"```([\w+-]*)[ \t]*(?:\n\s*|(?=[{\[]))(?=(\S))")
_FENCE_BEGUN: Final = re.compile(r"`{1,2}$|```[\w+-]*\s*$")
_FENCE_END: Final = re.compile(r"```|\Z(?!)")
_MACHINE_FENCES: Final = frozenset(["tool_code", "tool_call", "tool_calls", "tool", "function_call"])
_LANGUAGES: Final = frozenset(
    (
        "python",
        "py",
        "javascript",
        "js",
        "typescript",
        "ts",
        "json",
        "bash",
        "sh",
        "shell",
        "sql",
        "html",
        "css",
        "java",
    )
    + ("c", "cpp", "c++", "go", "rust", "xml", "yaml", "yml", "php", "ruby", "swift", "kotlin", "toml", "tsx", "jsx")
)
"""What code is written in: a block of it is for nobody's ear."""

_SCRIPTS: Final = frozenset(("", "json", "python", "javascript", "js"))
_FIRST_KEY: Final = re.compile(r"""\{\s*(?:(["'])([^"'\n]{0,64})(\1?)|([^"'\s]))""")
_NAMESPACES: Final = ("functions.", "default_api.", "tools.")
_ROLES_GLUED: Final = ("assistantfinal", "assistantcommentary", "assistantanalysis")
"""What is left of harmony's marks when a server strips the special tokens."""

_END_OF_MESSAGE: Final = re.compile(r"<\|(?:end|call|return|start|channel)\|>")
_END_OF_CALLS: Final = re.compile(r"<[|｜](?:tool[▁_]calls[▁_](?:section[▁_])?end|eom_id|eot_id|end|call|return)[|｜]>")
_END_OF_ROLE: Final = re.compile(r"assistant\s?final|(?=<\|(?:channel|start)\|>)")
_TO: Final = re.compile(r"(?:commentary )?to=((?:functions|tools|default_api)\.)?([\w-]*)")
_TO_HEADER: Final = re.compile(r"(?:\s|code\b|json\b|<\|\w+\|>)*")
_ARGUMENTS_SURE: Final = re.compile(r"""\(\s*(?:[A-Za-z_]\w*\s*=(?=[^=])|["'\[{\d-]|\))""")
_ARGUMENTS_MAYBE: Final = re.compile(r"\(\s*(?:[A-Za-z_]\w*\s*=?)?$")
_OBJECT_BEHIND: Final = re.compile(r"""\s{0,2}(?::\d{1,3})?[:=]?\s{0,2}\{\s*["'}]""")
_OBJECT_MAYBE: Final = re.compile(r"\s{0,2}(?::\d{0,3})?[:=]?\s{0,2}(?:\{\s*)?$")
_BEFORE_A_CALL: Final = re.compile(r"print\(|await\s+")
_BEFORE_MAYBE: Final = ("print(", "await ")
_CANDIDATE: Final = re.compile(r"[<{\[`◁#*]|(?<!\w)[A-Za-z_]\w*")
_FRAGMENT: Final = re.compile(
    r"<[|｜]|</?[a-z_]{3}[^>]*$|\[/?[A-Z]+_?|\w*to=|◁|\w+\(\s*\w+\s*=|\w{4,}\(\s*$|(?:\w+\s?)?\{\s*[\"']", re.IGNORECASE
)


_BOTS_LABELS: Final = ("Assistant:", "AI:", "Bot:", "Agent:", "Final Answer:")
_HEADINGS: Final = ("### Assistant:", "### Response:", "**Assistant:**", "**Bot:**", "**Agent:**")
_LABELS: Final = {
    **{label: Opened(Place.TEXT, len(label)) for label in (*_BOTS_LABELS, *_HEADINGS)},
    "Thought:": Opened(Place.THOUGHT, 8, re.compile(r"\bFinal Answer:|(?=\bAction:)")),
    "Action:": Opened(Place.CALL, close=re.compile(r"\bObservation:|\bFinal Answer:")),
}
"""Who speaks in a written dialogue, and the steps of the ReAct pattern."""

_CALLERS_HEADINGS: Final = (
    *("### Human:", "### User:", "### Instruction:", "### Input:"),
    *("**User:**", "**Human:**", "**Caller:**", "**Customer:**"),
)
_CALLERS_LABELS: Final = ("User:", "Human:", "Caller:", "Customer:", *_CALLERS_HEADINGS)
_OBSERVED: Final = "Observation:"
"""What a model invents as a tool's result."""

_NOTES: Final = ("[calling", "[called", "[using", "[invoking", "[tool", "[function")
_NOTE: Final = re.compile(
    r"""\[(?:calling|called|using|invoking|tool|function)\b[:\s]*(?:(?:the|tool|function)[:\s]+)*["'`]?""",
    re.IGNORECASE,
)

_CALLERS_ROLES: Final = frozenset(("user", "human", "system", "developer"))
_TURN_ROLE: Final = re.compile(r"(?:model|assistant|(user|system|developer))\s*\n", re.IGNORECASE)
_TURN_ROLES: Final = ("model\n", "assistant\n", "user\n", "system\n", "developer\n")
_OBJECT_IN_TAG: Final = re.compile(r"""\s{0,2}\{\s*["']""")
_OBJECT_IN_TAG_MAYBE: Final = re.compile(r"\s{0,2}(?:\{\s*)?")


class Marks:
    """The marks of one model's replies.

    Args:
        tools: Tools that may be called.
    """

    def __init__(self, tools: Sequence[ToolSpec]) -> None:
        self._names = frozenset(tool.name for tool in tools)
        self._keys = CALL_KEYS | ANSWER_KEYS | {key for tool in tools for key in tool.schema.get("properties", {})}
        self._called = (*self._names, *(f"{space}{name}" for space in _NAMESPACES for name in self._names))
        self._words = (*_ROLES_GLUED, *(f"to={space}" for space in _NAMESPACES), "commentary to=", _PARROTED)

    def find(self, text: str, before: str) -> tuple[int, Look]:
        """The first mark of a text.

        Args:
            text: The text.
            before: What stood before it.

        Returns:
            Where it begins, and what it is: None, at the text's end, if there is none.
        """
        at = 0
        while (candidate := _CANDIDATE.search(text, at)) is not None:
            found = self._look(text, candidate, before)
            if found is not None:
                return candidate.start(), found
            at = candidate.end()
        return len(text), None

    def message(self, header: str) -> Opened | None:
        """What a message of harmony's is, by its header; None: words for the caller."""
        if "to=assistant" in header or header.split()[:1] in ([role] for role in _CALLERS_ROLES):
            return Opened(Place.THOUGHT, close=_END_OF_MESSAGE)  # a result, or another's words, made up
        if "to=" in header:
            return Opened(Place.CALL, close=_END_OF_MESSAGE, skip_close=len(header))
        return Opened(Place.THOUGHT, close=_END_OF_MESSAGE) if "analysis" in header else None

    def is_fragment(self, text: str) -> bool:
        """Whether the end of a stream is the beginning of a mark and of nothing else."""
        return _FRAGMENT.match(text) is not None

    def is_whole(self, text: str) -> bool:
        """Whether it is a whole mark that only waited for what might follow."""
        return text.lower() == "<start_of_turn>"

    def _look(self, text: str, candidate: re.Match[str], before: str) -> Look:
        at = candidate.start()
        here = text[at:]
        match here[0]:
            case "<":
                return _tag(here, self._names)
            case "◁":
                return _fixed(here, _KIMI)
            case "{":
                return self._object(here)
            case "[":
                return self._bracket(here)
            case "`":
                return self._fence(here)
            case "#" | "*":
                return _label(here, before + text[:at])
            case _:
                if at == 0 and before[-1:].isalnum():
                    return None  # the middle of a word
                so_far = before + text[:at]
                label = _label(here, so_far)
                return label or self._word(here, candidate.group(), begins=not so_far.strip())

    def _object(self, here: str) -> Look:
        first = _FIRST_KEY.match(here)
        if first is None:
            return UNDECIDED if re.fullmatch(r"\{\s{0,20}", here) else None
        if first[4]:
            return None
        if not first[3]:
            return UNDECIDED if first.end() == len(here) and _begins(first[2], self._keys) else None
        return Opened(Place.CALL, alone=first[2] in CALL_KEYS) if first[2] in self._keys else None

    def _bracket(self, here: str) -> Look:
        found = _fixed(here, _BRACKETS)
        if found is not None:
            return found
        told = self._told_of(here)
        if told is not None:
            return told
        inner = here[1:].lstrip()
        if inner.startswith("{"):
            listed = self._object(inner)
            return Opened(Place.CALL, alone=True) if isinstance(listed, Opened) else listed
        return self._named(inner) if inner else UNDECIDED if len(here) < 20 else None

    def _told_of(self, here: str) -> Look:
        """``[Calling book with 4 people]``: a note of a call, made by nobody."""
        note = _NOTE.match(here)
        if note is None:
            return UNDECIDED if _begins(here.lower(), _NOTES) else None
        rest = here[note.end() :]
        if any(re.match(rf"{re.escape(name)}\b", rest) and rest != name for name in self._names):
            return Opened(Place.THOUGHT, note.end(), re.compile(r"\]"))
        return UNDECIDED if _begins(rest, (*self._names, "the", "tool", "function")) else None

    def _named(self, inner: str) -> Look:
        """A bracket or a fence with a call in Python inside."""
        if inner == "print(":
            return UNDECIDED
        called = re.match(r"(?:print\()?([A-Za-z_][\w.]*)", inner)
        if called is None:
            return None
        if called.end() == len(inner) and (_begins(called[1], self._called) or "print(".startswith(called[1])):
            return UNDECIDED
        if called[1] in self._called:
            return Opened(Place.CALL) if inner[called.end()] == "(" else None
        return _foreign(inner.removeprefix("print("))

    def _fence(self, here: str) -> Look:
        if _FENCE_BEGUN.fullmatch(here):
            return UNDECIDED
        fence = _FENCE.match(here)
        if fence is None:
            return None
        named = fence[1].lower()
        machine = named in _MACHINE_FENCES | _LANGUAGES or (fence[2] in "{[" and fence[1].lower() in _SCRIPTS)
        found = Opened(Place.CALL) if machine else self._named(here[fence.end() :])
        if isinstance(found, Opened):
            return Opened(Place.CALL, close=_FENCE_END, skip_close=3, alone=True)
        return found

    def _word(self, here: str, word: str, *, begins: bool) -> Look:
        if begins and here.startswith("analysis") and here[8:9].isupper():
            return Opened(Place.THOUGHT, 8, _END_OF_ROLE)
        if begins and "analysis".startswith(here):
            return UNDECIDED
        for role in _ROLES_GLUED:
            if here.startswith(role):
                if role.endswith("analysis"):
                    return Opened(Place.THOUGHT, len(role), _END_OF_ROLE)
                return Opened(Place.TEXT, len(role))
        if (to := _TO.match(here)) is not None:
            return self._addressed(here, to)
        if here.startswith(_PARROTED):
            return Opened(Place.CALL, close=_NEVER)
        if any(each.startswith(here) for each in _BEFORE_MAYBE):
            return UNDECIDED
        if (wrapped := _BEFORE_A_CALL.match(here)) is not None:
            return self._named(here[wrapped.end() :]) if wrapped.end() < len(here) else UNDECIDED
        name = re.match(r"[\w.]*\w", here)
        assert name is not None
        if name.group() in self._called:
            return _called(here[name.end() :])
        if name.end() == len(here.rstrip(".")) and _begins(here, self._called):
            return UNDECIDED
        return UNDECIDED if _begins(here, self._words) else _foreign(here)

    def _addressed(self, here: str, to: re.Match[str]) -> Look:
        """``to=functions.book {...}``."""
        if to.end() == len(here) or (here[to.end()] == "." and f"{to[2]}." in _NAMESPACES):
            return UNDECIDED
        header = _TO_HEADER.match(here, to.end())
        assert header is not None
        if header.end() == len(here) or _begins(here[header.end() :], ("json", "code", "<|constrain|>", "<|message|>")):
            return UNDECIDED
        if here[header.end()] in "{[":
            return Opened(Place.CALL)
        if not to[1] and to[2] not in self._names:
            return None
        return Opened(Place.CALL, close=re.compile("(?s:.)"), skip_close=header.end())


def _label(here: str, so_far: str) -> Look:
    """What a line begins with; behind the caller's name come words that the caller never said."""
    begins = not so_far.strip()
    if not begins and not so_far.rstrip(" ").endswith("\n"):
        return None
    dropped = (_OBSERVED, *(_CALLERS_HEADINGS if begins else _CALLERS_LABELS))
    if any(here.startswith(each) for each in dropped):
        return Opened(Place.DROPPED)
    return UNDECIDED if _begins(here, dropped) else _fixed(here, _LABELS)


def _called(behind: str) -> Look:
    """What stands behind a tool's name: arguments, or the rest of a sentence."""
    if not behind:
        return UNDECIDED
    if _ARGUMENTS_SURE.match(behind) or _OBJECT_BEHIND.match(behind):
        return Opened(Place.CALL)
    return UNDECIDED if _ARGUMENTS_MAYBE.match(behind) or _OBJECT_MAYBE.fullmatch(behind) else None


def _foreign(here: str) -> Look:
    """A call of a tool that there is not."""
    found = is_call(here)
    return UNDECIDED if found is None else Opened(Place.CALL) if found else None


def _tag(here: str, names: frozenset[str]) -> Look:
    special = _SPECIAL.match(here)
    if special is not None:
        return _special(here, special)
    if here == "<" or _SPECIAL_BEGUN.fullmatch(here):
        return UNDECIDED
    if _FUNCTION.match(here):
        return Opened(Place.CALL, close=re.compile(r"</function>"))
    begun = _TAG_BEGUN.fullmatch(here)
    if begun is not None:
        opens = begun[1] and not here.startswith("</") and len(here) <= MAX_TAG_CHARS
        return UNDECIDED if opens or _begins(begun[1].lower(), TAGS) or _begins(begun[1], names) else None
    tag = _TAG.match(here)
    if tag is None:
        return None
    if tag[2].lower() not in TAGS and tag[2] not in names:
        return _foreign_tag(here, tag)
    if not tag[4]:
        return UNDECIDED
    name = tag[2].lower()
    if name == "start_of_turn" and not tag[1]:
        return _turn(here, tag.end())
    if tag[1] or name in _WRAPPERS:
        return Opened(Place.TEXT, tag.end(), ends_thought=END_OF_THOUGHT.fullmatch(tag.group()) is not None)
    close = re.compile(rf"</\s*{re.escape(name)}\s*>", re.IGNORECASE)
    if name in _THOUGHTS:
        return Opened(Place.THOUGHT, tag.end(), close)
    return Opened(Place.CALL, close=close, alone=name == "tool_call")


def _foreign_tag(here: str, tag: re.Match[str]) -> Look:
    """A tag of no known name; around an object it is a call."""
    if tag[1] or tag[3] or not tag[4]:
        return None
    behind = here[tag.end() :]
    if _OBJECT_IN_TAG.match(behind):
        return Opened(Place.CALL, close=re.compile(rf"</\s*{re.escape(tag[2])}\s*>"))
    return UNDECIDED if _OBJECT_IN_TAG_MAYBE.fullmatch(behind) else None


def _turn(here: str, end: int) -> Look:
    """``<start_of_turn>model``, and a turn of the caller's that is made up."""
    role = _TURN_ROLE.match(here, end)
    if role is None:
        return UNDECIDED if _begins(here[end:], _TURN_ROLES) else Opened(Place.TEXT, end)
    return Opened(Place.DROPPED) if role[1] else Opened(Place.TEXT, role.end())


def _special(here: str, special: re.Match[str]) -> Look:
    """``<|...|>``; DeepSeek's have full-width bars."""
    name, end = special[1].replace("▁", "_").lower(), special.end()
    if name in ("channel", "start"):
        return Opened(Place.HEADER, end)
    if name in ("im_start", "start_header_id"):
        role = _ROLE.match(here, end)
        if role is None:
            return UNDECIDED if len(here) < end + 12 else None
        return Opened(Place.DROPPED) if role[1].lower() in _CALLERS_ROLES else Opened(Place.TEXT, role.end())
    if name in _CALLERS_ROLES:
        return Opened(Place.DROPPED)
    if ("think" in name or "thought" in name) and "end" not in name:
        ends = re.escape(special[0]).replace("begin", "end").replace("start", "end")
        return Opened(Place.THOUGHT, end, re.compile(rf"{ends}|<\|/think\w*\|>"))
    if name in ("python_tag", "tool_call"):
        return Opened(Place.CALL, close=_NEVER)
    if "tool" in name and "end" not in name:
        return Opened(Place.CALL, close=_END_OF_CALLS)
    return Opened(Place.TEXT, end, ends_thought=END_OF_THOUGHT.fullmatch(special.group()) is not None)


def _fixed(here: str, marks: dict[str, Opened]) -> Look:
    for mark, opened in marks.items():
        if here.startswith(mark):
            return opened
    return UNDECIDED if _begins(here, marks) else None


def _begins(text: str, known: Iterable[str]) -> bool:
    """Whether a text may be the beginning of something known."""
    return any(each.startswith(text) for each in known)
