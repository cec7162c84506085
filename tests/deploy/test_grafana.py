"""The dashboard for Grafana asks for nothing that the bot does not export, and lies on Grafana's grid."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from observe.call_registry import CallRegistry
from observe.listener import Usage
from observe.metrics import Metrics, States
from tests.observe.calls import BEGAN, decision, opened, play, turn

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "parley.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
FROM_PROMETHEUS = {"instance", "le"}
"""Labels that a sample has besides its own."""

GATEWAY = {
    "queue": {"length": 2},
    "cache": {"hits": 7},
    "models": {"big": {"circuit": "closed", "budgets": {"tokens": {"left": 1, "limit": 2, "refill_secs": 3.0}}}},
}


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """Labels by name of every sample, after everything has happened once."""
    registry = CallRegistry(lambda: {"tts": "azure"})
    lag = {f"lag_{name}_ms": 1.0 for name in ("p50", "p95", "p99", "max")}
    metrics = Metrics(States(registry, lambda: 5, lambda: lag, lambda: GATEWAY, lambda: {"azure": 0.5}))
    registry.add_listener(metrics)
    record = opened(registry)
    play(record, turn())
    play(record, turn(2), error="HTTP 500")
    record.decided(BEGAN + 1, decision(wrong=None))
    record.decided(BEGAN + 2, decision(wrong=True))
    record.fault(BEGAN + 3, "no reply after 8 s")
    record.vendor_failed("tts", "no audio")
    record.used(Usage("llm", "prompt_tokens", 10))
    registry.refused("at_capacity")
    record.over(BEGAN + 60, "the peer closed")
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_every_metric_and_label_is_exported(panel, exported):
    for target in panel["targets"]:
        query = target["expr"]
        named = re.findall(r"\b((?:parley|process)_\w+)(?:\{([^}]*)\})?", query)
        assert named
        labels = set().union(*(exported[name] for name, _ in named))  # KeyError: no such metric
        for name, selectors in named:
            asked = set(re.findall(r"(\w+)\s*[=!]", selectors))
            assert asked <= exported[name] | FROM_PROMETHEUS, f"{name} has no {asked - exported[name]}"
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")}
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert grouped | shown <= labels | FROM_PROMETHEUS
        assert not re.search(r"by \(", query) or shown <= grouped  # a legend of what the sum has dropped is empty


def test_most_of_what_the_bot_exports_is_shown(exported):
    asked = " ".join(query for panel in PANELS for query in queries(panel))
    ours = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in exported if name.startswith("parley_")}
    assert {name for name in ours if name not in asked} == set()


def test_panels_lie_side_by_side_on_the_grid():
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        own = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert all(column < 24 for column, _ in own)
        assert not own & cells, panel["title"]
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_it_can_be_imported_anywhere():
    assert "id" not in DASHBOARD
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
