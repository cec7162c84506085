"""``python -m loadtest interruptions --folds DIR``: clips over the bot's voice, by speakers and with words new to it.

The folder is one that ``python -m training.sounds --folds`` has filled: models of the sound judge, and for each the
clips that it has not heard. Where a clip's words were kept from the model, the lists of words forget them too.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from loadtest.rows import Row, percentile
from training.shares import told

SPLITS: Final = {"speakers": "unheard speakers", "words": "unheard words by unheard speakers"}
GROUPS: Final = {
    "interruptions and speech": ("interruption", "speech"),
    "acknowledgements": ("backchannel",),
    "noises": ("noise",),
}


@dataclass(frozen=True)
class FoldClip:
    """A clip, and the model that has not heard it.

    Attributes:
        split: A key of :data:`SPLITS`.
        weights: The model.
        path: The clip.
        name: Of the clip.
        class_: Of the clip.
        unheard_words: Words that the bot's lists are to lack.
    """

    split: str
    weights: str
    path: Path
    name: str
    class_: str
    unheard_words: frozenset[str]


def read_folds(folder: Path) -> list[FoldClip]:
    """The clips of all folds.

    Raises:
        ValueError: The folder has none; says what to run.
    """
    found = []
    for manifest in sorted(folder.glob("*.jsonl")):
        split = manifest.stem.rstrip("0123456789")
        if split not in SPLITS:
            continue
        for line in manifest.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            path = Path(entry["file"])
            words = frozenset(entry["unheard_words"])
            weights = str(manifest.with_suffix(".npz"))
            found.append(FoldClip(split, weights, path, "/".join(path.parts[-2:]), entry["class"], words))
    if not found:
        raise ValueError(f"{folder} has no folds; fill it: python -m training.sounds --audio DIR --folds {folder}")
    return found


def fold_table(played: Sequence[tuple[FoldClip, Row]]) -> tuple[str, list[dict[str, Any]]]:
    """How many clips of each kind cancelled, as text and as plain values."""
    lines, figures = [], []
    for split, title in SPLITS.items():
        for group, classes in GROUPS.items():
            rows = [row for clip, row in played if clip.split == split and clip.class_ in classes]
            if not rows:
                continue
            cut = [row for row in rows if row.outcome in ("cancelled", "taken_back")]
            lost = sum(row.outcome == "cancelled" for row in rows)
            wanted = "interruption" in classes
            verdict_ms = [_verdict_ms(row) for row in cut]
            silent_ms = [row.stop_ms for row in cut]
            times = f"verdict {_median_and_95(verdict_ms)}, silent {_median_and_95(silent_ms)} ms"
            lines.append(
                f"{title:35} {group:25} cancelled {told(len(cut), len(rows)):28} {times}"
                + ("" if wanted else f", lost {told(lost, len(rows))}")
            )
            figures.append(
                {
                    "split": split,
                    "group": group,
                    "clips": len(rows),
                    "cancelled": len(cut),
                    "lost": None if wanted else lost,
                    "verdict_ms": verdict_ms,
                    "silent_ms": silent_ms,
                }
            )
    return "\n".join(lines), figures


def _verdict_ms(row: Row) -> int | None:
    """From a sound's onset, as the VAD heard it, to the verdict that cancelled."""
    return next((decision["verdict_ms"] for decision in row.decisions if decision["verdict"] == "cancel"), None)


def _median_and_95(values: Sequence[int | None]) -> str:
    shares = [percentile(values, share) for share in (50, 95)]
    return " / ".join("-" if share is None else f"{share:.0f}" for share in shares)


def play_folds(
    folder: Path, play: Callable[[Sequence[FoldClip]], Sequence[Row]], class_: str | None
) -> tuple[str, dict[str, Any]]:
    """Play the clips of all folds; returns the table, and all figures.

    Args:
        folder: See :func:`read_folds`.
        play: Plays clips over the bot.
        class_: Only clips of this class; None: all.
    """
    clips = [clip for clip in read_folds(folder) if class_ in (None, clip.class_)]
    rows = play(clips)
    text, figures = fold_table(list(zip(clips, rows, strict=True)))
    told_rows = [{"split": clip.split, **row.as_dict()} for clip, row in zip(clips, rows, strict=True)]
    return text, {"folds": figures, "clips": told_rows}
