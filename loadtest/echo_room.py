"""A caller's loudspeaker, room and microphone: what comes back of the bot's voice. Pure.

The sound of a room is an exponentially decaying noise after a direct sound and some early reflections, band-limited as
small loudspeakers are.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import soxr

from audio.opus import OpusDecoder, OpusEncoder
from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ

PACKET_SAMPLES: Final = INPUT_SAMPLE_RATE_HZ // 50
LOSS_RUN: Final = 0.5
"""How likely another packet is lost after one that was."""


@dataclass(frozen=True)
class EchoSetup:
    """One way from the bot's mouth to the caller's microphone.

    Attributes:
        gain_db: Of the whole path; below 0.
        delay_ms: From the playout to the ear: network, buffers and sound cards together.
        reverb_secs: How long the room takes to fall by 60 dB; 0: no room.
        drift_ppm: How much faster the client's clock runs.
        loss: Share of packets that are lost on their way, each way; above 0 both ways are Opus, which conceals them.
        seed: Of the room and of the losses.
    """

    gain_db: float
    delay_ms: float
    reverb_secs: float = 0.0
    drift_ppm: float = 0.0
    loss: float = 0.0
    seed: int = 1

    def __str__(self) -> str:
        more = [f"room {self.reverb_secs:g} s"] if self.reverb_secs else []
        more += [f"{self.drift_ppm:g} ppm"] if self.drift_ppm else []
        more += [f"{self.loss:.0%} lost"] if self.loss else []
        return ", ".join([f"{self.gain_db:g} dB", f"{self.delay_ms:g} ms", *more])


def impulse_response(reverb_secs: float, seed: int) -> np.ndarray:
    """Of a small loudspeaker in a room, at 16 kHz; its energy is 1."""
    rng = np.random.default_rng(seed)
    length = max(64, round(reverb_secs * INPUT_SAMPLE_RATE_HZ))
    response = np.zeros(length)
    response[0] = 1.0
    if reverb_secs:
        seconds = np.arange(length) / INPUT_SAMPLE_RATE_HZ
        tail = rng.standard_normal(length) * 10 ** (-3 * seconds / reverb_secs)
        tail[: round(0.002 * INPUT_SAMPLE_RATE_HZ)] = 0
        response += tail / np.sqrt(np.sum(tail**2))  # as much sound from the walls as from the loudspeaker itself
    spectrum = np.fft.rfft(response, 2 * length)
    hz = np.fft.rfftfreq(2 * length, 1 / INPUT_SAMPLE_RATE_HZ)
    spectrum *= 1 / (1 + (250 / np.maximum(hz, 1)) ** 4) / (1 + (hz / 6_500) ** 6)
    response = np.fft.irfft(spectrum)[:length]
    return response / np.sqrt(np.sum(response**2))


class _Line:
    """Opus over a network that loses packets; the decoder conceals them."""

    def __init__(self, rate_hz: int) -> None:
        self._encoder = OpusEncoder(sample_rate_hz=rate_hz)
        self._decoder = OpusDecoder(sample_rate_hz=rate_hz)

    def carry(self, pcm: bytes, *, lost: bool) -> bytes:
        packet = self._encoder.encode(pcm)
        return self._decoder.conceal(len(pcm) // 2) if lost else self._decoder.decode(packet)


class EchoRoom:
    """Plays what the bot says, and tells what the microphone hears of it.

    Args:
        setup: The path.
    """

    def __init__(self, setup: EchoSetup) -> None:
        rate = OUTPUT_SAMPLE_RATE_HZ * (1 + setup.drift_ppm * 1e-6)
        self._resampler = soxr.ResampleStream(rate, INPUT_SAMPLE_RATE_HZ, 1, dtype="float32", quality="MQ")
        self._response = impulse_response(setup.reverb_secs, setup.seed) * 10 ** (setup.gain_db / 20)
        self._past = np.zeros(len(self._response) - 1)
        self._coming = np.zeros(round(setup.delay_ms / 1000 * INPUT_SAMPLE_RATE_HZ))
        self._rng = np.random.default_rng(setup.seed)
        self._loss = setup.loss
        self._down = _Line(OUTPUT_SAMPLE_RATE_HZ) if setup.loss else None
        self._up = _Line(INPUT_SAMPLE_RATE_HZ) if setup.loss else None
        self._lost = {"down": False, "up": False}

    def play(self, pcm: bytes) -> None:
        """Take what the bot plays: 24 kHz mono 16-bit PCM."""
        if self._down is not None:
            pcm = self._down.carry(pcm, lost=self._loses("down"))
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        dry = self._resampler.resample_chunk(samples)
        whole = np.concatenate([self._past, dry])
        self._past = whole[len(dry) :]
        size = len(whole) + len(self._response) - 1
        wet = np.fft.irfft(np.fft.rfft(whole, size) * np.fft.rfft(self._response, size), size)
        first = len(self._response) - 1
        self._coming = np.concatenate([self._coming, wet[first : first + len(dry)]])

    def hear(self, samples: int = PACKET_SAMPLES) -> np.ndarray:
        """The next samples at the microphone, 16 kHz, of 16-bit scale."""
        heard, self._coming = self._coming[:samples], self._coming[samples:]
        return np.pad(heard, (0, samples - len(heard)))

    def send(self, samples: np.ndarray) -> bytes:
        """What arrives of 20 ms of the microphone's: 16 kHz mono 16-bit PCM."""
        pcm = np.clip(samples, -32768, 32767).astype(np.int16).tobytes()
        return self._up.carry(pcm, lost=self._loses("up")) if self._up is not None else pcm

    def _loses(self, way: str) -> bool:
        if not self._loss:
            return False
        again = self._lost[way] and self._rng.random() < LOSS_RUN
        self._lost[way] = again or self._rng.random() < self._loss * (1 - LOSS_RUN)
        return self._lost[way]
