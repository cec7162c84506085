"""The gateway: all calls' requests to language models, carried out as :class:`~gateway.policy.Policy` decides."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from loguru import logger

from admission.capacity import DemandMeter, Part, of_models
from contracts.llm import (
    Cause,
    Delta,
    Finish,
    InQueue,
    LanguageModel,
    LanguageModelError,
    LimitsTold,
    Message,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Usage,
    as_generator,
)
from gateway.continuation import Continuation, continued
from gateway.hedging import first_to_begin
from gateway.in_flight import InFlight
from gateway.overflow import Overflow
from gateway.policy import CHARS_PER_TOKEN, Choice, Decision, Policy, PolicyParams, Refuse, Send, Tell
from gateway.reply_cache import ReplyCache
from gateway.shared_budget import LocalOnly, SharedBudget
from processors.llm.machine_text import MachineTextFilter
from processors.llm.meant import described
from processors.llm.preemptive_budget import PreemptiveBudget

T = TypeVar("T")

OnUsage = Callable[[Usage], None]
"""Told what a request has cost."""

# Why a request is refused, where no vendor has said it in its own words.
REASONS: Final = {
    Cause.FAULT: "no language model answers",
    Cause.BUSY: "all language models are busy",
    Cause.QUOTA: "the day's budget of all language models is used up",
    Cause.KEY: "the language model's key is refused",
    Cause.GONE: "none of the language models is served any more",
    Cause.REQUEST: "no language model takes this request",
    Cause.SIZE: "the prompt is too long for every language model",
}


@dataclass(frozen=True)
class GatewayParams:
    """Watchdogs and sizes.

    Attributes:
        first_token_secs: A model that has not begun after this long is left for another.
        next_token_secs: One that falls silent in the middle is left after this long.
        preemptive_min_share: Share of the budget from which replies may be prepared; see
            :mod:`processors.llm.preemptive_budget`.
        policy: Times of the queue and of retries.
    """

    first_token_secs: float = 2.5
    next_token_secs: float = 1.5
    preemptive_min_share: float = 0.5
    policy: PolicyParams = field(default_factory=PolicyParams)


@dataclass(frozen=True)
class Endpoint:
    """A model, and what is known of it beforehand."""

    choice: Choice
    model: LanguageModel


class Gateway:
    """Shared by all calls of a process. Each call asks through its own :meth:`for_call`.

    Args:
        endpoints: The models, best first.
        params: Watchdogs and times.
        cache: Replies that may be given again.
        shared: The budget that several processes share.
        last_resort: What answers when no endpoint can in time; it is warmed up when it is first needed.
        overflows: Whether it also answers when it can sooner than the vendors, whose budgets are short; then it is
            warmed up at the start.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        params: GatewayParams | None = None,
        *,
        cache: ReplyCache | None = None,
        shared: SharedBudget | None = None,
        last_resort: LanguageModel | None = None,
        overflows: bool = False,
    ) -> None:
        self._params = params or GatewayParams()
        self._endpoints = {endpoint.choice.name: endpoint.model for endpoint in endpoints}
        self._policy = Policy([endpoint.choice for endpoint in endpoints], self._params.policy)
        self._cache = cache
        self._in_flight = InFlight()
        self._shared = shared or LocalOnly()
        self._overflow = Overflow(last_resort) if last_resort is not None else None
        self._overflows = overflows
        self._inboxes: dict[int, asyncio.Queue[Decision]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._gone: set[str] = set()
        self._calls: set[str] = set()
        self._on_usage: dict[str, OnUsage] = {}
        self._demand = DemandMeter()
        self._said_nothing: dict[str, str] = {}
        self._said: dict[Cause, str] = {}
        self.on_kept: Callable[[str], None] = lambda _: None
        """Told each reply that is remembered."""
        self.preemptive_budget = PreemptiveBudget(
            lambda: self._policy.share_left(self._now()), self._params.preemptive_min_share
        )

    @property
    def name(self) -> str:
        """The model of choice."""
        left = [model.name for name, model in self._endpoints.items() if name not in self._gone]
        return left[0] if left else "none"

    def for_call(self, call_id: str, on_usage: OnUsage | None = None) -> LanguageModel:
        """The gateway as one call sees it, until :meth:`forget_call`.

        Args:
            call_id: The call.
            on_usage: Told what requests have cost that came to no end, and so tell it to nobody else: they were given
                up, they failed, or another model was quicker.
        """
        self._note_time()
        if on_usage is not None:
            self._on_usage[call_id] = on_usage
        self._calls.add(call_id)
        return _CallModel(self, call_id)

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """See that one of the models answers.

        Raises:
            LanguageModelError: None does; the first one's words.
        """
        if self._overflows and self._overflow is not None:
            self._overflow.begin_to_warm(system_prompt, tools)
        first: LanguageModelError | None = None
        for name, model in self._endpoints.items():
            try:
                await model.warm(system_prompt, tools)
                self._policy.learned(name, getattr(model, "limits_told", ()), self._now())
                return
            except LanguageModelError as error:
                first = first or error
                if error.cause is Cause.GONE:
                    self._note_gone(name)
                else:
                    logger.warning("{}: {}", model.name, error)
        assert first is not None
        raise first

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer somebody who is no call, such as a check."""
        return self.ask("", messages, tools)

    async def close(self) -> None:
        """Close all models."""
        if self._timer is not None:
            self._timer.cancel()
        models = [*self._endpoints.values(), *([self._overflow] if self._overflow is not None else [])]
        await asyncio.gather(*(model.close() for model in models), self._shared.close())

    def forget_call(self, call_id: str) -> None:
        """The call is over."""
        self._note_time()
        self._calls.discard(call_id)
        self._on_usage.pop(call_id, None)
        self._said_nothing.pop(call_id, None)
        self._policy.forget_call(call_id)

    @property
    def tokens_a_minute(self) -> float | None:
        """The smallest limit of the models that may answer; None if none is known."""
        return self._policy.tokens_a_minute

    def capacity(self, processes: int = 1) -> Part:
        """How many calls the models carry, by what is known of their limits and of what calls ask.

        Args:
            processes: How many share the limits.
        """
        self._note_time()
        return of_models(self._policy.supplies(self._now()), self._demand.per_minute, processes)

    def _note_time(self) -> None:
        self._demand.passed(len(self._calls), self._policy.waiting, self._now())

    def snapshot(self) -> dict[str, Any]:
        """Plain values for the dashboard; see :mod:`observe.gateway`."""
        about = self._policy.snapshot(self._now()) | {"preemptive": self.preemptive_budget.snapshot()}
        about["calls_remembered"] = len(self._calls | self._on_usage.keys()) + self._policy.calls_remembered
        if self._overflow is not None:
            about["overflow"] = self._overflow.snapshot()
        if self._cache is not None:
            about["cache"] = self._cache.snapshot() | {"joined": self._in_flight.joined}
        return about

    # --- one reply -----------------------------------------------------------------------

    async def ask(self, call_id: str, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncGenerator[Delta]:
        """Answer; yields :class:`~contracts.llm.InQueue` while the request waits.

        Raises:
            LanguageModelError: No model can, with the cause.
        """
        key = self._cache.key(messages, tools) if self._cache is not None else None
        if self._cache is not None and (known := self._cache.get(key, self._now())) is not None:
            yield TextDelta(known)
            yield Finish("stop", Usage())
            return
        if key is None:
            deltas = self._ask(call_id, messages, tools, key)
        else:
            deltas = self._in_flight.ask(key, lambda: self._ask(call_id, messages, tools, key))
        async with aclosing(deltas):
            async for delta in deltas:
                yield delta

    async def _ask(
        self, call_id: str, messages: Sequence[Message], tools: Sequence[ToolSpec], key: str | None
    ) -> AsyncGenerator[Delta]:
        """Ask the models, and if none of them can in time what stands in for them; remember what may be."""
        answer = _Answer(call_id)
        try:
            async with aclosing(self._answer(call_id, messages, tools, answer)) as deltas:
                async for delta in deltas:
                    yield delta
        except LanguageModelError as error:
            if self._overflow is None or answer.said or error.cause in (Cause.REQUEST, Cause.SIZE):
                raise
            logger.warning("{}; {} answers", error, self._overflow.name)
            async with aclosing(self._overflow.answer(messages, tools)) as deltas:
                async for delta in deltas:
                    yield delta
            return
        if self._cache is not None and answer.whole and answer.is_worth_something:
            self._cache.put(key, answer.said, self._now())
            if key is not None:
                self.on_kept(answer.said)

    async def _answer(
        self, call_id: str, messages: Sequence[Message], tools: Sequence[ToolSpec], answer: "_Answer"
    ) -> AsyncGenerator[Delta]:
        short = described(messages, tools)
        sizes = _Sizes(_chars(messages, tools), _chars(messages, short))
        goes_on = bool(messages) and messages[-1].get("role") == "tool"
        self._note_time()
        if call_id in self._calls:
            self._demand.asked()
        rather_not = self._said_nothing.pop(call_id, None)
        number = self._policy.submit(
            call_id, sizes.whole, self._now(), short_chars=sizes.short, goes_on=goes_on, rather_not=rather_not
        )
        inbox = self._inboxes[number] = asyncio.Queue()
        try:
            self._decide()
            while not answer.over:
                match await inbox.get():
                    case Tell(_, wait_secs, cause):
                        if self._overflows and self._overflow is not None and self._overflow.is_sooner(wait_secs):
                            why = f"{self._why(cause)}, for {wait_secs:.0f} s"
                            raise LanguageModelError(why, retryable=True, cause=cause, retry_after_secs=wait_secs)
                        yield InQueue(wait_secs, self._why(cause))
                    case Refuse(_, cause, wait_secs):
                        why = self._why(cause)
                        raise LanguageModelError(why, retryable=True, cause=cause, retry_after_secs=wait_secs)
                    case Send() as send:
                        second = None if answer.attempts else self._policy.hedge(number, self._now())
                        if second is not None:
                            attempt = self._hedged((send, second), sizes, messages, (tools, short), answer)
                        else:
                            answer.prompt_chars = sizes.of(send)
                            offered = tools if send.whole else short
                            attempt = self._attempt(number, self._endpoints[send.model], messages, offered, answer)
                        async with aclosing(attempt) as deltas:
                            async for delta in deltas:
                                yield delta
                        if answer.over and call_id and not answer.is_worth_something:
                            self._said_nothing[call_id] = send.model
                        if second is not None and not answer.over:
                            number = self._submit_again(number, call_id, sizes)
        finally:
            self._note_time()
            del self._inboxes[number]
            self._policy.withdraw(number, answer.tokens, self._now())
            self._decide()

    async def _hedged(
        self,
        sends: Sequence[Send],
        sizes: "_Sizes",
        messages: Sequence[Message],
        forms: tuple[Sequence[ToolSpec], Sequence[ToolSpec]],
        answer: "_Answer",
    ) -> AsyncGenerator[Delta]:
        """Ask several models at once; the first to begin is heard. Each is charged to its own limits."""
        whole, short = forms
        answers = [_Answer(answer.call_id, prompt_chars=sizes.of(send)) for send in sends]
        attempts = [
            self._attempt(send.ticket, self._endpoints[send.model], messages, whole if send.whole else short, each)
            for send, each in zip(sends, answers, strict=True)
        ]
        heard = answer

        def on_first(place: int) -> None:
            nonlocal heard
            heard = answers[place]
            for other, each in zip(sends, answers, strict=True):
                if each is not heard:
                    self._policy.withdraw(other.ticket, each.tokens, self._now())

        try:
            async with aclosing(first_to_begin(attempts, on_first)) as deltas:
                async for delta in deltas:
                    answer.follow(heard)
                    yield delta
            answer.follow(heard)
        finally:
            answer.attempts = max(1, answer.attempts)
            for send, each in zip(sends, answers, strict=True):
                self._policy.withdraw(send.ticket, each.tokens, self._now())

    def _submit_again(self, number: int, call_id: str, sizes: "_Sizes") -> int:
        """None of the models that were asked at once came to an end: the request waits in the queue like any other."""
        inbox = self._inboxes.pop(number)
        number = self._policy.submit(call_id, sizes.whole, self._now(), short_chars=sizes.short, goes_on=True)
        self._inboxes[number] = inbox
        while not inbox.empty():
            inbox.get_nowait()  # it is about the other ticket
        self._decide()
        return number

    async def _attempt(
        self,
        number: int,
        model: LanguageModel,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        answer: "_Answer",
    ) -> AsyncGenerator[Delta]:
        """Send the request once; what comes of it is told to the policy."""
        if (wait_secs := await self._shared.reserve(model.name, self._policy.charge_of(number))) > 0:
            self._policy.take_back(number, wait_secs, self._now())
            self._decide()
            return
        continuation = Continuation(answer.said)
        answer.begin()
        cost = _Cost(self._on_usage.get(answer.call_id))
        wait_secs = self._params.first_token_secs
        try:
            prompt = continued(messages, answer.said)
            cost.sent(prompt, tools)
            async with aclosing(as_generator(model.stream(prompt, tools))) as stream:
                while True:
                    began = self._now()
                    delta = await _within(anext(stream, None), wait_secs)
                    match delta:
                        case LimitsTold(allowances):
                            cost.taken = True
                            self._policy.taken(number, allowances, self._now())
                            wait_secs = max(0.05, wait_secs - (self._now() - began))
                            continue
                        case None:
                            raise LanguageModelError("the stream broke off", retryable=True)
                        case TextDelta() | ToolCallDelta() if not answer.begun:
                            answer.begun = cost.taken = True
                            self._policy.first_token(number, self._now())
                    wait_secs = self._params.next_token_secs
                    match delta:
                        case TextDelta(text):
                            answer.received += len(text)
                            if new := continuation.feed(text):
                                answer.said += new
                                yield TextDelta(new)
                        case Finish(reason, usage):
                            if new := continuation.finish():
                                answer.said += new
                                yield TextDelta(new)
                            answer.finish(reason)
                            cost.told = usage is not None
                            self._policy.finished(number, usage, self._now())
                            yield delta
                            return
                        case _:
                            answer.called_tools |= isinstance(delta, ToolCallDelta)
                            yield delta
        except LanguageModelError as error:
            cost.refused = not cost.taken
            if answer.called_tools:
                raise  # what was called cannot be called back
            self._note_failure(number, model, error, answer)
            self._decide()
        finally:
            cost.over(answer.received)

    def _note_failure(self, number: int, model: LanguageModel, error: LanguageModelError, answer: "_Answer") -> None:
        logger.warning("{}: {}", model.name, error)
        self._said[error.cause] = str(error)
        if error.cause is Cause.GONE:
            self._note_gone(next(name for name, each in self._endpoints.items() if each is model))
        used = answer.received / CHARS_PER_TOKEN if answer.begun else None
        self._policy.failed(number, error.cause, error.retry_after_secs, error.allowances, used, self._now())

    def _why(self, cause: Cause) -> str:
        return self._said.get(cause, REASONS[cause])

    def _note_gone(self, name: str) -> None:
        if name not in self._gone:
            self._gone.add(name)
            logger.warning("{} is served no more; {} answers from now on", name, self.name)

    # --- the policy's driver ---------------------------------------------------------------

    def _decide(self) -> None:
        self._note_time()
        for decision in self._policy.decide(self._now()):
            inbox = self._inboxes.get(decision.ticket)
            if inbox is not None:
                inbox.put_nowait(decision)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake = self._policy.next_wake(self._now())
        if wake is not None:
            self._timer = asyncio.get_running_loop().call_at(wake, self._decide)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class _Sizes:
    """Length of a prompt in each of its forms, in characters, tools included."""

    whole: int
    short: int

    def of(self, send: Send) -> int:
        """Length of what is sent."""
        return self.whole if send.whole else self.short


def _chars(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> int:
    told = [[tool.name, tool.description, tool.schema] for tool in tools]
    return len(json.dumps([list(messages), told], ensure_ascii=False, default=str))


@dataclass
class _Cost:
    """What one request costs whose usage nobody tells, by its length.

    Attributes:
        on_usage: Is told.
        prompt_chars: Length of what was sent.
        taken: Whether the vendor has taken it.
        refused: Whether it never has.
        told: Whether the vendor has told its usage.
    """

    on_usage: OnUsage | None
    prompt_chars: int = 0
    taken: bool = False
    refused: bool = False
    told: bool = False

    def sent(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> None:
        self.prompt_chars = _chars(messages, tools)

    def over(self, received_chars: int) -> None:
        if self.on_usage is not None and not self.told and not self.refused:
            prompt, completion = (round(chars / CHARS_PER_TOKEN) for chars in (self.prompt_chars, received_chars))
            self.on_usage(Usage(prompt, 0, completion))


@dataclass
class _Answer:
    """What has come of one reply so far, over all attempts.

    Attributes:
        prompt_chars: Length of the prompt that was sent last.
    """

    call_id: str
    prompt_chars: int = 0
    said: str = ""
    received: int = 0
    begun: bool = False
    over: bool = False
    whole: bool = False
    called_tools: bool = False
    attempts: int = 0

    def follow(self, other: "_Answer") -> None:
        """Be as far as another one, which is heard."""
        vars(self).update(vars(other))

    def begin(self) -> None:
        self.received = 0
        self.begun = False
        self.attempts += 1

    def finish(self, reason: str) -> None:
        self.over = True
        self.whole = reason == "stop" and not self.called_tools and self.attempts == 1

    @property
    def is_worth_something(self) -> bool:
        """Whether there are words in it, or calls, and all of it is read."""
        rest = MachineTextFilter()
        words = rest.feed(self.said) + rest.finish().text
        return self.called_tools or any(char.isalnum() for char in words)

    @property
    def tokens(self) -> float:
        """What the attempt under way has cost so far, by its length."""
        return (self.prompt_chars + self.received) / CHARS_PER_TOKEN


class _CallModel:
    """The gateway as one call sees it: a :class:`~contracts.llm.LanguageModel`."""

    def __init__(self, gateway: Gateway, call_id: str) -> None:
        self._gateway = gateway
        self._call_id = call_id

    @property
    def name(self) -> str:
        """The model of choice."""
        return self._gateway.name

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """See :meth:`Gateway.warm`."""
        await self._gateway.warm(system_prompt, tools)

    def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer; see :meth:`Gateway.ask`."""
        return self._gateway.ask(self._call_id, messages, tools)

    async def close(self) -> None:
        """The call is over; the gateway stays."""
        self._gateway.forget_call(self._call_id)


async def _within(waited: Awaitable[T], secs: float) -> T:
    try:
        async with asyncio.timeout(secs):
            return await waited
    except TimeoutError:
        raise LanguageModelError(f"no token within {secs:.1f} s", retryable=True) from None
