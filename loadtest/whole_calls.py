"""Callers on the pipeline itself, in virtual time: the same acts and the same scores as over WebRTC, exact and fast."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest import virtual_time
from loadtest.acts import CallMade, Conversation, Request
from loadtest.audio import Samples
from loadtest.in_process_phone import InProcessPhone
from loadtest.judging import CallScore, RequestScore, judge_call, judge_request
from loadtest.material import Material
from loadtest.recording import Sound
from loadtest.scenario import Kind, Scenario
from processors.services import Services


@dataclass(frozen=True)
class Scores:
    """What a set of callers met.

    Attributes:
        calls: All calls.
        requests: All requests, also those for which there was no line.
        references: Undisturbed answers by the name of their question.
    """

    calls: list[CallScore]
    requests: list[RequestScore]
    references: Mapping[str, Samples]

    def as_dicts(self) -> list[dict[str, Any]]:
        """The calls, as ``summary.json`` has them."""
        return [call.as_dict() for call in self.calls]


def judge(
    conversations: Iterable[Conversation],
    *,
    answer_limit_secs: float,
    epoch_secs: float,
    references: Mapping[str, Samples] | None = None,
) -> Scores:
    """Score what callers did; answers heard undisturbed serve as references for the others, unless some are given."""
    calls: list[CallMade] = []
    requests: list[Request] = []
    for each in conversations:
        calls += each.calls
        requests += [request for request in each.requests if request.ended_secs]
    sounds: dict[int, Sound] = {id(call.phone): call.phone.recording.sound() for call in calls}
    known = dict(references) if references else references_of(requests)
    scores: list[RequestScore] = []
    of_phone: dict[int, list[RequestScore]] = {}
    for request in requests:
        sound = sounds.get(id(request.phone)) if request.phone is not None else None
        score = judge_request(
            request, sound, answer_limit_secs=answer_limit_secs, references=known, epoch_secs=epoch_secs
        )
        scores.append(score)
        of_phone.setdefault(id(request.phone), []).append(score)
    judged = [
        judge_call(call, sounds[id(call.phone)], of_phone.get(id(call.phone), []), epoch_secs)
        for call in calls
        if call.ended_secs
    ]
    return Scores(judged, scores, known)


def references_of(requests: Iterable[Request]) -> dict[str, Samples]:
    """Answers that were heard to their end, one for each question that asks for much."""
    found: dict[str, Samples] = {}
    for request in requests:
        if request.kind is Kind.LONG_ANSWER and request.phone is not None and request.asked is not None:
            from_secs = request.asked.last_loud_secs
            if from_secs is not None and request.asked.name not in found:
                found[request.asked.name] = request.phone.recording.samples(from_secs, request.ended_secs)
    return found


def run(
    load_services: Callable[[], Awaitable[Services]],
    kinds: Sequence[Sequence[Kind]],
    scenario: Scenario,
    material: Material,
    *,
    references: Mapping[str, Samples] | None = None,
    charge_jobs: float = 0.0,
) -> Scores:
    """Run callers at the same time, in virtual time. Blocks for as long as the computing takes.

    Args:
        load_services: Makes the bot; its clients may belong to the loop.
        kinds: What each caller does.
        scenario: How.
        material: What they say.
        references: Undisturbed answers, if known.
        charge_jobs: Virtual seconds for each second of CPU of the local models; 0: they answer at once.
    """

    async def scene() -> Scores:
        services = await load_services()
        epoch_secs = time.monotonic()
        conversations = [
            Conversation(caller, list(todo), scenario, material, lambda: InProcessPhone(services))
            for caller, todo in enumerate(kinds)
        ]
        await asyncio.gather(*(each.run() for each in conversations))
        await services.close()
        return judge(
            conversations,
            answer_limit_secs=scenario.answer_limit_secs,
            epoch_secs=epoch_secs,
            references=references,
        )

    return virtual_time.run(scene(), loop=virtual_time.VirtualTimeLoop(charge_jobs=charge_jobs), limit_secs=36_000)
