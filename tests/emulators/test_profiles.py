"""Profiles, and what is logged."""

import json

import pytest

from emulators.log import RequestLog
from emulators.profile import SHIPPED, ProfileError, load_profile


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_the_shipped_ones_are_read(path):
    profile = load_profile(path.stem)
    assert profile == load_profile(str(path))
    assert profile.name == path.stem
    assert profile.note


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed = 'x'", "seed: Input should be a valid integer"),
        ("[timing.groq.connect]\np50_ms = -1", "timing.groq.connect.p50_ms: Input should be greater"),
        ("colour = 1", "colour: Extra inputs"),
        ("[[faults]]\nvendor = 'gtts'\nkind = 'close'", "faults.0: Value error, gtts has no fault 'close'"),
        ("seed = ", "Invalid value"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, text, says):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ProfileError) as wrong:
        load_profile(str(path))
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_no_such_profile():
    with pytest.raises(ProfileError, match="no profile 'nope': neither a file nor one of .*today"):
        load_profile("nope")


def test_the_log_adds_up_and_is_written_line_by_line(tmp_path):
    now = [10.0]
    log = RequestLog(lambda: now[0], tmp_path / "log.jsonl")
    entry = log.open("gtts", "speak", "r1")
    now[0] += 0.25
    log.content_sent(entry, 100)
    log.content_sent(entry, 50)
    entry.status, entry.characters, entry.fault = 200, 12, "stall"
    now[0] += 0.25
    log.close(entry)
    log.close(entry)
    log.open("azure", "speak", "r2")
    log.end()
    assert (entry.first_byte_ms, entry.total_ms, entry.bytes_out) == (250.0, 500.0, 150)
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert (json.loads(line)["request_id"], "clock_at" in json.loads(line)) == ("r1", False)
    totals = log.totals()["gtts"]
    assert (totals["requests"], totals["characters"], totals["faults"]) == (1, 12, {"stall": 1})
    log.reset()
    assert log.entries() == []
