"""The playout engine: to the sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.playout import PlayoutEngine

RATE = 24_000
PACKET = 480
FADE = RATE * 5 // 1000


def noise(samples: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).integers(-30_000, 30_000, samples, dtype=np.int16).tobytes()


def sine(samples: int, hz: float = 220.0, level: float = 20_000) -> bytes:
    return (level * np.sin(2 * np.pi * hz * np.arange(samples) / RATE)).astype(np.int16).tobytes()


def content_of(engine: PlayoutEngine, block: bytes) -> bytes:
    start, length = engine.last_content
    return block[2 * start : 2 * (start + length)]


def ints(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, np.int16).astype(int)


def test_what_goes_in_comes_out_and_then_silence():
    engine, pcm = PlayoutEngine(), noise(1000)
    engine.push(pcm[:500])
    engine.push(pcm[500:])
    assert (engine.pushed, engine.played, engine.pending) == (1000, 0, 1000)
    assert engine.pull(480) + engine.pull(480) + engine.pull(480) == pcm + bytes(2 * 440)
    assert (engine.pushed, engine.played, engine.pending) == (1000, 1000, 0)
    assert engine.last_content == (0, 40)


def test_half_a_sample_is_refused():
    with pytest.raises(ValueError, match="3 bytes"):
        PlayoutEngine().push(b"abc")


def test_ten_thousand_random_pauses_lose_and_repeat_nothing():
    rng = np.random.default_rng(7)
    engine = PlayoutEngine()
    pcm = noise(10_000 * 1000, 1)
    pushed = played = pauses = 0
    heard = []
    while played < len(pcm) // 2:
        size = int(rng.integers(1, 40_000))
        engine.push(pcm[2 * pushed : 2 * (pushed + size)])
        pushed = min(pushed + size, len(pcm) // 2)
        for _ in range(int(rng.integers(1, 12))):
            action = rng.random()
            if engine.paused:
                if action < 0.5:
                    engine.resume()
            elif action < 0.45:
                engine.pause()
                pauses += 1
            block = engine.pull(PACKET)
            start, length = engine.last_content
            assert len(block) == 2 * PACKET
            assert start <= FADE
            assert not engine.paused or length == 0
            heard.append(content_of(engine, block))
            played += length
        engine.resume()
    assert pauses >= 10_000
    assert b"".join(heard) == pcm


def test_a_pause_is_silent_but_for_a_short_fade_at_the_next_packet():
    engine = PlayoutEngine()
    engine.push(sine(9600))
    engine.pull(PACKET)
    engine.pause()
    block = ints(engine.pull(PACKET))
    assert engine.last_content == (0, 0)
    assert np.any(block[:FADE])
    assert not np.any(block[FADE:])
    assert not np.any(ints(engine.pull(PACKET)))


def test_neither_pause_nor_resume_clicks():
    engine = PlayoutEngine()
    engine.push(sine(9600))
    blocks = [engine.pull(PACKET), engine.pull(100)]
    engine.pause()
    blocks += [engine.pull(PACKET), engine.pull(PACKET)]
    engine.resume()
    blocks += [engine.pull(PACKET), engine.pull(PACKET)]
    wave = ints(b"".join(blocks))
    loudest_step_of_the_tone = int(np.max(np.abs(np.diff(ints(sine(9600))))))
    assert np.max(np.abs(np.diff(wave))) <= 2 * loudest_step_of_the_tone


def test_a_pause_that_nobody_heard_leaves_no_trace():
    engine, pcm = PlayoutEngine(), noise(2 * PACKET)
    engine.push(pcm)
    first = engine.pull(PACKET)
    engine.pause()
    engine.resume()
    assert first + engine.pull(PACKET) == pcm


def test_held_before_its_first_sample_it_begins_without_a_fade():
    engine, pcm = PlayoutEngine(), noise(PACKET)
    engine.pause()
    engine.push(pcm)
    assert engine.pull(PACKET) == bytes(2 * PACKET)
    engine.resume()
    assert engine.pull(PACKET) == pcm


def test_step_back_repeats_from_the_position_and_releases_nothing_twice():
    engine, pcm = PlayoutEngine(), noise(4 * PACKET)
    engine.push(pcm)
    engine.mark(500, "word")
    engine.pull(PACKET)
    engine.pull(PACKET)
    assert engine.take_due() == ["word"]
    engine.pause()
    engine.pull(PACKET)
    engine.resume(step_back_to=500)
    assert engine.played == 500
    blocks = []
    while engine.pending:
        blocks.append(content_of(engine, engine.pull(PACKET)))
    assert b"".join(blocks) == pcm[1000:]
    assert engine.take_due() == []


def test_step_back_reaches_as_far_as_the_history_and_never_forward():
    engine = PlayoutEngine()
    engine.push(noise(RATE * 20))
    for _ in range(50 * 15):
        engine.pull(PACKET)
    engine.pause()
    engine.resume(step_back_to=0)
    assert RATE * 15 - 4 * RATE <= engine.played <= RATE * 15 - 2 * RATE
    engine.pause()
    engine.resume(step_back_to=RATE * 19)
    assert engine.played <= RATE * 15


def test_marks_are_released_with_their_sample_in_order():
    engine = PlayoutEngine()
    engine.push(noise(3 * PACKET))
    engine.mark(960, "c")
    engine.mark(0, "a")
    engine.mark(479, "b")
    engine.mark_tail("end")
    assert engine.take_due() == []
    engine.pull(PACKET)
    assert engine.take_due() == ["a", "b"]
    engine.pull(PACKET)
    assert engine.take_due() == []
    engine.pull(1)
    assert engine.take_due() == ["c"]
    engine.pull(PACKET)
    assert engine.take_due() == ["end"]


def test_a_tail_with_nothing_pending_is_due_at_once_and_comes_after_the_last_word():
    engine = PlayoutEngine()
    engine.mark_tail("empty")
    assert engine.take_due() == ["empty"]
    engine.push(noise(10))
    engine.mark_tail("end")
    engine.mark(9, "word")
    engine.pull(PACKET)
    assert engine.take_due() == ["word", "end"]


def test_marks_may_be_ahead_of_their_audio():
    engine = PlayoutEngine()
    engine.mark(100, "word")
    engine.pull(PACKET)
    assert engine.take_due() == []
    engine.push(noise(101))
    engine.pull(PACKET)
    assert engine.take_due() == ["word"]


def test_duck_is_fifteen_decibels_within_a_packet_and_full_again_after():
    engine = PlayoutEngine()
    pcm = sine(20 * PACKET)
    engine.push(pcm)
    engine.pull(PACKET)
    engine.duck()
    ramp = engine.pull(PACKET)
    low = b"".join(engine.pull(PACKET) for _ in range(5))
    engine.unduck()
    rise = engine.pull(PACKET)
    full = b"".join(engine.pull(PACKET) for _ in range(5))

    def rms(block: bytes) -> float:
        return float(np.sqrt(np.mean(ints(block) ** 2)))

    assert 20 * np.log10(rms(low) / rms(pcm)) == pytest.approx(-15, abs=0.1)
    assert full == pcm[2 * 8 * PACKET : 2 * 13 * PACKET]
    assert rms(low) < rms(ramp) < rms(pcm)
    assert rms(low) < rms(rise) < rms(pcm)
    assert np.max(np.abs(np.diff(ints(ramp)))) < 2000


def test_cancel_drops_what_is_pending_and_gives_back_what_was_not_released():
    engine = PlayoutEngine()
    engine.push(sine(10 * PACKET))
    engine.mark(0, "heard")
    engine.mark(5 * PACKET, "later")
    engine.mark_tail("end")
    engine.pull(PACKET)
    assert engine.take_due() == ["heard"]
    engine.duck()
    assert engine.cancel() == ["later", "end"]
    assert (engine.pending, engine.ducked, engine.paused) == (0, False, False)
    assert engine.played == engine.pushed == 10 * PACKET
    tail = ints(engine.pull(PACKET))
    assert np.any(tail[:FADE])
    assert not np.any(tail[FADE:])
    engine.push(noise(PACKET, 3))
    assert engine.pull(PACKET) == noise(PACKET, 3)
    assert engine.take_due() == []


def test_cancel_in_a_pause_makes_no_sound():
    engine = PlayoutEngine()
    engine.push(sine(10 * PACKET))
    engine.pull(PACKET)
    engine.pause()
    engine.pull(PACKET)
    engine.cancel()
    assert engine.pull(PACKET) == bytes(2 * PACKET)
    assert not engine.paused


def test_memory_is_what_is_pending_and_a_short_history():
    engine = PlayoutEngine()
    for _ in range(300):
        engine.push(noise(RATE // 2))
        for _ in range(25):
            engine.pull(PACKET)
    assert engine.pending == 0
    assert len(engine._buffer) <= 2 * RATE * 4


@given(st.lists(st.tuples(st.sampled_from(["push", "pull", "pause", "resume", "duck", "unduck", "cancel"]),
                          st.integers(1, 1200)), max_size=60))  # fmt: skip
def test_any_order_of_orders_keeps_the_count(orders):
    engine = PlayoutEngine()
    for order, size in orders:
        before = engine.played
        match order:
            case "push":
                engine.push(noise(size))
            case "pull":
                block = engine.pull(size)
                start, length = engine.last_content
                assert len(block) == 2 * size
                assert start + length <= size
                assert engine.played - before == length
            case "cancel":
                engine.cancel()
                assert engine.pending == 0
            case _:
                getattr(engine, order)()
                assert engine.played == before
        assert 0 <= engine.played <= engine.pushed


# --- hold ----------------------------------------------------------------------------------


def test_a_hold_loses_no_sample_and_neither_resume_nor_cancel_ends_it():
    engine = PlayoutEngine(sample_rate_hz=24_000, fade_ms=0)
    voice = np.arange(1, 4801, dtype=np.int16)
    engine.push(voice.tobytes())
    first = engine.pull(480)
    engine.hold()
    engine.resume()
    assert engine.paused
    assert engine.pull(480) == bytes(960)
    engine.pause()
    engine.end_hold()
    assert engine.pull(480) == bytes(960), "the pause goes on"
    engine.hold()
    engine.resume()
    assert engine.pull(480) == bytes(960), "the hold goes on"
    engine.end_hold()
    rest = engine.pull(4320)
    assert np.array_equal(np.frombuffer(first + rest, np.int16), voice)
    engine.hold()
    engine.cancel()
    engine.push(voice.tobytes())
    assert engine.pull(480) == bytes(960)
    engine.end_hold()
    assert engine.pull(480) == voice[:480].tobytes()


def test_what_was_played_into_a_dead_line_is_played_again_and_told_once():
    engine = PlayoutEngine(sample_rate_hz=24_000, fade_ms=0)
    voice = np.arange(1, 9601, dtype=np.int16)
    engine.push(voice.tobytes())
    engine.mark(2400, "word")
    engine.pull(4800)
    assert engine.take_due() == ["word"]
    engine.hold(unheard=3600)
    engine.end_hold()
    assert engine.pull(480) == voice[1200:1680].tobytes()
    engine.pull(4800)
    assert engine.take_due() == []
    engine.hold(unheard=10**9)
    engine.end_hold()
    assert engine.pull(1) == voice[:1].tobytes(), "no further back than is kept"
