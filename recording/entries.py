"""What a record holds: the kinds of entries, and how contracts are written in them. Pure."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import IntEnum
from hashlib import sha256
from typing import Any, Final

from pipecat.frames.frames import Frame

from contracts.frames import (
    CallEndsSoonFrame,
    CallErrorFrame,
    CallHoldFrame,
    ClientReadyFrame,
    UserTextFrame,
    Word,
)
from contracts.llm import (
    Allowance,
    Cause,
    Delta,
    Finish,
    InQueue,
    LanguageModelError,
    LimitsTold,
    Message,
    Quota,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from contracts.stt import RecognisedWord, Transcript
from contracts.tts import VoiceChunk
from recording.container import RecordError


class Kind(IntEnum):
    """Kinds of entries. A number is never given to another kind; what is not known is skipped."""

    HEADER = 1
    """JSON: settings, versions, and what the call was given. The first entry."""

    # from the caller, in one order
    PACKET = 2
    """An Opus packet as it came: :data:`PACKET`, then the payload."""
    PCM = 3
    """20 ms of 16 kHz mono 16-bit PCM that no packet explains: whether it came by a plain call (u8), then the PCM."""
    STREAM = 4
    """JSON: ``peer``, and what was done with its packets: ``flush`` or ``skip``."""
    PULL = 5
    """Audio left: :data:`PULL`."""
    FRAME = 6
    """JSON: the frame that a message of the client's stands for."""
    LINE = 7
    """JSON: ``unheard_secs`` while nothing comes through; null: it comes through again."""
    CLOSED = 8
    """JSON: why the call was closed. The last entry of this order."""
    NOISE = 9
    """In the place of 20 ms of the caller's audio, where nobody is to be known by it: :data:`NOISE`."""

    # what models of this machine answered
    SPEECH_PROB = 10
    """Of the next window (f32)."""
    SCORE = 11
    """JSON: the answer of the turn detector or the sound judge."""

    # speech to text
    TRANSCRIPT = 20
    """JSON: a transcript, and how many windows had been fed, with their CRC-32."""
    STT_ERROR = 21
    STT_TOLD = 22
    """JSON: the recogniser was told that speech started or stopped."""

    # language model
    LLM_ASKED = 30
    LLM_DELTA = 31
    LLM_END = 32
    PREPARES = 33
    """Whether the budget allowed a reply to be prepared (u8)."""

    # voice
    TTS_ASKED = 40
    TTS_CHUNK = 41
    """:data:`CHUNK`, the words as JSON, the PCM."""
    TTS_END = 42

    # tools
    TOOL_ASKED = 50
    TOOL_LINE = 51
    """JSON: what a tool did with the caller's line."""
    TOOL_END = 52
    PIN = 53
    """Whether a PIN was right (u8); the PIN itself is never written."""

    # what came of it
    SENT = 60
    """JSON: a message to the client."""


IN_ORDER: Final = frozenset(
    {Kind.PACKET, Kind.PCM, Kind.STREAM, Kind.PULL, Kind.FRAME, Kind.LINE, Kind.CLOSED, Kind.NOISE}
)
"""What is played to the call in the order in which it came."""

PACKET: Final = struct.Struct("<BIHIB")
"""Number of the peer, source, sequence number, RTP timestamp, and whether what came of it was listened to."""

PULL: Final = struct.Struct("<HI")
"""Samples of 24 kHz, and the CRC-32 of their PCM; 0: silence."""

NOISE: Final = struct.Struct("<BHB")
"""Whether it came by a plain call, its level (root mean square), and how many such frames."""

ANY: Final = ""
"""A key, a text or a name that stands for whatever is asked, in the order of the record."""

ANY_AUDIO: Final = -1
"""The checksum that stands for any audio."""

CHUNK: Final = struct.Struct("<III")
"""Number of the request, sample rate, length of the words."""

PROB: Final = struct.Struct("<f")

_FRAMES: Final[dict[str, type[Frame]]] = {
    kind.__name__: kind for kind in (CallErrorFrame, CallHoldFrame, ClientReadyFrame, CallEndsSoonFrame, UserTextFrame)
}
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "CallErrorFrame": ("message", "fatal"),
    "CallHoldFrame": ("on", "unheard_secs"),
    "ClientReadyFrame": ("message_id", "returns"),
    "CallEndsSoonFrame": (),
    "UserTextFrame": ("text", "source"),
}


def as_json(value: Any) -> bytes:
    """JSON of plain values."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def from_json(body: bytes) -> dict[str, Any]:
    """The object that a body holds.

    Raises:
        RecordError: It is none.
    """
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise RecordError("the record holds an entry that cannot be read")
    return value


def frame_as_dict(frame: Frame) -> dict[str, Any] | None:
    """A client's frame; None: it is of no kind that a client sends."""
    name = type(frame).__name__
    fields = _FIELDS.get(name)
    return None if fields is None else {"frame": name, **{field: getattr(frame, field) for field in fields}}


def frame_of(told: Mapping[str, Any]) -> Frame:
    """The frame again."""
    name = str(told.get("frame"))
    if name not in _FRAMES:
        raise RecordError(f"the record holds a frame that is not known: {name}")
    fields = {field: told[field] for field in _FIELDS[name] if field in told}
    return _FRAMES[name](**fields)


def transcript_as_dict(transcript: Transcript) -> dict[str, Any]:
    """A transcript as plain values."""
    return asdict(transcript)


def transcript_of(told: Mapping[str, Any]) -> Transcript:
    """The transcript again."""
    words = tuple(RecognisedWord(**word) for word in told["words"])
    return Transcript(**{**told, "words": words})


def delta_as_dict(delta: Delta) -> dict[str, Any]:
    """A delta as plain values."""
    match delta:
        case TextDelta(text):
            return {"text": text}
        case ToolCallDelta(call_id, name, arguments):
            return {"call": call_id, "name": name, "arguments": arguments}
        case Finish(reason, usage):
            return {"finish": reason, "usage": asdict(usage) if usage is not None else None}
        case InQueue(wait_secs, why):
            return {"wait_secs": wait_secs, "why": why}
        case LimitsTold(allowances):
            return {"limits": [{**asdict(each), "quota": each.quota.value} for each in allowances]}


def delta_of(told: Mapping[str, Any]) -> Delta:
    """The delta again."""
    match told:
        case {"text": text}:
            return TextDelta(text)
        case {"call": call_id, "name": name, "arguments": arguments}:
            return ToolCallDelta(call_id, name, arguments)
        case {"finish": reason, "usage": usage}:
            return Finish(reason, Usage(**usage) if usage is not None else None)
        case {"wait_secs": wait_secs, "why": why}:
            return InQueue(wait_secs, why)
        case {"limits": limits}:
            return LimitsTold(tuple(Allowance(**{**each, "quota": Quota(each["quota"])}) for each in limits))
        case _:
            raise RecordError("the record holds a delta that is not known")


def llm_error_as_dict(error: LanguageModelError) -> dict[str, Any]:
    """Why a model did not answer."""
    return {
        "message": str(error),
        "retryable": error.retryable,
        "retry_after_secs": error.retry_after_secs,
        "cause": error.cause.value,
    }


def llm_error_of(told: Mapping[str, Any]) -> LanguageModelError:
    """The error again."""
    return LanguageModelError(
        told["message"],
        retryable=told["retryable"],
        retry_after_secs=told["retry_after_secs"],
        cause=Cause(told["cause"]),
    )


def chunk_body(number: int, chunk: VoiceChunk) -> bytes:
    """A piece of audio, and the words in it."""
    words = as_json([[word.text, word.start_secs] for word in chunk.words]) if chunk.words else b""
    return CHUNK.pack(number, chunk.sample_rate_hz, len(words)) + words + chunk.pcm


def chunk_of(body: bytes) -> tuple[int, VoiceChunk]:
    """The number of its request, and the chunk again."""
    if len(body) < CHUNK.size:
        raise RecordError("the record holds audio that cannot be read")
    number, rate, length = CHUNK.unpack_from(body)
    start = CHUNK.size + length
    words = [Word(text, secs) for text, secs in json.loads(body[CHUNK.size : start])] if length else ()
    return number, VoiceChunk(body[start:], rate, words)


def prompt_key(messages: Sequence[Message], tool_names: Sequence[str]) -> str:
    """Tells one prompt from another."""
    return sha256(as_json([list(messages), list(tool_names)])).hexdigest()[:24]


def last_words(messages: Sequence[Message]) -> str:
    """What the caller said last in a prompt."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return str(message.get("content", ""))
    return ""
