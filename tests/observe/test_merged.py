"""Metrics of several processes as one text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from observe.merged import merged


def worker(calls: int, **more: float) -> str:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", registry=registry).inc(calls)
    refused = Counter("refused", 'Refused, "why" {and} where.', ["code", "place"], registry=registry)
    refused.labels('say "no" { }', "a b").inc(calls)
    Histogram("secs", "Seconds.", buckets=(1, 2), registry=registry).observe(1.5)
    for name, value in more.items():
        Gauge(name, "More.", registry=registry).set(value)
    return generate_latest(registry).decode()


def test_each_sample_tells_its_worker_and_each_family_stands_once():
    text = merged({"0": worker(3), "1": worker(4, only_here=1.5)})
    families = list(text_string_to_metric_families(text))
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert len(heads) == len(set(heads)), "nothing is told twice"
    assert len({family.name for family in families}) == len(families)
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}
    assert found["calls_total", (("worker", "0"),)] == 3
    assert found["calls_total", (("worker", "1"),)] == 4
    assert found["refused_total", (("code", 'say "no" { }'), ("place", "a b"), ("worker", "1"))] == 4
    assert found["secs_bucket", (("le", "2.0"), ("worker", "0"))] == 1
    assert found["only_here", (("worker", "1"),)] == 1.5


def test_nothing_is_lost_on_the_way():
    alone = [line for line in worker(2, more=1).splitlines() if not line.startswith("#")]
    both = merged({"0": worker(2, more=1), "1": worker(2, more=1)}).splitlines()
    assert len([line for line in both if not line.startswith("#")]) == 2 * len(alone)
    assert merged({}) == ""
