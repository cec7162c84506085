"""Every fault of every vendor of voices, by the vendors' own packages, with another voice behind: what is heard."""

import asyncio
import contextlib

import pytest
from loguru import logger
from pydantic import SecretStr

from contracts.tts import VoiceChunk
from emulators import azure, elevenlabs, gtts
from emulators.faults import KINDS, FaultRule, Kind, Vendor
from processors.tts.azure import AzureVoice
from processors.tts.chain import PROBE, VoiceChain
from processors.tts.elevenlabs import ElevenLabsVoice
from processors.tts.gtts import GttsVoice
from tests.emulators.serving import serving

KEY = "abcdefghijklmnopqrstuvwxyz012345"
TEXT = "Your card is on its way, and it comes tomorrow."
FIRST_SECS = 0.8
NEXT_SECS = 1.0


class Spare:
    """The next voice: a tone, without word times."""

    name = "spare"

    def __init__(self):
        self.said = []

    async def load(self):
        pass

    async def speak(self, text):
        self.said.append(text)
        yield VoiceChunk(b"\1\0" * 24_000, 24_000)

    async def close(self):
        pass


def voice_at(vendor, where):
    match vendor:
        case Vendor.ELEVENLABS:
            return ElevenLabsVoice(SecretStr(KEY), "v", first_audio_secs=FIRST_SECS, base_url=f"ws://{where}")
        case Vendor.AZURE:
            return AzureVoice(SecretStr(KEY), "", first_audio_secs=FIRST_SECS, base_url=f"ws://{where}")
        case _:
            return GttsVoice(timeout_secs=FIRST_SECS, base_url=f"http://{where}")


APPS = {Vendor.ELEVENLABS: elevenlabs.make_app, Vendor.AZURE: azure.make_app, Vendor.GTTS: gtts.make_app}


@contextlib.asynccontextmanager
async def chained(vendor):
    async with serving(APPS[vendor]) as (world, where):
        spare = Spare()
        chain = VoiceChain(
            [voice_at(vendor, where), spare], first_audio_secs=FIRST_SECS + 0.1, next_audio_secs=NEXT_SECS
        )
        try:
            await chain.load()
            yield world, chain, spare
        finally:
            await chain.close()


async def heard(chain, text):
    """The words, the audio's length, and the longest wait for a chunk, all in seconds."""
    loop = asyncio.get_running_loop()
    words, samples, waits, at = "", 0, [], loop.time()
    async for chunk in chain.speak(text):
        waits.append(loop.time() - at)
        words += "".join(word.text for word in chunk.words)
        samples += len(chunk.pcm) // 2
        at = loop.time()
    return words, samples / 24_000, max(waits)


HARMLESS = {
    Vendor.ELEVENLABS: {Kind.LATE_AUDIO, Kind.NO_END, Kind.DRIP, Kind.LATE_TIMES, Kind.NO_TIMES},
    Vendor.AZURE: {Kind.NO_END, Kind.DRIP, Kind.MALFORMED_JSON, Kind.LATE_TIMES, Kind.NO_TIMES},
    Vendor.GTTS: set(),
}
"""Faults that a voice makes good by itself."""

CELLS = [
    (vendor, kind, after)
    for vendor in APPS
    for kind in sorted(KINDS[vendor] - {Kind.REFUSE}, key=lambda kind: kind.value)
    for after in ((0, 3) if kind in (Kind.DROP, Kind.STALL, Kind.STOP_READING, Kind.CLOSE) else (0,))
]


@pytest.mark.parametrize(("vendor", "kind", "after"), CELLS, ids=lambda each: getattr(each, "value", str(each)))
async def test_the_sentence_is_heard_whole_whatever_happens(vendor, kind, after, caplog):
    lines = []
    sink = logger.add(lines.append, level="TRACE")
    async with chained(vendor) as (world, chain, spare):
        if kind in (Kind.RESET, Kind.STATUS, Kind.QUOTA_GONE, Kind.HANG) and vendor is not Vendor.GTTS:
            # These strike a handshake: the connection that was kept is lost before.
            await chain.close()
        every_ms = 400.0 if vendor is Vendor.GTTS else 120.0
        rule = FaultRule(vendor=vendor, kind=kind, after_chunks=after, stall_ms=8000, every_ms=every_ms)
        world.faults.replace([rule], world.now())
        words, secs, wait = await heard(chain, TEXT)
        assert secs >= 1.0
        assert wait < max(FIRST_SECS, NEXT_SECS) + 1.0
        if kind in HARMLESS[vendor]:
            assert (words, spare.said) == (TEXT, [])
        elif spare.said == [TEXT] or vendor is Vendor.GTTS:
            # No word was heard before: the spare voice's times are not known.
            assert words in ("", TEXT)
        else:
            # It went on at the word that was cut.
            assert words == TEXT
            assert TEXT.endswith(spare.said[0])
    logger.remove(sink)
    assert KEY not in "".join(lines) + caplog.text


@pytest.mark.parametrize("vendor", list(APPS), ids=lambda vendor: vendor.value)
async def test_the_voice_is_back_when_the_vendor_is(vendor, monkeypatch):
    monkeypatch.setattr("processors.tts.chain.REST_SECS", 0.15)
    async with chained(vendor) as (world, chain, spare):
        rule = FaultRule(vendor=vendor, kind=Kind.NO_AUDIO)
        world.faults.replace([rule], world.now())
        await heard(chain, TEXT)
        await asyncio.sleep(0.25)
        assert spare.said == [TEXT]
        world.faults.replace([], world.now())
        await asyncio.sleep(1.2)
        probes = [entry for entry in world.log.entries() if str(entry.detail.get("text", "")).strip() == PROBE]
        assert len(probes) >= 2
        await heard(chain, "Good morning.")
        assert spare.said == [TEXT]
