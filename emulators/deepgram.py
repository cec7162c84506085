"""Deepgram's live speech to text: v1 ``/v1/listen`` (nova) and v2 ``/v2/listen`` (Flux).

https://developers.deepgram.com/reference/speech-to-text/listen-streaming and .../listen-flux. Words come from the audio
alone (:mod:`emulators.hearing`).
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final, Protocol

from aiohttp import WSMsgType, web

from emulators.fault_injection import Broken, Closed, InjectedFault, Send, at_connect
from emulators.faults import Kind, Vendor
from emulators.hearing import Heard, StreamRecogniser, warm
from emulators.known_clips import ClipMatcher
from emulators.log import Entry
from emulators.world import World

IDLE_SECS: Final = 10.0
IDLE_REASON: Final = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
EMPTY_EVERY_SECS: Final = 1.0
"""In silence a partial result without words comes so often."""

UPDATE_EVERY_SECS: Final = 0.25
TIMED: Final = (Kind.DROP, Kind.CLOSE, Kind.STOP_READING)
"""What happens at its time, whether or not there is a message to send."""

MODEL_UUID: Final = "40bd3654-0000-4000-8000-000000000000"


def make_app(world: World) -> web.Application:
    """The server of both versions."""
    server = _Deepgram(world)
    app = web.Application()
    if world.clips is None:
        app.on_startup.append(warm)
    app.router.add_get("/v1/listen", server.listen_v1)
    app.router.add_get("/v2/listen", server.listen_v2)
    return app


class _Dialect(Protocol):
    """How one version says what was heard. Methods return messages to send."""

    def opened(self) -> list[dict[str, Any]]: ...
    def text(self, message: Mapping[str, Any]) -> list[dict[str, Any]]: ...
    def passed(self) -> list[dict[str, Any]]: ...
    def speech(self, speaking: bool) -> list[dict[str, Any]]: ...
    def heard(self, heard: Heard) -> list[dict[str, Any]]: ...
    def closing(self) -> list[dict[str, Any]]: ...
    def without_end(self, message: dict[str, Any]) -> dict[str, Any]: ...
    def error(self) -> dict[str, Any]: ...
    def is_final(self, message: Mapping[str, Any]) -> bool: ...
    def again(self, message: dict[str, Any]) -> dict[str, Any]: ...


class _Deepgram:
    def __init__(self, world: World) -> None:
        self._world = world
        self._streams = 0

    async def listen_v1(self, request: web.Request) -> web.StreamResponse:
        return await self._listen(request, "listen v1")

    async def listen_v2(self, request: web.Request) -> web.StreamResponse:
        return await self._listen(request, "listen v2")

    async def _listen(self, request: web.Request, what: str) -> web.StreamResponse:
        entry = self._world.log.open("deepgram", what, str(uuid.uuid4()))
        entry.detail = dict(request.query)

        def refuse(status: int, retry_after: str | None, for_good: bool) -> web.Response:
            code = {401: "INVALID_AUTH", 402: "ASR_PAYMENT_REQUIRED", 429: "TOO_MANY_REQUESTS"}.get(status, "ERROR")
            text = {401: "Invalid credentials.", 402: "Project does not have enough credits.",
                    429: "Too many requests. Please try again later"}.get(status, "Service unavailable.")  # fmt: skip
            headers = {"dg-error": text, **({"retry-after": retry_after} if retry_after else {})}
            body = {"err_code": code, "err_msg": text, "request_id": entry.request_id}
            entry.status = status
            return web.json_response(body, status=status, headers=headers)

        try:
            instead = await at_connect(self._world, Vendor.DEEPGRAM, request, entry, refuse)
            if instead is not None:
                return instead
            wanted = self._world.profile.keys.get(Vendor.DEEPGRAM, "")
            key = request.headers.get("authorization", "").removeprefix("Token ").strip()
            if not key or (wanted and key != wanted):
                return refuse(401, None, True)
            rate = request.query.get("sample_rate", "")
            if request.query.get("encoding") != "linear16" or not rate.isdigit() or int(rate) == 0:
                return refuse(400, None, True)
            if self._streams >= self._world.profile.deepgram_streams:
                return refuse(429, None, False)
            self._streams += 1
            try:
                return await _Stream(self._world, request, entry, what, int(rate)).run()
            finally:
                self._streams -= 1
        except Broken:
            return web.Response(status=500)  # nobody is there to read it
        finally:
            self._world.log.close(entry)


class _Stream:
    """One connection."""

    def __init__(self, world: World, request: web.Request, entry: Entry, what: str, rate_hz: int) -> None:
        self._world = world
        self._request = request
        self._entry = entry
        self._recogniser = (
            StreamRecogniser(rate_hz, self._on_heard, self._on_speech)
            if world.clips is None
            else ClipMatcher(world.clips, rate_hz, self._on_heard, self._on_speech)
        )
        self._dialect: _Dialect = (
            V1(entry.request_id, self._recogniser, multi=request.query.get("language") == "multi")
            if what == "listen v1"
            else V2(
                entry.request_id,
                self._recogniser,
                eager="eager_eot_threshold" in request.query,
                multi=request.query.get("model") == "flux-general-multi",
            )
        )
        self._rate_hz = rate_hz
        self._out: asyncio.Queue[tuple[float, dict[str, Any]]] = asyncio.Queue()
        self._socket = web.WebSocketResponse(heartbeat=None)
        self._last_due = 0.0
        self._repeats: set[asyncio.Task[None]] = set()

    async def run(self) -> web.WebSocketResponse:
        socket, entry = self._socket, self._entry
        await socket.prepare(self._request)
        await self._recogniser.start()
        injected = InjectedFault(self._world, Vendor.DEEPGRAM, self._request, entry)
        sender = asyncio.create_task(self._send_all(injected))
        self._say(self._dialect.opened(), 0.0)
        try:
            await self._receive(sender)
            if sender.done():
                await self._ended(sender)
            elif not socket.closed:
                self._say(self._dialect.closing(), 0.0)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await self._out.join()
        finally:
            for task in (sender, *self._repeats):
                task.cancel()
            await asyncio.wait([sender, *self._repeats])
            await self._recogniser.close()
        entry.status = socket.close_code
        return socket

    async def _receive(self, sender: asyncio.Task[None]) -> None:
        while not sender.done():
            receive = asyncio.ensure_future(self._socket.receive())
            done, _ = await asyncio.wait({receive, sender}, timeout=IDLE_SECS, return_when=asyncio.FIRST_COMPLETED)
            if receive not in done:
                receive.cancel()
                if not done:
                    self._say(self._dialect.closing(), 0.0)
                    await self._out.join()
                    await self._socket.close(code=1011, message=IDLE_REASON.encode())
                return
            message = receive.result()
            if message.type is WSMsgType.BINARY:
                self._audio(message.data)
            elif message.type is WSMsgType.TEXT:
                if not self._text(message.data):
                    return
            else:
                return

    def _audio(self, data: bytes) -> None:
        if not data:
            return
        self._entry.bytes_in += len(data)
        self._entry.audio_ms += len(data) / 2 / self._rate_hz * 1000
        self._recogniser.feed(data)
        self._say(self._dialect.passed(), 0.0)

    def _text(self, data: str) -> bool:
        """Returns False when the client closes the stream."""
        try:
            message = json.loads(data)
            kind = message["type"]
        except (ValueError, KeyError, TypeError):
            self._say(
                [{"type": "Error", "variant": "SchemaError", "description": "unknown message", "message": data[:80]}]
            )
            return True
        self._entry.detail[kind] = self._entry.detail.get(kind, 0) + 1
        self._say(self._dialect.text(message), self._final_secs())
        return kind != "CloseStream"

    def _on_speech(self, speaking: bool) -> None:
        self._say(self._dialect.speech(speaking), 0.0)

    def _on_heard(self, heard: Heard) -> None:
        if heard.final:
            self._entry.detail.setdefault("texts", []).append(heard.text)
        timing = self._world.profile.of(Vendor.DEEPGRAM)
        secs = (
            self._final_secs()
            if heard.final
            else self._world.secs(Vendor.DEEPGRAM, "first byte", timing.first_byte, network=True)
        )
        self._say(self._dialect.heard(heard), secs)

    def _final_secs(self) -> float:
        return self._world.secs(Vendor.DEEPGRAM, "final", self._world.profile.of(Vendor.DEEPGRAM).final, network=True)

    def _say(self, messages: list[dict[str, Any]], after_secs: float = 0.0) -> None:
        """Messages keep their order: one that is late makes those behind it late."""
        for message in messages:
            self._last_due = max(self._last_due, self._world.now() + after_secs)
            self._out.put_nowait((self._last_due, message))

    async def _send_all(self, injected: InjectedFault) -> None:
        began = self._world.now()
        while True:
            rule = injected.rule
            timed = rule is not None and rule.kind in TIMED and not rule.after_chunks
            wait_secs = max(0.0, began + rule.after_ms / 1000 - self._world.now()) if timed and rule else None
            try:
                async with asyncio.timeout(wait_secs):
                    due, message = await self._out.get()
            except TimeoutError:
                await injected.before_chunk()
                continue
            try:
                await asyncio.sleep(max(0.0, due - self._world.now()))
                injected.look_again()
                if self._dialect.is_final(message) and (late := self._late_secs(injected)):
                    if injected.is_(Kind.LATE_FINAL):
                        await asyncio.sleep(late)
                    else:
                        self._repeats.add(repeat := asyncio.create_task(self._repeat(message, late)))
                        repeat.add_done_callback(self._repeats.discard)
                if injected.is_(Kind.NO_END):
                    message = self._dialect.without_end(message)
                verdict = await injected.before_chunk()
                text = json.dumps(self._dialect.error() if verdict is Send.ERROR else message)
                await self._socket.send_str(text[: len(text) // 2] if verdict is Send.CUT else text)
                if self._dialect.is_final(message):
                    self._world.log.content_sent(self._entry, len(text))
            finally:
                self._out.task_done()

    @staticmethod
    def _late_secs(injected: InjectedFault) -> float:
        """How late a final result comes, or comes again."""
        rule = injected.rule
        if rule is None or rule.kind not in (Kind.LATE_FINAL, Kind.DOUBLE_FINAL):
            return 0.0
        return rule.late_ms / 1000

    async def _repeat(self, message: dict[str, Any], after_secs: float) -> None:
        await asyncio.sleep(after_secs)
        if not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(json.dumps(self._dialect.again(message)))

    async def _ended(self, sender: asyncio.Task[None]) -> None:
        """The sender has ended: by a fault, or since the client is gone."""
        try:
            sender.result()
        except Closed as closed:
            await self._socket.close(code=closed.code, message=(closed.reason or IDLE_REASON).encode())
        except (Broken, ConnectionError):
            pass


def _words(heard: Heard, *, v1: bool) -> list[dict[str, Any]]:
    """Words with times spread over the speech in proportion to their letters."""
    words = heard.text.split()
    letters = sum(len(word) for word in words)
    at = heard.start_secs
    timed = []
    for word in words:
        secs = (heard.end_secs - heard.start_secs) * len(word) / letters
        plain = word.strip(".,!?;:").lower()
        entry = {"word": plain if v1 else word, "start": round(at, 3), "end": round(at + secs, 3)}
        entry["confidence"] = round(heard.confidence, 4)
        if v1:
            entry["punctuated_word"] = word
        timed.append(entry)
        at += secs
    return timed


class V1:
    """``Results``, ``SpeechStarted``, ``UtteranceEnd``."""

    def __init__(self, request_id: str, recogniser: StreamRecogniser | ClipMatcher, *, multi: bool = False) -> None:
        self._multi = multi
        self._request_id = request_id
        self._recogniser = recogniser
        self._finalizing = False
        self._pending_finals = 0
        self._told_secs = 0.0
        self._covered_secs = 0.0

    def opened(self) -> list[dict[str, Any]]:
        return []

    def text(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        match message["type"]:
            case "Finalize":
                self._recogniser.finish()
                if self._pending_finals:
                    self._finalizing = True
                    return []
                return [
                    self._results(
                        Heard("", 0, self._covered_secs, self._recogniser.heard_secs, True, 0.0), finalize=True
                    )
                ]
            case "CloseStream":
                self._recogniser.finish()
            case "Configure":
                return [{"type": "ConfigureSuccess"}]
        return []

    def passed(self) -> list[dict[str, Any]]:
        heard_secs = self._recogniser.heard_secs
        if self._recogniser.speaking or self._pending_finals or heard_secs - self._told_secs < EMPTY_EVERY_SECS:
            return []
        self._told_secs = heard_secs
        return [self._results(Heard("", 0, self._covered_secs, heard_secs, False, 0.0))]

    def speech(self, speaking: bool) -> list[dict[str, Any]]:
        if not speaking:
            self._pending_finals += 1
            return []
        return [{"type": "SpeechStarted", "channel": [0], "timestamp": round(self._recogniser.heard_secs, 3)}]

    def heard(self, heard: Heard) -> list[dict[str, Any]]:
        self._told_secs = self._recogniser.heard_secs
        if not heard.final:
            return [self._results(heard)]
        self._pending_finals = max(0, self._pending_finals - 1)
        finalize, self._finalizing = self._finalizing and not self._pending_finals, False
        return [self._results(heard, finalize=finalize)]

    def closing(self) -> list[dict[str, Any]]:
        info = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}
        return [
            {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": self._request_id,
                "sha256": "incomplete",
                "created": "2026-11-01T00:00:00.000Z",
                "duration": round(self._recogniser.heard_secs, 3),
                "channels": 1,
                "models": [MODEL_UUID],
                "model_info": {MODEL_UUID: info},
            }
        ]

    def without_end(self, message: dict[str, Any]) -> dict[str, Any]:
        if message["type"] != "Results":
            return message
        return {**message, "is_final": False, "speech_final": False, "from_finalize": False}

    def error(self) -> dict[str, Any]:
        return {"type": "Error", "variant": "InternalError", "description": "internal error", "message": "try again"}

    def is_final(self, message: Mapping[str, Any]) -> bool:
        return message["type"] == "Results" and bool(message["is_final"])

    def again(self, message: dict[str, Any]) -> dict[str, Any]:
        return message

    def _results(self, heard: Heard, *, finalize: bool = False) -> dict[str, Any]:
        start_secs = min(self._covered_secs, heard.start_secs)
        end_secs = self._recogniser.heard_secs
        if heard.final:
            self._covered_secs = end_secs
        words = _words(heard, v1=True)
        best: dict[str, Any] = {"transcript": heard.text, "confidence": round(heard.confidence, 4), "words": words}
        if self._multi:
            # https://developers.deepgram.com/docs/multilingual-code-switching
            best["languages"] = [heard.language] if words else []
            best["words"] = [{**word, "language": heard.language} for word in words]
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": round(end_secs - start_secs, 3),
            "start": round(start_secs, 3),
            "is_final": heard.final,
            "speech_final": heard.final and not finalize,
            "from_finalize": finalize,
            "channel": {"alternatives": [best]},
            "metadata": {
                "request_id": self._request_id,
                "model_info": {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"},
                "model_uuid": MODEL_UUID,
            },
        }


class V2:
    """``Connected``, ``TurnInfo``."""

    def __init__(
        self, request_id: str, recogniser: StreamRecogniser | ClipMatcher, *, eager: bool, multi: bool = False
    ) -> None:
        self._multi = multi
        self._request_id = request_id
        self._recogniser = recogniser
        self._eager = eager
        self._sequence = -1
        self._turn = 0
        self._started = False
        self._told_secs = 0.0
        self._window_start = 0.0
        self._last = Heard("", 0, 0.0, 0.0, False, 0.0)
        self._forced = False

    def opened(self) -> list[dict[str, Any]]:
        return [self._numbered({"type": "Connected", "request_id": self._request_id})]

    def text(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        match message["type"]:
            case "ForceEndTurn":
                self._forced = self._recogniser.finish()
            case "CloseStream":
                self._recogniser.finish()
            case "Configure":
                return [self._numbered({"type": "ConfigureSuccess", "request_id": self._request_id})]
        return []

    def passed(self) -> list[dict[str, Any]]:
        if self._recogniser.heard_secs - self._told_secs < UPDATE_EVERY_SECS:
            return []
        return [self._turn_info("Update", self._last)]

    def speech(self, speaking: bool) -> list[dict[str, Any]]:
        return []

    def heard(self, heard: Heard) -> list[dict[str, Any]]:
        self._last = heard
        events = []
        if heard.text and not self._started:
            self._started = True
            events.append(self._turn_info("StartOfTurn", heard))
        if not heard.final:
            return events or [self._turn_info("Update", heard)]
        if self._started:
            if self._eager:
                events.append(self._turn_info("EagerEndOfTurn", heard))
            events.append(self._turn_info("EndOfTurn", heard))
            self._turn += 1
        self._started, self._forced = False, False
        self._window_start = self._recogniser.heard_secs
        self._last = Heard("", 0, 0.0, 0.0, False, 0.0)
        return events

    def closing(self) -> list[dict[str, Any]]:
        return []

    def without_end(self, message: dict[str, Any]) -> dict[str, Any]:
        return {**message, "event": "Update"} if message.get("event") == "EndOfTurn" else message

    def error(self) -> dict[str, Any]:
        return self._numbered({"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "internal error"})

    def is_final(self, message: Mapping[str, Any]) -> bool:
        return message.get("event") == "EndOfTurn"

    def again(self, message: dict[str, Any]) -> dict[str, Any]:
        return self._numbered(message)

    def _turn_info(self, event: str, heard: Heard) -> dict[str, Any]:
        self._told_secs = self._recogniser.heard_secs
        info = {
            "type": "TurnInfo",
            "request_id": self._request_id,
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": round(self._window_start, 3),
            "audio_window_end": round(self._recogniser.heard_secs, 3),
            "transcript": heard.text,
            "words": _words(heard, v1=False),
            "end_of_turn_confidence": 0.9 if event.endswith("EndOfTurn") else 0.1,
        }
        if self._multi:
            # https://developers.deepgram.com/docs/flux/language-prompting: for the turn, not for each word
            info["languages"] = [heard.language] if heard.text else []
        if event == "EndOfTurn":
            info["trigger"] = "manual" if self._forced else "model"
        return self._numbered(info)

    def _numbered(self, message: dict[str, Any]) -> dict[str, Any]:
        self._sequence += 1
        return {**message, "sequence_id": self._sequence}
