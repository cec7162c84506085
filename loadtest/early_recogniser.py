"""The early recogniser in virtual time: what computing would take passes on the clock, so that its words are as late
as they are in a real call."""

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np

from processors.models.files import Urgency
from processors.stt.moonshine import MoonshineRecogniser, Read
from processors.stt.moonshine_model import Analysis

SETUP_SECS: Final = 0.02
SECS_PER_SEC: Final = 0.02
"""CPU time of a reading: so much, and so much for each second of its audio. Alone on a core of 2026 it takes
three quarters of that."""


class TimedRecogniser(MoonshineRecogniser):
    """A :class:`~processors.stt.moonshine.MoonshineRecogniser` whose readings take their time in virtual time."""

    async def _analyse(
        self, read: Read, pcm: np.ndarray, called_off: Callable[[], bool], urgency: Urgency
    ) -> tuple[Analysis, float]:
        analysis, _ = await super()._analyse(read, pcm, called_off, urgency)
        cost_secs = SETUP_SECS + SECS_PER_SEC * len(pcm) / 16_000
        await asyncio.sleep(cost_secs)
        return analysis, cost_secs
