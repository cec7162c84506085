"""Google Translate's protocol, asked by the gTTS package itself."""

import asyncio
import io
from urllib.parse import urlsplit

import av
import gtts
import numpy as np
import pytest
import requests
from gtts.tts import gTTSError

from emulators.faults import Vendor
from emulators.gtts import make_app
from tests.emulators.serving import serving


class Elsewhere(gtts.gTTS):
    """The package, at another host."""

    where = ""

    def _prepare_requests(self):
        prepared = super()._prepare_requests()
        for request in prepared:
            request.url = f"http://{self.where}{urlsplit(request.url).path}"
        return prepared


async def fetch(where, text, **options):
    speech = Elsewhere(text, lang_check=False, **{"lang": "en", "timeout": 20.0, **options})
    speech.where = where
    file = io.BytesIO()
    await asyncio.to_thread(speech.write_to_fp, file)
    return file.getvalue()


def decoded(mp3):
    with av.open(io.BytesIO(mp3)) as container:
        (stream,) = container.streams
        pcm = np.concatenate([frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)])
        return pcm, stream.rate


async def test_speech_comes_as_mp3_with_silence_around_it():
    async with serving(make_app) as (world, where):
        pcm, rate = decoded(await fetch(where, "Your card is on its way."))
        assert rate == 24_000
        loud = np.flatnonzero(np.abs(pcm) > 0.02)
        assert 1.0 < (loud[-1] - loud[0]) / rate < 2.5
        assert 0.28 < loud[0] / rate < 0.40
        (entry,) = world.log.entries()
        assert (entry.status, entry.characters, entry.detail) == (200, 24, {"text": "Your card is on its way."})
        assert entry.first_byte_ms is not None
        assert 1000 < entry.audio_ms < 2500


async def test_other_languages_are_spoken_too():
    async with serving(make_app) as (_, where):
        assert len(await fetch(where, "Guten Tag, wie geht es Ihnen?", lang="de")) > 5_000


async def test_a_long_text_is_one_request_for_each_hundred_characters():
    async with serving(make_app) as (world, where):
        await fetch(where, "one two three four five six seven eight nine ten " * 5)
        assert [entry.characters <= 100 for entry in world.log.entries()] == [True] * 3


async def test_who_asks_too_often_is_sent_to_the_sorry_page():
    async with serving(make_app, gtts_per_min=2) as (world, where):
        await fetch(where, "One.")
        await fetch(where, "Two.")
        with pytest.raises(gTTSError) as refused:
            await fetch(where, "Three.")
        assert refused.value.rsp.status_code == 429
        assert urlsplit(refused.value.rsp.url).path == "/sorry/index"
        assert [entry.status for entry in world.log.entries()] == [200, 200, 302]


def fault(kind, **fields):
    return {"vendor": Vendor.GTTS, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (fault("status", status=503), 503),
        (fault("status", status=429), 429),
        (fault("quota_gone"), 429),
        (fault("no_audio"), 200),
        (fault("malformed_json", after_chunks=1), 200),
        (fault("reset"), None),
        (fault("hang"), None),
        (fault("silent"), None),
        (fault("stop_reading"), None),
        (fault("stall"), None),
        (fault("drop", after_chunks=1), None),
        (fault("drop", how="rst"), None),
    ],
)
async def test_faults(rule, status):
    async with serving(make_app, rule) as (world, where):
        with pytest.raises((gTTSError, requests.RequestException)) as failure:
            await fetch(where, "Hello there, this is a test.", timeout=0.3 if status is None else 20.0)
        rsp = getattr(failure.value, "rsp", None)
        assert (None if rsp is None else rsp.status_code) == status
        assert world.log.entries()[0].fault == rule["kind"]


async def test_a_drip_comes_whole_but_late():
    async with serving(make_app, fault("drip", every_ms=50)) as (world, where):
        assert len(await fetch(where, "Hello there, this is a test.")) > 5_000
        (entry,) = world.log.entries()
        assert entry.total_ms >= 50 * (entry.bytes_out // 4096)
