"""The pipeline's voice: cuts replies into pieces and has them spoken, one after the other."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from loguru import logger
from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InterruptionFrame, LLMTextFrame
from pipecat.processors.frame_processor import FrameDirection

from audio.pcm import Resampler
from contracts.frames import (
    OUTPUT_SAMPLE_RATE_HZ,
    PreparedDroppedFrame,
    PreparedTextFrame,
    ReplyEndFrame,
    ReplyRestsFrame,
    ReplyStartFrame,
    ReplyTextWithdrawnFrame,
    SayFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    WordTimesFrame,
)
from contracts.overtaking import OvertakingInterruptions
from contracts.prefetch import Prefetch
from contracts.tts import Voice, VoiceChunk, VoiceError
from processors.tts.deadlines import in_time
from processors.tts.original_words import OriginalWords
from processors.tts.sentences import PieceCutter, sentences
from processors.tts.text_normaliser import SpokenText, spoken

MAX_FAILURES = 2
"""So many pieces in a row that could not be spoken end the reply."""


@dataclass(frozen=True)
class TTSParams:
    """Deadlines of one piece.

    Attributes:
        first_audio_secs: Seconds until its first audio.
        next_audio_secs: Seconds between its chunks.
        language: Code of the language that is spoken.
    """

    first_audio_secs: float = 3.0
    next_audio_secs: float = 2.0
    language: str = "en"


@dataclass(eq=False)
class _Reply:
    """A reply that is being spoken, or waits for it.

    Attributes:
        reply_id: The reply.
        remember: See :class:`ReplyStartFrame`.
        pieces: Text that waits.
        complete: Whether all its text is there.
        error: Why it ended early.
        failures: Pieces in a row that could not be spoken.
        ahead: Its first piece, spoken before the reply was asked for.
        begun: Whether its first piece has come.
        language: Code of the language that it is in.
    """

    reply_id: int
    remember: bool
    pieces: deque[str] = field(default_factory=deque)
    complete: bool = False
    error: str | None = None
    failures: int = 0
    ahead: "_PreparedPiece | None" = None
    begun: bool = False
    language: str = "en"


@dataclass(eq=False)
class _PreparedPiece:
    """The first piece of a reply that may be asked for, as it is spoken into a buffer."""

    text: str
    chunks: Prefetch[VoiceChunk]


@dataclass(eq=False)
class _Prepared:
    """One reply that may be asked for: its text so far, and its first piece once that is known."""

    cutter: PieceCutter
    piece: _PreparedPiece | None = None


class TTSProcessor(OvertakingInterruptions):
    """Turns ``ReplyStartFrame, LLMTextFrame*, ReplyEndFrame`` into utterances between the same two frames.

    A task of its own speaks, so that whatever else comes down the pipeline is passed on at once. Replies are spoken in
    the order in which they began; a :class:`SayFrame` is a reply of one sentence. An interruption ends them all.

    Args:
        voice: The voice.
        params: Deadlines.
        voices: Voices of other languages, by code.
        on_unheard: Told what was spoken ahead, and not wanted.
    """

    def __init__(
        self,
        voice: Voice,
        *,
        params: TTSParams | None = None,
        on_unheard: Callable[[str], None] = lambda _: None,
        voices: Mapping[str, Voice] | None = None,
    ) -> None:
        super().__init__(name="tts")
        self._voice = voice
        self._voices = voices or {}
        self._params = params or TTSParams()
        self._on_unheard = on_unheard
        self._prepared: dict[int, _Prepared] = {}
        self._language = self._params.language
        self._cutter = PieceCutter(self._language)
        self._incoming: _Reply | None = None
        self._replies: deque[_Reply] = deque()
        self._last_utterance_id = 0
        self._more = asyncio.Event()
        self._speaker: asyncio.Task[None] | None = None

    def speak(self, language: str) -> None:
        """Speak another language from the next reply on, with the voice that knows it."""
        self._language = language
        for prepared_id in list(self._prepared):
            self._drop_prepared(prepared_id)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take text, drop everything at an interruption, pass the rest on."""
        await super().process_frame(frame, direction)
        match frame:
            case ReplyStartFrame():
                if not self.overtaken:
                    self._begin(frame.reply_id, frame.remember)
            case LLMTextFrame():
                if not self.overtaken and self._incoming is not None:
                    self._take(self._incoming, self._cutter.push(frame.text))
            case ReplyRestsFrame():
                if not self.overtaken and self._incoming is not None:
                    self._take(self._incoming, self._cutter.flush())
            case ReplyTextWithdrawnFrame():
                if self._incoming is not None:
                    self._incoming.pieces.clear()
                    self._cutter = PieceCutter(self._incoming.language)
            case ReplyEndFrame():
                if not self.overtaken and self._incoming is not None:
                    self._complete(self._incoming, frame.error)
            case SayFrame():
                if not self.overtaken:
                    self._say(frame)
            case PreparedTextFrame():
                self._prepare(frame)
            case PreparedDroppedFrame():
                self._drop_prepared(frame.prepared_id)
            case InterruptionFrame() | CancelFrame():
                await self._stop()
                await self.push_frame(frame, direction)
            case EndFrame():
                if self._speaker is not None:
                    await asyncio.wait([self._speaker])  # its deadlines end it
                await self.push_frame(frame, direction)
            case _:
                await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Stop speaking."""
        await super().cleanup()
        await self._stop()
        for prepared_id in list(self._prepared):
            self._drop_prepared(prepared_id)

    # --- speaking ahead ------------------------------------------------------------------------

    def _prepare(self, frame: PreparedTextFrame) -> None:
        prepared = self._prepared.setdefault(frame.prepared_id, _Prepared(PieceCutter(self._language)))
        if prepared.piece is not None:
            return
        pieces = prepared.cutter.push(frame.text)
        if frame.last:
            pieces += prepared.cutter.flush()
        said = spoken(pieces[0], self._language).text if pieces else ""
        if said:
            prepared.piece = _PreparedPiece(pieces[0], Prefetch(self._chunks(said, self._language), "tts ahead"))

    def _drop_prepared(self, prepared_id: int) -> None:
        prepared = self._prepared.pop(prepared_id, None)
        if prepared is not None:
            self._note_unheard(prepared.piece)

    def _note_unheard(self, ahead: _PreparedPiece | None) -> None:
        if ahead is not None:
            ahead.chunks.drop()
            self._on_unheard(ahead.text)

    def _take_ahead(self, reply: _Reply, first: str) -> None:
        """A reply that was prepared has come, or another one. Of several the others may still be asked for instead."""
        if reply.begun:
            return
        reply.begun = True
        for prepared_id, prepared in list(self._prepared.items()):
            piece = prepared.piece
            if piece is not None and piece.text == first and piece.chunks.error is None:
                reply.ahead = piece
                del self._prepared[prepared_id]
                return
        for prepared_id in list(self._prepared):
            self._drop_prepared(prepared_id)

    # --- text in -----------------------------------------------------------------------------

    def _begin(self, reply_id: int, remember: bool) -> None:
        if self._incoming is not None:
            self._complete(self._incoming, None)
        self._incoming = _Reply(reply_id, remember, language=self._language)
        self._cutter = PieceCutter(self._language)
        self._add(self._incoming)

    def _say(self, frame: SayFrame) -> None:
        reply = _Reply(frame.reply_id, frame.remember, complete=True, language=self._language)
        # A filler is for silence: not when the reply that it would cover is there.
        if not (frame.only_if_idle and self._replies):
            reply.pieces.extend(sentences(frame.text, reply.language))
        self._add(reply)

    def _add(self, reply: _Reply) -> None:
        self._replies.append(reply)
        self._more.set()
        if self._speaker is None or self._speaker.done():
            self._speaker = asyncio.create_task(self._speak_all(), name="tts")

    def _take(self, reply: _Reply, pieces: list[str]) -> None:
        if pieces:
            self._take_ahead(reply, pieces[0])
            reply.pieces.extend(pieces)
            self._more.set()

    def _complete(self, reply: _Reply, error: str | None) -> None:
        self._take(reply, self._cutter.flush())
        reply.complete = True
        reply.error = reply.error or error
        self._incoming = None
        self._more.set()

    async def _stop(self) -> None:
        self._incoming = None
        for reply in self._replies:
            self._note_unheard(reply.ahead)
        self._replies.clear()
        speaker, self._speaker = self._speaker, None
        if speaker is not None and not speaker.done():
            speaker.cancel()
            await asyncio.wait([speaker], timeout=0.1)

    # --- audio out ---------------------------------------------------------------------------

    async def _speak_all(self) -> None:
        """Speak until no reply is left."""
        while self._replies:
            reply = self._replies[0]
            await self.push_frame(ReplyStartFrame(reply_id=reply.reply_id, remember=reply.remember))
            await self._speak_reply(reply)
            # Nothing is awaited in between: a filler that comes now finds the voice idle.
            self._replies.popleft()
            await self.push_frame(ReplyEndFrame(reply_id=reply.reply_id, error=reply.error))

    async def _speak_reply(self, reply: _Reply) -> None:
        while reply.pieces or not reply.complete:
            if not reply.pieces:
                self._more.clear()
                await self._more.wait()
                continue
            piece = reply.pieces.popleft()
            if reply.failures < MAX_FAILURES:
                await self._speak_piece(reply, piece)

    async def _speak_piece(self, reply: _Reply, text: str) -> None:
        self._last_utterance_id += 1
        utterance_id = self._last_utterance_id
        await self.push_frame(UtteranceStartFrame(reply.reply_id, utterance_id, text))
        error: str | None = None
        said = spoken(text, reply.language)
        if said.text:
            try:
                ahead, reply.ahead = reply.ahead, None
                chunks = ahead.chunks.stream() if ahead is not None else self._chunks(said.text, reply.language)
                await self._speak_aloud(utterance_id, said, chunks)
            except VoiceError as failure:
                error = str(failure)
            except Exception as failure:  # noqa: BLE001 - a boundary: no fault of a voice may end the call
                logger.exception("{} failed", self._voice.name)
                error = type(failure).__name__
        if error is None:
            reply.failures = 0
        else:
            logger.warning("{}: reply {}: {}", self._voice.name, reply.reply_id, error)
            reply.failures += 1
            reply.error = reply.error or error
        await self.push_frame(UtteranceEndFrame(utterance_id, error=error))

    def _chunks(self, said: str, language: str) -> AsyncGenerator[VoiceChunk]:
        return in_time(
            self._voices.get(language, self._voice),
            said,
            first_audio_secs=self._params.first_audio_secs,
            next_audio_secs=self._params.next_audio_secs,
        )

    async def _speak_aloud(self, utterance_id: int, said: SpokenText, stream: AsyncGenerator[VoiceChunk]) -> None:
        """Push one utterance's audio; and its word times, with the text's own words and their white space.

        Raises:
            VoiceError: No audio, too late, or the voice's own.
        """
        sound = _Sound()
        originals = OriginalWords(said)
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                if words := originals.follow(chunk.words):
                    await self.push_frame(WordTimesFrame(utterance_id, words))
                await self._push_audio(utterance_id, sound.take(chunk))
        await self._push_audio(utterance_id, sound.finish())
        if not sound.samples:
            raise VoiceError("the voice made no sound")
        if not originals.told:
            words = originals.guess(sound.samples / OUTPUT_SAMPLE_RATE_HZ)
            await self.push_frame(WordTimesFrame(utterance_id, words))

    async def _push_audio(self, utterance_id: int, pcm: bytes) -> None:
        if pcm:
            await self.push_frame(UtteranceAudioFrame(pcm, OUTPUT_SAMPLE_RATE_HZ, 1, utterance_id=utterance_id))


class _Sound:
    """The audio of one utterance, brought to the playout's rate; whole samples only."""

    def __init__(self) -> None:
        self._resampler: Resampler | None = None
        self.samples = 0

    def take(self, chunk: VoiceChunk) -> bytes:
        """Audio that is ready now."""
        if self._resampler is None:
            self._resampler = Resampler(chunk.sample_rate_hz, OUTPUT_SAMPLE_RATE_HZ)
        return self._counted(self._resampler.push(chunk.pcm))

    def finish(self) -> bytes:
        """Audio that was held back."""
        return self._counted(self._resampler.flush()) if self._resampler is not None else b""

    def _counted(self, pcm: bytes) -> bytes:
        self.samples += len(pcm) // 2
        return pcm
