"""Labelled clips: a folder of WAV files with a ``manifest.jsonl`` that says what is in them."""

import json
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Clip:
    """One clip.

    Attributes:
        file: Path inside the folder.
        kind: ``speech``, ``backchannel``, ``interruption`` or ``noise``.
        transcript: What is said; None where nobody knows; empty for noise.
        trusted: Whether the transcript comes from a text or a label, not from another recogniser.
        synthetic: Whether a machine spoke.
        pcm: 16 kHz mono int16 samples.
    """

    file: str
    kind: str
    transcript: str | None
    trusted: bool
    synthetic: bool
    pcm: np.ndarray

    @property
    def secs(self) -> float:
        """Length."""
        return len(self.pcm) / INPUT_SAMPLE_RATE_HZ


def load_clips(folder: Path) -> list[Clip]:
    """All clips of a folder, in the manifest's order.

    The manifest has one JSON object a line: ``file``, ``class``, ``transcript`` (may be null), and where known
    ``transcript_source`` (``ASR...`` when a recogniser wrote it) and ``synthetic``.

    Raises:
        OSError: There is no manifest, or a file that it names is missing.
        ValueError: A file is not 16 kHz mono 16-bit.
    """
    clips = []
    for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
        if not line.strip():
            continue
        entry = json.loads(line)
        transcript = "" if entry["class"] == "noise" else entry.get("transcript")
        if transcript is not None and transcript.startswith("["):  # a description ("[laugh]"), not words
            transcript = None
        clips.append(
            Clip(
                file=entry["file"],
                kind=entry["class"],
                transcript=transcript,
                trusted=not (entry.get("transcript_source") or "").startswith("ASR"),
                synthetic=bool(entry.get("synthetic")),
                pcm=read_wav(folder / entry["file"]),
            )
        )
    return clips


def read_wav(path: Path) -> np.ndarray:
    """Samples of a 16 kHz mono 16-bit WAV file.

    Raises:
        ValueError: It has another format.
    """
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (INPUT_SAMPLE_RATE_HZ, 1, 2):
            raise ValueError(f"{path} is not 16 kHz mono 16-bit")
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)
