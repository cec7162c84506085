"""The clips that the sound judge is trained on, and how a line may bring them."""

import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from training.telephone import by_telephone

RATE_HZ: Final = 16_000
MAX_SECS: Final = 6.0
"""Only the first sound of a clip counts; what comes later is not kept."""

POSITIVE: Final = ("interruption", "speech")
CLEAN, PHONE = 0, 1
"""Numbers of the variants that are scored by themselves: the clip as it is, and through a telephone."""


@dataclass(frozen=True)
class Sample:
    """One clip.

    Attributes:
        name: Unique.
        class_: ``interruption``, ``speech``, ``backchannel`` or ``noise``; ``letter`` for a letter's name by itself,
            which is none of them: "m" is a hum, "e" a cry.
        speaker: Who.
        synthetic: Whether a machine spoke that is used for training only.
        pcm: int16 at 16 kHz.
        text: Its words, or the kind of noise; empty: not known.
        path: The file, of a clip that is one.
    """

    name: str
    class_: str
    speaker: str
    synthetic: bool
    pcm: np.ndarray
    text: str
    path: Path | None = None

    @property
    def source(self) -> str:
        """The collection that it is from: the folder above that of its class."""
        return "" if self.path is None else self.path.parts[-3]

    @property
    def counts(self) -> bool:
        """Whether it is known what it should do."""
        return self.class_ != "letter"

    @property
    def positive(self) -> bool:
        """Whether it should interrupt."""
        return self.class_ in POSITIVE


def real_clips(folder: Path) -> list[Sample]:
    """The clips of a folder with a ``manifest.jsonl``; those of no speaker have one each."""
    clips = []
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        speaker = entry.get("speaker")
        speaker = "+".join(speaker) if isinstance(speaker, list) else str(speaker or "none")
        if speaker == "none":
            speaker = entry["file"]
        class_ = "letter" if len(entry.get("transcript") or "none") == 1 else entry["class"]
        text = entry.get("transcript") or entry.get("subclass") or ""
        path = (folder / entry["file"]).resolve()
        clips.append(Sample(str(path), class_, speaker, False, read(path), text.strip("[]"), path))
    return clips


def read(path: Path) -> np.ndarray:
    """The first seconds of a 16-bit mono WAV, at 16 kHz."""
    with wave.open(str(path)) as file:
        rate_hz = file.getframerate()
        pcm = np.frombuffer(file.readframes(round(MAX_SECS * rate_hz)), np.int16)
        return pcm if rate_hz == RATE_HZ else soxr.resample(pcm, rate_hz, RATE_HZ)


def variant(pcm: np.ndarray, echo: np.ndarray, rng: np.random.Generator, number: int) -> np.ndarray:
    """The clip as a line would bring it, in a quiet room: as it is, by telephone, or in some other way.

    Args:
        pcm: int16 at 16 kHz.
        echo: The bot's voice, of which a trace may be heard.
        rng: Chance.
        number: :data:`CLEAN`, :data:`PHONE`, or a higher one.
    """
    samples = pcm.astype(np.float32)
    altered = number > PHONE
    if altered:
        samples = soxr.resample(samples, RATE_HZ, round(RATE_HZ * rng.uniform(0.88, 1.14)))
        if rng.random() < 0.4:
            samples = _in_a_room(samples, rng)
        samples *= 10 ** (rng.uniform(-16, 6) / 20)
    level = np.sqrt(np.mean(samples**2)) + 1
    padded = np.concatenate([np.zeros(RATE_HZ // 2), samples, np.zeros(RATE_HZ // 2)])
    noise = rng.standard_normal(len(padded)) * 12
    if altered and rng.random() < 0.6:
        noise += _coloured(len(padded), rng) * level * 10 ** (-rng.uniform(8, 30) / 20)
    if altered and rng.random() < 0.4:
        start = int(rng.integers(0, max(1, len(echo) - len(padded))))
        part = echo[start : start + len(padded)].astype(np.float32)
        noise[: len(part)] += part * level / (np.sqrt(np.mean(part**2)) + 1) * 10 ** (-rng.uniform(18, 30) / 20)
    heard = np.clip(padded + noise, -32768, 32767).astype(np.int16)
    return by_telephone(heard, RATE_HZ) if number == PHONE or (altered and rng.random() < 0.45) else heard


def _in_a_room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With the echoes of a room: exponentially falling noise behind the direct sound."""
    decay_secs, direct = rng.uniform(0.015, 0.08), rng.uniform(4, 9)
    room = rng.standard_normal(RATE_HZ // 4) * np.exp(-np.arange(RATE_HZ // 4) / (decay_secs * RATE_HZ))
    room[0] = direct
    size = len(samples) + len(room)
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(room / np.sqrt(np.sum(room**2)), size), size)
    return heard[: len(samples) + RATE_HZ // 8].astype(np.float32)


def _coloured(length: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit power whose spectrum falls between not at all and 12 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.maximum(np.arange(len(spectrum)), 8) ** rng.uniform(0, 1)
    noise = np.fft.irfft(spectrum, length)
    return noise / (np.sqrt(np.mean(noise**2)) + 1e-9)
