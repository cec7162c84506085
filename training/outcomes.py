"""What the bot's policy makes of clips that neither it nor its judge has heard."""

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from processors.turns.verdict.policy import VerdictParams, VerdictPolicy
from training.clips import CLEAN, PHONE, Sample, variant
from training.fitting import Material
from training.folds import Fold
from training.moments import moments
from training.phrases import telling_words
from training.replay import Opinion, Outcome, Reading, readings, replay
from training.shares import told
from training.unschooled import Unschooled

LINES: Final = {"clean": CLEAN, "telephone": PHONE}
GROUPS: Final = {
    "interruptions": ("interruption",),
    "speech": ("speech",),
    "acknowledgements": ("backchannel",),
    "noises": ("noise",),
}

FEW: Final = 30
"""Sources with fewer clips are not told by themselves."""

ReadBy = Mapping[tuple[int, int], list[Reading]]
"""Readings by clip and variant."""


def read_all(samples: Sequence[Sample], echo: np.ndarray, cache: Path) -> ReadBy:
    """What the recogniser tells of each real clip, as it is and by telephone; kept in the cache folder."""
    path = cache / "readings.json"
    kept: dict[str, list[list[object]]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    found: dict[tuple[int, int], list[Reading]] = {}
    for at, sample in enumerate(tqdm(samples, desc="words", unit="clip", disable=None)):
        if sample.synthetic:
            continue
        for number in LINES.values():
            key = f"{sample.name} {number}"
            if key not in kept:
                rng = np.random.default_rng([zlib.crc32(sample.name.encode()), number])
                read = readings(moments(variant(sample.pcm, echo, rng, number)))
                kept[key] = [list(asdict(each).values()) for each in read]
            found[at, number] = [Reading(*each) for each in kept[key]]  # pyright: ignore[reportArgumentType] - JSON's
    path.write_text(json.dumps(kept), encoding="utf-8")
    return found


def opinions_of(data: Material, scores: np.ndarray) -> dict[tuple[int, int], list[Opinion]]:
    """The judge's opinions by clip and variant, in time."""
    rows = data.rows
    found: dict[tuple[int, int], list[Opinion]] = defaultdict(list)
    for at in np.flatnonzero(~np.isnan(scores) & (rows.variant <= PHONE)):
        sound = rows.sound[at]
        opinion = Opinion(
            int(rows.elapsed_ms[at]),
            bool(rows.ended[at]),
            float(scores[at]),
            round(1000 * float(sound[3])),
            float(sound[4]),
            float(sound[5]),
        )
        found[int(rows.clip[at]), int(rows.variant[at])].append(opinion)
    return found


def outcomes(
    scores: np.ndarray,
    samples: Sequence[Sample],
    data: Material,
    read: ReadBy,
    policy_for: Callable[[Sample], VerdictPolicy],
) -> dict[tuple[int, int], Outcome]:
    """What became of each clip that was judged; one that the VAD let pass cancelled nothing."""
    found = {}
    for (clip, number), opinions in opinions_of(data, scores).items():
        found[clip, number] = replay(policy_for(samples[clip]), opinions, read[clip, number])
    return found


def schooled(params: VerdictParams, _: Sample) -> VerdictPolicy:
    """The policy as it is."""
    return VerdictPolicy(params)


def unschooled(params: VerdictParams, sample: Sample) -> VerdictPolicy:
    """The policy with lists that lack the clip's words."""
    return Unschooled(telling_words(sample.text), params)


def report_outcomes(
    name: str,
    found: Mapping[tuple[int, int], Outcome],
    samples: Sequence[Sample],
    folds: Sequence[Fold],
    *,
    wrong: bool = False,
) -> None:
    """Print how many clips cancelled.

    Args:
        name: Of the table.
        found: What became of the clips that got past the VAD.
        samples: All clips.
        folds: Their clips count.
        wrong: Whether the clips that went wrong are listed.
    """
    print(
        f"\n{name}: clips that cancel\n\n"
        "| source | line | class | the VAD hears | cancelled | after, median / 95 % |\n|---|---|---|---|---|---|"
    )
    held = sorted(clip for fold in folds for clip in fold.held)
    sources = [source for source, count in Counter(samples[clip].source for clip in held).items() if count >= FEW]
    for source in ("all", *sources):
        judged = [clip for clip in held if source in ("all", samples[clip].source)]
        _print_lines(source, found, samples, judged)
    if not wrong:
        return
    for (clip, number), outcome in sorted(found.items()):
        if (outcome.cancel_ms is not None) is not samples[clip].positive:
            short = "/".join(Path(samples[clip].name).parts[-2:])
            print(f"  {number} {short} {samples[clip].text!r}: {outcome.cancel_ms} {outcome.reason}")


def _print_lines(
    source: str, found: Mapping[tuple[int, int], Outcome], samples: Sequence[Sample], judged: Sequence[int]
) -> None:
    for line, number in LINES.items():
        for group, classes in GROUPS.items():
            own = [clip for clip in judged if samples[clip].class_ in classes]
            if not own:
                continue
            after = [found[clip, number].cancel_ms for clip in own if (clip, number) in found]
            cut_ms = [each for each in after if each is not None]
            times = f"{np.percentile(cut_ms, 50):.0f} / {np.percentile(cut_ms, 95):.0f} ms" if cut_ms else "-"
            heard = sum((clip, number) in found for clip in own)
            print(f"| {source} | {line} | {group} | {heard} | {told(len(cut_ms), len(own))} | {times} |")
