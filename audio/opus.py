"""Opus by plain calls into libopus: mono, 20 ms, no thread hop, no resampling.

aiortc's own codec encodes 48 kHz stereo at 96 kbit/s in a worker thread, and decodes to 48 kHz stereo in another.
libopus takes 24 kHz mono and gives 16 kHz mono directly, in less time than a thread hop costs, so both ends of a call
run on the event loop. The library is the one inside PyAV's wheel, which aiortc needs anyway, else the system's.

Sources: RFC 6716 (the codec), RFC 7587 (its RTP payload), https://opus-codec.org/docs/opus_api-1.5/ (the calls).
"""

import ctypes
import ctypes.util
import importlib.metadata
from enum import IntEnum
from functools import lru_cache
from typing import Final

MAX_PACKET_BYTES: Final = 1276
"""The longest packet of one frame: 1275 bytes and the TOC byte (RFC 6716 §3.2.1 and R2)."""

STEREO_BIT: Final = 0x04
"""In a packet's first byte: it holds two channels (RFC 6716 section 3.1)."""

MAX_PACKET_MS: Final = 120
"""The longest packet in time (RFC 6716 §3.1 R5)."""

_SET_BITRATE: Final = 4002
_SET_MAX_BANDWIDTH: Final = 4004
_SET_COMPLEXITY: Final = 4010
_SET_INBAND_FEC: Final = 4012
_SET_PACKET_LOSS_PERC: Final = 4014

_WIDEBAND: Final = 1103
_FULLBAND: Final = 1105


class OpusError(RuntimeError):
    """libopus refused: the packet is not Opus, or an argument is out of range."""


class Application(IntEnum):
    """What the encoder optimises for (``OPUS_APPLICATION_*``)."""

    VOIP = 2048
    """Speech at the lowest rates: at 24 kHz and 32 kbit/s the hybrid of SILK and CELT."""

    AUDIO = 2049
    """Faithfulness: at the same rates CELT alone."""


@lru_cache(maxsize=1)
def libopus() -> ctypes.CDLL:
    """The library, loaded and typed.

    Raises:
        OpusError: No libopus was found; the message says what to install.
    """
    lib = ctypes.CDLL(_find_libopus())
    lib.opus_strerror.argtypes, lib.opus_strerror.restype = [ctypes.c_int], ctypes.c_char_p
    lib.opus_encoder_create.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
    lib.opus_encoder_create.restype = ctypes.c_void_p
    lib.opus_encoder_destroy.argtypes, lib.opus_encoder_destroy.restype = [ctypes.c_void_p], None
    lib.opus_encode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int32,
    ]
    # The value is a variadic argument, which some platforms pass differently: ctypes treats what
    # goes beyond argtypes as variadic, so it must not be listed here.
    lib.opus_encoder_ctl.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.opus_decoder_create.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.c_void_p]
    lib.opus_decoder_create.restype = ctypes.c_void_p
    lib.opus_decoder_destroy.argtypes, lib.opus_decoder_destroy.restype = [ctypes.c_void_p], None
    lib.opus_decode.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int32,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    return lib


def _find_libopus() -> str:
    for file in importlib.metadata.files("av") or []:
        if file.name.startswith(("libopus-", "libopus.", "opus-", "opus.")):
            return str(file.locate())
    name = ctypes.util.find_library("opus")
    if name is None:
        raise OpusError("libopus was not found: install PyAV from its wheel, or the package libopus0")
    return name


def _checked(result: int) -> int:
    if result < 0:
        raise OpusError(libopus().opus_strerror(result).decode())
    return result


class OpusEncoder:
    """Mono PCM to Opus packets. What a call's voice is encoded with stands in ``transports/coding.py``.

    Parameters:
        sample_rate_hz: 8000, 12000, 16000, 24000 or 48000.
        bitrate_bps: Mean bits per second, 6000 to 510000.
        complexity: 0 (fast) to 10 (good).
        application: What to optimise for.
    """

    def __init__(
        self,
        *,
        sample_rate_hz: int = 24_000,
        bitrate_bps: int = 32_000,
        complexity: int = 5,
        application: Application = Application.AUDIO,
    ) -> None:
        self._lib = libopus()
        self._encoder: int | None = None
        error = ctypes.c_int(0)
        self._encoder = self._lib.opus_encoder_create(sample_rate_hz, 1, int(application), ctypes.byref(error))
        _checked(error.value)
        self._set(_SET_BITRATE, bitrate_bps)
        self._set(_SET_COMPLEXITY, complexity)
        self._packet = ctypes.create_string_buffer(MAX_PACKET_BYTES)

    def tune(self, *, bitrate_bps: int, fec_loss_percent: int) -> None:
        """Change how it encodes from the next packet on.

        Parameters:
            bitrate_bps: Mean bits per second.
            fec_loss_percent: So many packets are lost: each carries a rough copy of the one before it (in-band FEC),
                which makes it SILK, at up to 8 kHz, which is cheaper than its hybrid with CELT. 0: no copies.
        """
        self._set(_SET_BITRATE, bitrate_bps)
        self._set(_SET_INBAND_FEC, int(fec_loss_percent > 0))
        self._set(_SET_PACKET_LOSS_PERC, fec_loss_percent)
        self._set(_SET_MAX_BANDWIDTH, _WIDEBAND if fec_loss_percent > 0 else _FULLBAND)

    def _set(self, request: int, value: int) -> None:
        _checked(self._lib.opus_encoder_ctl(self._encoder, request, ctypes.c_int(value)))

    def encode(self, pcm: bytes) -> bytes:
        """Encode one packet.

        Parameters:
            pcm: 16-bit mono samples: 2.5, 5, 10, 20, 40 or 60 ms of them.

        Returns:
            The packet.

        Raises:
            OpusError: The number of samples is none of these.
        """
        length = self._lib.opus_encode(self._encoder, pcm, len(pcm) // 2, self._packet, MAX_PACKET_BYTES)
        return bytes(self._packet[: _checked(length)])

    def __del__(self) -> None:
        if self._encoder is not None:
            self._lib.opus_encoder_destroy(self._encoder)


class OpusDecoder:
    """Opus packets, mono or stereo, to PCM at any rate that Opus knows.

    Parameters:
        sample_rate_hz: 8000, 12000, 16000, 24000 or 48000.
        channels: 1: what has two is mixed by libopus, as half the sum; 2: left and right samples in turns.
    """

    def __init__(self, *, sample_rate_hz: int = 16_000, channels: int = 1) -> None:
        self._lib = libopus()
        self._decoder: int | None = None
        error = ctypes.c_int(0)
        self._decoder = self._lib.opus_decoder_create(sample_rate_hz, channels, ctypes.byref(error))
        _checked(error.value)
        self._capacity = sample_rate_hz * MAX_PACKET_MS // 1000
        self._sample_bytes = 2 * channels
        self._pcm = ctypes.create_string_buffer(self._sample_bytes * self._capacity)

    def decode(self, packet: bytes) -> bytes:
        """Decode one packet to 16-bit samples.

        Raises:
            OpusError: The packet is empty or malformed.
        """
        if not packet:
            raise OpusError("empty packet")  # libopus would take it for a lost one
        return self._run(packet, self._capacity, fec=False)

    def conceal(self, samples: int) -> bytes:
        """Invent ``samples`` (a multiple of 2.5 ms) in place of a lost packet."""
        return self._run(None, samples, fec=False)

    def recover(self, following: bytes, samples: int) -> bytes:
        """Restore a lost packet from the one after it, where that carries its copy; else conceal.

        Parameters:
            following: The packet after the lost one; decode it afterwards as usual.
            samples: Length of the lost packet.

        Raises:
            OpusError: ``following`` is malformed.
        """
        return self._run(following, samples, fec=True)

    def _run(self, packet: bytes | None, samples: int, *, fec: bool) -> bytes:
        length = len(packet) if packet else 0
        count = self._lib.opus_decode(self._decoder, packet, length, self._pcm, samples, int(fec))
        return bytes(self._pcm[: self._sample_bytes * _checked(count)])

    def __del__(self) -> None:
        if self._decoder is not None:
            self._lib.opus_decoder_destroy(self._decoder)
