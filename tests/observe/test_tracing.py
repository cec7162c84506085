"""Spans: one for each call, turn and stage, at the times that were measured."""

import pytest

from observe.call_registry import CallRegistry
from tests.observe.calls import BEGAN, BEGAN_UNIX, decision, opened, play, turn

sdk = pytest.importorskip("opentelemetry.sdk.trace")

from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402
from opentelemetry.trace import StatusCode  # noqa: E402

from observe.tracing import Tracer  # noqa: E402


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def registry(exporter) -> CallRegistry:
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    registry = CallRegistry(lambda: {"llm": "groq", "stt": "deepgram"})
    registry.add_listener(Tracer(provider))
    return registry


def test_a_call_its_turn_and_its_stages(registry, exporter):
    record = opened(registry)
    play(record, turn(began=BEGAN + 2, stt=200, end_of_turn=100, llm=250))
    record.decided(BEGAN + 4, decision())
    record.over(BEGAN + 10, "the peer closed")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"call", "turn", "stt", "end_of_turn", "llm"}

    def secs(name: str) -> tuple[float, float]:
        span = spans[name]
        return tuple(round(ns / 1e9 - BEGAN_UNIX, 3) for ns in (span.start_time, span.end_time))

    assert secs("call") == (0, 10)
    assert secs("turn") == (2, 4)
    assert secs("stt") == (2, 2.2)
    assert secs("end_of_turn") == (2.2, 2.3)
    assert secs("llm") == (2.3, 2.55)
    assert spans["turn"].parent.span_id == spans["call"].context.span_id
    assert spans["llm"].parent.span_id == spans["turn"].context.span_id
    assert spans["llm"].attributes == {"parley.vendor": "groq"}
    assert spans["turn"].attributes["parley.voice_to_voice_ms"] == 600
    assert spans["call"].attributes["parley.end_reason"] == "the peer closed"
    assert [event.name for event in spans["call"].events] == ["interruption.decided"]
    assert "how much" not in str([span.to_json() for span in spans.values()])  # what was said stays here


def test_a_failed_turn_is_an_error(registry, exporter):
    record = opened(registry)
    play(record, turn(), error="HTTP 500")
    (failed,) = [span for span in exporter.get_finished_spans() if span.name == "turn"]
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, "HTTP 500")
