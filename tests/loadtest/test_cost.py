import pytest

from loadtest.cost import costs, used
from loadtest.judging import CallScore
from observe.prices import Price, PriceError, Use, load_prices, price

USE = Use(
    minutes=10,
    prompt_tokens=1_000_000,
    cached_tokens=400_000,
    completion_tokens=100_000,
    characters=20_000,
    characters_unheard=5_000,
    counted_by="vendors",
)


def call(secs: float, heard: int, unheard: int) -> CallScore:
    return CallScore(
        0, 50.0, 0.0, secs, secs, 0, 0, 0, 0, 0.0, 0.0, 0.0, heard, unheard, requests=[{"kind": "question"}] * 3
    )


def test_a_use_times_its_prices():
    llm = Price(
        role="llm",
        per_million_prompt_tokens=0.15,
        per_million_cached_tokens=0.075,
        per_million_completion_tokens=0.6,
        as_of="2026-06-04",
        source="test",
    )
    assert price(USE, llm) == pytest.approx(0.6 * 0.15 + 0.4 * 0.075 + 0.1 * 0.6)
    tts = Price(role="tts", per_million_characters=50, as_of="2026-06-01", source="test")
    assert price(USE, tts) == pytest.approx(1.0)


def test_costs_by_request_and_minute_with_the_unheard_apart():
    found = costs(USE, 50, load_prices())
    upgrade = found["upgrade"]
    assert upgrade["by_role"]["stt"]["usd"] == pytest.approx(0.078)
    assert upgrade["by_role"]["tts"]["usd_per_1000_requests"] == pytest.approx(20.0)
    assert upgrade["by_role"]["tts"]["usd_unheard_per_1000_requests"] == pytest.approx(5.0)
    assert found["today"]["by_role"]["stt"]["usd_per_minute"] == pytest.approx(0.0048)
    assert found["today"]["by_role"]["tts"]["usd"] == 0
    total = sum(row["usd"] for row in upgrade["by_role"].values())
    assert upgrade["usd_per_1000_requests"] == pytest.approx(20 * total)


def test_vendors_counts_win_over_estimates():
    calls = [call(60, 800, 200), call(120, 1_000, 0)]
    assert used(calls, {}) == Use(3, 3_600, 0, 500, 2_000, 200, "estimate")
    vendors = {
        "deepgram": {"audio_ms": 150_000},
        "groq": {"prompt_tokens": 5_000, "completion_tokens": 700},
        "gtts": {"characters": 2_100},
    }
    assert used(calls, vendors) == Use(2.5, 5_000, 0, 700, 2_100, 200, "vendors")


def test_every_price_has_a_day_and_a_place_and_a_wrong_file_is_told(tmp_path):
    for vendor in load_prices().vendors.values():
        assert vendor.as_of.startswith("2026-")
        assert vendor.source
    file = tmp_path / "prices.toml"
    file.write_text('[vendors]\n[today]\nstt = "nobody"\n[upgrade]\n')
    with pytest.raises(PriceError, match="nobody"):
        load_prices(file)
