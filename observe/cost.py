"""What the calls have cost so far, by vendor: use as it is counted, times list prices.

Streamed recognition is paid for the whole call, voices by the character, models by the token. A provider that is not in
the price file, as what runs on this machine, is left out.
"""

from typing import Final

from observe.call_registry import CallRegistry
from observe.listener import Listener, Usage
from observe.prices import Prices, Use, price
from observe.record import CallRecord

_UNITS: Final = ("prompt_tokens", "cached_tokens", "completion_tokens", "characters")


class CostMeter(Listener):
    """Counts.

    Args:
        prices: List prices.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._counts: dict[str, dict[str, float]] = {}

    def opened(self, record: CallRecord) -> None:
        """From now on its vendors are shown, though they cost nothing yet."""
        for role in record.vendors:
            self._count(record, role, {})

    def used(self, record: CallRecord, usage: Usage) -> None:
        """Add up."""
        if usage.unit in _UNITS:
            self._count(record, usage.role, {usage.unit: usage.amount})

    def over(self, record: CallRecord) -> None:
        """The call's minutes are known."""
        if record.ended is not None:
            self._count(record, "stt", {"minutes": (record.ended - record.began) / 60})

    def so_far(self, registry: CallRegistry, now: float) -> dict[str, float]:
        """US dollars by vendor, the calls that go on included.

        Args:
            registry: Knows the calls that go on.
            now: The loop's seconds.
        """
        live_minutes: dict[str, float] = {}
        for record in registry.live():
            vendor = self._vendor(record, "stt")
            if vendor is not None:
                live_minutes[vendor] = live_minutes.get(vendor, 0.0) + (now - record.began) / 60
        dollars = {}
        for vendor, counts in self._counts.items():
            minutes = counts.get("minutes", 0.0) + live_minutes.get(vendor, 0.0)
            use = Use(
                minutes=minutes,
                prompt_tokens=counts.get("prompt_tokens", 0.0),
                cached_tokens=counts.get("cached_tokens", 0.0),
                completion_tokens=counts.get("completion_tokens", 0.0),
                characters=counts.get("characters", 0.0),
            )
            dollars[vendor] = price(use, self._prices.vendors[vendor])
        return dollars

    def _vendor(self, record: CallRecord, role: str) -> str | None:
        return self._prices.of_provider(role, record.vendors.get(role, ""))

    def _count(self, record: CallRecord, role: str, amounts: dict[str, float]) -> None:
        vendor = self._vendor(record, role)
        if vendor is None:
            return
        counts = self._counts.setdefault(vendor, {})
        for unit, amount in amounts.items():
            counts[unit] = counts.get(unit, 0.0) + amount
