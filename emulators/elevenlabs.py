"""ElevenLabs' speech over WebSockets: ``stream-input`` (one text) and ``multi-stream-input`` (up to five contexts).

Messages as in https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-stream-input and
``...-multi-stream-input``; the wording of refusals as users reported them. Character times restart in every message.
"""

import asyncio
import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSMsgType, web

from emulators.fault_injection import FOREVER_SECS, Broken, Closed, InjectedFault, Send, at_connect, broken_connections
from emulators.faults import Kind, Vendor
from emulators.log import Entry
from emulators.speech import RATE_HZ, Slice, as_mp3, paced, resampled, say, sliced, warm
from emulators.world import World

SLICE_MS: Final = 250
MAX_CONTEXTS: Final = 5
INACTIVITY_SECS: Final = 20.0
MAX_INACTIVITY_SECS: Final = 180.0
SCHEDULE: Final = (120, 160, 250, 290)
"""Characters that must have come before the first, second, ... generation begins by itself."""

LATE_SLICES: Final = 8
POLICY: Final = 1008

TIMED_OUT: Final = (
    "Have not received a new text input within the timeout of {secs:g} seconds. Streaming input terminated. Please "
    "make sure to either feed the input in the timely manner, or to send the end of input text "
    '(empty string "") when done.'
)
TOO_MANY_CONTEXTS: Final = (
    f"Maximum simultaneous contexts per WebSocket connection exceeded ({MAX_CONTEXTS}). "
    "Please close an existing context before opening a new one."
)


def make_app(world: World) -> web.Application:
    """ElevenLabs' server."""
    vendor = _ElevenLabs(world)
    app = web.Application(middlewares=[broken_connections])
    app.on_startup.append(warm)
    app.router.add_get("/v1/text-to-speech/{voice_id}/stream-input", vendor.stream_input)
    app.router.add_get("/v1/text-to-speech/{voice_id}/multi-stream-input", vendor.multi_stream_input)
    return app


class _ElevenLabs:
    def __init__(self, world: World) -> None:
        self._world = world
        self._sockets = 0

    async def stream_input(self, request: web.Request) -> web.StreamResponse:
        """One text for one socket."""
        return await self._serve(request, multi=False)

    async def multi_stream_input(self, request: web.Request) -> web.StreamResponse:
        """Several texts beside each other."""
        return await self._serve(request, multi=True)

    async def _serve(self, request: web.Request, *, multi: bool) -> web.StreamResponse:
        world = self._world
        entry = world.log.open(Vendor.ELEVENLABS.value, "socket", uuid.uuid4().hex)
        try:
            refused = await at_connect(world, Vendor.ELEVENLABS, request, entry, _refusal) or self._refused(request)
            if refused is not None:
                entry.status = refused.status
                return refused
            socket = web.WebSocketResponse(heartbeat=None)
            await socket.prepare(request)
            self._sockets += 1
            try:
                entry.status = await _Session(world, request, socket, multi=multi).run()
            finally:
                self._sockets -= 1
            return socket
        finally:
            world.log.close(entry)

    def _refused(self, request: web.Request) -> web.Response | None:
        key = request.headers.get("xi-api-key", "")
        if key and not _is_key(self._world, key):
            return _refusal(401, None, False)
        streams = self._world.profile.elevenlabs_streams
        if self._sockets >= streams:
            return _detail(
                429,
                "too_many_concurrent_requests",
                "Too many concurrent requests. Your current subscription is associated with a maximum of "
                f"{streams} concurrent requests (running in parallel).",
            )
        return None


def _is_key(world: World, key: str) -> bool:
    expected = world.profile.keys.get(Vendor.ELEVENLABS, "")
    return not expected or key == expected


def _refusal(status: int, retry_after: str | None, gone: bool) -> web.Response:
    """The vendor's error body; the quota's end is a 401, as users reported."""
    if gone:
        return _detail(
            401,
            "quota_exceeded",
            "This request exceeds your quota of 10000. You have 0 credits remaining, while 12 credits are required for "
            "this request.",
        )
    match status:
        case 401:
            return _detail(401, "invalid_api_key", "Invalid API key")
        case 429:
            said = "The system is currently experiencing heavy traffic. Please try again later."
            return _detail(429, "system_busy", said, retry_after)
        case _:
            return _detail(status, "internal_server_error", "An internal error has occurred.", retry_after)


def _detail(status: int, name: str, message: str, retry_after: str | None = None) -> web.Response:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return web.json_response({"detail": {"status": name, "message": message}}, status=status, headers=headers)


@dataclass(eq=False)
class _Context:
    """One text: what has come of it, and what is being spoken.

    Attributes:
        context_id: Its id; None on ``stream-input``.
        entry: Its line in the log.
        injected: What goes wrong with it.
        text: Text that has come and is not spoken yet.
        generations: How many times speech was made.
        closing: Whether no more text is to come.
        to_say: Texts to speak; None: the end.
    """

    context_id: str | None
    entry: Entry
    injected: InjectedFault
    schedule: tuple[int, ...] = SCHEDULE
    text: str = ""
    generations: int = 0
    closing: bool = False
    to_say: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)

    @property
    def threshold(self) -> int:
        """Characters that begin the next generation by themselves."""
        return self.schedule[min(self.generations, len(self.schedule) - 1)]

    def generate(self) -> None:
        """Speak what has come."""
        if self.text.strip():
            self.generations += 1
            self.to_say.put_nowait(self.text.strip() + " ")
        self.text = ""

    def end(self) -> None:
        """Speak what has come, then say that this was all."""
        if not self.closing:
            self.closing = True
            self.generate()
            self.to_say.put_nowait(None)


class _Refused(Exception):
    """The client broke a rule: it is told, and the socket is closed with 1008."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.message = message


class _Session:
    """One socket."""

    def __init__(self, world: World, request: web.Request, socket: web.WebSocketResponse, *, multi: bool) -> None:
        query = request.query
        self._world = world
        self._request = request
        self._socket = socket
        self._multi = multi
        self._authorized = bool(request.headers.get("xi-api-key"))
        self._auto = query.get("auto_mode", "false") == "true"
        self._format = query.get("output_format", "mp3_44100_128")
        self._language = query.get("language_code", "en")
        self._inactivity_secs = min(float(query.get("inactivity_timeout", INACTIVITY_SECS)), MAX_INACTIVITY_SECS)
        self._contexts: dict[str | None, _Context] = {}
        self._working: dict[_Context, asyncio.Task[None]] = {}

    async def run(self) -> int:
        """Serve until the end; returns the close code."""
        try:
            await self._receive()
        except _Refused as refused:
            await self._close(POLICY, refused.error, refused.message)
        except TimeoutError:
            await self._close(POLICY, "input_timeout_exceeded", TIMED_OUT.format(secs=self._inactivity_secs))
        finally:
            for task in self._working.values():
                task.cancel()
            for context in self._working:
                self._world.log.close(context.entry)
        return self._socket.close_code or 1006

    # --- what comes ------------------------------------------------------------------------

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive(timeout=self._inactivity_secs)
            if message.type is not WSMsgType.TEXT:
                return
            try:
                data = json.loads(message.data)
            except ValueError:
                data = None
            if not isinstance(data, dict):
                raise _Refused("invalid_message", "Could not parse the message as a JSON object.")
            if not (self._take(data) if self._multi else self._take_single(data)):
                await asyncio.gather(*self._working.values())
                await self._socket.close()
                return

    def _take_single(self, data: Mapping[str, Any]) -> bool:
        """``stream-input``; False at the end of input."""
        context = self._contexts.get(None) or self._open(None, data)
        if data.get("text") == "":
            context.end()
            return False
        self._add(context, data)
        return True

    def _take(self, data: Mapping[str, Any]) -> bool:
        """``multi-stream-input``; False when the socket is to be closed."""
        if data.get("close_socket"):
            for context in self._contexts.values():
                context.end()
            return False
        context_id = data.get("context_id")
        context = self._contexts.get(context_id)
        if context is not None and context.closing:
            context = None  # its id may be used again
        if data.get("close_context"):
            if context is not None:
                context.end()
        elif context is not None or data.get("text"):
            self._add(context or self._open(context_id, data), data)
        return True

    def _open(self, context_id: str | None, data: Mapping[str, Any]) -> _Context:
        if not self._authorized and not _is_key(self._world, str(data.get("xi_api_key") or "")):
            raise _Refused("invalid_api_key", "Invalid API key")
        if len(self._working) >= MAX_CONTEXTS:
            raise _Refused("max_active_conversations", TOO_MANY_CONTEXTS)
        entry = self._world.log.open(Vendor.ELEVENLABS.value, "speak", context_id or uuid.uuid4().hex)
        entry.detail["text"] = ""
        injected = InjectedFault(self._world, Vendor.ELEVENLABS, self._request, entry)
        schedule = tuple((data.get("generation_config") or {}).get("chunk_length_schedule") or SCHEDULE)
        context = self._contexts[context_id] = _Context(context_id, entry, injected, schedule)
        self._working[context] = asyncio.create_task(self._speak(context), name="elevenlabs context")
        return context

    def _add(self, context: _Context, data: Mapping[str, Any]) -> None:
        text = str(data.get("text") or "")
        if data.get("voice_settings") and context.entry.characters:
            raise _Refused("invalid_voice_settings", "voice_settings may only be given in the first message.")
        context.text += text
        context.entry.characters += len(text.strip())
        context.entry.bytes_in += len(text.encode())
        context.entry.detail["text"] += text
        if data.get("flush") or self._auto or len(context.text) >= context.threshold:
            context.generate()

    # --- what goes -------------------------------------------------------------------------

    async def _speak(self, context: _Context) -> None:
        """Speak one context's texts in order."""
        said: list[Slice] = []
        try:
            while (text := await context.to_say.get()) is not None:
                if not context.injected.is_(Kind.NO_AUDIO):
                    said += await self._generate(context, text)
            if not context.injected.is_(Kind.NO_END):
                await self._send({"audio": None, "isFinal": True}, context)
            del self._working[context]
            if context.injected.is_(Kind.LATE_AUDIO):
                for piece in said[:LATE_SLICES]:
                    await self._send(self._audio(piece), context)
        except Closed as closed:
            await self._socket.close(code=closed.code, message=(closed.reason or "Internal error").encode())
        except (Broken, ConnectionError):
            return  # the connection is gone; the receiving side ends too
        finally:
            self._world.log.close(context.entry)

    async def _generate(self, context: _Context, text: str) -> list[Slice]:
        slices = sliced(await say(text, self._language), SLICE_MS)
        async for piece in paced(self._world, Vendor.ELEVENLABS, slices):
            message = self._audio(piece)
            match await context.injected.before_chunk():
                case Send.CUT:
                    whole = json.dumps(message)
                    await self._socket.send_str(whole[: len(whole) // 2])
                case Send.ERROR:
                    await self._close(1011, "internal_error", "An internal error has occurred.")
                    raise Broken
                case _:
                    await self._send_audio(message, context)
                    context.entry.audio_ms += len(piece.pcm) / 2 / RATE_HZ * 1000
                    self._world.log.content_sent(context.entry, len(piece.pcm))
        return slices

    async def _send_audio(self, message: dict[str, Any], context: _Context) -> None:
        """Send audio with its times, or without, or with the times behind it."""
        rule = context.injected.rule
        if rule is None or rule.kind not in (Kind.NO_TIMES, Kind.LATE_TIMES):
            await self._send(message, context)
            return
        times = {name: message[name] for name in ("alignment", "normalizedAlignment")}
        await self._send({**message, **dict.fromkeys(times)}, context)
        if rule.kind is Kind.LATE_TIMES:
            await asyncio.sleep(rule.late_ms / 1000)
            await self._send({"audio": None, "isFinal": None, **times}, context)

    def _audio(self, piece: Slice) -> dict[str, Any]:
        kind, rate_hz, *_ = (*self._format.split("_"), "24000")
        audio = as_mp3(piece.pcm, int(rate_hz)) if kind == "mp3" else resampled(piece.pcm, int(rate_hz))
        alignment = {
            "chars": [char.text for char in piece.chars],
            "charStartTimesMs": [round((char.start_secs - piece.start_secs) * 1000) for char in piece.chars],
            "charDurationsMs": [round(char.duration_secs * 1000) for char in piece.chars],
        }
        return {
            "audio": base64.b64encode(audio).decode(),
            "isFinal": None,
            "normalizedAlignment": alignment if piece.chars else None,
            "alignment": alignment if piece.chars else None,
        }

    async def _send(self, message: dict[str, Any], context: _Context) -> None:
        transport = self._request.transport
        if transport is not None and not transport.is_closing() and not transport.is_reading():
            await asyncio.sleep(FOREVER_SECS)  # a peer that has stopped reading does not write either
        named = message if context.context_id is None else {**message, "contextId": context.context_id}
        await self._socket.send_str(json.dumps(named))

    async def _close(self, code: int, error: str, message: str) -> None:
        try:
            await self._socket.send_str(json.dumps({"message": message, "error": error, "code": code}))
        except ConnectionError:
            return
        await self._socket.close(code=code, message=message.encode()[:120])
