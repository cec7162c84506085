"""Figures for Prometheus (https://prometheus.io/docs/practices/naming/): base units, so seconds and bytes.

Counters and histograms are fed by events; what is a state is read when Prometheus asks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from observe.call_registry import CallRegistry
from observe.entries import Turn
from observe.gateway import GatewaySnapshot, figures
from observe.listener import Listener, Usage
from observe.record import CallRecord, cause_of
from observe.statistics import Counts

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
STATES: Final = ("connecting", "listening", "user_speaking", "thinking", "speaking", "paused", "closing")

_STAGE_BUCKETS: Final = (
    *(0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8),
    *(1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0),
)
_VERDICT_BUCKETS: Final = (0.05, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0)
_CALL_BUCKETS: Final = (5, 15, 30, 60, 120, 300, 600, 1200, 3600)
_LAG_SHARES: Final = {"0.5": "lag_p50_ms", "0.95": "lag_p95_ms", "0.99": "lag_p99_ms", "1": "lag_max_ms"}


@dataclass(frozen=True)
class States:
    """Where the figures that are states come from.

    Attributes:
        call_registry: The calls.
        max_calls: Calls that are taken at once, as of now.
        loop_lag: The event loop's lag, as :meth:`admission.loop_lag.LoopLag.percentiles` tells it.
        gateway: What the gateway says of itself, if there is one.
        cost: Cost so far in US dollars by vendor, if it is known.
        dropped: Datagrams that calls' sockets dropped, by why.
    """

    call_registry: CallRegistry
    max_calls: Callable[[], int]
    loop_lag: Callable[[], Mapping[str, float]] = dict
    gateway: GatewaySnapshot | None = None
    cost: Callable[[], Mapping[str, float]] | None = None
    dropped: Callable[[], Mapping[str, int]] = dict


class Metrics(Listener):
    """All of them, in a registry of their own.

    Args:
        states: See there.
    """

    def __init__(self, states: States) -> None:
        self.registry = registry = CollectorRegistry()
        self._causes = Counts()
        self._errors = Counts()
        self._refusals = Counts()
        self._faults = Counts()
        self._calls = Counter("parley_calls", "Calls begun.", registry=registry)
        self._calls_ended = Counter("parley_calls_ended", "Calls ended, by why.", ["reason"], registry=registry)
        self._refused = Counter("parley_calls_refused", "Offers refused, by why.", ["code"], registry=registry)
        self._call_secs = Histogram(
            "parley_call_duration_seconds", "Length of calls.", buckets=_CALL_BUCKETS, registry=registry
        )
        self._voice_to_voice = Histogram(
            "parley_voice_to_voice_seconds",
            "From the end of the caller's speech to the first sample of the answer.",
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._stages = Histogram(
            "parley_stage_seconds",
            "Each stage of an answer; they add up to voice to voice.",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self._turns = Counter("parley_turns", "Turns of callers, by how they ended.", ["outcome"], registry=registry)
        self._failures = Counter(
            "parley_failures", "Turns without an answer, or with a broken one.", ["cause"], registry=registry
        )
        self._repaired = Counter(
            "parley_faults_repaired", "Faults repaired by a deadline.", ["fault"], registry=registry
        )
        self._interruptions = Counter(
            "parley_interruptions",
            "Sounds over the bot's voice, by verdict and by what was done at their first moment.",
            ["verdict", "mode"],
            registry=registry,
        )
        self._judged = Counter(
            "parley_interruptions_judged",
            "Verdicts that the next seconds proved right or wrong.",
            ["verdict", "wrong"],
            registry=registry,
        )
        self._replies_lost = Counter(
            "parley_replies_lost",
            "Replies that ended for a sound by which nobody had wanted to end them.",
            registry=registry,
        )
        self._replies_taken_back = Counter(
            "parley_replies_taken_back",
            "Replies that were cut for a sound that was nothing, and went on where they had stopped.",
            registry=registry,
        )
        self._taken_back_secs = Histogram(
            "parley_taken_back_silence_seconds",
            "How long the bot's voice was silent before a reply that was cut for nothing went on.",
            buckets=(*_VERDICT_BUCKETS, 3.0, 4.0),
            registry=registry,
        )
        self._verdict_secs = Histogram(
            "parley_verdict_seconds",
            "From the onset of a sound over the bot's voice to its verdict.",
            ["verdict"],
            buckets=_VERDICT_BUCKETS,
            registry=registry,
        )
        self._silence_secs = Histogram(
            "parley_false_alarm_silence_seconds",
            "How long the bot's voice was silent for a sound that was no interruption.",
            buckets=(0, *_VERDICT_BUCKETS),
            registry=registry,
        )
        self._vendor_errors = Counter(
            "parley_vendor_errors", "Failures of providers, noticed by the caller or not.", ["role", "error"],
            registry=registry,
        )  # fmt: skip
        self._usage = Counter("parley_usage", "What vendors count.", ["role", "unit"], registry=registry)
        registry.register(_StateCollector(states))
        ProcessCollector(registry=registry)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)

    # --- events ----------------------------------------------------------------------------

    def opened(self, record: CallRecord) -> None:
        """Count."""
        self._calls.inc()

    def answered(self, record: CallRecord, turn: Turn) -> None:
        """Observe its stages."""
        if turn.answer_ms is not None:
            self._voice_to_voice.observe(turn.answer_ms / 1000)
        for stage, ms in turn.stages_ms.items():
            self._stages.labels(stage).observe(ms / 1000)

    def turn_over(self, record: CallRecord, turn: Turn) -> None:
        """Count."""
        self._turns.labels(turn.outcome).inc()

    def decided(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Count, and observe how long it took."""
        verdict = str(decision["verdict"])
        self._interruptions.labels(verdict, str(decision["mode"])).inc()
        if decision["verdict_ms"] is not None:
            self._verdict_secs.labels(verdict).observe(decision["verdict_ms"] / 1000)
        if verdict == "resume":
            self._silence_secs.observe(decision["silence_ms"] / 1000)

    def judged(self, record: CallRecord, decision: Mapping[str, Any]) -> None:
        """Count."""
        self._judged.labels(str(decision["verdict"]), "yes" if decision["wrong"] else "no").inc()
        if decision.get("outcome") == "lost":
            self._replies_lost.inc()
        elif decision.get("outcome") == "taken_back":
            self._replies_taken_back.inc()
            self._taken_back_secs.observe(decision["silence_ms"] / 1000)

    def failed(self, record: CallRecord, cause: str) -> None:
        """Count."""
        self._failures.labels(self._causes.add(cause)).inc()

    def repaired(self, record: CallRecord, fault: str) -> None:
        """Count."""
        self._repaired.labels(self._faults.add(cause_of(fault))).inc()

    def vendor_failed(self, role: str, vendor: str, error: str) -> None:
        """Count."""
        self._vendor_errors.labels(role, self._errors.add(f"{vendor}: {cause_of(error)}")).inc()

    def used(self, record: CallRecord, usage: Usage) -> None:
        """Add up."""
        self._usage.labels(usage.role, usage.unit).inc(usage.amount)

    def refused(self, code: str) -> None:
        """Count."""
        self._refused.labels(self._refusals.add(code)).inc()

    def over(self, record: CallRecord) -> None:
        """Count."""
        self._calls_ended.labels(record.end_reason or "unknown").inc()
        if record.ended is not None:
            self._call_secs.observe(record.ended - record.began)


class _StateCollector(Collector):
    """What is read when Prometheus asks."""

    def __init__(self, states: States) -> None:
        self._states = states

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the gateway decides what it tells."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures now."""
        live = self._states.call_registry.live()
        by_state = GaugeMetricFamily("parley_calls_live", "Calls that go on, by state.", labels=["state"])
        for state in STATES:
            by_state.add_metric([state], sum(record.state == state for record in live))
        yield by_state
        yield GaugeMetricFamily("parley_calls_max", "Calls that are taken at once.", value=self._states.max_calls())
        lags = self._states.loop_lag()
        lag = GaugeMetricFamily(
            "parley_event_loop_lag_seconds",
            "How late the event loop ran what was due, in the last minute.",
            labels=["quantile"],
        )
        for share, name in _LAG_SHARES.items():
            if name in lags:
                lag.add_metric([share], lags[name] / 1000)
        yield lag
        yield from self._gateway()
        dropped = CounterMetricFamily(
            "parley_datagrams_dropped", "Datagrams that calls' sockets dropped, by why.", labels=["reason"]
        )
        for reason, count in self._states.dropped().items():
            dropped.add_metric([reason], count)
        yield dropped
        if self._states.cost is not None:
            cost = GaugeMetricFamily("parley_cost_dollars", "Cost so far, by vendor.", labels=["vendor"])
            for vendor, dollars in self._states.cost().items():
                cost.add_metric([vendor], dollars)
            yield cost

    def _gateway(self) -> Iterable[Metric]:
        if self._states.gateway is None:
            return
        families: dict[str, GaugeMetricFamily] = {}
        for figure in figures(self._states.gateway()):
            # A family has one set of labels; a figure of another set under the same name would be its own mistake.
            name = f"parley_gateway_{figure.name}"
            if name not in families:
                families[name] = GaugeMetricFamily(name, "As the gateway tells.", labels=list(figure.labels))
            families[name].add_metric(list(figure.labels.values()), figure.value)
        yield from families.values()
