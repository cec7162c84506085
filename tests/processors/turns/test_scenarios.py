"""Faults that users of voice bots reported, as timelines in virtual time with their right values.

Times are milliseconds. The world (``world.py``) plays LLM, voice and playout; speech reaches the machine as the VAD
and the recogniser would tell it.
"""

import pytest

from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns.events import Phrase
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import Params, World, speech

QUESTION = [*speech(0, 1200, "what is my balance"), (1450, ev.TurnScored(0.95))]
ALL_MODES = [InterruptionMode.DUCK, InterruptionMode.PAUSE]


def test_a_question_is_answered_once() -> None:
    world = World().run(QUESTION, 8000)
    assert [(ask.turn_id, ask.text) for ask in world.asked] == [(1, "what is my balance")]
    assert world.completed == [1]
    assert world.machine.state is State.LISTENING


# --- 1: an acknowledgement never ends the reply ----------------------------------------------


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize(
    ("text", "final_ms"), [("mhmm", 5100), ("mhmm", 4700), ("mhmm", 6900), ("", 5100), (None, None)]
)
def test_an_acknowledgement_resumes_the_same_reply(
    mode: InterruptionMode, text: str | None, final_ms: int | None
) -> None:
    scene = QUESTION + speech(4400, 4750, text, final_ms=final_ms, segment=1)
    world = World(Params(reply_ms=8000), TurnParams(mode=mode)).run(scene, 16_000)
    assert world.completed == [1], "the reply ends by itself"
    assert world.heard_ms[1] == 8000, "every sample once"
    assert len(world.asked) == 1, "no user turn"
    assert not world.actions(ev.Cancel)
    resumed_at = world.actions(ev.Resume)[0][0]
    assert resumed_at <= 4750 + 128 + 250
    if mode is InterruptionMode.PAUSE:
        assert world.actions(ev.Pause)[0][0] == 4432, "silent from the first voiced window"
    else:
        assert world.actions(ev.Duck)[0][0] == 4432


# --- 3: a cough between question and answer ---------------------------------------------------


@pytest.mark.parametrize("cough_ms", range(1300, 2600, 20))
def test_a_cough_before_the_answer_does_not_kill_it(cough_ms: int) -> None:
    scene = QUESTION + speech(cough_ms, cough_ms + 180, None)
    world = World(Params(llm_ms=500, reply_ms=3000)).run(scene, 12_000)
    plain = World(Params(llm_ms=500, reply_ms=3000)).run(QUESTION, 12_000)
    assert len(world.completed) == 1
    assert world.heard_ms[world.completed[0]] == 3000
    assert [ask.text for ask in world.asked] == ["what is my balance"]
    late_ms = world.sounded[0][0] - plain.sounded[0][0]
    assert late_ms <= 180 + 250


# --- 4: endless start-of-turn -------------------------------------------------------------------


def test_turn_events_without_voice_or_text_cancel_nothing() -> None:
    scene = [*QUESTION, *[(at, ev.Words("", 1 + index, False)) for index, at in enumerate((1800, 2100, 2400))]]
    world = World().run(scene, 10_000)
    assert not world.actions(ev.Cancel)
    assert world.sounded[0][0] <= 1200 + 1500
    assert len(world.asked) == 1


# --- 8: a noise before the first sample -------------------------------------------------------


def test_a_noise_before_the_first_sample_keeps_the_whole_reply() -> None:
    scene = QUESTION + speech(1560, 1760, None)
    world = World(Params(llm_ms=250, reply_ms=4000)).run(scene, 12_000)
    assert world.heard_ms == {1: 4000}
    assert world.sounded[0][0] <= 1760 + 128 + 250


# --- 11: one sentence in two breaths ------------------------------------------------------------


@pytest.mark.parametrize("gap_ms", range(200, 2600, 100))
def test_one_sentence_in_two_breaths_is_one_turn(gap_ms: int) -> None:
    second_ms = 1200 + gap_ms
    scene = speech(0, 1200, "I want to book") + speech(second_ms, second_ms + 1200, "a table for two", segment=1)
    scene += [(1450, ev.TurnScored(0.2)), (second_ms + 1450, ev.TurnScored(0.95))]
    world = World(Params(llm_ms=600, reply_ms=3000)).run(scene, 20_000)
    assert len(world.completed) == 1, "one reply is heard to its end"
    whole = [ask for ask in world.asked if ask.reply_id == world.completed[0]][0]
    first_ms = sum(end - start for start, end, reply, _ in world.sounded if reply != whole.reply_id)
    if first_ms >= 300:  # less says nothing
        assert [ask.text for ask in world.asked] == ["I want to book", "a table for two"]
        assert [ask.turn_id for ask in world.asked] == [1, 2]
    else:
        assert whole.text == "I want to book a table for two"
        assert {ask.turn_id for ask in world.asked} == {1}


# --- 12: the final comes late --------------------------------------------------------------------


@pytest.mark.parametrize("final_ms", [2100, 3500, 4900, 6000, None])
def test_a_late_final_is_answered_or_asked_for_again(final_ms: int | None) -> None:
    scene = speech(800, 1800, None) + speech(8000, 9000, "second", segment=2)
    if final_ms is not None:
        scene.append((final_ms, ev.Words("what is my balance", 1, True)))
    world = World(Params(reply_ms=1500)).run(scene, 14_000)
    texts = [ask.text for ask in world.asked]
    asked_to_repeat = [at for at, say in world.actions(ev.Say) if say.phrase is Phrase.REPEAT]
    if final_ms is not None and final_ms < 5000:
        assert texts == ["what is my balance", "second"]
    else:
        assert asked_to_repeat
        assert asked_to_repeat[0] <= 2000 + 3000
        assert texts[-1] == "second"
    assert world.quiet_max_ms <= 3000


# --- real interruptions -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("at_ms", range(2400, 5800, 300))
def test_a_real_interruption_ends_the_reply_and_is_answered(mode: InterruptionMode, at_ms: int) -> None:
    scene = QUESTION + speech(at_ms, at_ms + 900, "stop tell me about my card", segment=1)
    scene.append((at_ms + 1150, ev.TurnScored(0.95)))
    world = World(Params(reply_ms=4000), TurnParams(mode=mode)).run(scene, 20_000)
    assert [ask.text for ask in world.asked] == ["what is my balance", "stop tell me about my card"]
    assert world.completed == [2]
    plain = World().run(QUESTION, 8000)
    wait_ms = world.sounded[-1][0] - (at_ms + 900)
    assert any(reply == 2 for _, _, reply, _ in world.sounded)
    first_of_answer = min(start for start, _, reply, _ in world.sounded if reply == 2)
    assert first_of_answer - (at_ms + 900) <= plain.sounded[0][0] - 1200 + 10, wait_ms


def test_a_typed_text_interrupts_at_once_and_waits_for_history() -> None:
    scene = [*QUESTION, (4000, ev.TextTyped("hello"))]
    world = World(Params(reply_ms=8000, commit_ms=40)).run(scene, 16_000)
    assert world.actions(ev.Cancel)[0][0] == 4000
    assert world.actions(ev.AskReply)[1] == (4040, ev.AskReply(2, 2, "hello"))


def test_a_commit_that_never_comes_delays_a_prompt_only_briefly() -> None:
    scene = [*QUESTION, (4000, ev.TextTyped("hello"))]
    world = World(Params(reply_ms=8000, commit_ms=None)).run(scene, 16_000)
    assert world.actions(ev.AskReply)[1][0] == 4300


def test_a_content_sound_that_was_let_go_still_cancels_by_its_words() -> None:
    scene = QUESTION + speech(4000, 4300, "okay", segment=1)
    scene += [(5000, ev.Words("okay stop there", 1, False)), (5200, ev.Words("okay stop there", 1, True))]
    world = World(Params(reply_ms=8000)).run(scene, 20_000)
    assert [ask.text for ask in world.asked][1:] == ["stop there"]
    decisions = [action.decision for _, action in world.actions(ev.PublishDecision)]
    assert any(decision.wrong is True for decision in decisions)


@pytest.mark.parametrize(
    ("text", "score", "cancels"),
    [
        ("of her", -3.0, False),  # a hum that was misread, of which the judge is sure
        ("stop that", -3.0, True),
        ("of her", -1.2, True),
        ("of her", None, True),
    ],
)
def test_late_words_of_a_sound_that_was_let_go_are_weighed_with_what_it_sounded_like(
    text: str, score: float | None, cancels: bool
) -> None:
    scene = [*QUESTION, (4032, ev.SoundStarted()), *[(at, ev.SoundWindow(0.6, -25.0)) for at in range(4033, 4300, 32)]]
    if score is not None:
        scene.append((4301, ev.Scored(score, 300, 1)))
    scene += [(4428, ev.SoundEnded()), (5000, ev.Words(text, 1, True, 0.7))]
    world = World(Params(reply_ms=8000)).run(scene, 20_000)
    assert bool(world.actions(ev.Cancel)) is cancels


def test_a_cancel_without_words_asks_for_the_reply_again() -> None:
    scene = QUESTION + [
        (4032, ev.SoundStarted()),
        (4064, ev.SpeechStarted()),
        *[(at, ev.SoundWindow(0.95, -25.0)) for at in range(4065, 7000, 32)],
        (7128, ev.SoundEnded()),
        (7200, ev.SpeechEnded()),
        (7300, ev.Words("", 1, True)),
    ]
    world = World(Params(reply_ms=8000)).run(scene, 20_000)
    if world.actions(ev.Cancel):
        assert [ask.text for ask in world.asked] == ["what is my balance", "what is my balance"]
    assert world.completed, "never silence"
    assert world.quiet_max_ms <= 3000


# --- slow and dead vendors ------------------------------------------------------------------------


def test_a_slow_reply_is_covered_by_fillers_and_then_given_up() -> None:
    world = World(Params(llm_ms=None)).run(QUESTION, 30_000)
    phrases = [say.phrase for _, say in world.actions(ev.Say)]
    assert phrases[0] is Phrase.MOMENT
    assert phrases[-1] is Phrase.APOLOGY
    assert world.quiet_max_ms <= 3000
    assert world.machine.state is State.LISTENING


@pytest.mark.parametrize("llm_ms", [None, 1500, 2500, 5000, 9000])
def test_while_a_reply_is_awaited_the_caller_hears_or_sees_something(llm_ms: int | None) -> None:
    world = World(Params(llm_ms=llm_ms)).run(QUESTION, 30_000)
    asked = world.actions(ev.AskReply)[0][0]
    sounds = [span[:2] for span in world.sounded]
    signs = [(at, at) for at, _ in world.actions(ev.ShowWaiting)]
    at = asked
    for begins, ends in sorted([*sounds, *signs]):
        assert begins - at <= 1200
        at = max(at, ends)
    assert at > asked + 1500


def test_a_reply_that_runs_dry_shows_a_sign_before_it_is_given_up() -> None:
    scene = [*QUESTION, (3000, ev.PlayoutStalled(1, True))]
    world = World(Params(reply_ms=20_000)).run(scene, 9000)
    (apology_at,) = (at for at, say in world.actions(ev.Say) if say.phrase is Phrase.APOLOGY)
    signs = [at for at, _ in world.actions(ev.ShowWaiting) if at < apology_at]
    assert signs == [3500, 4600]


def test_a_quick_reply_shows_no_sign() -> None:
    assert World(Params(llm_ms=900)).run(QUESTION, 10_000).actions(ev.ShowWaiting) == []


def test_a_dead_voice_is_told_on_the_page() -> None:
    world = World(Params(llm_ms=None, phrase_ms=None)).run(QUESTION, 40_000)
    assert world.actions(ev.TellClient)
    assert world.machine.state is State.LISTENING


def test_the_greeting_can_be_interrupted() -> None:
    scene = [(0, ev.ClientReady()), *speech(600, 1500, "what is my balance"), (1750, ev.TurnScored(0.95))]
    world = World(Params(phrase_length_ms=4000)).run(scene, 10_000)
    assert [ask.text for ask in world.asked] == ["what is my balance"]
    assert world.completed == [2]


# --- the reply waits in the queue ------------------------------------------------------------------


def said(world: World) -> list[tuple[int, Phrase, float]]:
    return [(at, say.phrase, round(say.wait_secs, 1)) for at, say in world.actions(ev.Say)]


def test_a_long_wait_in_queue_is_told_at_once_and_again() -> None:
    asked_at = World().run(QUESTION, 1500).actions(ev.AskReply)[0][0]
    scene = [*QUESTION, (asked_at + 10, ev.WaitsInQueue(1, 12.0))]
    world = World(Params(llm_ms=12_500, reply_ms=3000)).run(scene, 30_000)
    first, second, *_ = said(world)
    assert first == (asked_at + 10, Phrase.BUSY, 12.0)
    assert second[1] is Phrase.IN_QUEUE
    assert second[2] < 9
    assert world.completed[-1] == 1, "the reply is heard in the end, without an apology"
    assert Phrase.APOLOGY not in [phrase for _, phrase, _ in said(world)]


def test_a_short_wait_in_queue_is_covered_as_tools_are() -> None:
    asked_at = World().run(QUESTION, 1500).actions(ev.AskReply)[0][0]
    scene = [*QUESTION, (asked_at + 10, ev.WaitsInQueue(1, 2.0))]
    world = World(Params(llm_ms=2500, reply_ms=3000)).run(scene, 20_000)
    assert said(world) == [(asked_at + 710, Phrase.MOMENT, 0.0)]


def test_a_refusal_is_told_in_its_own_words() -> None:
    asked_at = World().run(QUESTION, 1500).actions(ev.AskReply)[0][0]
    scene = [*QUESTION, (asked_at + 10, ev.Refused(1, Phrase.QUOTA)), (asked_at + 20, ev.ReplyPlayed(1, error="no"))]
    world = World(Params(llm_ms=9000)).run(scene, 9000)
    assert [phrase for _, phrase, _ in said(world)] == [Phrase.QUOTA]


def test_a_refusal_of_an_older_reply_changes_nothing() -> None:
    asked_at = World().run(QUESTION, 1500).actions(ev.AskReply)[0][0]
    scene = [*QUESTION, (asked_at + 10, ev.Refused(7, Phrase.QUOTA)), (asked_at + 20, ev.ReplyPlayed(1, error="no"))]
    world = World(Params(llm_ms=9000)).run(scene, 9000)
    assert [phrase for _, phrase, _ in said(world)] == [Phrase.APOLOGY]


def test_short_waits_in_queue_that_follow_each_other_are_told_as_a_long_one() -> None:
    asked_at = World().run(QUESTION, 1500).actions(ev.AskReply)[0][0]
    scene = [*QUESTION, *((asked_at + 10 + 1000 * second, ev.WaitsInQueue(1, 1.0)) for second in range(25))]
    world = World(Params(llm_ms=26_000), TurnParams()).run(scene, 40_000)
    phrases = [phrase for _, phrase, _ in said(world)]
    assert phrases[:3] == [Phrase.MOMENT, Phrase.STILL, Phrase.BUSY]
    assert set(phrases[3:]) <= {Phrase.IN_QUEUE}
    assert [secs for _, phrase, secs in said(world) if phrase in (Phrase.BUSY, Phrase.IN_QUEUE)][0] == 10.0


def test_a_reply_that_breaks_off_and_waits_in_queue_for_ever_is_given_up_with_a_word() -> None:
    dry = 3000
    scene = [*QUESTION, (dry, ev.PlayoutStalled(1, True))]
    scene += [(dry + 100 + 1000 * second, ev.WaitsInQueue(1, 1.0)) for second in range(30)]
    world = World(Params(reply_ms=60_000), TurnParams()).run(scene, 40_000)
    ((sorry_at, phrase, _),) = said(world)
    assert phrase is Phrase.APOLOGY
    assert sorry_at - dry <= 1000 * TurnParams().reply_secs + 50


# --- a reply is prepared at the first pause -----------------------------------------------------


def test_a_reply_to_the_words_so_far_is_prepared_and_asked_for_with_the_same() -> None:
    scene = [*speech(0, 1200, "what is my balance", final_ms=1250), (1450, ev.TurnScored(0.95))]
    world = World(Params(), TurnParams(preemptive=True)).run(scene, 8000)
    ((prepared_at, prepare),) = world.actions(ev.PrepareReply)
    ((asked_at, ask),) = world.actions(ev.AskReply)
    assert (prepare.turn_id, prepare.text) == (ask.turn_id, ask.text) == (1, "what is my balance")
    assert prepared_at < asked_at


def test_words_that_are_not_final_yet_are_enough_to_prepare_a_reply() -> None:
    scene = [
        *speech(0, 1200, "What is my balance?", final_ms=1700),
        (1450, ev.Words("what is my balance", 0, False)),
    ]
    world = World(Params(), TurnParams(preemptive=True)).run(scene, 8000)
    assert [(at, prepare.text) for at, prepare in world.actions(ev.PrepareReply)] == [(1450, "what is my balance")]
    ((_, ask),) = world.actions(ev.AskReply)
    assert ask.text == "What is my balance?"


@pytest.mark.parametrize("text", ["my name is", "I want to"])
def test_no_reply_to_unfinished_words_is_prepared_before_they_are_final(text: str) -> None:
    scene = [*speech(0, 1200, f"{text} go", final_ms=1700), (1450, ev.Words(text, 0, False))]
    world = World(Params(), TurnParams(preemptive=True)).run(scene, 8000)
    assert [prepare.text for _, prepare in world.actions(ev.PrepareReply)] in ([], [f"{text} go"])


def test_a_reply_is_prepared_in_a_pause_that_is_too_short_to_be_an_end() -> None:
    words = "what is my balance"
    scene = [*speech(0, 1200, words, final_ms=1300), (1100, ev.Words(words, 0, False)), (1130, ev.SpeechPaused())]
    world = World(Params(), TurnParams(preemptive=True)).run(scene, 8000)
    assert [(at, prepare.text) for at, prepare in world.actions(ev.PrepareReply)] == [(1130, words)]
    assert len(world.actions(ev.AskReply)) == 1


def test_a_reply_to_words_that_come_in_a_pause_is_prepared_and_given_up_when_others_follow() -> None:
    scene = [
        *speech(0, 2400, "what is my balance and my limit", final_ms=2500),
        (1130, ev.SpeechPaused()),
        (1160, ev.Words("what is my balance", 0, False)),
        (1300, ev.SpeechResumed()),
        (1400, ev.Words("what is my balance", 0, False)),
        (1800, ev.Words("what is my balance and my", 0, False)),
    ]
    world = World(Params(), TurnParams(preemptive=True)).run(scene, 8000)
    prepared = [(at, prepare.text) for at, prepare in world.actions(ev.PrepareReply)]
    assert prepared[:2] == [(1160, "what is my balance"), (1800, "")]
    assert [text for _, text in prepared[2:]] in ([], ["what is my balance and my limit"])


def test_words_that_go_on_give_the_prepared_reply_up() -> None:
    scene = [*speech(0, 1200, "my name is"), *speech(1900, 2600, "ann smith", segment=1)]
    world = World(Params(), TurnParams(preemptive=True)).run(scene, 9000)
    texts = [prepare.text for _, prepare in world.actions(ev.PrepareReply)]
    assert texts == ["my name is", "", "my name is ann smith"]


def test_nothing_is_prepared_unless_it_is_wanted() -> None:
    assert World().run(QUESTION, 8000).actions(ev.PrepareReply) == []
