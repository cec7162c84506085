"""Azure's WebSocket protocol, frame by frame; the Speech SDK itself asks in the tests of the voice."""

import asyncio
import json
import struct

import pytest
import websockets

from emulators.azure import make_app
from emulators.faults import Vendor
from tests.emulators.serving import serving

PATHS = ("/cognitiveservices/websocket/v1", "/tts/cognitiveservices/websocket/v1", "/my/own/path")
SSML = (
    "<speak version='1.0' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='en-US'>"
    "<voice name='en-US-AvaMultilingualNeural'>Tom &amp; I are late, sorry.</voice></speak>"
)


def connect(where, path=PATHS[0], key="k"):
    headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
    return websockets.connect(f"ws://{where}{path}", additional_headers=headers, proxy=None, close_timeout=0.3)


async def ask(socket, request_id="R1", ssml=SSML, output_format="raw-24khz-16bit-mono-pcm", words=True):
    options = {"wordBoundaryEnabled": words, "sessionEndEnabled": True}
    context = {"synthesis": {"audio": {"outputFormat": output_format, "metadataOptions": options}}}
    for path, body in (("speech.config", "{}"), ("synthesis.context", json.dumps(context)), ("ssml", ssml)):
        await socket.send(f"Path:{path}\r\nX-RequestId:{request_id}\r\n\r\n{body}")


async def answer(socket):
    """The frames of one turn: (path, headers, body)."""
    frames = []
    while not frames or frames[-1][0] != "turn.end":
        frame = await asyncio.wait_for(socket.recv(), 5)
        if isinstance(frame, bytes):
            (size,) = struct.unpack_from(">H", frame)
            head, body = frame[2 : 2 + size].decode(), frame[2 + size :]
        else:
            head, _, body = frame.partition("\r\n\r\n")
            body = json.loads(body)
        headers = dict(line.split(":", 1) for line in head.split("\r\n") if line)
        frames.append((headers["Path"], headers, body))
    return frames


@pytest.mark.parametrize("path", PATHS)
async def test_a_turn(path):
    async with serving(make_app) as (world, where), connect(where, path) as socket:
        await ask(socket)
        frames = await answer(socket)
        assert {headers["X-RequestId"] for _, headers, _ in frames} == {"R1"}
        assert [path for path, _, _ in frames[:2]] == ["turn.start", "response"]
        audio = [(headers, body) for path, headers, body in frames if path == "audio"]
        assert audio[-1][1] == b""
        assert {headers["X-StreamId"] for headers, _ in audio} == {frames[1][2]["audio"]["streamId"]}
        secs = sum(len(body) for _, body in audio) / 48_000
        assert 1.0 < secs < 3.5
        metadata = [each for path, _, body in frames if path == "audio.metadata" for each in body["Metadata"]]
        words = [(each["Data"]["text"]["Text"], each["Data"]["text"]["BoundaryType"]) for each in metadata[:-1]]
        assert [text for text, kind in words if kind == "WordBoundary"] == ["Tom", "&", "I", "are", "late", "sorry"]
        assert [text for text, kind in words if kind == "PunctuationBoundary"] == [",", "."]
        offsets = [each["Data"]["Offset"] for each in metadata]
        assert offsets == sorted(offsets)
        assert metadata[-1]["Type"] == "SessionEnd"
        assert offsets[-1] == pytest.approx(secs * 10_000_000, abs=10_000)
        assert world.log.entries()[-1].detail["text"] == "Tom & I are late, sorry."


async def test_turns_follow_on_one_socket_and_get_what_they_want():
    async with serving(make_app) as (world, where), connect(where) as socket:
        await ask(socket, "R1", words=False)
        first = await answer(socket)
        assert [body["Metadata"][0]["Type"] for path, _, body in first if path == "audio.metadata"] == ["SessionEnd"]
        await ask(socket, "R2", output_format="raw-16khz-16bit-mono-pcm")
        second = await answer(socket)
        sizes = [sum(len(body) for path, _, body in frames if path == "audio") for frames in (first, second)]
        assert sizes[1] == pytest.approx(sizes[0] * 2 / 3, rel=0.02)
        assert [entry.request_id for entry in world.log.entries() if entry.what == "speak"] == ["R1", "R2"]


async def closed(socket):
    with pytest.raises(websockets.ConnectionClosed) as end:
        await answer(socket)
    return end.value.rcvd.code


async def test_what_is_not_taken():
    async with serving(make_app) as (_, where):
        async with connect(where) as socket:
            await ask(socket, ssml="<speak>")
            assert await closed(socket) == 1007
        async with connect(where) as socket:
            await ask(socket, output_format="audio-24khz-48kbitrate-mono-mp3")
            assert await closed(socket) == 1007


@pytest.mark.parametrize(
    ("key", "profile", "status"),
    [
        ("", {}, 401),
        ("wrong", {"keys": {Vendor.AZURE: "right"}}, 401),
        ("k", {"faults": ({"vendor": "azure", "kind": "quota_gone"},)}, 403),
        ("k", {"faults": ({"vendor": "azure", "kind": "status", "status": 429, "retry_after": "3"},)}, 429),
    ],
)
async def test_refusals(key, profile, status):
    faults = profile.pop("faults", ())
    async with serving(make_app, *faults, **profile) as (world, where):
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with connect(where, key=key):
                pass
        response = refused.value.response
        assert (response.status_code, json.loads(response.body)["error"]["code"]) == (status, str(status))
        assert response.headers.get("Retry-After") == ("3" if status == 429 else None)
        assert world.log.entries()[0].status == status


async def test_the_rate_counts_turns_and_handshakes():
    async with serving(make_app, azure_per_sec=1) as (_, where), connect(where) as socket:
        await ask(socket, "R1")
        await ask(socket, "R2")
        assert await closed(socket) == 4429
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with connect(where):
                pass
        assert refused.value.response.status_code == 429
