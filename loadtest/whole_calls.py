"""Callers on the pipeline itself: the same acts and the same scores as over WebRTC, in virtual time exact and fast."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from admission.caller_queue import CallerQueue
from loadtest.acts import CallMade, Conversation, Request
from loadtest.audio import Samples
from loadtest.caller import CallRefused
from loadtest.in_process_phone import InProcessPhone
from loadtest.judging import CallScore, RequestScore, judge_call, judge_request
from loadtest.material import Material
from loadtest.recording import Sound
from loadtest.scenario import Kind, Scenario
from services.services import Services


@dataclass(frozen=True)
class Scores:
    """What a set of callers met.

    Attributes:
        calls: All calls.
        requests: All requests, also those for which there was no line.
        references: Undisturbed answers by the name of their question.
        unfinished: Requests that were under way at the end.
    """

    calls: list[CallScore]
    requests: list[RequestScore]
    references: Mapping[str, Samples]
    unfinished: int = 0

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
    begun = 0
    for each in conversations:
        calls += each.calls
        begun += len(each.requests)
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
    return Scores(judged, scores, known, begun - len(scores))


def references_of(requests: Iterable[Request]) -> dict[str, Samples]:
    """Answers that were heard to their end, one for each question that asks for much."""
    found: dict[str, Samples] = {}
    for request in requests:
        if request.kind is Kind.LONG_ANSWER and request.phone is not None and request.asked is not None:
            from_secs = request.asked.last_loud_secs
            if from_secs is not None and request.asked.name not in found:
                found[request.asked.name] = request.phone.recording.samples(from_secs, request.ended_secs)
    return found


class Door:
    """Lets calls in until the admission limit is reached, and keeps the line, as the server does.

    Args:
        services: What calls are made of.
        max_calls: How many there may be at once, as of now.
    """

    def __init__(self, services: Services, max_calls: Callable[[], int]) -> None:
        self._services = services
        self._max_calls = max_calls
        self._queue = CallerQueue()
        self._calls = 0

    def phone(self, caller: int = -1) -> "DoorPhone":
        """A caller's line that is not connected yet."""
        return DoorPhone(self, self._services, caller)

    def enter(self, caller: int) -> None:
        """A call begins.

        Raises:
            CallRefused: The limit is reached, or others wait.
        """
        wait = self._queue.admit(caller, self._max_calls() - self._calls, time.monotonic())
        if wait is not None:
            secs = wait.retry_after_secs
            body = {"code": "at_capacity", "retry_after_secs": secs, "queue_position": wait.position}
            raise CallRefused(503, body, secs)
        self._calls += 1

    def leave(self) -> None:
        """A call is over."""
        self._calls -= 1


class DoorPhone(InProcessPhone):
    """A line through the door."""

    def __init__(self, door: Door, services: Services, caller: int) -> None:
        super().__init__(services)
        self._door = door
        self._caller = caller
        self._inside = False

    async def connect(self) -> None:
        """Start the pipeline.

        Raises:
            CallRefused: The limit is reached.
        """
        self._door.enter(self._caller)
        self._inside = True
        await super().connect()

    async def hangup(self) -> None:
        """End the pipeline."""
        if self._inside:
            self._inside = False
            try:
                await super().hangup()
            finally:
                self._door.leave()


async def talk(
    services: Services,
    kinds: Sequence[Sequence[Kind]],
    scenario: Scenario,
    material: Material,
    *,
    max_calls: Callable[[], int] | None = None,
    stagger_secs: float = 0.0,
    references: Mapping[str, Samples] | None = None,
    on_request: Callable[[Request], Any] = lambda request: None,
    limit_secs: float = 36_000.0,
) -> Scores:
    """Run callers at the same time; a cancel ends them, and what was heard so far is scored.

    Args:
        services: The bot.
        kinds: What each caller does.
        scenario: How.
        material: What they say.
        max_calls: Calls at once, as of now; the others wait in the queue. None: all.
        stagger_secs: Between two callers' starts.
        references: Undisturbed answers, if known.
        on_request: Told of each request when it is over.
        limit_secs: When it ends at the latest.
    """
    door = Door(services, max_calls or (lambda: len(kinds)))
    epoch_secs = time.monotonic()
    conversations = [
        Conversation(caller, list(todo), scenario, material, partial(door.phone, caller), on_request)
        for caller, todo in enumerate(kinds)
    ]

    async def one(conversation: Conversation) -> None:
        await asyncio.sleep(conversation.caller * stagger_secs)
        await conversation.run()

    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(limit_secs):
            await asyncio.gather(*map(one, conversations))
    return judge(
        conversations, answer_limit_secs=scenario.answer_limit_secs, epoch_secs=epoch_secs, references=references
    )
