"""A bot and its emulated vendors on one event loop: what virtual time can carry, sockets on loopback included."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from emulators.faults import Vendor
from emulators.known_clips import Library
from emulators.profile import Profile
from emulators.serving import bot_environment, serving
from emulators.world import World
from loadtest.early_recogniser import TimedRecogniser
from processors.stt.moonshine import EARLY
from services.services import Services
from settings import Settings

VENDORS: Final = (Vendor.DEEPGRAM, Vendor.GROQ, Vendor.ELEVENLABS)
"""Those whose clients live on the loop. gTTS' and Azure's packages wait in threads of their own, for real time."""

SETTINGS: Final[Mapping[str, Any]] = {
    "stt": "deepgram",
    "deepgram_api_key": "emulated",
    "llm": "groq",
    "groq_api_key": "emulated",
    "tts": "elevenlabs",
    "elevenlabs_api_key": "emulated",
    "greeting": "",
    "bank_file": ":memory:",
    "llm_fallback": "none",
    "partner_repeats": 0,  # callers that repeat their clips are no answering machines
}
"""Of the bot; a model on the same machine would take real time, so none stands in for the vendor's."""


@dataclass(frozen=True)
class EmulatedBot:
    """A bot that takes calls in this process.

    Attributes:
        services: What its calls are made of.
        world: What its vendors are and did.
    """

    services: Services
    world: World


@asynccontextmanager
async def emulated_bot(
    profile: Profile, changes: Mapping[str, Any] | None = None, clips: Library | None = None
) -> AsyncIterator[EmulatedBot]:
    """Open it.

    Args:
        profile: What the vendors are like.
        changes: Settings of the bot that differ from :data:`SETTINGS`.
        clips: What callers may say, if the vendor need not recognise it.
    """
    world = World(profile, clips=clips)
    async with serving(world, vendors=VENDORS) as ports:
        where = {name.lower(): value for name, value in bot_environment(ports).items()}
        stated = {**SETTINGS, "deepgram_streams": profile.deepgram_streams, **where, **(changes or {})}
        settings = Settings(_env_file=None, **stated)  # pyright: ignore[reportCallIssue]
        services = await Services.load(settings)
        services.make_early_recogniser = lambda: TimedRecogniser(EARLY, services.reading_budget)
        try:
            yield EmulatedBot(services, world)
        finally:
            await services.close()
