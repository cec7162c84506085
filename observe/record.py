"""What is kept of one call: its state, its turns, and a timeline of what happened. Pure: ``now`` is an argument.

All times that go out are milliseconds since the call began. Everything is bounded: a call may last for hours.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from contracts.secrets import scrub
from observe.entries import Moment, Turn
from observe.levels import LevelMeter
from observe.listener import Listener, Usage
from observe.redaction import Redactor

KEEP_MOMENTS: Final = 800
"""Entries of a call's timeline; the oldest go first. Fifty turns fit."""

KEEP_TURNS: Final = 200
MAX_WORDS: Final = 300
"""Words of one reply whose times are kept."""

TEXT_CHARS: Final = 400
"""Longest text that is kept."""

SPOILED: Final = ("no reply", "reply stalled")
"""Faults that leave a turn without its answer, whatever was heard of it."""

ALREADY_COUNTED: Final = "reply failed"
"""A fault that the end of the reply itself has told of before."""


class CallRecord:
    """The record of one call.

    Args:
        call_id: Its name in addresses: short, unique in this process.
        name: The name that its client knows it by.
        began: When it began, in the loop's seconds.
        began_at: The same in Unix seconds.
        listener: Learns what is counted.
        vendors: Who hears, thinks and speaks, by role.
        quality: Tells how good the line is now, if it can.
        redactor: Says what is kept of what is said.
    """

    def __init__(
        self,
        call_id: str,
        name: str,
        began: float,
        began_at: float,
        listener: Listener,
        *,
        vendors: Mapping[str, str] | None = None,
        quality: Callable[[], Mapping[str, float]] = dict,
        redactor: Redactor | None = None,
    ) -> None:
        self.redactor = redactor or Redactor()
        self.call_id = call_id
        self.name = name
        self.began = began
        self.began_at = began_at
        self.ended: float | None = None
        self.end_reason: str | None = None
        self.state = "connecting"
        self.state_since = began
        self.turns: deque[Turn] = deque(maxlen=KEEP_TURNS)
        self.answers = 0
        self.last_answer: Turn | None = None
        self.failures: dict[str, int] = {}
        self.verdicts: dict[str, int] = {}
        self.wrong_verdicts = 0
        self.revision = 0
        self.caller_level = LevelMeter(INPUT_SAMPLE_RATE_HZ)
        self.bot_level = LevelMeter(OUTPUT_SAMPLE_RATE_HZ)
        self.vendors = dict(vendors or {})
        self.quality: Mapping[str, float] = {}
        self._measure_quality = quality
        self._listener = listener
        self._moments: deque[Moment] = deque(maxlen=KEEP_MOMENTS)
        self._count = 0
        self._open: dict[str, Moment] = {}
        self._decisions: dict[object, Moment] = {}
        self._segment: tuple[int, Moment | None] = (0, None)
        self._spoiled = False
        self._said: list[str] = []
        """The reply that is heard, word by word, while it is."""

    # --- what happens ----------------------------------------------------------------------

    def ready(self, now: float) -> None:
        """The client hears."""
        if self.state == "connecting":
            self.change_state(now, "listening")

    def change_state(self, now: float, state: str) -> None:
        """The turn machine changed its state."""
        self.state, self.state_since = state, now
        self._add(now, "state", state=state)

    def hold(self, now: float, *, on: bool) -> None:
        """The call is put on hold, or goes on."""
        if on:
            self._begin(now, "hold", "hold")
        else:
            self._end(now, "hold")

    def speech_began(self, now: float) -> None:
        """The caller began to speak."""
        self._begin(now, "speech", "speech")

    def speech_ended(self, now: float) -> None:
        """The caller fell silent."""
        moment = self._end(now, "speech")
        if moment is not None:
            self._listener.used(self, Usage("stt", "seconds", max(0, moment.data["until_ms"] - moment.at_ms) / 1000))

    def said_words(self, now: float, text: str, segment: int | None) -> None:
        """Final words of the caller; with a segment number, they replace earlier ones of the same number."""
        text = self.redactor.caller(text)
        if segment is None:
            self._add(now, "words", text=text[:TEXT_CHARS], source="typed")
            return
        known_segment, known = self._segment
        if known is not None and segment == known_segment:
            known.data["text"] = text[:TEXT_CHARS]
            self._touch(known)
        elif text:
            self._segment = segment, self._add(now, "words", text=text[:TEXT_CHARS], source="voice")

    def keys_pressed(self, now: float, keys: str) -> None:
        """Keys of the caller's telephone."""
        self._add(now, "words", text=self.redactor.keys(keys), source="typed")

    def asked(self, now: float, reply_id: int) -> None:
        """A turn was given to the language model."""
        self._spoiled = False
        self._end(now, "llm", error="superseded")
        self._begin(now, "llm", "vendor", role="llm", vendor=self.vendors.get("llm", "llm"), reply_id=reply_id)

    def first_token(self, now: float) -> None:
        """The language model's first words for the reply that was asked for."""
        self._note_first(now, "llm")

    def model_done(self, now: float, error: str | None) -> None:
        """The language model has said all, or failed."""
        self._end(now, "llm", error=error)
        if error is not None:
            self.vendor_failed("llm", error)

    def piece_began(self, now: float, utterance_id: int, text: str) -> None:
        """A clause or sentence was given to the voice."""
        vendor = self.vendors.get("tts", "tts")
        self._begin(
            now,
            "tts",
            "vendor",
            role="tts",
            vendor=vendor,
            utterance_id=utterance_id,
            text=self.redactor.bot(text)[:TEXT_CHARS],
        )
        self._listener.used(self, Usage("tts", "characters", len(text)))

    def first_audio(self, now: float) -> None:
        """Audio of the clause that was given to the voice last."""
        self._note_first(now, "tts")

    def piece_done(self, now: float, error: str | None) -> None:
        """The voice has made all audio of the clause, or failed."""
        self._end(now, "tts", error=error)
        if error is not None:
            self.vendor_failed("tts", error)

    def tools_run(self, now: float, longest_secs: float) -> None:
        """The reply waits for tools; or, with 0 seconds, it goes on."""
        if longest_secs > 0:
            self._begin(now, "tools", "tools", longest_secs=longest_secs)
        else:
            self._end(now, "tools")

    def interrupted(self, now: float) -> None:
        """Everything that was being made for the reply is dropped."""
        for key in ("llm", "tts", "tools"):
            self._end(now, key, error="interrupted")

    def playing(self, now: float, reply_id: int) -> None:
        """A reply is heard."""
        self._said = []
        self._begin(now, "said", "said", reply_id=reply_id, words=[])

    def word_heard(self, now: float, text: str) -> None:
        """A word of the reply is heard."""
        moment = self._open.get("said")
        if moment is not None and len(moment.data["words"]) < MAX_WORDS:
            self._said.append(text)
            words: list[list[Any]] = moment.data["words"]
            words.append([self._ms(now), text])
            for entry, kept in zip(words, self.redactor.words(self._said), strict=True):
                entry[1] = kept
            self._touch(moment)

    def played(self, now: float, unheard: str, *, cut: bool, error: str | None) -> None:
        """A reply has been played to its end, or was cut."""
        self._end(now, "said", unheard=self.redactor.bot(unheard)[:TEXT_CHARS], cut=cut, error=error)
        if unheard:
            self._listener.used(self, Usage("tts", "unheard_characters", len(unheard)))

    def answered(self, turn: Turn) -> None:
        """The first sample of an answer was played."""
        self.answers += 1
        self.last_answer = turn
        self._listener.answered(self, turn)

    def turn_over(self, now: float, turn: Turn, *, cut: bool, error: str | None, heard: str) -> None:
        """An answer has been played to its end, or was cut.

        Args:
            now: The loop's seconds.
            turn: The turn.
            cut: Whether it was interrupted.
            error: What failed.
            heard: What was heard of it.
        """
        turn.text = self.redactor.caller(turn.text)
        turn.ended, turn.heard, turn.error = now, self.redactor.bot_heard(heard)[:TEXT_CHARS], error and scrub(error)
        if error is not None:
            turn.outcome = "failed"
            self._fail(error)
        elif self._spoiled:
            turn.outcome = "failed"
        elif turn.answer_ms is None:
            turn.outcome = "superseded" if cut else "failed"
            if not cut:
                turn.error = "nothing was heard"
                self._fail(turn.error)
        else:
            turn.outcome = "cut" if cut else "played"
        self._spoiled = False
        self._keep_turn(now, turn)

    def turn_left(self, now: float, turn: Turn) -> None:
        """The call ends while an answer is heard."""
        turn.text = self.redactor.caller(turn.text)
        turn.ended, turn.outcome = now, "left"
        self._keep_turn(now, turn)

    def _keep_turn(self, now: float, turn: Turn) -> None:
        self.turns.append(turn)
        self._add(
            turn.began,
            "turn",
            turn_id=turn.turn_id,
            reply_id=turn.reply_id,
            text=turn.text[:TEXT_CHARS],
            heard=turn.heard,
            answer_ms=turn.answer_ms,
            stages_ms=turn.stages_ms,
            outcome=turn.outcome,
            error=turn.error,
            until_ms=self._ms(now),
        )
        self._listener.turn_over(self, turn)

    def decided(self, now: float, decision: Mapping[str, Any]) -> None:
        """An interruption decision; a later one of the same sound tells whether the first was right."""
        decision = {**decision, "text": self.redactor.caller(str(decision.get("text", "")))}
        sound_id, verdict = decision["sound_id"], str(decision["verdict"])
        known = self._decisions.get(sound_id)
        if known is None:
            self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
            since_onset = (decision.get("verdict_ms") or 0) / 1000
            self._decisions[sound_id] = self._add(now - since_onset, "decision", decision=dict(decision))
            if len(self._decisions) > KEEP_TURNS:
                del self._decisions[next(iter(self._decisions))]
            self._listener.decided(self, decision)
        else:
            known.data["decision"] = dict(decision)
            self._touch(known)
        if decision["wrong"] is not None:
            self.wrong_verdicts += bool(decision["wrong"])
            self._listener.judged(self, decision)

    def fault(self, now: float, fault: str) -> None:
        """A deadline had to repair something."""
        fault = scrub(fault)
        self._add(now, "fault", what=fault[:TEXT_CHARS])
        self._listener.repaired(self, fault)
        if fault.startswith(SPOILED):
            self._spoiled = True
        if not fault.startswith(ALREADY_COUNTED):
            self._fail(fault)

    def trouble(self, now: float, message: str) -> None:
        """The person on the line was told of a trouble."""
        self._add(now, "trouble", message=scrub(message)[:TEXT_CHARS])

    def vendor_failed(self, role: str, error: str) -> None:
        """A provider failed."""
        if error not in ("superseded", "interrupted"):
            self._listener.vendor_failed(role, self.vendors.get(role, role), scrub(error))

    def used(self, usage: Usage) -> None:
        """Something that costs was used."""
        self._listener.used(self, usage)

    def over(self, now: float, reason: str) -> None:
        """The call has ended; idempotent."""
        if self.ended is not None:
            return
        self.measure(now)
        for key in list(self._open):
            self._end(now, key)
        self._open.clear()
        self._decisions.clear()
        self.ended, self.end_reason = now, reason
        self.state, self.state_since = "over", now
        self._add(now, "end", reason=reason)
        self._measure_quality = dict  # a record outlives its call, and must not keep it
        self._listener.over(self)

    def measure(self, now: float) -> None:
        """Take the levels and the line's quality since the last time; about once a second."""
        if self.ended is None:
            self.caller_level.measure(now - self.began)
            self.bot_level.measure(now - self.began)
            self.quality = self._measure_quality() or self.quality

    # --- what is told of it ------------------------------------------------------------------

    def summary(self, now: float) -> dict[str, Any]:
        """One row of a list of calls."""
        answer = self.last_answer
        return {
            "id": self.call_id,
            "name": self.name,
            "began_at": round(self.began_at, 3),
            "secs": round((self.ended if self.ended is not None else now) - self.began, 1),
            "state": self.state,
            "on_hold": "hold" in self._open,
            "state_secs": round(now - self.state_since, 1),
            "answers": self.answers,
            "answer_ms": answer.answer_ms if answer else None,
            "stages_ms": answer.stages_ms if answer else {},
            "failures": self.failures,
            "verdicts": self.verdicts,
            "wrong_verdicts": self.wrong_verdicts,
            "quality": dict(self.quality),
            "end_reason": self.end_reason,
        }

    def timeline(self, now: float, after: int = 0, level: int = 0) -> dict[str, Any]:
        """The whole call, or what is new in it.

        Args:
            now: The loop's seconds.
            after: A revision: only entries that changed after it.
            level: Number of the first level that is wanted.
        """
        from_level, caller = self.caller_level.since(level)
        _, bot = self.bot_level.since(level)
        return {
            **self.summary(now),
            "revision": self.revision,
            "vendors": self.vendors,
            "moments": [moment.as_dict() for moment in self._moments if moment.revision > after],
            "levels": {"first": from_level, "per_sec": 10, "caller_db": caller, "bot_db": bot},
        }

    # --- bookkeeping -------------------------------------------------------------------------

    def _ms(self, now: float) -> int:
        return max(0, round((now - self.began) * 1000))

    def _add(self, now: float, kind: str, **data: Any) -> Moment:
        self._count += 1
        self.revision += 1
        moment = Moment(self._count, self.revision, self._ms(now), kind, data)
        self._moments.append(moment)
        return moment

    def _touch(self, moment: Moment) -> None:
        self.revision += 1
        moment.revision = self.revision

    def _begin(self, now: float, key: str, kind: str, **data: Any) -> None:
        self._open[key] = self._add(now, kind, **data)

    def _note_first(self, now: float, key: str) -> None:
        moment = self._open.get(key)
        if moment is not None and "first_ms" not in moment.data:
            moment.data["first_ms"] = self._ms(now)
            self._touch(moment)

    def _end(self, now: float, key: str, **data: Any) -> Moment | None:
        moment = self._open.pop(key, None)
        if moment is not None:
            moment.data["until_ms"] = self._ms(now)
            moment.data |= {name: value for name, value in data.items() if value is not None}
            self._touch(moment)
        return moment

    def _fail(self, cause: str) -> None:
        cause = cause_of(scrub(cause))
        self.failures[cause] = self.failures.get(cause, 0) + 1
        self._listener.failed(self, cause)


def cause_of(text: str) -> str:
    """A fault's text as a name to count by: numbers and quoted parts, which differ each time, are left out."""
    without = "".join("#" if char.isdigit() else char for char in text.split("'")[0].split('"')[0])
    while "##" in without:
        without = without.replace("##", "#")
    return without.strip(" .:")[:80] or "unknown"
