"""Moonshine tiny-en, run directly in onnxruntime: PCM in, text and evidence out.

Moonshine (Jeffries et al., 2024, "Moonshine: Speech Recognition for Live Transcription and Voice Commands") reads raw
16 kHz audio of any length at a cost in proportion to it, so that a growing buffer can be read again and again. Its
encoder gives one 288-wide state for each 384 samples (24 ms); the decoder writes one token a step and keeps what it
has computed (keys and values) from step to step.

Everything here is synchronous and takes tens of milliseconds: call it on the threads of
:func:`processors.models.files.run_heavy`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np

from processors.models.files import MOONSHINE_DECODER, MOONSHINE_ENCODER, MOONSHINE_TOKENS, model_path, session

SAMPLE_RATE_HZ: Final = 16_000
STATE_SAMPLES: Final = 384
"""Samples that one encoder state stands for."""

MIN_SAMPLES: Final = 4_000
"""Shorter clips are padded with silence: the encoder's three convolutions need some width."""

MAX_TOKENS_PER_SEC: Final = 6.5
"""Nobody speaks faster; the model's authors cut decoding here, against endless repetition."""

SURE: Final = 0.75
"""Readings with less confidence are worth a second one."""

SHIFT_SAMPLES: Final = 1_280
"""What the second reading leaves out: 80 ms, not a multiple of a state's length."""

_START, _END = 1, 2
_HEADS, _HEAD_WIDTH = 8, 36
_LAYERS = 6
_CONTROL = b"<<ST_"
_BLANK = "\u2581".encode()


@dataclass(frozen=True)
class Analysis:
    """What the model makes of one clip.

    Attributes:
        text: The words, cased and punctuated.
        word_probs: Probability (0 to 1) of each word of ``text.split()``: that of its least sure token.
        token_logprobs: Natural-log probability of each token of the text, the end mark excluded.
        states: Encoder states, float32 of shape (clip samples / 384, 288).
        first_logits: The decoder's logits for the first token, float32 of shape (32768,).
        complete: False when reading was called off: text and log-probabilities stop midway.
    """

    text: str
    word_probs: tuple[float, ...]
    token_logprobs: np.ndarray = field(repr=False)
    states: np.ndarray = field(repr=False)
    first_logits: np.ndarray = field(repr=False)
    complete: bool = True

    @property
    def confidence(self) -> float:
        """Geometric mean of the tokens' probabilities (0 to 1); 0 without tokens."""
        return float(np.exp(self.token_logprobs.mean())) if len(self.token_logprobs) else 0.0

    @property
    def logprob(self) -> float:
        """Natural-log probability of the whole text."""
        return float(self.token_logprobs.sum())


def analyse(pcm: np.ndarray, called_off: Callable[[], bool] = lambda: False) -> Analysis:
    """Read a clip.

    Args:
        pcm: Mono samples at 16 kHz, int16 or float32 (-1 to 1).
        called_off: Asked before each step of the decoder; True ends the reading early.

    Raises:
        ModelError: The model is not installed.
    """
    states, inputs, logits = _first_step(pcm)
    decoder = session(MOONSHINE_DECODER)
    cache_names, _ = _cache_names()
    outputs = ["logits", *(f"present.{name}" for name in cache_names)]
    past = [f"past_key_values.{name}" for name in cache_names]

    first_logits = logits[0, -1]
    tokens: list[int] = []
    logprobs: list[float] = []
    complete = True
    for _ in range(4 + round(len(pcm) / SAMPLE_RATE_HZ * MAX_TOKENS_PER_SEC)):
        scores = logits[0, -1]
        token = int(scores.argmax())
        if token == _END:
            break
        tokens.append(token)
        logprobs.append(-float(np.log(np.exp(scores - scores[token]).sum())))
        if called_off():
            complete = False
            break
        inputs["input_ids"] = np.array([[token]])
        logits, *present = decoder.run(inputs, outputs)
        inputs |= zip(past, present, strict=True)
    text, word_probs = _words(tokens, logprobs)
    return Analysis(text, word_probs, np.array(logprobs, np.float32), states, first_logits, complete)


def _first_step(pcm: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Encode, and take the decoder's first step.

    Returns:
        Encoder states; what the decoder wants for the next step; its logits.
    """
    states, mask = encode(pcm)
    cache_names, encoder_cache_names = _cache_names()
    empty = np.zeros((1, _HEADS, 0, _HEAD_WIDTH), np.float32)
    inputs = {
        "encoder_hidden_states": states[None],
        "encoder_attention_mask": mask,
        "input_ids": np.array([[_START]]),
        "use_cache_branch": np.array([False]),
        **{f"past_key_values.{name}": empty for name in cache_names + encoder_cache_names},
    }
    # The first step computes also the keys and values of the encoder's states, which then stay as they are.
    outputs = ["logits", *(f"present.{name}" for name in cache_names + encoder_cache_names)]
    logits, *present = session(MOONSHINE_DECODER).run(inputs, outputs)
    inputs |= zip((f"past_key_values.{name}" for name in cache_names + encoder_cache_names), present, strict=True)
    inputs["use_cache_branch"] = np.array([True])
    return states, inputs, logits


def first_look(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the model makes of a clip at first sight: encoder states (n, 288), logits (32768,) of the first token.

    A third of what reading a short clip costs.

    Args:
        pcm: As in :func:`analyse`.
    """
    states, _, logits = _first_step(pcm)
    return states, logits[0, -1]


def analyse_twice(pcm: np.ndarray, called_off: Callable[[], bool] = lambda: False) -> Analysis:
    """Read a clip, and when the words are unsure read it again without its first moment; the likelier reading wins.

    The model's view of a sound changes with where its 24 ms states fall. About a third of clips are read twice; over
    11 ways to cut the test clips that takes away an eighth of all wrong words.

    Args:
        pcm: As in :func:`analyse`; it should begin with silence.
        called_off: As in :func:`analyse`; a second reading that is called off does not count.
    """
    first = analyse(pcm, called_off)
    if not first.complete or first.confidence >= SURE or len(pcm) < MIN_SAMPLES + SHIFT_SAMPLES:
        return first
    second = analyse(pcm[SHIFT_SAMPLES:], called_off)
    return second if second.complete and second.logprob > first.logprob else first


def encode(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The encoder alone: states of shape (n, 288), and the mask of samples that the decoder wants with them."""
    samples = pcm.astype(np.float32) / 32768 if pcm.dtype == np.int16 else pcm
    if len(samples) < MIN_SAMPLES:
        samples = np.pad(samples, (0, MIN_SAMPLES - len(samples)))
    mask = np.ones((1, len(samples)), np.int64)
    (states,) = session(MOONSHINE_ENCODER).run({"input_values": samples[None], "attention_mask": mask})
    return states[0], mask


@cache
def load() -> None:
    """Load the model and run it once, so that nobody's first words wait for it; later calls do nothing.

    Raises:
        ModelError: The model is not installed.
    """
    analyse(np.zeros(SAMPLE_RATE_HZ, np.int16))


@cache
def _cache_names() -> tuple[list[str], list[str]]:
    """Names of the decoder's caches: those that grow with each token, and those of the encoder's states."""
    names = [f"{layer}.{{}}.{part}" for layer in range(_LAYERS) for part in ("key", "value")]
    return [name.format("decoder") for name in names], [name.format("encoder") for name in names]


@cache
def _vocabulary() -> list[bytes]:
    """The pieces that tokens stand for, by token number."""
    return parse_vocabulary(model_path(MOONSHINE_TOKENS).read_bytes())


def parse_vocabulary(raw: bytes) -> list[bytes]:
    """Pieces of a ``tokenizer.bin``: each a length of one byte (two, low 7 bits first, from 128 up) and its bytes."""
    pieces: list[bytes] = []
    at = 0
    while at < len(raw):
        length = raw[at]
        at += 1
        if length >= 128:
            length += (raw[at] - 1) * 128
            at += 1
        pieces.append(raw[at : at + length])
        at += length
    return pieces


def _words(tokens: list[int], logprobs: list[float]) -> tuple[str, tuple[float, ...]]:
    """The text that tokens stand for, and the probability of each of its words."""
    vocabulary = _vocabulary()
    words: list[bytes] = []
    lowest: list[float] = []
    for token, logprob in zip(tokens, logprobs, strict=True):
        piece = vocabulary[token]
        if token <= _END or piece.startswith(_CONTROL):
            continue
        if piece.startswith(_BLANK) or not words:
            words.append(b"")
            lowest.append(0.0)
        words[-1] += piece.removeprefix(_BLANK)
        lowest[-1] = min(lowest[-1], logprob)
    texts = [word.decode("utf-8", "ignore").replace("\u2581", " ").strip() for word in words]
    known = [(text, logprob) for text, logprob in zip(texts, lowest, strict=True) if text]
    return " ".join(text for text, _ in known), tuple(math.exp(logprob) for _, logprob in known)
