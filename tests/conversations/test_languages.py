"""A whole call in virtual time that follows its caller: the vendors' protocols, real speech in each language."""

import asyncio
import shutil

import numpy as np
import pytest

from audio.pcm import Resampler
from emulators import speech
from emulators.faults import Vendor
from emulators.known_clips import KnownClip, Library
from emulators.profile import Profile
from languages.catalogue import language
from loadtest.emulated_bot import emulated_bot
from loadtest.in_process import InProcessCall, calling
from tests.conversations.test_turns import Model

pytestmark = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")

PROFILE = Profile.model_validate(
    {
        "name": "languages",
        "timing": {
            vendor.value: {"first_byte": {"p50_ms": 150}, "between": {"p50_ms": 10}, "final": {"p50_ms": 120}}
            for vendor in Vendor
        },
    }
)
SAID = {
    "en": "When do you open on Saturday?",
    "es": "quiero saber cuánto cuesta la tarjeta nueva",
    "de": "ich möchte wissen was die neue Karte kostet",
}
ANSWERS = {
    "en": ("It costs $5 on 3 May.", "It costs five dollars on the third of May."),
    "es": ("Cuesta 5 € el 3 de mayo de 2026.", "Cuesta cinco euros el tres de mayo de dos mil veintiséis."),
    "de": ("Das kostet 5 € am 3. Mai.", "Das kostet fünf Euro am dritten Mai."),
}


class Clerk(Model):
    """Answers each question in its language; what is prepared before the last word counts as asked."""

    async def stream(self, messages, tools=()):
        asked = str(messages[-1]["content"])
        code = next((each for each, said in SAID.items() if said.startswith(asked[:12])), "en")
        self.answers = [ANSWERS[code][0]]
        async for delta in super().stream(messages, tools):
            yield delta


async def spoken(text: str, code: str) -> np.ndarray:
    """A sentence at 16 kHz."""
    return np.frombuffer(Resampler(speech.RATE_HZ, 16_000).push((await speech.say(text, code)).pcm), np.int16)


async def answered(c: InProcessCall, count: int) -> None:
    async with asyncio.timeout(20):
        while len(c.told("reply-played")) < count:
            await c.listen(0.1)


@pytest.mark.parametrize("model", ["nova-3", "flux-general-multi"])
@pytest.mark.parametrize("code", ["es", "de"])
async def test_a_call_follows_its_caller_there_and_back(virtual, code, model):
    clips = {each: await spoken(text, each) for each, text in SAID.items()}
    library = Library([KnownClip(SAID[each], samples, each) for each, samples in clips.items()])
    changes = {"language": "auto", "languages": "en,es,de", "deepgram_model": model, "idle_secs": 0, "tools": ["none"]}
    order = ["en", code, code, "en"]
    answers = Clerk()
    async with emulated_bot(PROFILE, changes, library) as emulated:
        emulated.services.language_model = answers
        async with calling(emulated.services) as c:
            await c.listen(0.5)
            for turn, each in enumerate(order):
                c.say(clips[each])
                await answered(c, turn + 1)
            await c.listen(0.5)
        entries = emulated.world.log.entries("elevenlabs")
    asked = [str(entry.detail["text"]).strip() for entry in entries if entry.characters]
    for each in order:
        assert ANSWERS[each][1] in asked
    assert [reply["heard"] for reply in c.told("reply-played")] == [ANSWERS[each][0] for each in order]


async def test_the_sentences_and_the_lists_of_words_change_with_it(virtual):
    """A slow reply is covered in Spanish, and "vale" over the voice costs no word of it."""
    question, yes = await spoken(SAID["es"], "es"), await spoken("vale", "es")
    library = Library([KnownClip(SAID["es"], question, "es"), KnownClip("vale", yes, "es")])
    changes = {"language": "auto", "languages": "en,es", "idle_secs": 0, "tools": ["none"]}
    long = "La tarjeta nueva cuesta veinte euros cada año, y la puede pedir en cualquier oficina del banco. " * 2
    answers = Model(*[long.strip()] * 9, think_secs=4.0)
    async with emulated_bot(PROFILE, changes, library) as emulated:
        emulated.services.language_model = answers
        async with calling(emulated.services) as c:
            await c.listen(0.5)
            c.say(question)
            await answered(c, 1)
            assert c.told("reply-played")[0]["heard"] == language("es").sentences.moment
            await c.until_state("speaking")
            await c.listen(2.0)
            c.say(yes)
            await answered(c, 2)
    reply = c.told("reply-played")[1]
    assert (reply["heard"].strip(), reply["cut"]) == (long.strip(), False)
