"""Thoughts that only their end marks: ``The user greets me, so ... </think>Hello!``.

Templates of models that think (DeepSeek R1, QwQ, Qwen 3) put ``<think>`` at the end of the prompt, so that the answer
begins within the thought. A server that does not part the two sends both as words.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from loguru import logger

from contracts.llm import Delta, Finish, TextDelta, ToolCallDelta, as_generator

END_OF_THOUGHT: Final = re.compile(
    r"</\s*(?:think|thinking|thoughts?|reasoning|reflection|scratchpad|inner_monologue|antthinking|seed:think)\s*>"
    r"|\[/THINK\]|◁/think▷|<[|｜]/?(?:end[_▁]of[_▁])?think(?:ing)?[|｜]>|<\|end_of_thought\|>",
    re.IGNORECASE,
)
"""Ends what need not have been opened."""

_LONGEST_END: Final = 32
_OPENED: Final = re.compile(
    r"<\s*[a-z_:]*think|<\s*(?:thought|reasoning)|\[THINK|◁think|<[|｜](?:begin|channel|start|think)", re.IGNORECASE
)

_OPENERS: Final = frozenset(
    [
        *(
            "okay",
            "ok",
            "alright",
            "hmm",
            "hm",
            "so",
            "well",
            "right",
            "now",
            "first",
            "wait",
            "ah",
            "oh",
            "great",
        )
    ]
    + [*",.…!-—，", "好的", "嗯"]
)
_PERSONS: Final = frozenset(("user", "caller", "customer", "human", "nutzer", "benutzer", "anrufer", "usuario"))
_DOES: Final = frozenset(
    [*("is", "are", "has", "have", "had", "wants", "want", "wanted", "asks", "ask", "asked", "says", "say", "said")]
    + [*("just", "greets", "greeted", "seems", "seemed", "wrote", "writes", "mentions", "mentioned", "might", "needs")]
    + [*("would", "may", "probably", "typed", "provided", "gave", "also", "only", "then", "now", "again")]
    + [*("input", "message", "query", "question", "request", "did", "does", "didn't", "hasn't", "likely")]
    + [*("fragt", "sagt", "möchte", "will", "hat", "grüßt", "pregunta", "dice", "quiere", "saluda")]
)
_PLANS: Final = frozenset(
    ("respond", "answer", "reply", "greet", "produce", "output", "figure", "determine", "follow", "craft", "formulate")
)
_MAX_OPENERS: Final = 5
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[^\s\w]|\d+|_")


def thinks_aloud(text: str) -> bool | None:
    """Whether a reply begins as thoughts do, which speak of the caller as somebody else; None: that is not clear yet.

    Args:
        text: What has come of the reply.
    """
    found = [match.group().lower() for match in _WORD.finditer(text)]
    complete = found if not text or text[-1].isspace() else found[:-1]
    index = 0
    while index < len(complete) and index < _MAX_OPENERS and complete[index] in _OPENERS:
        index += 1
    rest = complete[index:]
    begun = found[index] if index < len(found) else ""
    if "".join(found[index:]).startswith(("用户", "l'utilisateur", "l’utilisateur")):
        return True
    if _begins("".join(found[index:]), ("l'utilisateur", "l’utilisateur")):
        return None
    match rest[:3]:
        case [] if index >= _MAX_OPENERS:
            return False
        case []:
            open_ = _begins(begun, (*_OPENERS, "the", "user", "we", "i", "der", "el", "l'utilisateur", "用户"))
            return None if open_ else False
        case ["the", "user's" | "user’s", *_]:
            return True
        case ["the" | "der" | "el"]:
            return None if _last_begins(found, index + 1, (*_PERSONS, "user's", "user’s")) else False
        case ["the" | "der" | "el", person] if person in _PERSONS:
            return None if _last_begins(found, index + 2, _DOES) else False
        case ["the" | "der" | "el", person, does, *_] if person in _PERSONS:
            return does in _DOES
        case ["user"]:
            return None if _last_begins(found, index + 1, _DOES | {":"}) else False
        case ["user", does, *_]:
            return does in _DOES
        case ["we" | "i"]:
            return None if _last_begins(found, index + 1, ("need", "should", "have", "must")) else False
        case ["we" | "i", "need" | "have"]:
            return None if _last_begins(found, index + 2, ("to",)) else False
        case ["we" | "i", "should" | "must"]:
            return None if _last_begins(found, index + 2, _PLANS) else False
        case ["we" | "i", "need" | "have", "to"]:
            return _decided(rest, found, index)
        case ["we" | "i", "should" | "must", plan, *_]:
            return plan in _PLANS
        case _:
            return False


def _decided(rest: list[str], found: list[str], index: int) -> bool | None:
    if len(rest) > 3:
        return rest[3] in _PLANS
    return None if _last_begins(found, index + 3, _PLANS) else False


def _last_begins(found: list[str], at: int, known: "frozenset[str] | tuple[str, ...] | set[str]") -> bool:
    """Whether the word that is still coming may be one of these."""
    return at >= len(found) or _begins(found[at], known)


def _begins(text: str, known: "frozenset[str] | tuple[str, ...] | set[str]") -> bool:
    return any(each.startswith(text) for each in known)


class UnopenedThoughts:
    """Learns whether the answers of one model begin within a thought, and takes that thought out of them from then on.

    The first such answer passes as it comes: what it holds before the mark is found by whoever speaks it. Streams of
    one model share this.

    Args:
        name: The model, for the log.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thinks_first = False

    async def without(self, deltas: AsyncIterator[Delta]) -> AsyncGenerator[Delta]:
        """The deltas of an answer without a thought at its beginning; an empty text stands for what was taken out.

        Args:
            deltas: The answer.
        """
        said, waiting = "", list[Delta]()
        looks, holds = True, self._thinks_first
        async with aclosing(as_generator(deltas)) as stream:
            async for delta in stream:
                match delta:
                    case TextDelta(text) if looks:
                        said += text
                        looks, passes = self._look(said, text, holds=holds)
                        yield TextDelta(passes)
                    case ToolCallDelta() if looks and holds:
                        waiting.append(delta)
                    case Finish(reason) if looks and holds:
                        if reason != "length":  # no thought after all
                            self._thinks_first = False
                            yield TextDelta(said)
                        for call in waiting:
                            yield call
                        yield delta
                    case _:
                        yield delta

    def _look(self, said: str, text: str, *, holds: bool) -> tuple[bool, str]:
        """Whether to go on looking, and what of the text passes.

        Args:
            said: The answer so far.
            text: What came last of it.
            holds: Whether it passes only behind the end of a thought.
        """
        begin = max(0, len(said) - len(text) - _LONGEST_END)
        end = END_OF_THOUGHT.search(said, begin)
        if _OPENED.search(said, 0 if not holds else begin, end.start() if end is not None else len(said)) is not None:
            return False, said if holds else text  # whoever reads it finds its end
        if end is None:
            return True, "" if holds else text
        if not self._thinks_first:
            self._thinks_first = True
            logger.warning(
                "{} thinks aloud before it answers; its thoughts are taken out from now on. Set up the server's "
                "parser of reasoning, or turn the thinking off: callers wait for it",
                self._name,
            )
        return False, said[end.end() :] if holds else text
