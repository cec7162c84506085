"""``python bot.py check``: what is set up, and one sentence through the whole loop, with each stage's time."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from audio.pcm import Resampler
from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.llm import Finish, InQueue, LanguageModelError, TextDelta
from contracts.stt import RecogniserError, Transcript
from contracts.tts import VoiceError
from processors.llm.scripted import ScriptedModel
from processors.models.files import MODEL_FILES, ModelError, model_path
from processors.vad.processor import SpeechGate
from processors.vad.silero import SileroStream
from services.services import Services
from settings import LlmProvider, Settings, SttProvider

SENTENCE = "What are your opening hours?"
TRANSCRIPT_SECS = 10.0
REPLY_SECS = 60.0


async def check(settings: Settings) -> int:
    """Print the report; returns 0 if a call would work, else 1.

    Raises:
        SettingsError: The bot cannot even start; says what to set.
    """
    print(f"Providers: STT={settings.stt.value} LLM={settings.llm.value} TTS={settings.tts.value}")
    for model in MODEL_FILES:
        try:
            print(f"  found    {model.name}: {model_path(model)}")
        except ModelError as error:
            print(f"  MISSING  {error}")
    with _timed("load and warm up"):
        services = await Services.load(settings)
    print(f"Tools: {', '.join(tool.name for tool in services.tools) or 'none'}")
    try:
        for warning in services.warnings:
            print(f"  WARNING  {warning}")
        print(f"Capacity: {services.capacity().line()}")
        await _loop(services)
    except (VoiceError, RecogniserError, LanguageModelError, TimeoutError) as error:
        print(f"FAILED: {error or 'no answer in time'}")
        return 1
    finally:
        await services.close()
    if settings.llm is LlmProvider.LOCAL and isinstance(services.language_model, ScriptedModel):
        print("The loop works, with the scripted responder in place of the language model.")
    else:
        print("The loop works.")
    return 0


async def _loop(services: Services) -> None:
    """Text, speech, text, reply, speech."""
    print(f"One sentence through the loop: {SENTENCE!r}")
    pcm = await _speak(services, SENTENCE)
    with _timed("speech to text, after the end of speech") as told:
        text = await _hear(services, pcm, told)
    print(f"           heard: {text!r}")
    reply = await _reply(services, text)
    print(f"           reply: {reply!r}")
    await _speak(services, reply)


async def _speak(services: Services, text: str) -> np.ndarray:
    """Speak; returns int16 at 16 kHz."""
    began = time.perf_counter()
    first_secs: float | None = None
    resampler: Resampler | None = None
    pcm = b""
    async for chunk in services.voice.speak(text):
        first_secs = first_secs or time.perf_counter() - began
        resampler = resampler or Resampler(chunk.sample_rate_hz, INPUT_SAMPLE_RATE_HZ)
        pcm += resampler.push(chunk.pcm)
    if resampler is None or first_secs is None:
        raise VoiceError("the voice made no sound")
    pcm += resampler.flush()
    _tell("text to speech, first audio", first_secs)
    _tell(f"text to speech, all of {len(pcm) / 2 / INPUT_SAMPLE_RATE_HZ:.1f} s", time.perf_counter() - began)
    return np.frombuffer(pcm, np.int16)


async def _hear(services: Services, pcm: np.ndarray, told: "_Stopwatch") -> str:
    """Let the recogniser hear the speech: the local one faster than real time, a vendor as it would come."""
    silero, gate = SileroStream(), SpeechGate(services.vad_params)
    final: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def emit(transcript: Transcript) -> None:
        if transcript.final and transcript.text and not final.done():
            final.set_result(transcript.text)

    async def on_error(error: RecogniserError) -> None:
        if not final.done():
            final.set_exception(error)

    recogniser = services.recogniser()
    await recogniser.start(emit, on_error)
    try:
        second = np.zeros(INPUT_SAMPLE_RATE_HZ, np.int16)
        heard = np.concatenate([second[: len(second) // 2], pcm, second])
        window_secs = 0.0 if services.settings.stt is SttProvider.LOCAL else WINDOW_SAMPLES / INPUT_SAMPLE_RATE_HZ
        for start in range(0, len(heard) - WINDOW_SAMPLES, WINDOW_SAMPLES):
            window = heard[start : start + WINDOW_SAMPLES].tobytes()
            prob = silero.speech_prob(window)
            change = gate.push(prob)
            if change == "started":
                recogniser.speech_started()
            recogniser.feed(window, prob)
            if change == "stopped":
                recogniser.speech_stopped()
                told.restart()
            await asyncio.sleep(window_secs)
        async with asyncio.timeout(TRANSCRIPT_SECS):
            return await final
    finally:
        await recogniser.close()


async def _reply(services: Services, text: str) -> str:
    prompt = [{"role": "system", "content": services.system_prompt}, {"role": "user", "content": text}]
    began = time.perf_counter()
    first_secs: float | None = None
    reply = ""
    async with asyncio.timeout(REPLY_SECS):
        async for delta in services.language_model.stream(prompt):
            if isinstance(delta, TextDelta):
                first_secs = first_secs or time.perf_counter() - began
                reply += delta.text
            elif isinstance(delta, InQueue):
                # Callers wait; who checks wants to know.
                why = f"{delta.why.rstrip('.')}; a caller would wait for {delta.wait_secs:.0f} s"
                raise LanguageModelError(why, retryable=True)
            elif isinstance(delta, Finish):
                break
    if first_secs is None:
        raise LanguageModelError("the language model said nothing", retryable=True)
    _tell("language model, first token", first_secs)
    _tell("language model, whole reply", time.perf_counter() - began)
    return reply


class _Stopwatch:
    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self._began = time.perf_counter()

    @property
    def secs(self) -> float:
        return time.perf_counter() - self._began


@contextmanager
def _timed(what: str) -> Iterator[_Stopwatch]:
    watch = _Stopwatch()
    yield watch
    _tell(what, watch.secs)


def _tell(what: str, secs: float) -> None:
    print(f"  {secs * 1000:7.0f} ms  {what}", flush=True)
