"""A call's record: what is kept, what is told, and that it stays small."""

import gc
import weakref

import pytest

from observe.call_registry import KEEP_CALLS, CallRegistry
from observe.listener import Listener, Usage
from observe.record import KEEP_MOMENTS, MAX_WORDS, cause_of
from tests.observe.calls import BEGAN, BEGAN_UNIX, decision, opened, play, turn


class Heard(Listener):
    def __init__(self) -> None:
        self.usage: list[Usage] = []
        self.failures: list[str] = []

    def used(self, record, usage):
        self.usage.append(usage)

    def failed(self, record, cause):
        self.failures.append(cause)


@pytest.fixture
def registry() -> CallRegistry:
    return CallRegistry(lambda: {"llm": "groq", "tts": "hibari"})


def kinds(timeline) -> list[str]:
    return [moment["kind"] for moment in timeline["moments"]]


def test_a_call_from_its_first_offer_to_its_end(registry):
    record = opened(registry)
    assert (record.call_id, record.state) == ("1", "connecting")
    assert registry.live() == [record]
    record.ready(BEGAN + 1)
    record.change_state(BEGAN + 3, "speaking")
    record.ready(BEGAN + 4)  # a late word of the client's changes nothing
    row = record.summary(BEGAN + 5)
    assert (row["state"], row["state_secs"], row["secs"]) == ("speaking", 2.0, 5.0)
    assert row["began_at"] == BEGAN_UNIX
    record.over(BEGAN + 6, "the peer closed")
    record.over(BEGAN + 9, "again")
    assert registry.live() == []
    assert [ended.call_id for ended in registry.ended()] == ["1"]
    row = record.summary(BEGAN + 60)
    assert (row["state"], row["secs"], row["end_reason"]) == ("over", 6.0, "the peer closed")
    assert registry.find("1") is registry.find("peer") is record
    assert registry.find("2") is None


def test_a_call_on_hold(registry):
    record = opened(registry)
    record.change_state(BEGAN + 1, "speaking")
    assert record.summary(BEGAN + 2)["on_hold"] is False
    record.hold(BEGAN + 2, on=True)
    assert record.summary(BEGAN + 3)["on_hold"] is True
    record.hold(BEGAN + 5, on=False)
    assert record.summary(BEGAN + 6)["on_hold"] is False
    hold = record.timeline(BEGAN + 6)["moments"][-1]
    assert (hold["kind"], hold["at_ms"], hold["until_ms"]) == ("hold", 2000, 5000)


def test_old_calls_are_forgotten(registry):
    for number in range(KEEP_CALLS + 3):
        opened(registry, f"peer {number}").over(BEGAN + 1, "the peer closed")
    assert len(list(registry.ended())) == KEEP_CALLS
    assert registry.find("3") is None
    assert registry.find("4") is not None


def test_the_timeline_tells_a_turn_with_its_vendors_and_words(registry):
    heard = Heard()
    registry.add_listener(heard)
    record = opened(registry)
    record.speech_began(BEGAN + 1)
    record.speech_ended(BEGAN + 2.5)
    record.said_words(BEGAN + 2.7, "how", 1)
    record.said_words(BEGAN + 2.8, "how much", 1)
    record.asked(BEGAN + 2.9, 7)
    record.first_token(BEGAN + 3.1)
    record.first_token(BEGAN + 3.2)
    record.model_done(BEGAN + 3.4, None)
    record.piece_began(BEGAN + 3.2, 1, "Ten euros.")
    record.first_audio(BEGAN + 3.3)
    record.piece_done(BEGAN + 3.5, None)
    record.playing(BEGAN + 3.35, 7)
    record.word_heard(BEGAN + 3.4, "Ten ")
    record.played(BEGAN + 4, "euros.", cut=True, error=None)
    timeline = record.timeline(BEGAN + 5)
    speech, words, llm, tts, said = timeline["moments"]
    assert (speech["at_ms"], speech["until_ms"]) == (1000, 2500)
    assert (words["text"], words["source"]) == ("how much", "voice")
    assert (llm["vendor"], llm["at_ms"], llm["first_ms"], llm["until_ms"]) == ("groq", 2900, 3100, 3400)
    assert (tts["vendor"], tts["text"], tts["first_ms"]) == ("hibari", "Ten euros.", 3300)
    assert said["words"] == [[3400, "Ten "]]
    assert (said["unheard"], said["cut"], said["until_ms"]) == ("euros.", True, 4000)
    assert heard.usage == [
        Usage("stt", "seconds", 1.5),
        Usage("tts", "characters", 10),
        Usage("tts", "unheard_characters", 6),
    ]


def test_who_has_seen_a_revision_gets_only_what_changed_since(registry):
    record = opened(registry)
    record.change_state(BEGAN + 1, "thinking")
    record.asked(BEGAN + 1, 1)
    seen = record.timeline(BEGAN + 2)["revision"]
    assert record.timeline(BEGAN + 2, after=seen)["moments"] == []
    record.change_state(BEGAN + 2, "speaking")
    record.model_done(BEGAN + 2.5, None)
    assert kinds(record.timeline(BEGAN + 3, after=seen)) == ["vendor", "state"]


def test_an_interruption_ends_what_is_being_made(registry):
    record = opened(registry)
    record.asked(BEGAN + 1, 1)
    record.piece_began(BEGAN + 1.2, 1, "One")
    record.interrupted(BEGAN + 1.5)
    record.model_done(BEGAN + 2, None)  # an echo
    assert [moment["error"] for moment in record.timeline(BEGAN + 3)["moments"]] == ["interrupted", "interrupted"]
    assert [moment["until_ms"] for moment in record.timeline(BEGAN + 3)["moments"]] == [1500, 1500]


@pytest.mark.parametrize(
    ("answer_ms", "cut", "error", "outcome", "failures"),
    [
        (600, False, None, "played", []),
        (600, True, None, "cut", []),
        (None, True, None, "superseded", []),
        (None, False, None, "failed", ["nothing was heard"]),
        (600, False, "no token within 8 s", "failed", ["no token within # s"]),
    ],
)
def test_how_a_turn_ended(registry, answer_ms, cut, error, outcome, failures):
    heard = Heard()
    registry.add_listener(heard)
    record = opened(registry)
    play(record, turn(answer_ms=answer_ms), cut=cut, error=error)
    assert [kept.outcome for kept in record.turns] == [outcome]
    assert heard.failures == failures
    moment = record.timeline(BEGAN + 9)["moments"][-1]
    assert (moment["kind"], moment["at_ms"], moment["until_ms"]) == ("turn", 2000, 4000)


def test_a_fault_is_counted_once_and_spoils_its_turn(registry):
    heard = Heard()
    registry.add_listener(heard)
    record = opened(registry)
    record.asked(BEGAN + 1, 1)
    record.fault(BEGAN + 3, "reply stalled")
    play(record, turn(), cut=True)
    record.asked(BEGAN + 5, 2)
    play(record, turn(2), error="HTTP 500")
    record.fault(BEGAN + 6, "reply failed: HTTP 500")
    record.asked(BEGAN + 7, 3)
    record.fault(BEGAN + 8, "no reply")  # of a turn that never comes to an end by itself
    record.asked(BEGAN + 9, 4)
    play(record, turn(4))
    assert heard.failures == ["reply stalled", "HTTP #", "no reply"]
    assert [kept.outcome for kept in record.turns] == ["failed", "failed", "played"]


def test_a_decision_is_one_entry_and_its_outcome_comes_later(registry):
    record = opened(registry)
    record.decided(BEGAN + 5, decision())
    record.decided(BEGAN + 8, decision(wrong=True))
    (moment,) = record.timeline(BEGAN + 9)["moments"]
    assert moment["at_ms"] == 4700  # the sound's onset
    assert moment["decision"]["wrong"] is True
    assert (record.verdicts, record.wrong_verdicts) == ({"resume": 1}, 1)


def test_a_record_stays_small(registry):
    record = opened(registry)
    record.playing(BEGAN, 1)
    for number in range(2 * KEEP_MOMENTS):
        record.change_state(BEGAN + number, "speaking")
        record.word_heard(BEGAN + number, "la ")
    record.played(BEGAN + 9000, "", cut=False, error=None)
    assert len(record.timeline(BEGAN + 9000)["moments"]) == KEEP_MOMENTS
    record.playing(BEGAN, 2)
    for _ in range(2 * MAX_WORDS):
        record.word_heard(BEGAN, "la ")
    assert len(record.timeline(BEGAN)["moments"][-1]["words"]) == MAX_WORDS


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("no token within 8.5 s", "no token within #.# s"),
        ("HTTP 429: 'slow down, org_123'", "HTTP #"),
        ("", "unknown"),
        ("x" * 200, "x" * 80),
    ],
)
def test_causes_are_few(text, cause):
    assert cause_of(text) == cause


def test_a_record_keeps_no_call_that_is_over(registry):
    class Call:
        def quality(self):
            return {"lost_in_percent": 1.5}

    call = Call()
    gone = weakref.ref(call)
    record = registry.open("peer", now=BEGAN, now_unix=BEGAN_UNIX, quality=call.quality)
    record.measure(BEGAN + 1)
    record.over(BEGAN + 2, "closed")
    del call
    gc.collect()
    assert gone() is None
    assert record.summary(BEGAN + 3)["quality"] == {"lost_in_percent": 1.5}


def test_a_sound_whose_end_is_dated_before_its_start_costs_nothing(registry):
    heard = Heard()
    registry.add_listener(heard)
    record = opened(registry)
    record.speech_began(BEGAN + 1.0)
    record.speech_ended(BEGAN + 0.9)  # both are told at once after a stall, and dated back by different times
    assert heard.usage == [Usage("stt", "seconds", 0.0)]
