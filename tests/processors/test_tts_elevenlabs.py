"""The voice at ElevenLabs, against the vendor's emulated sockets."""

import asyncio
import contextlib
import logging

import numpy as np
import pytest
from pydantic import SecretStr

from contracts.tts import VoiceError
from emulators.elevenlabs import make_app
from emulators.faults import Vendor
from processors.tts.elevenlabs import ElevenLabsVoice
from tests.emulators.serving import serving

KEY = "sk_0123456789abcdef"
TEXT = "Your card is on its way, and it comes tomorrow."


def fault(kind, **fields):
    return {"vendor": Vendor.ELEVENLABS, "kind": kind, **fields}


def late(kind, **fields):
    """A fault of every sentence, but not of the empty text at the start."""
    return fault(kind, requests=(2, 3, 4), **fields)


@contextlib.asynccontextmanager
async def speaking(*faults, load=True, first_audio_secs=1.0, **profile):
    async with serving(make_app, *faults, **profile) as (world, where):
        voice = ElevenLabsVoice(SecretStr(KEY), "v", first_audio_secs=first_audio_secs, base_url=f"http://{where}")
        try:
            if load:
                await voice.load()
            yield world, voice
        finally:
            await voice.close()
            names = [task.get_name() for task in asyncio.all_tasks()]
            assert [name for name in names if name.startswith("elevenlabs") and name != "elevenlabs context"] == []


async def say(voice, text=TEXT):
    return [chunk async for chunk in voice.speak(text)]


def spoken(world, what="speak"):
    return [entry for entry in world.log.entries() if entry.what == what]


def words(chunks):
    return [word for chunk in chunks for word in chunk.words]


async def test_speech_with_the_vendors_word_times():
    async with speaking() as (world, voice):
        chunks = await say(voice)
        samples = np.frombuffer(b"".join(chunk.pcm for chunk in chunks), np.int16)
        secs = len(samples) / 24_000
        assert {chunk.sample_rate_hz for chunk in chunks} == {24_000}
        assert 2.0 < secs < 4.0
        assert np.abs(samples).max() > 5_000
        assert "".join(word.text for word in words(chunks)) == TEXT
        starts = [word.start_secs for word in words(chunks)]
        assert starts == sorted(starts)
        assert starts[0] == 0.0
        assert secs - 1.0 < starts[-1] < secs
        entry = spoken(world)[-1]
        assert entry.detail["text"].strip() == TEXT
        assert entry.audio_ms == pytest.approx(secs * 1000, abs=1)


async def test_sentences_share_one_socket_that_was_open_before():
    async with speaking(timing={Vendor.ELEVENLABS: {"connect": {"p50_ms": 300}}}) as (world, voice):
        began = asyncio.get_running_loop().time()
        first = await anext(voice.speak("Hello there."))
        assert first.pcm
        assert asyncio.get_running_loop().time() - began < 0.25
        await say(voice)
        assert len(spoken(world, "socket")) == 1


async def test_more_callers_than_contexts_get_more_sockets_and_one_remains():
    async with speaking(timing={Vendor.ELEVENLABS: {"first_byte": {"p50_ms": 200}}}) as (world, voice):
        said = await asyncio.gather(*(say(voice, f"This is caller {number}.") for number in range(12)))
        assert all(sum(len(chunk.pcm) for chunk in chunks) > 24_000 for chunks in said)
        assert 3 <= len(spoken(world, "socket")) <= 12
        async with asyncio.timeout(20):
            while sum(not socket.closed for socket in voice._sockets) != 1:
                await asyncio.sleep(0.02)
        assert [socket.usable for socket in voice._sockets if not socket.closed] == [True]
        assert all(entry.status != 1008 for entry in spoken(world, "socket"))


async def test_callers_wait_for_room_where_the_account_has_no_more_sockets():
    async with speaking(elevenlabs_streams=1, first_audio_secs=3.0) as (world, voice):
        said = await asyncio.gather(*(say(voice, f"This is caller {number}.") for number in range(12)))
        assert all(sum(len(chunk.pcm) for chunk in chunks) > 24_000 for chunks in said)
        assert {entry.status for entry in spoken(world, "socket")} == {None, 429}


async def test_what_is_cut_off_stays_cut_off():
    """Rapid barge-ins: their contexts end at the vendor, none is opened too many, no audio comes late."""
    async with speaking() as (world, voice):
        for _ in range(12):
            stream = voice.speak(TEXT)
            await anext(stream)
            await stream.aclose()
        chunks = await say(voice, "Good morning.")
        assert "".join(word.text for word in words(chunks)) == "Good morning."
        assert sum(len(chunk.pcm) for chunk in chunks) / 48_000 < 1.5
        assert all(entry.status is None for entry in spoken(world, "socket"))


async def test_a_consumer_that_is_cancelled_leaves_nothing_behind():
    async with speaking(fault("stall", after_chunks=2)) as (_, voice):
        task = asyncio.create_task(say(voice))
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.wait([task], timeout=0.2)
        assert task.done()


async def test_a_socket_that_ends_while_idle_is_opened_again_before_anybody_needs_it():
    async with speaking(timing={Vendor.ELEVENLABS: {"connect": {"p50_ms": 200}}}) as (world, voice):
        await voice._sockets[0]._socket.close()
        await asyncio.sleep(0.8)
        assert len(spoken(world, "socket")) == 2
        began = asyncio.get_running_loop().time()
        await anext(voice.speak(TEXT))
        assert asyncio.get_running_loop().time() - began < 0.2


@pytest.mark.parametrize(
    ("faults", "profile", "says", "retryable"),
    [
        ([], {"keys": {Vendor.ELEVENLABS: "other"}}, r"refuses the key \(HTTP 401\); set ELEVENLABS_API_KEY", False),
        ([fault("quota_gone")], {}, "ElevenLabs: the quota is used up", True),
        ([fault("status", status=429, retry_after="7")], {}, "ElevenLabs: too many requests", True),
        ([fault("status", status=503)], {}, "HTTP 503: the vendor is overloaded", True),
        ([fault("hang")], {}, "no connection within 1 s", True),
        ([fault("reset")], {}, "ElevenLabs: no connection", True),
        ([], {"elevenlabs_streams": 1}, "too many requests at once", True),
    ],
)
async def test_refusals_by_their_cause(faults, profile, says, retryable):
    async with speaking(*faults, load=False, **profile) as (_, voice):
        if "elevenlabs_streams" in profile:
            await voice.load()
            voice._sockets[0].reserve = voice._sockets[0].reserve
            for _ in range(5):
                voice._sockets[0].reserve()
        with pytest.raises(VoiceError, match=says) as refused:
            await (say(voice) if "elevenlabs_streams" in profile else voice.load())
        assert refused.value.retryable is retryable
        assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("reason", "says", "retryable", "retry_after_secs"),
    [
        ("Invalid API key", "refuses the key; set ELEVENLABS_API_KEY", False, None),
        ("This exceeds your quota.", "the quota is used up", True, 600.0),
        ("Going away.", "closed with code 1008", True, None),
    ],
)
async def test_a_close_tells_why(reason, says, retryable, retry_after_secs):
    async with speaking(late("close", code=1008, reason=reason)) as (_, voice):
        with pytest.raises(VoiceError, match=says) as closed:
            await say(voice)
        assert (closed.value.retryable, closed.value.retry_after_secs) == (retryable, retry_after_secs)


async def test_nobody_there():
    voice = ElevenLabsVoice(SecretStr(KEY), "v", base_url="http://127.0.0.1:9")
    with pytest.raises(VoiceError, match="ElevenLabs: no connection"):
        await voice.load()
    await voice.close()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (late("silent"), "no audio"),
        (late("stall", stall_ms=5000), "no audio"),
        (late("stop_reading"), "no audio"),
        (late("drop"), "broke off"),
        (late("drop", how="rst", after_chunks=2), "broke off"),
        (late("stall", stall_ms=5000, after_chunks=2), "no more audio"),
        (late("stop_reading", after_chunks=2), "no more audio"),
        (late("close", code=1011), "closed with code 1011"),
        (late("error_event", after_chunks=1), "the vendor has a fault"),
        (late("malformed_json"), "a damaged message"),
        (late("no_audio"), "without audio"),
    ],
)
async def test_every_fault_is_an_error_in_time_and_the_next_sentence_is_spoken(rule, says):
    async with speaking(rule) as (_, voice):
        began = asyncio.get_running_loop().time()
        with pytest.raises(VoiceError, match=says):
            await say(voice)
        assert asyncio.get_running_loop().time() - began < 2.5
        # Only requests 2 to 4 are struck: what died is not used again.
        for _ in range(3):
            with contextlib.suppress(VoiceError):
                await say(voice, "Good morning.")
        assert sum(len(chunk.pcm) for chunk in await say(voice, "Good morning.")) > 24_000


async def test_a_lost_end_is_taken_for_one():
    async with speaking(late("no_end")) as (_, voice):
        chunks = await say(voice)
        assert "".join(word.text for word in words(chunks)) == TEXT


async def test_a_drip_comes_whole():
    async with speaking(late("drip", every_ms=150)) as (_, voice):
        assert "".join(word.text for word in words(await say(voice))) == TEXT


async def test_late_audio_of_an_ended_context_is_dropped():
    async with speaking(fault("late_audio")) as (_, voice):
        await say(voice, "One two three four five.")
        chunks = await say(voice, "Good morning.")
        assert "".join(word.text for word in words(chunks)) == "Good morning."
        assert sum(len(chunk.pcm) for chunk in chunks) / 48_000 < 1.5


async def test_a_socket_that_died_unnoticed_costs_one_handshake_not_the_sentence():
    async with speaking() as (world, voice):
        world.faults.replace([], world.now())
        voice._sockets[0]._socket.transport.abort()
        chunks = await say(voice)
        assert "".join(word.text for word in words(chunks)) == TEXT
        assert len(spoken(world, "socket")) == 2


async def test_the_key_is_in_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    async with speaking(late("drop")) as (_, voice):
        with contextlib.suppress(VoiceError):
            await say(voice)
    assert KEY not in caplog.text
