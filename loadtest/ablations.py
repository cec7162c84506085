"""What ``python -m loadtest ablate`` changes, one thing at a time, and what each change is measured by.

Every function here runs in a process of its own and returns plain numbers. Vendors are emulated with the latencies of a
profile; where a model on this machine is the change, its CPU time is charged to the virtual clock.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from loguru import logger

from contracts.llm import TextDelta
from emulators.faults import Vendor
from emulators.latency import Latency
from emulators.profile import Profile, Timing, load_profile
from emulators.rates import ModelLimits
from loadtest import virtual_time, whole_calls
from loadtest.emulated_bot import emulated_bot
from loadtest.interruptions import Bot, Labelled, run_clip
from loadtest.material import Material, gather
from loadtest.run import changed_rate, unheard_tokens
from loadtest.scenario import Kind, Scenario, load_scenario
from loadtest.strategies import STRATEGIES
from loadtest.summary import summarise
from processors import compat
from processors.context.aggregators import Conversation
from processors.context.prompt import system_prompt
from processors.llm.scripted import ScriptedModel
from processors.tools.catalogue import offered
from settings import Settings

ASSUMED: Final = "assumed by the profile"
MEASURED: Final = "measured"

CALLERS: Final = ((Kind.QUESTION, Kind.TOOL, Kind.QUESTION), (Kind.QUESTION, Kind.QUESTION, Kind.TOOL))
"""What is asked in each run of a variant."""

ONE_QUESTION_EACH: Final = 6 * ((Kind.QUESTION,),)
"""The same for what is remembered of first questions."""

STAGGER_SECS: Final = 12.0
"""Between two callers: a reply that is remembered must have been given."""

CHARS_PER_TOKEN: Final = 4.0
PAID: Final = ModelLimits(rpm=1_000, rpd=500_000, tpm=300_000, tpd=100_000_000)
"""Limits of a model of an account that is paid for."""

TURNS: Final = 40
"""Length of the conversation whose prompts are counted."""


@dataclass(frozen=True)
class Variant:
    """One change against the base.

    Attributes:
        study: What is compared.
        name: What is changed.
        origin: Where its figures come from: :data:`MEASURED` or :data:`ASSUMED`.
        settings: Settings of the bot that differ.
        timing: Latencies of vendors that differ from the profile's: (median, 95th percentile) of the first byte, in ms.
        callers: What is asked, if it is something else than in the base.
        charge_jobs: Virtual seconds for each second of CPU of models; above 0 where they are what is measured.
        paid: Whether the language model's account has the limits of one that is paid for.
    """

    study: str
    name: str
    origin: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    callers: Sequence[Sequence[Kind]] = CALLERS
    charge_jobs: float = 0.0
    paid: bool = False

    @property
    def against_base(self) -> bool:
        """Whether its figures can be set against the base's."""
        return self.callers is CALLERS


BASE: Final = Variant("base", "base", ASSUMED)

VARIANTS: Final = (
    BASE,
    Variant("language model", "first token 400 ms (a smaller model)", ASSUMED, timing={"groq": (400, 700)}),
    Variant("language model", "first token 180 ms (profile today)", ASSUMED, timing={"groq": (180, 400)}),
    Variant("language model", "first token 1,500 ms (a larger model)", ASSUMED, timing={"groq": (1500, 2500)}),
    Variant("voice", "local (hibari, on this machine)", MEASURED, {"tts": "local"}, charge_jobs=1.0),
    Variant("voice", "first audio 75 ms at the vendor", ASSUMED, timing={"elevenlabs": (75, 150)}),
    Variant("recogniser", "local (Moonshine, on this machine)", MEASURED, {"stt": "local"}, charge_jobs=1.0),
    Variant("answering sooner", "doubtful words always wait", MEASURED, {"endpoint_sure": 1.01}),
    Variant("answering sooner", "without the early recogniser", MEASURED, {"early_stt": "off"}),
    Variant("answering sooner", "turns end on final words only", MEASURED, {"endpoint_early": False}),
    Variant("answering sooner", "nothing is prepared while the caller speaks", MEASURED, {"preemptive_speaking": 1.01}),
    Variant("answering sooner", "one reply is prepared at a time", MEASURED, {"preemptive_max": 1}),
    Variant("answering sooner", "prepared replies look nothing up", MEASURED, {"preemptive_tools": False}),
    Variant("answering sooner", "nothing is prepared", MEASURED, {"preemptive_min_share": 1.01}),
    Variant("answering sooner", "a paid account", MEASURED, paid=True),
    Variant("answering sooner", "a paid account, two models at once", MEASURED, {"llm_hedge_requests": 60}, paid=True),
    Variant("reply cache", "on: six calls, one question each", MEASURED, callers=ONE_QUESTION_EACH),
    Variant("reply cache", "off: the same", MEASURED, {"reply_cache_secs": 0}, callers=ONE_QUESTION_EACH),
)
"""All but the strategies for interruptions and the history, which are measured by other means."""


@cache
def _quiet() -> None:
    logger.remove()
    logging.disable(logging.WARNING)
    compat.install()


@cache
def _material() -> Material:
    return gather(load_scenario("seed").ask)


def changed(profile: Profile, variant: Variant, seed: int) -> Profile:
    """The profile with a variant's latencies, and another seed."""
    timing = dict(profile.timing)
    for name, (p50_ms, p95_ms) in variant.timing.items():
        known = timing.get(Vendor(name), Timing())
        timing[Vendor(name)] = known.model_copy(update={"first_byte": Latency(p50_ms=p50_ms, p95_ms=p95_ms)})
    models = dict.fromkeys(profile.groq_models, PAID) if variant.paid else profile.groq_models
    return profile.model_copy(update={"timing": timing, "seed": seed, "groq_models": models})


def run_variant(variant: Variant, profile_name: str, seed: int) -> dict[str, float | None]:
    """One run of a variant: callers ask their questions, and the summary's figures come back."""
    _quiet()
    scenario: Scenario = load_scenario("seed").model_copy(update={"seed": seed})
    profile, material = changed(load_profile(profile_name), variant, seed), _material()

    async def scene() -> dict[str, float | None]:
        async with emulated_bot(profile, variant.settings) as emulated:
            scores = await whole_calls.talk(
                emulated.services, variant.callers, scenario, material, stagger_secs=STAGGER_SECS
            )
            gateway, vendors = emulated.services.gateway(), emulated.world.log.totals()
        summary = summarise(scores.requests, scores.calls)
        stages = summary["stages"]["stages_ms"]
        model = vendors.get("groq", {})
        return {
            "success": summary["success_rate"],
            "v2v_mean_ms": summary["v2v_ms"]["mean"],
            "v2v_p50_ms": summary["v2v_ms"]["p50"],
            "v2v_p95_ms": summary["v2v_ms"]["p95"],
            "stt_ms": stages["stt"]["mean"] if stages else None,
            "llm_ms": stages["llm"]["mean"] if stages else None,
            "tts_ms": stages["tts"]["mean"] if stages else None,
            "model_requests": float(model.get("requests", 0)),
            "unheard_tokens": unheard_tokens(gateway, len(scores.requests)),
            "early_changed_rate": changed_rate(gateway),
            "cache_hits": float(gateway.get("cache", {}).get("hits", 0)),
        }

    loop = virtual_time.VirtualTimeLoop(charge_jobs=variant.charge_jobs)
    try:
        return virtual_time.run(scene(), loop=loop)
    except Exception:
        print(f"{variant.study}, {variant.name}, seed {seed}:", file=sys.stderr)
        raise


def run_strategy(name: str, path: Path, file: str, class_: str) -> dict[str, Any]:
    """One clip over the bot's voice, under one strategy."""
    _quiet()
    strategy = STRATEGIES[name]
    return run_clip(Labelled(path, file, class_), Bot(strategy.mode, 0.5, None, strategy.policy)).as_dict()


async def prompt_tokens(history_turns: int) -> dict[str, float]:
    """Size of the prompts of one conversation of :data:`TURNS` turns, of which so many are shown to the model.

    Returns:
        Tokens of the mean and of the last prompt, tools included, four characters to the token.
    """
    settings = Settings(_env_file=None, bank_file=":memory:")  # pyright: ignore[reportCallIssue]
    specs = sum(len(repr(tool.spec)) for tool in offered(settings, []))
    conversation = Conversation(system_prompt(settings, with_tools=True), history_turns)
    asked = load_scenario("seed").ask
    questions = [*asked.question, *asked.long_answer]
    model = ScriptedModel()
    sizes: list[float] = []
    for turn in range(TURNS):
        conversation.user_turn(turn, questions[turn % len(questions)])
        messages = conversation.messages()
        sizes.append((specs + sum(len(str(message.get("content"))) for message in messages)) / CHARS_PER_TOKEN)
        said = "".join([d.text async for d in model.stream(messages) if isinstance(d, TextDelta)])
        conversation.reply(turn, turn, said, cut=False)
    return {"mean": sum(sizes) / len(sizes), "last": sizes[-1]}
