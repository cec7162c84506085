"""Signs, links, figures and sentence ends, token by token through a whole call: what the voice is given, and what
history keeps."""

import asyncio

import pytest

from contracts.llm import Finish, TextDelta
from tests.conversations.conftest import Calling
from tests.conversations.test_reported_faults import ToneVoice, answered

TOKEN_SECS = 0.05


class TokenModel:
    """Says its answers in tokens of a given size; knows when each came.

    Args:
        answers: The answers.
        size: Characters of a token.
    """

    name = "tokens"

    def __init__(self, *answers: str, size: int = 1) -> None:
        self.answers = list(answers)
        self.size = size
        self.prompts = []
        self.came: list[tuple[float, int]] = []

    async def warm(self, system_prompt, tools=()):
        pass

    async def stream(self, messages, tools=()):
        self.prompts.append([(m["role"], m["content"]) for m in messages[1:]])
        answer = self.answers.pop(0) if self.answers else "I see."
        self.came = []
        for at in range(0, len(answer), self.size):
            await asyncio.sleep(TOKEN_SECS)
            self.came.append((asyncio.get_running_loop().time(), min(len(answer), at + self.size)))
            yield TextDelta(answer[at : at + self.size])
        yield Finish("stop")

    async def close(self):
        pass


REPLIES = {
    "**Total:** $49.95 at 8:00 a.m. 🙂": ["Total: forty-nine dollars and ninety-five cents at eight a.m."],
    "See https://a.example/x?y=1.": ["See a dot example."],
    "I was born Jan 1, 1980. Next.": ["I was born January first, nineteen eighty.", "Next."],
    "It is 3.14. Dr. Smith said so.": ["It is three point one four.", "Doctor Smith said so."],
    "# Title\n- one\n- two": ["Title", "one", "two"],
    "هل أنت بخير؟ نعم.": ["هل أنت بخير؟", "نعم."],
    "はい。そうです。": ["はい。", "そうです。"],
    "यह ठीक है। हाँ।": ["यह ठीक है।", "हाँ।"],
    "Here:\n```\ncd /tmp. Now\n```\nDone in 1980": ["Here:", "Done in nineteen eighty"],
    "Ask your Dr.": ["Ask your Doctor."],
}


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("text", REPLIES, ids=range(len(REPLIES)))
async def test_the_voice_gets_words_and_history_the_text(virtual, call: Calling, text, size):
    model, voice = TokenModel(text, size=size), ToneVoice(word_secs=0.1)
    async with call(model, voice) as c:
        await c.type("Tell me.")
        await answered(c)
        (played,) = c.told("reply-played")
        heard = "".join(data["text"] for data in c.told("word-heard"))
        await c.type("And now?")
        await answered(c, 2)
    assert [said for _, said in voice.made][: len(REPLIES[text])] == REPLIES[text]
    assert (played["cut"], played["error"]) == (False, None)
    assert played["heard"].split() == text.split()
    assert heard.split() == text.split()
    assert model.prompts[1][1] == ("assistant", text)


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("I was born in 1980. Next I moved to a town by the sea.", "I was born in 1980. Next "),
        ("It is 3.14. Dr. Smith said so, and so did we all.", "It is 3.14. Dr."),
        ("It is **£1,250.50**! That is all that there is.", "It is **£1,250.50**! That "),
        ("هل أنت بخير؟ نعم. وأنت كيف حالك اليوم", "هل أنت بخير؟ ن"),
        ("はい。そうです。それはとてもいいですね。", "はい。そ"),
        ("My number is 1980", "My number is 1980"),
        ("It closes at 8:00 a.m.", "It closes at 8:00 a.m."),
    ],
)
async def test_a_sentence_is_given_to_the_voice_one_token_after_its_end(virtual, call: Calling, text, complete):
    """One token and the sign behind it: until then its word may be the name of a tool that is called in words."""
    model, voice = TokenModel(text), ToneVoice(word_secs=0.1)
    async with call(model, voice) as c:
        await c.type("Tell me.")
        await answered(c)
    due = next(at for at, end in model.came if end == len(complete))
    made_at = voice.made[0][0] - 0.05  # what this voice takes
    assert due - 0.001 <= made_at <= due + TOKEN_SECS + 0.001


@pytest.mark.parametrize(
    ("after_secs", "heard"),
    [
        (0.75, "Your balance is"),
        (2.0, "Your balance is"),
        (2.85, "Your balance is £1,250.50"),
        (3.15, "Your balance is £1,250.50 as"),
    ],
)
async def test_a_cut_falls_at_the_words_of_the_text(virtual, call: Calling, after_secs, heard):
    # Your balance is one thousand two hundred fifty pounds fifty as of ...: a word in each 0.3 s.
    model, voice = TokenModel("Your balance is £1,250.50 as of 1 May 2026.", "Yes?", size=100), ToneVoice()
    async with call(model, voice) as c:
        await c.type("How much?")
        await c.until_state("speaking")
        await c.listen(after_secs)
        await c.type("Stop.")
        await answered(c, 2)
        cut = c.told("reply-played")[0]
    assert (cut["heard"].strip(), cut["cut"]) == (heard, True)
    assert model.prompts[1][1] == ("assistant", f"{heard} …[interrupted]")
