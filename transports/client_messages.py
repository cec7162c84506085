"""What a client's data channel may say, how much of it, and what it means as frames. Pure: the time is told.

A call has limits of its own, so that no caller can keep the others waiting, or run up a bill: whatever is over them is
answered with an error and dropped.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pipecat.frames.frames import Frame

from admission.token_bucket import TokenBucket
from contracts.frames import CallErrorFrame, ClientAnswerFrame, ClientMicrophoneFrame, UserTextFrame
from transports import rtvi

MAX_MESSAGE_BYTES: Final = 32 * 1024
"""The longest text that may be typed, with each character escaped, and what stands around it."""

PING: Final = "ping"
"""How a sign of life begins; Pipecat's clients add the time."""

AUDIO_INDEX: Final = 0
"""The microphone's place in the ``receiver_index`` of a ``trackStatus``; camera and screen are not received."""

_TOO_LONG: Final = f"The message is too long: at most {MAX_MESSAGE_BYTES} bytes are taken."
_NOT_JSON: Final = "The message could not be read."
_TOO_MANY_MESSAGES: Final = "Too many messages; please wait a moment."
_TOO_MANY_TURNS: Final = "Too many texts; please wait a moment."
_TOO_MANY_KEYS: Final = "Too many keys; please press them one after the other."


@dataclass(frozen=True)
class MessageLimits:
    """What one call's client may send.

    Attributes:
        messages_per_minute: Messages of any kind, malformed ones too.
        bytes_per_minute: Their length, in all.
        turns_per_minute: Texts that are typed, each of which asks for an answer.
        keys_per_minute: Keys of the phone pad.
        signals_per_minute: "Ready", "hold" and whatever else concerns the call itself.
    """

    messages_per_minute: int = 600
    bytes_per_minute: int = 512 * 1024
    turns_per_minute: int = 30
    keys_per_minute: int = 180
    signals_per_minute: int = 30


@dataclass
class ClientMessages:
    """Reads the messages of one client.

    Attributes:
        limits: What it may send.
        refused: How much of it was over the limits, or could not be read.
    """

    limits: MessageLimits = field(default_factory=MessageLimits)
    refused: int = 0

    def __post_init__(self) -> None:
        limits = self.limits
        self._messages = _per_minute(limits.messages_per_minute, at_once=0.2)
        self._bytes = _per_minute(limits.bytes_per_minute, at_once=0.25)
        self._turns = _per_minute(limits.turns_per_minute, at_once=1 / 3)
        self._keys = _per_minute(limits.keys_per_minute, at_once=1 / 3)
        self.new_client()
        self._complaints = TokenBucket(0.5, 5)  # an answer to each of a flood would be one too

    def new_client(self) -> None:
        """The call goes on with another peer connection, which says for itself that it is ready."""
        self._signals = _per_minute(self.limits.signals_per_minute, at_once=1 / 3)

    def read(self, message: str | bytes, now: float) -> list[Frame]:
        """The frames that a message stands for.

        Args:
            message: As it came.
            now: Monotonic seconds.
        """
        if not self._messages.take(1, now):
            return self._refuse(_TOO_MANY_MESSAGES, now)
        size = len(message.encode() if isinstance(message, str) else message)
        if size > MAX_MESSAGE_BYTES:
            return self._refuse(_TOO_LONG, now)
        if not self._bytes.take(size, now):
            return self._refuse(_TOO_MANY_MESSAGES, now)
        if isinstance(message, str) and message.startswith(PING):
            return []
        try:
            decoded: Any = json.loads(message)
        except (ValueError, RecursionError):
            return self._refuse(_NOT_JSON, now)
        if (microphone := _microphone(decoded)) is not None:
            return [microphone]  # one that were dropped would leave the caller unheard
        frames = list(self._within_limits(decoded, now))
        answer = rtvi.answer(decoded)
        if answer is not None and (answer["type"] == "server-response" or self._complaints.take(1, now)):
            frames.append(ClientAnswerFrame(answer))
        return frames

    def _within_limits(self, message: Any, now: float) -> Iterator[Frame]:
        for frame in rtvi.parse(message):
            match frame:
                case CallErrorFrame():
                    yield from self._refuse(frame.message, now)
                case UserTextFrame(source="key"):
                    if not self._keys.take(1, now):
                        yield from self._refuse(_TOO_MANY_KEYS, now)
                        return  # keys that follow would make another number of it
                    yield frame
                case UserTextFrame():
                    if self._turns.take(1, now):
                        yield frame
                    else:
                        yield from self._refuse(_TOO_MANY_TURNS, now)
                case _ if self._signals.take(1, now):
                    yield frame
                case _:
                    yield from self._refuse(_TOO_MANY_MESSAGES, now)

    def _refuse(self, reason: str, now: float) -> list[Frame]:
        self.refused += 1
        return [CallErrorFrame(reason)] if self._complaints.take(1, now) else []


def _microphone(message: Any) -> ClientMicrophoneFrame | None:
    """Whether a signalling message of Pipecat's SmallWebRTC transport switches the microphone."""
    match message:
        case {
            "type": "signalling",
            "message": {"type": "trackStatus", "receiver_index": int(index), "enabled": bool(enabled)},
        } if index == AUDIO_INDEX and not isinstance(index, bool):
            return ClientMicrophoneFrame(enabled)
        case _:
            return None


def _per_minute(amount: float, at_once: float) -> TokenBucket:
    """A bucket that holds a share of a minute's amount, and at least one."""
    return TokenBucket(amount / 60, max(1.0, amount * at_once))
