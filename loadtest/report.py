"""The report of a run: ``summary.json``, ``run.json``, ``summary.md`` and ``report.html`` in one folder."""

import json
from pathlib import Path
from typing import Any

from loadtest import report_markdown
from loadtest.document import compact
from loadtest.figures import ms, percent


def write(folder: Path, found: dict[str, Any]) -> None:
    """Write all: everything, a small file to keep, the text, and the page with plots.

    Args:
        folder: Where; made if it is not there.
        found: ``{"summary": ..., "calls": [...]}``.
    """
    from loadtest import report_html  # needs matplotlib, which not everyone has who runs the other commands

    folder.mkdir(parents=True, exist_ok=True)
    markdown = report_markdown.text(found["summary"])
    (folder / "summary.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(compact(found), indent=1) + "\n", encoding="utf-8")
    (folder / "summary.md").write_text(markdown, encoding="utf-8")
    (folder / "report.html").write_text(report_html.page(found), encoding="utf-8")


def _whole(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def in_short(summary: dict[str, Any]) -> str:
    """A few lines for the terminal."""
    v2v, interruptions, alarms = summary["v2v_ms"], summary["interruptions"], summary["false_alarms"]
    stages = summary["stages"]
    lines = [
        f"{summary['requests']} requests, success {percent(summary['success_rate'])}, "
        f"silent failures {summary['silent_failures']}"
        + (f", causes {summary['failures']}" if summary["failures"] else ""),
        f"voice to voice: mean {ms(v2v['mean'])}, p50 {ms(v2v['p50'])}, p95 {ms(v2v['p95'])} ({v2v['count']}); first "
        f"sound p50 {ms(summary['first_sound_ms']['p50'])}",
        f"unheard tokens per request: {_whole(summary.get('unheard_tokens'))}, without cached ones "
        f"{_whole(summary.get('unheard_uncached_tokens'))}; turns ended early on other words: "
        f"{percent(summary.get('early_changed_rate'))}",
        f"interruptions: {percent(interruptions['success_rate'])} of {interruptions['count']} answered, "
        f"lowered p50 {ms(interruptions['lowered_ms']['p50'])}, silent p50 {ms(interruptions['stop_ms']['p50'])}; "
        f"false alarms: {percent(alarms['resume_rate'])} of {alarms['count']} resumed, "
        f"{alarms['samples_lost']['total']} samples lost ({alarms['samples_lost']['count']} measured)",
    ]
    if stages["difference_percent"] is not None:
        verdict = "within" if stages["within_5_percent"] else "NOT within"
        lines.append(
            f"stages add up to {ms(stages['sum_ms']['mean'])} of {ms(stages['v2v_ms']['mean'])} "
            f"({stages['difference_percent']:+.1f} %: {verdict} 5 %)"
        )
    return "\n".join(lines)
