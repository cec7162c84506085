"""Packets and their pace: Opus, reordering, the track, formats."""

import asyncio
import io
import wave

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from transports.opus import OpusDecoder, OpusEncoder, OpusError
from transports.pcm import AudioFormatError, Resampler, decode_mp3, parse_wav
from transports.receive import FRAME_BYTES, AudioReceiver, ReorderBuffer
from transports.track import PACKET_SAMPLES, Pacer, PlayoutTrack


def sine(samples: int, rate_hz: int, hz: float = 440.0) -> np.ndarray:
    return (12_000 * np.sin(2 * np.pi * hz * np.arange(samples) / rate_hz)).astype(np.int16)


def pitch_hz(samples: np.ndarray, rate_hz: int) -> float:
    window = samples * np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(window, n=1 << 20))
    return float(np.argmax(spectrum) * rate_hz / (1 << 20))


# --- opus ----------------------------------------------------------------------------------


def test_a_tone_survives_the_codec_from_24_to_16_khz():
    encoder, decoder = OpusEncoder(), OpusDecoder(sample_rate_hz=16_000)
    tone = sine(24_000, 24_000)
    packets = [encoder.encode(tone[at : at + 480].tobytes()) for at in range(0, 24_000, 480)]
    heard = np.frombuffer(b"".join(decoder.decode(packet) for packet in packets), np.int16)
    assert len(heard) == 16_000
    assert pitch_hz(heard[1600:], 16_000) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(heard[1600:].astype(float) ** 2)) == pytest.approx(12_000 / 2**0.5, rel=0.2)
    assert max(map(len, packets)) < 200


def test_what_is_no_opus_is_an_error():
    with pytest.raises(OpusError):
        OpusDecoder(sample_rate_hz=16_000).decode(b"\xff\xff\xff")
    with pytest.raises(OpusError):
        OpusEncoder().encode(bytes(2 * 333))


# --- packets in ----------------------------------------------------------------------------


def test_packets_in_order_pass_at_once_and_gaps_close_or_are_given_up():
    buffer = ReorderBuffer(depth=3)
    assert buffer.push(10, b"a") == [b"a"]
    assert buffer.push(12, b"c") == []
    assert buffer.push(11, b"b") == [b"b", b"c"]
    assert buffer.push(14, b"e") == []
    assert buffer.push(15, b"f") == []
    assert buffer.push(16, b"g") == [None, b"e", b"f", b"g"]
    assert buffer.push(13, b"late") == []
    assert buffer.push(16, b"again") == []


def test_sequence_numbers_wrap_and_a_new_sender_is_followed():
    buffer = ReorderBuffer()
    assert buffer.push(65_535, b"a") == [b"a"]
    assert buffer.push(0, b"b") == [b"b"]
    assert buffer.push(5000, b"c") == [b"c"]
    assert [buffer.push(n, b"d") for n in range(100, 109)] == [[]] * 9
    assert buffer.push(109, b"e") == [b"e"]


@given(st.permutations(range(6)), st.integers(0, 65_535))
def test_any_small_disorder_is_put_right(order, start):
    buffer = ReorderBuffer(depth=10)
    buffer.push(start, b"first")
    out = [p for n in order for p in buffer.push((start + 1 + n) & 0xFFFF, bytes([n]))]
    assert out == [bytes([n]) for n in range(6)]


def test_a_lost_packet_is_concealed_and_the_time_is_kept():
    encoder, receiver = OpusEncoder(), AudioReceiver()
    tone = sine(24_000, 24_000)
    frames = []
    for number in range(50):
        packet = encoder.encode(tone[number * 480 : (number + 1) * 480].tobytes())
        if number != 20:
            frames += receiver.push(1, number, packet)
    frames += receiver.flush()
    assert receiver.lost_packets == 1
    assert len(frames) == 50
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    levels = [np.sqrt(np.mean(np.frombuffer(frame, np.int16).astype(float) ** 2)) for frame in frames]
    assert min(levels[2:]) > 1000


def test_garbage_in_a_packet_is_as_good_as_lost():
    receiver = AudioReceiver()
    receiver.push(1, 0, OpusEncoder().encode(bytes(960)))
    assert len(receiver.push(1, 1, b"\xff\xff\xff")) == 1
    assert receiver.lost_packets == 1


# --- packets out ---------------------------------------------------------------------------


def test_the_pace_is_even_and_late_packets_are_skipped_not_sent_in_a_burst():
    pacer = Pacer()
    assert pacer.next(100.0) == (0, 0.0)
    index, wait = pacer.next(100.001)
    assert (index, round(wait, 6)) == (1, 0.019)
    index, wait = pacer.next(100.05)  # half a packet late: sent at once, the schedule stands
    assert (index, wait) == (2, 0.0)
    index, wait = pacer.next(100.5)
    assert (index, wait) == (25, 0.0)
    index, wait = pacer.next(100.501)
    assert (index, round(wait, 6)) == (26, 0.019)


async def test_the_track_pulls_when_a_packet_is_due_and_encodes_what_it_got(virtual):
    loop = asyncio.get_running_loop()
    pulled = []

    def pull(samples):
        pulled.append(loop.time())
        return sine(samples, 24_000).tobytes()

    track = PlayoutTrack(pull, clock=loop.time)
    packets = [await track.recv() for _ in range(5)]
    assert np.diff(pulled) == pytest.approx([0.02] * 4, abs=1e-6)
    assert [packet.pts for packet in packets] == [0, 960, 1920, 2880, 3840]
    decoder = OpusDecoder(sample_rate_hz=24_000)
    assert {len(decoder.decode(bytes(packet))) for packet in packets} == {2 * PACKET_SAMPLES}
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_silence_costs_one_encoded_packet(virtual):
    class Counting(OpusEncoder):
        encoded = 0

        def encode(self, pcm):
            self.encoded += 1
            return super().encode(pcm)

    encoder = Counting()
    track = PlayoutTrack(lambda samples: bytes(2 * samples), encoder, clock=asyncio.get_running_loop().time)
    for _ in range(100):
        await track.recv()
    assert encoder.encoded == 10


# --- formats -------------------------------------------------------------------------------

RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000)


def wav(samples: np.ndarray, rate_hz: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(np.repeat(samples, channels).tobytes())
    return file.getvalue()


def mp3(samples: np.ndarray, rate_hz: int, channels: int = 1) -> bytes:
    file = io.BytesIO()
    layout = "mono" if channels == 1 else "stereo"
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.repeat(samples, channels)[None, :], format="s16", layout=layout)
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(format="s16p", layout=layout, rate=rate_hz)
        for part in [*resampler.resample(frame), None]:
            container.mux(stream.encode(part))
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", RATES)
def test_pitch_and_length_are_kept_from_every_rate(rate_hz, channels):
    pcm, found_hz = parse_wav(wav(sine(rate_hz, rate_hz), rate_hz, channels))
    assert found_hz == rate_hz
    resampler = Resampler(rate_hz, 24_000)
    data = b"".join(resampler.push(pcm[at : at + 999]) for at in range(0, len(pcm), 999)) + resampler.flush()
    heard = np.frombuffer(data, np.int16)
    assert len(heard) == pytest.approx(24_000, abs=24)
    assert pitch_hz(heard, 24_000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_mp3_of_every_rate(rate_hz, channels):
    heard = np.frombuffer(decode_mp3(mp3(sine(rate_hz, rate_hz), rate_hz, channels), 24_000), np.int16)
    assert pitch_hz(heard[2400:-2400], 24_000) == pytest.approx(440, abs=2)
    assert len(heard) == pytest.approx(24_000, abs=3600)  # MP3 pads both ends


def test_a_stream_may_break_in_the_middle_of_a_sample():
    pcm = sine(1000, 24_000).tobytes()
    resampler = Resampler(24_000, 24_000)
    assert b"".join(resampler.push(pcm[at : at + 7]) for at in range(0, len(pcm), 7)) + resampler.flush() == pcm


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_streamed_wav_does_not_know_its_length(size):
    data = bytearray(wav(sine(800, 16_000), 16_000))
    at = data.index(b"data") + 4
    data[at : at + 4] = size
    assert parse_wav(bytes(data)) == (sine(800, 16_000).tobytes(), 16_000)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\0" * 100, b"RIFF\0\0\0\0WAVE", wav(sine(10, 8000), 8000)[:40]])
def test_what_is_no_wav_is_an_error(data):
    with pytest.raises(AudioFormatError):
        parse_wav(data)


@pytest.mark.parametrize("data", [b"", b"not an mp3 at all", b"\0" * 5000])
def test_what_is_no_mp3_is_an_error(data):
    with pytest.raises(AudioFormatError):
        decode_mp3(data, 24_000)
