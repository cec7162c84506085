"""Cells of the fault matrix, one or two for each provider: whole calls, in virtual time where the vendor allows it."""

import asyncio
import json
from argparse import ArgumentParser

import pytest

from loadtest import faults, virtual_time
from loadtest.faults_call import measure, watching
from loadtest.faults_matrix import Cell, TurnState, cells
from loadtest.faults_scoring import LIMIT_MS, VOICES_MS, Outcome, Score

pytestmark = pytest.mark.slow


def one(provider: str, fault: str, state: str) -> Cell:
    (cell,) = cells(provider, fault, state)
    return cell


def made(cell: Cell) -> Score:
    """Make the call, as the command does."""
    if cell.provider.in_real_time:
        return asyncio.run(measure(cell))
    return virtual_time.run(measure(cell), loop=faults.virtual_loop())


@pytest.mark.parametrize(
    ("provider", "fault", "state", "outcome"),
    [
        ("deepgram-nova", "stays silent", "user speaking", Outcome.NEXT),
        ("deepgram-flux", "HTTP 401", "listening", Outcome.NEXT),
        ("groq", "never answers", "listening", Outcome.TOLD),
        ("groq", "stalls in mid-stream", "bot speaking", Outcome.TOLD),
        ("groq", "call as text", "listening", Outcome.TOLD),
        ("groq", "parallel", "listening", Outcome.VENDOR),
        ("deepgram-flux", "twice, 600", "user speaking", Outcome.VENDOR),
        ("line", "8 s", "speaking", Outcome.VENDOR),
        ("gtts", "429", "user speaking", Outcome.NEXT),
        ("elevenlabs", "drops in mid-stream", "barge-in", Outcome.NEXT),
        ("azure", "503", "thinking", Outcome.NEXT),
    ],
)
def test_a_cell(provider, fault, state, outcome):
    with watching():
        score = made(one(provider, fault, state))
    assert score.outcome is outcome, score
    assert score.recovered
    assert score.voices_at_once_ms < VOICES_MS
    if score.late_ms < faults.LATE_MS:
        assert 100 < score.longest_silence_ms <= LIMIT_MS
        assert score.ok


def test_a_bot_without_signs_is_flagged(monkeypatch):
    """The negative control: the same cell, and a page that is not told."""
    monkeypatch.setattr("transports.rtvi.StillThinkingFrame", type("Never", (), {}))
    score = made(one("groq", "never answers", "listening"))
    assert score.longest_silence_ms > LIMIT_MS
    assert score.faults == ["silence"]


def test_a_vendor_that_never_comes_back_is_flagged(monkeypatch):
    async def stays_ill(_self):
        pass

    monkeypatch.setattr("loadtest.faults_call.FaultyCall._heal", stays_ill)
    monkeypatch.setattr("loadtest.faults_call.RETURN_SECS", 4.0)
    score = made(one("groq", "503", "listening"))
    assert not score.recovered
    assert score.faults[0] == "stuck"


def test_the_command_writes_what_it_prints(tmp_path, monkeypatch, capsys):
    known = {
        TurnState.LISTENING: Score(Outcome.NEXT, 700, 900, recovered=True),
        TurnState.THINKING: Score(Outcome.NOTHING, 9000, 9000),
    }
    other = Score(Outcome.TOLD, 1, 1, recovered=True)

    def measure_all(chosen, *_, **__):
        return {cell: known.get(cell.state, other) for cell in chosen}

    monkeypatch.setattr(faults, "_measure_all", measure_all)
    parser = ArgumentParser()
    faults.add_arguments(parser)
    file = tmp_path / "cells.json"
    arguments = ["--provider", "groq", "--fault", "503", "--json", str(file)]
    assert faults.main(parser.parse_args(arguments)) == 1
    written = json.loads(file.read_text())["cells"]
    assert [(cell["state"], cell["ok"]) for cell in written] == [
        ("listening", True),
        ("user speaking", True),
        ("thinking", False),
        ("bot speaking", True),
        ("judging a sound", True),
        ("after a barge-in", True),
    ]
    assert written[0] | {"provider": "groq", "fault": "HTTP 503", "outcome": "answered by next provider"} == written[0]
    assert written[0]["longest_silence_ms"] == 700
    printed = capsys.readouterr().out
    assert "5 of 6 cells right" in printed
    assert "9000-!" in printed
    assert faults.main(parser.parse_args([*arguments, "--state", "listening"])) == 0
    assert faults.main(parser.parse_args(["--fault", "no such"])) == 2
