"""Settings of recognisers, language models and voices, and of the gateway to the language models."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from admission.redis_client import sentinels
from settings.choices import EarlyStt, LlmFallback, LlmProvider, SttProvider, TtsProvider
from settings.kinds import NONE_IF_EMPTY, CommaSeparated

LIMITS: Final = ("rpm", "rpd", "tpm", "tpd")
"""Names of limits: requests and tokens, a minute and a day."""


class ProviderSettings(BaseSettings):
    """Who hears, thinks and speaks."""

    # providers
    stt: SttProvider = Field(SttProvider.AUTO, description="Speech to text; auto: deepgram if its key is there.")
    llm: LlmProvider = Field(LlmProvider.AUTO, description="Language model; auto: groq if its key is there.")
    tts: TtsProvider = Field(
        TtsProvider.AUTO,
        description="Text to speech; auto: elevenlabs or azure if a key is there, gtts beside deepgram and groq.",
    )

    # local language model
    llm_weights: Annotated[Path | None, NONE_IF_EMPTY] = Field(
        None, description="GGUF file of the local model; default: found or fetched."
    )
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
    groq_models: CommaSeparated = Field(
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
        description="Whether the local model, where it may stand in, also answers when the vendors' queue is longer "
        "than its own.",
    )
    llm_max_wait_secs: float = Field(
        60.0, ge=1, le=600, description="Longest wait in the queue for an answer; the caller is told how long."
    )
    llm_limits: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict,
        description="Limits of each model, comma separated: rpm=30,rpd=1000,tpm=8000,tpd=200000; empty: "
        "the published ones, corrected by what the vendor says.",
    )
    preemptive_min_share: float = Field(
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
        SecretStr(""),
        description="Redis in which processes share limits and lines, and take up each other's calls: "
        "redis://HOST:PORT/0, or redis+sentinel://HOST:PORT,HOST:PORT/NAME/0 with its Sentinels; empty: none.",
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

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url.startswith("redis+sentinel://"):
            sentinels(url)
        elif url and not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("a Redis URL begins with redis://, rediss:// or redis+sentinel://")
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
