"""What a call leaves in the log: one line per turn with its stage times, one per decision, one at its end."""

import sys

from loguru import logger
from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameProcessor

from processors.frames import DecisionCardFrame, ReplyPlayedFrame
from processors.turn_clock import TurnClock, TurnTimes
from transports import rtvi
from transports.call import Call

TEXT_CHARS = 80
"""Longest text in a log line."""


def log_to_terminal(level: str, *, as_json: bool) -> None:
    """Send the log to stderr: for people by default, as JSON lines for machines."""
    logger.remove()
    if as_json:
        logger.add(sys.stderr, level=level, serialize=True)
    else:
        line = "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <7}</level> {message}"
        logger.add(sys.stderr, level=level, format=line, filter=_not_chatter)


def _not_chatter(record: object) -> bool:
    """Pipecat reports every link and task at DEBUG and its start at INFO; a person does not read that."""
    name = record["name"] or ""  # type: ignore[index] - loguru's record is a dict
    return not name.startswith("pipecat") or record["level"].no >= 30  # type: ignore[index]


class CallLog:
    """The log of one call; also tells the client how long each answer took.

    Args:
        call: The call; messages to the client go over its data channel.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._clock = TurnClock(self._on_answer, self._on_reply_over)
        self._turns = 0
        self._faults = 0
        self._verdicts: dict[str, int] = {}
        self._regrets = 0

    def watch(
        self, interruptions: FrameProcessor, llm: FrameProcessor, tts: FrameProcessor, output: FrameProcessor
    ) -> None:
        """Begin to watch the nodes that know."""
        self._clock.watch(interruptions, llm, tts, output)
        interruptions.add_event_handler("on_before_push_frame", self._on_frame)

    def fault(self, fault: str) -> None:
        """Count a fault that a deadline had to repair."""
        self._faults += 1

    def close(self) -> None:
        """One line about the whole call."""
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
        if answer_ms is not None:
            self._call.send_message(rtvi.time_to_answer(times.turn_id, answer_ms, times.stages_ms(), times.reply_id))

    def _on_reply_over(self, times: TurnTimes, played: ReplyPlayedFrame) -> None:
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
