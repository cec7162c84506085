"""Where the time of each answer went: from the end of the user's speech to the bot's first sample.

The clock watches what four nodes push (by Pipecat's own ``on_before_push_frame`` event) and so costs nothing where
audio goes in. Stages are differences between instants, so they add up to the whole by construction.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pipecat.frames.frames import Frame, LLMTextFrame, VADUserStoppedSpeakingFrame
from pipecat.processors.frame_processor import FrameProcessor

from contracts.frames import (
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyStartFrame,
    TranscriptFrame,
    UserTurnFrame,
    UtteranceAudioFrame,
    UtteranceStartFrame,
)

OPEN_REPLIES = 4
"""Replies whose times are kept while they are not heard yet."""


@dataclass
class TurnTimes:
    """Instants of one turn, in the event loop's seconds; None where it has not come to that.

    Attributes:
        turn_id: The user's turn.
        reply_id: The reply to it.
        text: What the user said.
        speech_ended: Last sample of speech (the VAD's end less the silence that it waited for).
        transcript: The last final transcript before the turn was over.
        turn_ended: The turn was given to the LLM.
        first_token: First text from the LLM.
        first_clause: First piece handed to the TTS.
        first_audio: First PCM from the TTS.
        first_sample: First sample played.
    """

    turn_id: int
    reply_id: int
    text: str
    speech_ended: float | None = None
    transcript: float | None = None
    turn_ended: float | None = None
    first_token: float | None = None
    first_clause: float | None = None
    first_audio: float | None = None
    first_sample: float | None = None

    def stages_ms(self) -> dict[str, int]:
        """Milliseconds of each stage in order; a stage that did not happen is left out."""
        instants = [
            ("stt", self.transcript),
            ("end_of_turn", self.turn_ended),
            ("llm", self.first_token),
            ("clause", self.first_clause),
            ("tts", self.first_audio),
            ("playout", self.first_sample),
        ]
        stages: dict[str, int] = {}
        before = self.speech_ended if self.speech_ended is not None else self.turn_ended
        for name, at in instants:
            if at is not None and before is not None and at >= before:
                stages[name] = round((at - before) * 1000)
                before = at
        return stages

    def answer_ms(self) -> int | None:
        """From the end of speech (or the typed text) to the first sample, in milliseconds."""
        start = self.speech_ended if self.speech_ended is not None else self.turn_ended
        if start is None or self.first_sample is None:
            return None
        return round((self.first_sample - start) * 1000)


class TurnClock:
    """Keeps the times of one call's turns.

    Args:
        on_answer: Called with a turn's times when the first sample of its reply has been played.
        on_reply_over: Called with the times and the final frame when the reply has been played to its end, or was cut.
    """

    def __init__(
        self,
        on_answer: Callable[[TurnTimes], None],
        on_reply_over: Callable[[TurnTimes, ReplyPlayedFrame], None] | None = None,
    ) -> None:
        self._on_answer = on_answer
        self._on_reply_over = on_reply_over
        self._replies: dict[int, TurnTimes] = {}
        self._speech_ended: float | None = None
        self._transcript: float | None = None
        self._llm_reply_id = 0
        self._tts_reply_id = 0

    def watch(
        self, interruptions: FrameProcessor, llm: FrameProcessor, tts: FrameProcessor, output: FrameProcessor
    ) -> None:
        """Begin to watch what these nodes push."""
        interruptions.add_event_handler("on_before_push_frame", self._from_interruptions)
        llm.add_event_handler("on_before_push_frame", self._from_llm)
        tts.add_event_handler("on_before_push_frame", self._from_tts)
        output.add_event_handler("on_before_push_frame", self._from_output)

    def _from_interruptions(self, _: FrameProcessor, frame: Frame) -> None:
        match frame:
            case VADUserStoppedSpeakingFrame():
                self._speech_ended = _now() - frame.stop_secs
            case TranscriptFrame():
                self._transcript = _now()
            case UserTurnFrame():
                times = TurnTimes(frame.turn_id, frame.reply_id, frame.text, self._speech_ended, self._transcript)
                times.turn_ended = _now()
                self._speech_ended = self._transcript = None
                self._replies[frame.reply_id] = times
                while len(self._replies) > OPEN_REPLIES:
                    del self._replies[next(iter(self._replies))]
            case _:
                pass

    def _from_llm(self, _: FrameProcessor, frame: Frame) -> None:
        match frame:
            case ReplyStartFrame():
                self._llm_reply_id = frame.reply_id
            case LLMTextFrame() if frame.text.strip():
                times = self._replies.get(self._llm_reply_id)
                if times is not None and times.first_token is None:
                    times.first_token = _now()
            case ReplyEndFrame():
                self._llm_reply_id = 0
            case _:
                pass

    def _from_tts(self, _: FrameProcessor, frame: Frame) -> None:
        match frame:
            case UtteranceStartFrame():
                self._tts_reply_id = frame.reply_id
                times = self._replies.get(frame.reply_id)
                if times is not None and times.first_clause is None:
                    times.first_clause = _now()
            case UtteranceAudioFrame():
                times = self._replies.get(self._tts_reply_id)
                if times is not None and times.first_audio is None:
                    times.first_audio = _now()
            case _:
                pass

    def _from_output(self, _: FrameProcessor, frame: Frame) -> None:
        match frame:
            case ReplyPlayingFrame():
                times = self._replies.get(frame.reply_id)
                if times is not None and times.first_sample is None:
                    times.first_sample = _now()
                    self._on_answer(times)
            case ReplyPlayedFrame():
                times = self._replies.pop(frame.reply_id, None)
                if times is not None and self._on_reply_over is not None:
                    self._on_reply_over(times, frame)
            case _:
                pass


def _now() -> float:
    return asyncio.get_running_loop().time()
