"""The recogniser that the settings name, and what judges sounds. Deepgram's SDK is imported where it is chosen."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from loguru import logger

from contracts.stt import Recogniser
from processors import compat
from processors.models.files import ModelError
from processors.stt import moonshine_model
from processors.stt.chain import RecogniserChain
from processors.stt.early import EarlyRecogniser, Numbering
from processors.stt.moonshine import MoonshineRecogniser
from processors.turns import smart_turn
from processors.vad.silero import SileroStream
from settings import Settings, SttProvider

if TYPE_CHECKING:
    from processors.stt.deepgram import DeepgramParams


def deepgram_params(settings: Settings) -> "DeepgramParams":
    """How the settings reach Deepgram."""
    from processors.stt.deepgram import DeepgramParams

    return DeepgramParams(
        settings.deepgram_api_key,
        settings.deepgram_model,
        "multi" if settings.follows_caller else settings.language,
        url=settings.deepgram_url,
        eager_threshold=settings.deepgram_eager,
    )


def deepgram(settings: Settings, early: Callable[[], Numbering] | None, *, local_behind: bool) -> Recogniser:
    """Deepgram for one call.

    Args:
        settings: The settings, in the call's language.
        early: Makes the recogniser that listens beside it; None: none does.
        local_behind: Whether the local recogniser checks its words.
    """
    from processors.stt.deepgram import DeepgramRecogniser

    vendor = DeepgramRecogniser(deepgram_params(settings))
    if not local_behind:
        return vendor
    chain = RecogniserChain(vendor, MoonshineRecogniser)
    return EarlyRecogniser(chain, early) if early is not None else chain


async def ask_deepgram(settings: Settings) -> list[str]:
    """See whether Deepgram takes key and model; what it says if not."""
    from processors.compat import deepgram as private
    from processors.stt.deepgram import DeepgramError, probe

    compat.require(compat.missing_fields(private.FIELDS), "deepgram-sdk")
    try:
        await probe(deepgram_params(settings))
    except DeepgramError as error:
        logger.warning("STT deepgram: {}", error)
        return [f"Speech recognition by Deepgram does not work: {error}"]
    return []


def load_local(settings: Settings) -> bool:
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
