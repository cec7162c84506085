"""What the audio filter costs while nobody speaks over the bot: ``python -m bench.audio_filter``.

The local voice speaks for a while, with the pauses between its sentences. What comes back of it at the microphone is
fed to the filter with the VAD's opinions, which were asked before; so the figure is the filter's alone: thread time in
milliseconds for each second of a call, the median of several runs. The playout's side is counted as well.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from loadtest.echo_room import EchoRoom, EchoSetup
from loadtest.talkers import MONOLOGUE
from processors.audio_filter.echo import EchoGuard, Source
from processors.audio_filter.played import PlayedAudio
from processors.tts import local
from processors.vad.silero import WINDOW_BYTES, SileroStream

BEAT_SECS: Final = 0.02
IN_SAMPLES: Final = round(INPUT_SAMPLE_RATE_HZ * BEAT_SECS)
OUT_BYTES: Final = 2 * round(OUTPUT_SAMPLE_RATE_HZ * BEAT_SECS)
ROOM_RMS: Final = 12.0
PAUSE_SECS: Final = 0.4

SETUPS: Final = (
    None,
    EchoSetup(-50, 100, 0.25),
    EchoSetup(-40, 120, 0.25),
    EchoSetup(-20, 150, 0.25),
    EchoSetup(-10, 250, 0.25),
    EchoSetup(-20, 150, 0.25, loss=0.03),
)
"""Without an echo, as in a call with headphones or a browser that cancels it; and paths that are heard."""


@dataclass(frozen=True)
class Beat:
    """20 ms of a call: what was played, and the windows of the microphone that were complete then."""

    played: bytes
    windows: tuple[tuple[bytes, float], ...]


def call(voice: bytes, setup: EchoSetup | None) -> list[Beat]:
    """A call in which only the bot speaks.

    Args:
        voice: What it says: 24 kHz mono 16-bit PCM.
        setup: The echo's path; None: there is none.
    """
    room = EchoRoom(setup) if setup is not None else None
    silero, rng, pcm = SileroStream(), np.random.default_rng(1), b""
    beats: list[Beat] = []
    for at in range(0, len(voice) - OUT_BYTES, OUT_BYTES):
        played = voice[at : at + OUT_BYTES]
        heard = rng.standard_normal(IN_SAMPLES) * ROOM_RMS
        if room is not None:
            room.play(played)
            heard = heard + room.hear(IN_SAMPLES)
        pcm += np.clip(heard, -32768, 32767).astype(np.int16).tobytes()
        windows = []
        while len(pcm) >= WINDOW_BYTES:
            window, pcm = pcm[:WINDOW_BYTES], pcm[WINDOW_BYTES:]
            windows.append((window, silero.speech_prob(window)))
        beats.append(Beat(played, tuple(windows)))
    return beats


def cost_ms(beats: list[Beat], runs: int) -> tuple[float, int, int]:
    """Milliseconds of CPU for each second of the call; voiced windows, and those that were not taken for echo."""
    costs, voiced, passed = [], 0, 0
    for _ in range(runs):
        played = PlayedAudio()
        guard = EchoGuard(played)
        voiced = passed = 0
        began = time.thread_time()
        for beat in beats:
            played.push(beat.played)
            for window, prob in beat.windows:
                guard.arrive()
                source = guard.judge(window, prob)
                voiced += prob >= 0.5
                passed += prob >= 0.5 and source in (Source.NEAR, Source.UNKNOWN)
        costs.append((time.thread_time() - began) * 1000 / (len(beats) * BEAT_SECS))
    return statistics.median(costs), voiced, passed


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.audio_filter", description="What the audio filter costs.")
    parser.add_argument("--runs", type=int, default=5, help="runs of each call; default: 5")
    options = parser.parse_args()
    pause = bytes(2 * round(PAUSE_SECS * OUTPUT_SAMPLE_RATE_HZ))
    voice = pause.join(local.synthesise(f"{text}.", 1.0) for text in MONOLOGUE.split(". "))
    print(f"{'echo':36} {'voiced windows':>14} {'not echo':>9} {'ms/s':>7}")
    for setup in SETUPS:
        ms, voiced, passed = cost_ms(call(voice, setup), options.runs)
        print(f"{'none' if setup is None else setup!s:36} {voiced:14} {passed:9} {ms:7.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
