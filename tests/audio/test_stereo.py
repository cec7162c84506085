"""A caller with two channels: 440 Hz on either side, on both, or with the sides against each other."""

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.opus import Application, OpusEncoder, libopus
from audio.stereo import Downmix, Source
from transports.receive import FRAME_BYTES, AudioReceiver

HZ, RMS = 440, 12_000 / 2**0.5


def stereo_packets(left: np.ndarray, right: np.ndarray, rate_hz: int) -> list[bytes]:
    """20 ms packets of two channels, encoded by libopus."""
    lib, error = libopus(), ctypes.c_int(0)
    encoder = lib.opus_encoder_create(rate_hz, 2, int(Application.AUDIO), ctypes.byref(error))
    assert error.value == 0
    samples = rate_hz // 50
    both = np.stack([left, right], axis=1).astype(np.int16)
    room, packets = ctypes.create_string_buffer(1276), []
    for at in range(0, len(both) - samples + 1, samples):
        length = lib.opus_encode(encoder, both[at : at + samples].tobytes(), samples, room, 1276)
        assert length > 0
        packets.append(bytes(room[:length]))
    lib.opus_encoder_destroy(encoder)
    return packets


def heard(packets: list[bytes]) -> np.ndarray:
    receiver, pcm = AudioReceiver(), b""
    for number, packet in enumerate(packets):
        for frame in receiver.push(1, number, packet):
            assert len(frame) == FRAME_BYTES
            pcm += frame
    return np.frombuffer(pcm, np.int16).astype(float)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
@pytest.mark.parametrize(
    ("left", "right"), [(1, 0), (0, 1), (1, 1), (1, -1), (1, 0.1), (-0.3, 1)], ids=lambda gain: f"{gain:+}"
)
def test_a_tone_in_any_two_channels_is_heard_as_loud_as_it_is(left, right, rate_hz):
    tone = 12_000 * np.sin(2 * np.pi * HZ * np.arange(2 * rate_hz) / rate_hz)
    samples = heard(stereo_packets(left * tone, right * tone, rate_hz))
    assert len(samples) == 2 * 16_000
    steady = samples[8_000:]
    assert 20 * np.log10(np.sqrt(np.mean(steady**2)) / RMS) > -5.5
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady))))
    assert np.argmax(spectrum) * 16_000 / len(steady) == pytest.approx(HZ, abs=2)


def test_a_side_that_falls_silent_gives_way_to_the_other():
    rate_hz = 16_000
    tone = 12_000 * np.sin(2 * np.pi * HZ * np.arange(2 * rate_hz) / rate_hz)
    still = np.zeros(2 * rate_hz)
    samples = heard(stereo_packets(np.append(tone, still), np.append(still, tone), rate_hz))
    levels = np.sqrt(np.mean(samples[: len(samples) // 320 * 320].reshape(-1, 320) ** 2, axis=1))
    assert np.mean(levels[5:] > RMS / 2) > 0.96


def test_one_channel_costs_nothing_more():
    receiver = AudioReceiver()
    tone = (12_000 * np.sin(2 * np.pi * HZ * np.arange(16_000) / 16_000)).astype(np.int16)
    encoder = OpusEncoder(sample_rate_hz=16_000)
    for number in range(50):
        receiver.push(1, number, encoder.encode(tone[number * 320 : number * 320 + 320].tobytes()))
    assert receiver._stereo is False


blocks = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=30)


@given(gains=blocks, seed=st.integers(0, 2**32 - 1))
def test_nothing_is_lost_and_nothing_clicks_whatever_the_sides_do(gains, seed):
    downmix, random = Downmix(), np.random.default_rng(seed)
    both = np.zeros((320, 2), np.int16)
    for left, right in gains:
        sound = random.normal(0, 6_000, 320)
        both = np.clip(np.stack([left * sound, right * sound], axis=1), -32768, 32767).astype(np.int16)
        mono = np.frombuffer(downmix.mix(both.tobytes()), np.int16)
        assert len(mono) == 320
        assert np.max(np.abs(mono)) <= np.max(np.abs(both)) + 1
    for _ in range(25):
        downmix.mix(both.tobytes())
    loudest = max(np.sqrt(np.mean(both.astype(float) ** 2, axis=0)))
    if loudest > 50:
        mono = np.frombuffer(downmix.mix(both.tobytes()), np.int16).astype(float)
        assert np.sqrt(np.mean(mono**2)) > 0.5 * loudest
    assert downmix.source in Source
