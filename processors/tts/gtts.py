"""Google Translate's voice by the ``gTTS`` package: no key, no promise. https://gtts.readthedocs.io.

gTTS fetches one MP3 for each 100 characters, in its own threads of the standard library, blocking; each text is
fetched beside the loop with a deadline of its own, and its silences are trimmed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import gtts
import gtts.lang
import numpy as np
import requests
from gtts.tts import gTTSError

from processors.tts.base import VoiceChunk, VoiceError
from transports.pcm import AudioFormatError, decode_mp3

SAMPLE_RATE_HZ: Final = 24_000
THREADS: Final = 8
QUIET: Final = 260
"""Samples below this (-42 dBFS) at either end are silence."""

REST_SAMPLES: Final = SAMPLE_RATE_HZ // 8


class _Speech(gtts.gTTS):
    """gTTS at another host, where one is given."""

    host: str | None = None

    def _prepare_requests(self) -> list[Any]:
        requests_ = super()._prepare_requests()
        if self.host is not None:
            for request in requests_:
                parts = urlsplit(request.url)
                request.url = f"{self.host}{parts.path}"
        return requests_


class GttsVoice:
    """A :class:`~processors.tts.base.Voice` at Google Translate.

    Args:
        language: Language code.
        timeout_secs: Longest wait for one request.
        base_url: Another host that speaks the same protocol, without a path.
    """

    name = "gtts"

    def __init__(self, language: str = "en", *, timeout_secs: float = 3.0, base_url: str | None = None) -> None:
        self._language = language
        self._timeout_secs = timeout_secs
        self._base_url = base_url
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gtts")

    async def load(self) -> None:
        """See that the language is spoken there.

        Raises:
            VoiceError: It is not.
        """
        if self._language not in gtts.lang.tts_langs():
            raise VoiceError(f"gTTS does not speak {self._language!r}")

    async def rehearse(self, texts: Iterable[str]) -> None:
        """Nothing: a voice that may be blocked is not asked in vain."""

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Fetch; one chunk for each part of at most 100 characters, as it comes."""
        loop = asyncio.get_running_loop()
        speech = _Speech(text, lang=self._language, lang_check=False, timeout=self._timeout_secs)
        speech.host = self._base_url
        try:
            parts = speech.stream()
            while (mp3 := await loop.run_in_executor(self._threads, next, parts, None)) is not None:
                pcm = await loop.run_in_executor(self._threads, decode_mp3, mp3, SAMPLE_RATE_HZ)
                yield VoiceChunk(_trimmed(pcm), SAMPLE_RATE_HZ)
        except (gTTSError, AssertionError, requests.RequestException) as error:
            raise VoiceError(_words(error)) from None
        except AudioFormatError as error:
            raise VoiceError(f"gTTS sent no audio: {error}") from None

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _words(error: Exception) -> str:
    """The fault in a few words; a 429 is named, since it means to come back later."""
    response = getattr(error, "rsp", None)
    status = getattr(response, "status_code", None)
    return f"gTTS: HTTP {status}" if status else f"gTTS: {str(error)[:120] or type(error).__name__}"


def _trimmed(pcm: bytes) -> bytes:
    samples = np.frombuffer(pcm, np.int16)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= QUIET)
    if not len(loud):
        return b""
    return samples[max(0, loud[0] - 240) : loud[-1] + REST_SAMPLES].tobytes()
