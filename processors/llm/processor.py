"""The node that thinks: asks the language model for each reply, and passes its text on as it comes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from loguru import logger
from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InterruptionFrame, LLMTextFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection

from contracts.frames import (
    CallHoldFrame,
    GoOnFrame,
    PlayoutStalledFrame,
    ReplyEndFrame,
    ReplyEndsCallFrame,
    ReplyPlayedFrame,
    ReplyQueuedFrame,
    ReplyRefusedFrame,
    ReplyRestsFrame,
    ReplyStartFrame,
    ReplyTextWithdrawnFrame,
    ToolsRunningFrame,
    WordHeardFrame,
)
from contracts.llm import (
    UNREADABLE,
    Cause,
    Delta,
    Finish,
    InQueue,
    LanguageModel,
    LanguageModelError,
    Message,
    ReadsAlong,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Usage,
    as_generator,
)
from contracts.overtaking import OvertakingInterruptions
from contracts.transfer import Transfer, not_transferred
from languages.catalogue import language as known_language
from processors.context.aggregators import (
    PreemptiveContextFrame,
    PromptSoFarFrame,
    ReplyContextFrame,
    ReplyDoubtFrame,
)
from processors.context.prompt_size import Earlier, shorter, tokens
from processors.llm import go_on
from processors.llm.go_on import GoOnFilter, GoOnQuestion
from processors.llm.machine_text import MachineTextFilter, Rest
from processors.llm.meant import described
from processors.llm.parts import ReplyParts
from processors.llm.preemptive import prompt_tokens
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.llm.preparations import PreparationParams, Preparations
from processors.llm.recap import Recap
from processors.llm.reply import Reply, ReplyCallControl
from processors.tools.runner import ToolRunner
from processors.tts.text_normaliser import spoken

T = TypeVar("T")

FAREWELL_SECS: Final = 1.5
"""How long the model may think about its goodbye before the bot says its own."""

SMALLEST_SHARE: Final = 0.2
"""A prompt that is too long is halved until so much of it is left."""

CLOSE_SECS = 0.1
"""How long an interruption waits for a stream to close; one that will not is left behind and can say nothing more."""


@dataclass(frozen=True)
class LLMParams:
    """Limits of one reply.

    Attributes:
        first_token_secs: Seconds to wait for the first token of each round.
        next_token_secs: Seconds to wait between tokens.
        max_rounds: How often the model is asked for one reply; each round but the last may call tools.
        moment: What is said when tools go on after all that was said has been heard.
        prepared: Replies that are prepared at once, before one of them is asked for.
        look_ahead: Whether a reply that is prepared may look something up.
        part_chars: A longer reply is offered in parts; 0: it is said as a whole.
        go_on: Asked behind a part.
        farewell: Said before the line closes, if the model says nothing.
        language: Code of the language of the caller's words, and of the reply.
    """

    first_token_secs: float = 8.0
    next_token_secs: float = 4.0
    max_rounds: int = 4
    moment: str = "One moment, please."
    prepared: int = 1
    look_ahead: bool = True
    part_chars: int = 700
    go_on: str = "Shall I go on?"
    farewell: str = "Goodbye."
    language: str = "en"


CALL_AGAIN: Final = (
    "Your last answer held a tool call that could not be read, and the caller has heard nothing of it. "
    "Call the tool with a proper tool call, or answer in words."
)
"""Asks once more for a call that was written and could not be read."""

CALL_AGAIN_BEHIND: Final = (
    "Your last answer held a tool call that could not be read. The caller has heard what stood before it: {said!r}. "
    "Do not say that again: call the tool with a proper tool call, or go on in words."
)
"""The same, where the answer began with words."""


@dataclass(frozen=True)
class _Round:
    """What came of one request.

    Attributes:
        calls: The tools that are called for.
        fault: Why it is worth nothing, if it is; it may be asked for once more.
        broken: Whether it held a call that cannot be read.
    """

    calls: list[ToolCallDelta]
    fault: str | None = None
    broken: bool = False


class LLMProcessor(OvertakingInterruptions):
    """Turns a :class:`ReplyContextFrame` into ``ReplyStartFrame, LLMTextFrame*, ReplyEndFrame``.

    The reply runs in a task of its own, so that whatever else comes down the pipeline while the model thinks, such as
    the bot's own "one moment", is passed on at once. The start frame is pushed with the first text, so that such a
    sentence is not one *inside* the reply. An interruption ends the task, and so closes the stream; a newer prompt
    does the same.

    Args:
        model: The model.
        tools: The call's tools, if it has any.
        params: Limits.
        transfer: Puts the caller through to a person, when a tool wants it.
        on_usage: Told what each request cost, where the model says.
        preemptive_budget: Whether replies may be prepared before they are wanted; None: never.
        earlier: What has left the prompt: it is summed up when nobody waits for an answer.
    """

    def __init__(
        self,
        model: LanguageModel,
        tools: ToolRunner | None = None,
        params: LLMParams | None = None,
        transfer: Transfer = not_transferred,
        on_usage: Callable[[Usage], None] = lambda _: None,
        preemptive_budget: PreemptiveBudget | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        super().__init__(name="llm")
        self._model = model
        self._tools = tools
        self._params = params or LLMParams()
        self._transfer = transfer
        self._on_usage = on_usage
        self._preemptive_budget = preemptive_budget
        self._recap = (
            Recap(model, earlier, preemptive_budget) if earlier is not None and preemptive_budget is not None else None
        )
        self._preparations = self._prepared_by(preemptive_budget) if preemptive_budget is not None else None
        self._hangs_up_after: Reply | None = None
        self._reply: Reply | None = None
        self._on_hold = False
        self._cut: Reply | None = None
        """The reply that was stopped last."""
        self._question: GoOnQuestion | None = None
        self._task: asyncio.Task[None] | None = None
        self._left_behind: set[asyncio.Task[None]] = set()

    def speak(self, language: str) -> None:
        """The call goes on in another language, from the next reply on."""
        own = known_language(language).sentences
        self._params = replace(
            self._params, language=language, moment=own.moment, go_on=own.go_on, farewell=own.farewell
        )
        if self._tools is not None:
            self._tools.speak(language)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Start a reply, end one, or pass the frame on."""
        await super().process_frame(frame, direction)
        match frame:
            case ReplyContextFrame():
                if not self.overtaken:
                    await self._stop()
                    self._begin(frame)
                return
            case PreemptiveContextFrame():
                if self._preparations is not None and not self._on_hold:
                    await self._preparations.prepare(frame.messages, self._specs)
                return
            case ReplyDoubtFrame():
                self._ask_to_go_on(frame)
                return
            case PromptSoFarFrame():
                if isinstance(self._model, ReadsAlong):
                    self._model.read_ahead(frame.messages, self._specs)
                return
            case WordHeardFrame() | PlayoutStalledFrame() | ReplyPlayedFrame() if direction is FrameDirection.UPSTREAM:
                await self._note_playout(frame)
            case CallHoldFrame():
                # Nobody waits for what was prepared, nor for what it would look up.
                self._on_hold = frame.on
                if frame.on and self._preparations is not None:
                    await self._preparations.drop()
            case InterruptionFrame():
                await self._stop()
                if self._tools is not None:
                    self._tools.interrupted()
            case CancelFrame():
                await self._stop()
            case EndFrame() if self._task is not None:
                await asyncio.wait([self._task])  # its deadlines end it
            case _:
                pass
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """End the reply; let tools that change something finish."""
        await super().cleanup()
        await self._stop()
        self._drop_question()
        if self._preparations is not None:
            await self._preparations.drop()
        if self._recap is not None:
            self._recap.stop()
        if self._tools is not None:
            await self._tools.close()

    def _prepared_by(self, preemptive_budget: PreemptiveBudget) -> Preparations:
        return Preparations(
            self._model,
            preemptive_budget,
            self.push_frame,
            on_usage=self._on_usage,
            look_up=self._tools.look_up if self._tools is not None and self._params.look_ahead else None,
            params=PreparationParams(self._params.prepared, self._params.language),
        )

    @property
    def _specs(self) -> list[ToolSpec]:
        return self._tools.specs if self._tools is not None else []

    def _ask_to_go_on(self, frame: ReplyDoubtFrame) -> None:
        """Ask for an answer that may be that the reply goes on; the reply itself is left as it is."""
        self._drop_question()
        if not frame.messages:
            return
        cut = self._reply
        rest = cut.unheard if cut is not None and cut.reply_id == frame.reply_id else ""

        async def decided(goes_on: bool) -> None:
            await self.push_frame(GoOnFrame(frame.question, goes_on), FrameDirection.UPSTREAM)

        self._question = GoOnQuestion(
            self._model, [*frame.messages, go_on.note(rest)], self._specs, frame.turn_id, decided, self._on_usage
        )

    def _drop_question(self) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.drop()

    async def _stream(
        self, reply: Reply, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncIterator[Delta]:
        """What has been asked already, or prepared, if it is what is wanted; else ask."""
        question, self._question = self._question, None
        if question is not None:
            if reply.rest and question.answers(reply.turn_id, messages, tools):
                return question.stream()
            question.drop()
        prepared = await self._preparations.take(messages, tools) if self._preparations is not None else None
        return prepared.stream() if prepared is not None else self._model.stream(messages, tools)

    def _begin(self, frame: ReplyContextFrame) -> None:
        if self._recap is not None:
            self._recap.stop()
        self._hangs_up_after = None
        parts = ReplyParts(self._params.part_chars, self._params.language)
        self._reply = Reply(frame.reply_id, frame.turn_id, parts)
        if frame.doubted and self._cut is not None:
            self._reply.rest = self._cut.unheard
        self._task = asyncio.create_task(self._run(self._reply, frame.context), name=f"reply {frame.reply_id}")

    async def _stop(self) -> None:
        if self._reply is not None:
            if not self._reply.any_heard and self._preemptive_budget is not None and self._reply.cost_tokens:
                self._preemptive_budget.note_unheard(self._reply.cost_tokens)
            self._reply.end()
            self._cut = self._reply
        task, self._task, self._reply = self._task, None, None
        if task is None or task.done():
            return
        task.cancel()
        await asyncio.wait([task], timeout=CLOSE_SECS)
        if not task.done():
            logger.warning("{}: the stream of {} did not close", self._model.name, task.get_name())
            self._left_behind.add(task)
            task.add_done_callback(self._left_behind.discard)

    async def _run(self, reply: Reply, context: LLMContext) -> None:
        error: str | None = None
        cause = Cause.FAULT
        try:
            messages: list[Message] = [dict(message) for message in context.get_messages()]  # pyright: ignore
            if reply.rest:
                messages.append(go_on.note(reply.rest))
            await self._generate(reply, await self._with_outcome(reply, messages))
        except _ReplyOver:
            return
        except LanguageModelError as failure:
            error, cause = str(failure), failure.cause
        except Exception as failure:  # noqa: BLE001 - a boundary: no fault of a model may leave the caller in silence
            logger.exception("{} failed", self._model.name)
            error = type(failure).__name__
        if self._hangs_up_after is reply and (error is not None or not reply.said.strip()):
            # A hang-up needs no faultless reply: the bot's own farewell will do.
            logger.info("{}: reply {}: {}; the call ends all the same", self._model.name, reply.reply_id, error)
            error = None
            with suppress(_ReplyOver):
                await self._say(reply, f" {self._params.farewell}" if reply.started else self._params.farewell)
        if error is not None:
            logger.warning("{}: reply {}: {}", self._model.name, reply.reply_id, error)
            await self.push_frame(ReplyRefusedFrame(reply.reply_id, cause.value), FrameDirection.UPSTREAM)
        if not reply.started:
            await self._push(reply, ReplyStartFrame(reply_id=reply.reply_id))
        if self._hangs_up_after is reply:
            await self.push_frame(ReplyEndsCallFrame(reply.reply_id), FrameDirection.UPSTREAM)
        reply.end()
        await self._push(reply, ReplyEndFrame(reply_id=reply.reply_id, error=error))

    async def _with_outcome(self, reply: Reply, messages: Sequence[Message]) -> Sequence[Message]:
        """The prompt; if something is being done for the turn that the caller goes on with, as soon as that is done."""
        wait_secs = self._tools.unfinished_secs(reply.turn_id) if self._tools is not None else 0.0
        if self._tools is None or not wait_secs:
            return messages
        await self.push_frame(ToolsRunningFrame(reply.reply_id, wait_secs), FrameDirection.UPSTREAM)
        await self._tools.settle(reply.turn_id)
        await self.push_frame(ToolsRunningFrame(reply.reply_id, 0.0), FrameDirection.UPSTREAM)
        return self._tools.conversation.messages()

    async def _generate(self, reply: Reply, messages: Sequence[Message]) -> None:
        """Ask; run the tools that are called for; ask again, until the model has nothing but words.

        What is worth nothing (no words, a call that cannot be read) is asked for once more.
        """
        specs = self._specs
        rounds_left, asked_again, size_left = self._params.max_rounds - 1, False, 1.0
        while True:
            ends, said_before = self._hangs_up_after is reply, len(reply.said)
            try:
                round_ = await self._round(reply, messages, specs if rounds_left and not ends else [])
            except LanguageModelError as error:
                less = shorter(messages, 0.5)
                nothing_left_out = tokens(less) >= tokens(messages)
                if error.cause is not Cause.SIZE or size_left < SMALLEST_SHARE or nothing_left_out:
                    raise
                size_left /= 2
                messages = less
                logger.info("{}: reply {}: {}; asked with less", self._model.name, reply.reply_id, error)
                continue
            if ends or reply.parts.full:
                break
            if round_.fault is not None:
                if asked_again:
                    raise LanguageModelError(round_.fault, retryable=True)
                logger.info("{}: reply {}: {}; asked once more", self._model.name, reply.reply_id, round_.fault)
                asked_again = True
                if round_.broken:
                    said = reply.said[said_before:].strip()
                    wish = CALL_AGAIN_BEHIND.format(said=said) if said else CALL_AGAIN
                    messages = [*messages, {"role": "system", "content": wish}]
                continue
            if not round_.calls:
                break
            if self._tools is None or not rounds_left:
                raise LanguageModelError("the model calls tools without end", retryable=False)
            rounds_left -= 1
            await self._run_tools(self._tools, reply, round_.calls)
            if self._hangs_up_after is reply and reply.said.strip():
                break  # it has said goodbye before it called
            messages = self._tools.conversation.messages(said=reply.said)
            messages = shorter(messages, size_left) if size_left < 1 else messages

    async def _round(self, reply: Reply, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> _Round:
        """Stream once: push the text, collect the calls.

        Raises:
            LanguageModelError: Too slow, broken off, or the model's own.
        """
        calls: list[ToolCallDelta] = []
        filter_ = MachineTextFilter(self._specs)
        mark = GoOnFilter() if reply.rest else None
        reason = "stop"
        said_before = len(reply.said)
        reply.cost_tokens += prompt_tokens(messages, described(messages, tools))
        async with aclosing(as_generator(await self._stream(reply, messages, tools))) as stream:
            wait_secs = self._params.first_token_secs if self._hangs_up_after is not reply else FAREWELL_SECS
            while not (reply.parts.full or (mark is not None and mark.found)):
                delta = await _within(anext(stream, None), wait_secs)
                wait_secs = self._params.next_token_secs
                match delta:
                    case InQueue(queue_secs):
                        wait_secs = queue_secs + self._params.first_token_secs
                        await self.broadcast_frame(ReplyQueuedFrame, reply_id=reply.reply_id, wait_secs=queue_secs)
                    case TextDelta(text):
                        said = filter_.feed(text)
                        if filter_.took_back():
                            await self._withdraw(reply, said_before)
                            mark = GoOnFilter() if mark is not None else None
                        await self._say(reply, reply.parts.feed(said if mark is None else mark.feed(said)))
                    case ToolCallDelta():
                        calls.append(delta)
                    case Finish(reason, usage):
                        if usage is not None:
                            self._on_usage(usage)
                        break
                    case None:
                        raise LanguageModelError("the stream broke off", retryable=True)
        rest = filter_.finish(cut=reason == "length")
        if filter_.took_back():
            await self._withdraw(reply, said_before)
            mark = GoOnFilter() if mark is not None else None
        if mark is not None:
            rest = replace(rest, text=mark.feed(rest.text) + mark.finish())
            if mark.found:  # the reply that was cut is over: its rest is spoken anew
                rest, reply.rest = Rest(rest.text + reply.rest), ""
        return await self._round_over(reply, calls, rest, reason, said_before)

    async def _withdraw(self, reply: Reply, said_before: int) -> None:
        """What was said in this round was no word for the caller: what has not begun to sound is dropped."""
        if len(reply.said) > said_before:
            logger.info("{}: reply {}: a thought was taken for words", self._model.name, reply.reply_id)
            reply.said = reply.said[:said_before]
            await self._push(reply, ReplyTextWithdrawnFrame(reply.reply_id))
        reply.parts = ReplyParts(self._params.part_chars, self._params.language)

    async def _round_over(
        self, reply: Reply, calls: list[ToolCallDelta], rest: Rest, reason: str, said_before: int
    ) -> _Round:
        """Say what was held back, and see what the request was worth."""
        cut = reason == "length"
        called = {call.name for call in calls}
        # What is called properly is not run again because it was also written down.
        calls += [call for call in rest.calls if call.name not in called]
        await self._say(reply, reply.parts.feed(rest.text) + reply.parts.finish(cut=cut and not calls))
        if reply.parts.full:
            await self._say(reply, reply.parts.question(self._params.go_on))
            return _Round([])
        if calls and self._tools is None:
            return _Round([], "the model called a tool, and has none", broken=True)
        if calls:
            return _Round(calls)
        if rest.broken or reason == UNREADABLE:
            return _Round([], "the model wrote a tool call that cannot be read", broken=True)
        if not spoken(reply.said[said_before:], self._params.language).text:
            if reason == "content_filter":
                return _Round([], "the model's filter held the answer back")
            return _Round([], "the model thought and said nothing" if rest.thinking else "the model said nothing")
        if reason == "content_filter":
            raise LanguageModelError("the model's filter held the answer back", retryable=False)
        if cut and self._params.part_chars:
            await self._say(reply, reply.parts.question(self._params.go_on))
        return _Round([])

    async def _run_tools(self, tools: ToolRunner, reply: Reply, calls: Sequence[ToolCallDelta]) -> None:
        """Run tools; meanwhile what has been said is spoken, and silence is covered."""

        async def speak(text: str) -> None:
            with suppress(_ReplyOver):  # the tool learns it by its timeout
                await self._say(reply, text)
                await self._push(reply, ReplyRestsFrame(reply.reply_id))

        def hang_up() -> None:
            self._hangs_up_after = reply

        longest_secs = tools.longest_secs(calls)
        if reply.started:
            if reply.said and not reply.said[-1].isspace():
                await self._say(reply, " ")
            await self._push(reply, ReplyRestsFrame(reply.reply_id))
        await self.push_frame(ToolsRunningFrame(reply.reply_id, longest_secs), FrameDirection.UPSTREAM)
        reply.waits = True
        await tools.run(reply.turn_id, calls, ReplyCallControl(reply, speak, hang_up, self._transfer))
        await self.push_frame(ToolsRunningFrame(reply.reply_id, 0.0), FrameDirection.UPSTREAM)

    async def _note_playout(self, frame: WordHeardFrame | PlayoutStalledFrame | ReplyPlayedFrame) -> None:
        """What the caller hears of the reply, for those who wait for it."""
        reply = self._reply
        if isinstance(frame, ReplyPlayedFrame) and self._recap is not None and not frame.cut:
            self._recap.begin()
        match frame:
            case WordHeardFrame() if reply is not None and frame.reply_id == reply.reply_id:
                if not reply.any_heard and self._preparations is not None:
                    await self._preparations.heard()
                reply.note_word(frame.text)
            case PlayoutStalledFrame() if reply is not None and frame.reply_id == reply.reply_id and frame.stalled:
                reply.note_dry()
                if reply.waits and not reply.waits_to_be_heard and not reply.over:
                    with suppress(_ReplyOver):
                        await self._say(reply, f"{self._params.moment} ")
                        await self._push(reply, ReplyRestsFrame(reply.reply_id))
            case _:
                pass

    async def _say(self, reply: Reply, text: str) -> None:
        if not reply.started:
            text = reply.with_lead(text)  # nothing is begun with what cannot be said
        if not text:
            return
        reply.waits = False
        if not reply.started:
            await self._push(reply, ReplyStartFrame(reply_id=reply.reply_id))
            reply.started = True
        reply.said += text
        await self._push(reply, LLMTextFrame(text))

    async def _push(self, reply: Reply, frame: Frame) -> None:
        """Push, unless the reply is over: a stream that swallows its cancellation must not be heard."""
        if reply is not self._reply:
            raise _ReplyOver
        await self.push_frame(frame)


class _ReplyOver(Exception):
    """Something else is being answered by now."""


async def _within(waited: Awaitable[T], secs: float) -> T:
    try:
        async with asyncio.timeout(secs):
            return await waited
    except TimeoutError:
        raise LanguageModelError(f"no token within {secs:g} s", retryable=True) from None
