"""A caller on a telephone line: Twilio's side of a call over a real WebSocket, in real time.

    async with PhoneCaller("http://127.0.0.1:7860", auth_token, public_url) as caller:
        begin, end = caller.say(samples)
        await caller.silent_for(0.8)

It plays what it gets by its own clock, returns marks when they have been played, and drops what it is told to. Sound is
G.711 at 8 kHz, both ways.
"""

import asyncio
import audioop
import base64
import hashlib
import hmac
import itertools
import json
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from xml.etree import ElementTree

import aiohttp
import numpy as np

from loadtest.audio import LOUD_RMS, Samples

RATE_HZ: Final = 8_000
BLOCK: Final = RATE_HZ // 50
BLOCK_SECS: Final = 0.02
ROOM_RMS: Final = 12.0


class Played(NamedTuple):
    """Sound that the line played.

    Attributes:
        begin: When, in the loop's seconds.
        secs: How long.
        rms: How loud, of 32768.
    """

    begin: float
    secs: float
    rms: float


class PhoneCallRefused(Exception):
    """The bot does not take the call."""


class PhoneCaller:
    """One call.

    Args:
        url: The bot.
        auth_token: What Twilio would sign with.
        public_url: ``PHONE_PUBLIC_URL``.
        number: Who calls.
    """

    _calls = itertools.count(1)

    def __init__(self, url: str, auth_token: str, public_url: str, number: str = "+33612345678") -> None:
        self.played: list[Played] = []
        self.clears: list[float] = []
        self.closed = asyncio.Event()
        self._url, self._key, self._public_url = url, auth_token.encode(), public_url
        self._number = number
        self._call_id = f"CA{next(self._calls):032x}"
        self._over_at = 0.0
        self._marks: dict[str, asyncio.TimerHandle] = {}
        self._saying = np.empty(0, np.int16)
        self._room = np.random.default_rng(1).normal(0, ROOM_RMS, 4 * RATE_HZ).astype(np.int16)
        self._http: aiohttp.ClientSession | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Ring, and be answered."""
        self._http = aiohttp.ClientSession()
        try:
            await self._ring(self._http)
        except BaseException:
            await self._http.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        assert self._http is not None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._http.close()

    async def _ring(self, http: aiohttp.ClientSession) -> None:
        form = {"CallSid": self._call_id, "From": self._number, "To": "+33100000000", "AccountSid": "AC1"}
        said = f"{self._public_url}/phone/twilio" + "".join(key + form[key] for key in sorted(form))
        signature = base64.b64encode(hmac.new(self._key, said.encode(), hashlib.sha1).digest()).decode()
        async with http.post(
            f"{self._url}/phone/twilio", data=form, headers={"X-Twilio-Signature": signature}
        ) as answer:
            twiml = await answer.text()
        if answer.status != 200 or (stream := ElementTree.fromstring(twiml).find("./Connect/Stream")) is None:
            raise PhoneCallRefused(f"HTTP {answer.status}: {twiml[:200]}")
        path = stream.attrib["url"].partition(self._public_url.partition("://")[2])[2]
        self._socket = await http.ws_connect(self._url + path)
        media = {"encoding": "audio/x-mulaw", "sampleRate": RATE_HZ, "channels": 1}
        start = {"streamSid": "MZ1", "accountSid": "AC1", "callSid": self._call_id, "tracks": ["inbound"]}
        await self._socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await self._socket.send_json({"event": "start", "streamSid": "MZ1", "start": {**start, "mediaFormat": media}})
        self._tasks = [asyncio.create_task(work) for work in (self._speak(), self._listen())]

    # --- the caller's side ---------------------------------------------------------------------

    def say(self, samples: Samples) -> tuple[float, float]:
        """Say 8 kHz samples from the next packet on; returns when they begin and end, in the loop's seconds."""
        self._saying = np.concatenate([self._saying, samples])
        begin = asyncio.get_running_loop().time() + BLOCK_SECS
        return begin, begin + len(self._saying) / RATE_HZ

    async def press(self, key: str) -> None:
        """Press a key."""
        await self._socket.send_json({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": key}})

    async def speaks(self, after: float, timeout_secs: float = 30.0) -> float:
        """Wait for the bot's voice; returns when it began to sound, in the loop's seconds.

        Args:
            after: Sound before this moment does not count.
            timeout_secs: How long to wait.
        """
        async with asyncio.timeout(timeout_secs):
            while True:
                for sound in self.played:
                    if sound.rms >= LOUD_RMS and sound.begin >= after:
                        return sound.begin
                await asyncio.sleep(0.01)

    async def silent_for(self, secs: float, timeout_secs: float = 60.0) -> None:
        """Wait until the bot has been silent for so long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(timeout_secs):
            while True:
                left_secs = max(began, self.loud_until()) + secs - loop.time()
                if left_secs <= 0:
                    return
                await asyncio.sleep(left_secs)

    def loud_until(self) -> float:
        """When the last loud sound of the bot's ended, in the loop's seconds; 0: there was none."""
        return max((sound.begin + sound.secs for sound in self.played if sound.rms >= LOUD_RMS), default=0.0)

    # --- the line ------------------------------------------------------------------------------

    async def _speak(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in itertools.count():
            room = self._room[number * BLOCK % (len(self._room) - BLOCK) :][:BLOCK]
            said, self._saying = self._saying[:BLOCK], self._saying[BLOCK:]
            block = room.copy()
            block[: len(said)] = said
            payload = base64.b64encode(audioop.lin2ulaw(block.tobytes(), 2)).decode()
            media = {"track": "inbound", "chunk": str(number), "timestamp": str(20 * number), "payload": payload}
            await self._socket.send_json({"event": "media", "streamSid": "MZ1", "media": media})
            await asyncio.sleep(began + (number + 1) * BLOCK_SECS - loop.time())

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(json.loads(message.data), asyncio.get_running_loop().time())
        self.closed.set()

    def _take(self, message: dict[str, Any], now: float) -> None:
        match message["event"]:
            case "media":
                pcm = audioop.ulaw2lin(base64.b64decode(message["media"]["payload"]), 2)
                begin = max(self._over_at, now)
                self._over_at = begin + len(pcm) / 2 / RATE_HZ
                self.played.append(Played(begin, self._over_at - begin, float(audioop.rms(pcm, 2))))
            case "mark":
                name = message["mark"]["name"]
                loop = asyncio.get_running_loop()
                self._marks[name] = loop.call_at(max(now, self._over_at), self._return_mark, name)
            case "clear":
                self.clears.append(now)
                kept = [sound for sound in self.played if sound.begin < now]
                if kept:
                    kept[-1] = kept[-1]._replace(secs=min(kept[-1].secs, now - kept[-1].begin))
                self.played = kept
                self._over_at = now
                for name, timer in list(self._marks.items()):
                    timer.cancel()
                    self._return_mark(name)
            case _:
                pass

    def _return_mark(self, name: str) -> None:
        del self._marks[name]
        mark = {"event": "mark", "streamSid": "MZ1", "mark": {"name": name}}
        self._tasks.append(asyncio.create_task(self._socket.send_json(mark)))
        self._tasks = [task for task in self._tasks if not task.done()]
