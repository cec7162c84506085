"""Who dictates a number or spells a name is let finish; nobody else is answered later for it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.turns import events as ev
from processors.turns.completeness import Completeness, completeness
from processors.turns.endpoint import EndpointParams, wait_ms
from tests.processors.turns.world import Params, World, speech

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
PHONE = "What is your phone number?"
OPEN_QUESTION = "How are you today?"

Scene = list[tuple[int, ev.Event]]


def asks(question: str) -> Scene:
    """The bot asks something; the caller has heard it after two seconds."""
    words = question.split()
    heard = [(1200 + 50 * at, ev.WordHeard(f"{word} ", True, len(words) - at - 1)) for at, word in enumerate(words)]
    return [(0, ev.TextTyped("go")), *heard]


def dictates(groups: list[str], pauses_ms: list[int], start_ms: int = 4000, late_ms: int = 450) -> Scene:
    """The caller says groups with pauses between; each one's words come after it."""
    scene: Scene = []
    at = start_ms
    for segment, (group, pause_ms) in enumerate(zip(groups, [*pauses_ms, 0], strict=True), 10):
        end = at + 420 * len(group.split())
        scene += speech(at, end, group, final_ms=end + late_ms, segment=segment)
        scene.append((end + 350, ev.TurnScored(0.97)))
        at = end + pause_ms
    return scene


def run(question: str, groups: list[str], pauses_ms: list[int]) -> tuple[World, int]:
    """The conversation, and when the last group ends."""
    scene = dictates(groups, pauses_ms)
    last = max(at for at, event in scene if isinstance(event, ev.SpeechEnded)) - 200
    params = Params(llm_ms=700, reply_ms=1000)
    return World(params).run([*(asks(question) if question else []), *scene], last + 12_000), last


def answers(world: World) -> list[str]:
    return [ask.text for ask in world.asked if ask.text != "go"]


def spoken(digits: str, sizes: tuple[int, ...]) -> list[str]:
    names = [DIGITS[int(digit)] for digit in digits]
    ends = list(itertools.accumulate(sizes))
    return [" ".join(names[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


GROUPS = [(3, 3, 4), (2, 2, 2, 2, 2), (3, 2, 2), (4, 4, 2), (2, 3, 3, 2), (5, 5), (4, 4, 4, 4)]


@pytest.mark.parametrize("sizes", GROUPS, ids=str)
@pytest.mark.parametrize("pause_ms", [920, 1420, 1920])
@pytest.mark.parametrize("question", ["", PHONE, "Please tell me your account number."])
def test_a_dictated_number_is_one_turn(sizes: tuple[int, ...], pause_ms: int, question: str) -> None:
    if question == PHONE and sum(sizes) > 10:
        return  # nobody's telephone number
    groups = spoken("6611257976402718"[: sum(sizes)], sizes)
    world, last = run(question, groups, [pause_ms] * (len(sizes) - 1))
    assert answers(world) == [" ".join(groups)]
    asked_at = world.actions(ev.AskReply)[-1][0]
    reached = sum(sizes) in (10, 16) and question != "Please tell me your account number."
    assert asked_at + 700 - last <= (1500 if reached else 3500)
    sounds = [span for span in world.sounded if span[0] > 4000]
    assert sounds[0][0] > last, "no word of the bot in a gap"


@given(
    st.text("0123456789", min_size=4, max_size=10),
    st.lists(st.integers(1, 4), min_size=1, max_size=8),
    st.lists(st.integers(500, 1900), min_size=8, max_size=8),
    st.integers(150, 900),
)
def test_any_number_in_any_groups_is_one_turn_when_it_was_asked_for(
    digits: str, sizes: list[int], pauses_ms: list[int], late_ms: int
) -> None:
    names = [DIGITS[int(digit)] for digit in digits]
    groups, left = [], names
    for size in itertools.cycle(sizes):
        if not left:
            break
        groups, left = [*groups, " ".join(left[:size])], left[size:]
    scene = dictates(groups, (pauses_ms * 3)[: len(groups) - 1], late_ms=late_ms)
    world = World(Params(llm_ms=700, reply_ms=1000)).run([*asks(PHONE), *scene], 60_000)
    assert answers(world) == [" ".join(names)]


@pytest.mark.parametrize(
    ("groups", "pauses_ms"),
    [
        (["r", "seven", "b", "two", "z", "q"], [500, 700, 1500, 500, 700]),
        (["r seven", "b two", "z q"], [1800, 1800]),
        (["j o h n", "dot smith", "at example", "dot com"], [1200, 1500, 900]),
        (["my name is spelled", "m u", "e double l", "e r"], [900, 1500, 1800]),
        (["it's alpha bravo", "seven seven", "charlie"], [1500, 1800]),
        (["A 1 7", "0 0", "B 3"], [1500, 1500]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
@pytest.mark.parametrize("question", ["", "Could you spell that for me, please?"])
def test_a_spelled_name_is_one_turn(groups: list[str], pauses_ms: list[int], question: str) -> None:
    world, last = run(question, groups, pauses_ms)
    if not question and len(groups[0].split()) == 1:
        pauses_ms = pauses_ms[1:]  # a single letter tells nothing yet
        answer = answers(world)[-1]
        assert answer == " ".join(groups), "it is extended"
    else:
        assert answers(world) == [" ".join(groups)]
    assert world.actions(ev.AskReply)[-1][0] + 700 - last <= 3500


@pytest.mark.parametrize(
    "groups",
    [
        ["six six one", "um", "one two five", "seven nine seven six"],
        ["six six one", "no six six two", "one two five", "seven nine seven six"],
        ["six six one um", "one two five", "seven nine seven six"],
        ["661", "125", "7976"],
        ["my number is 661", "125 79", "76"],
    ],
    ids=" ".join,
)
def test_hesitations_corrections_and_figures_do_not_end_a_dictation(groups: list[str]) -> None:
    world, _ = run(PHONE, groups, [1500] * (len(groups) - 1))
    assert answers(world) == [" ".join(groups)]


def test_a_number_that_lacks_digits_is_answered_in_the_end() -> None:
    world, last = run(PHONE, ["six six one", "one two five"], [1500])
    assert answers(world) == ["six six one one two five"]
    assert world.actions(ev.AskReply)[-1][0] + 700 - last <= 3500


def test_a_question_in_between_is_answered_at_once() -> None:
    world, last = run(PHONE, ["six six one", "what do you need it for?"], [1500])
    assert world.actions(ev.AskReply)[-1][0] - last <= 1000


@pytest.mark.parametrize(
    "text",
    [
        "fine thanks",
        "I have two accounts",
        "two",
        "a table for four",
        "it is room 42",
        "at seven thirty",
        "I don't have one",
        "yes",
        "flight two please",
        "plan b",
        "what about vitamin c",
        "no I do not",
        "the second of May 2026",
    ],
)
@pytest.mark.parametrize("asked", [OPEN_QUESTION, "", "How many people?"])
def test_other_turns_end_no_later(text: str, asked: str) -> None:
    assert completeness(text, "en", asked) is not Completeness.DICTATED
    assert wait_ms(text, 0.97, EndpointParams(), asked) <= 500


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("dos o tres", "es"),
        ("para dos", "es"),
        ("deux ou trois", "fr"),
        ("zwei", "de"),
        ("um drei", "de"),
        ("do", "hi"),
    ],
)
def test_short_words_of_other_languages_are_no_letters(text: str, language: str) -> None:
    assert completeness(text, language) is not Completeness.DICTATED


@pytest.mark.parametrize(
    ("groups", "language"),
    [
        (["null eins", "sieben sechs", "vier zwei"], "de"),
        (["cero uno dos", "cuatro cinco"], "es"),
        (["zéro six", "douze", "quatre cinq"][::2], "fr"),
        (["ek do", "teen char", "paanch"], "hi"),
    ],
)
def test_numbers_are_let_finish_in_every_language(groups: list[str], language: str) -> None:
    for count in range(1, len(groups)):
        assert completeness(" ".join(groups[:count]), language) is Completeness.DICTATED
