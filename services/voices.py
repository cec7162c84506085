"""The voice that the settings name. What a vendor's SDK needs is imported where the vendor is chosen."""

from typing import TYPE_CHECKING, Final

from contracts.tts import Voice
from languages.catalogue import language
from processors.tts.chain import VoiceChain
from processors.tts.local import HibariVoice
from processors.tts.remembered import RememberingVoice
from settings import Settings, TtsProvider

if TYPE_CHECKING:
    from processors.tts.gtts import GttsVoice

STREAMING_FIRST_AUDIO_SECS: Final = 1.0
"""How long a voice that streams may take to begin; it usually takes a fifth of this."""

CHAIN_PATIENCE_SECS: Final = 0.1
"""A voice that gives up by itself knows what to do about it; only one that does not is given up."""


def in_language(settings: Settings, code: str) -> Settings:
    """The settings of calls in another language: its own voices, unless the settings name one."""
    first, other = language(settings.language), language(code)
    own = {"language": code}
    if settings.elevenlabs_voice == first.elevenlabs_voice:
        own["elevenlabs_voice"] = other.elevenlabs_voice
    if settings.azure_voice == first.azure_voice:
        own["azure_voice"] = other.azure_voice
    return settings.model_copy(update=own)


def make_voice(settings: Settings) -> Voice:
    """The voice that the settings name, not loaded."""
    match settings.tts:
        case TtsProvider.LOCAL | TtsProvider.AUTO:
            return HibariVoice()
        case TtsProvider.GTTS:
            google = _google(settings)
            if settings.language != "en":
                return _remembering(google, settings)
            return _with_another_behind(google, settings.tts_first_byte_secs / 2, settings)
        case TtsProvider.ELEVENLABS:
            from processors.tts.elevenlabs import ElevenLabsVoice

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
            from processors.tts.azure import AzureVoice

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
    other = HibariVoice() if settings.language == "en" else _google(settings)
    return VoiceChain([_remembering(voice, settings), other], first_audio_secs=first_audio_secs + CHAIN_PATIENCE_SECS)


def _remembering(voice: Voice, settings: Settings) -> Voice:
    """A voice that keeps what it has spoken, if the settings give it memory for that."""
    return RememberingVoice(voice, 1_000_000 * settings.reply_audio_mb) if settings.reply_audio_mb else voice


def _google(settings: Settings) -> "GttsVoice":
    from processors.tts.gtts import GttsVoice

    half_secs = settings.tts_first_byte_secs / 2
    return GttsVoice(settings.language, timeout_secs=half_secs, base_url=settings.gtts_url or None)
