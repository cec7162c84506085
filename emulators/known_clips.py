"""A recogniser that knows what will be said: for load tests, where a real recogniser would cost more than all the rest.

They hear audio and nothing else: no side channel, no watermark. A stretch of speech is compared with the stretches of
all clips that may be played; what is not clearly one of them has no words. So word error rates of such a run tell what
transport and segmentation did to the audio, and not how well anybody recognises speech.

A stretch begins where the level rises and ends after 320 ms of silence, in a clip as on the line, so that both lie on
top of each other. It is compared by the shape of its short-time spectrum (32 ms windows, 20 ms apart, 24 bands, without
level), as cosines of the frames' band energies.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from audio.pcm import Resampler
from contracts.frames import INPUT_SAMPLE_RATE_HZ
from emulators.hearing import VENDOR_STOP_MS, Heard

HOP: Final = INPUT_SAMPLE_RATE_HZ // 50
WINDOW: Final = 512
BANDS: Final = 24
LOUD_RMS: Final = 150.0
"""Level of a 20 ms frame that is taken for voice: 22 dB above the room that callers sit in."""

STOP_FRAMES: Final = VENDOR_STOP_MS // 20
SHORTEST_FRAMES: Final = 4
SURE: Final = 0.75
"""Mean cosine from which a stretch is taken for a known one; unrelated speech has about 0.3."""

RIVAL: Final = 0.04
"""Two stretches nearer to each other than this are both possible: only words that both have are told."""

SHIFT_FRAMES: Final = 2
INTERIM_FRAMES: Final = 15
"""Frames between two partial results."""

Frames = NDArray[np.float32]

_EDGES: Final = np.unique(np.round(np.geomspace(4, WINDOW // 2 - 6, BANDS + 1)).astype(int))
_TAPER: Final = np.hanning(WINDOW).astype(np.float32)


@dataclass(frozen=True)
class KnownClip:
    """A clip that may be played.

    Attributes:
        text: Its words; empty: none (a cough).
        samples: 16 kHz int16.
        language: Code of its language.
    """

    text: str
    samples: NDArray[np.int16]
    language: str = "en"


@dataclass(frozen=True)
class _Stretch:
    """One stretch of speech of a clip: frames by bands, and each word with the share of the stretch that it ends at."""

    frames: Frames
    words: tuple[tuple[str, float], ...]
    language: str = "en"


class Library:
    """All clips of a run.

    Args:
        clips: The clips.
    """

    def __init__(self, clips: Sequence[KnownClip]) -> None:
        self._stretches = [stretch for clip in clips for stretch in _stretches(clip)]

    @classmethod
    def read(cls, path: Path) -> "Library":
        """Those of a file.

        Raises:
            OSError: It cannot be read.
            ValueError: It is none.
        """
        with np.load(path, allow_pickle=False) as file:
            texts, samples, ends, languages = file["texts"], file["samples"], file["ends"], file["languages"]
        starts = [0, *ends[:-1]]
        lines = zip(texts, starts, ends, languages, strict=True)
        return cls([KnownClip(str(text), samples[a:b], str(code)) for text, a, b, code in lines])

    def words(self, heard: Frames, *, whole: bool) -> tuple[list[str], float, str]:
        """What was said in a stretch.

        Args:
            heard: Its frames so far.
            whole: Whether it is over.

        Returns:
            The words, how like a known stretch it is (0 to 1), and the language of the most like one.
        """
        scores = [self._score(stretch, heard, whole) for stretch in self._stretches]
        best = max(scores, default=0.0)
        if best < SURE:
            return [], best, "en"
        language = self._stretches[scores.index(best)].language
        said = [
            [word for word, ends in stretch.words if ends * len(stretch.frames) <= len(heard) + SHIFT_FRAMES]
            for stretch, score in zip(self._stretches, scores, strict=True)
            if score >= best - RIVAL
        ]
        common = [words[0] for words in zip(*said, strict=False) if len(set(words)) == 1]
        agreed = next((at for at, words in enumerate(zip(*said, strict=False)) if len(set(words)) > 1), len(common))
        return common[:agreed], best, language

    def _score(self, stretch: _Stretch, heard: Frames, whole: bool) -> float:
        if len(heard) > len(stretch.frames) + (3 * SHIFT_FRAMES if whole else SHIFT_FRAMES):
            return 0.0
        best = 0.0
        for shift in range(-SHIFT_FRAMES, SHIFT_FRAMES + 1):
            a, b = heard[max(0, shift) :], stretch.frames[max(0, -shift) :]
            shared = min(len(a), len(b))
            if shared >= SHORTEST_FRAMES:
                best = max(best, float(np.mean(np.sum(a[:shared] * b[:shared], axis=1))))
        return best


def write_library(clips: Sequence[KnownClip], path: Path) -> None:
    """Write clips to a file for :meth:`Library.read`."""
    ends = np.cumsum([len(clip.samples) for clip in clips])
    samples = np.concatenate([clip.samples for clip in clips])
    texts, languages = (np.array([getattr(clip, name) for clip in clips]) for name in ("text", "language"))
    np.savez(path, texts=texts, samples=samples, ends=ends, languages=languages)


class ClipMatcher:
    """Hears one stream; the same face as :class:`emulators.hearing.StreamRecogniser`.

    Args:
        library: What may be said.
        sample_rate_hz: What the client says that it sends.
        on_heard: Told of each result.
        on_speech: Told when speech starts (True) and stops.
    """

    def __init__(
        self,
        library: Library,
        sample_rate_hz: int,
        on_heard: Callable[[Heard], None],
        on_speech: Callable[[bool], None],
    ) -> None:
        self._library = library
        self._resampler = (
            None if sample_rate_hz == INPUT_SAMPLE_RATE_HZ else Resampler(sample_rate_hz, INPUT_SAMPLE_RATE_HZ)
        )
        self._on_heard = on_heard
        self._on_speech = on_speech
        self._cut = _Segmenter()
        self._rest = b""
        self._frames: list[Frames] = []
        self._segment = 0
        self._heard_frames = 0
        self._started_at = 0
        self._told_at = 0

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    @property
    def heard_secs(self) -> float:
        """Seconds of audio so far."""
        return self._heard_frames * HOP / INPUT_SAMPLE_RATE_HZ

    @property
    def speaking(self) -> bool:
        """Whether speech goes on."""
        return self._cut.speaking

    def feed(self, pcm: bytes) -> None:
        """Take mono 16-bit PCM of the stream's rate."""
        self._rest += pcm if self._resampler is None else self._resampler.push(pcm)
        while len(self._rest) >= 2 * HOP:
            frame, self._rest = self._rest[: 2 * HOP], self._rest[2 * HOP :]
            self._heard_frames += 1
            change = self._cut.push(np.frombuffer(frame, np.int16))
            if change == "started":
                self._segment += 1
                self._started_at = self._told_at = self._heard_frames
                self._on_speech(True)
            elif change == "stopped":
                self._end(self._cut.stretch)
            elif self._cut.speaking and self._heard_frames - self._told_at >= INTERIM_FRAMES:
                self._told_at = self._heard_frames
                self._tell(self._cut.so_far, final=False)

    def finish(self) -> bool:
        """The client asks for its last words now. Returns whether any are due."""
        stretch = self._cut.stop()
        if stretch is None:
            return False
        self._end(stretch)
        return True

    def _end(self, stretch: NDArray[np.int16]) -> None:
        self._on_speech(False)
        # As with a real recogniser the words come after the news that speech is over.
        asyncio.get_running_loop().call_soon(self._tell, stretch, True)

    def _tell(self, stretch: NDArray[np.int16], final: bool) -> None:
        words, score, language = self._library.words(frames_of(stretch), whole=final)
        if words or final:
            start_secs = self._started_at * HOP / INPUT_SAMPLE_RATE_HZ
            end_secs = start_secs + len(stretch) / INPUT_SAMPLE_RATE_HZ
            text = " ".join(words)
            self._on_heard(Heard(text, self._segment, start_secs, end_secs, final, round(score, 3), language))


class _Segmenter:
    """Cuts sound into stretches of speech."""

    def __init__(self) -> None:
        self.speaking = False
        self.stretch: NDArray[np.int16] = np.empty(0, np.int16)
        """The last one that is over."""
        self._parts: list[NDArray[np.int16]] = []
        self._quiet = 0

    @property
    def so_far(self) -> NDArray[np.int16]:
        """The stretch that goes on."""
        return np.concatenate(self._parts)

    def push(self, frame: NDArray[np.int16]) -> str | None:
        """Take 20 ms; ``"started"``, ``"stopped"`` or None."""
        loud = float(np.dot(frame.astype(np.float32), frame)) >= LOUD_RMS**2 * len(frame)
        if not self.speaking:
            if not loud:
                return None
            self.speaking, self._parts, self._quiet = True, [frame], 0
            return "started"
        self._parts.append(frame)
        self._quiet = 0 if loud else self._quiet + 1
        if self._quiet < STOP_FRAMES:
            return None
        self.stop()
        return "stopped"

    def stop(self) -> NDArray[np.int16] | None:
        """End what goes on, without the silence behind it; None: nothing does."""
        if not self.speaking:
            return None
        kept = self._parts[: len(self._parts) - self._quiet]
        self.speaking, self.stretch = False, np.concatenate(kept)
        return self.stretch


def frames_of(samples: NDArray[np.int16]) -> Frames:
    """The shape of the spectrum over time: one row of unit length for each 20 ms."""
    padded = np.pad(samples.astype(np.float32), (0, max(0, WINDOW - HOP)))
    count = max(0, (len(padded) - WINDOW) // HOP + 1)
    windows = np.lib.stride_tricks.as_strided(
        padded, (count, WINDOW), (HOP * padded.strides[0], padded.strides[0]), writeable=False
    )
    power = np.abs(np.fft.rfft(windows * _TAPER, axis=1)) ** 2
    bands = np.log(np.add.reduceat(power[:, : _EDGES[-1]], _EDGES[:-1], axis=1) + 1e4).astype(np.float32)
    bands -= bands.mean(axis=1, keepdims=True)
    return bands / np.maximum(np.linalg.norm(bands, axis=1, keepdims=True), 1e-6)


def _stretches(clip: KnownClip) -> list[_Stretch]:
    """The stretches of a clip, each with its words: those whose middle lies in it, by the length of their spelling."""
    cut = _Segmenter()
    silence = np.zeros(HOP * (STOP_FRAMES + 1), np.int16)
    samples = np.concatenate([clip.samples, silence])
    frames = (samples[at : at + HOP] for at in range(0, len(samples) - HOP + 1, HOP))
    parts = [cut.stretch for frame in frames if cut.push(frame) == "stopped"]
    total = sum(map(len, parts))
    words = clip.text.split()
    letters = np.cumsum([len(word) + 1 for word in words]) / max(1, sum(len(word) + 1 for word in words))
    found, begun = [], 0.0
    for part in parts:
        share = len(part) / total
        mine = []
        for number, word in enumerate(words):
            first, last = (letters[number - 1] if number else 0.0), letters[number]
            if begun <= (first + last) / 2 < begun + share:
                mine.append((word, min(1.0, (last - begun) / share)))
        begun += share
        found.append(_Stretch(frames_of(part), tuple(mine), clip.language))
    return found
