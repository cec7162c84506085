"""Everything that calls share: providers and models, made once from the settings."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessor

from admission.capacity import CALLS_PER_CORE, Capacity, CoreMeter, Part, of_cores, of_streams
from contracts.call_language import CallLanguage, chosen_language
from contracts.caller_identity import CallerIdentity
from contracts.caller_time import CallerClock, zone_of_caller
from contracts.llm import LanguageModel, LanguageModelError, ReadsAlong, Usage
from contracts.modes import InterruptionMode
from contracts.stt import Recogniser
from contracts.tts import Voice, VoiceError
from gateway.model import Endpoint, Gateway, GatewayParams
from gateway.policy import Choice, PolicyParams
from gateway.reply_cache import ReplyCache
from gateway.shared_budget import RedisBudget
from languages.catalogue import language
from processors.context.aggregators import Conversation
from processors.context.prompt import system_prompt
from processors.context.prompt_size import tokens
from processors.llm import weights
from processors.llm.groq import FREE_ACCOUNT, SHORT_NAMES, GroqModel
from processors.llm.groq_models import ALL_OTHERS, models_of
from processors.llm.llama_server import CONTEXT_TOKENS
from processors.llm.local import LocalModel
from processors.llm.openai_compatible import OpenAICompatibleModel
from processors.llm.preemptive_budget import Guesses
from processors.llm.processor import LLMParams
from processors.llm.scripted import ScriptedModel
from processors.models.files import ModelError, usable_cores
from processors.stt import moonshine_model
from processors.stt.chain import RecogniserChain
from processors.stt.deepgram import DeepgramError, DeepgramParams, DeepgramRecogniser, probe
from processors.stt.early import EarlyEars, Numbering, ReadingBudget, ReadingBudgetParams
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
from processors.tts.azure import AzureVoice
from processors.tts.chain import VoiceChain
from processors.tts.elevenlabs import ElevenLabsVoice
from processors.tts.gtts import GttsVoice
from processors.tts.local import HibariVoice
from processors.tts.processor import TTSParams
from processors.tts.remembered import RememberingVoice
from processors.tts.sentences import PieceCutter, sentences
from processors.tts.spoken_form import spoken
from processors.turns import smart_turn
from processors.turns.endpoint import EndpointParams
from processors.turns.events import EARLY_OUTCOMES
from processors.turns.handler import HandlerParams, SoundJudge, TurnDetector
from processors.turns.phrases import all_texts
from processors.turns.states import TurnParams
from processors.turns.verdict.model import Judge
from processors.turns.verdict.policy import VerdictParams, VerdictPolicy
from processors.vad.processor import SpeechGateParams
from processors.vad.silero import SileroStream
from server.ice_servers import IceServers
from settings import EarlyStt, LlmFallback, LlmProvider, Settings, SettingsError, SttProvider, TtsProvider
from transports.client_messages import MessageLimits

STREAMING_FIRST_AUDIO_SECS: Final = 1.0
"""How long a voice that streams may take to begin; it usually takes a fifth of this."""

FALLBACK_CORES: Final = 4
"""A machine with fewer has none to spare for a language model while it carries calls."""

LOCAL_CALLS: Final = 4
"""The local model answers one caller at a time, in about three seconds: more calls would wait for each other."""

EARLY_CORES: Final = 2
"""A machine with fewer has none to spare for a second recogniser."""

CHAIN_PATIENCE_SECS: Final = 0.1
"""A voice that gives up by itself knows what to do about it; only one that does not is given up."""


@dataclass(frozen=True)
class ServerLimits:
    """What the HTTP server needs to know; see :class:`server.signalling.ServerSettings`."""

    admission_limit: Callable[[], int]
    ice_servers: IceServers
    connect_timeout_secs: float
    hold_secs: float
    max_loop_lag_ms: float = 0.0
    offers_per_minute: int = 0
    calls_per_address: int = 0
    calls_per_caller: int = 0
    message_limits: MessageLimits = field(default_factory=MessageLimits)

    @property
    def max_calls(self) -> int:
        """Calls that the process takes at once, as of now."""
        return self.admission_limit()


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
        self._local_ears = True
        self.early_turns: Counter[str] = Counter(dict.fromkeys(EARLY_OUTCOMES, 0))
        """Turns that were ended before their final words were known, by what these then were."""
        self.reading_budget = ReadingBudget(ReadingBudgetParams(cores=settings.early_stt_cores))
        self.make_early_recogniser: Callable[[], Numbering] = lambda: MoonshineRecogniser(EARLY, self.reading_budget)
        """Makes the recogniser that listens beside a vendor's."""
        self._own_guesses = Guesses(lambda: 1.0, settings.guess_share)
        self.verdict_policy: VerdictPolicy | None = None
        """Who decides about a sound over the bot's voice; None: the rules that the settings tune."""
        self.judge: SoundJudge | None = None if settings.interruption_mode is InterruptionMode.OFF else Judge()

    @classmethod
    async def load(cls, settings: Settings) -> "Services":
        """Load the models and warm the providers up.

        A language model that cannot be had is replaced by the scripted one, with a warning; ears and voice cannot be.

        Raises:
            SettingsError: Something that the bot cannot do without is missing; says what to do.
        """
        servers, more_tools, warnings = await connect_servers(settings)
        tools = offered(settings, more_tools)
        prompt = system_prompt(settings, with_tools=bool(tools))
        voice = make_voice(settings)
        model = make_language_model(settings, await find_models(settings))
        # A model on this machine takes longest, on threads of its own: meanwhile ears and voice are loaded. If its
        # weights must be fetched first, what else may be wrong is told before that.
        at_hand = settings.llm is not LlmProvider.LOCAL or weights.at_hand(settings.llm_weights)
        warming = asyncio.create_task(_warm(model, prompt, tools)) if at_hand else None
        try:
            voices = {
                code: make_voice(in_language(settings, code))
                for code in settings.languages
                if code != settings.language
            }
            loading = (each.load() for each in (voice, *voices.values()))
            local_ears, *_ = await asyncio.gather(asyncio.to_thread(_load_ears, settings), *loading)
        except (ModelError, VoiceError) as error:
            if warming is not None:
                await warming
            await model.close()
            raise SettingsError(f"TTS: {error}" if isinstance(error, VoiceError) else str(error)) from None
        if not local_ears:
            warnings.append("The local recogniser could not be loaded, so the vendor's words are not checked.")
        if isinstance(voice, VoiceChain):
            warnings += voice.troubles
        if settings.stt is SttProvider.DEEPGRAM:
            warnings += await _ask_deepgram(settings)
        if settings.language != "en" and settings.llm in (LlmProvider.LOCAL, LlmProvider.SCRIPTED):
            warnings.append(f"LLM={settings.llm.value} speaks English, hardly {language(settings.language).name}.")
        services = cls(settings, prompt, model, voice, warnings, tools)
        services._tool_servers = servers
        services.voices = voices
        services._local_ears = local_ears
        if isinstance(model, Gateway):
            model.on_kept = services._keep_sound
        if not local_ears:
            services.judge = None
        await services._rehearse()
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

    async def _rehearse(self) -> None:
        """Speak the sentences that nobody should wait for once, so that the voice remembers them."""
        settings = self.settings
        code = settings.language
        texts = all_texts(code, settings.greeting)
        pieces = [piece for text in texts for piece in sentences(text, code)]  # as they will be asked for
        await self.voice.rehearse([said for piece in pieces if (said := spoken(piece, code).text)])

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
        if code not in ("", self.settings.language) and not self.settings.follows_caller:
            return DeepgramRecogniser(deepgram_params(in_language(self.settings, code)))
        match self.settings.stt:
            case SttProvider.DEEPGRAM:
                deepgram = DeepgramRecogniser(deepgram_params(self.settings))
                if not self._local_ears or self.settings.language != "en" or self.settings.follows_caller:
                    return deepgram  # the local recogniser knows English only
                chain = RecogniserChain(deepgram, MoonshineRecogniser)
                return EarlyEars(chain, self.make_early_recogniser) if self.listens_early else chain
            case _:
                return MoonshineRecogniser()

    @property
    def listens_early(self) -> bool:
        """Whether the local recogniser listens beside the vendor's."""
        settings = self.settings
        if settings.stt is not SttProvider.DEEPGRAM or settings.languages != ["en"] or self.guesses is None:
            return False
        enough = usable_cores() >= EARLY_CORES
        return settings.early_stt is EarlyStt.ON or (settings.early_stt is EarlyStt.AUTO and enough)

    @property
    def guesses(self) -> Guesses | None:
        """Whether replies may be prepared before they are wanted; None: never."""
        model = self.language_model
        if self.settings.guess_share > 1 or isinstance(model, ScriptedModel):
            return None  # a script answers at once: there is nothing to gain
        return model.guesses if isinstance(model, Gateway) else self._own_guesses

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

        async def check(pin: str) -> bool:
            try:
                return await self._shared_by_tools.get(Bank).is_pin(await customer_of(ToolContext(session)), pin)
            except ToolError:
                return False

        return [Keypad(session.proof, check)]

    @property
    def turn_params(self) -> TurnParams:
        """Times and rules of the turn machine."""
        settings = self.settings
        return TurnParams(
            mode=settings.interruption_mode,
            guess=self.guesses is not None,
            guess_speaking=settings.preemptive_speaking,
            early_end=settings.endpoint_early,
            step_back=settings.resume_at_word,
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

    @property
    def server_settings(self) -> ServerLimits:
        """Limits of the HTTP server."""
        settings = self.settings
        servers = IceServers(
            settings.ice_servers,
            settings.turn_username,
            settings.turn_credential.get_secret_value(),
            settings.turn_secret.get_secret_value(),
            settings.turn_ttl_secs,
        )
        return ServerLimits(
            self.admission_limit,
            servers,
            settings.connect_timeout_secs,
            settings.hold_secs,
            settings.max_loop_lag_ms,
            settings.offers_per_minute,
            settings.calls_of_one_address(fixed_calls(settings)),
            settings.calls_per_caller,
            MessageLimits(
                messages_per_minute=settings.messages_per_minute,
                turns_per_minute=settings.typed_turns_per_minute,
                keys_per_minute=settings.keys_per_minute,
            ),
        )

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
        await asyncio.gather(*(server.close() for server in self._tool_servers))


def fixed_calls(settings: Settings) -> int:
    """Calls of one worker at most, as far as the settings tell; what is measured may be less."""
    return CALLS_PER_CORE if settings.max_calls == "auto" else settings.max_calls


async def _warm(model: LanguageModel, prompt: str, tools: Sequence[Tool]) -> LanguageModelError | None:
    """Warm a model up; what was wrong, if something was."""
    try:
        await model.warm(prompt, [tool.spec for tool in tools])
    except LanguageModelError as error:
        return error
    return None


async def find_models(settings: Settings) -> list[str]:
    """Groq's models, best first; empty if Groq is not asked."""
    if settings.llm is not LlmProvider.GROQ:
        return []
    return await models_of(settings.groq_api_key, settings.groq_models, settings.groq_url or None)


def make_language_model(settings: Settings, models: Sequence[str] = ()) -> LanguageModel:
    """The language model that the settings name, not warmed up.

    Args:
        settings: The settings.
        models: Groq's models, best first, as :func:`find_models` found them; none: those that the settings name.
    """
    match settings.llm:
        case LlmProvider.SCRIPTED:
            return ScriptedModel()
        case LlmProvider.LOCAL | LlmProvider.AUTO:
            return LocalModel(settings.llm_weights, threads=settings.llm_threads, max_tokens=settings.llm_max_tokens)
        case LlmProvider.GROQ:
            names = models or [name for name in settings.groq_models if name != ALL_OTHERS]
            return _gateway(settings, [_groq(settings, name) for name in names])
        case LlmProvider.OLLAMA:
            model = OpenAICompatibleModel(
                settings.ollama_url,
                settings.ollama_model,
                settings.ollama_api_key,
                max_tokens=settings.llm_max_tokens,
            )
            limits = {SHORT_NAMES[name.upper()]: limit for name, limit in settings.llm_limits.items()}
            return _gateway(settings, [Endpoint(Choice(settings.ollama_model, limits), model)], patient=True)


def _groq(settings: Settings, name: str) -> Endpoint:
    limits = {SHORT_NAMES[short.upper()]: limit for short, limit in settings.llm_limits.items()} or FREE_ACCOUNT
    model = GroqModel(
        settings.groq_api_key, name, base_url=settings.groq_url or None, max_tokens=settings.llm_max_tokens
    )
    return Endpoint(Choice(name, limits, cached_is_free=True), model)


def _gateway(settings: Settings, endpoints: Sequence[Endpoint], *, patient: bool = False) -> Gateway:
    """What stands between calls and models. A server of one's own may be slow and is waited for (``patient``)."""
    policy = PolicyParams(max_wait_secs=settings.llm_max_wait_secs, hedge_requests=settings.llm_hedge_requests)
    params = GatewayParams(policy=policy, guess_share=settings.guess_share)
    if patient:
        params = replace(
            params, first_token_secs=settings.llm_first_token_secs, next_token_secs=settings.llm_next_token_secs
        )
    names = [endpoint.choice.name for endpoint in endpoints]
    kept_secs, code = settings.reply_cache_secs, settings.language
    cache = ReplyCache(kept_secs, world=names, language=code) if kept_secs else None
    url = settings.redis_url.get_secret_value()
    shared = RedisBudget.at(url) if url else None
    stands_in = _last_resort(settings)
    return Gateway(
        endpoints, params, cache=cache, shared=shared, last_resort=stands_in, overflows=settings.llm_overflow
    )


def thinks_here(settings: Settings) -> bool:
    """Whether a language model may run in this process, on threads of its own."""
    match settings.llm:
        case LlmProvider.SCRIPTED:
            return False
        case LlmProvider.GROQ | LlmProvider.OLLAMA:
            return _stands_in(settings)
        case _:
            return True


def _stands_in(settings: Settings) -> bool:
    """Whether the model on this machine may stand in for a vendor's."""
    match settings.llm_fallback:
        case LlmFallback.NONE:
            return False
        case LlmFallback.AUTO:
            return (os.cpu_count() or 1) >= FALLBACK_CORES and weights.at_hand(settings.llm_weights)
        case LlmFallback.LOCAL:
            return True


def _last_resort(settings: Settings) -> LanguageModel | None:
    """The model on this machine, if it may stand in for a vendor's."""
    if not _stands_in(settings):
        return None
    return LocalModel(settings.llm_weights, threads=settings.llm_threads, max_tokens=settings.llm_max_tokens)


def deepgram_params(settings: Settings) -> DeepgramParams:
    """How the settings reach Deepgram."""
    return DeepgramParams(
        settings.deepgram_api_key,
        settings.deepgram_model,
        "multi" if settings.follows_caller else settings.language,
        url=settings.deepgram_url,
        eager_threshold=settings.deepgram_eager,
    )


def in_language(settings: Settings, code: str) -> Settings:
    """The settings of calls in another language: its own voices, unless the settings name one."""
    first, other = language(settings.language), language(code)
    own = {"language": code}
    if settings.elevenlabs_voice == first.elevenlabs_voice:
        own["elevenlabs_voice"] = other.elevenlabs_voice
    if settings.azure_voice == first.azure_voice:
        own["azure_voice"] = other.azure_voice
    return settings.model_copy(update=own)


async def _ask_deepgram(settings: Settings) -> list[str]:
    """See whether Deepgram takes key and model; what it says if not."""
    try:
        await probe(deepgram_params(settings))
    except DeepgramError as error:
        logger.warning("STT deepgram: {}", error)
        return [f"Speech recognition by Deepgram does not work: {error}"]
    return []


async def connect_servers(settings: Settings) -> tuple[list[McpServer], list[Tool], list[str]]:
    """The MCP servers that the settings name, their tools, and warnings.

    Raises:
        SettingsError: The file that names them is wrong.
    """
    if settings.mcp_servers is None:
        return [], [], []
    return await mcp_servers.connect(settings.mcp_servers, taken=list(find_tools()))


def make_voice(settings: Settings) -> Voice:
    """The voice that the settings name, not loaded."""
    match settings.tts:
        case TtsProvider.LOCAL | TtsProvider.AUTO:
            return HibariVoice()
        case TtsProvider.GTTS:
            half_secs = settings.tts_first_byte_secs / 2
            google = GttsVoice(settings.language, timeout_secs=half_secs, base_url=settings.gtts_url or None)
            return _with_another_behind(google, half_secs, settings)
        case TtsProvider.ELEVENLABS:
            wait_secs = min(STREAMING_FIRST_AUDIO_SECS, settings.tts_first_byte_secs / 2)
            voice = ElevenLabsVoice(
                settings.elevenlabs_api_key,
                settings.elevenlabs_voice,
                settings.elevenlabs_model,
                language=settings.language,
                first_audio_secs=wait_secs,
                base_url=settings.elevenlabs_url or None,
            )
            return _with_another_behind(voice, wait_secs, settings)
        case TtsProvider.AZURE:
            wait_secs = min(STREAMING_FIRST_AUDIO_SECS, settings.tts_first_byte_secs / 2)
            voice = AzureVoice(
                settings.azure_speech_key,
                settings.azure_speech_region,
                settings.azure_voice,
                locale=language(settings.language).locale,
                first_audio_secs=wait_secs,
                base_url=settings.azure_url or None,
            )
            return _with_another_behind(voice, wait_secs, settings)


def _with_another_behind(voice: Voice, first_audio_secs: float, settings: Settings) -> Voice:
    """A voice, and what speaks when it cannot: the local voice, or for other languages than English Google's."""
    remembering = RememberingVoice(voice, 1_000_000 * settings.reply_audio_mb) if settings.reply_audio_mb else voice
    if settings.language == "en":
        other: Voice = HibariVoice()
    elif isinstance(voice, GttsVoice):
        return remembering
    else:
        other = GttsVoice(
            settings.language, timeout_secs=settings.tts_first_byte_secs / 2, base_url=settings.gtts_url or None
        )
    return VoiceChain([remembering, other], first_audio_secs=first_audio_secs + CHAIN_PATIENCE_SECS)


def _load_ears(settings: Settings) -> bool:
    """Load what listens, so that the first caller does not wait for it.

    Returns:
        Whether the local recogniser can be used; it is fetched at the first start. It reads what a vendor's recogniser
        misses, and judges sounds in any language; a bot that has a vendor's recogniser can do without.

    Raises:
        ModelError: Something is missing that the bot cannot do without.
    """
    SileroStream().speech_prob(bytes(1024))
    smart_turn.load()
    try:
        moonshine_model.load()
    except ModelError as error:
        if settings.stt is SttProvider.LOCAL:
            raise
        logger.warning("{}; sounds are judged by rules alone, and nobody reads what STT misses", error)
        return False
    return True
