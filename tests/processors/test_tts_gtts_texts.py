"""gTTS with long and odd texts, and with every fault, against Google's emulated protocol."""

import asyncio
import contextlib
import itertools

import numpy as np
import pytest

from contracts.tts import VoiceError
from emulators.faults import Vendor
from emulators.gtts import make_app
from processors.tts.gtts import QUIET, GttsVoice
from tests.emulators.serving import serving

SAID = "Hello there, this is a trial."
COUNT = ", ".join(str(number) for number in range(1, 41))
WORDS = "and then we went on to see what there was to see and found that it was all quite new to us and " * 3


@contextlib.asynccontextmanager
async def speaking(*faults, timeout_secs=5.0, **profile):
    async with serving(make_app, *faults, **profile) as (world, where):
        voice = GttsVoice(timeout_secs=timeout_secs, base_url=f"http://{where}")
        try:
            yield world, voice
        finally:
            await voice.close()


async def say(voice, text=SAID):
    return [chunk async for chunk in voice.speak(text)]


def words(chunks):
    return [word for chunk in chunks for word in chunk.words]


def longest_inner_silence_ms(chunks):
    """At the joins: what is quiet at the end of one part and at the start of the next."""
    loud = [np.flatnonzero(np.abs(np.frombuffer(chunk.pcm, np.int16).astype(int)) >= QUIET) for chunk in chunks]
    sizes = [len(chunk.pcm) // 2 for chunk in chunks]
    joins = itertools.pairwise(zip(loud, sizes, strict=True))
    return max(((size - 1 - before[-1]) + after[0]) / 24 for (before, size), (after, _) in joins)


@pytest.mark.parametrize("text", [WORDS[:230], COUNT, (SAID + " ") * 40, "a" * 300 + " is long."])
async def test_long_texts_have_no_holes(text):
    async with speaking() as (world, voice):
        chunks = await say(voice, text)
        asked = [entry.detail["text"] for entry in world.log.entries()]
        assert len(chunks) == len(asked) >= 2
        assert all(len(part) <= 100 for part in asked)
        # Fetched side by side, spoken in order.
        assert "".join(word.text for word in words(chunks)) == text
        assert sorted("".join(asked).replace(" ", "")) == sorted(text.replace(" ", ""))
        assert longest_inner_silence_ms(chunks) <= 120
        starts = [word.start_secs for word in words(chunks)]
        assert starts == sorted(starts)
        assert starts[-1] < sum(len(chunk.pcm) for chunk in chunks) / 48_000


async def test_parts_are_fetched_side_by_side_but_not_all_at_once():
    async with speaking(timing={Vendor.GTTS: {"first_byte": {"p50_ms": 300}}}) as (world, voice):
        stream = voice.speak((SAID + " ") * 20)
        await anext(stream)
        began = [entry.at_secs for entry in world.log.entries()]
        assert len(began) == 3
        assert max(began) - min(began) < 0.25
        assert sum([1 async for _ in stream]) == len(world.log.entries()) - 1


@pytest.mark.parametrize("text", ["…", "", " - "])
async def test_nothing_to_say_means_no_request(text):
    async with speaking() as (world, voice):
        with pytest.raises(VoiceError, match="nothing to say"):
            await say(voice, text)
        assert world.log.entries() == []


async def test_an_end_of_signs_only_costs_no_request():
    async with speaking() as (world, voice):
        chunks = await say(voice, "a" * 99 + ". …")
        assert "".join(word.text for word in words(chunks)) == "a" * 99 + ". …"
        assert len(world.log.entries()) == 1


async def test_who_asks_too_often_is_told_to_wait():
    async with speaking(gtts_per_min=1) as (_, voice):
        await say(voice)
        with pytest.raises(VoiceError, match="gTTS: HTTP 429") as refused:
            await say(voice)
        assert refused.value.retry_after_secs == 60.0


def fault(kind, **fields):
    return {"vendor": Vendor.GTTS, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (fault("status", status=503), "HTTP 503"),
        (fault("status", status=403), "HTTP 403"),
        (fault("quota_gone"), "HTTP 429"),
        (fault("no_audio"), "without audio"),
        (fault("malformed_json", after_chunks=1), "without audio"),
        (fault("reset"), "no connection, or no answer in time"),
        (fault("hang"), "no answer in time"),
        (fault("silent"), "no answer in time"),
        (fault("stop_reading"), "no answer in time"),
        (fault("stall", stall_ms=2000), "no answer in time"),
        (fault("drop", after_chunks=1), "no answer in time"),
        (fault("drop", how="rst"), "no answer in time"),
    ],
)
async def test_every_fault_is_an_error_in_time(rule, says):
    async with speaking({**rule, "limit": 1}, timeout_secs=0.8) as (_, voice):
        began = asyncio.get_running_loop().time()
        with pytest.raises(VoiceError, match=says):
            await say(voice)
        assert asyncio.get_running_loop().time() - began < 1.5
        assert sum(len(chunk.pcm) for chunk in await say(voice)) > 24_000


async def test_a_fault_in_a_later_part_leaves_the_parts_before_it():
    async with speaking(fault("status", requests=(4,))) as (world, voice):
        stream = voice.speak((SAID + " ") * 20)
        chunks = [await anext(stream), await anext(stream)]
        async with asyncio.timeout(5):
            while len(world.log.entries()) < 4:  # the fourth part is asked for before the fifth
                await asyncio.sleep(0.01)
        chunks.append(await anext(stream))
        with pytest.raises(VoiceError, match="HTTP 503"):
            await anext(stream)
        said = "".join(word.text for word in words(chunks))
        assert ((SAID + " ") * 20).startswith(said)
        assert len(said) > 100


async def test_a_listener_who_leaves_ends_the_fetching():
    async with speaking(timing={Vendor.GTTS: {"first_byte": {"p50_ms": 100}}}) as (world, voice):
        stream = voice.speak((SAID + " ") * 40)
        await anext(stream)
        await stream.aclose()
        await asyncio.sleep(0.3)
        assert len(world.log.entries()) <= 4
