"""Takes one call down: what comes from its caller, what leaves to them, and what models and vendors answer.

Vendors are taken down where the pipeline meets them (``contracts/``), not on their wires: what is below, such as
retries, hedged requests, other calls and their shared budgets, then needs no record, and the pipeline's own inputs are
complete. See docs/replay.md.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pipecat.frames.frames import Frame

from audio.rtp import AudioPacket
from contracts.llm import Delta, Message
from contracts.modes import Transcripts
from contracts.stt import Transcript
from contracts.tts import VoiceChunk
from observe.redaction import Redactor
from recording.entries import (
    PACKET,
    PROB,
    PULL,
    Kind,
    as_json,
    chunk_body,
    delta_as_dict,
    frame_as_dict,
    last_words,
    prompt_key,
    transcript_as_dict,
)
from recording.writer import RecordFile

KEY_PRESSED: Final = "0"
"""Stands for each digit while a PIN may be typed: the record tells that keys were pressed, and not which."""

_PACKET, _PULL, _SPEECH_PROB = int(Kind.PACKET), int(Kind.PULL), int(Kind.SPEECH_PROB)
"""What comes many times a second: an enumeration's own look-ups cost more than all the rest."""

_WORDS: Final = frozenset({"text", "heard", "unheard", "message", "transcript"})
"""Fields of messages to the client that hold what people say."""


class CallRecorder:
    """The record of one call as it grows.

    Args:
        file: Where it is written.
        now: The loop's clock; may be asked on any thread.
        audio: Whether all is kept that a replay needs; else only what happened, without audio and redacted.
        redactor: Takes out of texts what must not be kept, where ``audio`` is False.
    """

    def __init__(
        self, file: RecordFile, now: Callable[[], float], *, audio: bool, redactor: Redactor | None = None
    ) -> None:
        self._file = file
        self.now = now
        self.audio = audio
        self._redactor = redactor or Redactor(Transcripts.REDACTED)
        self._heard: list[tuple[float, bool, bytes]] = []
        self._numbers: dict[str, int] = {}
        self._texts: dict[int, list[str]] = {}
        self._over = False
        self._silence = b""
        self.types_pin: Callable[[], bool] = lambda: False
        """Whether the caller is asked for a PIN."""

    def header(self, about: Mapping[str, Any]) -> None:
        """The first entry."""
        self._json(Kind.HEADER, dict(about))

    def close(self, reason: str) -> None:
        """The call is over: nothing more is written."""
        if not self._over:
            self._in_order(Kind.CLOSED, as_json({"reason": reason}))

    def done(self) -> None:
        """What closing the call brought is written as well."""
        self._over = True
        self._file.close()

    # --- the caller (CallTap) ----------------------------------------------------------------

    def heard(self, pcm: bytes, *, directly: bool) -> None:
        """See :class:`~transports.tap.CallTap`; what a packet explains is not written twice."""
        if self.audio:
            self._heard.append((self.now(), directly, pcm))

    def packet(self, peer: int, packet: AudioPacket, frames: int) -> None:
        """An Opus packet as it came."""
        if not self.audio or self._over:
            return
        heard = self._heard
        explained = len(heard) == frames
        if explained:
            heard.clear()
        body = PACKET.pack(peer, packet.ssrc, packet.sequence_number, packet.timestamp, explained)
        # A packet that was not listened to is decoded all the same: decoders remember.
        self._file.add(_PACKET, self.now(), body + packet.payload)
        if heard:
            self._tell_heard()

    def stream(self, peer: int, what: str) -> None:
        """A peer's packets are given up on, or one is left out."""
        if self.audio:
            self._in_order(Kind.STREAM, as_json({"peer": peer, "what": what}))

    def took(self, frame: Frame) -> None:
        """A frame of the client's."""
        told = frame_as_dict(frame)
        if told is None:
            return
        if told.get("source") == "key" and self.types_pin():
            told["text"] = "".join(KEY_PRESSED if key.isdigit() else key for key in told["text"])
        elif not self.audio and "text" in told:
            told["text"] = self._redactor.caller(told["text"])
        self._in_order(Kind.FRAME, as_json(told))

    def pulled(self, pcm: bytes) -> None:
        """Audio leaves."""
        if not self.audio or self._over:
            return
        if self._heard:
            self._tell_heard()
        if pcm != self._silence:
            if pcm.count(0) != len(pcm):
                self._file.add(_PULL, self.now(), PULL.pack(len(pcm) // 2, zlib.crc32(pcm)))
                return
            self._silence = pcm
        self._file.add(_PULL, self.now(), PULL.pack(len(pcm) // 2, 0))

    def line(self, unheard_secs: float | None) -> None:
        """The line is down, or up again."""
        self._in_order(Kind.LINE, as_json({"unheard_secs": unheard_secs}))

    def sent(self, message: Mapping[str, Any]) -> None:
        """A message to the client."""
        self._json(Kind.SENT, message if self.audio else self._redacted(message))

    # --- models of this machine --------------------------------------------------------------

    def speech_prob(self, prob: float) -> None:
        """Of the next window."""
        if self.audio and not self._over:
            self._file.add(_SPEECH_PROB, self.now(), PROB.pack(prob))

    def score(self, **told: Any) -> None:
        """An answer of the turn detector or the sound judge."""
        self._json(Kind.SCORE, told)

    # --- vendors -----------------------------------------------------------------------------

    def number(self, what: str) -> int:
        """The next number of a kind of request."""
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return self._numbers[what]

    def transcript(self, transcript: Transcript, windows: int, checksum: int) -> None:
        """The recogniser has words."""
        told = transcript_as_dict(transcript)
        if not self.audio:
            if not transcript.final:
                return
            told |= {"text": self._redactor.caller(transcript.text), "words": ()}
        self._json(Kind.TRANSCRIPT, {"transcript": told, "windows": windows, "checksum": checksum})

    def stt_error(self, message: str) -> None:
        """The recogniser could not read something."""
        self._json(Kind.STT_ERROR, {"message": message})

    def stt_told(self, what: str, windows: int) -> None:
        """The recogniser was told that speech started, or stopped."""
        if self.audio:
            self._json(Kind.STT_TOLD, {"what": what, "windows": windows})

    def llm_asked(self, messages: Sequence[Message], tool_names: Sequence[str]) -> int:
        """A request to the language model begins; its number."""
        number = self.number("llm")
        said = last_words(messages)
        told: dict[str, Any] = {"n": number, "said": said if self.audio else self._redactor.caller(said)}
        if self.audio:
            told["key"] = prompt_key(messages, tool_names)
        self._json(Kind.LLM_ASKED, told)
        return number

    def llm_delta(self, number: int, delta: Delta) -> None:
        """A part of its answer."""
        told = delta_as_dict(delta)
        if self.audio:
            self._json(Kind.LLM_DELTA, {"n": number, "delta": told})
        elif "text" in told:
            self._texts.setdefault(number, []).append(told["text"])

    def llm_end(self, number: int, how: str, error: Mapping[str, Any] | None = None) -> None:
        """It is over: ``end``, ``closed`` by whoever asked, or ``error``."""
        told: dict[str, Any] = {"n": number, "how": how, "error": error}
        if not self.audio:
            told["text"] = self._redactor.bot("".join(self._texts.pop(number, [])))
        self._json(Kind.LLM_END, told)

    def prepares(self, allowed: bool) -> None:
        """Whether the budget allows a reply to be prepared."""
        if self.audio:
            self._add(Kind.PREPARES, bytes([allowed]))

    def tts_asked(self, text: str, language: str) -> int:
        """A piece is to be spoken; its number."""
        number = self.number("tts")
        said = text if self.audio else self._redactor.bot(text)
        self._json(Kind.TTS_ASKED, {"n": number, "text": said, "language": language})
        return number

    def tts_chunk(self, number: int, chunk: VoiceChunk) -> None:
        """Some of its audio."""
        if self.audio:
            self._add(Kind.TTS_CHUNK, chunk_body(number, chunk))

    def tts_end(self, number: int, how: str, error: Mapping[str, Any] | None = None) -> None:
        """It is over; as :meth:`llm_end`."""
        self._json(Kind.TTS_END, {"n": number, "how": how, "error": error})

    # --- tools -------------------------------------------------------------------------------

    def tool_asked(self, name: str, arguments: Mapping[str, Any]) -> int:
        """A tool runs; its number."""
        number = self.number("tool")
        told: dict[str, Any] = {"n": number, "name": name}
        if self.audio:
            told["arguments"] = dict(arguments)
        self._json(Kind.TOOL_ASKED, told)
        return number

    def tool_line(self, number: int, **told: Any) -> None:
        """What it did with the caller's line."""
        if self.audio:
            self._json(Kind.TOOL_LINE, {"n": number, **told})

    def tool_end(self, number: int, how: str, output: str) -> None:
        """It is over: ``end``, ``error`` or ``closed``."""
        self._json(Kind.TOOL_END, {"n": number, "how": how, "output": output if self.audio else ""})

    def pin(self, right: bool) -> None:
        """Whether a PIN was right."""
        self._add(Kind.PIN, bytes([right]))

    # --- writing -----------------------------------------------------------------------------

    def _in_order(self, kind: Kind, body: bytes) -> None:
        self._tell_heard()
        self._add(kind, body)

    def _tell_heard(self) -> None:
        for at, directly, pcm in self._heard:
            self._file.add(Kind.PCM, at, bytes([directly]) + pcm)
        self._heard.clear()

    def _json(self, kind: Kind, told: Mapping[str, Any]) -> None:
        self._add(kind, as_json(told))

    def _add(self, kind: Kind, body: bytes) -> None:
        if not self._over:
            self._file.add(kind, self.now(), body)

    def _redacted(self, value: Any, name: str = "") -> Any:
        if isinstance(value, Mapping):
            return {key: self._redacted(each, str(key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._redacted(each, name) for each in value]
        return self._redactor.caller(value) if isinstance(value, str) and name in _WORDS else value
