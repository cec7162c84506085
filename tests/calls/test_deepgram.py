"""Deepgram's own SDK against the emulator of its protocol, with real speech."""

import asyncio
import contextlib
import itertools
from dataclasses import replace

import pytest
from deepgram.listen.v1.types import ListenV1Results
from loguru import logger
from pydantic import SecretStr

from emulators.deepgram import make_app
from emulators.faults import Kind, Vendor
from processors.stt.chain import RecogniserChain
from processors.stt.deepgram import DeepgramError, DeepgramParams, DeepgramRecogniser, _Nova, make_client, probe
from processors.stt.moonshine import MoonshineRecogniser
from tests.emulators.serving import serving
from tests.processors.hearing import Caller, clip, silence

pytestmark = pytest.mark.timed

KEY = "dg_secret_key_of_a_test"
METERS = "go forward ten meters"
"""What the clip says; recognisers write "ten" or "10"."""


class Server:
    """A running emulator."""

    def __init__(self, world, address):
        self.url = f"ws://{address}"
        self.entries = world.log.entries


@contextlib.asynccontextmanager
async def emulator(*faults, **profile):
    async with serving(make_app, *faults, **profile) as (world, address):
        yield Server(world, address)


def fault(kind: Kind, **fields):
    return {"vendor": Vendor.DEEPGRAM, "kind": kind, **fields}


def params(server, model="nova-3") -> DeepgramParams:
    return DeepgramParams(SecretStr(KEY), model, url=server.url)


def chain(server, model="nova-3") -> RecogniserChain:
    return RecogniserChain(DeepgramRecogniser(params(server, model)), MoonshineRecogniser)


@pytest.fixture
def log():
    lines = []
    sink = logger.add(lines.append, format="{message}")
    yield lines
    logger.remove(sink)


@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
async def test_words_come_soon_after_speech_and_before_its_end(model):
    async with emulator() as server, Caller(DeepgramRecogniser(params(server, model))) as caller:
        await caller.say(silence(0.5), clip("go_forward_ten_meters"), silence(0.8))
        await caller.until(lambda: caller.finals())
        assert caller.words() == METERS
        final_at = next(at for at, t in caller.told if t.final)
        assert final_at - caller.stopped_at[0] < 0.5 + caller.late_secs
        partials = [t.text for at, t in caller.told if not t.final]
        assert partials
        (entry,) = server.entries()
        assert entry.detail["model"] == model
        assert (entry.detail["encoding"], entry.detail["sample_rate"]) == ("linear16", "16000")


@pytest.mark.parametrize("model", ["nova-3", "flux-general-en"])
async def test_each_utterance_is_a_segment_of_its_own(model):
    async with emulator() as server, Caller(DeepgramRecogniser(params(server, model))) as caller:
        await caller.say(silence(0.5), clip("stop"), silence(1.0), clip("go_forward_ten_meters"), silence(1.0))
        await caller.until(lambda: len(caller.finals()) == 2)
        assert caller.words() == f"stop {METERS}"


async def test_flux_tells_when_the_turn_may_be_over():
    async with emulator() as server:
        wanted = replace(params(server, "flux-general-en"), eager_threshold=0.5)
        async with Caller(DeepgramRecogniser(wanted)) as caller:
            await caller.say(silence(0.5), clip("go_forward_ten_meters"), silence(0.8))
            await caller.until(lambda: caller.finals())
        told = [t for _, t in caller.told]
        eager = next(index for index, t in enumerate(told) if t.eager)
        assert not told[eager].final
        assert told[eager].text == told[-1].text
        (entry,) = server.entries()
        assert float(entry.detail["eager_eot_threshold"]) == 0.5


async def test_silence_and_noise_have_no_words():
    async with emulator() as server, Caller(DeepgramRecogniser(params(server))) as caller:
        await caller.say(silence(0.5), clip("typing"), silence(0.5), clip("sneeze"), silence(1.0))
        await asyncio.sleep(1.0)
        assert caller.words() == ""


async def test_a_muted_call_keeps_its_connection_and_hears_what_comes_then(monkeypatch):
    monkeypatch.setattr("emulators.deepgram.IDLE_SECS", 1.0)
    monkeypatch.setattr("processors.stt.deepgram.KEEP_ALIVE_SECS", 0.3)
    async with emulator() as server, Caller(DeepgramRecogniser(params(server))) as caller:
        await caller.say(silence(0.3))
        await asyncio.sleep(2.5)
        await caller.say(silence(0.1), clip("go_forward_ten_meters"), silence(0.8))
        await caller.until(lambda: caller.finals())
        assert caller.words() == METERS
        (entry,) = server.entries()
        assert entry.detail["KeepAlive"] >= 5


@pytest.mark.parametrize("how", [Kind.DROP, Kind.CLOSE])
async def test_a_lost_connection_costs_no_word_and_repeats_none(how):
    await asyncio.gather(*(_loses_no_word(how, at_ms) for at_ms in (300, 1500, 3300)))


async def _loses_no_word(how, at_ms):
    rule = fault(how, after_ms=at_ms, limit=1)
    async with emulator(rule) as server, Caller(DeepgramRecogniser(params(server))) as caller:
        await caller.say(silence(0.6), clip("go_forward_ten_meters"), silence(0.5))
        await caller.until(lambda: caller.words() == METERS)
        first, second = server.entries()
        assert second.at_secs - (first.at_secs + at_ms / 1000) < 0.5 + caller.late_secs
        await caller.say(silence(0.3), clip("stop"), silence(0.5))
        await caller.until(lambda: "stop" in caller.words())
        assert caller.words() == f"{METERS} stop"


async def test_a_frozen_peer_is_noticed_within_two_seconds():
    rule = fault(Kind.STOP_READING, after_ms=800, limit=1)
    async with emulator(rule) as server, Caller(DeepgramRecogniser(params(server))) as caller:
        await caller.say(silence(0.6), clip("go_forward_ten_meters"), silence(1.5))
        await caller.until(lambda: caller.words() == METERS)
        first, second = server.entries()
        assert second.at_secs - first.at_secs - 0.8 < 2.0 + caller.late_secs


async def test_a_wrong_key_is_said_and_not_tried_again(log):
    async with emulator(keys={Vendor.DEEPGRAM: "another"}) as server:
        async with Caller(DeepgramRecogniser(params(server))) as caller:
            await caller.until(lambda: caller.errors)
            await asyncio.sleep(0.5)
            assert len(server.entries()) == 1
            assert "You can type" in str(caller.errors[0])
        with pytest.raises(DeepgramError, match=r"refuses the key \(HTTP 401\); set DEEPGRAM_API_KEY"):
            await probe(params(server))
    assert any("set DEEPGRAM_API_KEY" in line for line in log)
    assert not any(KEY in line for line in log)


async def test_too_many_streams_means_to_wait():
    rule = fault(Kind.STATUS, status=429, retry_after="1", limit=1)
    async with emulator(rule) as server, Caller(DeepgramRecogniser(params(server))) as caller:
        await caller.until(lambda: len(server.entries()) == 2)
        first, second = server.entries()
        assert 1.0 <= second.at_secs - first.at_secs < 1.5 + caller.late_secs


BROKEN = [
    fault(Kind.STATUS, status=503),
    fault(Kind.STATUS, status=429, retry_after="30"),
    fault(Kind.STATUS, status=401),
    fault(Kind.RESET),
    fault(Kind.HANG),
    fault(Kind.SILENT),
    fault(Kind.STOP_READING),
    fault(Kind.DROP, after_ms=500),
    fault(Kind.CLOSE, after_ms=500),
    fault(Kind.STALL, stall_ms=20_000),
    fault(Kind.DRIP, every_ms=3_000),
    fault(Kind.MALFORMED_JSON),
    fault(Kind.NO_END),
    fault(Kind.ERROR_EVENT),
]


@pytest.mark.parametrize("rules", [BROKEN[at : at + 5] for at in range(0, len(BROKEN), 5)])
async def test_whatever_is_wrong_the_second_recogniser_hears_every_word_once(rules):
    """Several calls at a time, each with a fault of its own: they take seconds of real time."""
    await asyncio.gather(*map(_hears_every_word_once, rules))


async def _hears_every_word_once(rule):
    async with emulator(rule) as server, Caller(chain(server)) as caller:
        await caller.say(silence(0.6), clip("go_forward_ten_meters"), silence(0.3))
        await caller.until(lambda: caller.words() == METERS)
        await caller.say(silence(0.7), clip("stop"), silence(0.3))
        await caller.until(lambda: caller.words() == f"{METERS} stop")
        waits = [at - stopped for stopped, at in itertools.zip_longest(caller.stopped_at, _final_times(caller))]
        assert max(waits) < 2.5 + caller.late_secs  # the bot asks to repeat after 3 s
        assert caller.errors == []


async def test_the_first_choice_is_back_when_it_is_well_again():
    rule = fault(Kind.STATUS, status=503, until_secs=1.5)
    async with emulator(rule) as server, Caller(chain(server)) as caller:
        await caller.say(silence(0.3), clip("stop"), silence(2.5))
        assert caller.words() == "stop"
        await caller.say(clip("go_forward_ten_meters"), silence(0.5))
        await caller.until(lambda: caller.words() == f"stop {METERS}")
        # The connection that came back was sent the speech of meanwhile, too; the call had it from the second.
        assert server.entries()[-1].detail["texts"][-1].startswith("Go forward")


def _final_times(caller):
    """When each segment's first final transcript came."""
    first = {}
    for at, transcript in caller.told:
        if transcript.final:
            first.setdefault(transcript.segment, at)
    return [at for _, at in sorted(first.items())]


def test_the_language_of_each_word_is_read_where_the_model_tells_it():
    word = {"word": "hola", "start": 0.0, "end": 0.3, "confidence": 0.9, "punctuated_word": "Hola"}
    told = [{**word, "language": "es-419"}, word]
    channel = {"alternatives": [{"transcript": "Hola hola", "confidence": 0.9, "words": told}]}
    info = {"name": "n", "version": "v", "arch": "a"}
    message = ListenV1Results(
        type="Results", channel_index=[0, 1], duration=1.0, start=0.0, is_final=True, from_finalize=False,
        channel=channel, metadata={"request_id": "x", "model_info": info, "model_uuid": "u"},
    )  # fmt: skip
    params = DeepgramParams(SecretStr("k"), language="multi")
    result = _Nova(make_client(params), params).result(message)
    assert [word.language for word in result.words] == ["es", ""]
