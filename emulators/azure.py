"""Azure's speech synthesis: the WebSocket protocol ("USP") that the Speech SDK speaks, whatever it is told.

Text frames are headers, a blank line and a JSON or SSML body; binary frames have a two-byte length before their
headers. One socket serves many turns, one after the other.
"""

import asyncio
import json
import struct
import uuid
from dataclasses import dataclass, field
from typing import Any, Final
from xml.etree import ElementTree

from aiohttp import WSMsgType, web

from emulators.fault_injection import FOREVER_SECS, Broken, Closed, InjectedFault, Send, at_connect, broken_connections
from emulators.faults import Kind, Vendor
from emulators.rates import Bucket
from emulators.speech import RATE_HZ, Timed, paced, resampled, say, sliced, warm
from emulators.world import World

SLICE_MS: Final = 200
TICKS: Final = 10_000_000
"""The protocol's unit of time: 100 ns."""

THROTTLED: Final = 4429
INVALID: Final = 1007
XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def make_app(world: World) -> web.Application:
    """Azure's server. The path depends on how the SDK is told the host, and on which: all are taken."""
    vendor = _Azure(world)
    app = web.Application(middlewares=[broken_connections])
    app.on_startup.append(warm)
    app.router.add_get("/{path:.*}", vendor.serve)
    return app


def _refusal(status: int, retry_after: str | None, gone: bool) -> web.Response:
    """The vendor's error body."""
    code, said = {
        401: ("401", "Access denied due to invalid subscription key or wrong API endpoint."),
        429: ("429", "Requests have exceeded the call rate limit of your current pricing tier."),
    }.get(status, (str(status), "The service is temporarily unavailable."))
    if gone:
        status, code = 403, "403"
        said = "Out of call volume quota for TextToSpeech F0 pricing tier. Please retry after 3 days."
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return web.json_response({"error": {"code": code, "message": said}}, status=status, headers=headers)


class _Azure:
    def __init__(self, world: World) -> None:
        self._world = world
        self._second = Bucket(world.profile.azure_per_sec, 1.0, world.now())

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One socket."""
        world = self._world
        entry = world.log.open(Vendor.AZURE.value, "socket", request.headers.get("X-ConnectionId", uuid.uuid4().hex))
        entry.detail["path"] = request.path
        try:
            refused = await at_connect(world, Vendor.AZURE, request, entry, _refusal) or self._refused(request)
            if refused is not None:
                entry.status = refused.status
                return refused
            socket = web.WebSocketResponse(protocols=("USP",))
            await socket.prepare(request)
            entry.status = await _Session(world, request, socket, self._second).run()
            return socket
        finally:
            world.log.close(entry)

    def _refused(self, request: web.Request) -> web.Response | None:
        expected = self._world.profile.keys.get(Vendor.AZURE, "")
        key = request.headers.get("Ocp-Apim-Subscription-Key", "")
        if not key or (expected and key != expected):
            return _refusal(401, None, False)
        if self._second.wait_secs(1, self._world.now()) > 0:
            return _refusal(429, None, False)
        return None


@dataclass
class _Turn:
    """One request on a socket.

    Attributes:
        request_id: The client's id, in every frame of the answer.
        stream_id: The audio stream's.
        context: What the client wants: format, and which metadata.
    """

    request_id: str
    context: dict[str, Any]
    stream_id: str = field(default_factory=lambda: uuid.uuid4().hex.upper())

    @property
    def _audio(self) -> dict[str, Any]:
        return self.context.get("synthesis", {}).get("audio", {})

    @property
    def rate_hz(self) -> int | None:
        """Rate of the raw PCM that is wanted; None if it is anything else."""
        match str(self._audio.get("outputFormat", "")).split("-"):
            case ["raw", rate, "16bit", "mono", "pcm"] if rate.endswith("khz") and rate[:-3].isdigit():
                return {22: 22_050, 44: 44_100}.get(int(rate[:-3]), int(rate[:-3]) * 1000)
            case _:
                return None

    def wants(self, metadata: str) -> bool:
        """Whether a kind of metadata is wanted, such as ``"wordBoundaryEnabled"``."""
        return bool(self._audio.get("metadataOptions", {}).get(metadata, False))

    def text_frame(self, path: str, body: dict[str, Any]) -> str:
        """A message."""
        return (
            f"X-RequestId:{self.request_id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n"
            f"{json.dumps(body)}"
        )

    def audio_frame(self, pcm: bytes) -> bytes:
        """A piece of audio; an empty one is its end."""
        headers = (
            f"X-RequestId:{self.request_id}\r\nContent-Type:audio/x-wav\r\nX-StreamId:{self.stream_id}\r\n"
            "Path:audio\r\n"
        ).encode()
        return struct.pack(">H", len(headers)) + headers + pcm


class _Session:
    """One socket's turns."""

    def __init__(self, world: World, request: web.Request, socket: web.WebSocketResponse, second: Bucket) -> None:
        self._world = world
        self._request = request
        self._socket = socket
        self._second = second
        self._contexts: dict[str, dict[str, Any]] = {}
        self._turn: asyncio.Task[None] | None = None

    async def run(self) -> int:
        """Serve until the end; returns the close code."""
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    await self._take(message.data)
        finally:
            if self._turn is not None:
                self._turn.cancel()
        return self._socket.close_code or 1006

    async def _take(self, message: str) -> None:
        head, _, body = message.partition("\r\n\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, separator, value in (line.partition(":") for line in head.split("\r\n"))
            if separator
        }
        request_id = headers.get("x-requestid", "")
        match headers.get("path", "").lower():
            case "synthesis.context":
                self._contexts[request_id] = json.loads(body)
            case "ssml":
                turn = _Turn(request_id, self._contexts.pop(request_id, {}))
                await self._begin(turn, body)
            case _:
                pass  # speech.config, telemetry

    async def _begin(self, turn: _Turn, ssml: str) -> None:
        now = self._world.now()
        if self._second.wait_secs(1, now) > 0:
            await self._socket.close(code=THROTTLED, message=b"Too many requests")
            return
        self._second.charge(1, now)
        try:
            text, language = _read(ssml)
        except ElementTree.ParseError:
            await self._socket.close(code=INVALID, message=b"Ssml should be well formed XML.")
            return
        if turn.rate_hz is None:
            await self._socket.close(code=INVALID, message=b"Unsupported audio format.")
            return
        self._turn = asyncio.create_task(self._speak(turn, text, language, turn.rate_hz), name="azure turn")

    async def _speak(self, turn: _Turn, text: str, language: str, rate_hz: int) -> None:
        entry = self._world.log.open(Vendor.AZURE.value, "speak", turn.request_id)
        entry.characters = len(text)
        entry.bytes_in = len(text.encode())
        entry.detail["text"] = text
        injected = InjectedFault(self._world, Vendor.AZURE, self._request, entry)
        tag = {"serviceTag": uuid.uuid4().hex}
        try:
            await self._send(turn, "turn.start", {"context": tag})
            audio = {"type": "inline", "streamId": turn.stream_id}
            await self._send(turn, "response", {"context": tag, "audio": audio})
            slices = [] if injected.is_(Kind.NO_AUDIO) else sliced(await say(text, language), SLICE_MS)
            async for piece in paced(self._world, Vendor.AZURE, slices):
                wanted = turn.wants("wordBoundaryEnabled") and not injected.is_(Kind.NO_TIMES)
                metadata = _metadata(piece.words) if wanted else []
                late = injected.is_(Kind.LATE_TIMES)
                if await injected.before_chunk() is Send.CUT:
                    whole = turn.text_frame("audio.metadata", {"Metadata": metadata})
                    await self._socket.send_str(whole[: -len(whole) // 4])
                elif metadata and not late:
                    await self._send(turn, "audio.metadata", {"Metadata": metadata})
                await self._socket.send_bytes(turn.audio_frame(resampled(piece.pcm, rate_hz)))
                entry.audio_ms += len(piece.pcm) / 2 / RATE_HZ * 1000
                self._world.log.content_sent(entry, len(piece.pcm))
                if metadata and late and injected.rule is not None:
                    await asyncio.sleep(injected.rule.late_ms / 1000)
                    await self._send(turn, "audio.metadata", {"Metadata": metadata})
            if injected.is_(Kind.NO_END):
                return
            if turn.wants("sessionEndEnabled"):
                end = {"Type": "SessionEnd", "Data": {"Offset": round(entry.audio_ms / 1000 * TICKS)}}
                await self._send(turn, "audio.metadata", {"Metadata": [end]})
            await self._socket.send_bytes(turn.audio_frame(b""))
            await self._send(turn, "turn.end", {})
        except Closed as closed:
            await self._socket.close(code=closed.code, message=(closed.reason or "Internal server error").encode())
        except (Broken, ConnectionError):
            return  # the connection is gone; the receiving side ends too
        finally:
            self._world.log.close(entry)

    async def _send(self, turn: _Turn, path: str, body: dict[str, Any]) -> None:
        transport = self._request.transport
        if transport is not None and not transport.is_closing() and not transport.is_reading():
            await asyncio.sleep(FOREVER_SECS)  # a peer that has stopped reading does not write either
        await self._socket.send_str(turn.text_frame(path, body))


def _read(ssml: str) -> tuple[str, str]:
    """Text and language of an SSML document.

    Raises:
        xml.etree.ElementTree.ParseError: It is not well-formed.
    """
    root = ElementTree.fromstring(ssml)
    voice = next((part for part in root.iter() if part.tag.endswith("voice")), None)
    language = next((lang for part in root.iter() if (lang := part.get(XML_LANG)) and part is not root), None)
    name = "" if voice is None else voice.get("name", "")
    return "".join(root.itertext()).strip(), language or name[:5] or root.get(XML_LANG, "en-US")


def _metadata(words: tuple[Timed, ...]) -> list[dict[str, Any]]:
    """Word boundaries; a mark at a word's end has one of its own."""
    entries = []
    for word in words:
        bare = word.text.strip()
        core = bare.strip(".,;:!?…\"'()") or bare
        mark = bare[bare.find(core) + len(core) :]
        split = word.start_secs + word.duration_secs * (0.9 if mark else 1.0)
        for kind, text, start, end in (
            ("WordBoundary", core, word.start_secs, split),
            ("PunctuationBoundary", mark, split, word.start_secs + word.duration_secs),
        ):
            if text:
                data = {
                    "Offset": round(start * TICKS),
                    "Duration": round((end - start) * TICKS),
                    "text": {"Text": text, "Length": len(text), "BoundaryType": kind},
                }
                entries.append({"Type": "WordBoundary", "Data": data})
    return entries
