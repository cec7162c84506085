"""Audio as vendors send it, made into the PCM that is played: rates, odd bytes, WAV, MP3. Pure but for the codecs."""

import io
import struct
from typing import Final

import av
import av.error
import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

_WAVE_PCM: Final = 1
_WAVE_EXTENSIBLE: Final = 0xFFFE


class AudioFormatError(ValueError):
    """The bytes are not the audio that they should be."""


def mean_square(pcm: bytes) -> float:
    """Mean of the squared samples of 16-bit PCM; 0 of none."""
    samples = np.frombuffer(pcm, np.int16).astype(np.float32)
    return float(np.dot(samples, samples)) / max(len(samples), 1)


class Resampler:
    """Mono 16-bit PCM of one rate to another, as a stream.

    Chunks may end anywhere, also in the middle of a sample. At equal rates bytes pass as they are.

    Parameters:
        from_hz: Rate of what is pushed.
        to_hz: Rate of what comes out.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise AudioFormatError(f"no sample rate: {from_hz} Hz to {to_hz} Hz")
        same = from_hz == to_hz
        self._stream = None if same else soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="HQ")
        self._odd = b""

    def push(self, pcm: bytes) -> bytes:
        """Take a chunk; returns the audio that is ready."""
        data = self._odd + pcm
        whole = len(data) - len(data) % 2
        self._odd = data[whole:]
        return self._resampled(data[:whole], last=False)

    def flush(self) -> bytes:
        """The stream is over: returns the rest. Half a sample at the end is dropped."""
        self._odd = b""
        return self._resampled(b"", last=True)

    def _resampled(self, pcm: bytes, *, last: bool) -> bytes:
        if self._stream is None:
            return pcm
        if not pcm and not last:
            return b""
        return self._stream.resample_chunk(np.frombuffer(pcm, np.int16), last=last).tobytes()


def parse_wav(data: bytes) -> tuple[bytes, int]:
    """The PCM of a 16-bit WAV file, mixed to mono, and its rate in Hz.

    Streamed files whose header was written before their length was known (sizes of 0 or 0xFFFFFFFF) are read to their
    end, and so are files that were cut short.

    Raises:
        AudioFormatError: It is no WAV file, or not of 16-bit PCM.
    """
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise AudioFormatError("not a WAV file")
    at = 12
    rate_hz = channels = 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt " and at + 16 <= len(data):
            kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if kind not in (_WAVE_PCM, _WAVE_EXTENSIBLE) or bits != 16 or not channels or not rate_hz:
                raise AudioFormatError(f"a WAV file of format {kind}, {bits} bits; only 16-bit PCM is read")
        elif name == b"data":
            if not rate_hz:
                raise AudioFormatError("a WAV file without a format")
            end = at + size if size not in (0, 0xFFFF_FFFF) else len(data)
            return _mono(data[at : min(end, len(data))], channels), rate_hz
        at += size + size % 2
    raise AudioFormatError("a WAV file without audio")


def _mono(pcm: bytes, channels: int) -> bytes:
    pcm = pcm[: len(pcm) - len(pcm) % (2 * channels)]
    if channels == 1:
        return pcm
    samples = np.frombuffer(pcm, np.int16).reshape(-1, channels)
    return samples.mean(axis=1).round().astype(np.int16).tobytes()


def decode_mp3(data: bytes, to_hz: int) -> bytes:
    """Mono 16-bit PCM of an MP3 file, at ``to_hz``. Blocks for as long as decoding takes.

    Raises:
        AudioFormatError: It cannot be decoded, or holds no audio.
    """
    resampler = av.AudioResampler(format="s16", layout="mono", rate=to_hz)
    pcm: list[bytes] = []
    try:
        with av.open(io.BytesIO(data), mode="r", format="mp3") as container:
            for frame in container.decode(audio=0):
                pcm += [out.to_ndarray().tobytes() for out in resampler.resample(frame)]
        pcm += [out.to_ndarray().tobytes() for out in resampler.resample(None)]
    except (av.error.FFmpegError, IndexError) as error:
        raise AudioFormatError(f"not an MP3 file ({type(error).__name__})") from error
    joined = b"".join(pcm)
    if not joined:
        raise AudioFormatError("an MP3 file without audio")
    return joined
