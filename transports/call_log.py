"""What a call leaves in the log: one line per turn with its stage times, one per decision, one at its end.

The same events fill the call's record, for the dashboard and the metrics.
"""

import asyncio
import sys

from loguru import logger
from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameProcessor

from observe.entries import Turn
from observe.listener import Usage
from observe.record import CallRecord
from observe.watch import CallWatch
from processors.frames import DecisionCardFrame, ReplyPlayedFrame
from processors.llm.base import Usage as TokenUsage
from processors.turn_clock import TurnClock, TurnTimes
from processors.turns.handler import InterruptionHandler
from transports import rtvi
from transports.call import Call
from transports.output import PlayoutOutput

TEXT_CHARS = 80
"""Longest text in a log line."""


def log_to_terminal(level: str, *, as_json: bool, worker: int | None = None) -> None:
    """Send the log to stderr: for people by default, as JSON lines for machines.

    Args:
        level: The least that is told.
        as_json: For machines.
        worker: The process's number among several.
    """
    logger.remove()
    logger.configure(extra={} if worker is None else {"worker": worker})
    if as_json:
        logger.add(sys.stderr, level=level, serialize=True)
    else:
        number = "" if worker is None else "<cyan>{extra[worker]}</cyan> "
        line = "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <7}</level> " + number + "{message}"
        logger.add(sys.stderr, level=level, format=line, filter=_not_chatter)


def _not_chatter(record: object) -> bool:
    """Pipecat reports every link and task at DEBUG and its start at INFO; a person does not read that."""
    name = record["name"] or ""  # type: ignore[index] - loguru's record is a dict
    return not name.startswith("pipecat") or record["level"].no >= 30  # type: ignore[index]


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
        self._regrets = 0

    def watch(
        self, interruptions: InterruptionHandler, llm: FrameProcessor, tts: FrameProcessor, output: PlayoutOutput
    ) -> None:
        """Begin to watch the nodes that know."""
        self._clock.watch(interruptions, llm, tts, output)
        CallWatch(self._record).watch(interruptions, llm, tts, output)
        interruptions.add_event_handler("on_before_push_frame", self._on_frame)

    def fault(self, fault: str) -> None:
        """Count a fault that a deadline had to repair."""
        self._faults += 1
        self._record.fault(_now(), fault)

    def tokens_used(self, usage: TokenUsage) -> None:
        """Count what a request to the language model cost."""
        for unit in ("prompt_tokens", "cached_tokens", "completion_tokens"):
            self._record.used(Usage("llm", unit, getattr(usage, unit)))

    def spoken_in_vain(self, text: str) -> None:
        """Count what the voice spoke ahead of a reply that was not wanted."""
        for unit in ("characters", "unheard_characters"):
            self._record.used(Usage("tts", unit, len(text)))

    def close(self) -> None:
        """One line about the whole call."""
        for turn in self._open_turns.values():
            self._record.turn_left(_now(), turn)
        self._record.over(_now(), self._call.close_reason or "the pipeline ended")
        logger.info(
            "call {}: over after {} answers; sounds over the voice: {}; regretted: {}; faults repaired: {}",
            self._call.pc_id,
            self._turns,
            self._verdicts or "none",
            self._regrets,
            self._faults,
        )

    def _on_answer(self, times: TurnTimes) -> None:
        self._turns += 1
        answer_ms = times.answer_ms()
        self._open_turns = {times.reply_id: _turn(times)}
        self._record.answered(self._open_turns[times.reply_id])
        if answer_ms is not None:
            self._call.send_message(rtvi.time_to_answer(times.turn_id, answer_ms, times.stages_ms(), times.reply_id))

    def _on_reply_over(self, times: TurnTimes, played: ReplyPlayedFrame) -> None:
        turn = self._open_turns.pop(times.reply_id, None) or _turn(times)
        self._record.turn_over(_now(), turn, cut=played.cut, error=played.error, heard=played.heard)
        stages = " ".join(f"{name}={ms}" for name, ms in times.stages_ms().items())
        end = "cut" if played.cut else "failed: " + played.error if played.error else "played"
        logger.info(
            "turn {} answer_ms={} {} | {!r} -> {!r} ({})",
            times.turn_id,
            times.answer_ms(),
            stages,
            times.text[:TEXT_CHARS],
            played.heard[:TEXT_CHARS],
            end,
        )

    def _on_frame(self, _: FrameProcessor, frame: Frame) -> None:
        if not isinstance(frame, DecisionCardFrame):
            return
        card = frame.card
        if card["regret"] is None:
            verdict = str(card["verdict"])
            self._verdicts[verdict] = self._verdicts.get(verdict, 0) + 1
            logger.info(
                "sound {} {}: {} after {} ms ({}), silence {} ms, words {!r}",
                card["sound_id"],
                card["mode"],
                verdict,
                card["verdict_ms"],
                card["reason"],
                card["silence_ms"],
                str(card["text"])[:TEXT_CHARS],
            )
        elif card["regret"]:
            self._regrets += 1
            logger.info("sound {}: the verdict {} was wrong", card["sound_id"], card["verdict"])


def _turn(times: TurnTimes) -> Turn:
    begin = times.speech_ended if times.speech_ended is not None else times.turn_ended
    return Turn(
        turn_id=times.turn_id,
        reply_id=times.reply_id,
        began=_now() if begin is None else begin,
        text=times.text,
        stages_ms=times.stages_ms(),
        answer_ms=times.answer_ms(),
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
