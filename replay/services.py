"""What a replayed call is made of: the parts of the live bot, with a record in the place of all that answers them."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Any, Final

from pydantic import SecretStr, ValidationError

from contracts.caller_time import CallerClock, zone_of_caller
from contracts.llm import LanguageModel, Usage
from contracts.stt import Recogniser
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.llm.processor import LLMParams
from processors.tools.base import Session, Tool
from processors.tools.catalogue import offered
from processors.turns.handler import HandlerParams, TurnDetector
from processors.vad.silero import SpeechRater
from recording.container import RecordError
from replay.guesswork import Guesswork, Order
from replay.providers import (
    PlayedBudget,
    PlayedModel,
    PlayedRater,
    PlayedRecogniser,
    PlayedTools,
    PlayedVoice,
    played_detector,
    played_judge,
)
from replay.record import Record
from services.services import Services
from settings import Settings

ALONE: Final[Mapping[str, Any]] = {
    "record": "off",
    "workers": 1,
    "phone": [],
    "max_calls_shared": 0,
    "mcp_servers": None,
}
"""A replay records nothing, serves nobody and calls nobody, whatever the settings were."""


def settings_of(record: Record, changes: Mapping[str, str] | None = None) -> Settings:
    """The settings of a recorded call.

    Args:
        record: The call.
        changes: Settings that are to be others, by name.

    Raises:
        RecordError: One is not known, or wrong.
    """
    fields = Settings.model_fields
    values: dict[str, Any] = {name: value for name, value in record.header["settings"].items() if name in fields}
    for name, was_set in values.items():
        if fields[name].annotation is SecretStr:
            keeps = was_set and name.endswith("key") and name != "record_key"
            values[name] = "recorded" if keeps else ""
    values |= {name: value for name, value in ALONE.items() if name in fields}
    for name, value in (changes or {}).items():
        if name.lower() not in fields:
            raise RecordError(f"{name}: there is no such setting")
        values[name.lower()] = value
    try:
        settings = Settings(_env_file=None, **values)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise RecordError(f"{where}: {first['msg']}") from None
    settings.follow_caller(bool(record.header["follows_caller"]))
    return settings


class ReplayServices(Services):
    """What calls share, as one recorded call met it.

    Args:
        record: The call.
        settings: Its settings, or others.
        guesswork: Is told what is not in the record.
        order: Knows what came before what.
    """

    def __init__(self, record: Record, settings: Settings, guesswork: Guesswork, order: Order) -> None:
        self._record = record
        self._guesswork = guesswork
        self._order = order
        self._played_budget = PlayedBudget(record)
        self._played_tools = PlayedTools(record, guesswork, order)
        header = record.header
        model = PlayedModel(record, guesswork, order)
        voice = PlayedVoice(record, guesswork, order, header["settings"]["language"])
        super().__init__(settings, header["prompt"], model, voice, tools=self._tools(settings))
        self.voices = {code: PlayedVoice(record, guesswork, order, code) for code in header["voices"]}
        self.judge = played_judge(record, order, self.judge) if header["judges"] and self.judge is not None else None

    def _tools(self, settings: Settings) -> list[Tool]:
        known = {tool.name: tool for tool in offered(settings, [])}
        tools: list[Tool] = []
        for told in self._record.header["tools"]:
            run = partial(self._played_tools.run, told["name"])
            tool = known.get(told["name"])
            values = {name: told[name] for name in ("name", "description", "schema", "effect", "confirm", "proof")}
            kept = (
                {} if tool is None else {"check": tool.check, "worded_for": tool.worded_for, "meant_by": tool.meant_by}
            )
            tools.append(Tool(**values, **kept, run=run, timeout_secs=told["timeout_secs"], on_loop=True))
        return tools

    def speech_rater(self) -> SpeechRater:
        """What rates the windows."""
        return PlayedRater(self._record)

    def recogniser(self, code: str = "") -> Recogniser:
        """The recogniser."""
        return PlayedRecogniser(self._record, self._guesswork, self._order)

    def language_model_for(self, call_id: str, on_usage: Callable[[Usage], None] = lambda _: None) -> LanguageModel:
        """The language model: the record has it as the call met it, whatever stood around it."""
        return self.language_model

    @property
    def preemptive_budget(self) -> PreemptiveBudget | None:
        """Whether replies may be prepared."""
        prepares = self._record.header["prepares"] and self.settings.preemptive_min_share <= 1
        return self._played_budget if prepares else None

    @property
    def prompt_tokens(self) -> float:
        """How large a prompt may be."""
        return float(self._record.header["prompt_tokens"])

    @property
    def detect_end_of_turn(self) -> TurnDetector | None:
        """The turn detector."""
        detect = super().detect_end_of_turn
        return played_detector(self._record, self._order, detect) if detect is not None else None

    @property
    def handler_params(self) -> HandlerParams:
        """Fixed sentences."""
        return HandlerParams(
            language=self.settings.language,
            greeting=self.settings.greeting,
            tells_words=bool(self._record.header["reads_along"]),
        )

    @property
    def llm_params(self) -> LLMParams:
        """Deadlines of the language model."""
        params = super().llm_params
        params_prepared = self.settings.preemptive_max if self._record.header["gateway"] else 1
        return LLMParams(**{**params.__dict__, "prepared": params_prepared})

    def clock_for(self, request_data: Mapping[str, Any]) -> CallerClock:
        """The time of the recorded call."""
        header, loop = self._record.header, asyncio.get_running_loop()
        own = timezone(timedelta(seconds=header["utc_offset_secs"]))

        def now(zone: tzinfo | None) -> datetime:
            return datetime.fromtimestamp(header["began_unix"] + loop.time() - header["began"], zone or own)

        return CallerClock(zone_of_caller(request_data, self.settings.time_zone), now)

    async def is_pin(self, session: Session, pin: str) -> bool:
        """Whether the PIN was right."""
        pins = self._record.pins
        return pins.pop(0) if pins else False
