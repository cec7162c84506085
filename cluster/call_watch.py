"""Follows one call through the frames of its pipeline, and tells its state whenever it is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pipecat.frames.frames import Frame, InterruptionFrame, LLMTextFrame
from pipecat.processors.frame_processor import FrameProcessor

from cluster.call_state import CallState, OpenReply, letters
from contracts.call_language import CallLanguage
from contracts.frames import (
    InterimTranscriptFrame,
    ReplyCommittedFrame,
    ReplyEndFrame,
    ReplyStartFrame,
    SayFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserTurnFrame,
    WordHeardFrame,
)
from processors.context.aggregators import Conversation
from processors.tools.runner import ToolRunner
from processors.turns.machine import TurnMachine
from processors.turns.states import State

MAX_REPLIES: Final = 8
"""Replies whose end has not been heard; there are two at most, in good order."""


@dataclass
class _Reply:
    turn_id: int | None
    asked: str = ""
    text: str = ""
    complete: bool = False
    heard_chars: int = 0
    cut: bool = False


@dataclass(frozen=True)
class CallParts:
    """What knows something of a call.

    Attributes:
        conversation: What was said.
        machine: Who has the floor.
        tools: The call's tools, if it has any.
        language: What the caller speaks.
        known: What does not change: the fields of :class:`CallState` that say whose call it is.
    """

    conversation: Conversation
    machine: TurnMachine
    tools: ToolRunner | None
    language: CallLanguage
    known: CallState = field(default_factory=CallState)


class CallWatch:
    """One call.

    Args:
        parts: What knows of it.
        changed: Called after each event that counts.
        word_heard: Called instead when one more word of a reply was heard.
    """

    def __init__(self, parts: CallParts, changed: Callable[[], None], word_heard: Callable[[], None]) -> None:
        self._parts = parts
        self._changed = changed
        self._word_heard = word_heard
        self._replies: dict[int, _Reply] = {}
        self._writing: _Reply | None = None
        if parts.tools is not None:
            parts.tools.after_effect = changed

    def watch(self, interruptions: FrameProcessor, llm: FrameProcessor) -> None:
        """Begin to look at what two nodes push. What the output tells passes the first of them once."""
        interruptions.add_event_handler("on_before_push_frame", self._on_floor)
        llm.add_event_handler("on_before_push_frame", self._on_text)

    def state(self) -> CallState:
        """The call as it is now."""
        parts = self._parts
        machine = parts.machine
        reply_id, reply = next(reversed(self._replies.items()), (0, _Reply(None)))
        turn_id, begun = machine.words_so_far if machine.state is State.USER_SPEAKING else (machine.turn_id, "")
        answers = reply.turn_id is not None and not reply.complete and not reply.cut
        tools: Mapping[str, Any] | None = parts.tools.stored().as_dict() if parts.tools is not None else None
        return replace(
            parts.known,
            language=parts.language.code,
            conversation=parts.conversation.stored(),
            tools=tools,
            turn_id=turn_id,
            reply_id=machine.last_reply_id,
            asked=reply.asked if answers else "",
            begun=begun,
            reply=OpenReply(reply_id, reply.turn_id, reply.text, reply.complete, reply.heard_chars, reply.cut)
            if reply_id
            else None,
        )

    # --- frames --------------------------------------------------------------------------------

    def _on_floor(self, _: FrameProcessor, frame: Frame) -> None:
        match frame:
            case UserTurnFrame():
                if frame.wants_reply:
                    self._add(frame.reply_id, _Reply(frame.turn_id, frame.text))
            case SayFrame():
                if frame.remember:
                    self._add(frame.reply_id, _Reply(None, "", frame.text, True))
            case InterruptionFrame():
                # What sounded is told by its end; what did not is not wanted any more.
                self._replies = {each: reply for each, reply in self._replies.items() if reply.heard_chars}
                for reply in self._replies.values():
                    reply.cut = True
                self._writing = None
            case WordHeardFrame():
                if (reply := self._replies.get(frame.reply_id)) is None:
                    return
                reply.heard_chars += letters(frame.text)
                self._word_heard()
                return
            case ReplyCommittedFrame():  # history holds what was heard of it
                self._replies.pop(frame.reply_id, None)
            case TranscriptFrame() | InterimTranscriptFrame() | TurnStateFrame():
                pass
            case _:
                return
        self._changed()

    def _on_text(self, _: FrameProcessor, frame: Frame) -> None:
        match frame:
            case ReplyStartFrame():
                self._writing = self._replies.get(frame.reply_id)
            case LLMTextFrame():
                if self._writing is None:
                    return
                self._writing.text += frame.text
            case ReplyEndFrame():
                if (reply := self._replies.get(frame.reply_id)) is not None:
                    reply.complete = frame.error is None
                self._writing = None
            case _:
                return
        self._changed()

    def _add(self, reply_id: int, reply: _Reply) -> None:
        self._replies[reply_id] = reply
        while len(self._replies) > MAX_REPLIES:
            del self._replies[next(iter(self._replies))]
