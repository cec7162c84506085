"""Telephone sound: rates without delay, G.711, any way of cutting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.phone.sound import DELAY_SECS, Encoding, Hearing, RateConverter, Speaking
from transports.receive import FRAME_BYTES


def sine(hz: float, rate_hz: int, secs: float = 1.0) -> np.ndarray:
    return (10_000 * np.sin(2 * np.pi * hz * np.arange(round(secs * rate_hz)) / rate_hz)).astype(np.int16)


def level_db(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    return 20 * np.log10(max(1e-9, np.sqrt(np.mean(middle**2)) / (10_000 / 2**0.5)))


RATES = [(24_000, 8_000), (24_000, 16_000), (8_000, 16_000), (16_000, 16_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_speech_passes_and_what_would_fold_back_does_not(from_hz, to_hz):
    for hz in (200, 1_000, 3_000):
        out = np.frombuffer(RateConverter(from_hz, to_hz).push(sine(hz, from_hz).tobytes()), np.int16)
        assert len(out) == to_hz
        assert abs(level_db(out)) < 1.0, hz
        delay = round(DELAY_SECS * to_hz) if from_hz != to_hz else 0
        wanted = sine(hz, to_hz)[: to_hz - delay]
        assert np.abs(out[delay:][200:-200].astype(int) - wanted[200:-200]).max() < 600, hz
    low = min(from_hz, to_hz)
    if to_hz < from_hz:
        out = np.frombuffer(RateConverter(from_hz, to_hz).push(sine(low / 2 + 700, from_hz).tobytes()), np.int16)
        assert level_db(out) < -50


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12), st.sampled_from(RATES))
def test_blocks_of_any_length_give_the_same_as_one(lengths, rates):
    rng = np.random.default_rng(len(lengths))
    pcm = rng.integers(-9_000, 9_000, sum(lengths), dtype=np.int16)
    whole = RateConverter(*rates).push(pcm.tobytes())
    cut, converter, at = b"", RateConverter(*rates), 0
    for length in lengths:
        cut += converter.push(pcm[at : at + length].tobytes())
        at += length
    assert len(cut) == len(whole)
    assert np.abs(np.frombuffer(cut, np.int16).astype(int) - np.frombuffer(whole, np.int16)).max(initial=0) <= 1


@pytest.mark.parametrize("encoding", list(Encoding))
def test_20_ms_give_20_ms_both_ways(encoding):
    payload = Speaking(encoding).push(sine(440, 24_000, 0.02).tobytes())
    assert len(payload) == encoding.rate_hz // 50 * encoding.sample_bytes
    hearing = Hearing(encoding)
    assert [len(pcm) for pcm in hearing.push(payload)] == [FRAME_BYTES]
    assert hearing.secs(payload) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("encoding", "silence", "loudest"), [(Encoding.MULAW, 0xFF, 0x80), (Encoding.ALAW, 0xD5, 0xAA)]
)
def test_g711_errs_by_a_sixteenth_at_most(encoding, silence, loudest):
    every = np.arange(-32_768, 32_768, dtype=np.int16)
    payload = encoding.encode(every.tobytes())
    assert (payload[32_768], payload[-1]) == (silence, loudest)
    error = np.abs(np.frombuffer(encoding.decode(payload), np.int16).astype(int) - every)
    assert (error <= np.maximum(16, np.abs(every.astype(int)) / 16)).all()


@given(st.lists(st.binary(max_size=500), max_size=10), st.sampled_from(list(Encoding)))
def test_any_bytes_are_sound_of_their_length(payloads, encoding):
    hearing = Hearing(encoding)
    frames = [pcm for payload in payloads for pcm in hearing.push(payload)]
    assert all(len(pcm) == FRAME_BYTES for pcm in frames)
    samples = sum(len(payload) // encoding.sample_bytes for payload in payloads)
    assert len(frames) == samples * 16_000 // encoding.rate_hz // 320
