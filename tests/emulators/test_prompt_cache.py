"""The emulated prompt cache: prefixes, the shortest that is kept, misses, expiry, and what counts."""

import random

from hypothesis import given
from hypothesis import strategies as st

from contracts.llm import Finish, Quota
from emulators.prompt_cache import BLOCK_TOKENS, CacheRules, PromptCache, rendered
from emulators.rates import ModelBudget, ModelLimits
from tests.emulators.test_groq import groq

SURE = CacheRules(min_tokens=256, miss_rate=0)
SYSTEM = {"role": "system", "content": "You are a help line. " * 300}


def cache(rules=SURE):
    return PromptCache(rules, random.Random(1))


@given(st.integers(0, 6000), st.integers(0, 6000), st.integers(0, 2048))
def test_what_two_prompts_share_is_cached_in_whole_blocks_from_the_shortest_length_on(shared, rest, min_tokens):
    it = cache(CacheRules(min_tokens=min_tokens, miss_rate=0))
    it.read("a" * shared + "b" * rest, 0.0)
    found = it.cached_tokens("a" * shared + "c" * rest, 1.0)
    blocks = shared // (4 * BLOCK_TOKENS) * BLOCK_TOKENS
    assert found == (blocks if blocks and blocks >= min_tokens else 0)


def test_a_prefix_expires_without_use_and_hits_are_not_promised():
    it = cache()
    it.read("a" * 4096, 0.0)
    assert it.cached_tokens("a" * 4096, 7200.0) == 1024
    assert it.cached_tokens("a" * 4096, 7201.0) == 0
    often = cache(CacheRules(miss_rate=0.25))
    often.read("a" * 4096, 0.0)
    hits = sum(often.cached_tokens("a" * 4096, 1.0) > 0 for _ in range(1000))
    assert 700 <= hits <= 800


def test_tools_stand_before_the_conversation():
    tools = [{"type": "function", "function": {"name": "book"}}]
    one, other = (rendered([SYSTEM, {"role": "user", "content": text}], tools) for text in ("Hi", "Bye"))
    assert one.index("book") < one.index("Hi")
    assert one[: one.index("Hi")] == other[: other.index("Bye")]


async def test_cached_tokens_are_told_and_do_not_count():
    async with groq(groq_cache=SURE) as (world, model):
        counted, left = [], []
        for _ in range(3):
            prompt = [SYSTEM, {"role": "user", "content": "When do you open?"}]
            deltas = [delta async for delta in model.stream(prompt)]
            (finish,) = [delta for delta in deltas if isinstance(delta, Finish)]
            counted.append(finish.usage.prompt_tokens - finish.usage.cached_tokens)
            left += [t.left for t in deltas[0].allowances if t.quota is Quota.TOKENS_PER_MINUTE]
        assert counted[0] > 1500
        assert counted[1] < BLOCK_TOKENS + 50
        assert [entry.cached_tokens for entry in world.log.entries()] == [0, 1536, 1536]
        assert left[1] - left[2] < 400, "of the second request only what was new has been counted"


def test_a_full_prompt_must_fit_even_if_it_is_cached():
    budget = ModelBudget(ModelLimits(tpm=1000), 0.0)
    assert budget.admit(900, 0.0) is None
    budget.settle(-800, 0.0)
    assert budget.admit(900, 0.0) is None
    assert budget.admit(900, 0.0) is not None
