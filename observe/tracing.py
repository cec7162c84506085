"""Traces for OpenTelemetry: one span for each call, turn and stage.

Spans are made when a turn is over, with the times that were measured, so that tracing costs nothing while a turn
runs. What was said is not in them. Needs the ``otel`` extra.
"""

import asyncio
import importlib.util
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from observe.entries import Turn
from observe.listener import Listener
from observe.record import CallRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SERVICE_NAME: Final = "parley"
SHUTDOWN_SECS: Final = 5.0
"""How long the last spans may take to leave when the process stops."""

_VENDOR_ROLES: Final = {"stt": "stt", "llm": "llm", "clause": "llm", "tts": "tts"}
"""Stages that a provider works in."""


class TracingError(Exception):
    """Traces are wanted and cannot be made; says what to do."""


class Tracer(Listener):
    """Makes the spans.

    Args:
        provider: Where they go.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry import trace

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE_NAME)
        self._calls: dict[str, Span] = {}

    @classmethod
    def exporting_to(cls, endpoint: str) -> "Tracer":
        """One that sends OTLP over HTTP.

        Args:
            endpoint: The collector's address, without ``/v1/traces``.

        Raises:
            TracingError: The packages are not installed.
        """
        if importlib.util.find_spec("opentelemetry.exporter") is None:
            raise TracingError("traces need further packages: pip install 'parley[otel]'")
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

    async def close(self) -> None:
        """Send what is left."""
        stopping = asyncio.create_task(asyncio.to_thread(self._provider.shutdown))
        await asyncio.wait([stopping], timeout=SHUTDOWN_SECS)

    # --- events ----------------------------------------------------------------------------

    def opened(self, record: CallRecord) -> None:
        """Begin the call's span."""
        attributes = {"parley.call": record.name, **{f"parley.{role}": name for role, name in record.vendors.items()}}
        start = _unix_ns(record, record.began)
        self._calls[record.call_id] = self._tracer.start_span("call", attributes=attributes, start_time=start)

    def turn_over(self, record: CallRecord, turn: Turn) -> None:
        """Make the spans of a turn and of its stages."""
        call = self._calls.get(record.call_id)
        if call is None or turn.ended is None:
            return
        attributes: dict[str, Any] = {
            "parley.turn": turn.turn_id,
            "parley.reply": turn.reply_id,
            "parley.outcome": turn.outcome,
        }
        if turn.answer_ms is not None:
            attributes["parley.voice_to_voice_ms"] = turn.answer_ms
        span = self._child(call, "turn", _unix_ns(record, turn.began), attributes)
        if turn.outcome == "failed":
            reason = turn.error or "no answer"
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, reason))
        at = turn.began
        for stage, ms in turn.stages_ms.items():
            role = _VENDOR_ROLES.get(stage)
            vendor = {"parley.vendor": record.vendors[role]} if role in record.vendors else {}
            self._child(span, stage, _unix_ns(record, at), vendor).end(_unix_ns(record, at + ms / 1000))
            at += ms / 1000
        span.end(_unix_ns(record, turn.ended))

    def decided(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Note it in the call's span."""
        self._note(record, "interruption.decided", decision)

    def judged(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Note it in the call's span."""
        self._note(record, "interruption.judged", decision)

    def over(self, record: CallRecord) -> None:
        """End the call's span."""
        call = self._calls.pop(record.call_id, None)
        if call is not None and record.ended is not None:
            call.set_attribute("parley.end_reason", record.end_reason or "")
            call.set_attribute("parley.answers", record.answers)
            call.end(_unix_ns(record, record.ended))

    # --- spans -----------------------------------------------------------------------------

    def _child(self, parent: "Span", name: str, start_ns: int, attributes: Mapping[str, Any]) -> "Span":
        context = self._trace.set_span_in_context(parent)
        return self._tracer.start_span(name, context=context, attributes=attributes, start_time=start_ns)

    def _note(self, record: CallRecord, name: str, decision: Mapping[str, Any]) -> None:
        call = self._calls.get(record.call_id)
        if call is None:
            return
        kept = ("sound_id", "mode", "verdict", "reason", "verdict_ms", "silence_ms", "outcome", "wrong")
        known = {f"parley.{key}": decision[key] for key in kept if decision.get(key) is not None}
        call.add_event(name, known)


def _unix_ns(record: CallRecord, at: float) -> int:
    return round((record.began_at + at - record.began) * 1e9)
