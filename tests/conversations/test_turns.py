"""Turns as a caller has them."""

import asyncio

import numpy as np

from contracts.llm import Finish, LanguageModelError, TextDelta
from tests.conversations.conftest import Calling, clip


class Model:
    """Answers with prepared texts; may think for a while, fail, or never answer."""

    name = "prepared"

    def __init__(self, *answers, think_secs=0.3):
        self.answers = list(answers)
        self.think_secs = think_secs
        self.prompts = []

    async def warm(self, system_prompt, tools=()):
        pass

    async def stream(self, messages, tools=()):
        self.prompts.append([(m["role"], m["content"]) for m in messages[1:]])
        answer = self.answers.pop(0) if self.answers else "I see."
        await asyncio.sleep(self.think_secs)
        if isinstance(answer, Exception):
            raise answer
        yield TextDelta(answer)
        yield Finish("stop")

    async def close(self):
        pass


LONG = (
    "Our branches are open from Monday to Friday, from nine in the morning until five in the afternoon. On the first "
    "Saturday of every month they are open from ten until one. The telephone line is open day and night, and also on "
    "holidays. Statements are sent by e-mail at the end of each month."
)


async def test_it_greets_when_the_client_can_hear(virtual, call: Calling):
    async with call(greeting="Hello, this is the help line.") as c:
        await c.until_state("speaking")
        await c.until_state("listening")
        (played,) = c.told("reply-played")
        assert (played["heard"], played["cut"]) == ("Hello, this is the help line.", False)
        assert np.max(c.levels()) > 1000


async def test_two_spoken_turns_and_what_is_remembered(virtual, call: Calling):
    model = Model("Which day?", "Done.")
    async with call(model) as c:
        for name in ("book_a_room", "go_forward_ten_meters"):
            c.say(clip(name))
            await c.until_state("user_speaking")
            await c.until_state("speaking")
            await c.until_state("listening")
        assert [played["heard"] for played in c.told("reply-played")] == ["Which day?", "Done."]
    first, second = model.prompts
    assert [role for role, _ in second] == ["user", "assistant", "user"]
    assert "book" in first[0][1].lower()
    assert second[1] == ("assistant", "Which day?")
    assert "forward" in second[2][1].lower()


async def test_typed_text_works_as_speech_does(virtual, call: Calling):
    model = Model("Nine to five.")
    async with call(model) as c:
        await c.type("When are you open?")
        await c.until_state("speaking")
        await c.until_state("listening")
        assert model.prompts == [[("user", "When are you open?")]]
        assert c.told("reply-played")[0]["heard"] == "Nine to five."


async def test_a_stop_cuts_the_reply_and_history_holds_what_was_heard(virtual, call: Calling):
    model = Model(LONG, "All right.")
    async with call(model) as c:
        await c.type("When?")
        await c.until_state("speaking")
        await c.listen(2.5)
        start, _ = c.say(clip("stop"))
        await c.until_state("user_speaking")
        assert c.now - start < 1.0
        await c.until_state("speaking")
        await c.until_state("listening")
        cut, answer = c.told("reply-played")
        assert cut["cut"]
        assert LONG.startswith(cut["heard"].strip())
        assert 4 <= len(cut["heard"].split()) <= 16
        assert (cut["heard"] + cut["unheard"]).strip() == LONG
        assert answer["heard"] == "All right."
    assert model.prompts[1][1] == ("assistant", cut["heard"].strip() + " …[interrupted]")
    words_told = "".join(data["text"] for data in c.told("word-heard"))
    assert words_told.startswith(cut["heard"].strip())


async def test_an_acknowledgement_costs_no_word(virtual, call: Calling):
    async with call(Model(LONG)) as c:
        await c.type("When?")
        await c.until_state("speaking")
        await c.listen(2.0)
        c.say(clip("okay"))
        await c.until_state("listening", timeout_secs=60)
        (played,) = c.told("reply-played")
        assert (played["heard"], played["cut"]) == (LONG, False)
        decisions = c.told("interruption-decision")
        assert decisions[-1]["decision"]["verdict"] == "resume"
        assert decisions[-1]["decision"]["wrong"] is False


async def test_noise_and_silence_get_no_answer(virtual, call: Calling):
    model = Model()
    rng = np.random.default_rng(5)
    async with call(model) as c:
        for sound in (
            clip("typing"),
            clip("sneeze"),
            (rng.standard_normal(48_000) * 3000).astype(np.int16),
            (8000 * np.sin(np.arange(48_000) * 2 * np.pi * 440 / 16_000)).astype(np.int16),
            np.zeros(48_000, np.int16),
        ):
            c.say(sound)
            await c.listen(len(sound) / 16_000 + 3)
        assert c.told("reply-played") == []
        assert c.state == "listening"
    assert model.prompts == []


async def test_a_model_that_fails_is_apologised_for(virtual, call: Calling):
    model = Model(LanguageModelError("boom", retryable=False), "Here I am again.")
    async with call(model) as c:
        await c.type("Hello?")
        await c.until_state("speaking")
        await c.until_state("listening")
        assert "can't answer" in c.told("reply-played")[-1]["heard"]
        await c.type("And now?")
        await c.until_state("speaking")
        await c.until_state("listening")
        assert c.told("reply-played")[-1]["heard"] == "Here I am again."


async def test_a_slow_model_is_covered_and_a_dead_one_given_up(virtual, call: Calling):
    model = Model("Finally.", "never", think_secs=5.0)
    async with call(model) as c:
        await c.type("Hello?")
        await c.listen(12)
        heard = [played["heard"] for played in c.told("reply-played")]
        assert heard == ["One moment, please.", "Finally."]
        model.think_secs = 1000.0
        await c.type("And now?")
        await c.until_state("thinking")
        await c.until_state("listening", timeout_secs=30)
        assert any("can't answer" in played["heard"] for played in c.told("reply-played"))


async def test_speech_after_a_pause_extends_the_turn(virtual, call: Calling):
    model = Model("First.", "Second.", think_secs=1.5)
    async with call(model) as c:
        c.say(clip("book_a_room"))
        await c.until_state("thinking")
        await c.listen(0.2)
        c.say(clip("go_forward_ten_meters"))
        await c.until_state("speaking", timeout_secs=20)
        await c.until_state("listening", timeout_secs=20)
        assert [played["heard"] for played in c.told("reply-played") if played["heard"]] == ["Second."]
    last = model.prompts[-1][-1][1].lower()
    assert "book" in last
    assert "forward" in last


async def test_three_minutes_of_talk_keep_the_last_turns_only(virtual, call: Calling):
    model = Model(*[f"Answer number {n}, and a few more words to be spoken aloud." for n in range(30)])
    async with call(model, history_turns=5) as c:
        for n in range(30):
            await c.type(f"question {n}")
            await c.until_state("speaking")
            await c.until_state("listening")
        assert c.now > 90
    last = model.prompts[-1]
    assert [text for role, text in last if role == "user"] == [f"question {n}" for n in range(25, 30)]
    assert len(last) == 9
