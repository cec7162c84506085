"""Scenarios of simulated callers: who calls, what for, how they speak, and what a good call is. TOML, checked."""

import tomllib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SHIPPED: Final = Path(__file__).resolve().parent / "simulated_callers"

Sound = Literal["stop", "okay", "sneeze", "typing", "music"]


class SimulatedCallerError(Exception):
    """A scenario cannot be read; the message says in one line what is wrong with it."""


class Act(BaseModel):
    """One thing that a caller does.

    Attributes:
        say: A sentence, spoken by the local voice.
        sound: A recorded sound.
        keys: Keys of the pad.
        over_secs: Said when the bot has been speaking for so long; None: when it has finished.
        hesitates: A pause of so long stands in the middle of the sentence; 0: none.
        gain: How loud, of the usual level.
        wants_answer: Whether the bot is to answer.
        stops_bot: Whether it is to stop the bot, where it is said over its voice.
        wait_secs: A pause before it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: str = ""
    sound: Sound | None = None
    keys: str = ""
    over_secs: float | None = Field(None, ge=0.3, le=30)
    hesitates: float = Field(0.0, ge=0, le=5)
    gain: float = Field(1.0, gt=0, le=4)
    wants_answer: bool = True
    stops_bot: bool = False
    wait_secs: float = Field(0.0, ge=0, le=60)

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Act":
        if sum(map(bool, (self.say, self.sound, self.keys))) != 1:
            raise ValueError("an act has one of say, sound and keys")
        return self


class Expected(BaseModel):
    """What a good call is.

    Attributes:
        heard: What the caller must have heard, each in any place and any case.
        not_heard: What they must not have heard.
        appointments: How many appointments the bank must hold afterwards.
        answer_ms: The slowest answer.
        bot_hangs_up: Whether the bot must have ended the call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    heard: tuple[str, ...] = ()
    not_heard: tuple[str, ...] = ()
    appointments: Annotated[int, Field(ge=0)] = 0
    answer_ms: Annotated[float, Field(gt=0)] = 4_000.0
    bot_hangs_up: bool = False


class SimulatedCaller(BaseModel):
    """A scenario.

    Attributes:
        persona: Who calls, for people.
        goal: What for, for people.
        manner: How they speak, for people: what it means stands in the acts.
        street_rms: Level of the noise around them (of 32768).
        acts: What they do, in order.
        expect: What a good call is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    persona: str
    goal: str
    manner: tuple[str, ...] = ()
    street_rms: float = Field(12.0, ge=0, le=3_000)
    acts: Annotated[tuple[Act, ...], Field(min_length=1)]
    expect: Expected = Expected()


def load_caller(path: Path) -> SimulatedCaller:
    """Read a scenario.

    Raises:
        SimulatedCallerError: It is wrong.
    """
    try:
        return SimulatedCaller.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SimulatedCallerError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SimulatedCallerError(f"{path}: {where}: {first['msg']}" if where else f"{path}: {first['msg']}") from None


def shipped() -> dict[str, SimulatedCaller]:
    """All scenarios that come with the repository, by name."""
    return {path.stem: load_caller(path) for path in sorted(SHIPPED.glob("*.toml"))}
