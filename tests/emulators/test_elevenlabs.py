"""ElevenLabs' protocol: one text through the vendor's own package, several contexts by hand."""

import asyncio
import base64
import json

import numpy as np
import pytest
import websockets
from elevenlabs import AudioOutputMulti, ElevenLabs, VoiceSettings
from elevenlabs.core.api_error import ApiError

from emulators.elevenlabs import make_app
from emulators.faults import Vendor
from tests.emulators.serving import serving

VOICE = "voice-1"


def by_package(where, *texts, output_format="pcm_24000", key="k"):
    client = ElevenLabs(api_key=key, base_url=f"http://{where}")
    client.text_to_speech._ws_base_url = f"ws://{where}"
    return b"".join(
        client.text_to_speech.convert_realtime(
            VOICE,
            text=iter(texts),
            model_id="eleven_flash_v2_5",
            output_format=output_format,
            voice_settings=VoiceSettings(stability=0.5),
        )
    )


def connect(where, **query):
    params = "&".join(f"{name}={value}" for name, value in {"output_format": "pcm_24000", **query}.items())
    url = f"ws://{where}/v1/text-to-speech/{VOICE}/multi-stream-input?{params}"
    return websockets.connect(url, additional_headers={"xi-api-key": "k"}, proxy=None, close_timeout=0.3)


async def send(socket, **message):
    await socket.send(json.dumps(message))


async def until_final(socket, context):
    """Messages of one context up to its end; those of others are dropped."""
    messages = []
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), 5))
        if message.get("contextId") == context:
            messages.append(message)
            if message.get("isFinal"):
                return messages


async def test_the_package_gets_speech():
    async with serving(make_app) as (world, where):
        pcm = await asyncio.to_thread(by_package, where, "Your card is ", "on its way. ", "It comes tomorrow.")
        samples = np.frombuffer(pcm, np.int16)
        assert 2.0 < len(samples) / 24_000 < 5.0
        assert np.abs(samples).max() > 5_000
        entry = world.log.entries()[-1]
        assert " ".join(entry.detail["text"].split()) == "Your card is on its way. It comes tomorrow."
        assert entry.audio_ms == pytest.approx(len(samples) / 24, abs=1)


async def test_the_packages_own_default_is_mp3():
    async with serving(make_app) as (_, where):
        mp3 = await asyncio.to_thread(by_package, where, "Hello there.", output_format="mp3_44100_128")
        assert len(mp3) > 2_000
        assert b"\xff" in mp3[:200]


async def test_contexts_beside_each_other_with_times_that_restart():
    async with serving(make_app) as (_, where), connect(where, auto_mode="true") as socket:
        for context, text in (("a", "My account is empty. "), ("b", "It is sunny today. ")):
            await send(socket, text=" ", context_id=context)
            await send(socket, text=text, context_id=context, flush=True)
        await send(socket, context_id="a", close_context=True)
        messages = await until_final(socket, "a")
        chars = [char for m in messages if m.get("alignment") for char in m["alignment"]["chars"]]
        assert "".join(chars) == "My account is empty. "
        assert len(messages) >= 5
        for message in messages[:-1]:
            assert len(base64.b64decode(message["audio"])) <= 12_000
            times = (message["alignment"] or {}).get("charStartTimesMs", [])
            assert all(0 <= at <= 250 for at in times)
        # The vendor's own types read it.
        assert AudioOutputMulti.model_validate(messages[0]).alignment.char_start_times_ms[0] == 0
        await send(socket, context_id="b", close_context=True)
        assert (await until_final(socket, "b"))[-1] == {"audio": None, "isFinal": True, "contextId": "b"}


async def test_text_waits_for_the_schedule_or_a_flush():
    async with serving(make_app) as (_, where), connect(where) as socket:
        await send(socket, text="Hello there. ", context_id="a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
        await send(socket, context_id="a", flush=True)
        assert json.loads(await asyncio.wait_for(socket.recv(), 5))["audio"]


async def closed(socket):
    """The last message and the close code."""
    last = None
    try:
        while True:
            last = json.loads(await asyncio.wait_for(socket.recv(), 5))
    except websockets.ConnectionClosed as end:
        return last, end.rcvd.code if end.rcvd else 1006


async def test_a_sixth_context_closes_the_socket():
    async with serving(make_app) as (_, where), connect(where) as socket:
        for number in range(6):
            await send(socket, text="Hello ", context_id=f"c{number}")
        last, code = await closed(socket)
        assert (last["error"], last["code"], code) == ("max_active_conversations", 1008, 1008)
        assert "(5)" in last["message"]


async def test_an_ended_context_makes_room():
    async with serving(make_app) as (_, where), connect(where) as socket:
        for number in range(12):
            await send(socket, text="Hello ", context_id=f"c{number}")
            await send(socket, context_id=f"c{number}", close_context=True)
            await until_final(socket, f"c{number}")


async def test_a_quiet_client_is_cut_off_but_empty_texts_keep_it():
    async with serving(make_app) as (_, where), connect(where, inactivity_timeout="0.4") as socket:
        for _ in range(3):
            await asyncio.sleep(0.25)
            await send(socket, text="")
        last, code = await closed(socket)
        assert (last["error"], code) == ("input_timeout_exceeded", 1008)


async def test_settings_come_first_or_not_at_all():
    async with serving(make_app) as (_, where), connect(where) as socket:
        await send(socket, text="Hello ", context_id="a")
        await send(socket, text="there ", context_id="a", voice_settings={"stability": 0.1})
        assert (await closed(socket))[1] == 1008


async def refused(where, **options):
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with connect(where, **options):
            pass
    response = refusal.value.response
    return response.status_code, json.loads(response.body)["detail"]["status"]


async def test_refusals():
    async with serving(make_app, keys={Vendor.ELEVENLABS: "right"}) as (_, where):
        assert await refused(where) == (401, "invalid_api_key")
        with pytest.raises(websockets.InvalidStatus):
            await asyncio.to_thread(by_package, where, "Hello.")
    async with serving(make_app, elevenlabs_streams=1) as (_, where), connect(where):
        assert await refused(where) == (429, "too_many_concurrent_requests")


def fault(kind, **fields):
    return {"vendor": Vendor.ELEVENLABS, "kind": kind, **fields}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (fault("status", status=503), (503, "internal_server_error")),
        (fault("status", status=429, retry_after="2"), (429, "system_busy")),
        (fault("quota_gone"), (401, "quota_exceeded")),
    ],
)
async def test_handshakes_that_are_refused(rule, expected):
    async with serving(make_app, rule) as (world, where):
        assert await refused(where) == expected
        assert (world.log.entries()[0].fault, world.log.entries()[0].status) == (rule["kind"], expected[0])


@pytest.mark.parametrize("kind", ["hang", "reset"])
async def test_handshakes_that_never_are(kind):
    async with serving(make_app, fault(kind)) as (_, where):
        with pytest.raises((TimeoutError, ConnectionError, websockets.InvalidMessage)):
            async with asyncio.timeout(0.5), connect(where):
                pass


async def hear(where, **options):
    """What becomes of one sentence: the messages, then how it ended."""
    messages = []
    async with connect(where, auto_mode="true", **options) as socket:
        await send(socket, text="Your card is on its way. ", context_id="a")
        await send(socket, context_id="a", close_context=True)
        try:
            while True:
                text = await asyncio.wait_for(socket.recv(), 0.7)
                messages.append(json.loads(text))
        except ValueError:
            return messages, "damaged"
        except TimeoutError:
            return messages, "quiet"
        except websockets.ConnectionClosed as end:
            return messages, end.rcvd.code if end.rcvd else "gone"


@pytest.mark.parametrize(
    ("rule", "count", "end"),
    [
        (fault("silent"), 0, "quiet"),
        (fault("stop_reading", after_chunks=2), 2, "quiet"),
        (fault("stall", stall_ms=3000, after_chunks=1), 1, "quiet"),
        (fault("drop", after_chunks=2), 2, "gone"),
        (fault("drop", how="rst", after_chunks=2), 2, "gone"),
        (fault("close", code=1011, after_chunks=2), 2, 1011),
        (fault("malformed_json", after_chunks=2), 2, "damaged"),
        (fault("error_event", after_chunks=2), 3, 1011),
        (fault("no_audio"), 1, "quiet"),
    ],
)
async def test_faults_of_one_context(rule, count, end):
    async with serving(make_app, rule) as (world, where):
        messages, how = await hear(where)
        assert (len(messages), how) == (count, end)
        assert world.log.entries()[-1].fault == rule["kind"]


async def test_no_end_and_late_audio():
    async with serving(make_app, fault("no_end")) as (_, where):
        messages, how = await hear(where)
        assert len(messages) > 4
        assert (how, any(message.get("isFinal") for message in messages)) == ("quiet", False)
    async with serving(make_app, fault("late_audio")) as (_, where):
        messages, _ = await hear(where)
        final = next(index for index, message in enumerate(messages) if message.get("isFinal"))
        assert final < len(messages) - 3
        assert all(message["audio"] for message in messages[final + 1 :])


async def test_the_package_names_the_close_code():
    async with serving(make_app, fault("close", code=1008, reason="quota")) as (_, where):
        with pytest.raises(ApiError) as failure:
            await asyncio.to_thread(by_package, where, "Hello there.")
        assert failure.value.status_code == 1008
