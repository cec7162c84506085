"""When one voice fails, the next speaks the same sentence."""

import asyncio

import pytest

from processors.tts.base import VoiceError
from processors.tts.chain import REST_SECS, VoiceChain
from tests.processors.test_tts import FakeVoice


class Named(FakeVoice):
    def __init__(self, name, **options):
        super().__init__(**options)
        self.name = name
        self.loaded = self.rehearsed = self.gone = False

    async def load(self):
        self.loaded = True

    async def rehearse(self, texts):
        self.rehearsed = list(texts)

    async def close(self):
        self.gone = True


class Mute(Named):
    async def speak(self, text):
        self.said.append(text)
        return
        yield


async def say(chain, text="hello there"):
    return [chunk async for chunk in chain.speak(text)]


async def test_the_first_speaks_while_it_can(virtual):
    first, second = Named("first"), Named("second")
    chain = VoiceChain([first, second])
    assert chain.name == "first, then second"
    assert len(await say(chain)) == 2
    assert (first.said, second.said) == (["hello there"], [])


@pytest.mark.parametrize(
    "first", [Named("first", fails={"hello"}), Named("first", waits={"hello": 100.0}), Mute("first")]
)
async def test_a_voice_that_fails_before_its_first_sound_is_replaced_and_rests(virtual, first):
    second = Named("second")
    chain = VoiceChain([first, second], first_audio_secs=1.0)
    began = asyncio.get_running_loop().time()
    assert len(await say(chain)) == 2
    assert asyncio.get_running_loop().time() - began < 1.1
    assert second.said == ["hello there"]
    await say(chain)
    assert len(first.said) == 1
    await asyncio.sleep(REST_SECS)
    await say(chain)
    assert len(first.said) == 2


async def test_a_sentence_that_breaks_off_is_not_said_twice(virtual):
    first, second = Named("first", fails={"there"}), Named("second")
    chain = VoiceChain([first, second])
    with pytest.raises(VoiceError, match="cannot say there"):
        await say(chain)
    assert second.said == []


async def test_the_last_voices_fault_is_the_chains(virtual):
    chain = VoiceChain([Named("first", fails={"hello"}), Named("second", fails={"hello"})])
    with pytest.raises(VoiceError, match="cannot say hello"):
        await say(chain)


async def test_closing_stops_the_voice_that_speaks(virtual):
    first = Named("first", waits={"there": 100.0})
    stream = VoiceChain([first, Named("second")]).speak("hello there")
    await anext(stream)
    await stream.aclose()
    assert first.closed == ["hello there"]


async def test_all_are_loaded_rehearsed_and_closed(virtual):
    voices = [Named("first"), Named("second")]
    chain = VoiceChain(voices)
    await chain.load()
    await chain.rehearse(text for text in ("One moment.",))
    await chain.close()
    assert all(voice.loaded and voice.gone and voice.rehearsed == ["One moment."] for voice in voices)
