"""The record of a call, sorted by what a replay asks it for. Pure, but for :func:`load`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from contracts.llm import Delta
from contracts.stt import RecogniserError, Transcript
from contracts.tts import VoiceChunk
from recording.container import Contents, Entry, RecordError, unpack
from recording.entries import (
    IN_ORDER,
    PROB,
    PULL,
    Kind,
    chunk_of,
    delta_of,
    from_json,
    transcript_of,
)

T = TypeVar("T")

Message = Mapping[str, Any]


INSTANT_SECS: Final = 1e-6
"""What is no further apart happened at one instant."""


class When(NamedTuple):
    """When something came.

    Attributes:
        at: Seconds of the loop's clock.
        after: How many inputs had come before: at one instant, that is what tells the order.
        rank: How many other answers had come before at this instant.
    """

    at: float
    after: int
    rank: int = 0


@dataclass
class Asked(Generic[T]):
    """One request to a vendor or a tool, and what came of it.

    Attributes:
        at: When it was made.
        told: What was asked for.
        items: What came, and when.
        ended: When it was over; None: it was not.
        how: ``end``, ``closed`` by whoever asked, or ``error``.
        error: What error.
    """

    at: float
    told: Mapping[str, Any]
    items: list[tuple[When, T]] = field(default_factory=list)
    ended: When | None = None
    how: str = "closed"
    error: Mapping[str, Any] | None = None
    output: str = ""


@dataclass(frozen=True)
class Heard:
    """What a recogniser said.

    Attributes:
        when: When.
        words: A transcript, or why there is none.
        windows: How many windows it had been fed.
        checksum: Their CRC-32.
    """

    when: When
    words: Transcript | RecogniserError
    windows: int = 0
    checksum: int = 0


@dataclass(frozen=True)
class Score:
    """What a model of this machine said of some audio."""

    when: When
    asked: float
    checksum: int
    score: float | None
    key: tuple[int, int, bool] = (0, 0, False)


@dataclass
class Record:
    """A recorded call.

    Attributes:
        header: What it was given.
        inputs: What came from the caller, in order, up to the end of the call.
        whole: Whether the file was written to its end.
        settled: By the number of an input: how many things had happened before it at its instant, if any had.
    """

    header: Mapping[str, Any]
    inputs: list[Entry] = field(default_factory=list)
    whole: bool = True
    settled: dict[int, int] = field(default_factory=dict)
    probs: list[tuple[float, float]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    stt_told: list[tuple[str, int]] = field(default_factory=list)
    llm: list[Asked[Delta]] = field(default_factory=list)
    tts: list[Asked[VoiceChunk]] = field(default_factory=list)
    tools: list[Asked[Mapping[str, Any]]] = field(default_factory=list)
    judged: list[Score] = field(default_factory=list)
    turns: list[Score] = field(default_factory=list)
    prepares: list[tuple[float, bool]] = field(default_factory=list)
    pins: list[bool] = field(default_factory=list)
    sent: list[tuple[float, Message]] = field(default_factory=list)

    @property
    def began(self) -> float:
        """The loop's clock at the beginning."""
        return float(self.header["began"])

    @property
    def ended(self) -> float:
        """The loop's clock at the end."""
        return self.inputs[-1].at if self.inputs else self.began

    @property
    def secs(self) -> float:
        """How long the call was."""
        return self.ended - self.began

    @property
    def pulls(self) -> list[tuple[float, int, int]]:
        """What was played: when, samples, CRC-32 (0: silence)."""
        return [(entry.at, *PULL.unpack(entry.body)) for entry in self.inputs if entry.kind == Kind.PULL]

    @property
    def words(self) -> list[tuple[float, str]]:
        """What the caller said in the end, as the recogniser had it."""
        return [
            (each.when.at, each.words.text)
            for each in self.heard
            if isinstance(each.words, Transcript) and each.words.final and each.words.text
        ]


@dataclass
class Trace:
    """What came of a call.

    Attributes:
        sent: Messages to the client, and when.
        pulls: What was played: when, samples, CRC-32 (0: silence).
        caller: What was heard of the caller: 16 kHz mono int16 from a time on, in order.
        played: What was played, for each pull: 24 kHz mono int16.
        notes: What was guessed, and when.
        ended: When the call was over.
    """

    sent: list[tuple[float, Message]] = field(default_factory=list)
    pulls: list[tuple[float, int, int]] = field(default_factory=list)
    caller: list[tuple[float, bytes]] = field(default_factory=list)
    played: list[bytes] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)
    ended: float = 0.0


def trace_of(record: Record) -> Trace:
    """What the record says came of the call."""
    return Trace(list(record.sent), record.pulls, ended=record.ended)


_JSON: Final = frozenset(Kind) - {
    Kind.PACKET,
    Kind.PCM,
    Kind.NOISE,
    Kind.PULL,
    Kind.SPEECH_PROB,
    Kind.PREPARES,
    Kind.TTS_CHUNK,
    Kind.PIN,
}


def load(path: Path, key: bytes = b"") -> Record:
    """Read a record.

    Raises:
        RecordError: It cannot be read, or cannot be replayed; names the file.
    """
    try:
        return sort(unpack(path.read_bytes(), key))
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def sort(contents: Contents) -> Record:
    """The record of a file's contents.

    Raises:
        RecordError: It has no beginning, or no audio.
    """
    entries = contents.entries
    if not entries or entries[0].kind != Kind.HEADER:
        raise RecordError("the record has no beginning")
    header = from_json(entries[0].body)
    if header.get("record") != "audio":
        raise RecordError("this record has no audio, and cannot be replayed: record with RECORD=audio")
    record = Record(header, whole=contents.last is not None and not contents.last.get("dropped"))
    sorter = _Sorter(record)
    try:
        for entry in entries[1:]:
            sorter.take(entry)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise RecordError(f"the record holds an entry that cannot be read ({type(error).__name__})") from None
    if not record.inputs:
        raise RecordError("nothing happened in this call")
    return record


class _Instant:
    """What came one after the other at one instant."""

    def __init__(self) -> None:
        self._at, self._answers, self._inputs, self._told = -1.0, 0, 0, False
        self._source: tuple[int, int] | None = None

    def answer_comes(self, at: float, kind: int, number: int) -> int:
        """An answer comes; how many others came before it."""
        self._enter(at)
        if self._source != (kind, number):
            self._source = (kind, number)
            self._answers += 1
        return self._answers - 1

    def input_comes(self, at: float) -> int:
        """An input comes; how many other things came before it."""
        self._enter(at)
        # What was told behind another input may be its own doing, and need not be over when the next one comes.
        behind = self._answers or int(self._told and not self._inputs)
        self._inputs += 1
        self._source = None
        return behind

    def message_leaves(self, at: float) -> None:
        """The client is told something."""
        self._enter(at)
        self._told = True

    def _enter(self, at: float) -> None:
        if abs(at - self._at) >= INSTANT_SECS:
            self._at, self._answers, self._source, self._inputs, self._told = at, 0, None, 0, False


class _Sorter:
    def __init__(self, record: Record) -> None:
        self._record = record
        self._closed = False
        self._instant = _Instant()
        self._llm: dict[int, Asked[Delta]] = {}
        self._tts: dict[int, Asked[VoiceChunk]] = {}
        self._tools: dict[int, Asked[Mapping[str, Any]]] = {}

    def take(self, entry: Entry) -> None:
        record = self._record
        if entry.kind in IN_ORDER:
            if not self._closed:
                if behind := self._instant.input_comes(entry.at):
                    record.settled[len(record.inputs)] = behind
                record.inputs.append(entry)
                self._closed = entry.kind == Kind.CLOSED
            return
        if entry.kind == Kind.SPEECH_PROB:
            record.probs.append((entry.at, PROB.unpack(entry.body)[0]))
        elif entry.kind == Kind.PREPARES:
            record.prepares.append((entry.at, entry.body != b"\0"))
        elif entry.kind == Kind.PIN:
            record.pins.append(entry.body != b"\0")
        elif entry.kind == Kind.TTS_CHUNK:
            number, chunk = chunk_of(entry.body)
            self._tts[number].items.append((self._when(entry.at, Kind.TTS_CHUNK, number), chunk))
        elif entry.kind in _JSON:
            self._told(Kind(entry.kind), entry.at, from_json(entry.body))

    def _when(self, at: float, kind: Kind, number: int) -> When:
        return When(at, len(self._record.inputs), self._instant.answer_comes(at, kind // 10, number))

    def _told(self, kind: Kind, at: float, told: dict[str, Any]) -> None:
        record = self._record
        if kind == Kind.SENT:
            self._instant.message_leaves(at)
            if not self._closed:
                record.sent.append((at, told))
            return
        if kind in (Kind.LLM_ASKED, Kind.TTS_ASKED, Kind.TOOL_ASKED, Kind.STT_TOLD):
            self._asked(kind, at, told)
            return
        when = self._when(at, kind, told.get("n", 0))
        match kind:
            case Kind.TRANSCRIPT:
                words = transcript_of(told["transcript"])
                record.heard.append(Heard(when, words, told["windows"], told["checksum"]))
            case Kind.STT_ERROR:
                record.heard.append(Heard(when, RecogniserError(told["message"])))
            case Kind.SCORE:
                self._score(when, told)
            case Kind.LLM_DELTA:
                self._llm[told["n"]].items.append((when, delta_of(told["delta"])))
            case Kind.LLM_END:
                _end(self._llm[told["n"]], when, told)
            case Kind.TTS_END:
                _end(self._tts[told["n"]], when, told)
            case Kind.TOOL_LINE:
                self._tools[told["n"]].items.append((when, told))
            case Kind.TOOL_END:
                _end(self._tools[told["n"]], when, told)
            case _:
                pass

    def _asked(self, kind: Kind, at: float, told: dict[str, Any]) -> None:
        record = self._record
        match kind:
            case Kind.LLM_ASKED:
                _begin(record.llm, self._llm, at, told)
            case Kind.TTS_ASKED:
                _begin(record.tts, self._tts, at, told)
            case Kind.TOOL_ASKED:
                _begin(record.tools, self._tools, at, told)
            case _:
                record.stt_told.append((told["what"], told["windows"]))

    def _score(self, when: When, told: Mapping[str, Any]) -> None:
        key = (told.get("sound_id", 0), told.get("elapsed_ms", 0), told.get("ended", False))
        scores = self._record.judged if told["who"] == "judge" else self._record.turns
        scores.append(Score(when, told["asked"], told["checksum"], told["score"], key))


def _begin(listed: list[Asked[T]], known: dict[int, Asked[T]], at: float, told: Mapping[str, Any]) -> None:
    known[told["n"]] = asked = Asked[T](at, told)
    listed.append(asked)


def _end(asked: Asked[Any], when: When, told: Mapping[str, Any]) -> None:
    asked.ended, asked.how = when, told["how"]
    asked.error, asked.output = told.get("error"), told.get("output", "")


def first_unused(asked: list[Asked[T]], used: set[int], fits: Callable[[Asked[T]], bool]) -> Asked[T] | None:
    """The first request that fits and has not been played; else the last one that fits; it counts as played."""
    fitting = [(number, each) for number, each in enumerate(asked) if fits(each)]
    if not fitting:
        return None
    number, found = next(((n, each) for n, each in fitting if n not in used), fitting[-1])
    used.add(number)
    return found
