"""Voices far below the caller's, over the real voice activity detector."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import WINDOW_SAMPLES
from loadtest.clips import read_wav
from processors.audio_filter.caller import CallerParams, CallerVoice
from processors.audio_filter.handover import hands_over
from processors.vad.silero import SileroStream

DATA = Path(__file__).parents[2] / "data"
NAMES = ("go_forward_ten_meters", "book_a_room", "okay", "stop")
LEVEL_RMS = 2_000.0
VOICED = 0.5


def spoken(name, gain_db=0.0):
    """A clip at the level of somebody close by, or so many dB above."""
    samples = read_wav(DATA / f"{name}.wav").astype(np.float32)
    loud = samples[np.abs(samples) > 0.1 * np.abs(samples).max()]
    return samples * LEVEL_RMS / np.sqrt(np.mean(loud**2)) * 10 ** (gain_db / 20)


class Call:
    """One caller's line."""

    def __init__(self) -> None:
        self.voice = CallerVoice()
        self._silero = SileroStream()
        self._random = np.random.default_rng(1)

    def hear(self, samples=None, secs=0.7):
        """Hear samples, then the room; (voiced windows, those that may be the caller's)."""
        samples = np.zeros(0) if samples is None else samples
        samples = np.concatenate([np.zeros(1_600), samples, np.zeros(round(secs * 16_000))])
        samples = np.clip(samples + self._random.standard_normal(len(samples)) * 10, -32768, 32767).astype(np.int16)
        voiced = passed = 0
        for at in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
            window = samples[at : at + WINDOW_SAMPLES].tobytes()
            prob = self._silero.speech_prob(window)
            mine = self.voice.judge(window, prob)
            voiced += prob >= VOICED
            passed += prob >= VOICED and mine
        return voiced, passed

    def bot_speaks(self):
        self.voice.bot_sounds(True)
        self.hear(secs=0.5)
        self.voice.bot_sounds(False)


@pytest.fixture
def call():
    """A call in which the caller has said something."""
    known = Call()
    known.hear(spoken("go_forward_ten_meters"))
    known.bot_speaks()
    return known


@pytest.mark.parametrize("name", NAMES)
def test_before_the_caller_is_known_everybody_is_heard(name):
    voiced, passed = Call().hear(spoken(name, -20))
    assert voiced
    assert passed == voiced


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("below_db", [12, 18, 24])
def test_a_voice_far_below_is_not_the_callers(call, name, below_db):
    voiced, passed = call.hear(spoken(name, -below_db))
    assert passed <= 3, f"of {voiced} voiced windows"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("gain_db", [-4, 0, 6])
def test_the_callers_own_level_may_change(call, name, gain_db):
    voiced, passed = call.hear(spoken(name, gain_db))
    assert passed >= voiced / 2, "a word may begin softly"


def test_a_far_yes_is_no_consent(call):
    call.hear(spoken("okay", -18))
    call.hear(spoken("okay"))
    assert call.voice.is_callers()


def test_who_has_moved_away_is_heard_when_the_bot_has_asked_twice(call):
    for _ in range(2):
        assert call.hear(spoken("book_a_room", -14))[1] <= 3
        call.bot_speaks()
    voiced, passed = call.hear(spoken("book_a_room", -14))
    assert passed == voiced
    assert call.hear(spoken("stop", -14))[1] > 3, "and is the caller from now on"
    assert not call.voice.is_callers(), "but does not consent from there"
    call.hear(spoken("okay"))
    assert call.voice.is_callers()


def test_after_a_long_silence_whoever_speaks_is_the_caller(call):
    call.hear(secs=CallerParams().silent_secs)
    voiced, passed = call.hear(spoken("book_a_room", -14))
    assert passed == voiced


def test_who_is_given_the_telephone_is_the_caller(call):
    call.voice.hand_over()
    voiced, passed = call.hear(spoken("book_a_room", -12))
    assert passed == voiced
    assert call.voice.is_callers()


def test_a_louder_voice_is_the_caller_even_if_another_was_heard_first():
    call = Call()
    call.hear(spoken("book_a_room", -20))
    voiced, passed = call.hear(spoken("go_forward_ten_meters"))
    assert passed == voiced
    assert call.hear(spoken("book_a_room", -20))[1] <= 3


@given(st.lists(st.tuples(st.integers(0, 32_000), st.floats(0, 1)), max_size=60), st.integers(-40, 0))
def test_a_voice_at_the_callers_level_is_always_heard_again(windows, gain_db):
    """Whatever was heard before: the way back needs no more than the level."""
    voice = CallerVoice()
    for amplitude, prob in windows:
        voice.judge(np.full(WINDOW_SAMPLES, amplitude, np.int16).tobytes(), prob)
    for _ in range(20):
        voice.judge(bytes(2 * WINDOW_SAMPLES), 0.0)
    assert voice.judge(np.full(WINDOW_SAMPLES, 32_500, np.int16).tobytes(), 0.9)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wait, I pass you to my wife.", "en"),
        ("Hold on, I'll put you on to my son", "en"),
        ("Moment, ich gebe Ihnen meine Frau", "de"),
        ("Espere, le paso con mi marido", "es"),
        ("Attendez, je vous passe ma femme", "fr"),
    ],
)
def test_the_caller_says_that_somebody_else_will_speak(text, language):
    assert hands_over(text, language)


@pytest.mark.parametrize("text", ["Can I pass a cheque to my account?", "Give me my balance", "Hand me the list", ""])
def test_other_words_hand_nothing_over(text):
    assert not hands_over(text)


def test_where_other_voices_are_heard_they_still_do_not_consent(call):
    call.hear(spoken("okay", -18))
    assert not call.voice.is_callers(far_counts=True)
    call.hear(spoken("okay"))
    assert call.voice.is_callers(far_counts=True)
