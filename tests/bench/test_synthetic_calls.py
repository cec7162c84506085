"""Synthetic calls look like real ones to the registry, at real rates."""

import asyncio

from bench.synthetic_calls import VENDORS, add_history, synthetic_calls
from observe.call_registry import CallRegistry
from observe.statistics import Statistics


async def test_they_talk_as_long_as_they_are_wanted(virtual):
    registry, statistics = CallRegistry(lambda: VENDORS), Statistics()
    registry.add_listener(statistics)
    async with synthetic_calls(registry, 3) as calls:
        for _ in range(60):
            await asyncio.sleep(1.0)
            for record in registry.live():
                record.measure(asyncio.get_running_loop().time())
        record = calls[0].record
        assert 4 <= record.answers <= 8
        told = record.timeline(asyncio.get_running_loop().time())
    assert {moment["kind"] for moment in told["moments"]} >= {"state", "speech", "words", "turn", "said", "vendor"}
    assert len(told["levels"]["caller_db"]) in range(590, 611)
    assert min(told["levels"]["caller_db"]) < 25  # loud
    assert statistics.outcomes.total() >= 12
    assert [ended.end_reason for ended in registry.ended()] == ["the peer closed"] * 3


async def test_a_long_past_is_kept_as_figures(virtual):
    registry, statistics = CallRegistry(lambda: VENDORS), Statistics()
    registry.add_listener(statistics)
    add_history(registry, 50)
    voice_to_voice = statistics.latency()["voice_to_voice"]
    assert voice_to_voice is not None
    assert voice_to_voice["n"] == 50
    assert statistics.verdicts == {"resume": {"open": 50, "right": 0, "wrong": 0}}
    assert registry.live() == []
