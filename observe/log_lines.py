"""The process's log: one line for each message, for people or as JSON, with nothing in it that should not be kept.

Whatever writes to it, our own modules, Pipecat, or a library through Python's ``logging``, passes here. Keys are hidden
(:mod:`contracts.secrets`), numbers of cards and the like are replaced (:mod:`observe.redaction`), control characters
are made visible, so that nobody outside forges a line or drives a terminal, and the length is bounded. Of an exception
the log tells its kind and where it came from; its message, which may quote a vendor or a caller, only if transcripts
are kept in full.
"""

import json
import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from aiohttp.http_exceptions import HttpProcessingError
from loguru import logger

from contracts.modes import Transcripts
from contracts.secrets import scrub
from observe.redaction import redact

if TYPE_CHECKING:
    from loguru import Message, Record

MAX_CHARS: Final = 1_000
"""Longest message."""

MAX_FRAMES: Final = 30
"""Places of an exception that are told, from where it was raised."""

_WARNING: Final = logging.WARNING


def clean(text: str, transcripts: Transcripts = Transcripts.REDACTED) -> str:
    """A text as the log may hold it: one line, no control characters, no secrets, not too long."""
    text = scrub(text[: 4 * MAX_CHARS])
    if transcripts is not Transcripts.FULL:
        text = redact(text, strict=True)
    text = "".join(char if char.isprintable() else _visible(char) for char in text)
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _visible(char: str) -> str:
    code = ord(char)
    return {"\n": "\\n", "\r": "\\r", "\t": " "}.get(char) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def exception_lines(error: BaseException, transcripts: Transcripts = Transcripts.REDACTED) -> list[str]:
    """What the log tells of an exception, and of those that caused it."""
    lines: list[str] = []
    seen: set[int] = set()
    chain: BaseException | None = error
    while chain is not None and id(chain) not in seen:
        seen.add(id(chain))
        frames = traceback.extract_tb(chain.__traceback__)[-MAX_FRAMES:]
        lines += [f"at {_short(frame.filename)}:{frame.lineno} in {frame.name}" for frame in frames]
        name = f"{type(chain).__module__}.{type(chain).__qualname__}".removeprefix("builtins.")
        why = str(chain) if transcripts is Transcripts.FULL else _fixed_words(chain)
        lines.append(clean(f"{name}: {why}" if why else name, transcripts))
        cause = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
        if cause is not None:
            lines.append("caused by")
        chain = cause
    return lines


def _fixed_words(error: BaseException) -> str:
    """The operating system's own words, which quote nobody."""
    return error.strerror or "" if isinstance(error, OSError) and isinstance(error.strerror, str) else ""


def _short(file_name: str) -> str:
    """Where a module is, without where this machine has it."""
    parts = Path(file_name).parts
    if "site-packages" in parts:
        return "/".join(parts[parts.index("site-packages") + 1 :])
    return "/".join(parts[-3:])


class _FromLogging(logging.Handler):
    """Passes on what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
            return  # a stranger's bad request, which has got its answer
        frame: FrameType | None = logging.currentframe()
        depth = 0
        while frame is not None and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame, depth = frame.f_back, depth + 1
        level = record.levelname if record.levelname in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL") else "INFO"
        logger.opt(depth=depth, exception=record.exc_info).log(level, "{}", record.getMessage())


def _not_chatter(record: "Record") -> bool:
    """Pipecat reports every link and task at DEBUG and its start at INFO; a person does not read that."""
    name = record["name"] or ""
    return not name.startswith("pipecat") or record["level"].no >= _WARNING


def log_to_terminal(
    level: str,
    *,
    as_json: bool,
    worker: int | None = None,
    transcripts: Transcripts = Transcripts.REDACTED,
    write: Callable[[str], Any] | None = None,
) -> None:
    """Send the log to stderr: for people by default, as JSON lines for machines.

    Args:
        level: The least that is told.
        as_json: For machines.
        worker: The process's number among several.
        transcripts: What is kept of what people say.
        write: Takes the lines in the place of stderr.
    """
    out = write or (lambda line: (sys.stderr.write(line), sys.stderr.flush()))

    def patch(record: "Record") -> None:
        record["message"] = clean(record["message"], transcripts)

    def sink(message: "Message") -> None:
        out((_as_json if as_json else _as_text)(message.record, transcripts))

    logger.remove()
    logger.configure(extra={} if worker is None else {"worker": worker}, patcher=patch)
    # diagnose would print the values of variables; backtrace is made in exception_lines.
    logger.add(
        sink,
        level=level,
        format=lambda _: "",
        filter=None if as_json else _not_chatter,
        diagnose=False,
        backtrace=False,
        catch=True,
    )
    logging.basicConfig(handlers=[_FromLogging()], level=_WARNING, force=True)


def _as_text(record: "Record", transcripts: Transcripts) -> str:
    number = record["extra"].get("worker")
    parts = [f"{record['time']:HH:mm:ss.SSS}", f"{record['level'].name: <7}"]
    parts += [str(number)] if number is not None else []
    lines = [" ".join([*parts, record["message"]])]
    lines += [f"    | {line}" for line in _told(record, transcripts)]
    return "".join(f"{line}\n" for line in lines)


def _as_json(record: "Record", transcripts: Transcripts) -> str:
    """As loguru serialises: the line's text, and its parts."""
    parts = {
        "time": {"repr": record["time"].isoformat(), "timestamp": record["time"].timestamp()},
        "level": {"name": record["level"].name, "no": record["level"].no},
        "message": record["message"],
        "name": record["name"],
        "function": record["function"],
        "line": record["line"],
        "extra": record["extra"],
        "exception": _told(record, transcripts) or None,
    }
    return json.dumps({"text": _as_text(record, transcripts), "record": parts}, default=str) + "\n"


def _told(record: "Record", transcripts: Transcripts) -> list[str]:
    exception = record["exception"]
    if exception is None or exception.value is None:
        return []
    return exception_lines(exception.value, transcripts)
