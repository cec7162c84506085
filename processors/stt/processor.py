"""The pipeline's speech-to-text node: feeds a recogniser, turns its transcripts into frames."""

from dataclasses import replace

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    StartFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.time import time_now_iso8601

from contracts.call_language import CallLanguage
from contracts.frames import (
    AudioWindowFrame,
    CallErrorFrame,
    EarlyTranscriptFrame,
    InterimTranscriptFrame,
    TranscriptFrame,
    WordHeardFrame,
)
from contracts.provider_failures import report_failure
from contracts.stt import Recogniser, RecogniserError, Transcript
from processors.audio_filter.caller_filter import CallerFilter
from processors.compat import InlineAudio


class STTProcessor(InlineAudio, FrameProcessor):
    """Hears the audio that passes by.

    Windows and VAD frames go on downstream at once; transcripts follow whenever the recogniser has them. What the
    recogniser can't do the client is told, and the call goes on: text and keys still work.

    Args:
        recogniser: This call's recogniser; started with the pipeline, closed with it.
        language: The call's language, which follows the caller; None: it stays as it is.
        caller_filter: Knows the bot's own words; None: all words count.
    """

    def __init__(
        self, recogniser: Recogniser, language: CallLanguage | None = None, caller_filter: CallerFilter | None = None
    ) -> None:
        super().__init__(name="stt")
        self._recogniser = recogniser
        self._language = language
        self._caller_filter = caller_filter or CallerFilter(None)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Feed the recogniser and pass the frame on."""
        await super().process_frame(frame, direction)
        match frame:
            case AudioWindowFrame():
                await self.process_audio(frame, direction)
                return
            case VADUserStartedSpeakingFrame():
                self._caller_filter.speech_started(self._now())
                self._recogniser.speech_started()
            case VADUserStoppedSpeakingFrame():
                self._recogniser.speech_stopped()
            case WordHeardFrame():
                self._caller_filter.bot_said(frame.text, self._now())
            case StartFrame():
                await self.push_frame(frame, direction)
                await self._start()
                return
            case EndFrame() | CancelFrame():
                await self._recogniser.close()
            case _:
                pass
        await self.push_frame(frame, direction)

    async def process_audio(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        """Feed the recogniser and pass the window on."""
        if isinstance(frame, AudioWindowFrame):
            self._recogniser.feed(frame.audio, frame.speech_prob)
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Close the recogniser, however the call ended."""
        await super().cleanup()
        await self._recogniser.close()

    async def _start(self) -> None:
        try:
            await self._recogniser.start(self._take, self._report)
        except RecogniserError as error:
            await self._report(error)

    async def _take(self, transcript: Transcript) -> None:
        if transcript.text and self._caller_filter.is_own(transcript.text, self._now()):
            if not transcript.final:
                return
            transcript = replace(transcript, text="", words=())
        if transcript.early:
            await self.push_frame(EarlyTranscriptFrame(transcript.text, transcript.segment, transcript.final))
            return
        if (
            transcript.final
            and self._language is not None
            and self._language.hear(transcript.text, transcript.language)
        ):
            logger.info("the call goes on in {}", self._language.code)
        if transcript.final:
            self._caller_filter.heard(transcript.text, self._language.code if self._language is not None else "en")
        kind = TranscriptFrame if transcript.final else InterimTranscriptFrame
        frame = kind(
            transcript.text,
            user_id="",
            timestamp=time_now_iso8601(),
            segment=transcript.segment,
            confidence=transcript.confidence,
        )
        if isinstance(frame, InterimTranscriptFrame):
            frame.eager = transcript.eager
        await self.push_frame(frame)

    def _now(self) -> float:
        return self.get_event_loop().time()

    async def _report(self, error: RecogniserError) -> None:
        logger.error("speech recognition: {} ({})", error, type(error.__cause__).__name__)
        report_failure("stt", "recogniser", str(error))
        await self.push_frame(CallErrorFrame(str(error)))
