"""The voice at Azure: the real Speech SDK against the vendor's emulated sockets."""

import asyncio
import contextlib
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from pydantic import SecretStr

from contracts.tts import VoiceError
from emulators.azure import make_app
from emulators.faults import Vendor
from processors.tts import azure_synthesizer
from processors.tts.azure import AzureVoice
from tests.emulators.serving import serving

KEY = "0123456789abcdef0123456789abcdef"
TEXT = "Your card is on its way, and it comes tomorrow."


def fault(kind, **fields):
    return {"vendor": Vendor.AZURE, "kind": kind, **fields}


@contextlib.asynccontextmanager
async def speaking(*faults, load=True, first_audio_secs=1.0, app=make_app, **profile):
    async with serving(app, *faults, **profile) as (world, where):
        voice = AzureVoice(SecretStr(KEY), "", first_audio_secs=first_audio_secs, base_url=f"ws://{where}")
        try:
            if load:
                await voice.load()
            yield world, voice
        finally:
            began = asyncio.get_running_loop().time()
            await voice.close()
            assert asyncio.get_running_loop().time() - began < 2.0
            assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "azure run-out"] == []


async def say(voice, text=TEXT):
    return [chunk async for chunk in voice.speak(text)]


def entries(world, what="speak"):
    return [entry for entry in world.log.entries() if entry.what == what]


def words(chunks):
    return [word for chunk in chunks for word in chunk.words]


async def test_speech_with_the_vendors_word_times():
    async with speaking() as (world, voice):
        chunks = await say(voice)
        samples = np.frombuffer(b"".join(chunk.pcm for chunk in chunks), np.int16)
        secs = len(samples) / 24_000
        assert 2.0 < secs < 4.0
        assert np.abs(samples).max() > 5_000
        assert "".join(word.text for word in words(chunks)) == TEXT
        starts = [word.start_secs for word in words(chunks)]
        assert starts == sorted(starts)
        assert secs - 1.0 < starts[-1] < secs
        (entry,) = entries(world)
        assert entry.detail["text"] == TEXT
        assert entry.audio_ms == pytest.approx(secs * 1000, abs=1)


async def test_signs_of_markup_are_spoken_as_text():
    async with speaking() as (world, voice):
        chunks = await say(voice, "Tom & Jerry say 2 < 3.")
        assert entries(world)[0].detail["text"] == "Tom & Jerry say 2 < 3."
        assert "".join(word.text for word in words(chunks)) == "Tom & Jerry say 2 < 3."


async def test_sentences_share_a_connection_that_was_open_before():
    async with speaking(timing={Vendor.AZURE: {"connect": {"p50_ms": 300}}}) as (world, voice):
        began = asyncio.get_running_loop().time()
        for _ in range(3):
            await say(voice, "Hello there.")
        assert asyncio.get_running_loop().time() - began < 0.9
        assert len(entries(world, "socket")) == 1


async def test_a_connection_that_ends_while_idle_is_opened_again():
    transports = []

    @web.middleware
    async def seen(request, handler):
        transports.append(request.transport)
        return await handler(request)

    def watched(world):
        app = make_app(world)
        app.middlewares.append(seen)
        return app

    async with speaking(timing={Vendor.AZURE: {"connect": {"p50_ms": 200}}}, app=watched) as (world, voice):
        await say(voice, "Hello there.")
        transports[0].close()
        await asyncio.sleep(1.2)
        assert len(entries(world, "socket")) == 2
        began = asyncio.get_running_loop().time()
        await anext(voice.speak("Hello there."))
        assert asyncio.get_running_loop().time() - began < 0.2


async def test_callers_beside_each_other():
    async with speaking() as (_, voice):
        said = await asyncio.gather(*(say(voice, f"This is caller {number}.") for number in range(6)))
        assert all(sum(len(chunk.pcm) for chunk in chunks) > 24_000 for chunks in said)


async def test_what_is_cut_off_stays_cut_off_and_the_next_sentence_does_not_wait():
    async with speaking() as (_, voice):
        for _ in range(5):
            stream = voice.speak(TEXT)
            await anext(stream)
            began = asyncio.get_running_loop().time()
            await stream.aclose()
            assert asyncio.get_running_loop().time() - began < 0.05
        chunks = await say(voice, "Good morning.")
        assert "".join(word.text for word in words(chunks)) == "Good morning."
        assert sum(len(chunk.pcm) for chunk in chunks) / 48_000 < 1.5


async def test_an_interruption_while_the_vendor_is_silent_costs_nothing():
    async with speaking(fault("silent", limit=1)) as (_, voice):
        task = asyncio.create_task(say(voice))
        await asyncio.sleep(0.3)
        task.cancel()
        began = asyncio.get_running_loop().time()
        await asyncio.wait([task], timeout=0.2)
        assert task.done()
        assert sum(len(chunk.pcm) for chunk in await say(voice, "Good morning.")) > 24_000
        assert asyncio.get_running_loop().time() - began < 1.0


@pytest.mark.parametrize(
    ("faults", "profile", "says", "retryable"),
    [
        ([], {"keys": {Vendor.AZURE: "other"}}, r"refuses the key .*401.*set AZURE_SPEECH_KEY", False),
        ([fault("quota_gone")], {}, r"Azure: .*\(403\)", True),
        ([fault("status", status=429)], {}, "Azure: HTTP 429: too many requests", True),
        ([fault("status", status=503)], {}, "Azure: .*503", True),
        ([fault("reset")], {}, "Azure: ", True),
        ([fault("hang")], {}, "no audio within 1 s", True),
    ],
)
async def test_refusals_by_their_cause(monkeypatch, faults, profile, says, retryable):
    monkeypatch.setattr("processors.tts.azure.LOAD_SECS", 0.5)
    async with speaking(*faults, load=False, **profile) as (_, voice):
        with pytest.raises(VoiceError, match=says) as refused:
            await voice.load()
        assert refused.value.retryable is retryable
        assert KEY not in str(refused.value)


async def test_nobody_there(monkeypatch):
    monkeypatch.setattr("processors.tts.azure.LOAD_SECS", 0.5)
    voice = AzureVoice(SecretStr(KEY), "", base_url="ws://127.0.0.1:9")
    with pytest.raises(VoiceError, match="Azure: "):
        await voice.load()
    await voice.close()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (fault("silent"), "no audio within 1 s"),
        (fault("stall", stall_ms=5000), "no audio within 1 s"),
        (fault("stop_reading"), "no audio within 1 s"),
        (fault("drop", after_chunks=1), "Azure: "),
        (fault("drop", how="rst", after_chunks=2), "Azure: "),
        (fault("stall", stall_ms=5000, after_chunks=2), "no more audio"),
        (fault("stop_reading", after_chunks=2), "no more audio"),
        (fault("close", code=1011, after_chunks=1), "Azure: .*1011"),
        (fault("close", code=4429), "Azure: .*too many requests"),
        (fault("no_audio"), "without audio"),
    ],
)
async def test_every_fault_is_an_error_in_time_and_the_next_sentence_is_spoken(rule, says):
    async with speaking({**rule, "requests": (1,)}) as (_, voice):
        began = asyncio.get_running_loop().time()
        with pytest.raises(VoiceError, match=says):
            await say(voice)
        assert asyncio.get_running_loop().time() - began < 2.5
        assert sum(len(chunk.pcm) for chunk in await say(voice, "Good morning.")) > 24_000


@pytest.mark.parametrize("rule", [fault("drop", limit=1), fault("close", limit=1)])
async def test_a_connection_lost_before_any_audio_is_the_sdks_business(rule):
    async with speaking(rule) as (world, voice):
        assert "".join(word.text for word in words(await say(voice))) == TEXT
        assert [entry.fault for entry in entries(world)] == [rule["kind"], None]


@pytest.mark.parametrize(
    "rule", [fault("no_end"), fault("drip", every_ms=150), fault("malformed_json", after_chunks=2)]
)
async def test_faults_that_do_no_harm(rule):
    async with speaking(rule) as (_, voice):
        began = asyncio.get_running_loop().time()
        assert "".join(word.text for word in words(await say(voice))) == TEXT
        assert asyncio.get_running_loop().time() - began < 4.0


async def test_too_many_requests_are_told():
    async with speaking(azure_per_sec=1) as (_, voice):
        said = await asyncio.gather(*(say(voice, "Hello.") for _ in range(4)), return_exceptions=True)
        assert any(isinstance(each, VoiceError) and "429" in str(each) for each in said)


@pytest.mark.parametrize("how", ["sys.exit(0)", "await asyncio.sleep(0.3)"])
def test_a_process_that_ends_in_mid_speech_ends_in_good_order(how):
    script = f"""
        import asyncio, sys
        from tests.processors.test_tts_azure import TEXT, fault, serving, make_app, AzureVoice, SecretStr, KEY
        async def main():
            async with serving(make_app, fault("drip", every_ms=50)) as (_, where):
                voice = AzureVoice(SecretStr(KEY), "", base_url=f"ws://{{where}}")
                await voice.load()
                async for _ in voice.speak(TEXT):
                    break
                {how}
        asyncio.run(main())
    """
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "FATAL" in done.stderr, "Traceback" in done.stderr) == (0, False, False)


async def test_without_the_sdk_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    azure_synthesizer._sdk.cache_clear()
    monkeypatch.setattr(azure_synthesizer.importlib, "import_module", missing)
    voice = AzureVoice(SecretStr(KEY), "westeurope")
    with pytest.raises(VoiceError, match="not installed; run: pip install azure-cognitiveservices-speech") as failure:
        await voice.load()
    assert not failure.value.retryable
