"""A bot that is made worse on purpose shows up in the right rows of the summary, at the right size.

Its voice begins 500 ms later, one answer of ten is silence, and every third resume is lost.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.tts import VoiceChunk
from loadtest import in_process, virtual_time, whole_calls
from loadtest.scenario import Kind, Scenario
from loadtest.summary import summarise
from tests.loadtest.quick_bot import LONG, MATERIAL, RATE_HZ, SHORT, TTS_SECS, QuickVoice, quick_services, spoken
from transports.playout import PlayoutEngine

SCENARIO = Scenario.model_validate(
    {"mix": {"question": 1}, "think_secs": (0.1, 0.2), "interrupt_after_secs": 1.0, "answer_limit_secs": 5.0}
)
LATER_MS = 500

pytestmark = pytest.mark.slow


class WorseVoice(QuickVoice):
    """Late, and each tenth short answer is silence."""

    def __init__(self) -> None:
        self.answers = 0

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        await asyncio.sleep(TTS_SECS + LATER_MS / 1000)
        self.answers += text == SHORT
        silent = text == SHORT and self.answers % 10 == 0
        yield VoiceChunk(bytes(len(spoken(text))) if silent else spoken(text), RATE_HZ)


class LosesResumes(PlayoutEngine):
    """Every third resume is lost, and the voice stays away for good."""

    resumes = 0

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._lost = False

    def resume(self, step_back_to: int | None = None) -> None:
        if not self.paused:
            return super().resume(step_back_to)
        LosesResumes.resumes += 1
        self._lost = self._lost or LosesResumes.resumes % 3 == 0
        return None if self._lost else super().resume(step_back_to)


def measured(voice: QuickVoice) -> dict[str, Any]:
    """Ten questions, and three false alarms over long answers."""

    async def scene() -> list[whole_calls.Scores]:
        questions = quick_services(SHORT, voice)
        alarms = quick_services(LONG, voice, interruption_mode="pause")
        kinds = [Kind.LONG_ANSWER] + 3 * [Kind.FALSE_ALARM]
        return [
            await whole_calls.talk(questions, [10 * [Kind.QUESTION]], SCENARIO, MATERIAL),
            await whole_calls.talk(alarms, [kinds], SCENARIO, MATERIAL),
        ]

    scores = virtual_time.run(scene())
    return summarise([r for each in scores for r in each.requests], [c for each in scores for c in each.calls])


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    base = measured(QuickVoice())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_process, "PlayoutEngine", LosesResumes)
        worse = measured(WorseVoice())
    return base, worse


def test_the_bot_as_it_is_passes(both):
    base, _ = both
    assert (base["requests"], base["success_rate"], base["silent_failures"]) == (14, 1.0, 0)
    assert base["false_alarms"]["resume_rate"] == 1.0
    assert base["false_alarms"]["samples_lost"] == {"total": 0, "count": 3}


def test_a_later_voice_is_seen_in_voice_to_voice_and_in_its_stage(both):
    base, worse = both
    for which in ("p50", "mean"):
        assert worse["v2v_ms"][which] - base["v2v_ms"][which] == pytest.approx(LATER_MS, abs=25)
        stages = base["stages"]["stages_ms"], worse["stages"]["stages_ms"]
        assert stages[1]["tts"][which] - stages[0]["tts"][which] == pytest.approx(LATER_MS, abs=25)
        for other in ("stt", "end_of_turn", "llm", "clause"):
            assert stages[1][other][which] == pytest.approx(stages[0][other][which], abs=25)


def test_silent_answers_are_counted_as_silent_failures(both):
    _, worse = both
    assert worse["failures"] == {"no_answer": 1, "did_not_resume": 1}
    assert worse["silent_failures"] == 2  # nothing is heard after the lost resume either
    assert worse["by_kind"]["question"]["success_rate"] == 0.9
    assert worse["longest_silence_ms"]["max"] >= 5_000


def test_lost_resumes_are_counted(both):
    _, worse = both
    assert worse["false_alarms"]["resume_rate"] == pytest.approx(2 / 3, abs=1e-3)


def test_the_stages_add_up_to_voice_to_voice_within_five_percent(both):
    for summary in both:
        stages = summary["stages"]
        assert stages["v2v_ms"]["count"] >= 10
        assert stages["within_5_percent"], stages
        assert stages["difference_each_ms"]["p95"] <= 60  # a window of the VAD and a packet
