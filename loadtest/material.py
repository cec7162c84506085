"""What callers say: recorded clips, and questions that a voice of this machine speaks before the test starts."""

import asyncio
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from audio.opus import OpusDecoder
from contracts.frames import INPUT_SAMPLE_RATE_HZ
from contracts.tts import VoiceError
from emulators.known_clips import KnownClip
from loadtest.audio import SAMPLE_RATE_HZ, Clip, Samples, clip_from_samples, load_wav, resampled, silence
from loadtest.clips import load_clips
from loadtest.scenario import Asked
from processors.models.files import ModelError
from processors.tts.local import SAMPLE_RATE_HZ as VOICE_RATE_HZ
from processors.tts.local import HibariVoice

OWN_CLIPS: Final = Path(__file__).resolve().parents[1] / "tests" / "data"

EDGE_SECS: Final = 0.1
"""Silence around what is spoken here: a line never opens on the first sample of a word."""

SPEECH_RMS: Final = 3_000.0
"""Level of spoken questions: -21 dBFS, as of somebody close to the microphone."""

LONGEST_OVER_VOICE_SECS: Final = 3.0
"""Sounds over the bot's voice may be this long: its answer must outlast them."""


class MaterialError(Exception):
    """There is nothing to say; one line that tells why."""


@dataclass(frozen=True)
class Material:
    """Clips by their part in a call.

    Attributes:
        source: Where they come from, for the report.
        questions: Asked, and answered with a sentence.
        tools: Asked, and answered by means of a tool.
        long_answers: Asked, and answered at length.
        interruptions: Said over the bot's voice; should stop it.
        false_alarms: Sounds over the bot's voice that should not stop it.
    """

    source: str
    questions: tuple[Clip, ...]
    tools: tuple[Clip, ...]
    long_answers: tuple[Clip, ...]
    interruptions: tuple[Clip, ...]
    false_alarms: tuple[Clip, ...]

    def known_clips(self) -> list[KnownClip]:
        """All of it as it is heard at the other end, for a recogniser that need not recognise it."""
        parts = (self.questions, self.tools, self.long_answers, self.interruptions, self.false_alarms)
        return [KnownClip(clip.text, _decoded(clip)) for part in parts for clip in part]


def _decoded(clip: Clip) -> Samples:
    decoder = OpusDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ)
    return np.frombuffer(b"".join(map(decoder.decode, clip.packets)), np.int16)


def gather(ask: Asked, audio: Path | None = None) -> Material:
    """Load and speak everything, encoded as Opus. Blocks for a second or so.

    Args:
        ask: The questions to speak.
        audio: A folder with a ``manifest.jsonl`` (see :mod:`loadtest.clips`); None: the clips of the tests.

    Raises:
        MaterialError: The folder cannot be used, or no voice is there to speak the questions.
    """
    folder = audio or OWN_CLIPS
    recorded = _recorded(folder)
    speaker = Speaker()
    spoken = {
        part: tuple(clip_from_samples(text, speaker.speak(text), text) for text in texts)
        for part, texts in (("question", ask.question), ("tool", ask.tool), ("long", ask.long_answer))
    }
    for part in ("interruption", "false_alarm"):
        if not recorded[part]:
            raise MaterialError(f"{folder}: no clip can be used as {part.replace('_', ' ')}")
    count = sum(len(clips) for clips in recorded.values())
    name = "the tests' own" if audio is None else audio.name
    return Material(
        source=f"{count} recorded clips ({name}); {sum(map(len, spoken.values()))} questions spoken by {speaker.name}",
        questions=(*recorded["question"], *spoken["question"]),
        tools=spoken["tool"],
        long_answers=spoken["long"],
        interruptions=recorded["interruption"],
        false_alarms=recorded["false_alarm"],
    )


def _recorded(folder: Path) -> dict[str, tuple[Clip, ...]]:
    """Clips by part. Synthetic ones are left out: nobody interrupts with such a voice."""
    parts = {"speech": "question", "interruption": "interruption", "backchannel": "false_alarm", "noise": "false_alarm"}
    found: dict[str, list[Clip]] = {part: [] for part in parts.values()}
    try:
        listed = load_clips(folder)
    except (OSError, ValueError, KeyError) as error:
        raise MaterialError(f"{folder}: {error}") from None
    for entry in listed:
        part = parts.get(entry.kind)
        if part is None or entry.synthetic or (part != "question" and entry.secs > LONGEST_OVER_VOICE_SECS):
            continue
        samples = resampled(entry.pcm, INPUT_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
        try:
            found[part].append(clip_from_samples(Path(entry.file).stem, samples, entry.transcript or ""))
        except ValueError:
            continue  # too quiet for its times to be told
    return {part: tuple(clips) for part, clips in found.items()}


class Speaker:
    """Speaks with the bot's own local voice, or with espeak-ng where that is not installed."""

    name = "the bot's own voice (hibari)"

    def __init__(self) -> None:
        self._hibari = HibariVoice()
        try:
            asyncio.run(self._hibari.load())
        except ModelError:
            if shutil.which("espeak-ng") is None:
                raise MaterialError("no voice speaks the questions: install hibari-tts or espeak-ng") from None
            self.name = "espeak-ng"

    def speak(self, text: str) -> Samples:
        """The text at 48 kHz, with silence around it."""
        samples = _by_espeak(text) if self.name == "espeak-ng" else asyncio.run(self._by_hibari(text))
        loud = samples[np.abs(samples) > 300].astype(np.float32)
        if not len(loud):
            raise MaterialError(f"{self.name} made no sound of {text!r}")
        gain = SPEECH_RMS / float(np.sqrt(np.mean(loud**2)))
        levelled = np.clip(samples * gain, -32_000, 32_000).astype(np.int16)
        return np.concatenate([silence(EDGE_SECS), levelled, silence(EDGE_SECS)])

    async def _by_hibari(self, text: str) -> Samples:
        try:
            pcm = b"".join([chunk.pcm async for chunk in self._hibari.speak(text)])
        except VoiceError as error:
            raise MaterialError(f"{text!r}: {error}") from None
        return resampled(np.frombuffer(pcm, np.int16), VOICE_RATE_HZ, SAMPLE_RATE_HZ)


def _by_espeak(text: str) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["espeak-ng", "-s", "150", "-w", str(path), text], check=True, timeout=20)
        return load_wav(path)
