"""Google Translate's speech, which the gTTS package asks: ``batchexecute``, one MP3 for at most 100 characters.

The answer is one long line after the ``)]}'`` that keeps it from being run as a script. Who asks too often is sent to
``/sorry/index``, which is a page with HTTP 429.
"""

import asyncio
import base64
import json
import urllib.parse
import uuid
from typing import Any, Final

from aiohttp import web

from emulators.fault_injection import Broken, Closed, InjectedFault, Send, at_connect, broken_connections
from emulators.faults import Kind, Vendor
from emulators.log import Entry
from emulators.rates import Bucket
from emulators.speech import RATE_HZ, as_mp3, say, warm
from emulators.world import World

RPC: Final = "jQ1olc"
MAX_CHARS: Final = 100
WRITE_BYTES: Final = 4096
"""Piece of the body that is written at once."""

SILENCE_BYTES: Final = RATE_HZ * 3 // 10 * 2
"""Silence before and after each part: 300 ms."""

PAGE: Final = "text/html; charset=UTF-8"


def make_app(world: World) -> web.Application:
    """Google Translate's server."""
    google = _Google(world)
    app = web.Application(middlewares=[broken_connections])
    app.on_startup.append(warm)
    app.router.add_post("/_/TranslateWebserverUi/data/batchexecute", google.batchexecute)
    app.router.add_get("/sorry/index", google.sorry)
    return app


def _refusal(status: int, retry_after: str | None, gone: bool) -> web.Response:
    if status == 429:
        # What it says is on the page that one is sent to.
        return web.Response(status=302, headers={"Location": "/sorry/index?continue=translate"})
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return web.Response(status=status, text=f"<title>Error {status}</title>", headers={"Content-Type": PAGE, **headers})


class _Google:
    def __init__(self, world: World) -> None:
        self._world = world
        self._minute = Bucket(world.profile.gtts_per_min, 60.0, world.now())

    async def sorry(self, request: web.Request) -> web.Response:
        """Where unusual traffic ends."""
        said = "<title>Sorry...</title>Our systems have detected unusual traffic from your computer network."
        return web.Response(status=429, text=said, headers={"Content-Type": PAGE})

    async def batchexecute(self, request: web.Request) -> web.StreamResponse:
        """Speak one part."""
        world = self._world
        entry = world.log.open(Vendor.GTTS.value, "speak", uuid.uuid4().hex)
        try:
            refused = await at_connect(world, Vendor.GTTS, request, entry, _refusal)
            if refused is None and self._minute.wait_secs(1, world.now()) > 0:
                refused = _refusal(429, None, False)
            if refused is not None:
                entry.status = refused.status
                return refused
            self._minute.charge(1, world.now())
            asked = _asked(await request.text())
            if asked is None:
                entry.status = 400
                return _refusal(400, None, False)
            return await self._answer(request, entry, *asked)
        finally:
            world.log.close(entry)

    async def _answer(self, request: web.Request, entry: Entry, text: str, language: str) -> web.StreamResponse:
        entry.characters = len(text)
        entry.bytes_in = len(text.encode())
        entry.detail["text"] = text
        injected = InjectedFault(self._world, Vendor.GTTS, request, entry)
        audio: bytes | None = None
        if not injected.is_(Kind.NO_AUDIO) and len(text) <= MAX_CHARS:
            speech = await say(text, language)
            if speech.pcm:
                quiet = bytes(SILENCE_BYTES)
                audio = await asyncio.to_thread(as_mp3, quiet + speech.pcm + quiet)
                entry.audio_ms = speech.secs * 1000
        await self._world.first_byte(Vendor.GTTS)
        response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
        await response.prepare(request)
        entry.status = 200
        body = _body(audio)
        for begin in range(0, len(body), WRITE_BYTES):
            part = body[begin : begin + WRITE_BYTES]
            try:
                send = await injected.before_chunk()
            except Closed:
                raise Broken from None
            if send is Send.CUT:
                # The rest of the line is lost, its end too.
                await response.write(part[: len(part) // 2])
                break
            await response.write(part)
            self._world.log.content_sent(entry, len(part))
        await response.write_eof()
        return response


def _asked(form: str) -> tuple[str, str] | None:
    """Text and language of a request, or None if it is none."""
    try:
        calls: Any = json.loads(urllib.parse.parse_qs(form)["f.req"][0])[0]
        name, arguments, *_ = calls[0]
        text, language, *_ = json.loads(arguments)
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return (text, language) if name == RPC and isinstance(text, str) and isinstance(language, str) else None


def _body(audio: bytes | None) -> bytes:
    inner = None if audio is None else json.dumps([base64.b64encode(audio).decode()])
    call = ["wrb.fr", RPC, inner, None, None, None, "generic"]
    line = json.dumps([call, ["di", 123], ["af.httprm", 123, "-123", 24]], separators=(",", ":"))
    return f")]}}'\n\n{len(line)}\n{line}\n".encode()
