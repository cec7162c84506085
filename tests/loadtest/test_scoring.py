"""Figures from recordings whose truth is known, sample by sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.opus import OpusEncoder
from loadtest import scoring
from loadtest.audio import BLOCK_SECS, LOUD_RMS, SAMPLE_RATE_HZ, Clip, clip_from_samples, levels, silence
from loadtest.recording import ReceivedPacket, Recording, Said, Sound
from loadtest.scoring import NotMeasurable
from tests.loadtest.known_bot import sweep, tone


def sound(*loud: tuple[float, float], until: float = 20.0) -> Sound:
    """A bot that is loud in the given spans, seconds from 0."""
    starts = np.arange(round(until / BLOCK_SECS)) * BLOCK_SECS
    rms = np.zeros(len(starts), np.float32)
    for start, end in loud:
        rms[(starts >= start - 1e-9) & (starts < end - 1e-9)] = 2_000
    return Sound(starts, rms)


def said(first: float | None, last: float | None) -> Said:
    return Said("clip", first, last)


@pytest.mark.parametrize(("bot", "expected"), [((3.25, 6), 1_250), ((2.0, 6), 0), ((11, 12), 9_000)])
def test_voice_to_voice_runs_from_the_users_last_to_the_bots_first_sample(bot, expected):
    assert scoring.voice_to_voice_ms(said(0.5, 2), sound(bot)) == pytest.approx(expected, abs=6)


def test_voice_to_voice_is_none_without_an_answer_and_refuses_an_overlap():
    assert scoring.voice_to_voice_ms(said(0.5, 2), sound((0, 1.5))) is None
    with pytest.raises(NotMeasurable, match="speaking when clip ended"):
        scoring.voice_to_voice_ms(said(0.5, 2), sound((0, 5)))
    with pytest.raises(NotMeasurable, match="not said"):
        scoring.voice_to_voice_ms(said(0.5, None), sound((3, 5)))


def test_a_stop_is_the_last_loud_sample_before_silence_not_a_breath():
    bot = sound((0, 2.3), (2.6, 3.1), (4.5, 8))
    assert scoring.barge_in_stop_ms(said(2.0, 2.5), bot) == pytest.approx(1_100, abs=6)
    assert scoring.barge_in_stop_ms(said(2.0, 2.5), bot, stopped_secs=0.2) == pytest.approx(300, abs=6)


def test_a_bot_in_a_breath_that_then_stops_took_no_time():
    assert scoring.barge_in_stop_ms(said(2.2, 2.6), sound((0, 2), (5, 6))) == 0


def test_a_bot_that_never_stops_has_no_stop():
    assert scoring.barge_in_stop_ms(said(2.0, 2.5), sound((0, 20))) is None


def test_a_silent_bot_cannot_be_interrupted():
    with pytest.raises(NotMeasurable, match="silent when clip began"):
        scoring.barge_in_stop_ms(said(2.0, 2.5), sound((0, 1)))


@pytest.mark.parametrize(
    ("bot", "expected"),
    [([(0, 2.05), (2.9, 8)], 400), ([(0, 8)], 0), ([(0, 2.05), (2.3, 8)], 0), ([(0, 2.05)], None)],
)
def test_the_gap_of_a_false_alarm_runs_from_its_end_to_the_bots_next_sample(bot, expected):
    gap = scoring.false_alarm_gap_ms(said(2.0, 2.5), sound(*bot))
    assert gap == (expected if expected is None else pytest.approx(expected, abs=6))


def test_the_longest_silence_counts_both_ends_of_its_span():
    bot = sound((1, 2), (2.5, 3))
    assert scoring.longest_silence_ms(bot, 0, 4) == pytest.approx(1_000, abs=6)
    assert scoring.longest_silence_ms(bot, 1, 3) == pytest.approx(500, abs=6)
    assert scoring.longest_silence_ms(bot, 5, 9) == pytest.approx(4_000, abs=6)


def test_dead_air_is_silence_of_both():
    bot = sound((1, 2), (4, 5))
    speech = [said(2.2, 3.5)]
    assert scoring.longest_quiet_ms(bot, speech, 1, 5) == pytest.approx(500, abs=6)
    assert scoring.longest_quiet_ms(bot, [], 1, 5) == pytest.approx(2_000, abs=6)


def packets(arrivals, *, sequence=65_530, timestamp=2**32 - 4_800, skip=()):
    """20 ms packets that arrive at these times; the numbers in ``skip`` are lost."""
    return [
        ReceivedPacket(arrival, (sequence + k) % 65_536, (timestamp + 960 * k) % 2**32, b"")
        for k, arrival in enumerate(arrivals)
        if k not in skip
    ]


def test_lateness_is_measured_against_the_earliest_packet_across_wrapping_counters():
    arrivals = [100 + 0.02 * k for k in range(100)]
    arrivals[50] += 0.08
    late = scoring.lateness_ms(packets(arrivals))
    assert late[50] == pytest.approx(80, abs=0.01)
    assert np.delete(late, 50).max() < 0.01
    judged = scoring.delivery(packets(arrivals))
    assert (judged.packets, judged.lost, judged.holes, judged.late) == (100, 0, 0, 1)
    assert judged.late_max_ms == pytest.approx(80, abs=0.01)


def test_a_drifting_clock_is_not_lateness():
    drifting = [100 + 0.02 * k * (1 + 200e-6) for k in range(20_000)]
    assert scoring.lateness_ms(packets(drifting)).max() < 1


def test_lost_packets_and_skipped_time_are_told_apart():
    arrivals = [100 + 0.02 * k for k in range(100)]
    assert scoring.delivery(packets(arrivals, skip={7, 8, 40})).lost == 3
    jumped = packets(arrivals)
    jumped[60:] = [p._replace(timestamp=(p.timestamp + 1_920) % 2**32) for p in jumped[60:]]
    judged = scoring.delivery(jumped)
    assert (judged.lost, judged.holes) == (0, 1)
    jumped[59] = jumped[59]._replace(payload=b"\x68")  # it told that silence follows
    assert scoring.delivery(jumped).holes == 0


@given(st.permutations(range(20)))
def test_the_order_of_arrival_does_not_make_losses(order):
    in_order = packets([100 + 0.02 * k for k in range(20)])
    shuffled = [in_order[k]._replace(arrival_secs=100.0) for k in order]
    assert scoring.delivery(shuffled).lost == 0


def test_nothing_received_is_judged_as_nothing():
    assert scoring.delivery([]) == scoring.Delivery(0, 0, 0, 0, 0.0, 0.0)


@given(st.integers(-20_000, 20_000), st.integers(0, 5_000))
@pytest.mark.slow
def test_missing_and_repeated_samples_are_counted_exactly(missing, noise_seed):
    voice = np.random.default_rng(noise_seed).integers(-8_000, 8_000, 96_000).astype(np.int16)
    cut = 48_000
    assert scoring.lost_samples(voice, voice[:cut], voice[cut + missing :]) == missing


def test_another_voice_is_not_found():
    with pytest.raises(NotMeasurable, match="not in the reference"):
        scoring.lost_samples(sweep(2), tone(1, 3_000), tone(1, 3_000))
    with pytest.raises(NotMeasurable, match="0.25 s"):
        scoring.lost_samples(sweep(2), tone(0.1), tone(1))


def recorded(voice: np.ndarray, *, lose=()) -> Recording:
    encoder = OpusEncoder(sample_rate_hz=SAMPLE_RATE_HZ)
    payloads = [encoder.encode(voice[at : at + 960].tobytes()) for at in range(0, len(voice), 960)]
    stream = packets([100 + 0.02 * k for k in range(len(payloads))])
    return Recording(packets=[p._replace(payload=payloads[k]) for k, p in enumerate(stream) if k not in lose])


def test_a_recording_gives_levels_over_arrival_time():
    voice = np.concatenate([silence(0.5), tone(1.0), silence(0.5)])
    loud = recorded(voice).sound().loud_secs
    assert loud[0] == pytest.approx(100.5, abs=0.011)
    assert loud[-1] + BLOCK_SECS == pytest.approx(101.5, abs=0.016)


def test_a_recording_lays_samples_out_by_rtp_time():
    voice = sweep(1.0)
    whole = recorded(voice).samples()
    holed = recorded(voice, lose={10, 11}).samples()
    assert len(whole) == len(holed) == len(voice)
    assert not np.any(holed[9_600:11_520])
    assert np.any(whole[9_600:11_520])
    assert scoring.lost_samples(voice, holed[:-12_000], holed[-12_000:]) == 0
    assert len(recorded(voice).samples(from_secs=100.5)) == len(voice) // 2


def test_an_empty_recording_has_neither_sound_nor_samples():
    assert len(Recording().sound().loud_secs) == 0
    assert len(Recording().samples()) == 0


@given(st.floats(0.03, 0.6), st.floats(0.03, 0.6))
def test_a_clip_knows_its_first_and_last_loud_sample(before, after):
    clip = clip_from_samples("tone", np.concatenate([silence(before), tone(0.3), silence(after)]))
    assert clip.first_loud_secs == pytest.approx(before, abs=BLOCK_SECS)
    assert clip.last_loud_secs == pytest.approx(before + 0.3, abs=BLOCK_SECS)
    assert clip.secs == pytest.approx(before + 0.3 + after, abs=0.021)


def test_levels_are_root_mean_squares():
    assert levels(tone(0.1, rms=LOUD_RMS)) == pytest.approx(LOUD_RMS, rel=0.1)


def test_every_clip_has_a_packet_for_its_first_and_last_loud_block():
    for blocks in range(1, 200):
        clip = Clip("c", (b"",) * 60, first_loud_secs=0.0, last_loud_secs=blocks * 0.005)
        assert clip.first_loud_packet == 0
        assert clip.last_loud_packet == (blocks - 1) // 4
