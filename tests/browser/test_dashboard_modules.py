"""The dashboard's pure modules, called directly inside the browser."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.stub_bot import running_bot
from tests.browser.test_modules import run
from tests.browser.visit import visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    async with running_bot() as bot, visit(browser, bot.url) as v:
        yield v.page


def answer(moments: list[dict[str, Any]], *, revision: int = 1, first: int = 0, levels: tuple = ()) -> dict[str, Any]:
    """What the bot says of a call, as far as the record looks at it."""
    numbered = [{"number": number, **moment} for number, moment in enumerate(moments, 1)]
    told = {"first": first, "per_sec": 10, "caller_db": list(levels), "bot_db": list(levels)}
    return {
        "state": "listening",
        "secs": 20,
        "end_reason": None,
        "revision": revision,
        "moments": numbered,
        "levels": told,
    }


async def record(page: Page, what: str, *answers: dict[str, Any]) -> Any:
    """An expression's value after a record ``r`` has taken the answers."""
    body = f"const r = new m.CallRecord(); for (const one of a) r.take(one); return {what};"
    return await run(page, "dashboard/call-record.js", body, list(answers))


async def test_words_belong_to_the_speech_that_has_ended_without_any(page: Page) -> None:
    moments = [
        {"kind": "speech", "at_ms": 1000, "until_ms": 1500},
        {"kind": "speech", "at_ms": 2000, "until_ms": 2600},
        {"kind": "words", "at_ms": 2100, "text": "okay", "source": "voice"},
        {"kind": "words", "at_ms": 3000, "text": "stop", "source": "voice"},
        {"kind": "words", "at_ms": 3100, "text": "now", "source": "voice"},
        {"kind": "words", "at_ms": 9000, "text": "hello", "source": "typed"},
        {"kind": "speech", "at_ms": 10_000},
        {"kind": "words", "at_ms": 10_500, "text": "so far", "source": "voice"},
    ]
    speech = await record(page, "r.speech()", answer(moments))
    assert [(span["at_ms"], span["until_ms"], span["text"].strip()) for span in speech] == [
        (1000, 1500, "okay"),
        (2000, 2600, "stop now"),
        (9000, 9000, "hello"),
        (10_000, 20_000, "so far"),
    ]


async def test_a_state_lasts_until_the_next_or_the_end(page: Page) -> None:
    moments = [
        {"kind": "state", "at_ms": 0, "state": "listening"},
        {"kind": "state", "at_ms": 700, "state": "thinking"},
        {"kind": "words", "at_ms": 800, "text": "x", "source": "typed"},
    ]
    spans = "r.states().map((one) => [one.state, one.at_ms, one.until_ms])"
    assert await record(page, spans, answer(moments)) == [["listening", 0, 700], ["thinking", 700, 20_000]]
    over = {"number": 4, "kind": "end", "at_ms": 900}
    assert (await record(page, spans, answer(moments), answer([], revision=2) | {"moments": [over]}))[1][2] == 900


async def test_answers_are_put_together_and_what_is_newer_is_asked_for(page: Page) -> None:
    first = answer([{"kind": "words", "at_ms": 5, "text": "a"}], revision=3, levels=(90, 40, 30))
    second = answer([{"kind": "words", "at_ms": 5, "text": "a b"}], revision=4, first=3, levels=(20,))
    assert await record(page, "[r.query, r.levels.caller]", first) == ["after=3&level=3", [90, 40, 30]]
    got = await record(page, "[r.query, r.levels.bot, r.moments().map((one) => one.text)]", first, second)
    assert got == ["after=4&level=4", [90, 40, 30, 20], ["a b"]]
    forgotten = answer([], revision=1, first=2, levels=(10,))
    assert await record(page, "r.levels.caller", forgotten) == [90, 90, 10]


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("m.millis(1234.4)", "1,234 ms"),
        ("m.millis(20.26)", "20.3 ms"),
        ("m.millis(0)", "0 ms"),
        ("m.millis(null)", "–"),
        ("m.duration(59.9)", "59 s"),
        ("m.duration(125)", "2:05 min"),
        ("m.duration(3725)", "1:02 h"),
        ("m.moment(65_249)", "1:05.2"),
        ("m.percent(0.9999)", "99.9 %"),
        ("m.percent(1)", "100 %"),
        ("m.percent(0.29)", "29 %"),
        ("m.dollars(0)", "$0"),
        ("m.dollars(12.345)", "$12.35"),
        ("m.dollars(0.0123)", "$0.012"),
        ("m.dollars(0.000123)", "$0.00012"),
    ],
)
async def test_how_figures_are_written(page: Page, call: str, written: str) -> None:
    assert (await run(page, "dashboard/format.js", f"return {call};")).replace("\u00a0", " ") == written


@pytest.mark.parametrize(
    ("quality", "grade"),
    [
        ({}, "unknown"),
        ({"lost_in_percent": 0.2, "jitter_in_ms": 5, "round_trip_ms": 80}, "good"),
        ({"lost_in_percent": 0, "lost_out_percent": 1.0}, "fair"),
        ({"jitter_in_ms": 30.0}, "fair"),
        ({"lost_in_percent": 0, "round_trip_ms": 600}, "poor"),
    ],
)
async def test_a_line_is_as_good_as_its_worst_figure(page: Page, quality: dict[str, float], grade: str) -> None:
    assert (await run(page, "dashboard/names.js", "return m.lineQuality(a);", quality))["grade"] == grade
