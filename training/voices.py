"""Machine voices for the training: espeak-ng and flite where they are installed, and the bot's own voice."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr

from training.clips import RATE_HZ, Sample, read
from training.phrases import Saying, phrases

ESPEAK_VOICES: Final = {
    "en": phrases("en-us|en-us|en-us-nyc|en-gb|en-gb-scotland|en-gb-x-rp|en-gb-x-gbclan|en-gb-x-gbcwmd|en-029"),
    "de": ["de"],
    "es": ["es", "es-419"],
    "fr": ["fr-fr", "fr-be", "fr-ch"],
    "hi": ["hi"],
}
ESPEAK_VARIANTS: Final = phrases(
    "f1|f2|f3|f4|f5|m1|m2|m3|m4|m5|m6|m7|m8|adam|Alex|Alicia|Andrea|Andy|Annie|antonio|aunty|belinda|benjamin|boris|"
    "caleb|croak|david|Denis|Diogo|ed|edward|Gene|grandma|grandpa|gustave|Henrique|Hugo|iven|Jacky|john|klatt|klatt2|"
    "klatt4|Lee|linda|marcelo|Marco|Mario|max|Michael|michel|miguel|Mike|norbert|pablo|paul|pedro|quincy|rob|robert|"
    "sandro|shelby|steph|steph2|travis|victor|zac|anika"
)
FLITE_VOICES: Final = ("slt", "rms", "awb", "kal16")
SPEAKERS: Final = ("espeak", "flite", "bot")
"""Each English phrase is said by each kind of voice; the other languages only espeak-ng speaks."""

CLIPS: Final = 1600
"""So many of them, by chance, are enough: what the machine voices say is counted as much as all real clips together."""

TEMPOS: Final = (0.8, 1.3)
LEVEL_RMS: Final = 3000.0
"""All voices are brought to this level: none is known by its loudness."""


def synthetic_clips(sayings: list[Saying]) -> Iterator[Sample]:
    """The phrases, spoken by machines, in an order that mixes languages, classes and voices."""
    rng = np.random.default_rng(5)
    tasks: list[tuple[Saying, str]] = []
    for saying in sayings:
        tasks += [(saying, kind) for kind in SPEAKERS if kind == "espeak" or saying.language == "en"]
    for at in rng.permutation(len(tasks))[:CLIPS]:
        saying, kind = tasks[at]
        spoken = _speak(saying, kind, rng)
        if spoken is None:
            continue
        speaker, pcm = spoken
        level = np.sqrt(np.mean(pcm.astype(np.float32) ** 2)) + 1
        levelled = np.clip(pcm * (LEVEL_RMS / level), -32768, 32767).astype(np.int16)
        name = f"synthetic/{at} {saying.language} {saying.text}"
        yield Sample(name, saying.class_, speaker, True, levelled, saying.text)


def _speak(saying: Saying, kind: str, rng: np.random.Generator) -> tuple[str, np.ndarray] | None:
    """Who speaks, and what is heard; None where the program is not installed."""
    tempo = rng.uniform(*TEMPOS)
    if kind == "espeak":
        voice = f"{rng.choice(ESPEAK_VOICES[saying.language])}+{rng.choice(ESPEAK_VARIANTS)}"
        options = ["-v", voice, "-s", str(round(165 * tempo)), "-p", str(rng.integers(15, 85))]
        return _run("espeak-ng", saying.text, [*options, "-w", "{wav}", "{text}"], voice)
    if kind == "flite":
        voice = str(rng.choice(FLITE_VOICES))
        pitch = rng.uniform(90, 150) if voice != "slt" else rng.uniform(150, 230)
        options = ["--setf", f"duration_stretch={1 / tempo:.2f}", "--setf", f"int_f0_target_mean={pitch:.0f}"]
        return _run("flite", saying.text, ["-voice", voice, *options, "-t", "{text}", "-o", "{wav}"], voice)
    # The bot has one voice: a longer or shorter vocal tract makes others of it.
    throat = rng.uniform(0.8, 1.2)
    heard = say(saying.text, speed=tempo / throat, seed=int(rng.integers(1, 1000)))
    return f"bot {throat:.1f}", soxr.resample(heard.astype(np.float32), RATE_HZ * throat, RATE_HZ).astype(np.int16)


def _run(program: str, text: str, options: list[str], voice: str) -> tuple[str, np.ndarray] | None:
    if not shutil.which(program):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        filled = [option.replace("{wav}", str(path)).replace("{text}", text) for option in options]
        subprocess.run([program, *filled], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return f"{program} {voice}", read(path)


def say(text: str, *, speed: float = 1.0, seed: int = 1) -> np.ndarray:
    """The bot's own voice: int16 at 16 kHz."""
    wave_24k = np.asarray(_own_voice()(text, speed=speed, seed=seed))
    return (np.clip(soxr.resample(wave_24k, 24_000, RATE_HZ), -1, 1) * 32767).astype(np.int16)


@cache
def _own_voice() -> Any:
    from hibari import Hibari

    return Hibari(threads=1)
