"""The page's pure modules, called directly inside the browser."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.stub_bot import running_bot
from tests.browser.visit import visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """One tab for all: pure modules keep nothing between calls."""
    async with running_bot() as bot, visit(browser, bot.url) as v:
        yield v.page


async def run(page: Page, module: str, body: str, argument: Any = None) -> Any:
    """Run ``body`` (statements ending in a return) with the module as ``m`` and the argument as ``a``."""
    function = f"async ([path, a]) => {{ const m = await import(path); {body} }}"
    return await page.evaluate(function, [f"/{module}", argument])


async def transcript(page: Page, *calls: list[Any]) -> list[dict[str, Any]]:
    """Entries of a transcript after calls of ``[method, arguments...]``."""
    body = "const t = new m.Transcript(); for (const [name, ...rest] of a) t[name](...rest); return t.plain();"
    return await run(page, "transcript.js", body, list(calls))


def said(text: str, *, final: bool = True, segment: int | None = None) -> list[Any]:
    return ["userWords", {"text": text, "final": final} | ({} if segment is None else {"segment": segment})]


def texts(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(entry["who"], entry["text"]) for entry in entries]


async def test_a_segment_is_replaced_and_can_be_taken_back(page: Page) -> None:
    calls = [
        said("I want", segment=1, final=False),
        said("I want to book", segment=1),
        said("a table", segment=2),
        said("I want to book a", segment=1),
        said("cough", segment=3, final=False),
        said("", segment=3),
    ]
    assert texts(await transcript(page, *calls)) == [("user", "I want to book a a table")]
    assert await transcript(page, said("uh", segment=1, final=False), said("", segment=1)) == []


async def test_unnumbered_words_replace_the_partial_ones_only(page: Page) -> None:
    calls = [said("one", final=False), said("one two"), said("three", final=False), said("three four")]
    entries = await transcript(page, *calls)
    assert texts(entries) == [("user", "one two three four")]
    assert entries[0]["final"]


async def test_words_over_the_bot_do_not_tear_its_reply_apart(page: Page) -> None:
    calls = [["wordHeard", 1, "It "], ["wordHeard", 1, "is "], said("mhm", segment=1), ["wordHeard", 1, "noon."]]
    assert texts(await transcript(page, *calls)) == [("bot", "It is noon."), ("user", "mhm")]


async def test_a_word_heard_counts_over_the_protocols_vaguer_messages(page: Page) -> None:
    calls = [
        ["botText", "Good"],
        ["wordHeard", 1, "Good "],
        ["botText", "day."],
        ["wordHeard", 1, "day."],
        ["wordHeard", 1, "How?"],
        ["botStopped"],
    ]
    assert texts(await transcript(page, *calls)) == [("bot", "Good day. How?")]


async def test_a_reply_that_nobody_heard_is_not_shown_unless_the_voice_failed(page: Page) -> None:
    over = {"reply_id": 1, "heard": "", "unheard": "Rome is old.", "cut": True}
    assert await transcript(page, ["replyPlayed", over]) == []
    entries = await transcript(page, ["replyPlayed", over | {"cut": False}])
    assert [(entry["text"], entry["unheard"], entry["cut"]) for entry in entries] == [("", "Rome is old.", False)]


async def test_a_late_word_does_not_reopen_a_reply(page: Page) -> None:
    over = {"reply_id": 1, "heard": "Rome", "unheard": "is old.", "cut": True}
    entries = await transcript(page, ["wordHeard", 1, "Rome "], ["replyPlayed", over], ["wordHeard", 1, "is "])
    assert texts(entries) == [("bot", "Rome")]


async def test_the_time_to_answer_may_come_before_the_answer(page: Page) -> None:
    calls = [["wordHeard", 1, "One."], ["replyPlayed", {"reply_id": 1, "heard": "One.", "unheard": "", "cut": False}]]
    calls += [["answered", 700], ["wordHeard", 2, "Two."], ["answered", 640, 2]]
    entries = await transcript(page, *calls)
    assert [entry["answer_ms"] for entry in entries] == [None, 640]
    assert (await transcript(page, *calls[:-1]))[1]["answer_ms"] == 700


async def test_the_transcript_does_not_grow_without_end(page: Page) -> None:
    entries = await transcript(page, *(["typed", f"text {i}"] for i in range(600)))
    assert (len(entries), entries[0]["text"], entries[-1]["text"]) == (500, "text 100", "text 599")


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        ('{"label":"rtvi-ai","type":"bot-ready","id":"1"}', {"type": "bot-ready"}),
        (
            '{"label":"rtvi-ai","type":"server-message","data":{"type":"word-heard","reply_id":1,"text":"a "}}',
            {"type": "word-heard", "reply_id": 1, "text": "a "},
        ),
        (
            '{"label":"rtvi-ai","type":"error","data":{"error":"gone","fatal":true}}',
            {"type": "error", "message": "gone", "fatal": True},
        ),
        ('{"type":"signalling","message":{"type":"peerLeft"}}', {"type": "signalling:peerLeft"}),
        ('{"type":"signalling"}', {"type": "signalling:undefined"}),
        ('{"label":"rtvi-ai","type":"server-message"}', None),
        ('{"label":"other","type":"bot-ready"}', None),
        ('{"type":5}', None),
        ("null", None),
        ("[]", None),
        ("{", None),
    ],
)
async def test_messages_are_read_and_strange_ones_ignored(page: Page, raw: str, event: dict[str, Any] | None) -> None:
    assert await run(page, "rtvi.js", "return m.parse(a);", raw) == event


async def test_delays_double_up_to_a_quarter_of_a_minute(page: Page) -> None:
    body = "return [1, 2, 3, 5, 50].map((n) => [m.backoffSecs(n, 0), m.backoffSecs(n, 0.999)]);"
    delays = await run(page, "retry.js", body)
    assert [low for low, _ in delays] == [0.5, 1, 2, 7.5, 7.5]
    assert [round(high, 1) for _, high in delays] == [1, 2, 4, 15, 15]


async def test_a_countdown_tells_each_second_and_can_be_cut_short(page: Page) -> None:
    body = """
        const skip = new AbortController();
        const told = [];
        const start = performance.now();
        await m.countdown(1.05, (left) => told.push(left), skip.signal);
        const waited = performance.now() - start;
        await m.countdown(60, (left) => { told.push(left); skip.abort(); }, skip.signal);
        return [told, waited, performance.now() - start];
    """
    told, waited_ms, all_ms = await run(page, "retry.js", body)
    assert told == [2, 1, 60]
    assert 1_040 <= waited_ms < 10_000
    assert all_ms < 30_000


async def test_the_servers_measure_replaces_the_pages_own(page: Page) -> None:
    body = """
        const clock = new m.AnswerClock();
        const log = [clock.answered(5)];
        clock.asked(100); log.push(clock.answered(900), clock.answered(950));
        clock.told(700); log.push(clock.summary());
        clock.asked(1000); log.push(clock.answered(1500));
        clock.told(400); log.push(clock.summary());
        return log;
    """
    assert await run(page, "answer-clock.js", body) == [
        None,
        800,
        None,
        {"lastMs": 700, "medianMs": 700},
        None,
        {"lastMs": 400, "medianMs": 550},
    ]


async def test_loudness_is_even_to_the_ear(page: Page) -> None:
    body = "return [0, 1e-3, 10 ** (-36 / 20), 10 ** (-12 / 20), 1].map(m.loudness);"
    levels = await run(page, "meters.js", body)
    assert levels == pytest.approx([0, 0, 0.5, 1, 1])


async def test_credentials_that_hold_for_a_while_are_asked_for_again(page: Page) -> None:
    body = """
    let asked = 0, at = 1000;
    Date.now = () => at;
    const told = (n) => ({ice_servers: [{urls: "turn:t", username: String(n), credential: "c"}]});
    const ask = async () => { asked += 1; if (asked === 2) throw new Error("gone"); return told(asked); };
    const servers = new m.IceServers(ask);
    servers.learned(told(0));
    const seen = [];
    for (const later of [0, 20_000, 40_000, 80_000]) {
      at = 1000 + later;
      seen.push((await servers.current())[0].username);
    }
    const none = new m.IceServers(async () => { throw new Error("never asked"); });
    at = 10 ** 9;
    return [seen, await none.current()];
    """
    assert await run(page, "ice-servers.js", body) == [["0", "0", "1", "1"], []]
