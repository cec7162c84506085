"""Voice activity: probabilities, starts and stops, and the pipeline's node."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    ErrorFrame,
    InputAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

from contracts.frames import AudioWindowFrame, UserTextFrame
from loadtest.clips import read_wav
from processors.models.files import SILERO_VAD, session
from processors.vad import processor as vad
from processors.vad.processor import NO_AUDIO_SECS, SpeechGate, SpeechGateParams, VADProcessor
from processors.vad.silero import BATCH_SECS, WINDOW_BYTES, SileroStream
from processors.vad.silero_network import network
from tests.processors.chain import running

DATA = Path(__file__).parents[1] / "data"
PARAMS = SpeechGateParams(start_prob=0.5, end_prob=0.35, start_windows=2, stop_ms=96)


def changes(probs, params=PARAMS):
    """What each probability changed, as {index: change}."""
    gate = SpeechGate(params)
    found = {index: gate.push(prob) for index, prob in enumerate(probs)}
    return {index: change for index, change in found.items() if change}


# --- the gate --------------------------------------------------------------------------


def test_speech_starts_with_so_many_voiced_windows_in_a_row():
    assert changes([0.5, 0.2, 0.9, 0.9, 0.9]) == {3: "started"}


def test_speech_stops_after_so_many_quiet_windows():
    assert changes([0.9, 0.9, 0.1, 0.1, 0.1, 0.1]) == {1: "started", 4: "stopped"}


def test_a_voiced_window_starts_the_wait_for_the_end_anew():
    assert changes([0.9, 0.9, 0.1, 0.1, 0.6, 0.1, 0.1, 0.1]) == {1: "started", 7: "stopped"}


def test_between_the_two_limits_nothing_changes():
    assert changes([0.9, 0.9, 0.1, 0.4, 0.1, 0.4, 0.1]) == {1: "started", 6: "stopped"}
    assert changes([0.4] * 20) == {}


def test_the_default_wants_three_windows_and_waits_200_ms():
    probs = [0.9] * 3 + [0.0] * 10
    assert changes(probs, SpeechGateParams()) == {2: "started", 8: "stopped"}


def test_stop_ends_speech_once():
    gate = SpeechGate(PARAMS)
    assert gate.stop() is None
    gate.push(0.9)
    gate.push(0.9)
    assert gate.stop() == "stopped"
    assert gate.stop() is None
    assert not gate.speaking


@given(st.lists(st.floats(0, 1), max_size=80), st.integers(1, 5), st.integers(32, 320))
def test_starts_and_stops_take_turns_and_each_has_its_windows(probs, start_windows, stop_ms):
    params = SpeechGateParams(start_windows=start_windows, stop_ms=stop_ms)
    found = changes(probs, params)
    kinds = [found[index] for index in sorted(found)]
    assert kinds == (["started", "stopped"] * len(kinds))[: len(kinds)]
    for index, change in found.items():
        if change == "started":
            assert all(prob >= 0.5 for prob in probs[index - start_windows + 1 : index + 1])
        else:
            waited = probs[index - max(1, round(stop_ms / 32)) + 1 : index + 1]
            assert all(prob < 0.5 for prob in waited)
            assert waited[-1] < 0.35


# --- the model -------------------------------------------------------------------------


def probabilities(pcm: np.ndarray) -> list[float]:
    stream = SileroStream()
    return [stream.speech_prob(pcm[at : at + 512].tobytes()) for at in range(0, len(pcm) - 511, 512)]


def test_speech_is_told_from_typing_and_silence():
    speech = probabilities(read_wav(DATA / "go_forward_ten_meters.wav"))
    assert max(speech) > 0.95
    assert sum(prob >= 0.5 for prob in speech) > 30
    assert max(probabilities(read_wav(DATA / "typing.wav"))) < 0.3
    assert max(probabilities(np.zeros(8000, np.int16))) < 0.1


def test_each_call_has_its_own_memory():
    pcm = read_wav(DATA / "okay.wav")
    alone = probabilities(pcm)
    mixed, other = SileroStream(), SileroStream()
    together = []
    for at in range(0, len(pcm) - 511, 512):
        other.speech_prob(np.random.default_rng(at).integers(-9000, 9000, 512).astype(np.int16).tobytes())
        together.append(mixed.speech_prob(pcm[at : at + 512].tobytes()))
    assert together == alone


def test_the_model_rests_through_digital_silence_and_wakes_up_as_new(monkeypatch):
    stream, asked = SileroStream(), []
    real = stream.network.run
    monkeypatch.setattr(stream.network, "run", lambda heard, state: asked.append(1) or real(heard, state))
    speech = read_wav(DATA / "stop.wav")
    windows = [speech[at : at + 512].tobytes() for at in range(0, len(speech) - 511, 512)]
    for window in windows:
        stream.speech_prob(window)
    before = len(asked)
    probs = [stream.speech_prob(bytes(WINDOW_BYTES)) for _ in range(200)]
    assert len(asked) - before == 30  # not quite a second
    assert probs[-1] == 0.0
    assert [stream.speech_prob(window) for window in windows] == probabilities(speech)
    monkeypatch.undo()


def test_the_network_is_the_published_one():
    """As onnxruntime runs it: on speech, on noise, and from any memory."""
    published, ours, rate = session(SILERO_VAD), network(), np.array(16_000)
    state = np.zeros((2, 1, 128), np.float32)
    theirs = state
    pcm = read_wav(DATA / "go_forward_ten_meters.wav").astype(np.float32) / 32768
    for at in range(0, len(pcm) - 575, 512):
        heard = pcm[None, at : at + 576]
        (prob,), state = ours.run(heard, state)
        expected, theirs = published.run({"input": heard, "state": theirs, "sr": rate})
        assert prob == pytest.approx(expected[0, 0], abs=1e-5)
    rng = np.random.default_rng(3)
    for count in (1, 2, 7, 40):
        heard = rng.normal(0, 0.1, (count, 576)).astype(np.float32)
        state = rng.normal(0, 0.5, (2, count, 128)).astype(np.float32)
        probs, after = ours.run(heard, state)
        expected, expected_after = published.run({"input": heard, "state": state, "sr": rate})
        assert probs == pytest.approx(expected[:, 0], abs=1e-5)
        assert after == pytest.approx(expected_after, abs=1e-4)


def windows_of(name: str) -> list[bytes]:
    pcm = read_wav(DATA / f"{name}.wav")
    return [pcm[at : at + 512].tobytes() for at in range(0, len(pcm) - 511, 512)]


CLIPS = ("go_forward_ten_meters", "book_a_room", "stop", "okay", "sneeze", "typing", "music")


async def test_judged_together_every_clip_starts_and_stops_where_it_does_alone(virtual, monkeypatch):
    streams = {name: SileroStream() for name in CLIPS}
    runs: list[int] = []
    model = streams["okay"].network
    real = model.run
    together: dict[str, list[tuple[bytes, float]]] = {name: [] for name in CLIPS}
    with monkeypatch.context() as patched:
        patched.setattr(model, "run", lambda heard, state: runs.append(len(heard)) or real(heard, state))
        for at in range(max(len(windows_of(name)) for name in CLIPS)):
            for name in CLIPS:
                if at < len(windows_of(name)):
                    streams[name].judge(windows_of(name)[at], lambda w, p, name=name: together[name].append((w, p)))
            await asyncio.sleep(0.032)
    assert runs[0] == 7
    assert len(runs) < sum(runs) / 2
    for name in CLIPS:
        alone = probabilities(read_wav(DATA / f"{name}.wav"))
        assert [window for window, _ in together[name]] == windows_of(name)
        assert [prob for _, prob in together[name]] == pytest.approx(alone, abs=2e-5)
        for params in (SpeechGateParams(), PARAMS):
            assert changes([prob for _, prob in together[name]], params) == changes(alone, params)


async def test_a_window_waits_for_others_but_not_long_and_a_lonely_stream_not_at_all(virtual):
    told: list[tuple[str, float]] = []
    first, second = SileroStream(), SileroStream()
    sound = windows_of("okay")[3]

    def judge(stream: SileroStream, name: str) -> None:
        stream.judge(sound, lambda *_: told.append((name, round(virtual.time(), 4))))

    start = virtual.time()
    judge(first, "a1")
    await asyncio.sleep(0.01)
    judge(second, "b1")
    assert told == []
    await asyncio.sleep(0.01)
    assert told == [("a1", round(start + BATCH_SECS, 4)), ("b1", round(start + BATCH_SECS, 4))]
    judge(second, "b2")
    assert told[-1] == ("b2", round(start + 0.02, 4))


async def test_a_window_is_judged_after_the_one_before_it_and_at_once_when_somebody_waits(virtual):
    order: list[str] = []
    first, second = SileroStream(), SileroStream()
    sound = windows_of("okay")[3]
    first.judge(sound, lambda *_: order.append("a1"))
    second.judge(sound, lambda *_: order.append("b1"))
    first.judge(sound, lambda *_: order.append("a2"))
    assert order == ["a1", "b1"]
    first.settle()
    assert order == ["a1", "b1", "a2"]
    first.settle()
    await asyncio.sleep(1)
    assert order == ["a1", "b1", "a2"]


# --- the node --------------------------------------------------------------------------


class Script:
    """Instead of the model: the first sample of a window, in thousandths, is its probability."""

    def speech_prob(self, window: bytes) -> float:
        return int(np.frombuffer(window, np.int16)[0]) / 1000

    def judge(self, window: bytes, told) -> None:
        told(window, self.speech_prob(window))

    def settle(self) -> None:
        pass


def audio(probs: list[float]) -> bytes:
    return b"".join(np.full(512, round(prob * 1000), np.int16).tobytes() for prob in probs)


@pytest.fixture
def scripted(monkeypatch):
    monkeypatch.setattr(vad, "SileroStream", Script)


def frame(pcm: bytes) -> InputAudioRawFrame:
    return InputAudioRawFrame(pcm, 16_000, 1)


@pytest.mark.parametrize("chunk_bytes", [320, 640, 1024, 1026, 10_000])
async def test_audio_comes_out_in_windows_whatever_comes_in(scripted, chunk_bytes):
    pcm = audio([0.0, 0.1, 0.2, 0.3, 0.4])
    async with running(VADProcessor(PARAMS)) as chain:
        for at in range(0, len(pcm), chunk_bytes):
            await chain.push(frame(pcm[at : at + chunk_bytes]))
        await chain.until(AudioWindowFrame, 5)
        windows = chain.down(AudioWindowFrame)
        assert b"".join(window.audio for window in windows) == pcm
        assert [window.speech_prob for window in windows] == [0.0, 0.1, 0.2, 0.3, 0.4]
        assert {(window.sample_rate, window.num_channels) for window in windows} == {(16_000, 1)}
        assert len(chain.down(InputAudioRawFrame)) == 5  # the windows; the transport's frames are swallowed


async def test_a_start_and_a_stop_come_before_the_window_that_made_them(scripted):
    async with running(VADProcessor(PARAMS)) as chain:
        await chain.push(frame(audio([0.9, 0.8, 0.1, 0.2, 0.3])))
        await chain.until(AudioWindowFrame, 5)
        told = [
            round(one.speech_prob, 1) if isinstance(one, AudioWindowFrame) else type(one).__name__
            for _, one in chain.sink.seen
        ]
        assert told == [0.9, "VADUserStartedSpeakingFrame", 0.8, 0.1, 0.2, "VADUserStoppedSpeakingFrame", 0.3]
        assert chain.down(VADUserStartedSpeakingFrame)[0].start_secs == 0.064
        assert chain.down(VADUserStoppedSpeakingFrame)[0].stop_secs == 0.096


async def test_speech_stops_when_audio_stops_coming(scripted, virtual):
    async with running(VADProcessor(PARAMS)) as chain:
        await chain.push(frame(audio([0.9, 0.9])))
        await asyncio.sleep(0.4)
        await chain.push(frame(audio([0.9])))
        heard_at = virtual.time()
        stopped = await chain.until(VADUserStoppedSpeakingFrame)
        assert chain.at(stopped) - heard_at == pytest.approx(NO_AUDIO_SECS, abs=0.002)
        await asyncio.sleep(2)
        assert len(chain.down(VADUserStoppedSpeakingFrame)) == 1


async def test_audio_of_another_rate_is_an_error_that_names_it(scripted):
    async with running(VADProcessor(PARAMS)) as chain:
        await chain.push(InputAudioRawFrame(bytes(1920), 48_000, 2))
        await asyncio.sleep(0.01)
        (error,) = chain.up(ErrorFrame)
        assert "48000 Hz with 2 channels" in error.error
        assert chain.down(AudioWindowFrame) == []


async def test_a_real_word_starts_and_stops_once():
    noise = np.random.default_rng(0).normal(0, 3, 16_000).astype(np.int16)
    pcm = np.concatenate([noise, read_wav(DATA / "okay.wav"), noise]).tobytes()
    async with running(VADProcessor()) as chain:
        for at in range(0, len(pcm), 640):
            await chain.push(frame(pcm[at : at + 640]))
        await chain.until(AudioWindowFrame, len(pcm) // WINDOW_BYTES)
        assert len(chain.down(VADUserStartedSpeakingFrame)) == 1
        assert len(chain.down(VADUserStoppedSpeakingFrame)) == 1


async def test_no_frame_overtakes_a_window_that_waits_to_be_judged(virtual):
    calls = running(VADProcessor()), running(VADProcessor())
    async with calls[0] as one, calls[1] as other:
        sound = frame(windows_of("okay")[3])
        await one.push(sound)
        await other.push(sound)
        assert one.down(AudioWindowFrame) == []
        await one.push(UserTextFrame("hello"))
        await asyncio.sleep(0.001)
        assert [type(one) for _, one in one.sink.seen] == [AudioWindowFrame, UserTextFrame]
        await one.push(sound)
        await other.push(sound)
        await asyncio.sleep(BATCH_SECS + 0.001)
        assert len(one.down(AudioWindowFrame)) == 2
        assert len(other.down(AudioWindowFrame)) == 2
