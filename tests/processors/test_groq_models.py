"""The models that a key may use, from the vendor's own list."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from emulators.faults import Vendor
from emulators.groq import make_app
from processors.llm.groq_models import ALL_OTHERS, chat_models, in_order, models_of
from tests.emulators.serving import serving

KEY = SecretStr("gsk_secret")
LISTED = [
    "whisper-large-v3", "llama-3.1-8b", "openai/gpt-oss-20b", "meta-llama/llama-guard-4-12b", "groq/compound",
    "playai-tts", "openai/gpt-oss-safeguard-20b", "qwen/qwen3.8-27b", "openai/gpt-oss-120b", "moonshotai/kimi-k2",
]  # fmt: skip


def entry(name, **more):
    return SimpleNamespace(**{"id": name, "active": True, "context_window": 131_072, **more})


def test_what_can_talk_is_found_and_what_caches_comes_first():
    assert chat_models([entry(name) for name in LISTED]) == [
        "openai/gpt-oss-120b", "openai/gpt-oss-20b", "moonshotai/kimi-k2", "qwen/qwen3.8-27b", "llama-3.1-8b",
    ]  # fmt: skip
    assert chat_models([entry("off-70b", active=False), entry("short-70b", context_window=4096)]) == []


@given(
    st.lists(st.sampled_from([*"abcdef", ALL_OTHERS]), unique=True), st.lists(st.sampled_from("abcdefgh"), unique=True)
)
def test_a_setting_decides_the_order_and_nothing_is_asked_twice(named, others):
    found = in_order(named, others)
    assert len(found) == len(set(found))
    assert ALL_OTHERS not in found
    assert [name for name in found if name in named] == [name for name in named if name != ALL_OTHERS]
    if ALL_OTHERS in named:
        assert set(found) == (set(named) | set(others)) - {ALL_OTHERS}


async def test_the_vendor_is_asked_only_if_all_are_wanted():
    models = {name: {} for name in ("openai/gpt-oss-20b", "qwen/qwen3.8-27b", "openai/gpt-oss-120b")}
    async with serving(make_app, groq_models=models) as (world, host):
        url = f"http://{host}"
        assert await models_of(KEY, ["a", "b"], url) == ["a", "b"]
        assert world.log.entries() == []
        found = await models_of(KEY, ["qwen/qwen3.8-27b", ALL_OTHERS], url)
        assert found == ["qwen/qwen3.8-27b", "openai/gpt-oss-120b", "openai/gpt-oss-20b"]


async def test_without_a_list_the_named_ones_are_asked():
    async with serving(make_app, {"vendor": Vendor.GROQ, "kind": "status", "status": 503}) as (_, host):
        assert await models_of(KEY, ["a", ALL_OTHERS], f"http://{host}") == ["a"]
    assert await models_of(KEY, ["a", ALL_OTHERS], "http://127.0.0.1:9") == ["a"]
