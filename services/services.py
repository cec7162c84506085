"""Everything that calls share: providers and models, made once from the settings."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessor

from admission.capacity import Capacity, CoreMeter, Part, of_cores, of_streams
from contracts.call_language import CallLanguage, chosen_language
from contracts.caller_identity import CallerIdentity
from contracts.caller_time import CallerClock, zone_of_caller
from contracts.llm import LanguageModel, LanguageModelError, ReadsAlong, Usage
from contracts.modes import InterruptionMode, Record
from contracts.stt import Recogniser
from contracts.tts import Voice, VoiceError
from gateway.model import Gateway
from languages.catalogue import language
from processors.context.aggregators import Conversation
from processors.context.prompt import system_prompt
from processors.context.prompt_size import tokens
from processors.llm import weights
from processors.llm.llama_server import CONTEXT_TOKENS
from processors.llm.local import LocalModel
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.llm.processor import LLMParams
from processors.llm.scripted import ScriptedModel
from processors.models.files import ModelError, usable_cores
from processors.stt.early import Numbering, ReadingBudget, ReadingBudgetParams
from processors.stt.moonshine import EARLY, MoonshineRecogniser
from processors.tools import mcp_servers
from processors.tools.bank import Bank, customer_of
from processors.tools.base import Session, Shared, Tool, ToolContext, ToolError
from processors.tools.catalogue import find_tools, offered
from processors.tools.effects import Effects
from processors.tools.mcp_servers import McpServer
from processors.tools.proof import Keypad
from processors.tools.runner import ToolRunner
from processors.tools.wording import worded_by_tools_first
from processors.tts.chain import VoiceChain
from processors.tts.processor import TTSParams
from processors.tts.remembered import RememberingVoice
from processors.tts.sentences import PieceCutter, sentences
from processors.tts.text_normaliser import spoken
from processors.turns import smart_turn
from processors.turns.endpoint import EndpointParams
from processors.turns.events import EARLY_OUTCOMES
from processors.turns.handler import HandlerParams, SoundJudge, TurnDetector
from processors.turns.phrases import all_texts
from processors.turns.states import TurnParams
from processors.turns.verdict.model import Judge
from processors.turns.verdict.policy import VerdictParams, VerdictPolicy
from processors.vad.processor import SpeechGateParams
from processors.vad.silero import SileroStream, SpeechRater
from recording.writer import RecordWriter
from services import recognisers
from services.language_models import find_models, make_language_model
from services.voices import in_language, make_voice
from settings import EarlyStt, LlmProvider, Settings, SettingsError, SttProvider

LOCAL_CALLS: Final = 4
"""The local model answers one caller at a time, in about three seconds: more calls would wait for each other."""

EARLY_CORES: Final = 2
"""A machine with fewer has none to spare for a second recogniser."""


SHARE_OF_A_MINUTE: Final = 0.4
"""How much of the tokens of a minute one prompt may be."""

LARGEST_PROMPT_TOKENS: Final = 8_000.0
SMALLEST_PROMPT_TOKENS: Final = 800.0

EARLIER_CHARS: Final = 2_400
"""How much is kept of what the caller said in turns that have left the prompt."""


class Services:
    """The providers that the settings name, ready for calls. Made by :meth:`load`.

    Args:
        settings: The settings.
        prompt: The system prompt.
        tools: What the model may call.
        language_model: Who thinks.
        voice: Who speaks.
        warnings: What a person on the page should know: one sentence each.
    """

    def __init__(
        self,
        settings: Settings,
        prompt: str,
        language_model: LanguageModel,
        voice: Voice,
        warnings: Sequence[str] = (),
        tools: Sequence[Tool] = (),
    ) -> None:
        self.settings = settings
        self.system_prompt = prompt
        self.language_model = language_model
        self.voice = voice
        self.warnings = list(warnings)
        self.tools = list(tools)
        self._shared_by_tools = Shared(settings)
        self._effects = Effects()
        self.voices: dict[str, Voice] = {}
        """Voices of other languages than the first, by code."""
        self._tool_servers: list[McpServer] = []
        self._core = CoreMeter()
        self.processes = 1
        """How many processes share the vendors' limits."""
        self._local_recogniser = True
        self.early_turns: Counter[str] = Counter(dict.fromkeys(EARLY_OUTCOMES, 0))
        """Turns that were ended before their final words were known, by what these then were."""
        self.reading_budget = ReadingBudget(ReadingBudgetParams(cores=settings.early_stt_cores))
        self.make_early_recogniser: Callable[[], Numbering] = lambda: MoonshineRecogniser(EARLY, self.reading_budget)
        """Makes the recogniser that listens beside a vendor's."""
        self._own_preemptive_budget = PreemptiveBudget(lambda: 1.0, settings.preemptive_min_share)
        self.records: RecordWriter | None = None
        """What writes the calls' records; None: none are kept."""
        if settings.record is not Record.OFF:
            folder, key = Path(settings.record_dir), settings.record_key_bytes
            self.records = RecordWriter(folder, key, settings.record_days, settings.record_max_mb)
        self.verdict_policy: VerdictPolicy | None = None
        """Who decides about a sound over the bot's voice; None: the rules that the settings tune."""
        self.judge: SoundJudge | None = None if settings.interruption_mode is InterruptionMode.OFF else Judge()

    @classmethod
    async def load(cls, settings: Settings) -> "Services":
        """Load the models and warm the providers up.

        A language model that cannot be had is replaced by the scripted one, with a warning; recogniser and voice have
        no replacement.

        Raises:
            SettingsError: Something that the bot cannot do without is missing; says what to do.
        """
        servers, more_tools, warnings = await connect_servers(settings)
        tools = offered(settings, more_tools)
        prompt = system_prompt(settings, with_tools=bool(tools))
        voice = make_voice(settings)
        model = make_language_model(settings, await find_models(settings))
        # A model on this machine takes longest, on threads of its own: meanwhile recogniser and voice are loaded. If
        # its weights must be fetched first, what else may be wrong is told before that.
        at_hand = settings.llm is not LlmProvider.LOCAL or weights.at_hand(settings.llm_weights)
        warming = asyncio.create_task(_warm(model, prompt, tools)) if at_hand else None
        try:
            voices = {
                code: make_voice(in_language(settings, code))
                for code in settings.languages
                if code != settings.language
            }
            loading = (each.load() for each in (voice, *voices.values()))
            local_recogniser, *_ = await asyncio.gather(asyncio.to_thread(recognisers.load_local, settings), *loading)
        except (ModelError, VoiceError) as error:
            if warming is not None:
                await warming
            await model.close()
            raise SettingsError(f"TTS: {error}" if isinstance(error, VoiceError) else str(error)) from None
        if not local_recogniser:
            warnings.append("The local recogniser could not be loaded, so the vendor's words are not checked.")
        if isinstance(voice, VoiceChain):
            warnings += voice.troubles
        if settings.stt is SttProvider.DEEPGRAM:
            warnings += await recognisers.ask_deepgram(settings)
        if settings.language != "en" and settings.llm in (LlmProvider.LOCAL, LlmProvider.SCRIPTED):
            warnings.append(f"LLM={settings.llm.value} speaks English, hardly {language(settings.language).name}.")
        services = cls(settings, prompt, model, voice, warnings, tools)
        services._tool_servers = servers
        services.voices = voices
        services._local_recogniser = local_recogniser
        if isinstance(model, Gateway):
            model.on_kept = services._keep_sound
        if not local_recogniser:
            services.judge = None
        await services._warm_up_voice()
        if (error := await (warming or _warm(model, prompt, tools))) is not None:
            if settings.llm is not LlmProvider.LOCAL:
                # A server that is down now may be up when the first caller asks.
                logger.warning("LLM {}: {}", model.name, error)
                services.warnings.append("The language model does not answer yet.")
            else:
                logger.warning("LLM local: {}; the scripted responder answers instead", error)
                # The page is for callers: what to install stands in the operator's log.
                services.warnings.append("No language model could be loaded, so a small scripted responder answers.")
                await model.close()
                services.language_model = ScriptedModel()
        return services

    async def _warm_up_voice(self) -> None:
        """Speak the sentences that nobody should wait for once, so that the voice remembers them."""
        settings = self.settings
        code = settings.language
        texts = all_texts(code, settings.greeting)
        pieces = [piece for text in texts for piece in sentences(text, code)]  # as they will be asked for
        await self.voice.warm_up([said for piece in pieces if (said := spoken(piece, code).text)])

    def _keep_sound(self, reply: str) -> None:
        """A reply is remembered: so is its sound, if a vendor makes it."""
        if isinstance(self.voice, VoiceChain | RememberingVoice):
            code = self.settings.language
            cutter = PieceCutter(code)
            pieces = [*cutter.push(reply.strip()), *cutter.flush()]
            self.voice.keep([said for piece in pieces if (said := spoken(piece, code).text)])

    # --- what each call gets -----------------------------------------------------------

    def language_for(self, claims: Mapping[str, Any], request_data: Mapping[str, Any]) -> CallLanguage:
        """The language of a call: what a token or a page chooses, else the first; it follows the caller if it may."""
        settings = self.settings
        code = chosen_language(claims, request_data, settings.languages) or settings.language
        return CallLanguage(code, settings.languages if settings.follows_caller else (), settings.language)

    def recogniser(self, code: str = "") -> Recogniser:
        """A recogniser for one call.

        Args:
            code: The call's language; empty: the first of the settings.
        """
        settings = self.settings
        if code not in ("", settings.language) and not settings.follows_caller:
            return recognisers.deepgram(in_language(settings, code), None, local_behind=False)
        match settings.stt:
            case SttProvider.DEEPGRAM:
                # The local recogniser knows English only.
                local = self._local_recogniser and settings.language == "en" and not settings.follows_caller
                early = self.make_early_recogniser if self.listens_early else None
                return recognisers.deepgram(settings, early, local_behind=local)
            case _:
                return MoonshineRecogniser()

    @property
    def listens_early(self) -> bool:
        """Whether the local recogniser listens beside the vendor's."""
        settings = self.settings
        if settings.stt is not SttProvider.DEEPGRAM or settings.languages != ["en"] or self.preemptive_budget is None:
            return False
        enough = usable_cores() >= EARLY_CORES
        return settings.early_stt is EarlyStt.ON or (settings.early_stt is EarlyStt.AUTO and enough)

    @property
    def preemptive_budget(self) -> PreemptiveBudget | None:
        """Whether replies may be prepared before they are wanted; None: never."""
        model = self.language_model
        if self.settings.preemptive_min_share > 1 or isinstance(model, ScriptedModel):
            return None  # a script answers at once: there is nothing to gain
        return model.preemptive_budget if isinstance(model, Gateway) else self._own_preemptive_budget

    def language_model_for(self, call_id: str, on_usage: Callable[[Usage], None] = lambda _: None) -> LanguageModel:
        """The language model as one call asks it.

        Args:
            call_id: The call.
            on_usage: Told what requests have cost that came to no end.
        """
        model = self.language_model
        asked = model.for_call(call_id, on_usage) if isinstance(model, Gateway) else model
        return worded_by_tools_first(asked, self.tools, self.settings.language)

    def forget_call(self, call_id: str) -> None:
        """A call is over: nothing of it is kept that calls share."""
        if isinstance(self.language_model, Gateway):
            self.language_model.forget_call(call_id)

    @property
    def prompt_tokens(self) -> float:
        """How large a prompt may be without its tools; 0: of any size.

        By what the models take in a minute, so that a caller who speaks every half minute is answered each time.
        """
        settings = self.settings
        largest = settings.llm_prompt_tokens
        if not largest:
            model = self.language_model
            a_minute = model.tokens_a_minute if isinstance(model, Gateway) else None
            context = CONTEXT_TOKENS - settings.llm_max_tokens if settings.llm is LlmProvider.LOCAL else None
            limits = (LARGEST_PROMPT_TOKENS, a_minute and SHARE_OF_A_MINUTE * a_minute, context)
            largest = min(limit for limit in limits if limit)
        described = [{"tool": tool.name, "text": tool.description, "schema": tool.schema} for tool in self.tools]
        return max(SMALLEST_PROMPT_TOKENS, largest - tokens(described))

    def clock_for(self, request_data: Mapping[str, Any]) -> CallerClock:
        """The time of a caller, by what their client sent when it called."""
        return CallerClock(zone_of_caller(request_data, self.settings.time_zone))

    def tool_runner(
        self,
        call_id: str,
        conversation: Conversation,
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        clock: CallerClock | None = None,
    ) -> ToolRunner | None:
        """The tools of one call, with a memory of their own; None if there are no tools.

        Args:
            call_id: The call's name.
            conversation: Where calls and results are written.
            identity: Who the caller is by a signed token.
            request_data: What the client sent when it called.
            clock: The caller's time.
        """
        if not self.tools:
            return None
        session = Session(call_id, self._shared_by_tools, self.settings.language, identity, request_data, clock)
        return ToolRunner(self.tools, conversation, session, self._effects)

    def keypad(self, tools: ToolRunner | None) -> list[FrameProcessor]:
        """What takes a PIN from the keypad, if a tool asks for one."""
        if tools is None or not any(tool.proof for tool in self.tools):
            return []
        session = tools.session
        return [Keypad(session.proof, partial(self.is_pin, session))]

    async def is_pin(self, session: Session, pin: str) -> bool:
        """Whether this is the caller's PIN."""
        try:
            return await self._shared_by_tools.get(Bank).is_pin(await customer_of(ToolContext(session)), pin)
        except ToolError:
            return False

    def speech_rater(self) -> SpeechRater:
        """What rates one call's windows for speech."""
        return SileroStream()

    @property
    def turn_params(self) -> TurnParams:
        """Times and rules of the turn machine."""
        settings = self.settings
        return TurnParams(
            mode=settings.interruption_mode,
            preemptive=self.preemptive_budget is not None,
            preemptive_speaking=settings.preemptive_speaking,
            early_end=settings.endpoint_early,
            step_back=settings.resume_at_word,
            take_backs=settings.interruption_take_backs,
            idle_secs=settings.idle_secs,
            idle_prompts=settings.idle_prompts,
            max_call_secs=60 * settings.max_call_minutes,
            partner_repeats=settings.partner_repeats,
            endpoint=EndpointParams(
                vad_stop_ms=settings.vad_stop_ms,
                unfinished_ms=settings.endpoint_max_ms,
                sounds_sure=settings.endpoint_sure,
                silence_limit_ms=settings.endpoint_max_ms + settings.vad_stop_ms,
                language=settings.language,
            ),
            verdict=VerdictParams.tuned(
                sensitivity=settings.interruption_sensitivity,
                min_ms=settings.interruption_min_ms,
                language=settings.language,
            ),
        )

    @property
    def handler_params(self) -> HandlerParams:
        """Fixed sentences."""
        return HandlerParams(
            language=self.settings.language,
            greeting=self.settings.greeting,
            tells_words=isinstance(self.language_model, ReadsAlong),
        )

    def note_turn_ended_early(self, outcome: str) -> None:
        """Count a turn that was ended early; see :attr:`early_turns`."""
        self.early_turns[outcome] += 1

    @property
    def detect_end_of_turn(self) -> TurnDetector | None:
        """The turn detector; None: there is none."""
        return smart_turn.p_complete

    @property
    def vad_params(self) -> SpeechGateParams:
        """When speech starts and stops."""
        return SpeechGateParams(start_prob=self.settings.vad_start_prob, stop_ms=self.settings.vad_stop_ms)

    @property
    def llm_params(self) -> LLMParams:
        """Deadlines of the language model."""
        settings = self.settings
        own = language(settings.language).sentences
        # What runs on this machine answers one after the other: a second reply would only take the first one's time.
        prepared = settings.preemptive_max if isinstance(self.language_model, Gateway) else 1
        return LLMParams(
            settings.llm_first_token_secs,
            settings.llm_next_token_secs,
            moment=own.moment,
            prepared=prepared,
            look_ahead=settings.preemptive_tools,
            part_chars=settings.llm_part_chars,
            go_on=own.go_on,
            farewell=own.farewell,
            language=settings.language,
        )

    @property
    def tts_params(self) -> TTSParams:
        """Deadlines of the voice."""
        return TTSParams(first_audio_secs=self.settings.tts_first_byte_secs, language=self.settings.language)

    # --- about the process ---------------------------------------------------------------

    def admission_limit(self) -> int:
        """Calls that the process takes at once: the setting, or what the vendors and the core carry as of now."""
        limit = self.settings.max_calls
        return self.capacity().calls if limit == "auto" else limit

    def capacity(self) -> Capacity:
        """What carries how many calls."""
        settings, processes = self.settings, self.processes
        parts = [of_cores(self._core.calls, os.cpu_count() or 1, processes)]
        if isinstance(self.language_model, Gateway):
            parts.append(self.language_model.capacity(processes))
        elif isinstance(self.language_model, LocalModel):
            parts.append(Part("the local language model", LOCAL_CALLS, "one reply at a time", "GROQ_API_KEY"))
        if settings.stt is SttProvider.DEEPGRAM:
            parts.append(of_streams("Deepgram", settings.deepgram_streams, "DEEPGRAM_STREAMS", processes))
        return Capacity(tuple(parts))

    def note_cpu(self, calls: float, core_share: float) -> None:
        """So many calls took this share of a core (1: all of it)."""
        self._core.measured(calls, core_share)

    def info(self) -> dict[str, Any]:
        """What the page shows and goes by: providers in use, warnings, what becomes of a new microphone."""
        new_microphone = self.settings.new_microphone.value
        return {"providers": self.providers(), "warnings": self.warnings, "new_microphone": new_microphone}

    def providers(self) -> dict[str, str]:
        """Names of the providers by role, with the model where a vendor has several."""
        stt = self.settings.stt.value
        if self.settings.stt is SttProvider.DEEPGRAM:
            stt += f" {self.settings.deepgram_model}"
        return {"stt": stt, "llm": self.language_model.name, "tts": self.voice.name}

    def gateway(self) -> dict[str, Any]:
        """What the gateway to the language models says of itself, if there is one, and what carries how many calls."""
        told = self.language_model.snapshot() if isinstance(self.language_model, Gateway) else {}
        early: dict[str, Any] = {}
        if self.listens_early:
            early = {"early_stt": self.reading_budget.snapshot(), "early_turns": dict(self.early_turns)}
        return {**told, **early, "capacity": self.capacity().snapshot()}

    def summary(self) -> str:
        """One line for the log."""
        named = ", ".join(
            f"{role} {name}" + (f" ({why})" if (why := self.settings.why(role)) else "")
            for role, name in self.providers().items()
        )
        set_to = "" if self.settings.max_calls != "auto" else " (MAX_CALLS=auto)"
        return f"{named}; at most {self.admission_limit()} calls{set_to}"

    async def close(self) -> None:
        """Let what tools have begun come to its end, then free what the providers hold."""
        await self._effects.finish(self.settings.drain_secs)
        await self.language_model.close()
        await asyncio.gather(*(voice.close() for voice in (self.voice, *self.voices.values())))
        self._shared_by_tools.close()
        if self.records is not None:
            await asyncio.to_thread(self.records.close)
        await asyncio.gather(*(server.close() for server in self._tool_servers))


async def _warm(model: LanguageModel, prompt: str, tools: Sequence[Tool]) -> LanguageModelError | None:
    """Warm a model up; what was wrong, if something was."""
    try:
        await model.warm(prompt, [tool.spec for tool in tools])
    except LanguageModelError as error:
        return error
    return None


async def connect_servers(settings: Settings) -> tuple[list[McpServer], list[Tool], list[str]]:
    """The MCP servers that the settings name, their tools, and warnings.

    Raises:
        SettingsError: The file that names them is wrong.
    """
    if settings.mcp_servers is None:
        return [], [], []
    return await mcp_servers.connect(settings.mcp_servers, taken=list(find_tools()))
