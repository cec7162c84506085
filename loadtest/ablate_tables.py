"""Tables of the ablations, made from the figures of ``ablations.json``. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from loadtest.figures import ms, percent
from loadtest.report_markdown import table

BASE: Final = "base"
WRONG: Final = frozenset({"backchannel", "noise"})
"""Classes that should not end the bot's reply; the others should."""

COLUMNS: Final[Sequence[tuple[str, str, Callable[[float | None], str]]]] = (
    ("answered", "success", percent),
    ("voice to voice, p50", "v2v_p50_ms", ms),
    ("p95", "v2v_p95_ms", ms),
    ("STT", "stt_ms", ms),
    ("LLM first token", "llm_ms", ms),
    ("TTS first audio", "tts_ms", ms),
    ("model asked", "model_requests", lambda value: "–" if value is None else f"{value:.1f}"),
    ("voice to voice, mean", "v2v_mean_ms", ms),
    ("tokens unheard per request", "unheard_tokens", lambda value: "–" if value is None else f"{value:,.0f}"),
    ("ended early on other words", "early_changed_rate", percent),
    ("answers from the cache", "cache_hits", lambda value: "–" if value is None else f"{value:.1f}"),
)


def text(found: dict[str, Any]) -> str:
    """All tables, each with what it says."""
    machine = ", ".join(f"{name} {value}" for name, value in found["machine"].items())
    parts = [
        f"Command: `{found['command']}`, {found['at']}; {machine}. In virtual time: where a model on "
        "this machine is what is changed its CPU time is charged (and then that of the emulated vendors' models, too), "
        "all other computing takes none. A cell is the mean over "
        f"{found['seeds']} seeds, in brackets the smallest and the largest; Δ is against the base with the same seed.",
        "### Strategy for interruptions\n\n" + strategies(found["sounds"]),
        "### History\n\n" + history(found["history"]),
    ]
    studies = dict.fromkeys(run["study"] for run in found["runs"] if run["study"] != BASE)
    parts += [f"### {study.capitalize()}\n\n{variants(found['runs'], study)}" for study in studies]
    parts.append(
        "### Not measured\n\nA summary in place of old turns: the bot has none. What a model says, how well it says it "
        "and what its vendor really takes: no vendor was called."
    )
    return "\n\n".join(parts) + "\n"


def variants(runs: Sequence[dict[str, Any]], study: str) -> str:
    """The base and the variants of one study."""
    rows = []
    comparable = all(run["against_base"] for run in runs if run["study"] == study)
    shown_studies = (BASE, study) if comparable else (study,)
    for name in dict.fromkeys(run["variant"] for run in runs if run["study"] in shown_studies):
        mine = [run for run in runs if run["variant"] == name]
        cells = [_cell((run["figures"].get(key) for run in mine), shown) for _, key, shown in COLUMNS]
        rows.append((name, *cells, _difference(runs, mine), mine[0]["origin"] if name != BASE else "–"))
    return table(("", *(title for title, *_ in COLUMNS), "Δ voice to voice, p50", "the change is"), rows)


def _cell(values: Iterable[float | None], shown: Callable[[float | None], str]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    middle = shown(float(np.mean(known)))
    if min(known) == max(known):
        return middle
    return f"{middle} ({shown(min(known))} … {shown(max(known))})"


def _difference(runs: Sequence[dict[str, Any]], mine: Sequence[dict[str, Any]]) -> str:
    """Of each seed's run to the base's with the same seed."""
    base = {run["seed"]: run["figures"]["v2v_p50_ms"] for run in runs if run["study"] == BASE}
    apart = [
        run["figures"]["v2v_p50_ms"] - base[run["seed"]]
        for run in mine
        if run["study"] != BASE
        and run["against_base"]
        and base.get(run["seed"]) is not None
        and run["figures"]["v2v_p50_ms"] is not None
    ]
    if not apart:
        return "–"
    return f"{np.mean(apart):+,.0f} ms ({min(apart):+,.0f} … {max(apart):+,.0f})"


def strategies(sounds: Sequence[dict[str, Any]]) -> str:
    """What each strategy did with the same sounds."""
    rows = []
    for name in dict.fromkeys(sound["strategy"] for sound in sounds):
        mine = [sound for sound in sounds if sound["strategy"] == name]
        meant = [sound for sound in mine if sound["class"] not in WRONG]
        nothing = [sound for sound in mine if sound["class"] in WRONG]
        stops = [s["stop_ms"] for s in meant if s["outcome"] == "cancelled" and s["stop_ms"] is not None]
        gaps = [s["gap_ms"] for s in nothing if s["outcome"] != "cancelled"]
        rows.append(
            (
                name,
                _share(sum(s["outcome"] == "cancelled" for s in meant), len(meant)),
                _share(sum(s["outcome"] == "cancelled" for s in nothing), len(nothing)),
                ms(float(np.percentile(stops, 50))) if stops else "–",
                ms(float(np.percentile(stops, 95))) if stops else "–",
                ms(float(np.mean(gaps))) if gaps else "–",
                _share(sum(gap == 0 for gap in gaps), len(gaps)),
                str(sum(abs(s["samples_lost"] or 0) for s in nothing if s["outcome"] != "cancelled")),
                str(sum(s["stuck"] for s in mine)),
            )
        )
    header = (
        "",
        "interruptions and speech that stop the bot",
        "acknowledgements and noises that end its reply (wrong)",
        "onset to silence, p50",
        "p95",
        "silence in the others, mean",
        "of these without any",
        "samples lost",
        "stuck",
    )
    counts = ", ".join(
        f"{sum(s['class'] == class_ for s in sounds) // max(1, len({s['strategy'] for s in sounds}))} {class_}"
        for class_ in sorted({sound["class"] for sound in sounds})
    )
    return (
        table(header, rows)
        + f"\n\nAll measured, with the local recogniser and voice. The same clips for all: {counts}. Recordings are "
        "recorded once: no seed changes them. The clips with which the judge of sounds was trained may be among them; "
        "see `docs/verdict.md` for figures on other speakers."
    )


def _share(part: int, whole: int) -> str:
    return f"{percent(part / whole)} of {whole}" if whole else "–"


def history(sizes: dict[str, dict[str, float]]) -> str:
    """Tokens of prompts."""
    base = next(value for name, value in sizes.items() if "base" in name)
    rows = [
        (name, f"{value['mean']:,.0f}", f"{value['last']:,.0f}", f"{100 * (value['mean'] / base['mean'] - 1):+.0f} %")
        for name, value in sizes.items()
    ]
    return (
        table(("shown to the model", "tokens of a prompt, mean", "of the 40th", "mean against the base"), rows)
        + "\n\nMeasured on a conversation of 40 turns, four characters to the token, tools included. What a longer "
        "prompt costs in time is not in the profile; in money it is in proportion."
    )
