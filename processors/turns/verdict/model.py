"""The sound judge: is this sound over the bot's voice an interruption? A committee of linear models, and its doubt.

Each member has been trained without a part of all words and speakers. Where they agree, what they have learned holds
also for what they have not heard; where they do not, the score is drawn towards 0: it is a calibrated log-odds, so
that a score near 0 says that the judge does not know. Trained by ``python -m training.sounds``, which says also how
well it judges speakers and words that it has not heard. The weights are some hundred kilobytes beside this file; a
question takes about 20 ms of CPU on the shared threads.
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
class Calibration:
    """How the members' opinions become a log-odds.

    Attributes:
        slope: Log-odds for each unit of their mean.
        offset: Added to that.
        doubt: How much their variance weakens it.
    """

    slope: float = 1.0
    offset: float = 0.0
    doubt: float = 0.0

    def log_odds(self, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Calibrated log-odds. With a normal opinion of that variance this is close to its mean probability (MacKay
        1992, "The evidence framework applied to classification networks")."""
        return (self.slope * mean + self.offset) / np.sqrt(1 + self.doubt * variance)


@dataclass(frozen=True)
class Committee:
    """The members for one stage of a sound.

    Attributes:
        mean: Of each feature in training.
        scale: One over its deviation.
        weights: Of each member for each feature: shape (members, features).
        bias: Of each member.
        calibration: How their opinions become a log-odds.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    calibration: Calibration = Calibration()

    def opinions(self, features: np.ndarray) -> np.ndarray:
        """What each member thinks of a feature vector, or of each row of a matrix; above 0 an interruption."""
        normal = np.clip((features - self.mean) * self.scale, -CLIP, CLIP)
        return normal @ self.weights.T + self.bias

    def score(self, features: np.ndarray) -> float:
        """Log-odds of a feature vector; above 0 an interruption, near 0: the members do not know."""
        opinions = self.opinions(features)
        return float(self.calibration.log_odds(opinions.mean(), spread(opinions)))


def spread(opinions: np.ndarray) -> np.ndarray:
    """Variance of the members' opinions (last axis)."""
    return opinions.var(axis=-1, ddof=1) if opinions.shape[-1] > 1 else np.zeros(opinions.shape[:-1])


@dataclass(frozen=True)
class SoundModel:
    """The judge's weights: for each stage of a sound, a committee.

    Attributes:
        tokens: Token numbers whose probability counts.
        stage_ms: Up to which length of sound each stage reaches, ascending; the last has no end.
        committees: For each stage.
    """

    tokens: np.ndarray
    stage_ms: tuple[int, ...]
    committees: tuple[Committee, ...]

    def stage(self, elapsed_ms: int, ended: bool) -> int:
        """The stage of a sound; one that has ended is in the last."""
        if ended:
            return len(self.stage_ms) - 1
        return int(np.searchsorted(self.stage_ms[:-1], elapsed_ms, side="left"))

    def score(self, pooled: np.ndarray, logprobs: np.ndarray, sound: np.ndarray, elapsed_ms: int, ended: bool) -> float:
        """Calibrated log-odds; see :mod:`.features` for what the committees are given."""
        features = np.concatenate([pooled, logprobs[self.tokens], sound])
        return self.committees[self.stage(elapsed_ms, ended)].score(features)

    def save(self, path: Path) -> None:
        """Write the weights."""
        arrays: dict[str, np.ndarray] = {"tokens": self.tokens, "stage_ms": np.array(self.stage_ms)}
        for stage, committee in enumerate(self.committees):
            calibration = committee.calibration
            arrays[f"{stage}.mean"] = committee.mean.astype(np.float16)
            arrays[f"{stage}.scale"] = committee.scale.astype(np.float16)
            arrays[f"{stage}.weights"] = committee.weights.astype(np.float16)
            arrays[f"{stage}.bias"] = committee.bias.astype(np.float32)
            arrays[f"{stage}.calibration"] = np.array(
                [calibration.slope, calibration.offset, calibration.doubt], np.float32
            )
        np.savez_compressed(path, **arrays)  # pyright: ignore[reportArgumentType] - numpy's own signature

    @classmethod
    def read(cls, path: Path) -> "SoundModel":
        """Read weights that :meth:`save` wrote."""
        with np.load(path) as arrays:
            stage_ms = tuple(int(ms) for ms in arrays["stage_ms"])

            def committee(stage: int) -> Committee:
                names = ("mean", "scale", "weights", "bias")
                parts = [arrays[f"{stage}.{name}"].astype(np.float32) for name in names]
                return Committee(*parts, calibration=Calibration(*map(float, arrays[f"{stage}.calibration"])))

            return cls(arrays["tokens"], stage_ms, tuple(map(committee, range(len(stage_ms)))))


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
