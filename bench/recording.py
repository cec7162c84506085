"""What recording costs: ``python -m bench.recording``. CPU of all threads for each second of calls, of one core.

Calls tell their records what real ones do (50 packets and 50 beats a second, 31 speech probabilities, the bot's audio
half of the time, words), as fast as the machine takes it; what that takes is what it would take spread over the time.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from audio.rtp import AudioPacket
from contracts.tts import VoiceChunk
from recording.recorder import CallRecorder
from recording.writer import RecordWriter

PACKET_BYTES: Final = 80
"""Of Opus at 32 kbit/s."""

PULL_BYTES: Final = 960
BEATS_PER_SEC: Final = 50
WINDOWS_PER_SEC: Final = 31
MESSAGES_PER_SEC: Final = 5


class _NoRecorder:
    """Takes what calls tell, and does nothing: what the telling itself costs."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        setattr(self, name, _nothing)
        return _nothing


def _nothing(*_: Any, **__: Any) -> None:
    pass


def core_share(calls: int, secs: int, key: bytes, folder: Path) -> float:
    """The share of a core (0 to 1) that recording takes at so many calls, less what it takes to tell nobody.

    Args:
        calls: Calls at once.
        secs: How long they are, in call time.
        key: Of the records; empty: they are not encrypted.
        folder: Where they are written.
    """
    writer = RecordWriter(folder, key, queue_bytes=1 << 40)
    files = [writer.open(f"call{number}") for number in range(calls)]
    recorders = [CallRecorder(file, time.monotonic, audio=True) for file in files]
    baseline = _cpu_secs([_NoRecorder() for _ in range(calls)], secs)
    began = time.process_time()
    _cpu_secs(recorders, secs)
    for recorder in recorders:
        recorder.done()
    writer.close()
    return (time.process_time() - began - baseline) / secs


def _cpu_secs(recorders: Sequence[Any], secs: int) -> float:
    """Tell recorders so much, and say what this thread took for it."""
    payload, sound, frame = os.urandom(PACKET_BYTES), os.urandom(PULL_BYTES), os.urandom(640)
    message = {"type": "server-message", "data": {"type": "word-heard", "reply_id": 1, "text": "account "}}
    silence, packet = bytes(PULL_BYTES), AudioPacket(1, 1, 960, payload)
    chunk = VoiceChunk(sound * 10, 24_000)
    began = time.thread_time()
    for second in range(secs):
        for recorder in recorders:
            speaks = second % 2 == 0
            for _ in range(BEATS_PER_SEC):
                recorder.heard(frame, directly=True)
                recorder.packet(1, packet, 1)
                recorder.pulled(sound if speaks else silence)
            for _ in range(WINDOWS_PER_SEC):
                recorder.speech_prob(0.5)
            for _ in range(MESSAGES_PER_SEC):
                recorder.sent(message)
            for _ in range(BEATS_PER_SEC // 10 if speaks else 0):
                recorder.tts_chunk(1, chunk)
    return time.thread_time() - began


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.recording", description=__doc__)
    parser.add_argument("--calls", type=int, default=60, help="default: 60")
    parser.add_argument("--secs", type=int, default=10, help="of call time; default: 10")
    options = parser.parse_args()
    for name, key in (("plain", b""), ("encrypted", bytes(range(32)))):
        with tempfile.TemporaryDirectory() as folder:
            share = core_share(options.calls, options.secs, key, Path(folder))
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
        rate = size / options.secs / options.calls / 1000
        print(f"{name}: {100 * share:.1f} % of a core at {options.calls} calls, {rate:.0f} kB a second and call")
    return 0


if __name__ == "__main__":
    sys.exit(main())
