"""What a call leaves in the log: one line per turn with its stage times, one per decision, one at its end.

The same events fill the call's record, for the dashboard and the metrics. Words stand in lines of their own, at DEBUG
unless transcripts are kept in full.
"""

import asyncio
from functools import partial

from loguru import logger
from pipecat.processors.frame_processor import FrameProcessor

from contracts.llm import Usage as TokenUsage
from contracts.modes import Transcripts
from observe import call_events as ev
from observe.entries import Turn
from observe.fill_record import fill
from observe.listener import Usage
from observe.pipeline_observer import PipelineObserver
from observe.record import CallRecord
from observe.turn_clock import TurnClock, TurnTimes
from processors.turns.handler import InterruptionHandler
from transports import rtvi
from transports.call import Call
from transports.output import PlayoutOutput

TEXT_CHARS = 80
"""Longest text in a log line."""


class CallLog:
    """The log of one call; also tells the client how long each answer took.

    Args:
        call: The call; messages to the client go over its data channel.
        record: The call's record.
    """

    def __init__(self, call: Call, record: CallRecord) -> None:
        self._call = call
        self._record = record
        self._open_turns: dict[int, Turn] = {}
        self._clock = TurnClock(self._on_answer, self._on_reply_over)
        self._turns = 0
        self._faults = 0
        self._verdicts: dict[str, int] = {}
        self._wrong_verdicts = 0
        self._words = "INFO" if record.redactor.transcripts is Transcripts.FULL else "DEBUG"
        """The level at which words are told."""

    def watch(
        self, interruptions: InterruptionHandler, llm: FrameProcessor, tts: FrameProcessor, output: PlayoutOutput
    ) -> None:
        """Begin to watch the nodes that know."""
        observer = PipelineObserver()
        for listener in (self._clock.take, partial(fill, self._record), self._take):
            observer.subscribe(listener)
        observer.watch(interruptions, llm, tts, output)
        interruptions.on_audio = self._record.caller_level.push
        output.on_audio = self._record.bot_level.push

    def fault(self, fault: str) -> None:
        """Count a fault that a deadline had to repair."""
        self._faults += 1
        self._record.fault(_now(), fault)

    def tokens_used(self, usage: TokenUsage) -> None:
        """Count what a request to the language model cost."""
        for unit in ("prompt_tokens", "cached_tokens", "completion_tokens"):
            self._record.used(Usage("llm", unit, getattr(usage, unit)))

    def spoken_unheard(self, text: str) -> None:
        """Count what the voice spoke ahead of a reply that was not wanted."""
        for unit in ("characters", "unheard_characters"):
            self._record.used(Usage("tts", unit, len(text)))

    def close(self) -> None:
        """One line about the whole call."""
        for turn in self._open_turns.values():
            self._record.turn_left(_now(), turn)
        self._record.over(_now(), self._call.close_reason or "the pipeline ended")
        logger.info(
            "call {}: over after {} answers; sounds over the voice: {}; wrong verdicts: {}; faults repaired: {}",
            self._call.pc_id,
            self._turns,
            self._verdicts or "none",
            self._wrong_verdicts,
            self._faults,
        )

    def _on_answer(self, times: TurnTimes) -> None:
        self._turns += 1
        answer_ms = times.answer_ms()
        self._open_turns = {times.reply_id: self._turn(times)}
        self._record.answered(self._open_turns[times.reply_id])
        if answer_ms is not None:
            self._call.send_message(rtvi.time_to_answer(times.turn_id, answer_ms, times.stages_ms(), times.reply_id))

    def _on_reply_over(self, times: TurnTimes, played: ev.ReplyPlayed) -> None:
        turn = self._open_turns.pop(times.reply_id, None) or self._turn(times)
        self._record.turn_over(_now(), turn, cut=played.cut, error=played.error, heard=played.heard)
        stages = " ".join(f"{name}={ms}" for name, ms in times.stages_ms().items())
        end = "cut" if played.cut else "failed: " + played.error if played.error else "played"
        logger.info("turn {} answer_ms={} {} ({})", times.turn_id, times.answer_ms(), stages, end)
        said, heard = turn.text[:TEXT_CHARS], turn.heard[:TEXT_CHARS]
        logger.log(self._words, "turn {}: {!r} -> {!r}", times.turn_id, said, heard)

    def _turn(self, times: TurnTimes) -> Turn:
        begin = times.speech_ended if times.speech_ended is not None else times.turn_ended
        return Turn(
            turn_id=times.turn_id,
            reply_id=times.reply_id,
            began=_now() if begin is None else begin,
            text=self._record.redactor.caller(times.text),
            stages_ms=times.stages_ms(),
            answer_ms=times.answer_ms(),
        )

    def _take(self, event: ev.CallEvent) -> None:
        if not isinstance(event, ev.Decided):
            return
        decision = event.decision
        if decision.wrong is None:
            verdict = decision.verdict
            self._verdicts[verdict] = self._verdicts.get(verdict, 0) + 1
            logger.info(
                "sound {} {}: {} after {} ms ({}), silence {} ms",
                decision.sound_id,
                decision.mode,
                verdict,
                decision.verdict_ms,
                decision.reason,
                decision.silence_ms,
            )
            words = self._record.redactor.caller(decision.text)
            logger.log(self._words, "sound {}: words {!r}", decision.sound_id, words[:TEXT_CHARS])
        elif decision.wrong:
            self._wrong_verdicts += 1
            logger.info("sound {}: the verdict {} was wrong", decision.sound_id, decision.verdict)


def _now() -> float:
    return asyncio.get_running_loop().time()
