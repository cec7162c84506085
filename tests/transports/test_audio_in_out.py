"""Packets and their pace: Opus, reordering, the track, formats."""

import asyncio
import io
import wave

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.opus import OpusDecoder, OpusEncoder, OpusError
from audio.pcm import AudioFormatError, Resampler, decode_mp3, parse_wav
from transports.pacer import CALLS_EACH, PACKET_SECS, Pacer, SharedPacer
from transports.receive import FRAME_BYTES, AudioReceiver, ReorderBuffer
from transports.voice import PACKET_SAMPLES, Voice


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


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=40))
def test_packets_that_pass_at_once_are_those_that_would_be_released(steps):
    """The short cut and the buffer agree, whatever is lost, late or swapped."""
    whole, short = ReorderBuffer(depth=3), ReorderBuffer(depth=3)
    number = 65_530
    for step, twice in steps:
        number = (number + step) & 0xFFFF
        for _ in range(1 + twice):
            payload = bytes([number & 0xFF])
            passed = [payload] if short.passes(number) else short.push(number, payload)
            assert passed == whole.push(number, payload)


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


class Line:
    """What a voice sends, and when."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, int, bytes]] = []
        self.fails: Exception | None = None

    def send(self, packet: bytes, rtp_time: int) -> None:
        if self.fails is not None:
            raise self.fails
        self.sent.append((asyncio.get_running_loop().time(), rtp_time, packet))


async def test_the_voice_pulls_when_a_packet_is_due_and_encodes_what_it_got(virtual):
    loop = asyncio.get_running_loop()
    pulled, ends, line = [], [], Line()

    def pull(samples):
        pulled.append(loop.time())
        return sine(samples, 24_000).tobytes()

    voice = Voice(pull, lambda: ends.append(loop.time()))
    began = loop.time()
    voice.begin(line.send)
    await asyncio.sleep(0.099)
    assert pulled[0] - began < PACKET_SECS
    assert np.diff(pulled) == pytest.approx([0.02] * 4, abs=1e-6)
    assert [at for at, _, _ in line.sent] == pulled
    assert [rtp_time for _, rtp_time, _ in line.sent] == [0, 960, 1920, 2880, 3840]
    decoder = OpusDecoder(sample_rate_hz=24_000)
    assert {len(decoder.decode(packet)) for _, _, packet in line.sent} == {2 * PACKET_SAMPLES}
    voice.end()
    voice.end()
    await asyncio.sleep(0.1)
    assert len(pulled) == 5
    assert len(ends) == 1


async def test_silence_is_a_byte_now_and_then_and_speech_after_it_is_there_at_once(virtual):
    class Counting(OpusEncoder):
        encoded = 0

        def encode(self, pcm):
            self.encoded += 1
            return super().encode(pcm)

    encoder, line, loop = Counting(), Line(), asyncio.get_running_loop()
    began = loop.time()
    tone = sine(PACKET_SAMPLES, 24_000).tobytes()

    def pull(samples):
        return tone if loop.time() > began + 1.99 else bytes(2 * samples)

    voice = Voice(pull, lambda: None, encoder)
    voice.begin(line.send)
    await asyncio.sleep(1.975)
    assert len(line.sent) == 10 + 5
    assert encoder.encoded == 10
    rests = [(at, rtp_time, packet) for at, rtp_time, packet in line.sent if len(packet) == 1]
    assert np.diff([at for at, _, _ in rests]) == pytest.approx(0.4, abs=1e-6)
    assert np.diff([rtp_time for _, rtp_time, _ in rests]).tolist() == [20 * 960] * 4
    decoder = OpusDecoder(sample_rate_hz=24_000)
    for _, _, packet in line.sent:
        assert not any(decoder.decode(packet))
    await asyncio.sleep(0.1)
    voice.end()
    spoken = line.sent[15:]
    assert np.diff([at for at, _, _ in spoken]) == pytest.approx([0.02] * (len(spoken) - 1), abs=1e-6)
    assert spoken[0][1] - line.sent[14][1] == pytest.approx((spoken[0][0] - line.sent[14][0]) * 48_000, abs=1)


@pytest.mark.parametrize("error", [ConnectionError("closed"), ValueError("a bug")])
async def test_a_voice_that_fails_ends_and_the_others_go_on(virtual, error):
    ends: list[str] = []
    lines = {name: Line() for name in ("bad", "good")}
    tone = sine(PACKET_SAMPLES, 24_000).tobytes()
    for name, line in lines.items():
        Voice(lambda samples: tone, lambda name=name: ends.append(name)).begin(line.send)
    await asyncio.sleep(0.05)
    lines["bad"].fails = error
    await asyncio.sleep(1)
    assert ends == ["bad"]
    assert len(lines["good"].sent) >= 51
    assert np.diff([at for at, _, _ in lines["good"].sent]) == pytest.approx(0.02, abs=1e-6)


async def test_after_a_stall_a_voice_skips_what_is_too_late_with_its_rtp_time(virtual):
    line = Line()
    tone = sine(PACKET_SAMPLES, 24_000).tobytes()

    def pull(samples):
        if len(line.sent) == 5:
            virtual._jumping.now += 0.1  # the loop is held up
        return tone

    voice = Voice(pull, lambda: None)
    voice.begin(line.send)
    await asyncio.sleep(0.5)
    voice.end()
    times = np.array([at for at, _, _ in line.sent])
    rtp_secs = np.array([rtp_time for _, rtp_time, _ in line.sent]) / 48_000
    assert np.diff(rtp_secs).max() == pytest.approx(0.1, abs=0.021)
    assert np.abs((times - rtp_secs) - (times - rtp_secs)[0]).max() < 0.11
    assert (times - rtp_secs)[-1] == pytest.approx((times - rtp_secs)[0], abs=1e-6)  # in step again


async def test_many_voices_share_few_timers_and_keep_apart(virtual):
    loop, one = asyncio.get_running_loop(), SharedPacer()
    ticks: dict[int, list[float]] = {number: [] for number in range(4 * CALLS_EACH)}
    voices = {n: (lambda packets, n=n: ticks[n].append(loop.time())) for n in ticks}
    for n in range(CALLS_EACH):
        one.join(voices[n])
    await asyncio.sleep(0.101)
    assert len({round(at % PACKET_SECS, 4) for at in ticks[0][-1:] + ticks[11][-1:]}) == 1  # few calls wake it once
    for n in range(CALLS_EACH, 4 * CALLS_EACH):
        one.join(voices[n])
    await asyncio.sleep(1)
    per_phase: dict[float, int] = {}
    for times in ticks.values():
        assert np.diff(times) == pytest.approx(0.02, abs=1e-6)
        phase = round(times[-1] / PACKET_SECS * 4) % 4
        per_phase[phase] = per_phase.get(phase, 0) + 1
    assert sorted(per_phase.values()) == [CALLS_EACH] * 4
    for voice in voices.values():
        one.leave(voice)
    counts = [len(times) for times in ticks.values()]
    await asyncio.sleep(1)
    assert [len(times) for times in ticks.values()] == counts


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
