"""Replies that do not go as planned: without sound, broken, cut at once, over the caller; and calls without an end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.modes import InterruptionMode
from processors.turns import events as ev
from processors.turns.events import Phrase
from processors.turns.machine import TurnMachine
from processors.turns.states import State, TurnParams
from tests.processors.turns.world import Params, World, speech

Scene = list[tuple[int, ev.Event]]
QUESTION: Scene = [*speech(0, 1200, "what is my balance"), (1450, ev.TurnScored(0.95))]
MODES = [InterruptionMode.DUCK, InterruptionMode.PAUSE]


def said(world: World) -> list[Phrase]:
    return [say.phrase for _, say in world.actions(ev.Say)]  # pyright: ignore[reportAttributeAccessIssue]


def asked_at() -> int:
    return World().run(QUESTION, 4000).actions(ev.AskReply)[0][0]


# --- a reply without sound ----------------------------------------------------------------------


class Mute(World):
    """Every reply of the model is over at once and has no sound: an emoji, a code block."""

    def _obey(self, action: ev.Action) -> None:
        super()._obey(action)
        if isinstance(action, ev.AskReply):
            self._voices = [voice for voice in self._voices if voice.reply_id != action.reply_id]
            self._later(self.now_ms + (self.params.llm_ms or 0), ev.ReplyPlayed(action.reply_id, heard="🙂"))


@pytest.mark.parametrize(
    "scene", [QUESTION, [(0, ev.TextTyped("hello"))], [(0, ev.KeyPressed("7")), (1, ev.KeyPressed("#"))]]
)
def test_a_reply_without_sound_is_asked_for_once_more_and_then_a_sentence_is_said(scene: Scene) -> None:
    world = Mute(Params(llm_ms=300)).run(scene, 60_000)
    assert len(world.asked) == 2
    assert len({(ask.turn_id, ask.text) for ask in world.asked}) == 1
    assert said(world) == [Phrase.APOLOGY]
    assert world.machine.state is State.LISTENING
    assert world.quiet_max_ms <= 3000


@pytest.mark.parametrize("noise_ms", range(1300, 3000, 100))
def test_a_reply_without_sound_under_a_noise_is_no_answer_either(noise_ms: int) -> None:
    world = Mute(Params(llm_ms=500)).run([*QUESTION, *speech(noise_ms, noise_ms + 180, "")], 30_000)
    assert len(world.asked) == 2
    assert said(world) == [Phrase.APOLOGY]


def test_what_is_said_while_the_reply_without_sound_is_awaited_is_answered() -> None:
    scene = [*QUESTION, (1700, ev.Words("and my limit", 1, True, 0.9))]
    world = Mute(Params(llm_ms=400)).run(scene, 30_000)
    assert world.asked[-1].text == "what is my balance and my limit"
    assert [ask.text for ask in world.asked].count("what is my balance and my limit") == 2


order = st.lists(
    st.tuples(
        st.integers(0, 900),
        st.sampled_from(["sneeze", "silent", "failed", "stale", "committed", "no words", "speech+", "speech-", "tick"]),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(order)
def test_no_order_of_events_asks_a_third_time_for_the_same_turn(steps: list[tuple[int, str]]) -> None:
    machine = TurnMachine(TurnParams())
    now = 0.0
    asks: list[tuple[int, str]] = []

    def feed(event: ev.Event, secs: float) -> None:
        nonlocal now
        end = now + secs
        while (deadline := machine.next_deadline()) is not None and deadline <= end:
            take(machine.handle(ev.Tick(), deadline))
        now = end
        take(machine.handle(event, now))

    def take(actions: list[ev.Action]) -> None:
        asks.extend((action.turn_id, action.text) for action in actions if isinstance(action, ev.AskReply))

    feed(ev.TextTyped("hello"), 0.0)
    for gap_ms, name in steps:
        reply = machine.known.bot.reply.reply_id if machine.known.bot.reply is not None else 0
        event = {
            "sneeze": ev.SoundStarted(),
            "silent": ev.ReplyPlayed(reply, heard="…"),
            "failed": ev.ReplyPlayed(reply, error="no audio"),
            "stale": ev.ReplyPlayed(reply - 1, heard="…"),
            "committed": ev.ReplyCommitted(reply),
            "no words": ev.Words("", machine.known.judging.last_sound_id, True),
            "speech+": ev.SpeechStarted(),
            "speech-": ev.SpeechEnded(),
            "tick": ev.Tick(),
        }[name]
        feed(event, gap_ms / 1000)
    feed(ev.Tick(), 60.0)
    assert all(asks.count(ask) <= 2 for ask in asks)
    assert {text for _, text in asks} == {"hello"}
    assert len(asks) <= 2


# --- a reply breaks while a sound is judged ---------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("heard", ["", "Your balance"])
@pytest.mark.parametrize("fails_ms", range(3600, 4800, 50))
def test_a_reply_that_breaks_under_a_sneeze_is_apologised_for_as_without_it(
    mode: InterruptionMode, heard: str, fails_ms: int
) -> None:
    scene = [*QUESTION, *speech(4000, 4200, None), (fails_ms, ev.ReplyPlayed(1, heard=heard, error="broke off"))]
    world = World(Params(reply_ms=8000), TurnParams(mode=mode))
    world.run(scene, fails_ms)
    world._voices = [voice for voice in world._voices if voice.reply_id != 1]
    world.run([], 20_000)
    assert said(world) == [Phrase.APOLOGY]
    assert world.quiet_max_ms <= 2000
    assert world.machine.state is State.LISTENING


def test_a_reply_that_breaks_under_a_real_interruption_gives_way_to_it() -> None:
    scene = [*QUESTION, *speech(4000, 5200, "stop tell me about my card", segment=1), (5400, ev.TurnScored(0.9))]
    scene.append((4100, ev.ReplyPlayed(1, heard="Your", error="broke off")))
    world = World(Params(reply_ms=8000))
    world.run(scene, 4100)
    world._voices = []
    world.run([], 20_000)
    assert [ask.text for ask in world.asked] == ["what is my balance", "stop tell me about my card"]
    assert said(world) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_reply_that_runs_dry_under_a_noise_is_given_up_in_time(mode: InterruptionMode) -> None:
    scene = [*QUESTION, *speech(4000, 4200, None), (4100, ev.PlayoutStalled(1, True))]
    world = World(Params(reply_ms=60_000), TurnParams(mode=mode)).run(scene, 12_000)
    assert said(world) == [Phrase.APOLOGY]


# --- a second piece over the caller -------------------------------------------------------------------


@pytest.mark.parametrize("filler_ms", range(100, 1500, 100))
def test_a_reply_does_not_begin_over_a_caller_who_began_under_the_filler(filler_ms: int) -> None:
    asked = asked_at()
    start = asked + 700 + 100  # the filler sounds from here on
    scene = [*QUESTION, (asked + 1, ev.WaitsForTools(1, 5.0))]
    scene += speech(start + filler_ms, start + filler_ms + 2800, "no wait cancel that", segment=1)
    world = World(Params(llm_ms=2000, reply_ms=3500, phrase_length_ms=800)).run(scene, 20_000)
    over = [
        min(end, start + filler_ms + 2800) - max(begin, start + filler_ms + 32)
        for begin, end, reply, _ in world.sounded
        if reply == 1
    ]
    assert max(over, default=0) <= 0
    assert world.asked[-1].text == "what is my balance no wait cancel that"
    assert {ask.turn_id for ask in world.asked} == {1}


def test_a_reply_that_has_run_dry_is_held_and_not_lowered() -> None:
    scene = [*QUESTION, (4000, ev.PlayoutStalled(1, True)), (4200, ev.SoundStarted())]
    world = World(Params(reply_ms=8000)).run(scene, 4250)
    assert [at for at, _ in world.actions(ev.Pause)] == [4200]
    assert not world.actions(ev.Duck)


def test_a_lowered_reply_that_runs_dry_is_held() -> None:
    scene = [*QUESTION, (4000, ev.SoundStarted()), (4100, ev.PlayoutStalled(1, True))]
    world = World(Params(reply_ms=8000)).run(scene, 4150)
    assert [at for at, _ in world.actions(ev.Pause)] == [4100]


# --- the bot has hardly begun ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bot_ms", range(0, 281, 20))
def test_what_was_cut_before_it_said_anything_leaves_one_turn_with_all_words(
    mode: InterruptionMode, bot_ms: int
) -> None:
    begins = World().run(QUESTION, 8000).sounded[0][0]
    start = begins + bot_ms - 32
    scene = [*QUESTION, *speech(start, start + 1300, "on my savings account", segment=1)]
    world = World(Params(reply_ms=4000), TurnParams(mode=mode)).run(
        [*scene, (start + 1550, ev.TurnScored(0.9))], 14_000
    )
    assert world.asked[-1].text == "what is my balance on my savings account"
    assert {ask.turn_id for ask in world.asked} == {1}
    assert all(cancel.unsaid for _, cancel in world.actions(ev.Cancel) if bot_ms)  # pyright: ignore
    assert world.completed == [world.asked[-1].reply_id]
    heard_over = sum(end - max(begin, start + 32) for begin, end, reply, _ in world.sounded if reply == 1)
    assert heard_over <= 60


@pytest.mark.parametrize("by", ["typed", "key"])
def test_a_text_in_the_first_moment_of_the_reply_belongs_to_the_turn(by: str) -> None:
    begins = World().run(QUESTION, 8000).sounded[0][0]
    event = ev.TextTyped("for savings") if by == "typed" else ev.KeyPressed("7")
    world = World(Params(reply_ms=4000)).run([*QUESTION, (begins + 200, event)], 14_000)
    assert world.asked[-1].text == f"what is my balance {'for savings' if by == 'typed' else '7'}"
    assert {ask.turn_id for ask in world.asked} == {1}


def test_what_was_heard_for_longer_is_a_reply() -> None:
    begins = World().run(QUESTION, 8000).sounded[0][0]
    world = World(Params(reply_ms=4000)).run([*QUESTION, (begins + 320, ev.TextTyped("for savings"))], 14_000)
    assert [(ask.turn_id, ask.text) for ask in world.asked] == [(1, "what is my balance"), (2, "for savings")]
    assert not any(cancel.unsaid for _, cancel in world.actions(ev.Cancel))  # pyright: ignore


def test_a_noise_in_the_first_moment_costs_no_sample() -> None:
    begins = World().run(QUESTION, 8000).sounded[0][0]
    world = World(Params(reply_ms=4000)).run([*QUESTION, *speech(begins + 100, begins + 300, None)], 14_000)
    assert world.heard_ms == {1: 4000}
    assert not world.actions(ev.Cancel)


# --- endless talk ---------------------------------------------------------------------------------------


def radio(secs: int, pause_ms: int) -> Scene:
    scene: Scene = []
    at, number = 0, 0
    while at < secs * 1000:
        scene += speech(at, at + 2600, f"and the news of hour {number}", segment=number)
        scene.append((at + 2850, ev.TurnScored(0.9)))
        at += 2600 + pause_ms
        number += 1
    return scene


@pytest.mark.parametrize(("pause_ms", "most"), [(400, 5), (700, 5), (1000, 5), (1600, 6), (2100, 8)])
@pytest.mark.parametrize("preemptive", [False, True])
def test_talk_without_an_end_is_not_asked_about_again_and_again(pause_ms: int, most: int, preemptive: bool) -> None:
    world = World(Params(llm_ms=900, reply_ms=3000), TurnParams(preemptive=preemptive)).run(
        radio(300, pause_ms), 320_000
    )
    assert len(world.asked) <= most
    prepared = [action for _, action in world.actions(ev.PrepareReply) if action.text]  # pyright: ignore
    assert len(prepared) <= 2 * most
    assert world.machine.state is State.LISTENING
    assert world.asked[-1].text.endswith(radio(300, pause_ms)[-2][1].text), "in the end it is answered"  # pyright: ignore


def test_music_without_words_is_told_once_and_then_ignored() -> None:
    scene: Scene = [(at, ev.SpeechStarted()) for at in range(0, 600_000, 30_000)]
    world = World(Params(reply_ms=1000)).run(scene, 630_000)
    assert said(world) == [Phrase.REPEAT]
    assert world.actions(ev.Say)[0][0] <= 30_000
    assert not world.asked


# --- no end ---------------------------------------------------------------------------------------------


LIMITED = TurnParams(max_call_secs=60.0, idle_secs=0)


@pytest.mark.parametrize(
    "scene",
    [
        [(0, ev.ClientReady())],
        [(0, ev.ClientReady()), (40_000, ev.TextTyped("tell me a very long story"))],
        [(0, ev.ClientReady()), *speech(30_000, 90_000, None)],
        [(0, ev.ClientReady()), *((at, ev.TextTyped("and")) for at in range(5000, 90_000, 700))],
        [
            (0, ev.ClientReady()),
            *[e for at in range(5000, 90_000, 3000) for e in speech(at, at + 1500, f"no {at} wait")],
        ],
    ],
    ids=["silent", "the bot talks", "the caller talks", "the caller types", "they interrupt each other"],
)
def test_a_call_ends_politely_at_its_limit_whatever_happens(scene: Scene) -> None:
    world = World(Params(reply_ms=50_000, phrase_length_ms=3000), LIMITED).run(scene, 90_000)
    hung_up = [at for at, _ in world.actions(ev.HangUp)]
    assert hung_up
    assert 44_000 <= hung_up[0] <= 65_000
    goodbyes = [(at, say) for at, say in world.actions(ev.Say) if say.phrase is Phrase.TIME_UP]  # pyright: ignore
    assert goodbyes
    assert 44_000 <= goodbyes[0][0] <= hung_up[0]
    assert goodbyes[0][1].reply_id in world.completed or scene[1:], "it is heard to its end"  # pyright: ignore


def test_without_a_limit_a_call_goes_on() -> None:
    world = World().run([(0, ev.ClientReady()), (7_000_000, ev.TextTyped("still here"))], 7_200_000)
    assert not world.actions(ev.HangUp)


MENU = [
    "for opening hours press one",
    "for your account press two now",
    "to speak to somebody please stay on the line",
]


@pytest.mark.parametrize(
    "sentences", [MENU, MENU[:1], ["sorry I did not get that please say your name after the tone"]]
)
def test_a_partner_who_repeats_itself_is_asked_once_and_left(sentences: list[str]) -> None:
    scene: Scene = []
    for number in range(45):
        at = 4000 * number
        scene += speech(at, at + 1800, sentences[number % len(sentences)], segment=number)
        scene.append((at + 2050, ev.TurnScored(0.9)))
    world = World(Params(llm_ms=400, reply_ms=1000, phrase_length_ms=1000)).run(scene, 180_000)
    assert said(world).count(Phrase.PERSON) == 1
    hung_up = world.actions(ev.HangUp)
    assert hung_up
    assert hung_up[0][0] <= 60_000
    assert len([at for at, _ in world.actions(ev.AskReply) if at < hung_up[0][0]]) <= 9
    assert world.actions(ev.KeepTurn), "what it said is remembered"


def test_a_person_who_says_it_again_and_answers_is_no_machine() -> None:
    question = "what is the balance of my account"
    texts = [question, question, question, "no", question, question, "yes I am", question, "my savings account please"]
    scene: Scene = []
    for number, text in enumerate(texts):
        scene += speech(6000 * number, 6000 * number + 1500, text, segment=number)
    world = World(Params(llm_ms=400, reply_ms=1000)).run(scene, 80_000)
    assert Phrase.PERSON not in said(world)
    assert not world.actions(ev.HangUp)


def test_whoever_is_asked_and_says_that_he_is_a_person_stays() -> None:
    scene: Scene = []
    texts = ["what is the balance of my account"] * 5 + ["yes of course I am one"] + ["and what is my limit"] * 2
    for number, text in enumerate(texts):
        scene += speech(6000 * number, 6000 * number + 1500, text, segment=number)
    world = World(Params(llm_ms=400, reply_ms=1000)).run(scene, 80_000)
    assert said(world).count(Phrase.PERSON) == 1
    assert not world.actions(ev.HangUp)
    assert world.asked[-1].text == "and what is my limit"


# --- are you still there? ----------------------------------------------------------------------------------

PATIENT = TurnParams(idle_secs=5.0, idle_prompts=3)


def minded(world: World) -> list[int]:
    return [at for at, say in world.actions(ev.Say) if say.phrase is Phrase.STILL_THERE]  # pyright: ignore


def test_noise_does_not_put_the_question_off() -> None:
    scene = [e for at in range(3000, 63_000, 3000) for e in speech(at, at + 400, "")]
    world = World(Params(phrase_length_ms=1000), PATIENT).run([(0, ev.ClientReady()), *scene], 70_000)
    assert minded(world)[0] <= 15_000
    assert world.actions(ev.HangUp)


def test_it_is_asked_five_seconds_after_the_last_sound_of_the_bot() -> None:
    world = World(Params(llm_ms=500, reply_ms=12_000), PATIENT).run([(0, ev.TextTyped("go"))], 30_000)
    assert minded(world)[0] - 12_500 in range(4750, 5250)


def test_it_is_not_asked_while_tools_run_whoever_coughs() -> None:
    scene = [(0, ev.TextTyped("go")), (100, ev.WaitsForTools(1, 30.0))]
    scene += [e for at in range(4000, 30_000, 4000) for e in speech(at, at + 200, "")]
    world = World(Params(llm_ms=30_000, reply_ms=1000), PATIENT).run(scene, 31_000)
    assert not minded(world)


def test_real_words_set_all_back() -> None:
    scene = [(0, ev.ClientReady(greets=False)), *speech(12_000, 13_000, "yes I am here")]
    world = World(Params(llm_ms=300, reply_ms=1000, phrase_length_ms=500), PATIENT).run(scene, 40_000)
    assert [at for at in minded(world) if at > 13_000][2] - 14_500 > 10_000
