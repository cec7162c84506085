"""Words that come early: they prepare a reply and may end the turn, and nothing is heard that the vendor denies."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.liveness import EVENTS, explore, random_walk, stuck
from processors.turns import events as ev
from processors.turns.events import EarlyWords, Words
from processors.turns.machine import TurnMachine
from processors.turns.states import State, TurnParams
from processors.turns.transcript import Transcript
from tests.processors.turns.world import Params, World, speech

ASKED = "what is my balance"
EARLY = TurnParams(preemptive=True, preemptive_speaking=0.8, early_end=True)
FAST = Params(llm_ms=100)


def early(final_ms, text=ASKED, said=ASKED, p_complete=0.95):
    """Speech to 1200 ms; the early recogniser has all words when it ends, the vendor at ``final_ms``."""
    return [
        *speech(0, 1200, said, final_ms=final_ms),
        (1410, EarlyWords(text, 0, True)),
        (1415, ev.TurnScored(p_complete)),
    ]


def outcomes(world):
    return [action.outcome for _, action in world.actions(ev.TurnEndedEarly)]


def test_a_turn_ends_on_early_words_and_is_heard_when_the_vendor_agrees():
    world = World(FAST, EARLY).run(early(final_ms=1900), 4000)
    ((asked_at, ask),) = world.actions(ev.AskReply)
    assert (ask.text, asked_at) == (ASKED, 1415)
    assert outcomes(world) == ["confirmed"]
    assert world.sounded[0][0] == 1900  # the reply was ready at 1515


def test_other_final_words_replace_the_reply_before_it_is_heard():
    world = World(FAST, EARLY).run(early(final_ms=1900, said="what is my ballast"), 4000)
    assert [ask.text for ask in world.asked] == [ASKED, "what is my ballast"]
    assert outcomes(world) == ["changed"]
    assert {reply_id for _, _, reply_id, _ in world.sounded} == {world.asked[1].reply_id}


def test_early_words_where_nothing_was_said_are_never_answered():
    world = World(FAST, EARLY).run(early(final_ms=1900, said=""), 6000)
    assert outcomes(world) == ["changed"]
    assert (world.sounded, world.machine.state) == ([], State.LISTENING)


def test_final_words_that_never_come_do_not_hold_the_voice_for_ever():
    world = World(FAST, EARLY).run(
        [*speech(0, 1200, None), (1410, EarlyWords(ASKED, 0, True)), (1415, ev.TurnScored(1.0))], 6000
    )
    assert outcomes(world) == ["unconfirmed"]
    assert world.sounded[0][0] == 1400 + 1000 * EARLY.confirm_secs


def test_the_vendors_first_guess_at_all_words_is_enough():
    scene = [*early(final_ms=1900), (1700, Words(ASKED, 0, False))]
    world = World(FAST, EARLY).run(scene, 4000)
    assert (outcomes(world), world.sounded[0][0]) == (["confirmed"], 1700)


@pytest.mark.parametrize(
    ("text", "p_complete", "vendor"),
    [
        (ASKED, 0.3, None),
        ("my name is", 1.0, None),
        ("tell me what you can do", 0.8, None),
        (ASKED, 1.0, "show me"),
        (ASKED, 1.0, f"{ASKED} and my limit"),
    ],
    ids=["sounds open", "unfinished", "doubtful", "the vendor hears other words", "the vendor hears more"],
)
def test_a_turn_that_may_go_on_waits_for_its_final_words(text, p_complete, vendor):
    scene = early(final_ms=1900, text=text, said=text, p_complete=p_complete)
    if vendor is not None:
        scene.append((1300, Words(vendor, 0, False)))
    world = World(FAST, EARLY).run(scene, 8000)
    assert outcomes(world) == []
    assert world.actions(ev.AskReply)[0][0] >= 1900


def test_who_speaks_on_before_the_final_words_is_one_turn_and_hears_one_reply():
    scene = [
        *early(final_ms=1700),
        *speech(1500, 2400, "and my limit", segment=1),
        (2610, EarlyWords("and my limit", 1, True)),
        (2650, ev.TurnScored(0.95)),
    ]
    world = World(FAST, EARLY).run(scene, 8000)
    assert world.asked[-1].text == f"{ASKED} and my limit"
    assert len({ask.turn_id for ask in world.asked}) == 1
    assert {reply_id for _, _, reply_id, _ in world.sounded} == {world.asked[-1].reply_id}


def test_a_reply_is_prepared_while_the_caller_speaks_to_words_that_sound_complete():
    scene = [
        *speech(0, 2400, "what is my balance please"),
        (1000, EarlyWords("what is my", 0, False)),
        (1100, EarlyWords("what is my", 0, False)),
        (1200, EarlyWords(ASKED, 0, False)),
        (1300, EarlyWords(ASKED, 0, False)),
        (1350, ev.TurnScored(0.9, 1)),
        (1500, EarlyWords(f"{ASKED} please", 0, False)),
        (1600, EarlyWords(f"{ASKED} please", 0, False)),
        (1650, ev.TurnScored(0.6, 2)),
    ]
    world = World(FAST, EARLY).run(scene, 8000)
    asked = [(at, detect.probe) for at, detect in world.actions(ev.DetectEndOfTurn)]
    assert asked == [(1200, 1), (1500, 2), (2600, 0)]
    assert world.actions(ev.PrepareReply)[0] == (1350, ev.PrepareReply(1, ASKED))
    assert 1650 not in [at for at, _ in world.actions(ev.PrepareReply)]


def test_words_that_sound_half_complete_are_asked_about_again_and_others_when_they_have_stood_for_a_while():
    scene = speech(0, 2400, ASKED)
    scene += [(at, EarlyWords("what is my balance", 0, False)) for at in (1000, 1200, 1400, 1600)]
    scene += [(1050, ev.TurnScored(0.6, 1)), (1250, ev.TurnScored(0.1, 2))]
    world = World(FAST, EARLY).run(scene, 8000)
    assert [at for at, detect in world.actions(ev.DetectEndOfTurn) if detect.probe] == [1000, 1200, 1600]


def test_words_that_the_vendor_thinks_are_all_are_prepared_for_while_the_caller_speaks():
    scene = [*speech(0, 1200, ASKED), (900, Words(ASKED, 0, False)), (1000, Words(ASKED, 0, False, eager=True))]
    world = World(FAST, TurnParams(preemptive=True)).run(scene, 4000)
    assert world.actions(ev.PrepareReply)[0] == (1000, ev.PrepareReply(1, ASKED))


def test_the_turn_detector_is_asked_seldom_while_the_caller_speaks():
    words = "what is my balance and my limit and my card and my rate please tell me now"
    scene = speech(0, 9000, words)
    for index in range(1, len(words.split()) + 1):
        scene += [(500 * index + again, EarlyWords(" ".join(words.split()[:index]), 0, False)) for again in (0, 100)]
    world = World(FAST, EARLY).run(scene, 12_000)
    assert len([1 for _, detect in world.actions(ev.DetectEndOfTurn) if detect.probe]) == EARLY.probes


def test_early_words_do_nothing_where_they_are_not_wanted():
    scene = early(final_ms=1900)
    world = World(FAST, TurnParams()).run(scene, 4000)
    assert world.log == World(FAST, TurnParams()).run([e for e in scene if not isinstance(e[1], EarlyWords)], 4000).log


def test_no_short_order_of_events_leaves_the_caller_stuck():
    """Orders of three take minutes: ``python -m bench.liveness`` looks at them."""
    for path, machine in explore(2, EARLY):
        assert stuck(machine) is None, path


def test_random_timelines_never_get_stuck():
    for seed in range(1000):
        assert random_walk(random.Random(seed), EARLY, 30) is None, seed


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(EVENTS)), st.sampled_from([0.0, 0.02, 0.3, 1.0])), max_size=40))
def test_a_voice_that_is_held_is_let_go(steps):
    """Whatever happens: the playout is silenced only while a sound is judged, a cut reply is kept, or final words are
    awaited."""
    machine, now, paused = TurnMachine(EARLY), 0.0, False

    def note(actions):
        nonlocal paused
        for action in actions:
            match action:
                case ev.Pause():
                    paused = True
                case ev.Resume() | ev.Cancel():
                    paused = False

    for name, gap in steps:
        now += gap
        note(machine.handle(EVENTS[name](machine), now))
        if paused:
            known = machine.known
            assert machine.state is State.PAUSED or known.turn.unconfirmed or known.bot.suspended is not None
    for _ in range(8):
        now += 0.5
        note(machine.handle(ev.Tick(), now))
    assert not paused or machine.state is State.PAUSED


# --- what is known of the words


def test_the_vendors_words_are_better_and_the_early_ones_go_further():
    transcript = Transcript()
    transcript.add_early(EarlyWords("what is my balance", 1, False))
    assert (transcript.text(), transcript.ahead()) == ("", "what is my balance")
    transcript.add(Words("What is", 1, False))
    assert transcript.ahead() == "What is my balance"
    transcript.add(Words("What was my bal", 1, False))
    assert transcript.ahead() == "What was my balance"
    transcript.add(Words("Something else entirely", 1, False))
    assert transcript.ahead() == "Something else entirely"
    transcript.add(Words("What was my balance?", 1, True))
    transcript.add_early(EarlyWords("what is my balance please", 1, True))
    assert transcript.ahead() == transcript.text() == "What was my balance?"


VOCABULARY = ["what", "is", "my", "balance", "and", "ten", "10", "limit", "please"]
WORDS = st.lists(st.sampled_from(VOCABULARY), max_size=5).map(" ".join)
RESULT = st.one_of(
    st.builds(Words, WORDS, st.integers(0, 2), st.booleans()),
    st.builds(EarlyWords, WORDS, st.integers(0, 2), st.booleans()),
)


@given(st.lists(st.one_of(RESULT, st.sampled_from(["close", "rely"])), max_size=12))
def test_when_all_is_final_only_the_vendors_words_are_left(results):
    with_early, without = Transcript(), Transcript()
    for result in results:
        for transcript in (with_early, without):
            match result:
                case Words():
                    transcript.add(result)
                case EarlyWords() if transcript is with_early:
                    transcript.add_early(result)
                case _:
                    pass
    for segment in range(3):
        for transcript in (with_early, without):
            transcript.add(Words(f"final {segment}", segment, True))
    assert with_early.text() == without.text() == with_early.ahead() == "final 0 final 1 final 2"


def test_half_a_word_is_not_prepared_for():
    scene = speech(0, 2400, "what were my transactions")
    scene += [(1000, EarlyWords("what were my transaction", 0, False)), (1010, ev.TurnScored(0.95, 1))]
    scene += [(at, EarlyWords("what were my transactions", 0, False)) for at in (1130, 1230)]
    scene += [(1140, ev.TurnScored(0.95, 2))]
    world = World(FAST, EARLY).run(scene, 8000)
    prepared = [(at, ask.text) for at, ask in world.actions(ev.PrepareReply) if ask.text]
    assert prepared[0] == (1230, "what were my transactions")


def test_a_figure_of_the_early_recogniser_is_the_vendors_word():
    transcript = Transcript()
    transcript.add(Words("Go forward, ten meats,", 0, False))
    transcript.add_early(EarlyWords("Go forward 10 meters.", 0, False))
    assert transcript.ahead() == "Go forward, ten meters."
