"""How the bot's voice sounds at the caller, and what it costs to code: ``python -m bench.voice``.

Sentences of the local voice are coded as for a call, lose packets at random, are decoded at 48 kHz as a browser does it
(a lost packet from its copy where there is one, else concealed), and compared with what was synthesised: PESQ-WB
(ITU-T P.862.2), 1 to 4.6. CPU is the thread's own time for 20 ms of audio: the median of several runs, and its ratio to
the way that is compared with. Needs ``pip install -e '.[quality]'``.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr

from audio.opus import Application, OpusDecoder, OpusEncoder
from contracts.frames import OUTPUT_SAMPLE_RATE_HZ
from processors.tts import local
from transports.coding import CLEAN, COMPLEXITY, FEC, REPEATED, Coding
from transports.voice import PACKET_SAMPLES

SENTENCES: Final = (
    "Your current account holds two thousand three hundred and forty dollars.",
    "Our branches are open from Monday to Friday, from nine in the morning until five in the afternoon.",
    "If you have lost a card, you can block it on this line at any time, and a new one is sent to you.",
)
PACKET_BYTES: Final = 2 * PACKET_SAMPLES
CALLER_RATE_HZ: Final = 48_000
CALLER_SAMPLES: Final = CALLER_RATE_HZ // 50
PESQ_RATE_HZ: Final = 16_000
AROUND_PACKETS: Final = 10
"""Silence around each sentence, in packets."""

CPU_RUNS: Final = 9


@dataclass(frozen=True)
class Way:
    """A way to code the voice.

    Attributes:
        name: For people.
        coding: Bit rate and copies.
        complexity: Of the encoder.
        application: Of the encoder.
    """

    name: str
    coding: Coding
    complexity: int = COMPLEXITY
    application: Application = Application.AUDIO

    def encoder(self) -> OpusEncoder:
        """A fresh encoder."""
        encoder = OpusEncoder(complexity=self.complexity, application=self.application)
        encoder.tune(bitrate_bps=self.coding.bitrate_bps, fec_loss_percent=self.coding.fec_loss_percent)
        return encoder


BEFORE: Final = Way("CELT, 32 kbit/s, complexity 5", Coding("before", 32_000), complexity=5)
"""What all ratios compare with: the coding of the first version."""

USED: Final = (
    Way("clean link", CLEAN),
    Way("lossy link, client takes RED", REPEATED),
    Way("lossy link, client does not", FEC),
)
OTHERS: Final = (
    BEFORE,
    Way("CELT, 48 kbit/s", Coding("", 48_000)),
    Way("CELT, 64 kbit/s", Coding("", 64_000)),
    Way("CELT, 64 kbit/s, complexity 5", Coding("", 64_000), complexity=5),
    Way("CELT, 80 kbit/s", Coding("", 80_000)),
    Way("VOIP, 32 kbit/s", Coding("", 32_000), application=Application.VOIP),
    Way("VOIP, 32 kbit/s, complexity 5", Coding("", 32_000), complexity=5, application=Application.VOIP),
    Way("SILK with FEC, 32 kbit/s", Coding("", 32_000, fec_loss_percent=10)),
    Way("SILK with FEC, 40 kbit/s", Coding("", 40_000, fec_loss_percent=10)),
    Way("SILK with FEC, 64 kbit/s", Coding("", 64_000, fec_loss_percent=10)),
)


@dataclass(frozen=True)
class Quality:
    """What one way costs, and how it sounds.

    Attributes:
        name: The way.
        kbit_per_sec: What goes over the line, without headers.
        cpu_us: For 20 ms, the median of several runs.
        cpu_ratio: To :data:`BEFORE`, in turns with it.
        clean: PESQ-WB without loss: mean and least of the sentences.
        lossy: The same with loss.
    """

    name: str
    kbit_per_sec: float
    cpu_us: float
    cpu_ratio: float
    clean: tuple[float, float]
    lossy: tuple[float, float]


def packets_of(pcm: bytes) -> list[bytes]:
    """A sentence in pieces of 20 ms, with silence around it."""
    around = bytes(AROUND_PACKETS * PACKET_BYTES)
    whole = around + pcm + bytes(-len(pcm) % PACKET_BYTES) + around
    return [whole[at : at + PACKET_BYTES] for at in range(0, len(whole), PACKET_BYTES)]


def heard(packets: Sequence[bytes], lost: Sequence[bool], *, repeats: bool) -> bytes:
    """What a caller hears of packets some of which are lost: 48 kHz 16-bit mono PCM."""
    decoder, pcm = OpusDecoder(sample_rate_hz=CALLER_RATE_HZ), bytearray()
    for index, packet in enumerate(packets):
        next_comes = index + 1 < len(packets) and not lost[index + 1]
        if not lost[index] or (repeats and next_comes):
            pcm += decoder.decode(packet)
        elif next_comes:
            pcm += decoder.recover(packets[index + 1], CALLER_SAMPLES)
        else:
            pcm += decoder.conceal(CALLER_SAMPLES)
    return bytes(pcm)


def pesq_wb(reference: bytes, degraded: bytes) -> float:
    """PESQ-WB of what was heard (48 kHz) against what was said (24 kHz)."""
    from pesq import pesq  # pyright: ignore[reportMissingImports]  # an extra

    said = soxr.resample(np.frombuffer(reference, np.int16), OUTPUT_SAMPLE_RATE_HZ, PESQ_RATE_HZ)
    got = soxr.resample(np.frombuffer(degraded, np.int16), CALLER_RATE_HZ, PESQ_RATE_HZ)
    return float(pesq(PESQ_RATE_HZ, said, got, "wb"))


def measured(way: Way, voices: Sequence[bytes], *, loss: float, draws: int) -> Quality:
    """Measure one way.

    Args:
        way: The way.
        voices: Sentences: 24 kHz 16-bit mono PCM.
        loss: The share of lost packets, each by itself.
        draws: So often each sentence loses others.
    """
    repeats = way.coding.repeats
    clean, lossy, total = [], [], 0
    count = 0
    for pcm in voices:
        pieces = packets_of(pcm)
        encoder = way.encoder()
        packets = [encoder.encode(piece) for piece in pieces]
        total += sum(map(len, packets)) * (2 if repeats else 1)
        count += len(packets)
        said = b"".join(pieces)
        clean.append(pesq_wb(said, heard(packets, [False] * len(packets), repeats=repeats)))
        for draw in range(draws):
            chance = random.Random(draw)
            lost = [chance.random() < loss for _ in packets]
            lossy.append(pesq_wb(said, heard(packets, lost, repeats=repeats)))
    own, before = cpu_us(way, voices), cpu_us(BEFORE, voices)
    return Quality(
        way.name,
        8 * 50 * total / count / 1000,
        own,
        own / before,
        (statistics.mean(clean), min(clean)),
        (statistics.mean(lossy), min(lossy)),
    )


def cpu_us(way: Way, voices: Sequence[bytes]) -> float:
    """Microseconds of CPU for 20 ms, the median of several runs."""
    pieces = [piece for pcm in voices for piece in packets_of(pcm)]
    runs = []
    for _ in range(CPU_RUNS):
        encoder = way.encoder()
        started = time.thread_time()
        for piece in pieces:
            encoder.encode(piece)
        runs.append((time.thread_time() - started) / len(pieces) * 1e6)
    return statistics.median(runs)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.voice", description="How the voice sounds, and what it costs to code."
    )
    parser.add_argument("--loss", type=float, default=0.05, help="share of lost packets (0.05)")
    parser.add_argument("--draws", type=int, default=8, help="how often each sentence loses other packets (8)")
    parser.add_argument("--all", action="store_true", help="also the ways that are not used")
    options = parser.parse_args()
    try:
        import pesq  # noqa: F401  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        print("error: PESQ is missing: pip install -e '.[quality]'", file=sys.stderr)
        return 2
    voices = [local.synthesise(text, 1.0) for text in SENTENCES]
    print(f"{'':34} kbit/s  CPU us  ratio   clean: mean  least   {options.loss:.0%} loss: mean  least")
    for way in (*USED, *(OTHERS if options.all else (BEFORE,))):
        one = measured(way, voices, loss=options.loss, draws=options.draws)
        print(
            f"{one.name:34} {one.kbit_per_sec:6.1f}  {one.cpu_us:6.1f}  {one.cpu_ratio:5.2f}  "
            f"{one.clean[0]:11.2f} {one.clean[1]:6.2f}  {one.lossy[0]:13.2f} {one.lossy[1]:6.2f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
