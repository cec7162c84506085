"""Fills a call's record from the frames that three nodes push. Audio of the caller does not pass here."""

import asyncio
from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMTextFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessor

from contracts.frames import (
    CallErrorFrame,
    CallHoldFrame,
    ClientReadyFrame,
    InterruptionDecisionFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ToolsRunningFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserTextFrame,
    UserTurnFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    WordHeardFrame,
)
from observe.record import CallRecord
from processors.turns.handler import InterruptionHandler
from transports.output import PlayoutOutput

Take = Callable[[float, Any], None]


class CallWatch:
    """Watches one call. Frames that nobody asks about cost one look into a table.

    What the mouth tells comes back up through the interruptions' node once; there it is taken, for the mouth itself
    pushes it both ways.

    Args:
        record: The call's record.
    """

    def __init__(self, record: CallRecord) -> None:
        self._record = record
        self._from_interruptions: dict[type[Frame], Take] = {
            ClientReadyFrame: lambda now, _: record.ready(now),
            TurnStateFrame: lambda now, frame: record.change_state(now, frame.state),
            CallHoldFrame: lambda now, frame: record.hold(now, on=frame.on),
            VADUserStartedSpeakingFrame: lambda now, frame: record.speech_began(now - frame.start_secs),
            VADUserStoppedSpeakingFrame: lambda now, frame: record.speech_ended(now - frame.stop_secs),
            TranscriptFrame: lambda now, frame: record.said_words(now, frame.text, frame.segment),
            UserTextFrame: self._on_text,
            UserTurnFrame: self._on_turn,
            InterruptionDecisionFrame: lambda now, frame: record.decided(now, frame.decision),
            CallErrorFrame: lambda now, frame: record.trouble(now, frame.message),
            InterruptionFrame: lambda now, _: record.interrupted(now),
            ReplyPlayingFrame: lambda now, frame: record.playing(now, frame.reply_id),
            WordHeardFrame: lambda now, frame: record.word_heard(now, frame.text),
            ReplyPlayedFrame: lambda now, frame: record.played(now, frame.unheard, cut=frame.cut, error=frame.error),
        }
        self._from_llm: dict[type[Frame], Take] = {
            LLMTextFrame: self._on_token,
            ReplyEndFrame: lambda now, frame: record.model_done(now, frame.error),
            ToolsRunningFrame: lambda now, frame: record.tools_run(now, frame.longest_secs),
        }
        self._from_tts: dict[type[Frame], Take] = {
            UtteranceStartFrame: self._on_piece,
            UtteranceAudioFrame: self._on_audio,
            UtteranceEndFrame: lambda now, frame: record.piece_done(now, frame.error),
        }
        self._waits_for_token = False
        self._waits_for_audio = False

    def watch(
        self, interruptions: InterruptionHandler, llm: FrameProcessor, tts: FrameProcessor, output: PlayoutOutput
    ) -> None:
        """Begin to watch."""
        for node, table in (
            (interruptions, self._from_interruptions),
            (llm, self._from_llm),
            (tts, self._from_tts),
        ):
            node.add_event_handler("on_before_push_frame", _looking_into(table))
        interruptions.on_audio = self._record.caller_level.push
        output.on_audio = self._record.bot_level.push

    def _on_text(self, now: float, frame: UserTextFrame) -> None:
        if frame.source == "key":
            self._record.keys_pressed(now, frame.text)
        else:
            self._record.said_words(now, frame.text, None)

    def _on_turn(self, now: float, frame: UserTurnFrame) -> None:
        self._waits_for_token = True
        self._record.asked(now, frame.reply_id)

    def _on_token(self, now: float, frame: LLMTextFrame) -> None:
        if self._waits_for_token and frame.text.strip():
            self._waits_for_token = False
            self._record.first_token(now)

    def _on_piece(self, now: float, frame: UtteranceStartFrame) -> None:
        self._waits_for_audio = True
        self._record.piece_began(now, frame.utterance_id, frame.text)

    def _on_audio(self, now: float, _: UtteranceAudioFrame) -> None:
        if self._waits_for_audio:
            self._waits_for_audio = False
            self._record.first_audio(now)


def _looking_into(table: dict[type[Frame], Take]) -> Callable[[FrameProcessor, Frame], None]:
    def on_frame(_: FrameProcessor, frame: Frame) -> None:
        take = table.get(type(frame))
        if take is not None:
            take(asyncio.get_running_loop().time(), frame)

    return on_frame
