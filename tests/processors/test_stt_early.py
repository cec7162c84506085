"""The early recogniser: its words are marked, numbered as the vendor's are, and cost no more than they may."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from contracts.stt import RecogniserError, Transcript
from processors.stt.early import EarlyRecogniser, ReadingBudget, ReadingBudgetParams

WINDOW = bytes(1024)


class FakeRecogniser:
    """Numbers stretches of speech from ``first`` on, and says what it is told to."""

    def __init__(self, first=1, fails=False):
        self._number = first - 1
        self._fails = fails
        self.calls = []

    @property
    def segment(self):
        return self._number

    async def start(self, emit, on_error):
        if self._fails:
            raise RecogniserError("no model")
        self.emit = emit

    def feed(self, pcm, speech_prob):
        self.calls.append("feed")

    def speech_started(self):
        self._number += 1
        self.calls.append("started")

    def speech_stopped(self):
        self.calls.append("stopped")

    async def close(self):
        self.calls.append("closed")


async def started(first, early):
    told = []

    async def emit(transcript):
        told.append(transcript)

    async def on_error(error):
        raise AssertionError(error)

    recogniser = EarlyRecogniser(first, lambda: early)
    await recogniser.start(emit, on_error)
    await asyncio.sleep(0)
    return recogniser, told


async def test_early_words_are_marked_and_have_the_number_of_the_vendors_segment(virtual):
    first, early = FakeRecogniser(first=7), FakeRecogniser()
    recogniser, told = await started(first, early)
    recogniser.feed(WINDOW, 0.9)
    recogniser.speech_started()
    await early.emit(Transcript("hello", 1, False))
    await first.emit(Transcript("Hello.", 7, True))
    recogniser.speech_stopped()
    await early.emit(Transcript("nobody knows what this belongs to", 9, True))
    assert told == [Transcript("hello", 7, False, early=True), Transcript("Hello.", 7, True)]
    await recogniser.close()
    assert first.calls == early.calls == ["feed", "started", "stopped", "closed"]


async def test_a_call_hears_without_an_early_recogniser(virtual):
    first = FakeRecogniser()
    recogniser, told = await started(first, FakeRecogniser(fails=True))
    recogniser.speech_started()
    recogniser.feed(WINDOW, 0.9)
    await first.emit(Transcript("Hello.", 1, True))
    assert told == [Transcript("Hello.", 1, True)]
    await recogniser.close()


def test_one_reading_at_a_time():
    budget = ReadingBudget()
    assert budget.begin(1.0)
    assert not budget.begin(1.1)
    budget.end(0.05, 0.06, 1.1)
    assert budget.begin(1.2)


def test_a_reading_that_waits_for_others_makes_the_next_ones_rest():
    budget = ReadingBudget()
    assert budget.begin(1.0)
    budget.end(cpu_secs=0.05, took_secs=0.5, now=1.5)
    assert not budget.begin(3.4)
    assert budget.begin(3.6)
    assert budget.snapshot() == {"readings": 2, "refused": 1, "rests": 1}


@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.floats(0.01, 0.2)), max_size=200))
def test_in_the_long_run_readings_take_no_more_than_their_share(steps):
    params = ReadingBudgetParams(cores=0.25, burst_secs=0.5)
    budget, now, used = ReadingBudget(params), 0.0, 0.0
    for pause_secs, cost_secs in steps:
        now += pause_secs
        if budget.begin(now):
            now += cost_secs
            used += cost_secs
            budget.end(cost_secs, cost_secs, now)
    assert used <= params.cores * now + params.burst_secs + 0.2
