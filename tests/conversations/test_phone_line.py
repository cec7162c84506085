"""The real pipeline by telephone, in virtual time: what the line adds, and how it stops."""

import asyncio
import audioop
from contextlib import asynccontextmanager

import numpy as np
import pytest

import bot
from contracts.frames import UserTextFrame
from loadtest.audio import LOUD_RMS, resampled
from loadtest.in_process import ROOM_RMS, calling
from services.services import Services
from settings import LlmProvider, Settings
from tests.conversations.conftest import clip
from tests.transports.phone.fake_carrier import RATE_HZ, FakeTwilio
from transports.phone.call import PhoneCall
from transports.phone.sound import Encoding, Hearing
from transports.phone.twilio import Twilio

CLIPS = ("book_a_room", "go_forward_ten_meters")


@asynccontextmanager
async def served():
    values = {"llm": LlmProvider.SCRIPTED, "greeting": "", "bank_file": ":memory:", "idle_secs": 0}
    services = await Services.load(Settings(**values))
    yield services
    await services.close()


class Phone:
    """A caller on the line: quiet, or saying something."""

    def __init__(self, carrier: FakeTwilio) -> None:
        self.carrier = carrier
        self.call: PhoneCall
        self._saying = np.empty(0, np.int16)
        self._room = np.random.default_rng(1)

    def say(self, name: str) -> tuple[float, float]:
        """Returns when the first and the last loud sound leave the caller."""
        samples = resampled(clip(name), 16_000, RATE_HZ)
        loud = np.flatnonzero(np.abs(samples.astype(int)) > 1_000)
        self._saying = samples
        now = asyncio.get_running_loop().time()
        return now + loud[0] / RATE_HZ, now + loud[-1] / RATE_HZ

    async def speak(self) -> None:
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        while True:
            block = self._room.standard_normal(160) * ROOM_RMS
            said, self._saying = self._saying[:160], self._saying[160:]
            block[: len(said)] += said
            self.carrier.say(audioop.lin2ulaw(np.clip(block, -32_768, 32_767).astype(np.int16).tobytes(), 2))
            number += 1
            await asyncio.sleep(began + 0.02 * number - loop.time())

    def loud(self, after: float) -> list[tuple[float, float]]:
        """Begin and end of the bot's loud blocks."""
        return [
            (begin, begin + len(payload) / RATE_HZ)
            for begin, payload in self.carrier.chunks
            if begin >= after and audioop.rms(audioop.ulaw2lin(payload, 2), 2) >= LOUD_RMS
        ]

    async def answered(self, after: float) -> float:
        async with asyncio.timeout(60):
            while not self.loud(after):
                await asyncio.sleep(0.02)
        return self.loud(after)[0][0]

    async def quiet(self, secs: float) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(120):
            while not (loud := self.loud(0.0)) or loop.time() - loud[-1][1] < secs:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def phoning(services: Services, way_secs: float):
    carrier = FakeTwilio(way_secs=lambda: way_secs)
    call = PhoneCall(Twilio("token"), name="phone-1", carrier_call_id="CA1")
    pipeline = asyncio.create_task(bot.run_call(call, services))
    served = asyncio.create_task(call.run(carrier))
    carrier.start()
    await call.connected.wait()
    phone = Phone(carrier)
    phone.call = call
    speaking = asyncio.create_task(phone.speak())
    try:
        yield phone
    finally:
        speaking.cancel()
        await call.close("the test is over")
        await asyncio.gather(served, pipeline)


async def by_phone(services: Services) -> list[float]:
    found = []
    for name in CLIPS:
        async with phoning(services, 0.0) as phone:
            await asyncio.sleep(1.0)
            _, end = phone.say(name)
            found.append(await phone.answered(end) - end)
    return found


def telephone_sound(name: str) -> np.ndarray:
    """A clip as it sounds after G.711: the VAD judges it otherwise than wideband, which is not the line's doing."""
    samples = resampled(clip(name), 16_000, RATE_HZ)
    frames = Hearing(Encoding.MULAW).push(audioop.lin2ulaw(samples.tobytes(), 2))
    return np.frombuffer(b"".join(frames), np.int16)


async def without_a_line(services: Services) -> list[float]:
    found = []
    for name in CLIPS:
        async with calling(services) as call:
            await call.listen(1.0)
            samples = telephone_sound(name)
            begin, _ = call.say(samples)
            end = begin + np.flatnonzero(np.abs(samples.astype(int)) > 1_000)[-1] / 16_000
            await call.until_state("speaking")
            await call.listen(0.5)
            first_block = round(end / 0.02)
            loud = np.flatnonzero(call.levels(first_block * 0.02) >= LOUD_RMS)
            found.append((first_block + loud[0]) * 0.02 - end)
    return found


@pytest.mark.slow
async def test_the_line_adds_no_more_than_its_packets_and_filters(virtual):
    async with served() as services:
        plain, phone = await without_a_line(services), await by_phone(services)
    added_ms = [round(1000 * (one - other)) for one, other in zip(phone, plain, strict=True)]
    print("answers, ms:", [round(1000 * secs) for secs in plain], "by telephone", added_ms, "more")
    assert max(added_ms) <= 60


@pytest.mark.slow
async def test_an_interruption_stops_the_voice_at_the_carrier_and_nothing_of_the_old_reply_follows(virtual):
    stops = []
    async with served() as services, phoning(services, 0.02) as phone:
        await asyncio.sleep(1.0)
        for at in (0.3, 0.5, 0.7):
            asked = asyncio.get_running_loop().time()
            await phone.call.input().take(UserTextFrame("what can you do"))
            began = await phone.answered(asked)
            await asyncio.sleep(max(0.0, began + at - asyncio.get_running_loop().time()))
            clears = len(phone.carrier.clears)
            begin, end = phone.say("go_forward_ten_meters")
            async with asyncio.timeout(10):
                while len(phone.carrier.clears) == clears:
                    await asyncio.sleep(0.005)
            cleared = phone.carrier.clears[-1]
            stops.append(round(1000 * (max(end for _, end in phone.loud(0.0)) - begin)))
            answered = await phone.answered(cleared)
            assert answered > end, "the old reply went on"
            await phone.quiet(1.0)
    print("from the first sound of the caller to the bot's last, ms:", stops)
    assert max(stops) <= 500
