"""What a vendor's stream has heard of the caller, and what it must hear again: bookkeeping for any of them. Pure.

All times are *media time*: seconds of audio fed since the call began. A connection has a clock of its own, which starts
at the first sample that it was sent; :meth:`SpokenStream.rewind` notes where that lies.

The VAD's stretches of speech are the segments. A word belongs to the segment in which it was said, whatever message
brought it; so a result that comes late, or a second time over a new connection, never adds a word twice.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import RecognisedWord, Transcript
from processors.stt.voiced import VoicedTrack

WINDOW_SECS = WINDOW_SAMPLES / INPUT_SAMPLE_RATE_HZ
QUIET_PROB = 0.35
"""Windows with less speech probability are quiet."""

REPEATED_WORDS = 3
REPEATED_SECS = 0.5
"""So many equal words that lie no further apart than this are the same result once more, with other times."""


@dataclass(frozen=True)
class StreamParams:
    """Limits of the bookkeeping.

    Attributes:
        pre_roll_secs: Audio from before the VAD's start of speech that belongs to it.
        resend_secs: At most so much audio is sent again.
        final_secs: Seconds after the end of speech when what is known must do.
        settled_kept: Settled segments whose late words still find them.
    """

    pre_roll_secs: float = 0.4
    resend_secs: float = 20.0
    final_secs: float = 1.2
    settled_kept: int = 3


@dataclass(frozen=True)
class Result:
    """One message of a vendor, in the connection's time.

    Attributes:
        words: The words of this stretch, those without times at ``end_secs``.
        end_secs: How far it reaches.
        final: Whether the words of this stretch will change no more.
        flushed: Whether it answers a request for the last words.
        eager: Whether the vendor thinks that these may be all words of the turn.
    """

    words: tuple[RecognisedWord, ...]
    end_secs: float
    final: bool
    flushed: bool = False
    eager: bool = False


@dataclass
class _Segment:
    number: int
    onset_secs: float
    voiced_end_secs: float
    stop_secs: float | None = None
    due_at: float | None = None
    settled: bool = False
    flush_asked: bool = False
    finals: list[RecognisedWord] = field(default_factory=list)
    interims: list[RecognisedWord] = field(default_factory=list)
    stale: list[RecognisedWord] = field(default_factory=list)
    """What an earlier connection heard, until the new one has heard something."""
    told: str = ""

    @property
    def words(self) -> list[RecognisedWord]:
        return self.finals + self.interims or self.stale


class SpokenStream:
    """One call's audio, segments and words.

    Args:
        params: Limits.
    """

    def __init__(self, params: StreamParams | None = None) -> None:
        self._params = params or StreamParams()
        self._windows: deque[bytes] = deque()
        self._fed_secs = 0.0
        self._origin_secs = 0.0
        self._covered_secs = 0.0
        self._segments: deque[_Segment] = deque()
        self._last_number = 0
        self._speaking = False
        self._voiced = VoicedTrack()

    @property
    def segment(self) -> int:
        """Number of the newest segment; 0 before the first."""
        return self._last_number

    # --- what the pipeline tells -----------------------------------------------------------------

    def feed(self, window: bytes, speech_prob: float) -> None:
        """Take one window of 512 samples."""
        self._windows.append(window)
        self._voiced.feed(speech_prob)
        self._fed_secs += WINDOW_SECS
        if self._speaking and speech_prob >= QUIET_PROB:
            self._segments[-1].voiced_end_secs = self._fed_secs
        keep_from = self._keep_from()
        while self._windows and self._fed_secs - len(self._windows) * WINDOW_SECS < keep_from - WINDOW_SECS:
            self._windows.popleft()

    def speech_started(self) -> None:
        """The VAD is sure that somebody speaks."""
        self._speaking = True
        last_stop = self._segments[-1].stop_secs if self._segments else None
        onset = max(0.0, self._fed_secs - self._params.pre_roll_secs, last_stop or 0.0)
        self._open(onset)

    def speech_stopped(self, now: float) -> list[Transcript]:
        """The VAD is sure that nobody speaks any more; returns the final transcript if all is known already.

        Args:
            now: Monotonic seconds, of :meth:`due_at`.
        """
        if not self._speaking:
            return []
        self._speaking = False
        segment = self._segments[-1]
        segment.stop_secs = self._fed_secs
        segment.due_at = now + self._params.final_secs
        segment.flush_asked = True
        return self._settle_covered(flushed=False)

    # --- connections -----------------------------------------------------------------------------

    def rewind(self) -> list[bytes]:
        """A new connection: its first audio, from the onset of the oldest speech that is not settled.

        What earlier connections heard of that audio is forgotten as soon as the new one has heard it.
        """
        self._origin_secs = self._fed_secs - len(self._windows) * WINDOW_SECS
        self._covered_secs = min(self._covered_secs, self._origin_secs)
        for segment in self._segments:
            if not segment.settled:
                again = [w for w in segment.words if _middle(w) >= self._origin_secs]
                segment.finals = [w for w in segment.finals if _middle(w) < self._origin_secs]
                segment.interims = []
                segment.stale = segment.finals + again if again else segment.stale
        return list(self._windows)

    @property
    def wants_flush(self) -> bool:
        """Whether speech has stopped whose last words have not come."""
        return any(s.flush_asked and not s.settled for s in self._segments)

    # --- what the vendor tells -------------------------------------------------------------------

    def heard(self, result: Result, now: float) -> list[Transcript]:
        """Take a message; returns what is news. Words that nobody can have said are none."""
        end_secs = self._origin_secs + result.end_secs
        for segment in self._segments:
            segment.interims = []
        timed = (self._in_media_time(word, end_secs) for word in result.words)
        words = [word for word in timed if self._voiced.was_said(word)]
        if result.final:
            self._forget_told_again(words)
        for at in words:
            segment = self._segment_at(_middle(at), now)
            (segment.finals if result.final else segment.interims).append(at)
        if result.final:
            for segment in self._segments:
                segment.finals.sort(key=lambda word: word.start_secs or 0.0)
        if result.final:
            self._covered_secs = max(self._covered_secs, end_secs)
        told = self._settle_covered(flushed=result.flushed) + self._news(final=result.final)
        return self._marked_eager(told) if result.eager else told

    def _marked_eager(self, told: list[Transcript]) -> list[Transcript]:
        """The newest words may be all: that is told even if they were told before."""
        newest = self._segments[-1] if self._segments else None
        if newest is None or newest.settled or not newest.words:
            return told
        others = [transcript for transcript in told if transcript.segment != newest.number]
        return [*others, replace(_transcript(newest, final=False), eager=True)]

    def due_at(self) -> float | None:
        """When :meth:`expire` is to be called; None: not as things are."""
        due = [s.due_at for s in self._segments if not s.settled and s.due_at is not None]
        return min(due, default=None)

    def expire(self, now: float) -> list[Transcript]:
        """What is known of speech whose final result has not come in time must do."""
        told = [
            self._settle(segment)
            for segment in self._segments
            if not segment.settled and segment.due_at is not None and segment.due_at <= now
        ]
        self._forget()
        return told

    def _forget_told_again(self, words: Sequence[RecognisedWord]) -> None:
        """A result that comes twice, or is corrected, takes the place of the words of the same time."""
        for segment in self._segments:
            segment.finals = _without_repeated(segment.finals, words)
            segment.finals = [known for known in segment.finals if not any(_at_once(known, word) for word in words)]

    # --- segments --------------------------------------------------------------------------------

    def _open(self, onset_secs: float) -> _Segment:
        self._last_number += 1
        segment = _Segment(self._last_number, onset_secs, onset_secs)
        self._segments.append(segment)
        return segment

    def _segment_at(self, secs: float, now: float) -> _Segment:
        """The segment in which a word was said; one of its own if the VAD heard nothing there."""
        for segment in reversed(self._segments):
            if segment.onset_secs <= secs:
                before = segment.stop_secs is None or secs <= segment.stop_secs + self._params.pre_roll_secs
                if before:
                    return segment
                break
        else:
            if self._segments:
                return self._segments[0]
        stray = self._open(secs)
        stray.stop_secs = max(secs, self._fed_secs)
        stray.due_at = now + self._params.final_secs
        return stray

    def _settle_covered(self, *, flushed: bool) -> list[Transcript]:
        told = []
        for segment in self._segments:
            if segment.settled or segment.stop_secs is None:
                continue
            all_heard = self._covered_secs >= segment.voiced_end_secs - WINDOW_SECS
            if (all_heard and self._covered_secs > segment.onset_secs) or (flushed and segment.flush_asked):
                told.append(self._settle(segment))
        self._forget()
        return told

    def _settle(self, segment: _Segment) -> Transcript:
        segment.settled = True
        transcript = _transcript(segment, final=True)
        segment.told = transcript.text
        return transcript

    def _news(self, *, final: bool) -> list[Transcript]:
        """Words that are new: in speech that goes on, or late ones of a settled segment."""
        told = []
        for segment in self._segments:
            if segment.settled and not final:
                continue
            transcript = _transcript(segment, final=segment.settled)
            if transcript.text and transcript.text != segment.told:
                segment.told = transcript.text
                told.append(transcript)
        return told

    def _forget(self) -> None:
        while len(self._segments) > self._params.settled_kept and self._segments[0].settled:
            self._segments.popleft()

    def _keep_from(self) -> float:
        oldest = next((s.onset_secs for s in self._segments if not s.settled), None)
        if oldest is None:
            return self._fed_secs - self._params.pre_roll_secs
        return max(oldest, self._fed_secs - self._params.resend_secs)

    def _in_media_time(self, word: RecognisedWord, end_secs: float) -> RecognisedWord:
        if word.start_secs is None or word.end_secs is None:
            return replace(word, start_secs=end_secs, end_secs=end_secs)
        start_secs, end_secs = self._origin_secs + word.start_secs, self._origin_secs + word.end_secs
        return replace(word, start_secs=start_secs, end_secs=end_secs)


def _without_repeated(known: list[RecognisedWord], words: Sequence[RecognisedWord]) -> list[RecognisedWord]:
    """The known words without those that come once more at about the same time.

    Nobody says a sentence twice within half a second; of a word or two that is not sure.
    """
    if len(words) < REPEATED_WORDS:
        return known
    for at in range(len(known) - len(words) + 1):
        pairs = list(zip(known[at : at + len(words)], words, strict=True))
        if all(_sounds_like(a, b) and abs(_middle(a) - _middle(b)) <= REPEATED_SECS for a, b in pairs):
            return known[:at] + known[at + len(words) :]
    return known


def _sounds_like(one: RecognisedWord, other: RecognisedWord) -> bool:
    return one.text.strip(".,;:!?").lower() == other.text.strip(".,;:!?").lower()


def _middle(word: RecognisedWord) -> float:
    assert word.start_secs is not None
    assert word.end_secs is not None
    return (word.start_secs + word.end_secs) / 2


def _at_once(one: RecognisedWord, other: RecognisedWord) -> bool:
    """Whether two words cannot both have been said: they share more than half of the shorter one's time."""
    assert one.start_secs is not None
    assert one.end_secs is not None
    assert other.start_secs is not None
    assert other.end_secs is not None
    shorter = min(one.end_secs - one.start_secs, other.end_secs - other.start_secs)
    if shorter <= 0:
        return one.start_secs == other.start_secs and one.end_secs == other.end_secs
    shared = min(one.end_secs, other.end_secs) - max(one.start_secs, other.start_secs)
    return shared > shorter / 2


def _transcript(segment: _Segment, *, final: bool) -> Transcript:
    words: Sequence[RecognisedWord] = segment.words
    confidence = sum(w.confidence for w in words) / len(words) if words else 1.0
    relative = tuple(
        RecognisedWord(
            w.text,
            w.confidence,
            None if w.start_secs is None else w.start_secs - segment.onset_secs,
            None if w.end_secs is None else w.end_secs - segment.onset_secs,
            w.language,
        )
        for w in words
    )
    return Transcript(" ".join(w.text for w in words), segment.number, final, confidence, relative)
