"""Clips over the bot's voice by folds: which there are, and what is told of them."""

import json
from pathlib import Path

import pytest

from loadtest.interruptions_folds import FoldClip, fold_table, play_folds, read_folds
from loadtest.rows import Row


def row(class_: str, outcome: str, verdict_ms: int | None = None) -> Row:
    decisions = [{"verdict": "resume", "verdict_ms": 90}, {"verdict": "cancel", "verdict_ms": verdict_ms}]
    stop_ms = None if verdict_ms is None else verdict_ms + 10
    return Row("x", class_, outcome, False, 0, stop_ms, None, 0, None, decisions if verdict_ms is not None else [])


def clip(split: str, class_: str) -> FoldClip:
    return FoldClip(split, "w.npz", Path("x.wav"), "x", class_, frozenset())


def test_a_folder_without_folds_tells_how_to_fill_it(tmp_path):
    (tmp_path / "other.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match=r"python -m training\.sounds"):
        read_folds(tmp_path)


def test_each_clip_has_the_model_that_has_not_heard_it_and_the_words(tmp_path):
    entry = {"file": "/clips/noise/a.wav", "class": "noise", "unheard_words": ["cough"]}
    (tmp_path / "words3.jsonl").write_text(json.dumps(entry) + "\n")
    (tmp_path / "speakers0.jsonl").write_text(json.dumps({**entry, "unheard_words": []}) + "\n")
    by_speaker, by_word = read_folds(tmp_path)
    assert by_word == FoldClip(
        "words", str(tmp_path / "words3.npz"), Path("/clips/noise/a.wav"), "noise/a.wav", "noise", frozenset({"cough"})
    )
    assert by_speaker.split == "speakers"
    assert by_speaker.unheard_words == frozenset()
    _, figures = play_folds(tmp_path, lambda clips: [row("noise", "resumed") for _ in clips], "noise")
    assert [each["split"] for each in figures["clips"]] == ["speakers", "words"]


def test_a_reply_that_was_taken_back_was_cancelled_but_not_lost():
    outcomes = ["kept_talking", "resumed", "taken_back", "cancelled"]
    played = [(clip("words", "backchannel"), row("backchannel", each)) for each in outcomes]
    played += [(clip("speakers", "speech"), row("speech", "cancelled", ms)) for ms in (200, 300)]
    text, (speakers, words) = fold_table(played)
    assert (speakers["cancelled"], speakers["lost"], speakers["verdict_ms"]) == (2, None, [200, 300])
    assert (words["cancelled"], words["lost"], words["clips"]) == (2, 1, 4)
    assert "2 of 4, 50 %" in text
    assert "1 of 4, 25 %" in text
    assert "verdict 250 / 295, silent 260 / 305 ms" in text
