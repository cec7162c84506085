"""Writes a recorded call as a test: its inputs without the person, and what came of it as plain expectations."""

import re
from collections.abc import Iterator
from pathlib import Path
from pprint import pformat
from typing import Any, Final

from recording.container import Contents, Packer, RecordError, packed
from recording.writer import SUFFIX
from replay.anonymous import without_person
from replay.play import play
from replay.record import Record, Trace, load, sort, trace_of

_TEST: Final = '''"""A recorded call, played to the pipeline again in virtual time; nobody can be known by it.

Written by ``python bot.py replay FILE --as-test``; its inputs are in the file beside it. Change what the call should
have been, and then the bot.
"""

from pathlib import Path

from replay.as_test import outcome

EXPECTED = {expected}


def test_the_call_goes_as_it_should():
    assert outcome(Path(__file__).with_suffix("{suffix}")) == EXPECTED
'''


def outcome(path: Path) -> dict[str, Any]:
    """What comes of a record, in plain values; times are milliseconds since the call began."""
    record = load(path)
    return _outcome(play(record), record.began)


def _outcome(trace: Trace, began: float) -> dict[str, Any]:
    states: list[tuple[int, str]] = []
    verdicts: dict[int, str] = {}
    heard: list[tuple[str, bool]] = []
    for at, message in trace.sent:
        data = message.get("data") or {}
        match data.get("type"):
            case "turn-state":
                states.append((round(1000 * (at - began)), data["state"]))
            case "interruption-decision":
                verdicts[data["decision"]["sound_id"]] = data["decision"]["verdict"]
            case "reply-played":
                heard.append((data["heard"], data["cut"]))
            case _:
                pass
    return {
        "states": states,
        "verdicts": sorted(verdicts.items()),
        "heard": heard,
        "played_ms": sum(20 for _, _, checksum in trace.pulls if checksum),
    }


def write_test(record: Record, path: Path) -> Iterator[str]:
    """Write the test, and its inputs beside it.

    Args:
        record: The call.
        path: The test's file; its name begins with ``test_``.

    Yields:
        What there is to say about it.

    Raises:
        RecordError: The file's name is none of a test's, or it cannot be written.
    """
    if not re.fullmatch(r"test_\w+\.py", path.name):
        raise RecordError(f"{path.name}: a test's file is named test_SOMETHING.py")
    entries = list(without_person(record))
    found = sort(Contents(entries, {}))
    expected = _outcome(play(found), found.began)
    packer = Packer()
    data = packer.head() + packer.block(b"".join(packed(*entry) for entry in entries), compress=True) + packer.last()
    text = _TEST.format(expected=pformat(expected, width=110, sort_dicts=False), suffix=SUFFIX)
    inputs = path.with_suffix(SUFFIX)
    try:
        inputs.write_bytes(data)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordError(f"{error.filename}: {error.strerror}") from None
    yield f"{path} and {inputs} are written"
    was = _outcome(trace_of(record), record.began)
    names = [[state for _, state in each["states"]] for each in (was, expected)]
    parts = ["states"] if names[0] != names[1] else []
    parts += ["verdicts"] if was["verdicts"] != expected["verdicts"] else []
    if parts:
        yield f"without the person the call has other {' and '.join(parts)}: read the test before you trust it"
    else:
        apart = (abs(one[0] - other[0]) for one, other in zip(was["states"], expected["states"], strict=True))
        ms = max(apart, default=0)
        yield f"without the person the call has the same states and verdicts; times differ by {ms} ms"
    yield "read these words before you give the test away; they are what is left of the call:"
    for at, words in found.words:
        yield f"  caller at {at - found.began:.1f} s: {words}"
    for reply, _ in expected["heard"]:
        yield f"  bot: {reply}"
