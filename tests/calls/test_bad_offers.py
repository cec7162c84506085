"""Offers that cannot become a call leave nothing behind, and their sender is told why."""

import json

import aiohttp
import pytest
from aiortc import RTCPeerConnection

from loadtest.bot_process import RealBot

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def offered(kind: str) -> str:
    """The SDP of an offer of one medium, by a peer that is gone when it is answered."""
    pc = RTCPeerConnection()
    pc.addTransceiver(kind)
    await pc.setLocalDescription(await pc.createOffer())
    sdp = pc.localDescription.sdp
    await pc.close()
    return sdp


async def post(bot: RealBot, body: bytes) -> tuple[int, dict]:
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{bot.url}/api/offer", data=body, headers=headers) as answer,
    ):
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'{"type": "offer"}', 422, "bad_field"),
        (b'{"sdp": "hello", "type": "offer"}', 400, "no_audio"),
        (json.dumps({"sdp": "v=0\r\n" + "a=x\r\n" * 20_000, "type": "offer"}).encode(), 413, "too_large"),
    ],
    ids=["no JSON", "no text", "no SDP", "nonsense for SDP", "too large"],
)
async def test_what_is_no_offer_is_refused_with_a_reason(bot: RealBot, body: bytes, status: int, code: str) -> None:
    got, answer = await post(bot, body)
    assert (got, answer["code"]) == (status, code)
    assert answer["reason"]
    assert (await bot.health())["calls"] == 0


async def test_video_alone_is_refused(bot: RealBot) -> None:
    status, answer = await post(bot, json.dumps({"sdp": await offered("video"), "type": "offer"}).encode())
    assert (status, answer["code"]) == (400, "no_audio")
    assert answer["reason"]
    await bot.until_calls(0)


async def test_a_caller_who_never_connects_is_freed(bot: RealBot) -> None:
    status, answer = await post(bot, json.dumps({"sdp": await offered("audio"), "type": "offer"}).encode())
    assert status == 200
    assert answer["pc_id"]
    assert (await bot.health())["calls"] == 1
    await bot.until_calls(0, 10)
