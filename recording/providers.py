"""Providers as they are, with a record beside them: recogniser, language model, voice, judges, tools."""

import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import numpy as np

from contracts.llm import Delta, LanguageModel, LanguageModelError, Message, ReadsAlong, ToolSpec, as_generator
from contracts.stt import Emit, OnError, Recogniser, RecogniserError, Transcript
from contracts.tts import Voice, VoiceChunk, VoiceError
from processors.llm.preemptive_budget import PreemptiveBudget
from processors.tools.base import Arguments, CallControl, Tool, ToolContext, ToolError
from processors.turns.handler import SoundClip, SoundJudge, TurnDetector
from processors.vad.silero import OnProb, SpeechRater
from recording.entries import llm_error_as_dict
from recording.recorder import CallRecorder


class RecordedRater:
    """A :class:`~processors.vad.silero.SpeechRater`."""

    def __init__(self, rater: SpeechRater, recorder: CallRecorder) -> None:
        self._rater = rater
        self._recorder = recorder

    def judge(self, window: bytes, told: OnProb) -> None:
        """Rate a window."""

        def tell(window: bytes, prob: float) -> None:
            self._recorder.speech_prob(prob)
            told(window, prob)

        self._rater.judge(window, tell)

    def settle(self) -> None:
        """Tell what waits."""
        self._rater.settle()


class RecordedRecogniser:
    """A :class:`~contracts.stt.Recogniser`."""

    def __init__(self, recogniser: Recogniser, recorder: CallRecorder) -> None:
        self._recogniser = recogniser
        self._recorder = recorder
        self._windows = 0
        self._checksum = 0

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Get ready."""

        async def take(transcript: Transcript) -> None:
            self._recorder.transcript(transcript, self._windows, self._checksum)
            await emit(transcript)

        async def report(error: RecogniserError) -> None:
            self._recorder.stt_error(str(error))
            await on_error(error)

        try:
            await self._recogniser.start(take, report)
        except RecogniserError as error:
            self._recorder.stt_error(str(error))
            raise

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take a window."""
        self._windows += 1
        self._checksum = zlib.crc32(pcm, self._checksum)
        self._recogniser.feed(pcm, speech_prob)

    def speech_started(self) -> None:
        """Somebody speaks."""
        self._recorder.stt_told("started", self._windows)
        self._recogniser.speech_started()

    def speech_stopped(self) -> None:
        """Nobody does any more."""
        self._recorder.stt_told("stopped", self._windows)
        self._recogniser.speech_stopped()

    async def close(self) -> None:
        """The call is over."""
        await self._recogniser.close()


class RecordedModel:
    """A :class:`~contracts.llm.LanguageModel` of one call. Made by :func:`recorded_model`."""

    def __init__(self, model: LanguageModel, recorder: CallRecorder) -> None:
        self._model = model
        self._recorder = recorder

    @property
    def name(self) -> str:
        """For logs."""
        return self._model.name

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Load what must be loaded."""
        await self._model.warm(system_prompt, tools)

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """Answer."""
        recorder = self._recorder
        number = recorder.llm_asked(messages, [tool.name for tool in tools])
        how, why = "closed", None
        try:
            async with aclosing(as_generator(self._model.stream(messages, tools))) as deltas:
                async for delta in deltas:
                    recorder.llm_delta(number, delta)
                    yield delta
            how = "end"
        except LanguageModelError as error:
            how, why = "error", llm_error_as_dict(error)
            raise
        finally:
            recorder.llm_end(number, how, why)

    async def close(self) -> None:
        """Give back what :meth:`warm` took."""
        await self._model.close()


class _RecordedReader(RecordedModel):
    """One that reads along."""

    def read_ahead(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> None:
        """Begin to read."""
        if isinstance(self._model, ReadsAlong):
            self._model.read_ahead(messages, tools)


def recorded_model(model: LanguageModel, recorder: CallRecorder) -> RecordedModel:
    """The model, with a record beside it; it reads along if the model does."""
    return (_RecordedReader if isinstance(model, ReadsAlong) else RecordedModel)(model, recorder)


class RecordedVoice:
    """A :class:`~contracts.tts.Voice` as one call uses it."""

    def __init__(self, voice: Voice, recorder: CallRecorder, language: str) -> None:
        self._voice = voice
        self._recorder = recorder
        self._language = language

    @property
    def name(self) -> str:
        """For logs."""
        return self._voice.name

    async def load(self) -> None:
        """Load what must be loaded."""
        await self._voice.load()

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Have these sentences at hand."""
        await self._voice.warm_up(texts)

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak."""
        recorder = self._recorder
        number = recorder.tts_asked(text, self._language)
        how, why = "closed", None
        try:
            async with aclosing(as_generator(self._voice.speak(text))) as chunks:
                async for chunk in chunks:
                    recorder.tts_chunk(number, chunk)
                    yield chunk
            how = "end"
        except VoiceError as error:
            how = "error"
            why = {"message": str(error), "retryable": error.retryable, "retry_after_secs": error.retry_after_secs}
            raise
        finally:
            recorder.tts_end(number, how, why)

    async def close(self) -> None:
        """The voice is shared: a call closes nothing."""


def recorded_judge(judge: SoundJudge, recorder: CallRecorder) -> SoundJudge:
    """The sound judge, with a record beside it."""

    async def score(clip: SoundClip) -> float | None:
        asked = recorder.now()
        checksum = zlib.crc32(clip.pcm.tobytes())
        found = await judge(clip)
        recorder.score(
            who="judge",
            asked=asked,
            sound_id=clip.sound_id,
            elapsed_ms=clip.elapsed_ms,
            ended=clip.ended,
            checksum=checksum,
            score=found,
        )
        return found

    return score


def recorded_detector(detect: TurnDetector, recorder: CallRecorder) -> TurnDetector:
    """The turn detector, with a record beside it."""

    async def score(pcm: np.ndarray) -> float:
        asked = recorder.now()
        checksum = zlib.crc32(pcm.tobytes())
        found = await detect(pcm)
        recorder.score(who="turn", asked=asked, checksum=checksum, score=found)
        return found

    return score


class RecordedBudget(PreemptiveBudget):
    """Whether replies may be prepared, with a record beside it; what they cost is counted where it always is."""

    def __init__(self, budget: PreemptiveBudget, recorder: CallRecorder) -> None:
        super().__init__(lambda: 1.0, 0.0)
        self._shared = budget
        self._recorder = recorder

    @property
    def allowed(self) -> bool:
        """Whether a reply may be prepared now."""
        allowed = self._shared.allowed
        self._recorder.prepares(allowed)
        return allowed

    def note_refused(self) -> None:
        """One was wanted, and the budget is too short."""
        self._shared.note_refused()

    def note_asked(self) -> None:
        """A request is sent ahead of time."""
        self._shared.note_asked()

    def note_used(self, tokens: float) -> None:
        """It was what was wanted."""
        self._shared.note_used(tokens)

    def note_wasted(self, tokens: float, cached_tokens: float = 0.0) -> None:
        """It was not."""
        self._shared.note_wasted(tokens, cached_tokens)

    def note_unheard(self, tokens: float) -> None:
        """Nothing of it was heard."""
        self._shared.note_unheard(tokens)


class _RecordedControl:
    def __init__(self, call: CallControl, recorder: CallRecorder, number: int) -> None:
        self._call = call
        self._recorder = recorder
        self._number = number

    async def say(self, text: str) -> bool:
        self._recorder.tool_line(self._number, say=text)
        return await self._call.say(text)

    def hang_up(self) -> None:
        self._recorder.tool_line(self._number, hang_up=True)
        self._call.hang_up()


def recorded_tool(tool: Tool, recorder: CallRecorder) -> Tool:
    """A tool, with a record beside it."""

    async def run(arguments: Arguments, context: ToolContext) -> str:
        number = recorder.tool_asked(tool.name, arguments)
        how, output = "closed", ""
        try:
            output = await tool.run(arguments, replace(context, call=_RecordedControl(context.call, recorder, number)))
            how = "end"
        except ToolError as error:
            how, output = "error", str(error)
            raise
        finally:
            recorder.tool_end(number, how, output)
        return output

    return replace(tool, run=run)
