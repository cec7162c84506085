"""Sound on a telephone line: G.711 at 8 kHz, or linear PCM, and the rates of the pipeline. Pure.

The rates are changed with short filters of our own: a stream of soxr's holds back 20 to 150 ms of speech, which no
caller could use; these delay by 1.5 ms, and give exactly as much as they get.
"""

import audioop
from enum import Enum
from math import gcd
from typing import Final

import numpy as np

from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ
from transports.receive import FRAME_BYTES

DELAY_SECS: Final = 0.0015
"""What a change of rates delays the sound by."""

TRANSITION_HZ: Final = 1_200
"""How wide the filters' slope is; its middle lies below half of the lower rate, so that what folds back is out of the
band of speech."""

_BETA: Final = 5.65
"""Kaiser's window for 60 dB (Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.6)."""


class Encoding(Enum):
    """How a line carries sound; the values are MIME types."""

    MULAW = "audio/x-mulaw;rate=8000"
    ALAW = "audio/x-alaw;rate=8000"
    L16_8 = "audio/x-l16;rate=8000"
    L16_16 = "audio/x-l16;rate=16000"

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return 16_000 if self is Encoding.L16_16 else 8_000

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 1 if self in (Encoding.MULAW, Encoding.ALAW) else 2

    def encode(self, pcm: bytes) -> bytes:
        """16-bit PCM of the line's rate as the line carries it."""
        match self:
            case Encoding.MULAW:
                return audioop.lin2ulaw(pcm, 2)
            case Encoding.ALAW:
                return audioop.lin2alaw(pcm, 2)
            case _:
                return pcm

    def decode(self, payload: bytes) -> bytes:
        """What the line carried as 16-bit PCM; half a sample at the end is dropped."""
        match self:
            case Encoding.MULAW:
                return audioop.ulaw2lin(payload, 2)
            case Encoding.ALAW:
                return audioop.alaw2lin(payload, 2)
            case _:
                return payload[: len(payload) - len(payload) % 2]


class RateConverter:
    """16-bit PCM of one rate to another, block by block, without holding any back.

    Args:
        from_hz: Rate of what is pushed; a block holds a whole number of the converter's steps, as 10 ms always do, or
            the rest waits for the next one.
        to_hz: Rate of what comes out.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        taps = 1 + 2 * round(DELAY_SECS * from_hz * self._up)
        middle_hz = min(from_hz, to_hz) / 2 - TRANSITION_HZ / 3
        at = (np.arange(taps) - taps // 2) * (2 * middle_hz / (from_hz * self._up))
        response = np.sinc(at) * np.kaiser(taps, _BETA)
        response *= self._up / response.sum()
        length = -(-taps // self._up)
        padded = np.zeros(length * self._up, np.float32)
        padded[:taps] = response
        self._phases = [padded[phase :: self._up][::-1].copy() for phase in range(self._up)]
        self._length = length
        self.reset()

    def reset(self) -> None:
        """Begin anew, after silence."""
        self._before = np.zeros(self._length - 1, np.float32)
        self._waiting = b""

    def push(self, pcm: bytes) -> bytes:
        """Take 16-bit PCM; returns what is ready, which is all of it for blocks of 10 ms."""
        if self._up == self._down:
            return pcm
        pcm = self._waiting + pcm
        step = 2 * self._down
        whole = len(pcm) - len(pcm) % step
        self._waiting = pcm[whole:]
        if not whole:
            return b""
        samples = np.concatenate([self._before, np.frombuffer(pcm[:whole], np.int16).astype(np.float32)])
        self._before = samples[len(samples) - self._length + 1 :]
        windows = np.lib.stride_tricks.sliding_window_view(samples, self._length)
        out = np.empty(whole // step * self._up, np.float32)
        for index in range(self._up):
            out[index :: self._up] = windows[index * self._down // self._up :: self._down] @ self._phase_of(index)
        return np.clip(np.rint(out), -32_768, 32_767).astype(np.int16).tobytes()

    def _phase_of(self, index: int) -> np.ndarray:
        return self._phases[index * self._down % self._up]


class Hearing:
    """The caller's sound from the line: frames of 20 ms of 16 kHz mono 16-bit PCM.

    Args:
        encoding: How the line carries it.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._rates = RateConverter(encoding.rate_hz, INPUT_SAMPLE_RATE_HZ)
        self._pcm = bytearray()

    def push(self, payload: bytes) -> list[bytes]:
        """Take what the line carried, of any length; returns the frames that are complete now."""
        self._pcm += self._rates.push(self._encoding.decode(payload))
        count = len(self._pcm) // FRAME_BYTES
        frames = [bytes(self._pcm[at * FRAME_BYTES : (at + 1) * FRAME_BYTES]) for at in range(count)]
        del self._pcm[: count * FRAME_BYTES]
        return frames

    def secs(self, payload: bytes) -> float:
        """How long a payload lasts."""
        return len(payload) / (self._encoding.sample_bytes * self._encoding.rate_hz)


class Speaking:
    """The bot's voice for the line.

    Args:
        encoding: How the line carries it.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._rates = RateConverter(OUTPUT_SAMPLE_RATE_HZ, encoding.rate_hz)

    def push(self, pcm: bytes) -> bytes:
        """Take 20 ms of 24 kHz mono 16-bit PCM; returns the line's payload of the same length."""
        return self._encoding.encode(self._rates.push(pcm))

    def rest(self) -> None:
        """Silence follows, which is not sent."""
        self._rates.reset()
