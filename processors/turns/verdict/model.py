"""The sound judge: is this sound over the bot's voice an interruption? A linear model on what the recogniser sees.

Trained by ``python -m training.sounds``, which says also how well it judges speakers that it has not heard. The weights
are a few kilobytes of float16 beside this file. About 20 ms of CPU a question, on the shared threads.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from processors.models.files import Urgency, run_heavy
from processors.turns.handler import SoundClip
from processors.turns.verdict.features import looks, voice

WEIGHTS: Final = Path(__file__).with_name("weights.npz")

CLIP: Final = 5.0
"""Standardised features are clipped here: a strange microphone must not decide alone."""


@dataclass(frozen=True)
class Head:
    """One linear opinion: log-odds of a standardised, clipped feature vector.

    Attributes:
        mean: Of each feature in training.
        scale: One over its deviation.
        weights: For each feature.
        bias: Added to the sum.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    def score(self, features: np.ndarray) -> float:
        """Log-odds; above 0 an interruption."""
        normal = np.clip((features - self.mean) * self.scale, -CLIP, CLIP)
        return float(normal @ self.weights) + self.bias


@dataclass(frozen=True)
class SoundModel:
    """The judge's weights: for each stage of a sound, a head on the encoder's view and one on the first words.

    Attributes:
        tokens: Token numbers whose probability counts.
        stage_ms: Up to which length of sound each stage reaches, ascending; the last has no end.
        heads: For each stage, the two heads.
    """

    tokens: np.ndarray
    stage_ms: tuple[int, ...]
    heads: tuple[tuple[Head, Head], ...]

    def stage(self, elapsed_ms: int, ended: bool) -> int:
        """The stage of a sound; one that has ended is in the last."""
        if ended:
            return len(self.stage_ms) - 1
        return int(np.searchsorted(self.stage_ms[:-1], elapsed_ms, side="left"))

    def score(self, pooled: np.ndarray, logprobs: np.ndarray, sound: np.ndarray, elapsed_ms: int, ended: bool) -> float:
        """Mean log-odds of the two heads; see :mod:`.features` for what they are given."""
        seen, begun = self.heads[self.stage(elapsed_ms, ended)]
        return 0.5 * (
            seen.score(np.concatenate([pooled, sound])) + begun.score(np.concatenate([logprobs[self.tokens], sound]))
        )

    def save(self, path: Path) -> None:
        """Write the weights."""
        arrays: dict[str, np.ndarray] = {"tokens": self.tokens, "stage_ms": np.array(self.stage_ms)}
        for stage, heads in enumerate(self.heads):
            for name, head in zip(("seen", "begun"), heads, strict=True):
                prefix = f"{stage}.{name}."
                arrays[prefix + "mean"] = head.mean.astype(np.float16)
                arrays[prefix + "scale"] = head.scale.astype(np.float16)
                arrays[prefix + "weights"] = head.weights.astype(np.float16)
                arrays[prefix + "bias"] = np.array(head.bias, np.float32)
        np.savez_compressed(path, **arrays)  # pyright: ignore[reportArgumentType] - numpy's own signature

    @classmethod
    def read(cls, path: Path) -> "SoundModel":
        """Read weights that :meth:`save` wrote."""
        with np.load(path) as arrays:
            stage_ms = tuple(int(ms) for ms in arrays["stage_ms"])

            def head(stage: int, name: str) -> Head:
                prefix = f"{stage}.{name}."
                vectors = [arrays[prefix + part].astype(np.float32) for part in ("mean", "scale", "weights")]
                return Head(*vectors, bias=float(arrays[prefix + "bias"]))

            heads = tuple((head(stage, "seen"), head(stage, "begun")) for stage in range(len(stage_ms)))
            return cls(arrays["tokens"], stage_ms, heads)


def judge_clip(model: SoundModel, clip: SoundClip) -> float:
    """Log-odds that a sound is an interruption, on the calling thread."""
    pooled, logprobs = looks(clip.pcm)
    sound = voice(clip.pcm, clip.speech_probs, clip.elapsed_ms, clip.ended)
    return model.score(pooled, logprobs, sound, clip.elapsed_ms, clip.ended)


class Judge:
    """A :data:`~processors.turns.handler.SoundJudge`.

    Args:
        model: The weights; default: those beside this file.
    """

    def __init__(self, model: SoundModel | None = None) -> None:
        self._model = model or default_model()

    async def __call__(self, clip: SoundClip) -> float | None:
        """Log-odds that the sound is an interruption; above 0 it is."""
        return await run_heavy(judge_clip, self._model, clip, urgency=Urgency.FINAL)


@cache
def default_model() -> SoundModel:
    """The weights that come with the bot."""
    return SoundModel.read(WEIGHTS)
