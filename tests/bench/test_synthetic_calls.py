"""Synthetic calls look like real ones to the book, at real rates."""

import asyncio

from bench.synthetic_calls import VENDORS, add_history, synthetic_calls
from observe.book import CallBook
from observe.statistics import Statistics


async def test_they_talk_as_long_as_they_are_wanted(virtual):
    book, statistics = CallBook(lambda: VENDORS), Statistics()
    book.add_listener(statistics)
    async with synthetic_calls(book, 3) as calls:
        for _ in range(60):
            await asyncio.sleep(1.0)
            for record in book.live():
                record.measure(asyncio.get_running_loop().time())
        record = calls[0].record
        assert 4 <= record.answers <= 8
        told = record.timeline(asyncio.get_running_loop().time())
    assert {moment["kind"] for moment in told["moments"]} >= {"state", "speech", "words", "turn", "said", "vendor"}
    assert len(told["levels"]["caller_db"]) in range(590, 611)
    assert min(told["levels"]["caller_db"]) < 25  # loud
    assert statistics.outcomes.total() >= 12
    assert [ended.end_reason for ended in book.ended()] == ["the peer closed"] * 3


async def test_a_long_past_is_kept_as_figures(virtual):
    book, statistics = CallBook(lambda: VENDORS), Statistics()
    book.add_listener(statistics)
    add_history(book, 50)
    voice_to_voice = statistics.latency()["voice_to_voice"]
    assert voice_to_voice is not None
    assert voice_to_voice["n"] == 50
    assert statistics.verdicts == {"resume": {"open": 50, "right": 0, "wrong": 0}}
    assert book.live() == []
