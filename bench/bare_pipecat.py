"""The bare Pipecat bot that Parley is set beside: Pipecat's own transport, VAD, aggregators and service base classes.

    python -m bench.bare_pipecat --port 7860 [--talkative]

It is the shape of Pipecat's quickstart, with nothing tuned but the log level. Its three services cost next to nothing
and keep the times of those in ``bench.emulated_services``: a transcript 150 ms after the last loud sound, a reply's
first word 300 ms later and 60 words a second after that, a clause's audio 200 ms later at five times the speed of
speech.
"""

import argparse
import asyncio
import logging
import math
import sys
from collections.abc import AsyncGenerator
from typing import Final

import numpy as np
import soxr
from aiohttp import web
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from bench.emulated_services import (
    CHUNK_SECS,
    FINAL_SECS,
    FIRST_AUDIO_SECS,
    FIRST_TOKEN_SECS,
    LOUD_RMS,
    REPLY_WORDS,
    SECS_PER_WORD,
    SPEECH,
    SPEED,
    TALKATIVE_SPEED,
    TALKATIVE_WORDS,
    TOKENS_PER_SEC,
    reply_words,
)
from loadtest.clips import read_wav

INPUT_RATE_HZ: Final = 16_000
OUTPUT_RATE_HZ: Final = 24_000
VAD_STOP_SECS: Final = 0.2


class EmulatedSTT(STTService):
    """Says the same words of every sound, 150 ms after it."""

    def __init__(self) -> None:
        settings = STTSettings(model="emulated", language=None)
        super().__init__(sample_rate=INPUT_RATE_HZ, ttfs_p99_latency=0.35, settings=settings)
        self._loud = False
        self._final_at: asyncio.TimerHandle | None = None

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        samples = np.frombuffer(audio, np.int16).astype(np.float32)
        if float(np.dot(samples, samples)) > LOUD_RMS**2 * len(samples):
            self._loud = True
            if self._final_at is not None:
                self._final_at.cancel()
                self._final_at = None
        elif self._loud and self._final_at is None:
            loop = asyncio.get_running_loop()
            self._final_at = loop.call_later(FINAL_SECS, lambda: self.create_task(self._finish(), name="final"))
        yield None

    async def _finish(self) -> None:
        self._final_at = None
        self._loud = False
        frame = TranscriptionFrame("This is what the user said.", "", time_now_iso8601())
        frame.finalized = True
        await self.push_frame(frame)


class EmulatedLLM(LLMService):
    """Sentences of ten words, the first of six.

    Args:
        words: Length of a reply.
    """

    def __init__(self, words: int) -> None:
        settings = LLMSettings(
            model="emulated",
            system_instruction=None,
            temperature=None,
            max_tokens=None,
            top_p=None,
            top_k=None,
            frequency_penalty=None,
            presence_penalty=None,
            seed=None,
            filter_incomplete_user_turns=False,
            user_turn_completion_config=None,
        )
        super().__init__(settings=settings)
        self._words = reply_words(words)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        loop = asyncio.get_running_loop()
        first = loop.time() + FIRST_TOKEN_SECS
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            for index, word in enumerate(self._words):
                await asyncio.sleep(max(0.0, first + index / TOKENS_PER_SEC - loop.time()))
                await self._push_llm_text(word)
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


class EmulatedTTS(TTSService):
    """Reads out a recording, whatever the text.

    Args:
        speed: How much faster than speech the audio comes.
    """

    def __init__(self, speed: float) -> None:
        settings = TTSSettings(model="emulated", voice="emulated", language=None)
        super().__init__(sample_rate=OUTPUT_RATE_HZ, push_start_frame=True, push_stop_frames=True, settings=settings)
        speech = soxr.resample(read_wav(SPEECH), INPUT_RATE_HZ, OUTPUT_RATE_HZ)
        loud = np.flatnonzero(np.abs(speech) > 2000)
        self._speech = speech[loud[0] : loud[-1]].astype(np.int16).tobytes()
        self._speed = speed

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        loop = asyncio.get_running_loop()
        first = loop.time() + FIRST_AUDIO_SECS
        chunk_bytes = 2 * round(CHUNK_SECS * OUTPUT_RATE_HZ)
        size = 2 * round(len(text.split()) * SECS_PER_WORD * OUTPUT_RATE_HZ)
        pcm = (self._speech * math.ceil(size / len(self._speech)))[:size]
        for at in range(0, size, chunk_bytes):
            due = first + at / (2 * OUTPUT_RATE_HZ) / self._speed
            await asyncio.sleep(max(0.0, due - loop.time()))
            yield TTSAudioRawFrame(pcm[at : at + chunk_bytes], OUTPUT_RATE_HZ, 1, context_id=context_id)


async def talk(connection: SmallWebRTCConnection, *, talkative: bool) -> None:
    """One call, from its connection to its end."""
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    transport = SmallWebRTCTransport(webrtc_connection=connection, params=params)
    user, assistant = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=SileroVADAnalyzer(params=VADParams(stop_secs=VAD_STOP_SECS)),
            user_turn_strategies=UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.0)]),
        ),
    )
    llm = EmulatedLLM(TALKATIVE_WORDS if talkative else REPLY_WORDS)
    tts = EmulatedTTS(TALKATIVE_SPEED if talkative else SPEED)
    pipeline = Pipeline([transport.input(), EmulatedSTT(), user, llm, tts, transport.output(), assistant])
    worker = PipelineWorker(pipeline, params=PipelineParams(enable_metrics=True, enable_usage_metrics=True))

    @transport.event_handler("on_client_disconnected")
    async def end(transport: SmallWebRTCTransport, client: SmallWebRTCConnection) -> None:  # pyright: ignore[reportUnusedFunction]
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()


def make_app(*, talkative: bool) -> web.Application:
    """``POST /api/offer`` with ``{"sdp", "type"}`` starts a call; ``GET /stats`` tells that the bot is up."""
    calls: set[asyncio.Task[None]] = set()

    async def offer(request: web.Request) -> web.Response:
        body = await request.json()
        connection = SmallWebRTCConnection()
        await connection.initialize(sdp=body["sdp"], type=body["type"])
        call = asyncio.create_task(talk(connection, talkative=talkative))
        calls.add(call)
        call.add_done_callback(calls.discard)
        await connection.connect()
        return web.json_response(connection.get_answer())

    async def stats(_: web.Request) -> web.Response:
        return web.json_response({"calls": len(calls)})

    app = web.Application()
    app.router.add_post("/api/offer", offer)
    app.router.add_get("/stats", stats)
    return app


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare_pipecat", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=7860, help="port; default: 7860")
    parser.add_argument("--talkative", action="store_true", help="replies of 240 words, spoken for a minute and a half")
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")  # Pipecat's default is DEBUG; nobody would run it so under load
    logging.basicConfig(level=logging.WARNING)
    web.run_app(make_app(talkative=options.talkative), host="127.0.0.1", port=options.port, print=None)


if __name__ == "__main__":
    main()
