"""What the emulated voices say: real speech, with the times of its words, cut into slices and paced.

English is spoken by the bot's own local voice, other languages by ``espeak-ng`` where it is installed. Word times are
estimated from the text; a real vendor's come from its model.
"""

import asyncio
import io
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import av
import numpy as np
from aiohttp import web

from audio.pcm import AudioFormatError, Resampler, parse_wav
from emulators.faults import Vendor
from emulators.world import World
from processors.tts.local import HibariVoice
from processors.tts.word_times import estimate

RATE_HZ: Final = 24_000

FASTEST: Final = 12.0
"""Seconds of audio made in a second, at most: no vendor's voice is faster for one request."""

ESPEAK_SECS: Final = 10.0
REMEMBERED: Final = 200
"""Sentences kept, so that many callers who hear the same one cost one synthesis."""

END_REST_SECS: Final = 0.2
"""About the silence after the last word."""


@dataclass(frozen=True)
class Timed:
    """A word, or a character, and when it sounds.

    Attributes:
        text: The word with the white space that follows, or the character.
        start_secs: Start, from the start of the speech.
        duration_secs: Length.
    """

    text: str
    start_secs: float
    duration_secs: float


@dataclass(frozen=True)
class Speech:
    """A text, spoken.

    Attributes:
        pcm: Mono 16-bit PCM at 24 kHz; empty if there is nothing to say.
        words: Its words, in order; joined, they are the text.
    """

    pcm: bytes
    words: tuple[Timed, ...]

    @property
    def secs(self) -> float:
        """Length of the audio."""
        return len(self.pcm) / 2 / RATE_HZ

    def chars(self) -> list[Timed]:
        """Its characters, each word's spread evenly over the word."""
        return [
            Timed(
                char, word.start_secs + index * word.duration_secs / len(word.text), word.duration_secs / len(word.text)
            )
            for word in self.words
            for index, char in enumerate(word.text)
        ]


@dataclass(frozen=True)
class Slice:
    """A piece of a speech, as one message carries it.

    Attributes:
        pcm: Its audio.
        start_secs: Where it begins in the speech.
        words: The words that begin in it.
        chars: The characters that begin in it.
    """

    pcm: bytes
    start_secs: float
    words: tuple[Timed, ...]
    chars: tuple[Timed, ...]


_spoken: OrderedDict[tuple[str, str], Speech] = OrderedDict()


async def say(text: str, language: str = "en") -> Speech:
    """Speak a text.

    Args:
        text: Plain text.
        language: Language code, such as ``"en"`` or ``"de-DE"``.
    """
    if not any(char.isalnum() for char in text):
        return Speech(b"", ())
    key = (text, language[:2].lower())
    if key not in _spoken:
        espeak = shutil.which("espeak-ng")
        pcm = await _hibari(text) if key[1] == "en" or espeak is None else await _espeak(espeak, text, key[1])
        words = estimate(text, max(0.1, len(pcm) / 2 / RATE_HZ - END_REST_SECS))
        ends = [word.start_secs for word in words[1:]] + [len(pcm) / 2 / RATE_HZ]
        timed = (Timed(w.text, w.start_secs, end - w.start_secs) for w, end in zip(words, ends, strict=True))
        _spoken[key] = Speech(pcm, tuple(timed))
        if len(_spoken) > REMEMBERED:
            _spoken.popitem(last=False)
    return _spoken[key]


async def warm(_: web.Application) -> None:
    """Load the voice before the first request comes."""
    await say("Hello.")


def sliced(speech: Speech, slice_ms: int) -> list[Slice]:
    """The speech in pieces of ``slice_ms``; the last one is what is left."""
    step = slice_ms * RATE_HZ // 1000 * 2
    edges = [*range(0, len(speech.pcm), step), len(speech.pcm)]
    slices = []
    for begin, end in pairwise(edges):
        since, until = begin / 2 / RATE_HZ, (end / 2 / RATE_HZ if end < len(speech.pcm) else float("inf"))
        slices.append(
            Slice(
                speech.pcm[begin:end],
                since,
                tuple(word for word in speech.words if since <= word.start_secs < until),
                tuple(char for char in speech.chars() if since <= char.start_secs < until),
            )
        )
    return slices


async def paced(world: World, vendor: Vendor, slices: Sequence[Slice]) -> AsyncIterator[Slice]:
    """The slices as the vendor would have them ready: by the profile's latencies, and never faster than a voice is."""
    await world.first_byte(vendor)
    due = world.now()
    for index, piece in enumerate(slices):
        if index:
            await world.between(vendor)
        due += len(piece.pcm) / 2 / RATE_HZ / FASTEST
        await asyncio.sleep(max(0.0, due - world.now()))
        yield piece


def as_mp3(pcm: bytes, rate_hz: int = RATE_HZ) -> bytes:
    """An MP3 file of 24 kHz PCM, at another rate if asked. Blocks for as long as encoding takes."""
    samples = np.frombuffer(resampled(pcm, rate_hz), np.int16)
    file = io.BytesIO()
    with av.open(file, mode="w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=rate_hz)
        stream.codec_context.layout = "mono"
        stream.codec_context.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16p", layout="mono")
        frame.sample_rate = rate_hz
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def resampled(pcm: bytes, rate_hz: int) -> bytes:
    """24 kHz PCM at another rate."""
    resampler = Resampler(RATE_HZ, rate_hz)
    return resampler.push(pcm) + resampler.flush()


@cache
def _local_voice() -> HibariVoice:
    return HibariVoice()


async def _hibari(text: str) -> bytes:
    return b"".join([chunk.pcm async for chunk in _local_voice().speak(text)])


async def _espeak(program: str, text: str, language: str) -> bytes:
    """Speak with espeak-ng; a language that it does not know is spoken by the local voice."""
    process = await asyncio.create_subprocess_exec(
        program,
        *("-v", language, "--stdout", "--stdin"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(ESPEAK_SECS):
            wav, _ = await process.communicate(text.encode())
        pcm, rate_hz = parse_wav(wav)
    except (TimeoutError, AudioFormatError):
        return await _hibari(text)
    finally:
        if process.returncode is None:
            process.kill()
    resampler = Resampler(rate_hz, RATE_HZ)
    return resampler.push(pcm) + resampler.flush()
