"""Google Translate's voice by the ``gTTS`` package: no key, no promise. https://gtts.readthedocs.io.

Google takes 100 characters at a time. The package fetches one such part after the other, blocking, and cuts where it
must; here parts are cut at clauses, fetched side by side in threads, and joined without the silence around each.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import gtts
import gtts.lang
import numpy as np
import requests
from gtts.tts import gTTSError

from audio.pcm import AudioFormatError, decode_mp3
from contracts.frames import Word
from contracts.tts import VoiceChunk, VoiceError
from contracts.vendor_errors import kind
from processors.tts.alignment import WordAligner
from processors.tts.parts import cut
from processors.tts.word_times import estimate

SAMPLE_RATE_HZ: Final = 24_000
MAX_CHARS: Final = 100
THREADS: Final = 8
PARTS_AT_ONCE: Final = 3
"""Parts of one text that are fetched at the same time: enough to stay ahead of the listener."""

QUIET: Final = 260
"""Samples below this (-42 dBFS) at either end are silence."""

LEAD_SAMPLES: Final = SAMPLE_RATE_HZ // 100
REST_SAMPLES: Final = SAMPLE_RATE_HZ // 8
INNER_REST_SAMPLES: Final = SAMPLE_RATE_HZ // 16
"""Rest after the whole text, and after a part of it."""

BLOCKED_REST_SECS: Final = 60.0
"""Who asked too often is blocked for a while; asking on makes it longer."""


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
    """A :class:`~contracts.tts.Voice` at Google Translate.

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
            said = f"gTTS does not speak {self._language!r}; it may be: another voice, or another LANGUAGE"
            raise VoiceError(said, retryable=False)

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Nothing: a voice that may be blocked is not asked for nothing."""

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Fetch; one chunk for each part, with its words at estimated times. Without anything to say, asks nobody."""
        parts = cut(text, MAX_CHARS)
        aligner = WordAligner(text)
        waiting = deque(parts)
        fetches: deque[asyncio.Future[bytes]] = deque()
        sent_samples = begun_chars = 0
        try:
            for index, part in enumerate(parts):
                while waiting and len(fetches) < PARTS_AT_ONCE:
                    fetches.append(self._fetch(waiting.popleft(), is_last=not waiting))
                pcm = await fetches.popleft()
                words = _words(aligner, part, begun_chars, sent_samples, len(pcm) // 2)
                begun_chars += len(part)
                sent_samples += len(pcm) // 2
                if index == len(parts) - 1:
                    words += aligner.finish(sent_samples / SAMPLE_RATE_HZ)
                yield VoiceChunk(pcm, SAMPLE_RATE_HZ, words)
        finally:
            for fetch in fetches:
                fetch.cancel()
        if not sent_samples:
            raise VoiceError("gTTS: there is nothing to say")

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, part: str, *, is_last: bool) -> asyncio.Future[bytes]:
        rest = REST_SAMPLES if is_last else INNER_REST_SAMPLES
        return asyncio.get_running_loop().run_in_executor(self._threads, self._fetch_now, part, rest)

    def _fetch_now(self, part: str, rest: int) -> bytes:
        """Fetch and decode, in a thread; empty if there is nothing to say."""
        if not any(char.isalnum() for char in part):
            return b""
        speech = _Speech(part, lang=self._language, lang_check=False, timeout=self._timeout_secs)
        speech.host = self._base_url
        try:
            return b"".join(_trimmed(decode_mp3(mp3, SAMPLE_RATE_HZ), rest) for mp3 in speech.stream())
        except (gTTSError, requests.RequestException) as error:
            raise _error(error) from None
        except AudioFormatError:
            raise VoiceError("gTTS sent no audio") from None
        except (ValueError, AssertionError) as error:  # damaged base64; nothing left to say
            raise VoiceError(f"gTTS: a damaged answer ({kind(error)})") from None


def _error(error: Exception) -> VoiceError:
    """The fault in a few words; a 429 is named, since it means to come back later."""
    status = getattr(getattr(error, "rsp", None), "status_code", None)
    match status:
        case None:
            return VoiceError("gTTS: no connection, or no answer in time")
        case 429:
            return VoiceError("gTTS: HTTP 429, too many requests", retry_after_secs=BLOCKED_REST_SECS)
        case 200:
            return VoiceError("gTTS: an answer without audio")
        case _:
            return VoiceError(f"gTTS: HTTP {status}")


def _words(aligner: WordAligner, part: str, begun_chars: int, begun_samples: int, samples: int) -> list[Word]:
    """The words that a part begins, at times that are estimated within the part."""
    known: list[Word] = []
    for word in estimate(part, samples / SAMPLE_RATE_HZ) if samples else ():
        at = begun_chars + len(word.text) - len(word.text.lstrip())
        known += aligner.at(at, begun_samples / SAMPLE_RATE_HZ + word.start_secs)
        begun_chars += len(word.text)
    return known


def _trimmed(pcm: bytes, rest: int) -> bytes:
    samples = np.frombuffer(pcm, np.int16)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= QUIET)
    if not len(loud):
        return b""
    return samples[max(0, loud[0] - LEAD_SAMPLES) : loud[-1] + rest].tobytes()
