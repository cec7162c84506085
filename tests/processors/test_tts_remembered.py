"""What a vendor's voice has said is said from memory, where it was told to keep it; nothing else ever is."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from contracts.frames import Word
from contracts.tts import VoiceChunk, VoiceError
from loadtest import virtual_time
from processors.tts.chain import VoiceChain
from processors.tts.remembered import RememberingVoice
from services.voices import make_voice
from settings import Settings


class Vendor:
    name = "vendor"

    def __init__(self, bytes_each=100, fails=False):
        self.asked = []
        self._bytes = bytes_each
        self._fails = fails

    async def load(self):
        pass

    async def warm_up(self, texts):
        pass

    async def speak(self, text):
        self.asked.append(text)
        yield VoiceChunk(text.encode()[:1] * self._bytes, 24_000, [Word(text, 0.0)])
        if self._fails:
            raise VoiceError("no")
        yield VoiceChunk(b"", 24_000)

    async def close(self):
        pass


async def said(voice, text):
    return [chunk async for chunk in voice.speak(text)]


async def test_what_is_kept_is_said_again_without_the_vendor():
    vendor = Vendor()
    voice = RememberingVoice(vendor, 10_000)
    first = await said(voice, "We open at nine.")
    voice.keep(["We open at nine."])
    assert await said(voice, "We open at nine.") == first
    assert (vendor.asked, voice.from_memory) == (["We open at nine."], 1)


async def test_a_sentence_may_be_kept_before_it_is_said():
    vendor = Vendor()
    voice = RememberingVoice(vendor, 10_000)
    voice.keep(["We open at nine."])
    for _ in range(3):
        await said(voice, "We open at nine.")
    assert vendor.asked == ["We open at nine."]


async def test_what_nobody_asked_to_keep_is_never_said_from_memory():
    vendor = Vendor()
    voice = RememberingVoice(vendor, 10_000)
    for _ in range(2):
        await said(voice, "Your balance is three dollars.")
    assert len(vendor.asked) == 2


async def test_what_broke_off_or_was_cut_is_not_kept():
    for vendor, cut in ((Vendor(fails=True), False), (Vendor(), True)):
        voice = RememberingVoice(vendor, 10_000)
        voice.keep(["We open at nine."])
        stream = voice.speak("We open at nine.")
        await anext(stream)
        if not cut:
            with suppress(VoiceError):
                await anext(stream)
        await stream.aclose()
        assert voice.bytes_held == 0


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), max_size=40), st.integers(0, 500))
def test_its_memory_is_bounded_and_what_is_said_is_right(steps, max_bytes):
    async def scene():
        voice = RememberingVoice(Vendor(bytes_each=100), max_bytes)
        for text, keeps in steps:
            if keeps:
                voice.keep([text])
            (chunk, _) = await said(voice, text)
            assert chunk.pcm == text.encode() * 100
            assert 0 <= voice.bytes_held <= 2 * max_bytes

    virtual_time.run(scene(), limit_secs=1)


async def test_a_chain_keeps_the_vendors_sound_only():
    vendor, other = Vendor(), Vendor()
    chain = VoiceChain([RememberingVoice(vendor, 10_000), other])
    await said(chain, "We open at nine.")
    chain.keep(["We open at nine."])
    await said(chain, "We open at nine.")
    assert (vendor.asked, other.asked) == (["We open at nine."], [])


def test_a_vendors_voice_remembers_unless_it_is_told_not_to():
    def first(**values):
        voice = make_voice(Settings(_env_file=None, tts="elevenlabs", elevenlabs_api_key="k", **values))
        return voice._voices[0]

    assert isinstance(first(), RememberingVoice)
    assert not isinstance(first(reply_audio_mb=0), RememberingVoice)
