"""The local recogniser: when it reads (with a model that the test plays), and what the real model makes of clips."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from bench.wer import hear
from contracts.stt import RecogniserError
from loadtest.clips import load_clips, read_wav
from processors.models.files import ModelError
from processors.stt import moonshine, moonshine_model
from processors.stt.moonshine import TAIL, MoonshineParams, MoonshineRecogniser, Reading, Segment
from processors.stt.moonshine_model import Analysis

DATA = Path(__file__).parents[1] / "data"
TEN_WORDS = "zero one two three four five six seven eight nine"


def analysis(text: str, *probs: float, complete: bool = True) -> Analysis:
    """What the model says: each word is one token, sure unless the test says otherwise."""
    known = (*probs, *(0.9 for _ in text.split()[len(probs) :]))
    logprobs = np.log(np.array(known, np.float32)) if known else np.zeros(0, np.float32)
    return Analysis(text, known, logprobs, np.zeros((1, 288)), np.zeros(3), complete)


class Model:
    """Reads a word from each half second of voice: window n of a test's audio holds the sample value n."""

    def __init__(self) -> None:
        self.read: list[tuple[int, int]] = []
        self.answer = lambda windows: analysis(" ".join(TEN_WORDS.split()[: len(windows) // 16]) or "zero")
        self.gate: threading.Event | None = None

    def analyse(self, pcm: np.ndarray, called_off) -> Analysis:
        assert np.array_equal(pcm[-len(TAIL) :], TAIL)
        windows = pcm[: -len(TAIL) : 512].tolist()
        self.read.append((windows[0], windows[-1]))
        if self.gate is not None:
            self.gate.wait(5)
        if called_off():
            return analysis("cut", complete=False)
        return self.answer(windows)


@pytest.fixture
def model(monkeypatch) -> Model:
    played = Model()
    monkeypatch.setattr(moonshine_model, "load", lambda: None)
    monkeypatch.setattr(moonshine_model, "analyse", played.analyse)
    monkeypatch.setattr(moonshine_model, "analyse_twice", played.analyse)
    return played


class Call:
    """A recogniser, what it said, and how to speak to it."""

    def __init__(self, recogniser: MoonshineRecogniser) -> None:
        self.recogniser = recogniser
        self.transcripts = []
        self.errors = []
        self.now = 0

    async def emit(self, transcript):
        self.transcripts.append(transcript)

    async def fail(self, error):
        self.errors.append(error)

    async def hear(self, windows: int, prob: float) -> None:
        """So many windows of one probability, with all the time that the recogniser wants."""
        for _ in range(windows):
            self.feed(prob)
            await self.settle()

    def feed(self, prob: float) -> None:
        self.recogniser.feed(np.full(512, self.now, np.int16).tobytes(), prob)
        self.now += 1

    async def settle(self) -> None:
        while not self.recogniser.is_idle:
            await asyncio.sleep(0.0005)

    async def say(self, windows: int) -> None:
        """Speech with its start, its end and the silence that the VAD waits for."""
        await self.hear(2, 0.9)
        self.recogniser.speech_started()
        await self.hear(windows - 2, 0.9)
        await self.hear(5, 0.0)
        self.recogniser.speech_stopped()
        await self.hear(1, 0.0)

    @property
    def finals(self):
        return [(one.segment, one.text) for one in self.transcripts if one.final]

    @property
    def partials(self):
        return [(one.segment, one.text) for one in self.transcripts if not one.final]


@asynccontextmanager
async def call(params: MoonshineParams | None = None) -> AsyncIterator[Call]:
    one = Call(MoonshineRecogniser(params))
    await one.recogniser.start(one.emit, one.fail)
    yield one
    await one.recogniser.close()


# --- segments --------------------------------------------------------------------------


def test_a_segment_knows_how_much_of_it_is_speech():
    segment = Segment(1)
    for prob in (0.1, 0.9, 0.4, 0.2, 0.1):
        segment.push(b"\x01\x00" * 512, prob, quiet_prob=0.35)
    assert segment.voiced_end == 3
    assert segment.quiet_windows == 2
    assert segment.secs == pytest.approx(0.16)
    assert len(segment.pcm()) == 5 * 512 + len(TAIL)
    assert not segment.is_read
    segment.reading = Reading(2, analysis("a"))
    assert not segment.is_read
    segment.reading = Reading(3, analysis("a"))
    assert segment.is_read


def test_unsure_words_at_the_end_are_held_back_from_partial_results_only():
    segment = Segment(4, probs=[0.9] * 40)
    segment.reading = Reading(40, analysis("book a roof garden", 0.9, 0.2, 0.3, 0.39))
    partial = segment.transcript(final=False, unsure_prob=0.4)
    assert (partial.text, partial.segment, partial.final) == ("book", 4, False)
    assert [(word.text, round(word.confidence, 2)) for word in partial.words] == [("book", 0.9)]
    final = segment.transcript(final=True)
    assert (final.text, final.final) == ("book a roof garden", True)
    assert final.confidence == pytest.approx((0.9 * 0.2 * 0.3 * 0.39) ** 0.25, rel=1e-4)


def test_words_that_nobody_can_have_said_are_left_out():
    segment = Segment(1, probs=[0.6] * 4 + [0.1] * 6)
    segment.reading = Reading(10, analysis("you"))
    assert segment.transcript(final=True).text == ""
    assert segment.transcript(final=True).words == ()


# --- when it reads ---------------------------------------------------------------------


async def test_speech_is_read_from_before_its_onset_and_told_once_it_ends(model):
    async with call() as one:
        await one.hear(50, 0.0)
        await one.say(40)
        assert one.finals == [(1, "zero one two")]
        assert model.read[0][0] == 40  # 12 windows back from the start, which came at window 52
        assert one.errors == []


async def test_a_final_result_is_there_when_the_vad_says_that_speech_has_stopped(model):
    async with call() as one:
        await one.hear(20, 0.0)
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        await one.hear(38, 0.9)
        await one.hear(5, 0.0)
        readings = len(model.read)
        assert model.read[-1][1] == 62  # the third quiet window
        one.recogniser.speech_stopped()
        await one.settle()
        assert len(model.read) == readings
        assert one.finals == [(1, "zero one two")]


async def test_partial_results_come_early_and_then_with_new_audio(model):
    async with call(MoonshineParams(partial_load=1000)) as one:
        await one.hear(20, 0.0)
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        await one.hear(38, 0.9)
        ends = [last for _, last in model.read]
        assert ends == [30, 39, 48, 57]  # 352 ms after the onset at window 20, then every 288 ms
        assert one.partials == [(1, "zero"), (1, "zero one"), (1, "zero one two")]  # each once


async def test_partial_results_become_rare_when_readings_are_slow(model):
    async with call() as one:
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        await one.hear(8, 0.9)
        model.gate = threading.Event()
        one.feed(0.9)
        await asyncio.sleep(0.2)
        model.gate.set()
        await one.settle()
        before = len(model.read)
        await one.hear(24, 0.9)  # 200 ms of reading are worth at least 800 ms of audio
        assert len(model.read) == before
        await one.hear(60, 0.9)
        assert len(model.read) > before


async def test_speech_that_goes_on_soon_is_the_same_segment_and_is_read_as_a_whole(model):
    async with call() as one:
        await one.hear(20, 0.0)
        await one.say(30)
        await one.hear(8, 0.0)  # 6 + 8 windows of silence: 448 ms
        await one.say(30)
        assert [segment for segment, _ in one.finals] == [1, 1]
        assert one.finals[-1] == (1, "zero one two three four")
        assert {first for first, _ in model.read} == {10}


async def test_speech_that_goes_on_later_is_a_new_segment(model):
    async with call() as one:
        await one.hear(20, 0.0)
        await one.say(30)
        await one.hear(20, 0.0)
        await one.say(30)
        assert one.finals == [(1, "zero one"), (2, "zero one")]


async def test_a_long_segment_ends_at_a_pause(model):
    async with call(MoonshineParams(segment_secs=2.0, longest_segment_secs=3.0)) as one:
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        await one.hear(70, 0.9)
        assert one.finals == []
        await one.hear(1, 0.1)
        assert one.finals == [(1, "zero one two three")]
        await one.hear(40, 0.9)
        await one.hear(6, 0.0)
        one.recogniser.speech_stopped()
        await one.settle()
        assert one.finals[1:] == [(2, "zero one")]


async def test_a_segment_without_a_pause_ends_all_the_same(model):
    async with call(MoonshineParams(segment_secs=2.0, longest_segment_secs=3.0)) as one:
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        await one.hear(100, 0.9)
        assert [segment for segment, _ in one.finals] == [1]
        assert len(model.answer([0] * 94).text.split()) == len(one.finals[0][1].split())


async def test_a_sound_without_words_gets_an_empty_final(model):
    model.answer = lambda windows: analysis("")
    async with call() as one:
        await one.say(20)
        assert one.finals == [(1, "")]
        assert one.partials == []


async def test_a_partial_reading_makes_way_for_the_final_one(model):
    async with call() as one:
        model.gate = threading.Event()
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        for _ in range(20):
            one.feed(0.9)
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert len(model.read) == 1  # never two at a time
        for _ in range(6):
            one.feed(0.0)
        one.recogniser.speech_stopped()
        model.gate.set()
        await one.settle()
        assert [last for _, last in model.read][1:] == [27]
        assert [(one.segment, one.text, one.final) for one in one.transcripts] == [(1, "zero", True)]


async def test_a_speaker_who_goes_on_while_the_final_is_read_gets_no_final_yet(model):
    async with call() as one:
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        await one.hear(12, 0.9)
        model.gate = threading.Event()
        for _ in range(6):
            one.feed(0.0)
        one.recogniser.speech_stopped()
        await asyncio.sleep(0.05)
        one.recogniser.speech_started()
        model.gate.set()
        await one.settle()
        assert one.finals == []
        await one.hear(20, 0.9)
        await one.hear(6, 0.0)
        one.recogniser.speech_stopped()
        await one.settle()
        assert [segment for segment, _ in one.finals] == [1]


async def test_a_reading_that_fails_is_reported_and_the_next_speech_is_read(model):
    def fail(windows):
        raise MemoryError

    async with call() as one:
        answer, model.answer = model.answer, fail
        await one.say(8)
        assert one.finals == []
        assert [str(error) for error in one.errors] == ["I could not make out what you said."] * len(one.errors)
        assert one.errors
        assert isinstance(one.errors[0].__cause__, MemoryError)
        model.answer = answer
        await one.hear(30, 0.0)
        await one.say(20)
        assert one.finals == [(2, "zero one")]


async def test_a_missing_model_is_said_at_the_start(monkeypatch):
    def missing():
        raise ModelError("not installed; run: pip install it")

    monkeypatch.setattr(moonshine_model, "load", missing)
    one = Call(MoonshineRecogniser())
    with pytest.raises(RecogniserError, match="recogniser is not installed") as error:
        await one.recogniser.start(one.emit, one.fail)
    assert isinstance(error.value.__cause__, ModelError)
    await one.recogniser.close()  # before a start, and again: no matter
    await one.recogniser.close()


async def test_close_ends_the_reading_that_is_under_way(model):
    async with call() as one:
        model.gate = threading.Event()
        await one.hear(2, 0.9)
        one.recogniser.speech_started()
        for _ in range(15):
            one.feed(0.9)
        await asyncio.sleep(0.02)
        assert len(model.read) == 1
        closing = asyncio.create_task(one.recogniser.close())
        await asyncio.wait_for(closing, 1)
        model.gate.set()
        await asyncio.sleep(0.02)
        assert one.transcripts == []


# --- the real model --------------------------------------------------------------------


def test_the_model_reads_a_clip_and_shows_its_evidence():
    pcm = np.concatenate([np.zeros(3200, np.int16), read_wav(DATA / "book_a_room.wav")])
    read = moonshine_model.analyse(np.concatenate([pcm, TAIL]))
    assert read.text.strip(".,").lower() == "book a room"
    assert len(read.word_probs) == 3
    assert all(0 < prob <= 1 for prob in read.word_probs)
    assert read.states.shape[1] == 288
    assert read.states.shape[0] == pytest.approx((len(pcm) + len(TAIL)) / moonshine_model.STATE_SAMPLES, abs=2)
    assert read.first_logits.shape == (32_768,)
    assert 0.5 < read.confidence <= 1
    assert read.confidence == pytest.approx(np.exp(read.logprob / len(read.token_logprobs)), rel=1e-4)


def test_int16_and_float_samples_are_read_alike():
    pcm = read_wav(DATA / "okay.wav")
    as_int = moonshine_model.analyse(pcm)
    as_float = moonshine_model.analyse(pcm.astype(np.float32) / 32768)
    assert as_int.text == as_float.text
    assert np.array_equal(as_int.states, as_float.states)


def test_the_shortest_clip_is_read():
    assert moonshine_model.analyse(np.zeros(1, np.int16)).states.shape[1] == 288
    assert moonshine_model.analyse(np.zeros(0, np.int16)).states.shape[1] == 288


def test_a_reading_that_is_called_off_stops_at_once():
    pcm = read_wav(DATA / "go_forward_ten_meters.wav")
    asked = iter([False, False, True])
    read = moonshine_model.analyse(pcm, lambda: next(asked))
    assert not read.complete
    assert len(read.token_logprobs) == 3


@pytest.mark.parametrize(("confidence", "readings"), [(0.8, 1), (0.6, 2)])
def test_only_unsure_readings_are_read_twice(monkeypatch, confidence, readings):
    read = []
    monkeypatch.setattr(
        moonshine_model, "analyse", lambda pcm, called_off: read.append(len(pcm)) or analysis("a", confidence)
    )
    moonshine_model.analyse_twice(np.zeros(16_000, np.int16))
    assert read == [16_000, 16_000 - moonshine_model.SHIFT_SAMPLES][:readings]


@pytest.mark.parametrize(
    ("second", "text"),
    [(analysis("b", 0.7), "b"), (analysis("b", 0.5), "a"), (analysis("b", 0.7, complete=False), "a")],
)
def test_the_likelier_of_two_complete_readings_wins(monkeypatch, second, text):
    answers = iter([analysis("a", 0.6), second])
    monkeypatch.setattr(moonshine_model, "analyse", lambda pcm, called_off: next(answers))
    assert moonshine_model.analyse_twice(np.zeros(16_000, np.int16)).text == text


def test_a_vocabulary_is_a_row_of_lengths_and_bytes():
    long = b"x" * 200
    raw = b"\x01a" + b"\x00" + bytes([200 - 128 + 128, 1]) + long
    assert moonshine_model.parse_vocabulary(raw) == [b"a", b"", long]


@pytest.mark.parametrize("clip", load_clips(DATA), ids=lambda clip: clip.file)
async def test_clips_are_heard_as_labelled(clip):
    heard = await hear(clip)
    assert heard.errors is not None
    assert heard.errors.count == 0, heard.text
    assert (heard.starts > 0) == (clip.file not in ("typing.wav", "music.wav"))


def test_the_module_uses_the_model_by_name():
    # The tests above replace these; were they imported into the module, the real ones would run.
    assert moonshine.moonshine_model is moonshine_model
