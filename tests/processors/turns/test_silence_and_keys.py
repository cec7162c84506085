"""What is no speech: phone keys, and a caller who says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.turns import events as ev
from processors.turns.events import Phrase
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import Params, World, speech

QUESTION = [*speech(0, 1200, "what is my balance"), (1450, ev.TurnScored(0.95))]


def keys(text: str, start_ms: int, gap_ms: int = 300) -> list[tuple[int, ev.Event]]:
    return [(start_ms + index * gap_ms, ev.KeyPressed(key)) for index, key in enumerate(text)]


# --- keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "first_ms"),
    [
        ([], 500),  # while it listens
        ([(0, ev.TextTyped("go"))], 3000),  # while it speaks
        ([(0, ev.TextTyped("go")), (2900, ev.SoundStarted())], 3000),  # while it is paused
        ([(0, ev.TextTyped("go"))], 300),  # while it thinks
    ],
    ids=["listening", "speaking", "paused", "thinking"],
)
def test_digits_are_one_turn_that_the_hash_key_ends(scene: list[tuple[int, ev.Event]], first_ms: int) -> None:
    world = World(Params(reply_ms=8000)).run([*scene, *keys("1234#", first_ms)], 20_000)
    last = world.asked[-1]
    assert last.text.split()[-1] == "1234"
    asked_at = [at for at, _ in world.actions(ev.AskReply)]
    assert asked_at[-1] == first_ms + 1200, "at the hash key, without waiting for a voice"
    assert len(world.asked) == (2 if scene else 1)
    assert [at for at, _ in world.actions(ev.Cancel)] == ([first_ms] if scene else []), "the first key interrupts"
    assert world.completed == [last.reply_id]


def test_without_a_hash_key_the_turn_ends_when_no_key_follows() -> None:
    world = World().run(keys("42", 0, gap_ms=2400), 12_000)
    assert [(at, ask.text) for at, ask in world.actions(ev.AskReply)] == [(4900, "42")]


def test_a_hash_key_alone_is_a_turn() -> None:
    world = World().run(keys("#", 0), 12_000)
    assert [(at, ask.text) for at, ask in world.actions(ev.AskReply)] == [(2500, "#")]


def test_a_hash_key_that_comes_late_costs_no_reply() -> None:
    world = World(Params(llm_ms=2000)).run([*keys("42", 0), (3500, ev.KeyPressed("#"))], 12_000)
    assert [ask.text for ask in world.asked] == ["42"]
    assert not world.actions(ev.Cancel)


def test_keys_and_words_are_one_turn() -> None:
    scene = [*speech(0, 900, "my number is"), (1150, ev.TurnScored(0.9)), *keys("77", 1000, gap_ms=2000)]
    world = World().run(scene, 12_000)
    assert [ask.text for ask in world.asked] == ["my number is 77"]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from("0123456789*")), min_size=1, max_size=12),
    st.sampled_from([None, 0, 1700, 2600, 5000]),
)
def test_no_key_is_lost_or_doubled_whatever_the_bot_does(pressed: list[tuple[int, str]], speak_ms: int | None) -> None:
    at, scene = 2000, [] if speak_ms is None else speech(speak_ms, speak_ms + 700, "well", segment=1)
    for gap_ms, key in pressed:
        at += gap_ms
        scene.append((at, ev.KeyPressed(key)))
    world = World(Params(reply_ms=3000)).run([*scene, (at + 1, ev.KeyPressed("#"))], at + 20_000)
    assert world.asked[-1].text.split()[-1] == "".join(key for _, key in pressed)
    assert world.machine.state is State.LISTENING


# --- silence ---------------------------------------------------------------------------------

PATIENT = TurnParams(idle_secs=10.0, idle_prompts=2)


def said(world: World) -> list[tuple[int, Phrase]]:
    return [(at, say.phrase) for at, say in world.actions(ev.Say)]


def test_who_says_nothing_is_asked_twice_and_then_hung_up_on() -> None:
    world = World(Params(phrase_ms=0, phrase_length_ms=1000), PATIENT).run([(0, ev.ClientReady())], 60_000)
    assert said(world) == [
        (0, Phrase.GREETING),
        (11_000, Phrase.STILL_THERE),
        (22_000, Phrase.STILL_THERE),
        (33_000, Phrase.GOODBYE),
    ]
    assert [at for at, _ in world.actions(ev.HangUp)] == [34_600], "the goodbye is heard whole"


def test_silence_counts_from_the_start_where_the_bot_does_not_greet() -> None:
    world = World(turn_params=PATIENT).run([(0, ev.ClientReady(greets=False))], 10_500)
    assert said(world) == [(10_000, Phrase.STILL_THERE)]


def test_who_answers_is_asked_as_patiently_again() -> None:
    scene = [(0, ev.ClientReady(greets=False)), *speech(21_000, 22_000, "yes I am here")]
    world = World(Params(phrase_ms=0, phrase_length_ms=500, reply_ms=1000), PATIENT).run(scene, 46_000)
    assert [phrase for _, phrase in said(world)] == [Phrase.STILL_THERE] * 4
    assert not world.actions(ev.HangUp)


def test_who_speaks_into_the_goodbye_or_right_after_it_stays_on_the_line() -> None:
    for start_ms in (10_200, 11_200):
        scene = [(0, ev.ClientReady(greets=False)), *speech(start_ms, start_ms + 900, "wait there is one thing")]
        params = TurnParams(idle_secs=10.0, idle_prompts=0)
        world = World(Params(phrase_ms=0, phrase_length_ms=1000), params).run(scene, 15_000)
        assert [ask.text for ask in world.asked] == ["wait there is one thing"]
        assert not world.actions(ev.HangUp)


def test_a_bot_without_a_voice_hangs_up_too() -> None:
    world = World(Params(phrase_ms=None), PATIENT).run([(0, ev.ClientReady())], 90_000)
    assert len(world.actions(ev.HangUp)) == 1


def test_a_client_that_comes_back_is_not_greeted_again() -> None:
    world = World().run([(0, ev.ClientReady()), (5000, ev.ClientReady()), (9000, ev.ClientReady())], 12_000)
    assert [phrase for _, phrase in said(world)] == [Phrase.GREETING]


# --- sounds without words --------------------------------------------------------------------------


@pytest.mark.parametrize("every_ms", [700, 1500, 3000])
@pytest.mark.parametrize("text", ["", None], ids=["no words", "no result"])
@pytest.mark.parametrize("burst_ms", [150, 400])
def test_sounds_without_words_do_not_put_off_the_question_for_ever(
    every_ms: int, text: str | None, burst_ms: int
) -> None:
    scene: list[tuple[int, ev.Event]] = [(0, ev.ClientReady(greets=False))]
    for number, at in enumerate(range(1000, 90_000, every_ms)):
        scene += speech(at, at + burst_ms, text, segment=number)
    world = World(Params(), TurnParams(idle_secs=8.0, idle_prompts=1)).run(scene, 90_000)
    phrases = [phrase for _, phrase in said(world) if phrase is not Phrase.REPEAT]
    assert phrases[:2] == [Phrase.STILL_THERE, Phrase.GOODBYE]
    asked_at = next(at for at, phrase in said(world) if phrase is Phrase.STILL_THERE)
    assert asked_at <= 8000 + 5000 + 4000
    assert not world.asked


def test_somebody_who_speaks_is_not_asked_whether_they_are_there() -> None:
    scene = [(0, ev.ClientReady(greets=False)), *speech(6000, 14_000, "a long story"), (14_250, ev.TurnScored(0.9))]
    world = World(Params(), TurnParams(idle_secs=8.0)).run(scene, 17_000)
    assert [ask.text for ask in world.asked] == ["a long story"]
    assert not said(world)


def test_a_keyless_caller_is_asked_to_repeat_a_short_sound_once() -> None:
    scene: list[tuple[int, ev.Event]] = []
    for number, at in enumerate(range(0, 20_000, 4000)):
        scene += speech(at, at + 300, None, segment=number)
    world = World().run(scene, 24_000)
    assert [phrase for _, phrase in said(world)] == [Phrase.REPEAT]
