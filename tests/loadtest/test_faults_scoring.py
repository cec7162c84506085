"""What counts as silence, as a sign, as an answer, as two voices; with bots that break each rule."""

import wave
from pathlib import Path

import numpy as np
import pytest

from emulators.faults import KINDS, Vendor
from loadtest.faults_matrix import FAULTS, PROVIDERS, TurnState, cells
from loadtest.faults_scoring import (
    LIMIT_MS,
    Debt,
    Outcome,
    Score,
    TurnSeen,
    longest_silence_ms,
    signs_of,
    worst,
)
from loadtest.faults_voices import voices_at_once_ms
from processors.tts.local import HibariVoice

DATA = Path(__file__).parents[1] / "data"
SORRY = frozenset({"Sorry."})


def levels(secs: float, *sounding: tuple[float, float]) -> np.ndarray:
    """Levels of a bot that sounds in these stretches."""
    found = np.zeros(round(secs * 50), np.float32)
    for begins, ends in sounding:
        found[round(begins * 50) : round(ends * 50)] = 2000.0
    return found


# --- silence --------------------------------------------------------------------------------


def test_a_silence_is_counted_from_the_end_of_the_question():
    assert longest_silence_ms(levels(10, (3.0, 5.0)), [], [Debt(2.0, 5.0)]) == 1000


def test_a_silent_bot_owes_all_the_time():
    silence = longest_silence_ms(levels(20), [], [Debt(2.0, 18.0)])
    assert silence == 16_000
    assert not Score(Outcome.NOTHING, silence, recovered=True).ok


def test_a_gap_inside_a_reply_counts_and_one_after_it_does_not():
    sound = levels(20, (3.0, 5.0), (7.0, 8.0))
    assert longest_silence_ms(sound, [], [Debt(2.5, 8.0)]) == 2000
    assert longest_silence_ms(sound, [], [Debt(2.5, 5.0)]) == 500


def test_a_sign_ends_a_silence_once_and_does_not_last():
    assert longest_silence_ms(levels(20), [3.0], [Debt(2.0, 8.0)]) == 5000
    assert longest_silence_ms(levels(20), [3.0, 4.2, 5.5, 7.0], [Debt(2.0, 8.0)]) == 1500


def test_a_sound_too_soft_to_hear_is_none():
    assert longest_silence_ms(np.full(500, 100.0, np.float32), [], [Debt(1.0, 9.0)]) == 8000


def test_nothing_is_silent_when_nothing_is_owed():
    assert longest_silence_ms(levels(60), [], []) == 0


def test_what_the_page_shows_is_a_sign_and_what_it_does_not_is_none():
    messages = [
        (1.0, "turn-state", {"state": "user_speaking"}),
        (2.0, "user-transcription", {"text": "Book", "final": False}),
        (2.5, "user-transcription", {"text": "Book", "final": True}),
        (3.0, "turn-state", {"state": "thinking"}),
        (4.0, "still-thinking", {}),
        (5.0, "error", {"message": "…"}),
        (6.0, "time-to-answer", {"ms": 1}),
        (7.0, "turn-state", {"state": "listening"}),
    ]
    assert signs_of(messages) == [2.0, 3.0, 4.0, 5.0]


# --- answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        (TurnSeen([("Gladly.", None)], SORRY, True, served=True), Outcome.VENDOR),
        (TurnSeen([("Gladly.", None)], SORRY, True, served=True, failures=True), Outcome.NEXT),
        (TurnSeen([("Gladly.", None)], SORRY, True), Outcome.NEXT),
        (TurnSeen([("", "HTTP 503"), ("Sorry.", None)], SORRY, True), Outcome.TOLD),
        (TurnSeen([("Gladly", "broke off"), ("Sorry.", None)], SORRY, True, served=True), Outcome.TOLD),
        (TurnSeen([("Gladly.", None)], SORRY, False, served=True), Outcome.MISHEARD),
        (TurnSeen([], SORRY, True, shown=1), Outcome.UNHEARD),
        (TurnSeen([("", "no audio")], SORRY, True), Outcome.NOTHING),
        (TurnSeen([("Gladly", "broke off")], SORRY, True), Outcome.NOTHING),
        (TurnSeen([], SORRY), Outcome.NOTHING),
    ],
)
def test_how_a_turn_ended(seen, outcome):
    assert seen.outcome is outcome


def test_the_worst_turn_counts_and_none_is_no_answer():
    assert worst([Outcome.VENDOR, Outcome.MISHEARD, Outcome.TOLD]) is Outcome.MISHEARD
    assert worst([]) is Outcome.NOTHING


@pytest.mark.parametrize(
    ("score", "faults"),
    [
        (Score(Outcome.TOLD, LIMIT_MS, recovered=True), []),
        (Score(Outcome.VENDOR, LIMIT_MS + 1, recovered=True), ["silence"]),
        (Score(Outcome.NEXT, 500), ["stuck"]),
        (Score(Outcome.VENDOR, 500, voices_at_once_ms=900, recovered=True), ["two voices"]),
        (Score(Outcome.UNHEARD, 500, recovered=True), ["told on the page only"]),
        (Score(Outcome.BROKEN, problem="OSError"), ["the measurement failed", "stuck", "OSError"]),
    ],
)
def test_what_breaks_the_rule(score, faults):
    assert score.faults == faults
    assert score.ok is not faults


# --- two voices -----------------------------------------------------------------------------


async def sentence(text: str) -> np.ndarray:
    pcm = b"".join([chunk.pcm async for chunk in HibariVoice().speak(text)])
    return np.frombuffer(pcm, np.int16)


def mixed(secs: float, *placed: tuple[float, np.ndarray]) -> np.ndarray:
    out = np.zeros(round(secs * 24_000), np.float32)
    for at, samples in placed:
        begin = round(at * 24_000)
        out[begin : begin + len(samples)] += samples
    return np.clip(out, -32768, 32767).astype(np.int16)


@pytest.mark.slow
async def test_two_voices_at_once_are_heard_and_one_after_the_other_are_not():
    first = await sentence("Our branches are open from nine to five on weekdays.")
    second = await sentence("On which day, and at what time?")
    third = await sentence("This sentence was never spoken by anybody here.")
    known = [first, second, third]
    one_by_one = mixed(8, (0.5, first), (0.6 + len(first) / 24_000, second))
    assert voices_at_once_ms(one_by_one, known) < 200
    over = mixed(8, (0.5, first), (1.5, second))
    both = len(second) * 1000 / 24_000
    assert 0.6 * both < voices_at_once_ms(over, known) <= both
    assert voices_at_once_ms(mixed(8, (0.5, third)), [first, second]) == 0
    assert voices_at_once_ms(np.zeros(100, np.int16), known) == 0


async def test_a_softer_voice_behind_another_is_heard_too():
    first = await sentence("Our branches are open from nine to five on weekdays.")
    second = await sentence("On which day, and at what time?")
    over = mixed(8, (0.5, first), (1.5, (second * 0.7).astype(np.int16)))
    assert voices_at_once_ms(over, [first, second]) > 500


async def test_a_caller_s_words_are_no_voice_of_the_bot_s():
    with wave.open(str(DATA / "book_a_room.wav")) as file:
        said = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    known = [await sentence("Book a room."), await sentence("On which day, and at what time?")]
    assert voices_at_once_ms(np.repeat(said, 2)[: 3 * 24_000], known) == 0


# --- the matrix -----------------------------------------------------------------------------


def test_every_fault_that_an_emulator_can_play_is_in_the_matrix():
    played = {vendor: set() for vendor in Vendor}
    for cell in cells():
        played[cell.provider.vendor].add(cell.fault.kind)
    retired = {kind for kinds in KINDS.values() for kind in kinds if kind.value == "retired"}
    for vendor, kinds in KINDS.items():
        assert kinds - retired <= played[vendor] | {k for k in kinds if k.value == "quota_gone"}, vendor


def test_each_fault_meets_each_state_of_each_provider():
    pairs = {(cell.provider.name, cell.fault) for cell in cells()}
    assert len(list(cells())) == sum(len(fault.states or TurnState) for _, fault in pairs)
    pairs = {(provider, fault.name) for provider, fault in pairs}
    assert {provider for provider, _ in pairs} == set(PROVIDERS)
    assert {fault for _, fault in pairs} == {fault.name for fault in FAULTS}


def test_filters_choose_cells_by_parts_of_their_names():
    chosen = list(cells("deepgram", "429", "barge"))
    assert len(chosen) == 4
    assert {cell.provider.name for cell in chosen} == {"deepgram-nova", "deepgram-flux"}
    assert {cell.state for cell in chosen} == {TurnState.BARGE_IN}
