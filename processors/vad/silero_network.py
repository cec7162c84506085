"""The network of Silero VAD in NumPy: for many windows at once, in a third of the time that onnxruntime takes.

The published graph cuts and joins its weights anew in each run, which costs more than the arithmetic. Here they are
laid out once; the arithmetic is the same, in the same precision: a short-time Fourier transform, four convolutions, an
LSTM cell (Hochreiter and Schmidhuber 1997) and a sigmoid. See https://github.com/snakers4/silero-vad (MIT).
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from processors.models.files import SILERO_VAD, model_path

CONTEXT_SAMPLES: Final = 64
"""Of the window before, which the network hears again."""

INPUT_SAMPLES: Final = CONTEXT_SAMPLES + 512
STATE_SIZE: Final = 128

_FRAME: Final = 256
_HOP: Final = 128
_FRAMES: Final = 4
_BINS: Final = _FRAME // 2 + 1
_PADDED: Final = _FRAME + (_FRAMES - 1) * _HOP
_FLOAT_BYTES: Final = 4

Array = np.ndarray


class SileroNetwork:
    """The network for 16 kHz, with its weights.

    Raises:
        ModelError: The model is not installed.
    """

    def __init__(self) -> None:
        weights = _weights()

        def convolution(layer: int, first_tap: int = 0, taps: int = 3) -> tuple[Array, Array]:
            """Weights as one matrix, from (tap, channel in) to channel out; and the bias."""
            name = f"encoder.{layer}.reparam_conv"
            kernel = weights[f"{name}.weight"].transpose(2, 1, 0)[first_tap : first_tap + taps]
            return np.ascontiguousarray(kernel.reshape(-1, kernel.shape[2])), weights[f"{name}.bias"]

        self._fourier = np.ascontiguousarray(weights["stft.forward_basis_buffer"][:, 0].T)
        self._layers = (
            convolution(0),
            convolution(1),
            convolution(2, first_tap=1, taps=2),  # of two frames, so that the first tap meets only padding
            convolution(3, first_tap=1, taps=1),  # of one
        )
        cell = np.concatenate([weights["decoder.rnn.weight_ih"], weights["decoder.rnn.weight_hh"]], axis=1)
        self._cell = np.ascontiguousarray(cell.T)
        self._cell_bias = weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"]
        self._last = weights["decoder.decoder.2.weight"][0, :, 0]
        self._last_bias = weights["decoder.decoder.2.bias"]

    def run(self, heard: Array, state: Array) -> tuple[Array, Array]:
        """Judge one window of each of some streams.

        Parameters:
            heard: float32 of shape (streams, 576): the end of the window before and the window, of full scale 1.
            state: float32 of shape (2, streams, 128): the streams' memories, zeros at first.

        Returns:
            Probabilities of speech, of shape (streams,), and the memories from now on.
        """
        features = self._encode(self._magnitudes(heard))
        gates = np.concatenate([features, state[0]], axis=1) @ self._cell
        gates += self._cell_bias
        take, keep, show = (_sigmoid(gates[:, at : at + STATE_SIZE]) for at in (0, STATE_SIZE, 3 * STATE_SIZE))
        after = np.empty_like(state)
        np.add(keep * state[1], take * np.tanh(gates[:, 2 * STATE_SIZE : 3 * STATE_SIZE]), out=after[1])
        np.multiply(show, np.tanh(after[1]), out=after[0])
        return _sigmoid(np.maximum(after[0], 0) @ self._last + self._last_bias), after

    def _magnitudes(self, heard: Array) -> Array:
        """The spectrum of four frames, with a frame of zeros before and after them."""
        count = len(heard)
        padded = np.empty((count, _PADDED), np.float32)
        padded[:, :INPUT_SAMPLES] = heard
        padded[:, INPUT_SAMPLES:] = heard[:, -2 : -2 - (_PADDED - INPUT_SAMPLES) : -1]  # mirrored
        spectrum = _frames(padded, _FRAMES, _FRAME, _HOP) @ self._fourier
        spectrum *= spectrum
        found = np.zeros((count, _FRAMES + 2, _BINS), np.float32)
        inner = found[:, 1:-1]
        power = spectrum.reshape(count, _FRAMES, 2 * _BINS)
        np.add(power[:, :, :_BINS], power[:, :, _BINS:], out=inner)
        np.sqrt(inner, out=inner)
        return found

    def _encode(self, magnitudes: Array) -> Array:
        count = len(magnitudes)
        first = np.zeros((count, _FRAMES + 1, 128), np.float32)  # one of zeros before
        found = self._layer(0, _frames(magnitudes, _FRAMES, 3 * _BINS, _BINS))
        first[:, 1:] = found.reshape(count, _FRAMES, 128)
        found = self._layer(1, _frames(first, _FRAMES // 2, 3 * 128, 2 * 128))
        found = self._layer(2, found.reshape(count, -1))
        return self._layer(3, found)

    def _layer(self, number: int, frames: Array) -> Array:
        matrix, bias = self._layers[number]
        found = frames @ matrix
        found += bias
        return np.maximum(found, 0, out=found)


def _frames(rows: Array, frames: int, length: int, hop: int) -> Array:
    """Overlapping stretches of each row, one below the other."""
    strides = (rows.strides[0], hop * _FLOAT_BYTES, _FLOAT_BYTES)
    return np.ndarray((len(rows), frames, length), np.float32, rows, strides=strides).reshape(-1, length)


def _sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


@cache
def network() -> SileroNetwork:
    """The process's one network; the first call loads it, which takes some milliseconds.

    Raises:
        ModelError: The model is not installed.
    """
    return SileroNetwork()


# --- weights ---------------------------------------------------------------------------------------------------------

_FLOAT: Final = 1
_BRANCH_16_KHZ: Final = "then_branch"
"""The graph asks whether the rate is 16 kHz, and has a network for either answer."""


def _weights() -> dict[str, Array]:
    return dict(_constants(model_path(SILERO_VAD).read_bytes()))


def _constants(model: bytes) -> Iterator[tuple[str, Array]]:
    """Float constants of the branch for 16 kHz, by name.

    An ONNX file is a protocol buffer (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3): ModelProto.graph is
    field 7; GraphProto.node 1; NodeProto.output 2, op_type 4, attribute 5; AttributeProto.t 5, g 6; TensorProto.dims 1,
    data_type 2, name 8, raw_data 9.
    """
    for graph in _values(model, 7):
        yield from _constants_of_graph(graph)


def _constants_of_graph(graph: bytes) -> Iterator[tuple[str, Array]]:
    for node in _values(graph, 1):
        outputs = b"".join(_values(node, 2)).decode()
        for attribute in _values(node, 5):
            for inner in _values(attribute, 6):
                yield from _constants_of_graph(inner)
            if b"Constant" in _values(node, 4) and _BRANCH_16_KHZ in outputs:
                for tensor in _values(attribute, 5):
                    if _values(tensor, 2) == [_FLOAT] and _values(tensor, 8):
                        (name,), (raw,) = _values(tensor, 8), _values(tensor, 9)
                        yield name.decode(), np.frombuffer(raw, np.float32).reshape(_values(tensor, 1))


def _values(message: bytes, field: int) -> list[Any]:
    """Values of a field of a protocol buffer: integers, or bytes of what is longer."""
    found: list[Any] = []
    at = 0
    while at < len(message):
        key, at = _integer(message, at)
        match key & 7:
            case 0:
                value, at = _integer(message, at)
            case 2:
                length, at = _integer(message, at)
                value, at = message[at : at + length], at + length
            case kind:
                length = {1: 8, 5: 4}[kind]
                value, at = message[at : at + length], at + length
        if key >> 3 == field:
            found.append(value)
    return found


def _integer(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at
