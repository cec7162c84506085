"""Scenarios: what callers do, in which proportion. A small TOML file, checked field by field.

A request is one thing that wants an answer. Its kind says what else the caller does around it; in every kind exactly
one question is asked, so that "answered" means the same everywhere.
"""

import random
import tomllib
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SHIPPED: Final = Path(__file__).resolve().parent / "scenarios"


class Kind(Enum):
    """What a caller does in one request."""

    QUESTION = "question"
    """Asks, and listens to the answer."""
    TOOL = "tool"
    """Asks for something that needs a tool."""
    LONG_ANSWER = "long_answer"
    """Asks for much, and hears it to the end."""
    INTERRUPTION = "interruption"
    """Asks for much, and stops the bot while it speaks."""
    FALSE_ALARM = "false_alarm"
    """Asks for much, and makes a sound over the answer that should not stop it."""
    SILENCE = "silence"
    """Says nothing for a while, then asks."""
    HANG_UP = "hang_up"
    """Is cut off in mid-sentence, calls again and asks."""
    RECONNECT = "reconnect"
    """Hangs up and calls again at once, then asks."""


ASKED_FOR_MUCH: Final = frozenset({Kind.LONG_ANSWER, Kind.INTERRUPTION, Kind.FALSE_ALARM})
"""Kinds that need an answer of ten seconds or more."""


class ScenarioError(Exception):
    """A scenario cannot be read; the message says in one line what is wrong with it."""


class Asked(BaseModel):
    """Sentences that callers ask, spoken by a voice of this machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: tuple[str, ...] = ("When are you open?",)
    tool: tuple[str, ...] = ("What is the balance of my savings account?",)
    long_answer: tuple[str, ...] = ("Tell me everything that you can do.",)


class Scenario(BaseModel):
    """What callers do.

    Attributes:
        name: For people.
        note: For people, too.
        seed: Of all chance: the order of requests, the clips, the pauses.
        answer_limit_secs: An answer that begins later counts as none.
        think_secs: Shortest and longest pause before a request.
        interrupt_after_secs: How long the bot has been speaking when something is said over its voice.
        silence_secs: How long a silent caller is silent.
        mix: Weights of the kinds; those not named do not happen.
        ask: What is asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "scenario"
    note: str = ""
    seed: int = 1
    answer_limit_secs: float = Field(10.0, gt=0, le=120)
    think_secs: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.8, 2.0)
    interrupt_after_secs: float = Field(2.0, ge=0.5, le=30)
    silence_secs: float = Field(6.0, gt=0, le=60)
    mix: dict[Kind, Annotated[float, Field(ge=0)]]
    ask: Asked = Asked()

    @model_validator(mode="after")
    def _something_happens(self) -> "Scenario":
        if not sum(self.mix.values()):
            raise ValueError("mix: no kind has a weight above 0")
        if self.think_secs[0] > self.think_secs[1]:
            raise ValueError("think_secs: the shortest pause is longer than the longest")
        return self

    def deal(self, callers: int, requests: int) -> list[list[Kind]]:
        """What each caller does, in order: the whole deck holds each kind in its proportion, to within one request."""
        total = callers * requests
        whole = sum(self.mix.values())
        shares = {kind: total * weight / whole for kind, weight in self.mix.items()}
        counts = {kind: int(share) for kind, share in shares.items()}
        by_remainder = sorted(shares, key=lambda kind: counts[kind] - shares[kind])
        for kind in by_remainder[: total - sum(counts.values())]:
            counts[kind] += 1
        deck = [kind for kind, count in counts.items() for _ in range(count)]
        random.Random(self.seed).shuffle(deck)
        return [deck[caller::callers] for caller in range(callers)]


def load_scenario(name_or_file: str) -> Scenario:
    """A shipped scenario by its name, or a file.

    Raises:
        ScenarioError: There is none, or it is wrong.
    """
    path = SHIPPED / f"{name_or_file}.toml"
    if not path.is_file():
        path = Path(name_or_file)
    try:
        return Scenario.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        shipped = ", ".join(sorted(each.stem for each in SHIPPED.glob("*.toml")))
        raise ScenarioError(f"no scenario {name_or_file!r}: neither a file nor one of {shipped}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScenarioError(f"{path}: {where}: {first['msg']}" if where else f"{path}: {first['msg']}") from None
