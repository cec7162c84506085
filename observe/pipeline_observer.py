"""Watches one call's pipeline and turns its frames into events, once for all who want to know.

It listens to what four nodes push (Pipecat's ``on_before_push_frame``). The caller's audio does not pass there, and a
frame that no event is made of costs one look into a table.
"""

import asyncio
from collections.abc import Callable, Mapping
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
    ReplyCutFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyStartFrame,
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
from observe import call_events as ev

Make = Callable[[float, Any], ev.CallEvent | None]
"""Makes an event of the time and a frame; None: nothing has happened that anybody asks about."""


class PipelineObserver:
    """Makes the events of one call.

    Args:
        now: The time in seconds; None: the running event loop's.
    """

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self._listeners: list[ev.Take] = []
        self._siblings: set[int] = set()
        self._llm_reply_id = self._tts_reply_id = 0
        self._waits_for_token = self._waits_for_audio = False

    def subscribe(self, listener: ev.Take) -> None:
        """Have a listener called with each event, in the order of the subscriptions."""
        self._listeners.append(listener)

    def watch(
        self, interruptions: FrameProcessor, llm: FrameProcessor, tts: FrameProcessor, output: FrameProcessor
    ) -> None:
        """Begin to watch these nodes."""
        for node, table in (
            (interruptions, self._interruption_events()),
            (llm, self._llm_events()),
            (tts, self._tts_events()),
            (output, self._output_events()),
        ):
            node.add_event_handler("on_before_push_frame", self._handler(table))

    def _handler(self, table: Mapping[type[Frame], Make]) -> Callable[[FrameProcessor, Frame], None]:
        def on_frame(_: FrameProcessor, frame: Frame) -> None:
            make = table.get(type(frame))
            if make is None:
                return
            event = make(self._now(), frame)
            if event is not None:
                for listener in self._listeners:
                    listener(event)

        return on_frame

    # --- tables ------------------------------------------------------------------------

    def _interruption_events(self) -> dict[type[Frame], Make]:
        return {
            ClientReadyFrame: lambda now, _: ev.ClientReady(now),
            TurnStateFrame: lambda now, frame: ev.StateChanged(now, frame.state),
            CallHoldFrame: lambda now, frame: ev.HoldChanged(now, frame.on),
            VADUserStartedSpeakingFrame: lambda now, frame: ev.SpeechBegan(now - frame.start_secs),
            VADUserStoppedSpeakingFrame: lambda now, frame: ev.SpeechEnded(now - frame.stop_secs),
            TranscriptFrame: lambda now, frame: ev.FinalWords(now, frame.text, frame.segment),
            UserTextFrame: _typed,
            UserTurnFrame: lambda now, frame: ev.TurnEnded(now, frame.turn_id, frame.reply_id, frame.text),
            InterruptionDecisionFrame: lambda now, frame: ev.Decided(now, frame.decision),
            CallErrorFrame: lambda now, frame: ev.TroubleShown(now, frame.message),
            InterruptionFrame: lambda now, _: ev.Interrupted(now),
            ReplyCutFrame: lambda now, _: ev.Interrupted(now),
        }

    def _llm_events(self) -> dict[type[Frame], Make]:
        return {
            ReplyStartFrame: self._on_reply_start,
            LLMTextFrame: self._on_token,
            ReplyEndFrame: self._on_reply_end,
            ToolsRunningFrame: lambda now, frame: ev.ToolsRun(now, frame.longest_secs),
        }

    def _tts_events(self) -> dict[type[Frame], Make]:
        return {
            UtteranceStartFrame: self._on_piece,
            UtteranceAudioFrame: self._on_audio,
            UtteranceEndFrame: lambda now, frame: ev.PieceDone(now, frame.error),
        }

    def _output_events(self) -> dict[type[Frame], Make]:
        return {
            ReplyPlayingFrame: self._once(lambda now, frame: ev.ReplyPlaying(now, frame.reply_id)),
            WordHeardFrame: self._once(lambda now, frame: ev.WordHeard(now, frame.text)),
            ReplyPlayedFrame: self._once(
                lambda now, frame: ev.ReplyPlayed(
                    now, frame.reply_id, frame.heard, frame.unheard, frame.cut, frame.error
                )
            ),
        }

    def _once(self, make: Make) -> Make:
        """One event for a frame that the output pushes both ways."""

        def make_once(now: float, frame: Frame) -> ev.CallEvent | None:
            if frame.id in self._siblings:
                self._siblings.remove(frame.id)
                return None
            if frame.broadcast_sibling_id is not None:
                self._siblings.add(frame.broadcast_sibling_id)
            return make(now, frame)

        return make_once

    # --- first words, first audio --------------------------------------------------------

    def _on_reply_start(self, _: float, frame: ReplyStartFrame) -> None:
        self._llm_reply_id, self._waits_for_token = frame.reply_id, True

    def _on_reply_end(self, now: float, frame: ReplyEndFrame) -> ev.CallEvent:
        self._waits_for_token = False
        return ev.ModelDone(now, frame.error)

    def _on_token(self, now: float, frame: LLMTextFrame) -> ev.CallEvent | None:
        if not self._waits_for_token or not frame.text.strip():
            return None
        self._waits_for_token = False
        return ev.FirstToken(now, self._llm_reply_id)

    def _on_piece(self, now: float, frame: UtteranceStartFrame) -> ev.CallEvent:
        self._tts_reply_id, self._waits_for_audio = frame.reply_id, True
        return ev.PieceBegan(now, frame.reply_id, frame.utterance_id, frame.text)

    def _on_audio(self, now: float, _: UtteranceAudioFrame) -> ev.CallEvent | None:
        if not self._waits_for_audio:
            return None
        self._waits_for_audio = False
        return ev.FirstAudio(now, self._tts_reply_id)


def _typed(now: float, frame: UserTextFrame) -> ev.CallEvent:
    return ev.KeysPressed(now, frame.text) if frame.source == "key" else ev.TextTyped(now, frame.text)
