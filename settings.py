"""Every setting of the bot: one typed tree, read from flags, environment and ``.env``, in this order.

Field names are the environment variables in lower case. Units are in the names or in the descriptions.
A wrong value stops the start with one line that names the variable and what it may be: :func:`load` raises
:class:`SettingsError` with that line.
"""

import ipaddress
import re
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.caller_time import zone_named
from contracts.modes import InterruptionMode, Transcripts
from languages.catalogue import find_languages, language

ROOT = Path(__file__).resolve().parent


_ICE_URL = re.compile(r"(stuns?|(?P<turn>turns?)):[^?:/\s]+(:\d{1,5})?(?(turn)(\?transport=(udp|tcp))?)")

LIMITS = ("rpm", "rpd", "tpm", "tpd")
"""Names of limits: requests and tokens, a minute and a day."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message says in one line what to set."""


class SttProvider(Enum):
    """Who turns speech into text."""

    AUTO = "auto"
    LOCAL = "local"
    DEEPGRAM = "deepgram"


class LlmProvider(Enum):
    """Who thinks."""

    AUTO = "auto"
    LOCAL = "local"
    SCRIPTED = "scripted"
    OLLAMA = "ollama"
    GROQ = "groq"


class EarlyStt(Enum):
    """Whether the local recogniser listens beside a vendor's."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class LlmFallback(Enum):
    """What answers when no vendor's language model can."""

    AUTO = "auto"
    LOCAL = "local"
    NONE = "none"


class TtsProvider(Enum):
    """Who turns text into speech."""

    AUTO = "auto"
    LOCAL = "local"
    GTTS = "gtts"
    ELEVENLABS = "elevenlabs"
    AZURE = "azure"


class SmtpSecurity(Enum):
    """How mail to the server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class CallTokensMode(Enum):
    """Whether callers need a token."""

    AUTO = "auto"
    OFF = "off"
    REQUIRED = "required"


class NewMicrophone(Enum):
    """What the page does with a new system microphone."""

    TAKE = "take"
    OFFER = "offer"


class LogLevel(Enum):
    """How much is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Settings(BaseSettings):
    """The settings of one bot process."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    _follows_caller: bool = PrivateAttr(default=False)
    _why: dict[str, str] = PrivateAttr(default_factory=dict)

    # providers
    stt: SttProvider = Field(SttProvider.AUTO, description="Speech to text; auto: deepgram if its key is there.")
    llm: LlmProvider = Field(LlmProvider.AUTO, description="Language model; auto: groq if its key is there.")
    tts: TtsProvider = Field(
        TtsProvider.AUTO,
        description="Text to speech; auto: elevenlabs or azure if a key is there, gtts beside deepgram and groq.",
    )

    # server
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(7860, ge=0, le=65535, description="TCP port to listen on; 0 picks a free one.")
    workers: int = Field(
        1, ge=1, le=256, description="Processes that share the port and the calls, one for each core of the machine."
    )
    max_calls: Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        "auto",
        description="Calls at once of each worker; further callers wait in line. auto: what the vendors' limits and "
        "this machine's cores carry, as measured.",
    )
    max_calls_shared: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Calls at once of all processes at one REDIS_URL; 0: each has its own limit.",
    )
    max_loop_lag_ms: float = Field(
        80.0, ge=0, le=1000, description="No further call while the event loop lags more (95th percentile); 0: any lag."
    )
    offers_per_minute: int = Field(
        60,
        ge=0,
        le=100_000,
        description="Offers, for a new call or an old one, that an address other than this machine's may make; 0: any "
        "number.",
    )
    calls_per_address: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="Calls at once of an address other than this machine's; empty: half of all; 0: any number.",
    )
    http_max_connections: int = Field(
        500, ge=1, le=100_000, description="HTTP connections at once; further ones are closed at once."
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Proxies whose Forwarded or X-Forwarded-For is believed: addresses or networks, comma separated.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Names by which browsers know the bot, beside localhost and the machine's own, comma separated.",
    )
    allowed_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Pages elsewhere that may call, such as https://www.example.org, comma separated; *: any page.",
    )
    tls_cert: Path | None = Field(None, description="PEM file of the certificate with its chain: serves HTTPS.")
    tls_key: Path | None = Field(None, description="PEM file of its private key.")
    messages_per_minute: int = Field(
        600, ge=60, le=60_000, description="Messages that one call's client may send; more are answered with an error."
    )
    typed_turns_per_minute: int = Field(
        30, ge=1, le=1000, description="Texts among them, each of which asks for an answer."
    )
    keys_per_minute: int = Field(180, ge=1, le=10_000, description="Keys of the phone pad among them.")
    drain_secs: float = Field(
        8.0,
        ge=0,
        le=3600,
        description="How long a stop waits for calls to come to an end; those left are told so 10 s before.",
    )
    connect_timeout_secs: float = Field(
        15.0, gt=0, le=120, description="Seconds until an offer that never connects is dropped."
    )
    ice_servers: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="STUN and TURN servers, comma separated: stun:HOST:PORT, turn:HOST:PORT.",
    )
    turn_username: str = Field("", description="User name for the TURN servers.")
    turn_credential: SecretStr = Field(SecretStr(""), description="Password for the TURN servers.")
    turn_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret shared with the TURN servers (coturn: static-auth-secret), instead of a password: each "
        "call gets credentials of its own.",
    )
    turn_ttl_secs: int = Field(
        3600, ge=60, le=86_400, description="Seconds that such credentials hold; a call outlives them."
    )

    # who may call
    call_tokens: CallTokensMode = Field(
        CallTokensMode.AUTO,
        description="Whether callers need a signed token; auto: if a secret or a key for it is set.",
    )
    call_token_secret: SecretStr = Field(
        SecretStr(""), description="Secret of 32 characters or more that tokens (JWT, HS256) are signed with."
    )
    call_token_public_key: Path | None = Field(
        None, description="PEM file of the public key (RSA, EC or Ed25519) whose private one signs tokens."
    )
    call_token_max_secs: float = Field(3600.0, gt=0, le=86_400, description="How far ahead a token may end.")
    call_token_audience: str = Field("", description="Whom tokens must be made for (aud); empty: it does not matter.")
    call_token_issuer: str = Field("", description="Who must have made them (iss); empty: it does not matter.")
    calls_per_caller: int = Field(
        2, ge=0, le=10_000, description="Calls at once of one caller whom tokens name; 0: any number."
    )

    # conversation
    history_turns: int = Field(20, ge=1, le=200, description="Turns of the conversation that the LLM is shown.")
    time_zone: str = Field(
        "",
        description="Zone of callers whose client and number tell none, such as Europe/Paris; empty: this machine's.",
    )
    prompt: str = Field("bank", description="Who the bot is: a file of prompts/ by its name, or a path.")
    greeting: str = Field(
        "auto", description="What the bot says first; empty: the caller speaks first; auto: the language's own."
    )

    # callers who are silent, or gone for a moment
    idle_secs: float = Field(
        20.0, ge=0, le=600, description="Seconds of silence until the bot asks whether anybody is there; 0: never."
    )
    idle_prompts: int = Field(2, ge=0, le=20, description="How often it asks before it says goodbye and hangs up.")
    max_call_minutes: float = Field(
        60.0, ge=0, le=1440, description="Minutes until the bot says goodbye and ends the call; 0: no limit."
    )
    partner_repeats: int = Field(
        4,
        ge=0,
        le=50,
        description="Turns in a row that only repeat earlier ones, as a machine's do, until the bot asks once whether "
        "a person is there, and then leaves; 0: never.",
    )
    hold_secs: float = Field(
        30.0, ge=0, le=600, description="Seconds that a lost call waits for its caller; 0: it ends at once."
    )
    new_microphone: NewMicrophone = Field(
        NewMicrophone.TAKE,
        description="What the page does when the system's microphone becomes another one during a call: take it, or "
        "offer it.",
    )

    # turn-taking
    interruption_mode: InterruptionMode = Field(
        InterruptionMode.DUCK,
        description="A sound over the bot's voice: duck (lower it, then decide), pause (silence it, then decide), "
        "cancel (end the reply), off (only text and keys interrupt).",
    )
    interruption_sensitivity: float = Field(
        0.5, ge=0, le=1, description="0: hardly anything interrupts; 1: nearly everything does."
    )
    interruption_min_ms: int = Field(
        0,
        ge=0,
        le=2000,
        description="Sounds shorter than this many milliseconds never interrupt by themselves.",
    )
    resume_at_word: bool = Field(
        False, description="Resume at the start of the cut word instead of at the very next sample."
    )
    endpoint_max_ms: int = Field(
        1600, ge=200, le=5000, description="Milliseconds of silence that end even an unfinished sentence."
    )
    endpoint_sure: float = Field(
        0.9,
        ge=0.5,
        le=1.01,
        description="Probability from which the turn detector ends a turn at once although its words may go on; "
        "above 1: never.",
    )
    endpoint_early: bool = Field(
        True,
        description="A turn may end on the early recogniser's words; nothing is heard until the vendor's confirm them.",
    )
    vad_start_prob: float = Field(0.5, gt=0, lt=1, description="Speech probability that counts as voice.")
    vad_stop_ms: int = Field(200, ge=64, le=2000, description="Milliseconds of silence that end speech.")
    language: str = Field(
        "en",
        pattern=f"^({'|'.join(find_languages())}|auto)$",
        description=f"Language of ears, voice and the bot's own sentences: {', '.join(find_languages())}; auto: it "
        "follows the caller, which needs STT=deepgram with a nova model.",
    )
    languages: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Languages that a call may be in, comma separated: with LANGUAGE=auto it begins in the first and "
        "follows the caller, else a page or a token may choose; empty: LANGUAGE, or with auto all.",
    )

    # tools
    tools: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["auto"],
        description="Tools that the model may call, comma separated; all, none, or auto: all, but for LLM=local a few.",
    )
    tools_without_question: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Tools with an effect that are done without the caller's yes to a question, comma separated.",
    )
    tools_with_pin: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Tools for which callers must type their PIN on the keypad first, comma separated; all; effects.",
    )
    effects_per_day: int = Field(
        50,
        ge=0,
        le=100_000,
        description="Things that one caller whom tokens name may have done in a day; 0: any number.",
    )
    sample_customer: int | None = Field(
        None,
        ge=0,
        description="Customer of the sample bank that callers without a token are; 0: nobody; empty: the first, where "
        "only this machine's users call.",
    )
    mcp_servers: Path | None = Field(
        None, description='JSON file {"mcpServers": {NAME: {"command": ..., "args": [...]}}} of further tools.'
    )
    bank_file: str = Field(
        "", description="SQLite file of the sample bank; :memory: for none; default: in the user's data folder."
    )
    knowledge_folder: Path = Field(Path("knowledge"), description="Folder of Markdown files that can be searched.")
    smtp_host: str = Field("", description="Mail server; empty: no mail goes out.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: SmtpSecurity = Field(SmtpSecurity.STARTTLS, description="How mail to it is protected.")
    smtp_username: str = Field("", description="User name there; empty: none is asked for.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password there.")
    smtp_from: str = Field("Parley <parley@localhost>", description="Sender of mails.")

    # local language model
    llm_weights: Path | None = Field(None, description="GGUF file of the local model; default: found or fetched.")
    llm_threads: int = Field(2, ge=1, le=64, description="CPU threads of the local model.")
    llm_max_tokens: int = Field(160, ge=16, le=4096, description="Longest reply, in tokens.")
    llm_prompt_tokens: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Longest prompt in tokens, tools included, about; 0: by the models' limits, 8000 at most.",
    )
    llm_part_chars: int = Field(
        700,
        ge=0,
        le=100_000,
        description="A longer reply is said in parts of at most so many characters, with a question behind; 0: whole.",
    )
    llm_first_token_secs: float = Field(8.0, gt=0, le=60, description="Seconds to wait for a first token.")
    llm_next_token_secs: float = Field(4.0, gt=0, le=60, description="Seconds to wait between tokens.")
    ollama_url: str = Field("http://127.0.0.1:11434/v1", description="Base URL of an OpenAI-compatible server.")
    ollama_model: str = Field("llama3.2", description="Model name at that server.")
    ollama_api_key: SecretStr = Field(SecretStr("none"), description="Key for that server, if it wants one.")

    # the local recogniser beside a vendor's
    early_stt: EarlyStt = Field(
        EarlyStt.AUTO,
        description="The local recogniser listens beside a vendor's, for words that come early (English): on, off, or "
        "auto: on two cores or more.",
    )
    early_stt_cores: float = Field(
        0.5, gt=0, le=64, description="CPU that it may use for all calls together, in cores; it rests when others wait."
    )

    # Deepgram
    deepgram_api_key: SecretStr = Field(SecretStr(""), description="Key for Deepgram, for STT=deepgram.")
    deepgram_model: str = Field(
        "nova-3", pattern="^(nova|flux)-", description="Model there: nova-3, flux-general-en, ..."
    )
    deepgram_streams: int = Field(
        50, ge=0, le=100_000, description="Streams at once that the Deepgram project may have; 0: any number."
    )
    deepgram_eager: float = Field(
        0.5,
        ge=0,
        le=0.9,
        description="Probability (0.3 to 0.9) from which Flux tells that the turn may be over, so that a reply is "
        "prepared; 0: it does not.",
    )
    deepgram_url: str = Field("", description="Another host that speaks its protocol, ws://HOST:PORT; empty: Deepgram.")

    # Groq
    groq_api_key: SecretStr = Field(SecretStr(""), description="Key for Groq, for LLM=groq.")
    groq_models: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["openai/gpt-oss-120b", "openai/gpt-oss-20b", "auto"],
        description="Models at Groq in order of preference, comma separated; auto: all other chat models that the key "
        "may use, as Groq lists them at the start.",
    )
    groq_url: str = Field("", description="Another host that speaks Groq's protocol; empty: Groq.")

    # gateway to the language models
    llm_fallback: LlmFallback = Field(
        LlmFallback.AUTO,
        description="What answers when no vendor's model can: local, none, or auto: local if its weights are there and "
        "the machine has four cores or more.",
    )
    llm_overflow: bool = Field(
        True,
        description="Whether the local model, where it may stand in, also answers when the vendors' line is longer "
        "than its own.",
    )
    llm_max_wait_secs: float = Field(
        60.0, ge=1, le=600, description="Longest wait in line for an answer; the caller is told how long."
    )
    llm_limits: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict,
        description="Limits of each model, comma separated: rpm=30,rpd=1000,tpm=8000,tpd=200000; empty: "
        "the published ones, corrected by what the vendor says.",
    )
    guess_share: float = Field(
        0.5,
        ge=0,
        le=1.01,
        description="Replies are prepared before the turn is over (preemptive generation) while this share of the "
        "vendor's budget is left; above 1: never.",
    )
    preemptive_speaking: float = Field(
        0.8,
        ge=0.5,
        le=1.01,
        description="Probability from which the turn detector has a reply prepared while the caller still speaks; "
        "above 1: never.",
    )
    preemptive_max: int = Field(
        3, ge=1, le=8, description="Replies that are prepared at once in a call, each for other words."
    )
    preemptive_tools: bool = Field(
        True, description="A reply that is prepared may look something up; tools with an effect are never run so."
    )
    llm_hedge_requests: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Two models are asked at once, and the first to begin is heard, while both have room for so many "
        "more requests; it costs twice the tokens. 0: never.",
    )
    reply_cache_secs: float = Field(
        600.0,
        ge=0,
        le=86_400,
        description="Seconds that replies to questions of a general kind are remembered; 0: not.",
    )
    reply_audio_mb: int = Field(
        16,
        ge=0,
        le=1_000,
        description="Megabytes of a vendor's voice that are kept with these replies, so that it is not asked again "
        "(2.9 MB a minute); 0: none.",
    )
    redis_url: SecretStr = Field(
        SecretStr(""), description="Redis in which processes share limits and lines, redis://HOST:PORT/0; empty: none."
    )

    # voice
    gtts_url: str = Field("", description="Another host that speaks Google Translate's protocol; empty: Google.")
    tts_first_byte_secs: float = Field(3.0, gt=0, le=30, description="Seconds to wait for a sentence's audio.")

    # streaming voices
    elevenlabs_api_key: SecretStr = Field(SecretStr(""), description="Key for ElevenLabs, for TTS=elevenlabs.")
    elevenlabs_voice: str = Field("auto", description="Voice id there; auto: one that speaks the language.")
    elevenlabs_model: str = Field("eleven_flash_v2_5", description="Model id there; v3 models are not served this way.")
    elevenlabs_url: str = Field("", description="Another host that speaks its protocol; empty: ElevenLabs.")
    azure_speech_key: SecretStr = Field(SecretStr(""), description="Key for Azure speech, for TTS=azure.")
    azure_speech_region: str = Field("", description="Region of that key's resource, such as westeurope.")
    azure_voice: str = Field("auto", description="Voice name there; auto: one that speaks the language.")
    azure_url: str = Field("", description="Another host that speaks its protocol; empty: the region's.")

    # dashboard, metrics, traces
    dashboard_token: SecretStr = Field(
        SecretStr(""),
        description="Opens /dashboard and /metrics to other machines; 16 characters or more. Empty: only this machine.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "", description="OpenTelemetry collector that traces go to, such as http://127.0.0.1:4318; empty: none."
    )

    # what is kept of what people say
    transcripts: Transcripts = Field(
        Transcripts.REDACTED,
        description="What log and dashboard keep of what is said: off, redacted (without numbers of cards, PINs and "
        "the like; in the log at DEBUG only), full (also the messages of exceptions).",
    )
    retention_minutes: float = Field(
        1440.0, ge=0, le=525_600, description="How long calls that have ended can still be looked at; 0: not at all."
    )

    # logs
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    log_json: bool = Field(False, description="One JSON object per log line, for machines.")

    @field_validator(
        "llm_weights",
        "mcp_servers",
        "calls_per_address",
        "tls_cert",
        "tls_key",
        "call_token_public_key",
        "sample_customer",
        mode="before",
    )
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator(
        "ice_servers",
        "groq_models",
        "tools",
        "tools_without_question",
        "languages",
        "tools_with_pin",
        "trusted_proxies",
        "allowed_hosts",
        "allowed_origins",
        mode="before",
    )
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"{text} is neither an address nor a network") from None
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", text):
                raise ValueError(f"{text} is no host name; leave scheme and port out")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        for text in value:
            if text != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+/?", text, re.IGNORECASE):
                raise ValueError(f"{text} is no origin such as https://www.example.org")
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value and zone_named(value) is None:
            raise ValueError("it may be: a name such as Europe/Paris, or empty")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("a Redis URL begins with redis:// or rediss://")
        return value

    @field_validator("llm_limits", mode="before")
    @classmethod
    def _as_limits(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        limits: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            name, _, amount = part.partition("=")
            if name not in LIMITS or not amount.replace(".", "", 1).isdigit() or float(amount) <= 0:
                raise ValueError(f"{part} is no limit such as rpm=30")
            limits[name] = float(amount)
        return limits

    @field_validator("groq_models")
    @classmethod
    def _not_empty(cls, value: list[str]) -> list[str]:
        if not value:
            raise ValueError("no model is named")
        return value

    @model_validator(mode="after")
    def _pick(self) -> "Settings":
        """Put what ``auto`` means in its place, and note why."""
        deepgram, groq = (bool(key.get_secret_value()) for key in (self.deepgram_api_key, self.groq_api_key))
        if self.stt is SttProvider.AUTO:
            self.stt = SttProvider.DEEPGRAM if deepgram else SttProvider.LOCAL
            self._why["stt"] = "DEEPGRAM_API_KEY is set" if deepgram else "DEEPGRAM_API_KEY is not set"
        if self.llm is LlmProvider.AUTO:
            self.llm = LlmProvider.GROQ if groq else LlmProvider.LOCAL
            self._why["llm"] = "GROQ_API_KEY is set" if groq else "GROQ_API_KEY is not set"
        if self.tts is TtsProvider.AUTO:
            self.tts, self._why["tts"] = self._pick_voice()
        self._pick_languages()
        spoken = language(self.language)
        if self.greeting == "auto":
            self.greeting = spoken.sentences.greeting
        if self.elevenlabs_voice == "auto":
            self.elevenlabs_voice = spoken.elevenlabs_voice
        if self.azure_voice == "auto":
            self.azure_voice = spoken.azure_voice
        return self

    def _pick_voice(self) -> tuple[TtsProvider, str]:
        if self.elevenlabs_api_key.get_secret_value():
            return TtsProvider.ELEVENLABS, "ELEVENLABS_API_KEY is set"
        if self.azure_speech_key.get_secret_value() and (self.azure_speech_region or self.azure_url):
            return TtsProvider.AZURE, "AZURE_SPEECH_KEY is set"
        if self.stt is SttProvider.DEEPGRAM and self.llm is LlmProvider.GROQ:
            return TtsProvider.GTTS, "beside deepgram and groq, without a key for a voice"
        if self.language != "en":
            return TtsProvider.GTTS, "no key for a voice is set, and the local voice speaks English only"
        return TtsProvider.LOCAL, "no key for a voice is set"

    @property
    def secrets(self) -> list[str]:
        """All keys, passwords and tokens, so that they can be kept out of logs."""
        values = [getattr(self, name) for name in type(self).model_fields]
        told = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        return [*told, *filter(None, [urlsplit(self.redis_url.get_secret_value()).password])]

    def why(self, role: str) -> str:
        """Why the provider of a role (``stt``, ``llm``, ``tts``) was picked; empty if it was named."""
        return self._why.get(role, "")

    @field_validator("dashboard_token")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 16:
            raise PydanticCustomError("weak_token", "too short to keep anybody out")
        return value

    @field_validator("call_token_secret")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32:
            raise PydanticCustomError("weak_secret", "too short: HS256 needs 32 characters or more (RFC 7518, 3.2)")
        return value

    @model_validator(mode="after")
    def _keys_are_there(self) -> "Settings":
        if self.stt is SttProvider.DEEPGRAM and not self.deepgram_api_key.get_secret_value():
            said = "DEEPGRAM_API_KEY: missing; set it to a key from console.deepgram.com"
            raise PydanticCustomError("missing_key", said)
        if self.llm is LlmProvider.GROQ and not self.groq_api_key.get_secret_value():
            raise PydanticCustomError("missing_key", "GROQ_API_KEY: missing; set it to a key from console.groq.com")
        return self

    @model_validator(mode="after")
    def _language_is_spoken(self) -> "Settings":
        """What runs in this process hears and speaks English only."""
        foreign = next((code for code in self.languages if code != "en"), self.language)
        wanted = f"English only, and LANGUAGE is {foreign}"
        if foreign != "en" and self.stt is SttProvider.LOCAL:
            said = f"STT: the local recogniser hears {wanted}; set STT=deepgram and DEEPGRAM_API_KEY"
            raise PydanticCustomError("wrong_language", "{said}", {"said": said})
        if foreign != "en" and self.stt is SttProvider.DEEPGRAM and self.deepgram_model == "flux-general-en":
            said = f"DEEPGRAM_MODEL: flux-general-en hears {wanted}; set it to nova-3"
            raise PydanticCustomError("wrong_language", "{said}", {"said": said})
        if foreign != "en" and self.tts is TtsProvider.LOCAL:
            said = f"TTS: the local voice speaks {wanted}; set TTS to gtts, azure or elevenlabs"
            raise PydanticCustomError("wrong_language", "{said}", {"said": said})
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> "Settings":
        if (self.tls_cert is None) != (self.tls_key is None):
            name = "TLS_KEY" if self.tls_key is None else "TLS_CERT"
            raise PydanticCustomError("missing_key", f"{name}: missing; set it to a PEM file, or neither")
        return self

    @property
    def listens_to_others(self) -> bool:
        """Whether other machines reach the port."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def sample_customer_id(self) -> int:
        """The sample bank's customer for callers without a token; 0: nobody."""
        if self.sample_customer is not None:
            return self.sample_customer
        others = self.listens_to_others or self.trusted_proxies or self.allowed_hosts or self.allowed_origins
        return 0 if others or self.call_tokens_required else 1

    @property
    def follows_caller(self) -> bool:
        """Whether a call's language follows its caller."""
        return self._follows_caller

    def _pick_languages(self) -> None:
        """Put a language in the place of ``auto``, and see that the vendor can tell languages apart."""
        known = find_languages()
        for code in self.languages:
            if code not in known:
                said = f"LANGUAGES: {code} is none of ours; it may be: {', '.join(known)}"
                raise PydanticCustomError("wrong_language", "{said}", {"said": said})
        if self.language == "auto":
            if self.stt is not SttProvider.DEEPGRAM or not self.deepgram_model.startswith("nova"):
                said = "LANGUAGE: auto needs ears that tell languages apart; set STT=deepgram and DEEPGRAM_MODEL=nova-3"
                raise PydanticCustomError("wrong_language", "{said}", {"said": said})
            self._follows_caller = True
            self.languages = self.languages or ["en", *(code for code in known if code != "en")]
            self.language = self.languages[0]
        elif self.language not in self.languages:
            self.languages = [self.language, *self.languages]

    @property
    def call_tokens_required(self) -> bool:
        """Whether a call needs a token."""
        keys = bool(self.call_token_secret.get_secret_value()) or self.call_token_public_key is not None
        return keys and self.call_tokens is not CallTokensMode.OFF

    @model_validator(mode="after")
    def _tokens_can_be_checked(self) -> "Settings":
        if self.call_tokens is CallTokensMode.REQUIRED and not self.call_tokens_required:
            said = "CALL_TOKEN_SECRET: missing; CALL_TOKENS=required needs it, or CALL_TOKEN_PUBLIC_KEY"
            raise PydanticCustomError("missing_key", said)
        return self

    def calls_of_one_address(self, all_calls: int) -> int:
        """How many of all calls one address may have; 0: any number."""
        return max(1, all_calls // 2) if self.calls_per_address is None else self.calls_per_address

    @model_validator(mode="after")
    def _shared_limit_has_a_place(self) -> "Settings":
        if self.max_calls_shared and not self.redis_url.get_secret_value():
            said = "REDIS_URL: missing; MAX_CALLS_SHARED is counted there: set it to redis://HOST:PORT/0"
            raise PydanticCustomError("missing_key", said)
        return self

    @model_validator(mode="after")
    def _voice_is_set_up(self) -> "Settings":
        if self.tts is TtsProvider.ELEVENLABS and not self.elevenlabs_api_key.get_secret_value():
            said = "ELEVENLABS_API_KEY: missing; set it to a key from elevenlabs.io/app/settings/api-keys"
            raise PydanticCustomError("missing_key", said)
        if self.tts is TtsProvider.AZURE:
            where = "set it to what portal.azure.com shows under the speech resource's keys and endpoint"
            if not self.azure_speech_key.get_secret_value():
                raise PydanticCustomError("missing_key", f"AZURE_SPEECH_KEY: missing; {where}")
            if not self.azure_speech_region and not self.azure_url:
                raise PydanticCustomError("missing_key", f"AZURE_SPEECH_REGION: missing; {where}")
        return self

    @field_validator("ice_servers")
    @classmethod
    def _are_ice(cls, value: list[str]) -> list[str]:
        for url in value:
            if not url.startswith(("stun:", "stuns:", "turn:", "turns:")):
                raise ValueError(f"{url} is neither a STUN nor a TURN server")
            if not re.fullmatch(
                r"(stuns?:[^?:/\s]+(:\d{1,5})?|turns?:[^?:/\s]+(:\d{1,5})?(\?transport=(udp|tcp))?)", url
            ):
                raise ValueError(f"{url} is not written as turn:HOST:PORT or turn:HOST:PORT?transport=tcp")
        return value


FLAGS = (
    "stt",
    "llm",
    "tts",
    "host",
    "port",
    "workers",
    "max_calls",
    "history_turns",
    "interruption_mode",
    "log_level",
)
"""Settings that are also flags of ``serve``; every other one is set by environment or ``.env``."""


def _allowed(name: str) -> str:
    """What a setting may be, in words."""
    field = Settings.model_fields[name]
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(str(member.value) for member in annotation)
    return field.description or ""


def metavar(name: str) -> str:
    """What stands for a flag's value in ``--help``."""
    annotation = Settings.model_fields[name].annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    return name.rsplit("_", 1)[-1].upper()


def help_text(name: str) -> str:
    """A flag's line in ``--help``: what it is, and the default."""
    field = Settings.model_fields[name]
    default = field.get_default()
    return f"{field.description} Default: {default.value if isinstance(default, Enum) else default}."


def load(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (flags) win over the environment.

    Raises:
        SettingsError: One line: the variable, what was given, what it may be.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] in ("missing_key", "wrong_language"):
            raise SettingsError(first["msg"]) from None
        name = str(first["loc"][0])
        secret = any(word in name for word in ("key", "credential", "password", "redis_url")) or name.endswith(
            ("_token", "_secret")
        )
        given = "" if secret else f" (given: {str(first.get('input'))[:60]!r})"
        raise SettingsError(f"{name.upper()}: {first['msg'].lower()}{given}; it may be: {_allowed(name)}") from None


def env_example() -> str:
    """The text of ``.env.example``: every field with its meaning and default."""
    lines = ["# Copy to .env and change what you need. Every line shows the default."]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Enum):
            default = default.value
        elif isinstance(default, SecretStr):
            default = default.get_secret_value()
        elif isinstance(default, list):
            default = ",".join(default)
        elif isinstance(default, dict):
            default = ",".join(f"{key}={value:g}" for key, value in default.items())
        elif isinstance(default, bool):
            default = str(default).lower()
        lines += ["", f"# {field.description}"]
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            lines.append("# " + _allowed(name).capitalize() + ".")
        lines.append(f"#{name.upper()}={'' if default is None else default}")
    return "\n".join(lines) + "\n"
