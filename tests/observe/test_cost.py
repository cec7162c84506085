"""What calls have cost so far."""

import pytest

from observe.call_registry import CallRegistry
from observe.cost import CostMeter
from observe.listener import Usage
from observe.prices import load_prices
from tests.observe.calls import BEGAN, opened

PAID = {"stt": "deepgram nova-3", "llm": "groq openai/gpt-oss-120b", "tts": "elevenlabs, then local"}
HERE = {"stt": "local", "llm": "scripted", "tts": "local"}


def metered(vendors: dict[str, str]) -> tuple[CallRegistry, CostMeter]:
    registry, meter = CallRegistry(lambda: vendors), CostMeter(load_prices())
    registry.add_listener(meter)
    return registry, meter


def test_each_vendor_is_paid_for_what_it_counts():
    registry, meter = metered(PAID)
    record = opened(registry)
    for unit, amount in (("prompt_tokens", 1e6), ("cached_tokens", 4e5), ("completion_tokens", 1e5)):
        record.used(Usage("llm", unit, amount))
    record.used(Usage("tts", "characters", 2_000))
    record.used(Usage("tts", "unheard_characters", 500))  # of the 2,000: paid once
    found = meter.so_far(registry, BEGAN + 120)
    assert found == {
        "deepgram-nova-3": pytest.approx(2 * 0.0048),
        "groq-gpt-oss-120b": pytest.approx(0.6 * 0.15 + 0.4 * 0.075 + 0.1 * 0.60),
        "elevenlabs-flash": pytest.approx(0.1),
    }


def test_recognition_is_paid_for_the_whole_call_once():
    registry, meter = metered(PAID)
    record = opened(registry)
    record.over(BEGAN + 60, "the peer closed")
    record.over(BEGAN + 90, "again")
    opened(registry, "another")
    assert meter.so_far(registry, BEGAN + 30)["deepgram-nova-3"] == pytest.approx(1.5 * 0.0048)


def test_what_runs_here_costs_nothing_and_is_not_listed():
    registry, meter = metered(HERE)
    record = opened(registry)
    record.used(Usage("llm", "prompt_tokens", 1e6))
    assert meter.so_far(registry, BEGAN + 60) == {}


@pytest.mark.parametrize(
    ("role", "name", "vendor"),
    [
        ("stt", "deepgram flux-general-en", "deepgram-flux"),
        ("llm", "groq openai/gpt-oss-20b", "groq-gpt-oss-20b"),
        ("tts", "gtts, then local", "gtts"),
        ("tts", "azure", "azure-neural"),
        ("llm", "gtts", None),
        ("llm", "llama3 at http://localhost:11434/v1", None),
        ("stt", "", None),
    ],
)
def test_the_bots_names_lead_to_prices(role, name, vendor):
    assert load_prices().of_provider(role, name) == vendor
