"""The document cannot be older than the bot without saying so, and says of nothing that it is missing that is there."""

import pytest

from loadtest import document
from loadtest.ablations import VARIANTS
from loadtest.capabilities import CAPABILITIES, known, made_before, warning
from settings import Settings


def test_every_capability_has_a_setting_and_an_ablation() -> None:
    assert set(known()) <= Settings.model_fields.keys()
    changed = {name for variant in VARIANTS for name in variant.settings}
    assert set(known()) <= changed


def test_a_run_tells_what_it_is_older_than() -> None:
    assert made_before({"capabilities": known()}) == []
    assert warning({"capabilities": known()}) == ""
    assert made_before({}) == list(CAPABILITIES)
    newest = list(CAPABILITIES)[-1]
    assert newest in warning({"capabilities": known()[:-1]}) or len(made_before({"capabilities": known()[:-1]})) == 1


@pytest.mark.skipif(not document.DOCUMENT.is_file(), reason="no runs are kept")
def test_the_document_says_which_of_its_runs_are_older_than_the_bot() -> None:
    text = document.DOCUMENT.read_text("utf-8")
    runs, ablations = document.read()
    for found in [*(run["summary"]["run"] for run in runs.values()), ablations]:
        assert warning(found) in text


@pytest.mark.skipif(not document.DOCUMENT.is_file(), reason="no runs are kept")
def test_nothing_is_called_missing_that_the_bot_can_do() -> None:
    missing = document.DOCUMENT.read_text("utf-8").split("### Not measured")[1].split("\n## ")[0].lower()
    for words in ("speculative", "prepared", "preemptive", "hedging", "early"):
        assert words not in missing
