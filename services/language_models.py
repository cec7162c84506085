"""The language model that the settings name. What a vendor's SDK needs is imported where the vendor is chosen."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.llm import SHORT_NAMES, LanguageModel
from gateway.model import Endpoint, Gateway, GatewayParams
from gateway.policy import Choice, PolicyParams
from gateway.reply_cache import ReplyCache
from gateway.shared_budget import RedisBudget
from processors.llm import weights
from processors.llm.local import LocalModel
from processors.llm.scripted import ScriptedModel
from settings import LlmFallback, LlmProvider, Settings

FALLBACK_CORES: Final = 4
"""A machine with fewer has none to spare for a language model while it carries calls."""


async def find_models(settings: Settings) -> list[str]:
    """Groq's models, best first; empty if Groq is not asked."""
    if settings.llm is not LlmProvider.GROQ:
        return []
    from processors.llm.groq_models import models_of

    return await models_of(settings.groq_api_key, settings.groq_models, settings.groq_url or None)


def make_language_model(settings: Settings, models: Sequence[str] = ()) -> LanguageModel:
    """The language model that the settings name, not warmed up.

    Args:
        settings: The settings.
        models: Groq's models, best first, as :func:`find_models` found them; none: those that the settings name.
    """
    match settings.llm:
        case LlmProvider.SCRIPTED:
            return ScriptedModel()
        case LlmProvider.LOCAL | LlmProvider.AUTO:
            return _local(settings)
        case LlmProvider.GROQ:
            from processors.llm.groq_models import ALL_OTHERS

            names = models or [name for name in settings.groq_models if name != ALL_OTHERS]
            return _gateway(settings, [_groq(settings, name) for name in names])
        case LlmProvider.OLLAMA:
            from processors.llm.openai_compatible import OpenAICompatibleModel

            model = OpenAICompatibleModel(
                settings.ollama_url,
                settings.ollama_model,
                settings.ollama_api_key,
                max_tokens=settings.llm_max_tokens,
            )
            limits = {SHORT_NAMES[name.upper()]: limit for name, limit in settings.llm_limits.items()}
            return _gateway(settings, [Endpoint(Choice(settings.ollama_model, limits), model)], patient=True)


def _local(settings: Settings) -> LocalModel:
    return LocalModel(settings.llm_weights, threads=settings.llm_threads, max_tokens=settings.llm_max_tokens)


def _groq(settings: Settings, name: str) -> Endpoint:
    from processors.llm.groq import FREE_ACCOUNT, GroqModel

    limits = {SHORT_NAMES[short.upper()]: limit for short, limit in settings.llm_limits.items()} or FREE_ACCOUNT
    model = GroqModel(
        settings.groq_api_key, name, base_url=settings.groq_url or None, max_tokens=settings.llm_max_tokens
    )
    return Endpoint(Choice(name, limits, cached_is_free=True), model)


def _gateway(settings: Settings, endpoints: Sequence[Endpoint], *, patient: bool = False) -> Gateway:
    """What stands between calls and models. A server of one's own may be slow and is waited for (``patient``)."""
    policy = PolicyParams(max_wait_secs=settings.llm_max_wait_secs, hedge_requests=settings.llm_hedge_requests)
    params = GatewayParams(policy=policy, preemptive_min_share=settings.preemptive_min_share)
    if patient:
        params = replace(
            params, first_token_secs=settings.llm_first_token_secs, next_token_secs=settings.llm_next_token_secs
        )
    names = [endpoint.choice.name for endpoint in endpoints]
    kept_secs, code = settings.reply_cache_secs, settings.language
    cache = ReplyCache(kept_secs, world=names, language=code) if kept_secs else None
    url = settings.redis_url.get_secret_value()
    shared = RedisBudget.at(url) if url else None
    stands_in = _last_resort(settings)
    return Gateway(
        endpoints, params, cache=cache, shared=shared, last_resort=stands_in, overflows=settings.llm_overflow
    )


def thinks_here(settings: Settings) -> bool:
    """Whether a language model may run in this process, on threads of its own."""
    match settings.llm:
        case LlmProvider.SCRIPTED:
            return False
        case LlmProvider.GROQ | LlmProvider.OLLAMA:
            return _stands_in(settings)
        case _:
            return True


def _stands_in(settings: Settings) -> bool:
    """Whether the model on this machine may stand in for a vendor's."""
    match settings.llm_fallback:
        case LlmFallback.NONE:
            return False
        case LlmFallback.AUTO:
            return (os.cpu_count() or 1) >= FALLBACK_CORES and weights.at_hand(settings.llm_weights)
        case LlmFallback.LOCAL:
            return True


def _last_resort(settings: Settings) -> LanguageModel | None:
    """The model on this machine, if it may stand in for a vendor's."""
    if not _stands_in(settings):
        return None
    return _local(settings)
