"""The dashboard in a real browser: what it shows is what the bot says, and only who may see it does."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from observe.record import CallRecord
from tests.browser.test_access import CONTRAST, scrolls_sideways
from tests.browser.visit import visit
from tests.browser.watched_calls import WatchedCalls, watched_calls
from tests.observe.calls import decision, play, turn

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "a-token-of-some-length"
FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
GATEWAY = {
    "queue": {"length": 3},
    "cache": {"hits": 7},
    "models": {
        "openai/gpt-oss-120b": {
            "circuit": "closed",
            "budgets": {"tokens_per_minute": {"left": 5200, "limit": 8000, "refill_secs": 12.5}},
        },
        "openai/gpt-oss-20b": {"circuit": "open", "budgets": {}},
    },
}


@pytest_asyncio.fixture(loop_scope="session")
async def watched() -> AsyncIterator[WatchedCalls]:
    async with watched_calls() as watched:
        yield watched


def begin(watched: WatchedCalls) -> CallRecord:
    return watched.registry.open(
        "caller", now=watched.now(), quality=lambda: {"lost_in_percent": 1.5, "jitter_in_ms": 4}
    )


async def test_an_empty_dashboard_says_what_to_do_next(browser: Browser, watched: WatchedCalls) -> None:
    async with visit(browser, f"{watched.url}/dashboard") as v:
        await expect(v.part("no-calls")).to_contain_text("press Talk")
        await expect(v.part("live")).to_be_hidden()
        await expect(v.part("tile-answer")).to_contain_text("No answer yet")
        await expect(v.part("gateway")).to_be_hidden()
        await v.part("no-calls").get_by_role("link").click()
        await expect(v.part("talk")).to_be_visible()
        assert v.hosts == {watched.url.removeprefix("http://")}


async def test_one_of_several_workers_leads_to_the_others(browser: Browser, watched: WatchedCalls) -> None:
    async with visit(browser, f"{watched.url}/dashboard") as v:
        await expect(v.part("link")).to_have_text("Live")
        await expect(v.part("workers")).to_be_hidden()
    async with watched_calls(worker={"index": 1, "count": 3}) as one, visit(browser, f"{one.url}/dashboard") as v:
        links = v.part("workers").get_by_role("link")
        await expect(links).to_have_text(["Worker 0", "Worker 1", "Worker 2"])
        await expect(links.nth(1)).to_have_attribute("aria-current", "page")
        await expect(links.nth(2)).to_have_attribute("href", "./workers/2/dashboard")
        ratios = await v.page.evaluate(CONTRAST)
        assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}


async def test_a_call_appears_changes_its_state_and_ends(browser: Browser, watched: WatchedCalls) -> None:
    async with visit(browser, f"{watched.url}/dashboard") as v:
        await expect(v.part("link")).to_have_text("Live")
        record = begin(watched)
        row = v.part("call-1")
        await expect(row.locator("[data-cell=state]")).to_contain_text("Connecting")
        await expect(v.part("tile-calls")).to_contain_text("1 of 4 lines")
        await expect(v.page.locator("#announcer")).to_have_text("Call 1 began.")
        for state, shown in (("user_speaking", "Caller speaks"), ("thinking", "Thinking"), ("speaking", "Bot speaks")):
            record.change_state(watched.now(), state)
            await expect(row.locator(".state-pill")).to_have_text(shown)
        record.hold(watched.now(), on=True)
        await expect(row.locator(".state-pill")).to_have_text("On hold")
        record.hold(watched.now(), on=False)
        await expect(row.locator(".state-pill")).to_have_text("Bot speaks")
        play(record, turn(answer_ms=1234))
        await expect(row.locator("[data-cell=answer]")).to_have_text("1,234 ms")
        record.measure(watched.now())
        await expect(row.locator("[data-cell=connection]")).to_contain_text("Fair 1.5 % lost")
        record.over(watched.now(), "the peer closed")
        await expect(v.page.locator("#ended").get_by_test_id("call-1")).to_contain_text("Over the peer closed")
        await expect(v.part("tile-calls")).to_contain_text("0 of 4 lines")
        await expect(v.page.locator("#announcer")).to_have_text("Call 1 ended.")


async def test_figures_are_those_of_the_api(browser: Browser) -> None:
    async with watched_calls(gateway=GATEWAY, cost={"groq": 0.0123, "elevenlabs": 1.5}) as watched:
        record = begin(watched)
        for number, answer_ms in enumerate((620, 640, 700, 1_650), 1):
            play(record, turn(number, answer_ms=answer_ms, llm=answer_ms - 200, playout=200))
        play(record, turn(9), error="HTTP 503")
        record.decided(watched.now(), decision(1, verdict_ms=280, wrong=None))
        record.decided(watched.now(), decision(1, verdict_ms=280, wrong=True))
        record.decided(watched.now(), decision(2, "cancel", text="stop"))
        watched.registry.refused("at_capacity")
        event = await watched.event()
        async with visit(browser, f"{watched.url}/dashboard") as v:
            for target in event["targets"]:
                row = v.part(f"target-{target['name']}-{target['percentile']}")
                await expect(row.locator("[data-cell=most]")).to_have_text(f"{target['most']:,} ms")
                if target["name"] != "loop_lag":  # it differs each time
                    value, met = target["value"], target["met"]
                    # Nothing was taken back, so there is no figure of it.
                    is_ = "–" if value is None else f"{value:,} ms"
                    await expect(row.locator("[data-cell=is]")).to_have_text(is_)
                    told = "–" if met is None else "Met" if met else "Missed"
                    await expect(row.locator("[data-cell=met]")).to_have_text(told)
            assert [t["met"] for t in event["targets"] if t["name"] == "voice_to_voice"] == [True, False]
            for name in ("llm", "playout"):
                for figure in ("p50", "p95", "p99"):
                    shown = v.part(f"stage-{name}").locator(f"[data-cell={figure}]")
                    await expect(shown).to_have_text(f"{event['latency'][name][figure]:,} ms")
            assert event["success"]["share"] == 0.8
            await expect(v.part("tile-success")).to_contain_text("80 %")
            await expect(v.part("tile-success")).to_contain_text("1 of 5 failed · at least 99.5 %")
            await expect(v.part("failures")).to_contain_text("HTTP #1")
            await expect(v.part("refused")).to_contain_text("At capacity1")
            verdict = v.part("verdict-resume")
            for name, number in event["interruptions"]["resume"].items():
                await expect(verdict.locator(f"[data-cell={name}]")).to_have_text(str(number))
            await expect(v.part("decision-1-1")).to_contain_text("“mhm” · too short")
            await expect(v.part("decision-1-1")).to_contain_text("Was wrong")
            await expect(v.part("tile-cost")).to_contain_text("$1.51")
            await expect(v.part("cost-groq")).to_contain_text("$0.012")
            model = v.part("model-openai/gpt-oss-120b")
            await expect(model).to_contain_text("5,200 of 8,000 left")
            await expect(model).to_contain_text("full in 13 s")
            await expect(v.part("model-openai/gpt-oss-20b")).to_contain_text("Resting after failures")
            await expect(v.part("gateway")).to_contain_text("3 requests wait · 7 answers from the cache")
            await expect(v.part("chart").locator("canvas")).to_be_visible()
            await expect(v.part("chart")).to_have_attribute(
                "aria-label", "Times of the last 5 answers; the slowest took 1,650\u00a0ms."
            )


async def test_from_elsewhere_the_page_asks_for_the_token(browser: Browser) -> None:
    async with watched_calls(token=TOKEN) as watched:
        begin(watched)
        options = {"extra_http_headers": FROM_ELSEWHERE, "expect_failed_requests": True}
        async with visit(browser, f"{watched.url}/dashboard", **options) as v:
            await expect(v.part("door")).to_contain_text("You come from another machine")
            await expect(v.part("tile-calls")).to_be_hidden()
            await v.part("token").fill("a guess")
            await v.part("open").click()
            await expect(v.part("door-reason")).to_have_text("That was not the token. Try again.")
            await v.part("token").fill(TOKEN)
            await v.page.keyboard.press("Enter")
            await expect(v.part("door")).to_be_hidden()
            await expect(v.part("tile-calls")).to_contain_text("1 of 4 lines")
            assert TOKEN not in v.page.url
            await v.page.reload()  # kept in this tab
            await expect(v.part("tile-calls")).to_be_visible()
    async with watched_calls() as watched, visit(browser, f"{watched.url}/dashboard", **options) as v:
        await expect(v.part("door")).to_contain_text("DASHBOARD_TOKEN=")
        await expect(v.part("token")).to_be_hidden()


async def test_it_comes_back_when_the_bot_does(browser: Browser) -> None:
    async with watched_calls() as watched:
        registry, url = watched.registry, watched.url
        context = visit(browser, f"{url}/dashboard", expect_failed_requests=True)
        v = await context.__aenter__()
        await expect(v.part("link")).to_have_text("Live")
    try:
        await expect(v.part("link")).to_have_text("Reconnecting")
        async with watched_calls(port=int(url.rpartition(":")[2]), registry=registry) as again:
            begin(again)
            await expect(v.part("link")).to_have_text("Live")
            await expect(v.part("call-1")).to_be_visible()
    finally:
        await context.__aexit__(None, None, None)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_shows_it_without_sideways_scrolling_and_with_enough_contrast(
    browser: Browser, scheme: str
) -> None:
    async with watched_calls(gateway=GATEWAY, cost={"groq": 0.0123}) as watched:
        record = begin(watched)
        play(record, turn())
        play(record, turn(2), error="a-cause-of-a-failure-without-any-spaces-" * 2)
        record.decided(watched.now(), decision(1, text="Donaudampfschifffahrt" * 4, wrong=None))
        record.measure(watched.now())
        options = {"viewport": {"width": 360, "height": 700}, "color_scheme": scheme}
        async with visit(browser, f"{watched.url}/dashboard", **options) as v:
            await expect(v.part("decision-1-1")).to_be_visible()
            assert not await scrolls_sideways(v.page)
            ratios = await v.page.evaluate(CONTRAST)
            assert len(ratios) > 60
            assert {text: ratio for text, ratio in ratios.items() if ratio < 4.5} == {}
