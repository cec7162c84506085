"""The gTTS package against a small server that speaks Google Translate's protocol."""

import asyncio
import base64
import contextlib
import json
import urllib.parse

import numpy as np
import pytest
from aiohttp import web

from contracts.tts import VoiceError
from processors.tts.gtts import GttsVoice
from tests.transports.test_audio_in_out import mp3, pitch_hz, sine


class Google:
    """Answers each text with a tone in MP3, half a second of silence around it."""

    def __init__(self):
        self.texts = []
        self.status = 200
        self.wait_secs = 0.0
        self.empty = False

    async def speak(self, request):
        body = urllib.parse.parse_qs((await request.post())["f.req"] and await request.text())
        call = json.loads(body["f.req"][0])[0][0]
        text, language, *_ = json.loads(call[1])
        self.texts.append((text, language))
        await asyncio.sleep(self.wait_secs)
        if self.status != 200:
            return web.Response(status=self.status)
        quiet = np.zeros(12_000, np.int16)
        audio = base64.b64encode(mp3(np.concatenate([quiet, sine(24_000, 24_000), quiet]), 24_000)).decode()
        inner = "null" if self.empty else json.dumps([audio])
        line = json.dumps([["wrb.fr", "jQ1olc", inner, None, None, None, "generic"]], separators=(",", ":"))
        return web.Response(text=f")]}}'\n\n{len(line)}\n{line}\n")


@contextlib.asynccontextmanager
async def serving(**options):
    google = Google()
    app = web.Application()
    app.router.add_post("/_/TranslateWebserverUi/data/batchexecute", google.speak)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    voice = GttsVoice(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}", **options)
    try:
        yield google, voice
    finally:
        await voice.close()
        await runner.cleanup()


async def say(voice, text):
    return [chunk async for chunk in voice.speak(text)]


async def test_speech_is_decoded_and_its_silence_trimmed():
    async with serving(language="de") as (google, voice):
        await voice.load()
        (chunk,) = await say(voice, "Guten Tag.")
        assert google.texts == [("Guten Tag.", "de")]
        samples = np.frombuffer(chunk.pcm, np.int16)
        assert chunk.sample_rate_hz == 24_000
        assert 1.0 <= len(samples) / 24_000 <= 1.3
        assert pitch_hz(samples, 24_000) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("status", [429, 500, 403])
async def test_a_refusal_is_named(status):
    async with serving() as (google, voice):
        google.status = status
        with pytest.raises(VoiceError, match=f"gTTS: HTTP {status}"):
            await say(voice, "Hello.")


async def test_no_audio_is_an_error_not_silence():
    async with serving() as (google, voice):
        google.empty = True
        with pytest.raises(VoiceError, match="without audio"):
            await say(voice, "Hello.")


async def test_a_server_that_does_not_answer_is_given_up():
    async with serving(timeout_secs=0.3) as (google, voice):
        google.wait_secs = 3.0
        began = asyncio.get_running_loop().time()
        with pytest.raises(VoiceError, match="gTTS"):
            await say(voice, "Hello.")
        assert asyncio.get_running_loop().time() - began < 2.5


async def test_nobody_there_is_an_error():
    voice = GttsVoice(base_url="http://127.0.0.1:9", timeout_secs=1)
    with pytest.raises(VoiceError, match="gTTS"):
        await say(voice, "Hello.")
    await voice.close()


async def test_a_language_that_is_not_spoken_there():
    voice = GttsVoice("xx")
    with pytest.raises(VoiceError, match="does not speak 'xx'"):
        await voice.load()
    await voice.close()
