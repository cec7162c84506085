"""All settings as one tree, and what they must be together."""

from urllib.parse import urlsplit

from pydantic import PrivateAttr, SecretStr, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from languages.catalogue import find_languages, language
from settings.choices import LlmProvider, SttProvider, TtsProvider
from settings.conversation import ConversationSettings
from settings.phone import PhoneSettings
from settings.providers import ProviderSettings
from settings.records import RecordSettings
from settings.renamed import OldNames
from settings.server import ServerSettings
from settings.sip import SipSettings
from settings.tools import ToolSettings


class Settings(
    RecordSettings, ToolSettings, ConversationSettings, SipSettings, PhoneSettings, ServerSettings, ProviderSettings
):
    """The settings of one bot process."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore")

    _follows_caller: bool = PrivateAttr(default=False)
    _why: dict[str, str] = PrivateAttr(default_factory=dict)

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

    def _pick_languages(self) -> None:
        """Put a language in the place of ``auto``, and see that the vendor can tell languages apart."""
        known = find_languages()
        for code in self.languages:
            if code not in known:
                said = f"LANGUAGES: {code} is none of ours; it may be: {', '.join(known)}"
                raise PydanticCustomError("wrong_language", "{said}", {"said": said})
        if self.language == "auto":
            tells = self.deepgram_model.startswith("nova") or self.deepgram_model == "flux-general-multi"
            if self.stt is not SttProvider.DEEPGRAM or not tells:
                said = (
                    "LANGUAGE: auto needs a recogniser that tells languages apart; "
                    "set STT=deepgram and DEEPGRAM_MODEL=nova-3"
                )
                raise PydanticCustomError("wrong_language", "{said}", {"said": said})
            self._follows_caller = True
            self.languages = self.languages or ["en", *(code for code in known if code != "en")]
            self.language = self.languages[0]
        elif self.language not in self.languages:
            self.languages = [self.language, *self.languages]

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
    def _phone_has_one_process(self) -> "Settings":
        if (self.phone or self.takes_sip) and self.workers > 1:
            name = "PHONE" if self.phone else "SIP"
            said = f"WORKERS: {name} is served by one process only; set WORKERS=1, and start one bot for each core"
            raise PydanticCustomError("missing_key", "{said}", {"said": said})
        return self

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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Below flags, environment and ``.env`` come the names that settings once had."""
        read = [source.env_vars for source in (env_settings, dotenv_settings) if isinstance(source, EnvSettingsSource)]
        return init_settings, env_settings, dotenv_settings, OldNames(settings_cls, read), file_secret_settings

    @property
    def secrets(self) -> list[str]:
        """All keys, passwords and tokens, so that they can be kept out of logs."""
        values = [getattr(self, name) for name in type(self).model_fields]
        told = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        return [*told, *filter(None, [urlsplit(self.redis_url.get_secret_value()).password])]

    def why(self, role: str) -> str:
        """Why the provider of a role (``stt``, ``llm``, ``tts``) was picked; empty if it was named."""
        return self._why.get(role, "")

    @property
    def sample_customer_id(self) -> int:
        """The sample bank's customer for callers without a token; 0: nobody."""
        if self.sample_customer is not None:
            return self.sample_customer
        carriers = self.phone or self.takes_sip
        others = (
            self.listens_to_others or self.trusted_proxies or self.allowed_hosts or self.allowed_origins or carriers
        )
        return 0 if others or self.call_tokens_required else 1

    def follow_caller(self, follows: bool) -> None:
        """Say whether the call's language follows the caller, where LANGUAGE no longer says so itself."""
        self._follows_caller = follows

    @property
    def follows_caller(self) -> bool:
        """Whether a call's language follows its caller."""
        return self._follows_caller
