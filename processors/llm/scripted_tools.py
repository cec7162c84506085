"""How the scripted help line uses tools: which call a sentence asks for, and how a result is told. Pure.

Keywords again: enough for demonstrations and tests without a model, not more. It reads the prompt as a model does.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.llm import Message
from processors.context.aggregators import RUNNING
from processors.tools.consent import DONE_ALREADY, MUST_ASK, agrees
from processors.tools.runner import NOT_TOLD

WANTED_DAY_AND_TIME = "Gladly. On which day, and at what time?"
REFUSED = "All right, I won't. What else can I do for you?"
GOODBYE = "Goodbye, and take care."
NOTHING_KNOWN = "Nothing is known"

_DAYS = re.compile(r"\b(today|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b")
_CLOCK = re.compile(r"\b(half past )?(\d{1,2}|[a-z]+)(?::(\d\d))?( thirty)?\s*(?:o'?clock)?\s*([ap]\.?m\b)?")
_NUMBERS = "one two three four five six seven eight nine ten eleven twelve"
_HOURS = {word: number for number, word in enumerate(_NUMBERS.split(), 1)}
_TOPICS = ("loan", "card", "savings", "account")
_BOOKING = re.compile(r"\b(appointment|advis[eo]r|book)\b")
_TIME = re.compile(r"\b(what time is it|what'?s the time|what is the time|what day is it|today's date)\b")
_PERSON = re.compile(r"^\W*0\W*$|\b(real person|a person|human|operator|somebody real|transfer me|put me through)\b")
_SUM = re.compile(r"\d[\d.,]*(?:\s*(?:[-+*/]|plus|minus|times|divided by|percent of)\s*\d[\d.,]*)+")
_WORDS_OF_SUMS = {"plus": "+", "minus": "-", "times": "*", "divided by": "/", "percent of": "/100*"}


@dataclass(frozen=True)
class Call:
    """A call to make.

    Attributes:
        name: The tool.
        arguments: Its arguments.
    """

    name: str
    arguments: dict[str, Any]


def results(messages: Sequence[Message]) -> list[tuple[Call, str]]:
    """The calls at the end of the prompt with their outputs: what is to be told now."""
    outputs: dict[str, str] = {}
    found: list[tuple[Call, str]] = []
    for message in reversed(messages):
        if message["role"] == "tool":
            outputs[message["tool_call_id"]] = str(message["content"])
        elif message.get("tool_calls"):
            found += [(_call(each), outputs.get(each["id"], RUNNING)) for each in message["tool_calls"]]
        else:
            break
    return list(reversed(found))


def told(found: Sequence[tuple[Call, str]]) -> str:
    """The results as sentences."""
    return " ".join(filter(None, (_told(call, output) for call, output in found)))


def late_results(messages: Sequence[Message]) -> str:
    """Results that came when nobody listened, and that no reply has told since."""
    said = " ".join(str(message["content"]) for message in messages if message["role"] == "assistant")
    late = [str(each["content"]) for each in messages if each["role"] == "tool"]
    fresh = [output.removesuffix(NOT_TOLD) for output in late if output.endswith(NOT_TOLD)]
    return " ".join(dict.fromkeys(output for output in fresh if output not in said))


def proposal(messages: Sequence[Message]) -> Call | None:
    """What was asked in the turn before the last, and waits for a yes."""
    users = [index for index, message in enumerate(messages) if message["role"] == "user"]
    if len(users) < 2:
        return None
    before = messages[users[-2] + 1 : users[-1]]
    outputs = {each["tool_call_id"]: str(each["content"]) for each in before if each["role"] == "tool"}
    calls = [call for message in before for call in message.get("tool_calls") or ()]
    asked = [call for call in calls if outputs.get(call["id"], "").startswith((MUST_ASK, _DONE))]
    return _call(asked[-1]) if asked else None


def decide(
    said: Sequence[str], topic: str | None, account: str, asked: Call | None, names: set[str]
) -> Call | str | None:
    """What to do about the last user message.

    Args:
        said: The user's messages, the newest last.
        topic: What the last one is about, as the help line knows its topics.
        account: The account that is talked of.
        asked: What waits for a yes.
        names: Tools that there are.

    Returns:
        A call, a sentence, or None: no tool is needed.
    """
    text = said[-1].lower()
    if asked is not None:
        if agrees(text):
            return asked
        if re.match(r"\W*(no|nope|don't|never mind)\b", text):
            return REFUSED
    if "book_appointment" in names and (booking := _booking(said)) is not None:
        return booking
    if "transfer_to_person" in names and _PERSON.search(text):
        return Call("transfer_to_person", {})
    if "current_time" in names and _TIME.search(text):
        return Call("current_time", {})
    if "calculate" in names and (found := _SUM.search(text)) is not None:
        expression = found.group().rstrip(".,")
        for word, sign in _WORDS_OF_SUMS.items():
            expression = expression.replace(word, sign)
        return Call("calculate", {"expression": re.sub(r"\s+", "", expression)})
    by_topic = {
        "balance": Call("check_balance", {"account": account}),
        "transactions": Call("recent_transactions", {"account": account}),
        "statement": Call("email_statement", {"account": account}),
        "goodbye": Call("end_call", {}),
        None: Call("search_knowledge", {"question": said[-1]}),
    }
    call = by_topic.get(topic)
    return call if call is not None and call.name in names else None


def _call(call: dict[str, Any]) -> Call:
    function = call["function"]
    return Call(function["name"], json.loads(function["arguments"] or "{}"))


_DONE = DONE_ALREADY.split("{result}")[0]


def _told(call: Call, output: str) -> str:
    output = output.removesuffix(NOT_TOLD)
    if call.name == "end_call":
        return GOODBYE
    if output == RUNNING:
        return "I'm still working on it."
    if output.startswith(MUST_ASK):
        return f"Shall I {_in_words(call)}?"
    if output.startswith(_DONE):
        return f"That's done already. Shall I {_in_words(call)} once more?"
    if output.startswith(("error: ", "timed out: ")):
        return f"I'm sorry, that did not work: {output.split(': ', 1)[1]}."
    if call.name == "search_knowledge":
        return "" if output.startswith(NOTHING_KNOWN) else _first_sentences(output)
    return output


def _in_words(call: Call) -> str:
    if call.name == "book_appointment":
        about = call.arguments.get("topic", "other")
        topic = "" if about == "other" else f" about your {about}"
        return f"book an appointment{topic} for {call.arguments['day']} at {call.arguments['at']}"
    if call.name == "email_statement":
        return f"send the statement of your {call.arguments.get('account', 'checking')} account by e-mail"
    return "do that"


def _first_sentences(passages: str, count: int = 2) -> str:
    """The beginning of the first passage; each is a line, its title in brackets."""
    text = passages.split("\n")[0].partition("] ")[2]
    return " ".join(re.split(r"(?<=[.!?])\s+", text)[:count])


def _booking(said: Sequence[str]) -> Call | str | None:
    """An appointment that the last messages ask for: one that began some turns ago may need its day or time still."""
    text = said[-1].lower()
    if not _BOOKING.search(text):
        earlier = next((each.lower() for each in reversed(said[-3:-1]) if _BOOKING.search(each.lower())), None)
        if earlier is None or not (_DAYS.search(text) or _clock(text)):
            return None
        text = f"{text} {earlier}"
    day, at = _DAYS.search(text), _clock(text)
    if day is None or at is None:
        return WANTED_DAY_AND_TIME
    topic = next((topic for topic in _TOPICS if topic in text), "other")
    return Call("book_appointment", {"day": day.group(), "at": at, "topic": topic})


def _clock(text: str) -> str | None:
    """The first time of day in a text as HH:MM; a bare hour from one to six is in the afternoon."""
    for half, hour, minute, thirty, part in _CLOCK.findall(text):
        number = int(hour) if hour.isdigit() else _HOURS.get(hour)
        if number is None or number > 23:
            continue
        if part.startswith("p") and number < 12 or not part and not minute and number < 7:
            number += 12
        return f"{number:02}:{minute or ('30' if half or thirty else '00')}"
    return None
