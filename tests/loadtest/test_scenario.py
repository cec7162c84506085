from collections import Counter

import pytest

from loadtest.scenario import Kind, Scenario, ScenarioError, load_scenario


def test_a_deal_holds_each_kind_in_its_proportion_and_is_the_same_each_time():
    scenario = load_scenario("seed")
    dealt = scenario.deal(10, 5)
    assert [len(kinds) for kinds in dealt] == [5] * 10
    counts = Counter(kind for kinds in dealt for kind in kinds)
    assert counts == {
        Kind.QUESTION: 18,
        Kind.INTERRUPTION: 9,
        Kind.TOOL: 8,
        Kind.FALSE_ALARM: 6,
        Kind.LONG_ANSWER: 4,
        Kind.HANG_UP: 2,
        Kind.RECONNECT: 2,
        Kind.SILENCE: 1,
    }
    assert scenario.deal(10, 5) == dealt
    assert scenario.model_copy(update={"seed": 2}).deal(10, 5) != dealt


def test_a_deal_that_does_not_divide_evenly_gives_the_rest_to_the_largest_remainders():
    scenario = Scenario(mix={Kind.QUESTION: 2, Kind.TOOL: 1})
    (kinds,) = scenario.deal(1, 4)
    assert Counter(kinds) == {Kind.QUESTION: 3, Kind.TOOL: 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[mix]\nquestion = 0\n", "no kind has a weight above 0"),
        ("[mix]\ndance = 1\n", "mix.dance"),
        ("think_secs = [3, 1]\n[mix]\nquestion = 1\n", "the shortest pause is longer"),
        ("colour = 1\n[mix]\nquestion = 1\n", "colour"),
        ("= 1", "Invalid"),
    ],
)
def test_what_is_wrong_with_a_scenario_is_said_in_one_line(tmp_path, text, says):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=says):
        load_scenario(str(file))
    with pytest.raises(ScenarioError, match="one of seed"):
        load_scenario("nowhere")
