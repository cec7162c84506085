"""Where the time of each answer went: from the end of the user's speech to the bot's first sample.

Stages are differences between instants, so they add up to the whole by construction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from observe import call_events as ev

OPEN_REPLIES = 4
"""Replies whose times are kept while they are not heard yet."""

_Stage = Literal["first_token", "first_clause", "first_audio", "first_sample"]


@dataclass
class TurnTimes:
    """Instants of one turn, in the event loop's seconds; None where it has not come to that.

    Attributes:
        turn_id: The user's turn.
        reply_id: The reply to it.
        text: What the user said.
        speech_ended: Last sample of speech (the VAD's end less the silence that it waited for).
        transcript: The last final transcript before the turn was over.
        turn_ended: The turn was given to the LLM.
        first_token: First text from the LLM.
        first_clause: First piece handed to the TTS.
        first_audio: First PCM from the TTS.
        first_sample: First sample played.
    """

    turn_id: int
    reply_id: int
    text: str
    speech_ended: float | None = None
    transcript: float | None = None
    turn_ended: float | None = None
    first_token: float | None = None
    first_clause: float | None = None
    first_audio: float | None = None
    first_sample: float | None = None

    def stages_ms(self) -> dict[str, int]:
        """Milliseconds of each stage in order; a stage that did not happen is left out."""
        instants = [
            ("stt", self.transcript),
            ("end_of_turn", self.turn_ended),
            ("llm", self.first_token),
            ("clause", self.first_clause),
            ("tts", self.first_audio),
            ("playout", self.first_sample),
        ]
        stages: dict[str, int] = {}
        before = self.speech_ended if self.speech_ended is not None else self.turn_ended
        for name, at in instants:
            if at is not None and before is not None and at >= before:
                stages[name] = round((at - before) * 1000)
                before = at
        return stages

    def answer_ms(self) -> int | None:
        """From the end of speech (or the typed text) to the first sample, in milliseconds."""
        start = self.speech_ended if self.speech_ended is not None else self.turn_ended
        if start is None or self.first_sample is None:
            return None
        return round((self.first_sample - start) * 1000)


class TurnClock:
    """Keeps the times of one call's turns.

    Args:
        on_answer: Called with a turn's times when the first sample of its reply has been played.
        on_reply_over: Called with the times and the final event when the reply has been played to its end, or was cut.
    """

    def __init__(
        self,
        on_answer: Callable[[TurnTimes], None],
        on_reply_over: Callable[[TurnTimes, ev.ReplyPlayed], None] | None = None,
    ) -> None:
        self._on_answer = on_answer
        self._on_reply_over = on_reply_over
        self._replies: dict[int, TurnTimes] = {}
        self._speech_ended: float | None = None
        self._transcript: float | None = None

    def take(self, event: ev.CallEvent) -> None:
        """Note what an event of the call says of its turns."""
        match event:
            case ev.SpeechEnded(at):
                self._speech_ended = at
            case ev.FinalWords(at, _, _):
                self._transcript = at
            case ev.TurnEnded(at, turn_id, reply_id, text):
                self._open(TurnTimes(turn_id, reply_id, text, self._speech_ended, self._transcript, at))
            case ev.FirstToken(at, reply_id):
                self._note_first(reply_id, "first_token", at)
            case ev.PieceBegan(at, reply_id, _, _):
                self._note_first(reply_id, "first_clause", at)
            case ev.FirstAudio(at, reply_id):
                self._note_first(reply_id, "first_audio", at)
            case ev.ReplyPlaying(at, reply_id):
                if self._note_first(reply_id, "first_sample", at):
                    self._on_answer(self._replies[reply_id])
            case ev.ReplyPlayed(_, reply_id):
                times = self._replies.pop(reply_id, None)
                if times is not None and self._on_reply_over is not None:
                    self._on_reply_over(times, event)
            case _:
                pass

    def _open(self, times: TurnTimes) -> None:
        self._speech_ended = self._transcript = None
        self._replies[times.reply_id] = times
        while len(self._replies) > OPEN_REPLIES:
            del self._replies[next(iter(self._replies))]

    def _note_first(self, reply_id: int, stage: _Stage, at: float) -> bool:
        """Whether it is the first of its kind for a reply that is known; its time is noted then."""
        times = self._replies.get(reply_id)
        if times is None or getattr(times, stage) is not None:
            return False
        setattr(times, stage, at)
        return True
