"""A help line without a model: keywords in, prepared sentences or tool calls out. For demonstrations, tests and weak
machines.

It says what it is when asked, calls its figures samples, and admits what it does not know. Keywords are matched
loosely, since they come from speech recognition: case and punctuation do not count, and one wrong letter in a long
word is forgiven.
"""

import difflib
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from contracts.llm import Delta, Finish, LanguageModelError, Message, TextDelta, ToolCallDelta, ToolSpec
from processors.context.aggregators import CANCELLED
from processors.llm import go_on, scripted_tools

SIMILARITY = 0.82
"""Words at least this alike (0 to 1) are taken for the same, if they have five letters or more."""

UNKNOWN = (
    "I don't know that yet. I can tell you the opening hours, a balance, recent transactions, "
    "or send a statement by e-mail."
)
NOTHING_TO_REPEAT = "I haven't said anything yet. What can I do for you?"


@dataclass(frozen=True)
class Answer:
    """One prepared answer.

    Attributes:
        topic: Name of the topic.
        any_of: Groups of keywords: each inner tuple matches if all its words were said.
        text: What to say.
    """

    topic: str
    any_of: tuple[tuple[str, ...], ...]
    text: str


ANSWERS: tuple[Answer, ...] = (
    Answer(
        "services",
        (("services",), ("everything",), ("tell", "about", "bank"), ("long", "answer"), ("what", "can", "do")),
        "Gladly. On this line I can tell you when our branches are open, read you the balance of your checking or "
        "savings account, and go through your latest transactions. I can also send you a statement by e-mail, and "
        "repeat anything that you missed. Cards, loans and transfers are not part of this sample yet, but you can "
        "interrupt me at any time and ask for something else. Which would you like first?",
    ),
    Answer(
        "who",
        (("who", "are", "you"), ("your", "name"), ("robot",), ("human",), ("real", "person"), ("machine",)),
        "I'm Parley, an automatic voice, not a person. I answer for a sample bank, with sample accounts.",
    ),
    Answer(
        "new account",
        (("open", "account"), ("new", "account")),
        "I can't open an account on this line, but any branch can. Shall I tell you when they're open?",
    ),
    Answer(
        "hours",
        (("open",), ("opening",), ("hours",), ("close",), ("closing",), ("closed",), ("what", "time")),
        "Our branches are open from nine to five on weekdays, and from nine to one on Saturdays. "
        "We're closed on Sundays.",
    ),
    Answer(
        "transactions",
        (("transaction",), ("transactions",), ("spent",), ("payments",), ("purchases",)),
        "On your sample account there were three: forty two dollars at a grocery store on Monday, "
        "fifteen dollars for a taxi on Tuesday, and your salary of two thousand dollars on Wednesday.",
    ),
    Answer(
        "statement",
        (("statement",), ("statements",), ("email",), ("mail",)),
        "I would send the statement of your sample account to the e-mail address that we have on file. "
        "This is a demonstration, so no mail goes out.",
    ),
    Answer("stop", (("stop",), ("wait",), ("hold", "on"), ("quiet",), ("enough",)), "All right, I'm listening."),
    Answer("thanks", (("thanks",), ("thank", "you"), ("thank",)), "You're welcome. Is there anything else?"),
    Answer("goodbye", (("goodbye",), ("bye",), ("nothing", "else"), ("that", "is", "all")), "Goodbye, and take care."),
    Answer(
        "greeting",
        (("hello",), ("hi",), ("hey",), ("good", "morning"), ("good", "afternoon"), ("good", "evening")),
        "Hello! What can I do for you?",
    ),
)
"""Prepared answers, the first that matches wins: greetings come last, since people greet before they ask."""

BALANCES = {
    "checking": "On your sample checking account there are one thousand two hundred and forty dollars.",
    "savings": "On your sample savings account there are five thousand three hundred dollars.",
}
ACCOUNT_WORDS = {"checking": ("checking", "current"), "savings": ("savings", "saving")}
BALANCE_WORDS = ("balance", "balances", "money", "account")
REPEAT_PHRASES = (("repeat",), ("say", "again"), ("pardon",), ("come", "again"))

_WORD = re.compile(r"[a-z]+")


class ScriptedModel:
    """A :class:`~contracts.llm.LanguageModel` that knows a dozen answers by heart."""

    name = "scripted"

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing to load."""

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer the last user message, word by word.

        Raises:
            LanguageModelError: There is no user message.
        """
        said = [str(message["content"]) for message in messages if message["role"] == "user"]
        if not said:
            raise LanguageModelError("there is nothing to answer", retryable=False)
        replies = [str(m["content"]) for m in messages if m["role"] == "assistant" and m.get("content")]
        reply = _with_tools(messages, said, {tool.name for tool in tools}) or answer(said, replies)
        if reply == UNKNOWN and go_on.is_asked(messages):
            reply = go_on.GO_ON
        if isinstance(reply, scripted_tools.Call):
            yield ToolCallDelta("", reply.name, json.dumps(reply.arguments))
            yield Finish("tool_calls")
            return
        for word in re.findall(r"\S+\s*", reply):
            yield TextDelta(word)
        yield Finish("stop")

    async def close(self) -> None:
        """Nothing to close."""


def _with_tools(messages: Sequence[Message], said: Sequence[str], names: set[str]) -> scripted_tools.Call | str | None:
    """What to do or say by means of tools; None: nothing that needs them."""
    found = [(call, output) for call, output in scripted_tools.results(messages) if output != CANCELLED]
    late = scripted_tools.late_results(messages)
    if found:
        return f"{late} {scripted_tools.told(found)}".strip() or UNKNOWN
    if not names:
        return None
    asked = list(said)
    while len(asked) > 1 and any(_has_all(_words(asked[-1]), phrase) for phrase in REPEAT_PHRASES):
        asked.pop()
    words = _words(asked[-1])
    account = _account(words)
    topic = _topic(words) or ("balance" if account is not None else None)
    account = account or _last_account(asked[:-1])
    decided = scripted_tools.decide(asked, topic, account, scripted_tools.proposal(messages), names)
    return f"{late} {decided or ''}".strip() if late and not isinstance(decided, scripted_tools.Call) else decided


def answer(said: Sequence[str], replies: Sequence[str]) -> str:
    """What the help line says.

    Args:
        said: The user's messages, the newest last.
        replies: The bot's messages, the newest last, as they were heard.
    """
    words = _words(said[-1])
    if any(_has_all(words, phrase) for phrase in REPEAT_PHRASES):
        return _repeat(said[:-1], replies)
    topic = _topic(words)
    account = _account(words)
    if topic is None and account is not None:
        topic = "balance"  # "and the savings?": all that differs by account
    if topic == "balance":
        return BALANCES[account or _last_account(said[:-1])]
    return next((prepared.text for prepared in ANSWERS if prepared.topic == topic), UNKNOWN)


def _topic(words: set[str]) -> str | None:
    """What a message is about; "balance" stands apart since it needs an account."""
    asks_balance = any(_has(words, word) for word in BALANCE_WORDS)
    for prepared in ANSWERS:
        if asks_balance and prepared.topic in ("thanks", "goodbye", "greeting"):
            return "balance"
        if any(_has_all(words, phrase) for phrase in prepared.any_of):
            return prepared.topic
    return "balance" if asks_balance else None


def _account(words: set[str]) -> str | None:
    for account, names in ACCOUNT_WORDS.items():
        if any(_has(words, name) for name in names):
            return account
    return None


def _last_account(said: Sequence[str]) -> str:
    return next((account for text in reversed(said) if (account := _account(_words(text)))), "checking")


def _repeat(said: Sequence[str], replies: Sequence[str]) -> str:
    """The last answer in full, even if the caller cut it; else whatever was heard last."""
    for position in range(len(said), 0, -1):
        if not any(_has_all(_words(said[position - 1]), phrase) for phrase in REPEAT_PHRASES):
            return answer(said[:position], replies)
    return replies[-1] if replies else NOTHING_TO_REPEAT


def _words(text: str) -> set[str]:
    # "e-mail" and "email" are one word; "that's" is "that" and "s".
    return set(_WORD.findall(text.lower().replace("e-mail", "email").replace("that's", "that is")))


def _has(words: set[str], keyword: str) -> bool:
    if keyword in words:
        return True
    return len(keyword) >= 5 and bool(difflib.get_close_matches(keyword, words, n=1, cutoff=SIMILARITY))


def _has_all(words: set[str], keywords: Sequence[str]) -> bool:
    return all(_has(words, keyword) for keyword in keywords)
