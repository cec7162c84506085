"""When one voice fails, the next speaks the same sentence."""

import asyncio

import pytest

from contracts.frames import Word
from contracts.tts import VoiceChunk, VoiceError
from processors.tts.chain import MAX_REST_SECS, PROBE, REST_SECS, VoiceChain
from processors.tts.word_times import split_words
from tests.processors.test_tts import FakeVoice


class Named(FakeVoice):
    def __init__(self, name, **options):
        super().__init__(**options)
        self.name = name
        self.loaded = self.warmed_up = self.gone = False

    async def load(self):
        self.loaded = True

    async def warm_up(self, texts):
        self.warmed_up = list(texts)

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
    assert first.said == ["hello there"]
    assert [trouble.startswith("Voice first: ") for trouble in chain.troubles] == [True]
    await chain.close()


async def test_a_voice_recovers_without_a_caller_who_waits(virtual):
    first, second = Named("first", waits={"hello": 100.0}), Named("second")
    chain = VoiceChain([first, second], first_audio_secs=1.0)
    await say(chain)
    first._waits = {PROBE: 100.0}
    await asyncio.sleep(REST_SECS + 1.1)
    assert first.said == ["hello there", PROBE]
    await say(chain)
    first._waits = {}
    await asyncio.sleep(2 * REST_SECS - 1.0)
    assert first.said == ["hello there", PROBE]
    await asyncio.sleep(1.1)
    assert first.said == ["hello there", PROBE, PROBE]
    await say(chain, "good day")
    assert (first.said[-1], len(second.said), chain.troubles) == ("good day", 2, [])
    await chain.close()


async def test_rests_grow_but_not_without_end_and_the_vendors_word_counts(virtual):
    first = Named("first", waits={"hello": 100.0, PROBE: 100.0})
    chain = VoiceChain([first, Named("second")], first_audio_secs=1.0)
    await say(chain)
    await asyncio.sleep(1000.0)
    assert first.said.count(PROBE) == pytest.approx(4 + (1000 - 5 - 10 - 20 - 40 - 80) / (MAX_REST_SECS + 1), abs=2)
    await chain.close()

    class Limited(Named):
        async def speak(self, text):
            self.said.append(text)
            raise VoiceError("too many", retry_after_secs=60.0)
            yield

    limited = Limited("first")
    chain = VoiceChain([limited, Named("second")])
    await say(chain)
    await asyncio.sleep(59.0)
    assert limited.said == ["hello there"]
    await asyncio.sleep(2.0)
    assert limited.said == ["hello there", PROBE]
    await chain.close()


async def test_a_voice_that_cannot_work_is_left_for_good(virtual):
    class Locked(Named):
        async def speak(self, text):
            self.said.append(text)
            raise VoiceError("wrong key", retryable=False)
            yield

    first = Locked("first")
    chain = VoiceChain([first, Named("second")])
    await say(chain)
    await asyncio.sleep(1000.0)
    await say(chain)
    assert first.said == ["hello there"]
    await chain.close()


async def test_a_sentence_that_breaks_off_is_not_said_twice(virtual):
    first, second = Named("first", fails={"there"}), Named("second")
    chain = VoiceChain([first, second])
    with pytest.raises(VoiceError, match="cannot say there"):
        await say(chain)
    assert second.said == []
    await chain.close()


def words(chunks):
    return "".join(word.text for chunk in chunks for word in chunk.words)


class Timed(Named):
    """Tells the words of each chunk, as it begins; each has 2,400 samples. What is longer is told ahead."""

    async def speak(self, text):
        self.said.append(text)
        for index, word in enumerate(split_words(text)):
            if word.strip() in self._fails:
                raise VoiceError(f"cannot say {word}")
            await asyncio.sleep(self._waits.get(word.strip(), 0.01))
            yield VoiceChunk(bytes(4800), 24_000, [Word(word, index * 0.1)])


@pytest.mark.parametrize("options", [{"fails": {"three"}}, {"waits": {"three": 100.0}}])
@pytest.mark.parametrize("second", [Timed("second"), Named("second")])
async def test_the_next_voice_goes_on_at_the_word_that_was_cut(virtual, options, second):
    second.said.clear()
    chain = VoiceChain([Timed("first", **options), second], next_audio_secs=1.0)
    began = asyncio.get_running_loop().time()
    chunks = await say(chain, "one two three four")
    assert asyncio.get_running_loop().time() - began < 1.2
    assert second.said == ["two three four"]
    assert words(chunks) == "one two three four"
    times = [word.start_secs for chunk in chunks for word in chunk.words]
    assert times[:2] == [0.0, 0.1]
    assert times == sorted(times)
    # "two" is heard twice: the second voice's audio begins at 0.2 s, its "three" after that.
    assert times[2] > 0.2
    await chain.close()


async def test_words_are_passed_on_when_they_sound(virtual):
    class Ahead(Named):
        async def speak(self, text):
            self.said.append(text)
            yield VoiceChunk(bytes(4800), 24_000, [Word("one ", 0.0), Word("two ", 0.05), Word("three", 0.1)])
            raise VoiceError("gone")

    second = Timed("second")
    chain = VoiceChain([Ahead("first"), second])
    chunks = await say(chain, "one two three")
    assert [word.text for word in chunks[0].words] == ["one ", "two "]
    assert second.said == ["two three"]
    assert words(chunks) == "one two three"
    await chain.close()


async def test_another_rate_in_the_middle_is_an_error(virtual):
    chain = VoiceChain([Timed("first", fails={"there"}), Named("second", rate_hz=16_000)])
    with pytest.raises(VoiceError, match="16000 Hz after 24000 Hz"):
        await say(chain)
    await chain.close()


@pytest.mark.parametrize("text", ["", "…", " - "])
async def test_nothing_to_say_is_asked_of_nobody(virtual, text):
    first = Named("first")
    with pytest.raises(VoiceError, match="nothing to say"):
        await say(VoiceChain([first]), text)
    assert first.said == []


class Unloadable(Named):
    def __init__(self, name, error):
        super().__init__(name)
        self.error = error

    async def load(self):
        raise self.error


async def test_a_voice_that_does_not_answer_at_the_start_rests(virtual):
    first, second = Unloadable("first", VoiceError("no connection")), Named("second")
    chain = VoiceChain([first, second])
    await chain.load()
    await say(chain)
    assert (first.said, second.said) == ([], ["hello there"])
    await asyncio.sleep(REST_SECS + 1)
    await say(chain)
    assert first.said == [PROBE, "hello there"]
    await chain.close()


@pytest.mark.parametrize("voices", [("wrong", "good"), ("good", "silent")])
async def test_a_voice_that_cannot_work_at_all_stops_the_start(virtual, voices):
    errors = {"wrong": VoiceError("wrong key", retryable=False), "silent": VoiceError("no answer")}
    chain = VoiceChain([Unloadable(name, errors[name]) if name in errors else Named(name) for name in voices])
    with pytest.raises(VoiceError):
        await chain.load()


async def test_the_last_voices_fault_is_the_chains(virtual):
    chain = VoiceChain([Named("first", fails={"hello"}), Named("second", fails={"hello"})])
    with pytest.raises(VoiceError, match="cannot say hello"):
        await say(chain)
    await chain.close()


async def test_closing_stops_the_voice_that_speaks(virtual):
    first = Named("first", waits={"there": 100.0})
    stream = VoiceChain([first, Named("second")]).speak("hello there")
    await anext(stream)
    await stream.aclose()
    assert first.closed == ["hello there"]


async def test_all_are_loaded_warmed_up_and_closed(virtual):
    voices = [Named("first"), Named("second")]
    chain = VoiceChain(voices)
    await chain.load()
    await chain.warm_up(text for text in ("One moment.",))
    await chain.close()
    assert all(voice.loaded and voice.gone and voice.warmed_up == ["One moment."] for voice in voices)
