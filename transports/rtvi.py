"""RTVI, Pipecat's client protocol: what a client's messages mean as frames, and what it is told of our frames. Pure.

Messages are JSON objects ``{"label": "rtvi-ai", "type", "id", "data"}`` over the data channel
(https://docs.pipecat.ai/client/rtvi-standard). What is ours beyond the protocol travels in ``server-message`` and
``client-message``, which it leaves open for that; a client that does not know those loses nothing but detail.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)

from contracts.frames import (
    CallerHangsUpFrame,
    CallErrorFrame,
    CallHoldFrame,
    ClientReadyFrame,
    InterimTranscriptFrame,
    InterruptionDecisionFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyQueuedFrame,
    StillThinkingFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserTextFrame,
    WordHeardFrame,
)
from processors.context.aggregators import ConversationFrame

LABEL: Final = "rtvi-ai"
PROTOCOL_VERSION: Final = "2.1.0"
"""From 2.1 on a client sends several keys in one message."""

MAX_TEXT_CHARS: Final = 2_000
"""Longest text that a client may type: what a person can say in two minutes."""

MAX_ID_CHARS: Final = 64
"""Longest identifier of a message that is repeated in the answer to it."""

KEYS: Final = frozenset("0123456789*#")

NOT_SERVED: Final = frozenset(
    {
        "ui-event",  # the page's state, for workers that act on it: there are none
        "ui-snapshot",
        "ui-cancel-job-group",
        "llm-function-call-result",  # tools run here, not in the client
    }
)
"""What clients send unasked, and what is ignored on purpose."""

Message = dict[str, Any]


def parse(message: Any) -> Iterator[Frame]:
    """The frames that a client's message stands for; none for what is malformed or not for us.

    A text that cannot be taken becomes a :class:`CallErrorFrame`, so that whoever typed it reads why.

    Parameters:
        message: The decoded JSON.
    """
    if not isinstance(message, Mapping) or message.get("label") != LABEL:
        return
    data = message.get("data")
    data = data if isinstance(data, Mapping) else {}
    match message.get("type"):
        case "client-ready":
            id_ = message.get("id")
            yield ClientReadyFrame(message_id=str(id_)[:MAX_ID_CHARS] if isinstance(id_, str | int) else "")
        case "send-text" if _wants(data, "run_immediately") is not False:
            yield _typed(data.get("content"))
        case "dtmf" if isinstance(data.get("buttons"), list):
            yield from map(_pressed, filter(_is_key, data["buttons"]))
        case "dtmf" if _is_key(data.get("button")):  # before 2.1: one at a time
            yield _pressed(data["button"])
        case "append-to-context" if _asks_now(data):  # what clients sent before there was send-text
            yield _typed(data.get("content"))
        case "disconnect-bot":
            yield CallerHangsUpFrame()
        case "client-message" if data.get("t") == "dtmf":
            details = data.get("d")
            key = details.get("key") if isinstance(details, Mapping) else None
            if _is_key(key):
                yield _pressed(key)
        case "client-message" if data.get("t") == "hold":
            details = data.get("d")
            on = details.get("on") if isinstance(details, Mapping) else None
            if isinstance(on, bool):
                yield CallHoldFrame(on)
        case _:
            return


def answer(message: Any) -> Message | None:
    """The answer to a client's message that wants one; None for all others.

    A ``client-message`` is answered, so that a client which waits for that (``sendClientRequest``) need not wait in
    vain; what cannot be served is refused in words that repeat nothing of it.

    Parameters:
        message: The decoded JSON.
    """
    if not isinstance(message, Mapping) or message.get("label") != LABEL:
        return None
    id_, type_ = message.get("id"), message.get("type")
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_CHARS or not isinstance(type_, str):
        return None
    data = message.get("data")
    data = data if isinstance(data, Mapping) else {}
    if type_ in NOT_SERVED or type_ in ("client-ready", "disconnect-bot"):
        return None
    if type_ == "append-to-context" and not _asks_now(data):
        return _refused(id_, "Only a user's text that is to be answered at once can be added to the conversation.")
    if type_ == "send-text" and _wants(data, "run_immediately") is False:
        return _refused(id_, "A text is always answered at once.")
    if any(True for _ in parse(message)):
        return _message("server-response", {"t": data["t"], "d": None}, id_) if type_ == "client-message" else None
    return _refused(id_, "This bot does not serve such a message.")


def _refused(id_: str, reason: str) -> Message:
    return _message("error-response", {"error": reason}, id_)


def _asks_now(data: Mapping[str, Any]) -> bool:
    return data.get("role") == "user" and data.get("run_immediately") is True


def _wants(data: Mapping[str, Any], option: str) -> Any:
    options = data.get("options")
    return options.get(option) if isinstance(options, Mapping) else None


def _is_key(key: object) -> TypeGuard[str]:
    return isinstance(key, str) and key in KEYS


def _pressed(key: str) -> UserTextFrame:
    return UserTextFrame(key, source="key")


def _typed(content: Any) -> Frame:
    if not isinstance(content, str):
        return CallErrorFrame("The text could not be read.")
    text = "".join(char if char.isprintable() else " " for char in content).strip()
    if not text:
        return CallErrorFrame("There is nothing to send: the text is empty.")
    if len(text) > MAX_TEXT_CHARS:
        return CallErrorFrame(f"The text is too long: {len(text)} characters, and at most {MAX_TEXT_CHARS} are taken.")
    return UserTextFrame(text)


def messages(frame: Frame) -> list[Message]:
    """What a client is told of a frame that passes."""
    match frame:
        case ClientReadyFrame():
            about = {"library": "parley"}
            return [_message("bot-ready", {"version": PROTOCOL_VERSION, "about": about}, frame.message_id)]
        case TurnStateFrame():
            return [_ours("turn-state", state=frame.state, turn_id=frame.turn_id)]
        case StillThinkingFrame():
            return [_ours("still-thinking")]
        case ReplyQueuedFrame():
            return [_ours("in-queue", wait_secs=round(frame.wait_secs, 1))]
        case UserStartedSpeakingFrame():
            return [_message("user-started-speaking")]
        case UserStoppedSpeakingFrame():
            return [_message("user-stopped-speaking")]
        case TranscriptFrame() | InterimTranscriptFrame():
            final = isinstance(frame, TranscriptFrame)
            said = {"text": frame.text, "final": final, "segment": frame.segment}
            return [_message("user-transcription", {**said, "timestamp": frame.timestamp, "user_id": frame.user_id})]
        case ReplyPlayingFrame():
            return [_message("bot-started-speaking")]
        case WordHeardFrame():
            return [_ours("word-heard", reply_id=frame.reply_id, text=frame.text)]
        case ReplyPlayedFrame():
            played = {"heard": frame.heard, "unheard": frame.unheard, "cut": frame.cut, "error": frame.error}
            return [_ours("reply-played", reply_id=frame.reply_id, **played), _message("bot-stopped-speaking")]
        case CallHoldFrame():
            return [_ours("call-hold", on=frame.on)]
        case InterruptionFrame():
            return [_message("bot-interrupted")]
        case ConversationFrame():
            return [_ours("conversation", lines=[{"who": who, "text": text} for who, text in frame.lines])]
        case InterruptionDecisionFrame():
            return [_ours("interruption-decision", decision=frame.decision.as_dict())]
        case CallErrorFrame():
            # "message" is the name that the field had before protocol 1.0.
            return [_message("error", {"error": frame.message, "message": frame.message, "fatal": frame.fatal})]
        case _:
            return []


def utterance_heard(text: str) -> Message:
    """An utterance has begun to sound: the protocol's own, vaguer word for what ``word-heard`` tells exactly."""
    return _message("bot-tts-text", {"text": text})


def peer_left() -> Message:
    """The bot has hung up: who reads it does not come back. It is no RTVI, but signalling of the transport."""
    return {"type": "signalling", "message": {"type": "peerLeft"}}


def call_moved() -> Message:
    """The call goes on in another page of the caller's."""
    return _ours("call-moved")


def time_to_answer(turn_id: int, ms: int, stages: Mapping[str, int], reply_id: int | None = None) -> Message:
    """How long the caller waited for an answer.

    Parameters:
        turn_id: The caller's turn.
        ms: Milliseconds from the end of speech to the first sample played.
        stages: Milliseconds of each stage, in order.
        reply_id: The answer.
    """
    return _ours("time-to-answer", turn_id=turn_id, reply_id=reply_id, ms=ms, stages=dict(stages))


def _ours(type_: str, **fields: Any) -> Message:
    return _message("server-message", {"type": type_, **fields})


def _message(type_: str, data: Message | None = None, id_: str = "") -> Message:
    message: Message = {"label": LABEL, "type": type_, "id": id_ or uuid.uuid4().hex[:8]}
    if data is not None:
        message["data"] = data
    return message
