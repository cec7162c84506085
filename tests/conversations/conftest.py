"""Whole calls through the real pipeline, in virtual time: real recogniser, real voice, no network."""

import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from contracts.llm import LanguageModel
from contracts.tts import Voice
from loadtest.in_process import InProcessCall, calling
from processors.tools.base import Tool
from services.services import Services
from settings import LlmProvider, Settings

DATA = Path(__file__).parents[1] / "data"

Calling = Callable[..., AbstractAsyncContextManager[InProcessCall]]


def clip(name: str) -> np.ndarray:
    """A clip of the test data: 16 kHz int16."""
    with wave.open(str(DATA / f"{name}.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@pytest.fixture
def call() -> Calling:
    """Opens a call: ``async with call(model, voice, greeting=...) as c``; settings by their lower-case names."""

    @asynccontextmanager
    async def opened(
        model: LanguageModel | None = None,
        voice: Voice | None = None,
        own_tools: Sequence[Tool] | None = None,
        seen: Callable[[Services], None] = lambda _: None,
        **settings: object,
    ) -> AsyncIterator[InProcessCall]:
        values = {"llm": LlmProvider.SCRIPTED, "greeting": "", "bank_file": ":memory:", "idle_secs": 0, **settings}
        services = await Services.load(Settings(_env_file=None, **values))
        if model is not None:
            services.language_model = model
        if voice is not None:
            services.voice = voice
        if own_tools is not None:
            services.tools = list(own_tools)
        seen(services)
        async with calling(services) as c:
            yield c
        await services.close()

    return opened
