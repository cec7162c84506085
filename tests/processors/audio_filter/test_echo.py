"""The bot's own voice, as the caller's microphone hears it, over the real voice activity detector."""

from pathlib import Path

import numpy as np
import pytest
import soxr

from loadtest.clips import read_wav
from loadtest.echo_room import EchoRoom, EchoSetup
from processors.audio_filter import echo
from processors.audio_filter.delay import HEARD_SAMPLES, SPAN_SAMPLES, Delay, find_delay
from processors.audio_filter.echo import EchoGuard, Source
from processors.audio_filter.played import PlayedAudio
from processors.vad.silero import WINDOW_BYTES, SileroStream

DATA = Path(__file__).parents[2] / "data"
ROOM_RMS = 12
VOICED = 0.5
MIC, OUT = 320, 480
PATHS = [
    EchoSetup(-10, 20),
    EchoSetup(-10, 250, 0.25),
    EchoSetup(-25, 400, 0.25),
    EchoSetup(-40, 120),
    EchoSetup(-20, 150, 0.25, drift_ppm=200),
    EchoSetup(-20, 150, 0.25, loss=0.03),
    EchoSetup(-50, 100),
]


def recorded(name):
    return read_wav(DATA / f"{name}.wav").astype(np.float32)


@pytest.fixture(scope="module")
def bot_voice():
    """Nine seconds of speech at 24 kHz."""
    said = np.concatenate([recorded("go_forward_ten_meters"), recorded("book_a_room"), recorded("okay")])
    whole = np.concatenate([said, said, said])[: 9 * 16_000]
    return soxr.resample(whole, 16_000, 24_000).astype(np.int16)


def call(bot_voice, setup=None, near=(), secs=9.0, gaps=()):
    """What the guard says of each window: (speech probability, source).

    Args:
        bot_voice: What the bot says from 0.3 s on.
        setup: The echo's path; None: there is no echo.
        near: What the caller says: pairs of a start in seconds and 16 kHz samples.
        secs: How long the call lasts.
        gaps: When the playout is paused: pairs of seconds.
    """
    room = EchoRoom(setup) if setup is not None else None
    played, silero, random = PlayedAudio(), SileroStream(), np.random.default_rng(1)
    guard = EchoGuard(played)
    said = np.zeros(round(secs * 16_000) + MIC, np.float32)
    for start, samples in near:
        at = round(start * 16_000)
        said[at : at + len(samples)] += samples[: len(said) - at]
    pcm, told, position = b"", [], 0
    for tick in range(round(secs * 50)):
        heard = said[tick * MIC : (tick + 1) * MIC] + random.standard_normal(MIC) * ROOM_RMS
        if room is not None:
            pcm += room.send(heard + room.hear(MIC))
        else:
            pcm += np.clip(heard, -32768, 32767).astype(np.int16).tobytes()
        while len(pcm) >= WINDOW_BYTES:
            window, pcm = pcm[:WINDOW_BYTES], pcm[WINDOW_BYTES:]
            guard.arrive()
            prob = silero.speech_prob(window)
            told.append((prob, guard.judge(window, prob)))
        block = np.zeros(OUT, np.int16)
        if tick >= 15 and not any(start <= tick / 50 < end for start, end in gaps):
            coming = bot_voice[position : position + OUT]
            block[: len(coming)] = coming
            position += OUT
        played.push(block.tobytes())
        if room is not None:
            room.play(block.tobytes())
    return told, guard


def passes(told):
    """Windows in which somebody speaks who is not the bot."""
    return [index for index, (prob, source) in enumerate(told) if prob >= VOICED and is_heard(source)]


def is_heard(source):
    return source in (Source.NEAR, Source.UNKNOWN)


@pytest.mark.parametrize("setup", PATHS, ids=str)
def test_nothing_of_the_bots_own_voice_is_speech(bot_voice, setup):
    told, _ = call(bot_voice, setup)
    assert passes(told) == []


@pytest.mark.parametrize("setup", PATHS[:6], ids=str)
def test_who_speaks_over_the_echo_is_heard(bot_voice, setup):
    at = 4.2
    told, _ = call(bot_voice, setup, near=[(at, recorded("stop"))], secs=6.0)
    alone, _ = call(bot_voice[:0], near=[(at, recorded("stop"))], secs=6.0)
    voiced = passes(alone)
    kept = [index for index in passes(told) if index in voiced]
    assert kept[0] - voiced[0] <= 4, "within 128 ms of what would be heard without an echo"
    assert len(kept) >= 0.7 * len(voiced)


@pytest.mark.parametrize("at", [0.5, 1.5, 4.2])
def test_without_an_echo_the_caller_is_heard_as_ever(bot_voice, at):
    told, guard = call(bot_voice, near=[(at, recorded("stop"))], secs=6.0)
    alone, _ = call(bot_voice[:0], near=[(at, recorded("stop"))], secs=6.0)
    missed = set(passes(alone)) - set(passes(told))
    assert len(missed) <= 2
    assert passes(told)[0] - passes(alone)[0] <= 1, "the voice is lowered at the first voiced window, or the next"


def test_a_pause_and_a_resume_change_nothing(bot_voice):
    told, _ = call(bot_voice, EchoSetup(-20, 200, 0.25), gaps=[(2.5, 3.1), (5.0, 5.2)])
    assert passes(told) == []


def test_the_echo_is_known_when_the_bot_has_fallen_silent(bot_voice):
    told, _ = call(bot_voice, EchoSetup(-15, 400, 0.25), gaps=[(4.0, 20.0)], secs=6.0)
    assert passes(told) == []


def test_an_echo_that_fades_is_still_one(bot_voice):
    """A browser's canceller needs some seconds: until then it lets through less and less."""
    quieter = (bot_voice * np.linspace(1.0, 0.05, len(bot_voice))).astype(np.int16)
    told, _ = call(quieter, EchoSetup(-8, 120, 0.25))
    assert passes(told) == []


def test_while_the_bot_is_silent_nothing_is_asked(bot_voice):
    told, guard = call(bot_voice[:0], near=[(1.0, recorded("stop"))], secs=3.0)
    assert {source for _, source in told} == {Source.UNKNOWN}
    assert guard.path is None


def test_a_path_is_forgotten_when_its_echo_is_gone(bot_voice):
    """The caller has put on headphones: what is heard from now on is theirs."""
    long = np.concatenate([bot_voice, bot_voice])
    room = EchoSetup(-15, 100)
    _, guard = call(long, room, secs=5.0)
    assert guard.path is not None
    assert guard.delay_secs == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("delay_ms", [20, 130, 400, 700])
def test_the_delay_is_found(bot_voice, delay_ms):
    position = 4 * 24_000
    played = bot_voice[position - SPAN_SAMPLES : position].astype(np.float32) / 32768
    heard = soxr.resample(bot_voice[:position].astype(np.float32), 24_000, 16_000)
    end = len(heard) - round(delay_ms * 16)
    found = find_delay(heard[end - HEARD_SAMPLES : end] / 32768 / 10, played)
    assert found.secs == pytest.approx(delay_ms / 1000, abs=0.002)
    assert found.sharpness > 12


def test_silence_has_no_delay():
    assert find_delay(np.zeros(HEARD_SAMPLES, np.float32), np.zeros(SPAN_SAMPLES, np.float32)).sharpness == 0


def test_a_delay_before_anything_was_played_is_none(monkeypatch):
    """Chance may find one: the bot has just begun to speak, and what is heard is the caller."""
    monkeypatch.setattr(echo, "find_delay", lambda heard, played: Delay(0.4, 20.0))
    played, noise = PlayedAudio(), np.random.default_rng(1)
    guard = EchoGuard(played)
    sources = []
    for window in range(12):
        block = noise.standard_normal(768) * (8000 if window >= 4 else 0)
        played.push(block.astype(np.int16).tobytes())
        guard.arrive()
        sources.append(guard.judge((noise.standard_normal(512) * 1000).astype(np.int16).tobytes(), 0.95))
    assert Source.ECHO not in sources[:6]
