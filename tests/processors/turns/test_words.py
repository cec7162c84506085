"""Every word that a recogniser gives counts once: late, double and early words, and the order of time."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import Params, World, speech

Scene = list[tuple[int, ev.Event]]


def turns(world: World) -> list[str]:
    """The text of each user turn, as it was asked for last."""
    return list({ask.turn_id: ask.text for ask in world.asked}.values())


def counted(world: World) -> Counter[str]:
    """How often each word stands in a user turn or was taken for an acknowledgement."""
    noted = [action.text for _, action in world.actions(ev.Backchannel)]  # pyright: ignore[reportAttributeAccessIssue]
    return Counter(word for text in [*turns(world), *noted] for word in text.split())


# --- the same words at the same time ------------------------------------------------------------


@pytest.mark.parametrize("gap_ms", [1, 50, 300, 600, 1000, 1500, 2500])
@pytest.mark.parametrize("voice", [True, False])
def test_a_result_that_comes_twice_counts_once(gap_ms: int, voice: bool) -> None:
    scene = [*speech(0, 1200, None), (1450, ev.TurnScored(0.9))] if voice else []
    scene += [(1460 + at, ev.Words("what is my balance", number, True, 0.9)) for number, at in ((1, 0), (2, gap_ms))]
    world = World(Params(reply_ms=3000)).run(scene, 12_000)
    assert turns(world) == ["what is my balance"]
    assert world.completed == [1]
    assert len(world.asked) == 1


def test_a_sentence_in_two_results_and_then_in_one_counts_once() -> None:
    scene = [*speech(0, 1200, None), (1450, ev.TurnScored(0.9))]
    scene += [(1460, ev.Words("what is", 1, True)), (1470, ev.Words("my balance", 2, True))]
    scene += [(1500, ev.Words("What is my balance?", 3, True))]
    assert turns(World().run(scene, 9000)) == ["what is my balance"]


def test_the_same_words_said_again_count_again() -> None:
    scene = speech(0, 1200, "what is my balance") + speech(5000, 6200, "what is my balance", segment=1)
    assert turns(World(Params(reply_ms=1000)).run(scene, 12_000)) == ["what is my balance"] * 2


def test_yes_is_said_twice_in_one_breath() -> None:
    scene = [(64, ev.SpeechStarted()), (600, ev.Words("yes", 1, True)), (1300, ev.Words("yes", 2, True))]
    world = World().run([*scene, (1700, ev.SpeechEnded())], 8000)
    assert turns(world) == ["yes yes"]


@pytest.mark.parametrize("late_ms", range(100, 2000, 100))
def test_a_segment_that_is_read_otherwise_after_its_answer_began_is_no_second_turn(late_ms: int) -> None:
    scene = [*speech(0, 1200, "what is my balance"), (1450, ev.TurnScored(0.95))]
    scene += [(1460 + late_ms, ev.Words("what is the balance", 0, True))]
    world = World(Params(llm_ms=300, reply_ms=2500)).run(scene, 12_000)
    assert turns(world) in (["what is my balance"], ["what is the balance"])
    assert len(world.completed) == 1


# --- words that come after the asking -------------------------------------------------------------


@pytest.mark.parametrize("gap_ms", range(0, 1800, 100))
@pytest.mark.parametrize("voice", [True, False])
def test_a_second_result_is_never_lost(gap_ms: int, voice: bool) -> None:
    scene = [*speech(0, 1200, None), (1450, ev.TurnScored(0.9))] if voice else []
    scene += [(1460, ev.Words("what is my balance", 1, True)), (1460 + gap_ms, ev.Words("and my limit", 2, True))]
    world = World(Params(llm_ms=400, reply_ms=4000)).run(scene, 14_000)
    assert counted(world) == Counter(["what", "is", "my", "balance", "and", "my", "limit"])
    assert world.machine.state is State.LISTENING


@pytest.mark.parametrize("first_ms", [500, 2000])
def test_a_quiet_voice_that_the_vad_misses_is_waited_for(first_ms: int) -> None:
    earlier = [(0, ev.TextTyped("hello"))] if first_ms > 1000 else []
    first_ms += 8000 if earlier else 0
    scene = [(first_ms - 300, ev.Words("I would like", 1, False)), (first_ms, ev.Words("I would like to ask", 1, True))]
    scene += [(first_ms + 600, ev.Words("what my balance is", 2, True))]
    world = World(Params(llm_ms=250, reply_ms=1000)).run([*earlier, *scene], first_ms + 9000)
    assert turns(world)[-1] == "I would like to ask what my balance is"
    assert len(world.asked) == 1 + len(earlier)
    asked_at = world.actions(ev.AskReply)[-1][0]
    assert asked_at - (first_ms + 600) in range(500, 2100)


words_of_a_call = st.lists(
    st.tuples(
        st.integers(0, 2500),  # pause before
        st.integers(1, 4),  # words
        st.booleans(),  # whether the VAD hears it
        st.integers(-300, 900),  # when its result comes, after its end
        st.sampled_from([0, 0, 40, 700, 1500]),  # when the result comes a second time; 0: never
        st.booleans(),  # whether an interim result comes first
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(
    words_of_a_call,
    st.sampled_from([InterruptionMode.DUCK, InterruptionMode.PAUSE]),
    st.integers(100, 1500),
    st.integers(200, 4000),
)
def test_every_final_word_stands_in_exactly_one_turn(
    said: list[tuple[int, int, bool, int, int, bool]], mode: InterruptionMode, llm_ms: int, reply_ms: int
) -> None:
    scene: Scene = []
    at, number, expected = 0, 0, []
    for segment, (pause_ms, count, voiced, late_ms, twice_ms, interim) in enumerate(said, 1):
        start, end = at + pause_ms, at + pause_ms + 250 * count
        text = " ".join(f"table{number + index}" for index in range(count))
        number += count
        expected += text.split()
        if voiced:
            scene += speech(start, end, None)
        told = max(start + 100, end + late_ms)
        if interim:
            scene.append((start + 100, ev.Words(text.split()[0], 2 * segment, False, 0.9)))
        scene.append((told, ev.Words(text, 2 * segment, True, 0.9)))
        if twice_ms and count >= 3:  # a single word may well be said again
            scene.append((told + twice_ms, ev.Words(text, 2 * segment + 1, True, 0.9)))
        at = max(end, told)
    scene.sort(key=lambda entry: entry[0])
    world = World(Params(llm_ms=llm_ms, reply_ms=reply_ms), TurnParams(mode=mode)).run(scene, at + 30_000)
    assert world.machine.state is State.LISTENING
    in_turns = Counter(word for text in turns(world) for word in text.split())
    assert in_turns == Counter(expected)


def test_who_goes_on_and_on_in_one_turn_repeats_nothing() -> None:
    scene: Scene = []
    for number in range(14):
        scene.append((number * 1000, ev.Words(f"table{number} for six", number, True, 0.9)))
    world = World(Params(llm_ms=4000)).run(scene, 40_000)
    assert world.actions(ev.KeepTurn) == []
    assert turns(world) == [" ".join(f"table{number} for six" for number in range(14))]


# --- the order of time ------------------------------------------------------------------------------


def test_typed_text_stands_before_what_is_said_later() -> None:
    scene = [(0, ev.TextTyped("my name is Ann")), *speech(300, 1200, "and I want a room", segment=1)]
    world = World(Params(llm_ms=3000)).run([*scene, (1450, ev.TurnScored(0.9))], 12_000)
    assert turns(world) == ["my name is Ann and I want a room"]


def test_typed_text_stands_behind_what_was_said_before() -> None:
    scene = [(64, ev.SpeechStarted()), (900, ev.TextTyped("for six")), (1000, ev.SpeechEnded())]
    world = World(Params(llm_ms=3000)).run([*scene, (1300, ev.Words("a table please", 1, True))], 12_000)
    assert turns(world) == ["a table please for six"]


@given(st.lists(st.tuples(st.integers(50, 900), st.booleans()), min_size=1, max_size=6))
def test_what_is_typed_and_said_keeps_its_order(steps: list[tuple[int, bool]]) -> None:
    scene: Scene = []
    at, expected = 0, []
    for number, (gap_ms, spoken) in enumerate(steps):
        at += gap_ms
        expected.append(f"table{number}")
        if spoken:
            scene += [(at, ev.SpeechStarted()), (at + 300, ev.SpeechEnded())]
            scene += [(at + 330, ev.Words(f"table{number}", number, True, 0.9))]
            at += 400
        else:
            scene.append((at, ev.TextTyped(f"table{number}")))
    world = World(Params(llm_ms=8000)).run(scene, at + 20_000)
    assert turns(world) == [" ".join(expected)]
