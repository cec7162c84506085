"""The report as Markdown: snapshot, what the figures mean, issues found, targets, readiness, bottom line. Pure.

Every sentence with a figure in it is made from the figures.
"""

from collections.abc import Sequence
from typing import Any, Final

from loadtest import targets
from loadtest.figures import ms, percent
from loadtest.stages import FIRST_VERSION_MS, NAMES

METRICS: Final = (
    (
        "voice to voice",
        "last loud sample of the caller's question to the first loud sample of the bot, at the caller; "
        '"one moment" is no answer: voice to voice ends at the answer itself, the first sound is told beside it',
    ),
    ("total response", "the same start to the last loud sample of the answer"),
    ("success", "answered by voice in time; of an interruption also: the bot stopped and answered it"),
    ("silent failure", "neither answered nor told that there is no answer"),
    ("stop", "first loud sample of an interruption to the bot's last loud sample"),
    ("recovery", "last loud sample of the interruption to the first one of the next answer"),
    ("gap", "last loud sample of a false alarm to the bot's next one; 0 if it spoke on"),
    ("added silence, samples lost", "an answer with a false alarm in it laid beside the same answer undisturbed"),
    ("longest silence", "longest time from the question's end to the answer's end in which nobody was heard"),
    (
        "without sound or sign",
        "the same, where also a change on the page ends it: the words understood, thinking, still thinking, an error",
    ),
    ("waiting in the queue", "from the first call at a full bot to the call that got in; no failure, but told here"),
    ("lateness", "arrival of a packet against the earliest one of its second, by RTP time; 60 ms is a jitter buffer"),
)

CAUSES: Final = {
    "no_answer": "nothing was heard within the limit",
    "connection_lost": "the connection was lost",
    "not_connected": "no connection came about",
    "at_capacity": "refused: all lines were busy, and the caller was told",
    "refused": "refused",
    "apologised": "the bot said that it cannot answer",
    "only_told_to_wait": "the caller was told to wait, and no answer came",
    "did_not_stop": "the bot spoke on over an interruption",
    "no_answer_to_interruption": "the bot stopped and then said nothing",
    "not_interrupted": "the answer was over before it could be interrupted",
    "did_not_resume": "the answer did not go on after a false alarm",
    "spoke_into_question": "the bot began to speak before the question was over",
}


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join("---" for _ in header) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def text(summary: dict[str, Any]) -> str:
    """The whole report."""
    parts = [
        f"# Load test: {summary['callers']} callers, {summary['requests']} requests",
        _snapshot(summary),
        "## Figures\n\n" + _figures(summary),
        "## Where the time goes\n\n" + _stages(summary),
        "## What the figures mean\n\n" + "\n".join(f"- **{name}**: {meaning}." for name, meaning in METRICS),
        "## Issues found\n\n" + _issues(summary),
        "## Targets\n\n" + _targets(summary),
        "## Cost\n\n" + _cost(summary),
        "## Readiness\n\n" + _readiness(summary),
        "## Bottom line\n\n" + bottom_line(summary),
    ]
    return "\n\n".join(parts) + "\n"


def _snapshot(summary: dict[str, Any]) -> str:
    run = summary["run"]
    phases = ", ".join(f"{phase['name']} {phase['secs']} s" for phase in run["phases"])
    machine = ", ".join(f"{name} {value}" for name, value in run["machine"].items())
    vendors = "latencies of vendors are assumed by the profile, not measured; " if run["profile"] else ""
    if run.get("clock") == "virtual":
        vendors += "virtual time: computing takes none, so nothing is said of how many calls a machine carries; "
    rows = [
        ("when", run["at"]),
        ("command", f"`{run['command']}`"),
        ("bot", f"{run['bot']['setup']}; {', '.join(f'{k} {v}' for k, v in run['bot']['providers'].items())}"),
        ("scenario", f"{run['scenario']}, seed {run['seed']}; {run['audio']}"),
        ("calls at once", _at_once(summary)),
        ("phases", phases + ("; **ended early, by hand**" if run["interrupted"] else "")),
        ("machine", machine),
        ("doubts", vendors + _slip(summary)),
    ]
    return "## Snapshot\n\n" + table(("", ""), rows)


def _at_once(summary: dict[str, Any]) -> str:
    allowed = f"at most {summary['run']['bot'].get('max_calls') or 'unknown'}"
    were = summary["calls"].get("at_once")  # older runs do not tell
    return allowed if were is None else f"{allowed}; there were up to {were['most']}, in the mean {were['mean']}"


def _slip(summary: dict[str, Any]) -> str:
    slip = summary["calls"]["caller_slip_p99_ms"]["p95"]
    if slip is None:
        return "no real network"
    return f"callers themselves were up to {ms(slip)} late (p99 of a caller, p95 of callers)" + (
        ": this machine was too busy for times to be trusted" if slip > 20 else ""
    )


def _row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    return (name, *(ms(found[key]) for key in ("mean", "p50", "p95", "p99")), str(found["count"]))


def _figures(summary: dict[str, Any]) -> str:
    interruptions, alarms, calls = summary["interruptions"], summary["false_alarms"], summary["calls"]
    rates = table(
        ("", "share", "of"),
        [
            ("requests answered", percent(summary["success_rate"]), str(summary["requests"])),
            ("interruptions answered", percent(interruptions["success_rate"]), str(interruptions["count"])),
            ("false alarms resumed", percent(alarms["resume_rate"]), str(alarms["count"])),
            ("false alarms without any gap", percent(alarms["without_gap_rate"]), str(alarms["samples_lost"]["count"])),
        ],
    )
    times = table(
        ("", "mean", "p50", "p95", "p99", "count"),
        [
            _row("voice to voice", summary["v2v_ms"]),
            _row("question to the first sound", summary.get("first_sound_ms", summary["v2v_ms"])),
            _row("question to the answer, as the bot tells it", summary["answer_ms"]),
            _row("total response", summary["response_ms"]),
            _row("longest silence", summary["longest_silence_ms"]),
            _row("longest time without sound or sign", summary["longest_unsigned_ms"]),
            *([_row("interruption: lowered voice", low)] if (low := interruptions.get("lowered_ms")) else []),
            _row("interruption: silence", interruptions["stop_ms"]),
            _row("interruption: recovery", interruptions["recovery_ms"]),
            _row("false alarm: gap", alarms["gap_ms"]),
            _row("false alarm: added silence", alarms["added_silence_ms"]),
            _row("connecting", calls["connect_ms"]),
            _row("lateness of audio (p99 of each call)", calls["late_p99_ms"]),
        ],
    )
    audio = (
        f"{calls['packets']} packets in {calls['count']} calls ({calls['minutes']} minutes): {calls['packets_lost']} "
        f"lost, {calls['holes']} holes, {calls['late']} later than 60 ms. False alarms cost "
        f"{alarms['samples_lost']['total']} samples of speech ({alarms['samples_lost']['count']} measured)."
    )
    if summary.get("answers_per_minute") is not None:
        audio = f"{summary['answers_per_minute']} answers a minute. " + audio
    kinds = table(
        ("kind of request", "requests", "answered", "voice to voice p50", "p95"),
        [
            (
                kind.replace("_", " "),
                str(found["requests"]),
                percent(found["success_rate"]),
                ms(found["v2v_ms"]["p50"]),
                ms(found["v2v_ms"]["p95"]),
            )
            for kind, found in summary["by_kind"].items()
        ],
    )
    return "\n\n".join((rates, times, _covered(summary), audio, _line(summary), kinds))


def _covered(summary: dict[str, Any]) -> str:
    return f'Before {summary["covered"]} of {summary["requests"]} answers the bot said "one moment", or the like.'


def _line(summary: dict[str, Any]) -> str:
    """Who waited to get in."""
    calls = summary["calls"]
    waited = calls["waited_secs"]
    if not waited["count"]:
        return "Nobody waited in the queue to get in."
    return (
        f"{waited['count']} of {calls['count']} calls came while the bot was full, heard so, waited in the queue and "
        f"got in: {waited['p50']:.0f} s (p50), {waited['p95']:.0f} s (p95), {waited['max']:.0f} s at most."
    )


def _stages(summary: dict[str, Any]) -> str:
    stages = summary["stages"]
    if not stages["stages_ms"]:
        return "The bot told no times of its own."
    first = FIRST_VERSION_MS
    rows = [(*_row(name, stages["stages_ms"][key]), ms(first.get(key))) for key, name in NAMES.items()]
    rows += [
        (*_row("**sum**", stages["sum_ms"]), ms(sum(first.values()))),
        (*_row("**voice to voice at the caller**", stages["v2v_ms"]), "–"),
    ]
    verdict = "within 5 %, as they must be" if stages["within_5_percent"] else "**more than 5 %: do not trust them**"
    return (
        table(("stage", "mean", "p50", "p95", "p99", "count", "first version"), rows)
        + f"\n\nThe stages are the bot's own; the first and the last are the caller's. Their sum differs from the "
        f"caller's voice to voice by {stages['difference_percent']:+.1f} % on average ({verdict}), in a single answer "
        f"by {ms(stages['difference_each_ms']['p50'])} (p50), {ms(stages['difference_each_ms']['p95'])} (p95). Left "
        f'out are {stages["covered"]} answers that "one moment" was heard before: the caller\'s figure ends at that, '
        "the bot's at the answer."
        + (
            " The emulated way to each vendor and back is part of that vendor's stage."
            if summary["run"]["profile"]
            else ""
        )
    )


def _issues(summary: dict[str, Any]) -> str:
    found = [
        f"- **{cause.replace('_', ' ')}**: {count} of {summary['requests']} requests; {CAUSES.get(cause, '')}."
        for cause, count in sorted(summary["failures"].items(), key=lambda item: -item[1])
    ]
    found += [
        f"- **{verdict.target.name}** is {targets.shown(verdict.value, verdict.target.unit)}."
        for verdict in targets.compare(summary)
        if verdict.met is False
    ]
    if summary["run"]["unfinished_requests"]:
        found.append(f"- {summary['run']['unfinished_requests']} requests were under way at the end and do not count.")
    for vendor, totals in summary["run"]["vendors"].items():
        limited = totals.get("statuses", {}).get("429")
        if limited:
            found.append(f"- {vendor} answered {limited} of {totals['requests']:.0f} requests with 429.")
    return "\n".join(found) or "None: every request was answered and every target that was measured is met."


def _targets(summary: dict[str, Any]) -> str:
    return table(
        ("quantity", "target", "measured", "", "first version"),
        [
            (
                verdict.target.name,
                ("≥ " if verdict.target.at_least else "≤ ") + targets.shown(verdict.target.bound, verdict.target.unit),
                targets.shown(verdict.value, verdict.target.unit),
                verdict.word,
                verdict.target.first or "–",
            )
            for verdict in targets.compare(summary)
        ],
    )


def _cost(summary: dict[str, Any]) -> str:
    cost = summary["cost"]
    use = cost["use"]
    rows = []
    for role in cost["today"]["by_role"]:
        now, then = cost["today"]["by_role"][role], cost["upgrade"]["by_role"][role]
        rows.append((role.upper(), *_cost_cells(now), *_cost_cells(then)))
    rows.append(
        (
            "**all**",
            "",
            _usd(cost["today"]["usd_per_1000_requests"]),
            _usd(cost["today"]["usd_per_minute"], 4),
            "",
            _usd(cost["upgrade"]["usd_per_1000_requests"]),
            _usd(cost["upgrade"]["usd_per_minute"], 4),
        )
    )
    header = ("", "today", "1,000 requests", "minute", "with upgrades", "1,000 requests", "minute")
    counted = "counted by the emulated vendors" if use["counted_by"] == "vendors" else "estimated from the text"
    return (
        table(header, rows)
        + f"\n\nUse: {use['minutes']:.1f} minutes of speech recognition, {use['prompt_tokens']:,.0f} prompt and "
        f"{use['completion_tokens']:,.0f} completion tokens ({counted}), {use['characters']:,.0f} characters spoken, "
        f"{use['characters_unheard']:,.0f} of them never heard. List prices of `observe/prices.toml`, each with the "
        "day it was read."
    )


def _cost_cells(row: dict[str, Any]) -> tuple[str, str, str]:
    name = f"{row['vendor']} ({row['as_of']})"
    return name, _usd(row["usd_per_1000_requests"]), _usd(row["usd_per_minute"], 4)


def _usd(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"${value:,.{digits}f}"


def _readiness(summary: dict[str, Any]) -> str:
    slip = summary["calls"]["caller_slip_p99_ms"]["p95"]
    checks = [
        ("every request was made", not summary["run"]["interrupted"] and not summary["run"]["unfinished_requests"]),
        ("no caller was left without a sign", summary["silent_failures"] == 0),
        ("every target that was measured is met", all(v.met is not False for v in targets.compare(summary))),
        ("every target was measured", all(v.met is not None for v in targets.compare(summary))),
        ("client and bot tell the same times", bool(summary["stages"]["within_5_percent"])),
        ("the machine was quiet enough to measure", slip is None or slip <= 20),
        ("no caller process died", not summary["run"]["caller_processes_died"]),
    ]
    return "\n".join(f"- [{'x' if met else ' '}] {name}" for name, met in checks)


def bottom_line(summary: dict[str, Any]) -> str:
    """One sentence or two."""
    verdicts = targets.compare(summary)
    missed = [verdict for verdict in verdicts if verdict.met is False]
    measured = [verdict for verdict in verdicts if verdict.met is not None]
    start = (
        f"With {summary['callers']} callers, {percent(summary['success_rate'])} of {summary['requests']} requests were "
        f"answered, half of them within {ms(summary['v2v_ms']['p50'])}; {summary['silent_failures']} failed in silence."
    )
    if missed:
        names = ", ".join(verdict.target.name for verdict in missed)
        return f"{start} {len(measured) - len(missed)} of {len(measured)} targets are met; missed: {names}."
    return f"{start} All {len(measured)} targets that were measured are met."
