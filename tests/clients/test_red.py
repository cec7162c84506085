"""Over a link that loses packets Chromium is sent copies (RED), and hears from them what was lost."""

import asyncio
import random

import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import Playwright

from audio.rtp import is_rtp
from processors import compat
from server.signalling import make_app
from tests.browser.conftest import GRANT_MICROPHONE, launch
from tests.server.test_signalling import Limits
from transports.webrtc import WebRTCCall

pytestmark = [pytest.mark.browser, pytest.mark.timed, pytest.mark.asyncio(loop_scope="session")]

LISTEN = """async () => {
    const pc = (window.pc = new RTCPeerConnection());
    pc.addTransceiver("audio", { direction: "sendrecv" });
    pc.createDataChannel("rtvi");
    pc.ontrack = ({ track }) => {
        const player = Object.assign(new Audio(), { srcObject: new MediaStream([track]), muted: true });
        player.play();
    };
    await pc.setLocalDescription();
    const body = JSON.stringify({ sdp: pc.localDescription.sdp, type: "offer" });
    const headers = { "content-type": "application/json" };
    const answer = await (await fetch("/api/offer", { method: "POST", headers, body })).json();
    await pc.setRemoteDescription(answer);
    return answer.sdp;
}"""

INBOUND = """async () => {
    const reports = [...(await pc.getStats()).values()];
    const { concealedSamples, totalSamplesReceived, packetsDiscarded } =
        reports.find(({ type }) => type === "inbound-rtp");
    return { concealedSamples, totalSamplesReceived, packetsDiscarded };
}"""

LOST = 0.1


def lose_packets(call: WebRTCCall) -> None:
    """From now on a tenth of the voice does not arrive."""
    assert call._peer is not None
    (pair,) = call._peer._audio.sender.transport.transport._connection._nominated.values()
    send, chance = pair.protocol.transport.sendto, random.Random(3)

    def sendto(data: bytes, addr: tuple[str, int]) -> None:
        if not is_rtp(data) or chance.random() >= LOST:
            send(data, addr)

    pair.protocol.transport.sendto = sendto  # type: ignore[method-assign]


async def test_on_a_lossy_link_chromium_reads_the_copies(playwright_driver: Playwright, monkeypatch) -> None:
    compat.install()
    sound = (6000 * np.sin(2 * np.pi * 440 * np.arange(480) / 24_000)).astype(np.int16).tobytes()
    calls: list[WebRTCCall] = []

    async def call_runs(call: WebRTCCall) -> None:
        monkeypatch.setattr(call.output(), "pull", lambda samples: sound)
        calls.append(call)
        await call.closed.wait()

    app = make_app(Limits(connect_timeout_secs=15.0), call_runs)
    runner = web.AppRunner(app)
    await runner.setup()
    browser = await launch(playwright_driver, GRANT_MICROPHONE, "--autoplay-policy=no-user-gesture-required")
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        page = await browser.new_page()
        await page.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/favicon.svg")
        assert "red/48000/2" in await page.evaluate(LISTEN)

        async def concealed(secs: float) -> float:
            before = await page.evaluate(INBOUND)
            await asyncio.sleep(secs)
            after = await page.evaluate(INBOUND)
            received = after["totalSamplesReceived"] - before["totalSamplesReceived"]
            return (after["concealedSamples"] - before["concealedSamples"]) / received

        async with asyncio.timeout(15):
            while (await page.evaluate(INBOUND))["totalSamplesReceived"] < 48_000:
                await asyncio.sleep(0.1)
        lose_packets(calls[0])
        async with asyncio.timeout(30):
            while (await page.evaluate(INBOUND))["packetsDiscarded"] < 20:  # copies of what had arrived
                await asyncio.sleep(0.25)
        await asyncio.sleep(1.0)
        assert await concealed(4.0) < LOST / 2
    finally:
        await browser.close()
        await runner.cleanup()
