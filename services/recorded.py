"""What a call is made of, with a record beside each part that answers it: see ``recording/``."""

import asyncio
import platform
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

from pydantic import SecretStr

from contracts.caller_identity import CallerIdentity
from contracts.caller_time import CallerClock
from contracts.llm import LanguageModel, ReadsAlong, Usage
from contracts.modes import Record
from contracts.stt import Recogniser
from gateway.model import Gateway
from observe.redaction import Redactor
from processors.context.aggregators import Conversation
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.tools.base import Session
from processors.tools.runner import ToolRunner
from processors.turns.handler import TurnDetector
from processors.vad.silero import SpeechRater
from recording.callers import caller_marks
from recording.providers import (
    RecordedBudget,
    RecordedRater,
    RecordedRecogniser,
    RecordedVoice,
    recorded_detector,
    recorded_judge,
    recorded_model,
    recorded_tool,
)
from recording.recorder import CallRecorder
from services.services import Services
from settings import Settings
from transports.call import Call
from transports.call_input import CallInput

_PACKAGES: Final = ("pipecat-ai", "aiortc", "av", "numpy", "onnxruntime")


class RecordedServices(Services):
    """What calls share, as one call meets it that is recorded.

    Args:
        services: What calls share.
        recorder: The call's record.
    """

    def __init__(self, services: Services, recorder: CallRecorder) -> None:
        own = {name: value for name, value in services.__dict__.items() if not hasattr(RecordedServices, name)}
        self.__dict__.update(own)
        self._services = services
        self._recorder = recorder
        self.voice = RecordedVoice(services.voice, recorder, self.settings.language)
        self.voices = {code: RecordedVoice(voice, recorder, code) for code, voice in services.voices.items()}
        self.tools = [recorded_tool(tool, recorder) for tool in services.tools]
        if services.judge is not None:
            self.judge = recorded_judge(services.judge, recorder)

    def speech_rater(self) -> SpeechRater:
        """What rates the call's windows for speech."""
        return RecordedRater(self._services.speech_rater(), self._recorder)

    def recogniser(self, code: str = "") -> Recogniser:
        """The call's recogniser."""
        return RecordedRecogniser(self._services.recogniser(code), self._recorder)

    def language_model_for(self, call_id: str, on_usage: Callable[[Usage], None] = lambda _: None) -> LanguageModel:
        """The language model as the call asks it."""
        return recorded_model(self._services.language_model_for(call_id, on_usage), self._recorder)

    @property
    def preemptive_budget(self) -> PreemptiveBudget | None:
        """Whether replies may be prepared."""
        budget = self._services.preemptive_budget
        return RecordedBudget(budget, self._recorder) if budget is not None else None

    @property
    def detect_end_of_turn(self) -> TurnDetector | None:
        """The turn detector."""
        detect = self._services.detect_end_of_turn
        return recorded_detector(detect, self._recorder) if detect is not None else None

    def tool_runner(
        self,
        call_id: str,
        conversation: Conversation,
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        clock: CallerClock | None = None,
    ) -> ToolRunner | None:
        """The call's tools."""
        runner = super().tool_runner(call_id, conversation, identity, request_data, clock)
        if runner is not None:
            proof, loop = runner.session.proof, asyncio.get_running_loop()
            self._recorder.types_pin = lambda: proof.expects(loop.time())
        return runner

    async def is_pin(self, session: Session, pin: str) -> bool:
        """Whether this is the caller's PIN."""
        right = await self._services.is_pin(session, pin)
        self._recorder.pin(right)
        return right


class Recording:
    """The record of one call, from its beginning to its end.

    Args:
        call: The call; must have no pipeline yet.
        services: What it is made of; their settings say that it is recorded.
    """

    def __init__(self, call: Call, services: Services) -> None:
        assert services.records is not None
        settings = services.settings
        loop = asyncio.get_running_loop()
        audio = settings.record is Record.AUDIO
        self._call = call
        self._recorder = CallRecorder(
            services.records.open(call.pc_id), loop.time, audio=audio, redactor=Redactor(settings.transcripts)
        )
        self._recorder.header(header(call, services, loop.time(), audio=audio))
        self.services = RecordedServices(services, self._recorder)
        entrance, output = call.input(), call.output()
        if isinstance(entrance, CallInput):
            entrance.tap = self._recorder
        output.tap = self._recorder

    def call_closed(self) -> None:
        """The call is over; its pipeline is not yet."""
        self._recorder.close(self._call.close_reason)

    def close(self) -> None:
        """The pipeline is over as well."""
        self._recorder.done()


def header(call: Call, services: Services, began: float, *, audio: bool) -> dict[str, Any]:
    """A record's first entry.

    Args:
        call: The call.
        services: What it is made of.
        began: The loop's clock.
        audio: Whether the record can be replayed; else nothing of the caller's is told.
    """
    now = datetime.now().astimezone()
    told: dict[str, Any] = {
        "record": "audio" if audio else "events",
        "call_id": call.pc_id,
        "began": began,
        "began_unix": now.timestamp(),
        "utc_offset_secs": (now.utcoffset() or timedelta()).total_seconds(),
        "callers": caller_marks(call.identity, call.request_data, services.settings.record_key_bytes),
        "providers": services.providers(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }
    if not audio:
        return told
    identity, model = call.identity, services.language_model
    return told | {
        "settings": plain_settings(services.settings),
        "follows_caller": services.settings.follows_caller,
        "prompt": services.system_prompt,
        "prompt_tokens": services.prompt_tokens,
        "gateway": isinstance(model, Gateway),
        "reads_along": isinstance(model, ReadsAlong),
        "prepares": services.preemptive_budget is not None,
        "judges": services.judge is not None,
        "voices": sorted(services.voices),
        "tools": [
            {
                "name": tool.name,
                "description": tool.description,
                "schema": tool.schema,
                "effect": tool.effect,
                "confirm": tool.confirm,
                "proof": tool.proof,
                "timeout_secs": tool.timeout_secs,
            }
            for tool in services.tools
        ],
        "identity": {"subject": identity.subject, "claims": dict(identity.claims)} if identity is not None else None,
        "request_data": dict(call.request_data),
    }


def plain_settings(settings: Settings) -> dict[str, Any]:
    """The settings without their secrets; of these it is told which were set."""
    told = settings.model_dump(mode="json")
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            told[name] = bool(value.get_secret_value())
    return told
