"""A record without the person in it: noise of the same loudness for the voice, tones for the bot's, texts redacted.

What is left is what the turns hang on: when somebody spoke and how loud, how likely each window was speech, what the
models scored, when vendors answered, and the words that are no personal details. Names are known by their capitals
only, so whoever publishes a test reads its words first: they stand in the file that is written.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from audio.pcm import mean_square
from contracts.llm import TextDelta
from contracts.modes import Transcripts
from contracts.stt import RecogniserError
from contracts.tts import VoiceChunk
from observe.redaction import Redactor
from recording.container import Entry
from recording.entries import (
    ANY,
    ANY_AUDIO,
    NOISE,
    PACKET,
    PROB,
    Kind,
    as_json,
    chunk_body,
    delta_as_dict,
    from_json,
    transcript_as_dict,
)
from replay.record import Asked, Record, When
from settings.conversation import ConversationSettings
from transports.receive import AudioReceiver

NAME: Final = "Name"
TONE_HZ: Final = 180.0
TONE_LEVEL: Final = 3_000

_NAME: Final = re.compile(r"(?<![.!?…]\s)(?<!^)(?<=\s)(?!I\b|I')[A-ZÀ-Þ][\w’'-]*")
"""A word with a capital in the middle of a sentence."""

_KEPT: Final = ("stt", "llm", "tts", "language", "languages", "time_zone")


class Anonymous:
    """Takes the person out of texts; counts what was taken out."""

    def __init__(self) -> None:
        self._redactor = Redactor(Transcripts.REDACTED)

    def caller(self, text: str) -> str:
        """What the caller said."""
        return _NAME.sub(NAME, self._redactor.caller(text))

    def bot(self, text: str) -> str:
        """What the bot said."""
        return _NAME.sub(NAME, self._redactor.bot(text))


def without_person(record: Record) -> Iterator[Entry]:
    """The entries of the record, without the person; in the order in which a record has them."""
    hides = Anonymous()
    yield Entry(Kind.HEADER, record.began, as_json(_header(record.header)))
    inputs = [entry.at for entry in record.inputs]
    placed = [((number, 1, entry.at), entry) for number, entry in _inputs(record, hides)]
    for when, entry in _answers(record, hides):
        after = when.after if isinstance(when, When) else bisect_left(inputs, when)
        placed.append(((after, 0, entry.at), entry))
    yield from (entry for _, entry in sorted(placed, key=lambda each: each[0]))


def _header(header: Mapping[str, Any]) -> dict[str, Any]:
    names = {*ConversationSettings.model_fields, *_KEPT}
    settings = {name: value for name, value in header["settings"].items() if name in names}
    # Which vendors there were is no matter: what they answered is in the record.
    settings |= {"stt": "local", "llm": "scripted", "tts": "local"} if settings.get("language") == "en" else {}
    return {**header, "settings": settings, "prompt": "", "identity": None, "request_data": {}, "call_id": "recorded"}


def _inputs(record: Record, hides: Anonymous) -> Iterator[tuple[int, Entry]]:
    receivers: dict[int, AudioReceiver] = {}
    for number, entry in enumerate(record.inputs):
        body = entry.body
        match entry.kind:
            case Kind.PACKET:
                peer, ssrc, sequence, _, listened_to = PACKET.unpack_from(body)
                frames = receivers.setdefault(peer, AudioReceiver()).push(ssrc, sequence, body[PACKET.size :])
                for pcm in frames if listened_to else ():
                    yield number, _noise(entry.at, pcm, directly=True)
            case Kind.PCM:
                yield number, _noise(entry.at, body[1:], directly=body[0] != 0)
            case Kind.STREAM:
                told = from_json(body)
                receiver = receivers.setdefault(told["peer"], AudioReceiver())
                receiver.skip() if told["what"] == "skip" else receiver.flush()
            case Kind.FRAME:
                told = from_json(body)
                if "text" in told:
                    typed = told.get("source") != "key"
                    told["text"] = hides.caller(told["text"]) if typed else re.sub(r"\d", "0", told["text"])
                yield number, Entry(entry.kind, entry.at, as_json(told))
            case _:
                yield number, entry


def _noise(at: float, pcm: bytes, *, directly: bool) -> Entry:
    level = min(0xFFFF, round(np.sqrt(mean_square(pcm))))
    return Entry(Kind.NOISE, at, NOISE.pack(directly, level, 1))


def _answers(record: Record, hides: Anonymous) -> Iterator[tuple[When | float, Entry]]:
    for at, prob in record.probs:
        yield at, Entry(Kind.SPEECH_PROB, at, PROB.pack(prob))
    for at, allowed in record.prepares:
        yield at, Entry(Kind.PREPARES, at, bytes([allowed]))
    for right in record.pins:
        yield record.began, Entry(Kind.PIN, record.began, bytes([right]))
    for heard in record.heard:
        if isinstance(heard.words, RecogniserError):
            yield heard.when, Entry(Kind.STT_ERROR, heard.when.at, as_json({"message": str(heard.words)}))
            continue
        told = transcript_as_dict(heard.words) | {"text": hides.caller(heard.words.text), "words": ()}
        yield (
            heard.when,
            Entry(Kind.TRANSCRIPT, heard.when.at, as_json({"transcript": told, "windows": 0, "checksum": 0})),
        )
    for who, scores in (("judge", record.judged), ("turn", record.turns)):
        for each in scores:
            sound_id, elapsed_ms, ended = each.key
            told = {"who": who, "asked": each.asked, "checksum": ANY_AUDIO, "score": each.score}
            told |= {"sound_id": sound_id, "elapsed_ms": elapsed_ms, "ended": ended}
            yield each.when, Entry(Kind.SCORE, each.when.at, as_json(told))
    for number, asked in enumerate(record.llm, 1):
        yield from _reply(number, asked, hides)
    for number, piece in enumerate(record.tts, 1):
        yield from _spoken(number, piece)
    for number, tool in enumerate(record.tools, 1):
        told = {"n": number, "name": tool.told["name"], "arguments": None}
        yield tool.at, Entry(Kind.TOOL_ASKED, tool.at, as_json(told))
        for when, line in tool.items:
            said = {"say": hides.bot(line["say"])} if "say" in line else {"hang_up": True}
            yield when, Entry(Kind.TOOL_LINE, when.at, as_json({"n": number, **said}))
        yield from _end(Kind.TOOL_END, number, tool, output=hides.bot(tool.output))


def _reply(number: int, asked: Asked[Any], hides: Anonymous) -> Iterator[tuple[When | float, Entry]]:
    yield asked.at, Entry(Kind.LLM_ASKED, asked.at, as_json({"n": number, "said": "", "key": ANY}))
    texts = [delta.text for _, delta in asked.items if isinstance(delta, TextDelta)]
    whole = "".join(texts)
    hidden = hides.bot(whole)
    rest = iter(texts if hidden == whole else _split(hidden, len(texts)))
    for when, delta in asked.items:
        told = delta_as_dict(TextDelta(next(rest)) if isinstance(delta, TextDelta) else delta)
        if "arguments" in told:
            told["arguments"] = "{}" if hides.caller(told["arguments"]) != told["arguments"] else told["arguments"]
        yield when, Entry(Kind.LLM_DELTA, when.at, as_json({"n": number, "delta": told}))
    yield from _end(Kind.LLM_END, number, asked)


def _split(text: str, count: int) -> list[str]:
    """A text in so many parts."""
    edges = [round(len(text) * part / count) for part in range(count + 1)]
    return [text[start:end] for start, end in zip(edges, edges[1:], strict=False)]


def _spoken(number: int, asked: Asked[VoiceChunk]) -> Iterator[tuple[When | float, Entry]]:
    told = {"n": number, "text": ANY, "language": asked.told["language"]}
    yield asked.at, Entry(Kind.TTS_ASKED, asked.at, as_json(told))
    for when, chunk in asked.items:
        samples = np.arange(len(chunk.pcm) // 2)
        tone = (TONE_LEVEL * np.sin(2 * np.pi * TONE_HZ * samples / chunk.sample_rate_hz)).astype(np.int16)
        yield when, Entry(Kind.TTS_CHUNK, when.at, chunk_body(number, VoiceChunk(tone.tobytes(), chunk.sample_rate_hz)))
    yield from _end(Kind.TTS_END, number, asked)


def _end(kind: Kind, number: int, asked: Asked[Any], **more: Any) -> Iterator[tuple[When | float, Entry]]:
    if asked.ended is not None:
        yield (
            asked.ended,
            Entry(kind, asked.ended.at, as_json({"n": number, "how": asked.how, "error": asked.error, **more})),
        )
