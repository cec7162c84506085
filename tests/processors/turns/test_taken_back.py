"""A cancel can be taken back: until words mean something, the cut reply is kept, and goes on where it stopped."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns.events import Phrase
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import Params, World, speech

Scene = list[tuple[int, ev.Event]]
QUESTION: Scene = [*speech(0, 1200, "what is my balance"), (1450, ev.TurnScored(0.95))]
LONG = Params(reply_ms=9000)


def cut(start_ms: int, end_ms: int, text: str | None, *, sound_id: int = 1, final_ms: int | None = None) -> Scene:
    """A sound that the judge takes for an interruption after 200 ms."""
    return [
        *speech(start_ms, end_ms, text, segment=sound_id, final_ms=final_ms),
        (start_ms + 232, ev.Scored(6.0, 200, sound_id)),
    ]


def outcome(world: World) -> tuple[str | None, int]:
    """The last decision's outcome, and how long the voice was silent for it."""
    decisions = [
        action.decision for _, action in world.actions(ev.PublishDecision) if isinstance(action, ev.PublishDecision)
    ]
    last = decisions[-1]
    return last.outcome, last.silence_ms


def went_on(world: World, *, length_ms: int = 9000) -> bool:
    """Whether the first reply was heard to its end, every sample once, and nothing was asked or said beside it."""
    return (
        world.completed == [1]
        and world.heard_ms[1] == length_ms
        and len(world.asked) == 1
        and not world.actions(ev.Cancel)
        and not world.actions(ev.Say)
        and world.machine.state is State.LISTENING
    )


# --- what is nothing is taken back ----------------------------------------------------------------


@pytest.mark.parametrize("mode", [InterruptionMode.DUCK, InterruptionMode.PAUSE])
@pytest.mark.parametrize(
    "text", ["oops", "Oh dear!", "yes sir", "uh-oh", "wow", "mhmm", "right right", "[laughs]", "ooooops", ""]
)
def test_the_reply_goes_on_when_the_words_mean_nothing(text: str, mode: InterruptionMode) -> None:
    world = World(LONG, TurnParams(mode=mode)).run(QUESTION + cut(4000, 4700, text), 20_000)
    assert went_on(world)
    (resumed_at,) = (at for at, _ in world.actions(ev.Resume))
    assert resumed_at <= 4700 + 260 + 300, "300 ms after it is known"
    assert outcome(world)[0] == "taken_back"
    assert outcome(world)[1] <= 1200


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "ach du meine Güte"),
        ("de", "hoppla"),
        ("es", "ay Dios mío"),
        ("fr", "oh là là"),
        ("hi", "अरे बाप रे"),
        ("hi", "waah"),
    ],
)
def test_every_language_has_words_that_mean_nothing(language: str, text: str) -> None:
    world = World(LONG, TurnParams())
    world.machine.speak(language)
    assert went_on(world.run(QUESTION + cut(4000, 4700, text), 20_000))


@pytest.mark.parametrize("length_ms", [300, 600, 1200, 2400])
def test_the_reply_goes_on_when_no_recogniser_answers(length_ms: int) -> None:
    world = World(LONG).run(QUESTION + cut(4000, 4000 + length_ms, None), 20_000)
    assert went_on(world)
    assert world.quiet_max_ms <= 2200


def test_words_that_may_still_change_are_believed_when_no_others_come() -> None:
    scene = QUESTION + cut(4000, 4600, None) + [(4750, ev.Words("oh dear", 1, False, 0.9))]
    world = World(LONG).run(scene, 20_000)
    assert went_on(world)
    assert world.actions(ev.Resume)[0][0] <= 4600 + 200 + 300


def test_a_noise_that_does_not_end_is_not_waited_for() -> None:
    scene = [
        *speech(0, 1200, "what is my balance"),
        (900, ev.Words("what is", 0, False)),
        (1450, ev.TurnScored(0.95)),
        (4032, ev.SoundStarted()),
        (4064, ev.SpeechStarted()),
        (4232, ev.Scored(6.0, 200, 1)),
    ]
    world = World(LONG).run(scene, 14_000)
    assert world.heard_ms[1] == 9000
    assert outcome(world)[0] == "taken_back"
    assert outcome(world)[1] <= 2200


# --- with a recogniser that is early --------------------------------------------------------------


def heard_early(text: str, *, vendor_ms: int) -> Scene:
    """A sound that cuts, whose words an early recogniser has at its end and the vendor later."""
    scene = QUESTION + cut(4000, 4700, text, final_ms=vendor_ms)
    return [*scene, (4900, ev.EarlyWords(text, 1, True)), (4910, ev.TurnScored(0.95))]


@pytest.mark.parametrize("vendor_ms", [5000, 5400, 6000])
def test_early_words_that_mean_something_end_the_reply(vendor_ms: int) -> None:
    params = TurnParams(preemptive=True, early_end=True)
    world = World(LONG, params).run(heard_early("stop", vendor_ms=vendor_ms), 20_000)
    assert outcome(world)[0] == "interrupted"
    assert world.heard_ms[1] < 4700 - 2000, "not a sample of it after the cut"
    assert [ask.text for ask in world.asked] == ["what is my balance", "stop"]


@pytest.mark.parametrize("vendor_ms", [5000, 5400, 6000])
def test_early_words_that_mean_nothing_give_the_floor_back_at_once(vendor_ms: int) -> None:
    params = TurnParams(preemptive=True, early_end=True)
    world = World(LONG, params).run(heard_early("oh dear", vendor_ms=vendor_ms), 20_000)
    assert went_on(world)
    assert world.actions(ev.Resume)[0][0] <= 4910 + 300


def test_a_reply_that_had_not_begun_to_sound_is_heard_as_a_whole() -> None:
    scene = QUESTION + cut(1700, 2400, "oops")
    world = World(Params(llm_ms=900, reply_ms=3000)).run(scene, 20_000)
    assert world.completed == [1]
    assert world.heard_ms == {1: 3000}
    assert [ask.text for ask in world.asked] == ["what is my balance"]


def test_a_greeting_goes_on_too() -> None:
    scene = [(0, ev.ClientReady()), *cut(1000, 1700, "oh dear")]
    world = World(Params(phrase_length_ms=4000)).run(scene, 12_000)
    assert world.completed == [1]
    assert world.heard_ms == {1: 4000}
    assert not world.asked


# --- what means something ends the reply ----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["stop", "no", "wait", "nooo", "four two", "what about my card", "tell me about it", "my name is Ann", "oh no"],
)
def test_words_that_mean_something_end_the_reply_and_are_answered(text: str) -> None:
    scene = [*QUESTION, *cut(4000, 4700, text), (4950, ev.TurnScored(0.95))]
    world = World(LONG).run(scene, 24_000)
    assert [ask.text for ask in world.asked] == ["what is my balance", text]
    assert world.completed == [2]
    assert outcome(world)[0] == "interrupted"
    (cut_at,) = (at for at, _ in world.actions(ev.Cancel))
    assert cut_at <= 4700 + 260, "as soon as the words are known, so that the prompt has not to wait"


def test_the_answer_to_an_interruption_is_not_later_than_that_to_a_question() -> None:
    scene = [*QUESTION, *cut(4000, 4900, "tell me about my card"), (5150, ev.TurnScored(0.95))]
    world = World(LONG).run(scene, 24_000)
    plain = World(LONG).run(QUESTION, 8000)
    first = min(start for start, _, reply, _ in world.sounded if reply == 2)
    assert first - 4900 <= plain.sounded[0][0] - 1200 + 10


def test_interim_words_are_enough_to_end_it() -> None:
    scene = QUESTION + cut(4000, 5600, "what about my card") + [(4500, ev.Words("what about", 1, False, 0.9))]
    world = World(LONG).run(scene, 24_000)
    assert world.actions(ev.Cancel)[0][0] == 4500


def test_words_that_come_after_it_has_gone_on_still_end_it() -> None:
    scene = [*QUESTION, *cut(4000, 4700, "stop please", final_ms=6400), (4950, ev.TurnScored(0.95))]
    world = World(LONG).run(scene, 24_000)
    assert [ask.text for ask in world.asked] == ["what is my balance", "stop please"]
    assert world.completed == [2]


def test_an_acknowledgement_just_after_a_question_is_an_answer() -> None:
    scene = [*QUESTION, (3900, ev.WordHeard("now?", True, 0)), *cut(4000, 4700, "yes"), (4950, ev.TurnScored(0.95))]
    world = World(LONG).run(scene, 24_000)
    assert [ask.text for ask in world.asked] == ["what is my balance", "yes"]


def test_a_typed_text_and_a_key_end_a_reply_that_is_kept() -> None:
    for event in (ev.TextTyped("hello"), ev.KeyPressed("1")):
        world = World(LONG).run([*QUESTION, *cut(4000, 4700, None), (4500, event)], 24_000)
        assert world.asked[1].text == getattr(event, "text", None) or getattr(event, "key", None)
        assert world.completed == [2]
        assert len(world.actions(ev.Cancel)) == 1


@pytest.mark.parametrize(("text", "doubted"), [("jumping jehoshaphat", True), ("tell me about my card", False)])
def test_of_words_that_no_list_knows_the_model_is_told_what_they_cut(text: str, doubted: bool) -> None:
    world = World(LONG).run([*QUESTION, *cut(4000, 4700, text), (4950, ev.TurnScored(0.95))], 24_000)
    assert [(ask.text, ask.doubted) for ask in world.asked] == [("what is my balance", False), (text, doubted)]


# --- the model decides ----------------------------------------------------------------------------

STRANGE: Scene = [*QUESTION, *cut(4000, 4700, "jumping jehoshaphat"), (4950, ev.TurnScored(0.95))]


def test_of_words_that_nobody_knows_the_model_may_say_that_the_reply_goes_on() -> None:
    world = World(Params(llm_ms=600, reply_ms=9000, goes_on=True)).run(STRANGE, 24_000)
    assert went_on(world)
    ((asked_at, _),) = world.actions(ev.AskToGoOn)
    ((resumed_at, _),) = world.actions(ev.Resume)
    assert resumed_at == asked_at + 600
    assert outcome(world)[0] == "taken_back"


def test_what_the_model_answers_instead_is_heard_as_soon_as_if_nothing_had_been_kept() -> None:
    kept = World(LONG).run(STRANGE, 24_000)
    final = World(LONG, TurnParams(take_backs=0)).run(STRANGE, 24_000)
    assert [ask.text for ask in kept.asked] == [ask.text for ask in final.asked]
    assert [start for start, _, reply, _ in kept.sounded if reply == 2] == pytest.approx(
        [start for start, _, reply, _ in final.sounded if reply == 2], abs=10
    )
    assert outcome(kept)[0] == "interrupted"


def test_a_model_that_does_not_decide_in_time_is_not_waited_for() -> None:
    world = World(Params(reply_ms=9000, goes_on=None)).run(STRANGE, 40_000)
    ((asked_at, _),) = world.actions(ev.AskToGoOn)
    ((cut_at, _),) = world.actions(ev.Cancel)
    assert cut_at == asked_at + 2500
    assert world.asked[1].doubted
    assert world.completed == [2]


@pytest.mark.parametrize("text", ["it was him", "well where's Conway please", "you can know it"])
@pytest.mark.parametrize(("score", "asks"), [(0.2, True), (6.0, False)])
def test_the_words_of_a_sound_that_the_judge_doubts_may_be_a_mishearing(score: float, asks: bool, text: str) -> None:
    said = speech(4000, 4900, text, segment=1)
    scene = [*QUESTION, *said, (4232, ev.Scored(score, 200, 1)), (5150, ev.TurnScored(0.95))]
    for goes_on in (True, False):
        world = World(Params(reply_ms=9000, goes_on=goes_on)).run(scene, 24_000)
        assert bool(world.actions(ev.AskToGoOn)) == asks
        assert went_on(world) == (asks and goes_on)
        assert [ask.doubted for ask in world.asked[1:]] == ([] if asks and goes_on else [asks])


@pytest.mark.parametrize("text", ["stop", "wait wait", "no", "oh, hang on", "okay stop"])
def test_a_stop_word_needs_no_decision(text: str) -> None:
    said = speech(4000, 4900, text, segment=1)
    scene = [*QUESTION, *said, (4232, ev.Scored(0.2, 200, 1)), (5150, ev.TurnScored(0.95))]
    world = World(Params(reply_ms=9000, goes_on=True)).run(scene, 24_000)
    assert not world.actions(ev.AskToGoOn)
    assert world.completed == [2]


def test_who_goes_on_while_the_model_decides_is_heard_out() -> None:
    scene = [*STRANGE, *speech(5500, 6300, "tell me about my card", segment=2), (6550, ev.TurnScored(0.95))]
    world = World(Params(reply_ms=9000, goes_on=True, llm_ms=900)).run(scene, 30_000)
    asked, withdrawn = (action for _, action in world.actions(ev.AskToGoOn))
    assert isinstance(asked, ev.AskToGoOn)
    assert isinstance(withdrawn, ev.AskToGoOn)
    assert (asked.text, withdrawn.text) == ("jumping jehoshaphat", "")
    assert world.asked[1].text == "jumping jehoshaphat tell me about my card"
    assert world.completed == [2]


@pytest.mark.parametrize("event", [ev.TextTyped("hello"), ev.KeyPressed("1")])
def test_a_typed_text_and_a_key_need_no_decision(event: ev.Event) -> None:
    world = World(Params(reply_ms=9000, goes_on=True, llm_ms=900)).run([*STRANGE, (5500, event)], 30_000)
    assert world.completed == [2]
    assert len(world.actions(ev.Cancel)) == 1


def test_the_words_of_a_turn_of_which_the_model_decides_may_be_told_twice() -> None:
    again = ev.Words("Jumping Jehoshaphat.", 1, True, 0.9)
    world = World(Params(reply_ms=9000, goes_on=True, llm_ms=900)).run([*STRANGE, (5600, again)], 24_000)
    assert went_on(world)
    assert len(world.actions(ev.AskToGoOn)) == 1


# --- nothing is taken back for ever ---------------------------------------------------------------


def test_one_reply_is_taken_back_so_often_and_then_goes_on_through_sounds() -> None:
    scene = list(QUESTION)
    for number in range(6):
        scene += cut(3000 + 2500 * number, 3500 + 2500 * number, "", sound_id=number + 1)
    world = World(Params(reply_ms=14_000)).run(scene, 40_000)
    assert went_on(world, length_ms=14_000)
    decisions = {a.decision.sound_id: a.decision for _, a in world.actions(ev.PublishDecision)}  # pyright: ignore
    assert [decision.outcome for decision in decisions.values()] == ["taken_back"] * 3 + [None] * 3


def test_words_end_a_reply_that_was_taken_back_often() -> None:
    scene = list(QUESTION)
    for number in range(4):
        scene += cut(3000 + 2500 * number, 3500 + 2500 * number, "", sound_id=number + 1)
    scene += cut(14_000, 14_900, "tell me about my card", sound_id=5)
    world = World(Params(reply_ms=20_000)).run(scene, 60_000)
    assert [ask.text for ask in world.asked][1:] == ["tell me about my card"]


def test_bursts_that_follow_one_another_do_not_keep_it_silent_for_ever() -> None:
    scene = QUESTION + cut(4000, 4300, None)
    scene += [event for at in range(4700, 12_000, 700) for event in speech(at, at + 300, None)]
    world = World(LONG).run(scene, 40_000)
    assert world.completed == [1]
    assert outcome(world)[1] <= 4000


def test_a_reply_that_fails_while_it_is_kept_is_apologised_for() -> None:
    scene = QUESTION + cut(2000, 2600, "oops") + [(2500, ev.ReplyPlayed(1, error="no audio"))]
    world = World(Params(llm_ms=None)).run(scene, 20_000)
    assert [say.phrase for _, say in world.actions(ev.Say)] == [Phrase.APOLOGY]  # pyright: ignore
    assert world.machine.state is State.LISTENING


def test_without_take_backs_a_cut_is_final() -> None:
    world = World(LONG, TurnParams(take_backs=0)).run(QUESTION + cut(4000, 4700, "oops"), 24_000)
    assert [at for at, _ in world.actions(ev.Cancel)] == [4232]
    assert 1 not in world.completed


# --- any order ------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "",
        "mhm",
        "oops",
        "oh dear",
        "stop",
        "what about my card",
        "blimey",
        "jumping jehoshaphat",
        "yes sir",
        "twenty two",
        "and",
        "right right",
    ]
)
PIECES = st.lists(
    st.tuples(
        st.integers(300, 2500),  # the end of speech comes 200 ms late
        st.integers(120, 1800),
        WORDS,
        st.none() | st.integers(0, 2500),
        st.booleans(),
        st.floats(-6, 6),
    ),
    max_size=6,
)


def scene_of(pieces: Sequence[tuple[int, int, str, int | None, bool, float]]) -> Scene:
    scene, at = list(QUESTION), 2500
    for number, (pause, length, text, late, interim, score) in enumerate(pieces, start=1):
        at += pause
        scene += speech(at, at + length, None, segment=number)
        scene.append((at + 232, ev.Scored(score, 200, number)))
        if interim:
            scene.append((at + length // 2, ev.Words(text, number, False, 0.8)))
        if late is not None:
            scene.append((at + length + late, ev.Words(text, number, True, 0.9)))
        at += length
    return scene


@settings(max_examples=150, deadline=None)
@given(
    pieces=PIECES,
    mode=st.sampled_from([InterruptionMode.DUCK, InterruptionMode.PAUSE]),
    goes_on=st.sampled_from([True, False, None]),
)
def test_whatever_is_heard_nothing_is_lost_and_nobody_waits(
    pieces: list[tuple[int, int, str, int | None, bool, float]], mode: InterruptionMode, goes_on: bool | None
) -> None:
    params = Params(reply_ms=7000, goes_on=goes_on)
    world = World(params, TurnParams(mode=mode)).run(scene_of(pieces), 90_000)
    assert world.machine.state is State.LISTENING
    assert world.machine.known.bot.suspended is None
    heard = [(start, reply) for start, _, reply, _ in world.sounded]
    assert heard == sorted(heard), "a reply that ended is never heard again"
    assert world.quiet_max_ms <= 4500
    cuts = len(world.actions(ev.Cancel))
    assert len(world.completed) + cuts >= len(world.asked), "each reply is heard to its end, or was cut"
    for reply in world.completed:
        length = 7000 if any(ask.reply_id == reply for ask in world.asked) else 1500
        assert world.heard_ms[reply] == length, "every sample once"
