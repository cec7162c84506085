"""A bot whose one vendor is emulated, and what is said to it and by it, for the fault matrix."""

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from emulators.faults import Vendor
from emulators.profile import Profile
from emulators.serving import Port, bot_environment, open_ports
from emulators.world import World
from languages.catalogue import language
from loadtest.audio import Samples
from loadtest.faults_matrix import Provider
from loadtest.faults_scoring import LOUD_RMS
from processors.turns.events import Phrase
from processors.turns.phrases import phrase_text
from services.services import Services
from settings import Settings

CLIPS: Final = Path(__file__).parents[1] / "tests" / "data"

SORRY: Final = frozenset(
    phrase_text(phrase, "en", "", secs)
    for phrase in (Phrase.APOLOGY, Phrase.REPEAT, Phrase.BUSY, Phrase.IN_QUEUE, Phrase.FULL, Phrase.QUOTA)
    for secs in language("en").sentences.waits
)
COVERS: Final = frozenset(phrase_text(phrase, "en", "") for phrase in (Phrase.MOMENT, Phrase.STILL))

PROFILE: Final = Profile.model_validate(
    {
        "name": "fault matrix",
        "timing": {
            vendor.value: {"first_byte": {"p50_ms": 150}, "between": {"p50_ms": 10}, "final": {"p50_ms": 120}}
            for vendor in Vendor
        },
        "groq_tokens_per_sec": 12.0,
    }
)
"""Fast enough for a conversation, slow enough to be caught in the middle of an answer."""


@asynccontextmanager
async def bot_of(provider: Provider, world: World) -> AsyncIterator[tuple[Port, Services]]:
    """Open it; gives the vendor's port, and what calls are made of."""
    async with open_ports(world, vendors=(provider.vendor,)) as ports:
        port = ports[provider.vendor]
        where = {name.lower(): value for name, value in bot_environment({provider.vendor: port.port}).items()}
        values: dict[str, Any] = {"stt": "local", "llm": "scripted", "tts": "local", **provider.settings, **where}
        settings = Settings(_env_file=None, greeting="", bank_file=":memory:", **values)  # pyright: ignore[reportCallIssue]
        services = await Services.load(settings)
        try:
            yield port, services
        finally:
            await services.close()


@cache
def clip_of(name: str) -> Samples:
    with wave.open(str(CLIPS / f"{name}.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@cache
def rest_secs(name: str) -> float:
    """The silence at a clip's end."""
    samples = clip_of(name)
    return (len(samples) - 1 - int(np.flatnonzero(np.abs(samples.astype(np.int32)) > LOUD_RMS)[-1])) / 16_000
