"""One caller who does too much of something costs the others nothing, and the own call ends in good order."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from aiortc.rtcsctptransport import DataChunk
from pipecat.frames.frames import Frame

from contracts.frames import CallErrorFrame, UserTextFrame
from loadtest.caller import Caller
from tests.server.test_signalling import Limits, calls, offer, post, server, until_calls
from transports.webrtc import WebRTCCall

LOOPBACK = "a=candidate:{n} 1 udp 2122260223 127.0.0.1 {port} typ host\r\n"


class Heard:
    """A call's pipeline that counts what it hears."""

    def __init__(self) -> None:
        self.frames = 0
        self.sent: list[Frame] = []
        self.call: WebRTCCall | None = None

    async def __call__(self, call: WebRTCCall) -> None:
        self.call, listen, take = call, call.peer_heard, call.peer_sent

        def count(peer, pcm) -> None:
            self.frames += 1
            listen(peer, pcm)

        async def keep(peer, frame) -> None:
            self.sent.append(frame)
            await take(peer, frame)

        call.peer_heard, call.peer_sent = count, keep
        await call.closed.wait()


@asynccontextmanager
async def calling(heard: Heard) -> AsyncIterator[tuple[Caller, object]]:
    async with server(start_call=heard) as client, Caller(str(client.make_url(""))) as caller:
        yield caller, client


@contextmanager
def sink() -> Iterator[socket.socket]:
    """A service on this machine that a stranger would like to have us send to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


def got_something(sock: socket.socket) -> bool:
    try:
        sock.recv(2048)
    except BlockingIOError:
        return False
    return True


# --- candidates


async def test_no_check_goes_to_a_service_on_this_machine():
    async with server() as client:
        pc, body = await offer()
        with sink() as offered, sink() as trickled:
            line = LOOPBACK.format(n=1, port=offered.getsockname()[1])
            sdp = body["sdp"].replace("a=ice-ufrag", line + "a=ice-ufrag")
            assert line in sdp
            status, answer = await post(client, {**body, "sdp": sdp})
            assert status == 200
            line = LOOPBACK.format(n=2, port=trickled.getsockname()[1]).removeprefix("a=").strip()
            candidates = [{"candidate": line, "sdp_mid": "0", "sdp_mline_index": 0}]
            patch = await client.patch("/api/offer", json={"pc_id": answer["pc_id"], "candidates": candidates})
            assert patch.status == 200
            await asyncio.sleep(0.5)
            assert not got_something(offered)
            assert not got_something(trickled)
        await pc.close()


async def test_an_offer_of_a_thousand_candidates_is_refused():
    async with server() as client:
        pc, body = await offer()
        many = "".join(LOOPBACK.format(n=n, port=20_000 + n) for n in range(600))
        status, answer = await post(
            client, {**body, "sdp": body["sdp"].replace("a=ice-ufrag", many + "a=ice-ufrag", 1)}
        )
        assert (status, answer["code"]) == (400, "too_many_candidates")
        assert "100" in answer["reason"]
        assert await calls(client) == 0
        await pc.close()


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\u2028"])
async def test_an_offer_of_thousands_of_lines_is_refused(end):
    async with server() as client:
        pc, body = await offer()
        many = "".join(f"a=ssrc:{n} cname:x{end}" for n in range(2000))
        status, answer = await post(
            client, {**body, "sdp": body["sdp"].replace("a=ice-ufrag", many + "a=ice-ufrag", 1)}
        )
        assert (status, answer["code"]) == (400, "bad_sdp")
        assert "lines" in answer["reason"]
        await pc.close()


async def test_candidates_are_not_trickled_without_end():
    async with server() as client:
        pc, body = await offer()
        _, answer = await post(client, body)
        taken = 0
        for n in range(20):
            batch = [
                {"candidate": f"candidate:{n} 1 udp 1 203.0.113.{i} 4{n:04} typ host", "sdp_mid": "0"}
                for i in range(50)
            ]
            patch = await client.patch("/api/offer", json={"pc_id": answer["pc_id"], "candidates": batch})
            taken += patch.status == 200
            told = await patch.json()
            assert patch.status == 200 or (patch.status, told["code"]) == (400, "too_many_candidates")
        assert taken <= 2
        await pc.close()


# --- who never connects


async def test_a_call_that_never_connects_frees_its_place_however_often_it_offers():
    async with server(Limits(connect_timeout_secs=0.6)) as client:
        pc, body = await offer()
        token = {"requestData": {"caller_token": "somebody-0123456789abcdefg"}}
        _, answer = await post(client, {**body, **token})
        begun = asyncio.get_running_loop().time()
        while await calls(client):
            await post(client, {**body, **token, "pc_id": answer["pc_id"], "restart_pc": True})
            await asyncio.sleep(0.1)
            assert asyncio.get_running_loop().time() - begun < 3.0
        await pc.close()


# --- audio


async def test_audio_faster_than_life_is_not_listened_to():
    heard = Heard()
    async with calling(heard) as (caller, _):
        loop = asyncio.get_running_loop()
        began = loop.time()
        payload = caller.room[0]
        while loop.time() - began < 3.0:
            for _ in range(20):
                caller.media.send(payload)
            await asyncio.sleep(0.02)
        real_secs = loop.time() - began
        assert real_secs * 0.9 <= heard.frames * 0.02 <= real_secs * 1.1 + 1.0


async def test_hundreds_of_sources_neither_end_the_reports_nor_hang_the_close():
    heard = Heard()
    async with calling(heard) as (caller, client):
        line = caller.media
        first = line._ssrc
        for n in range(400):
            line._ssrc = n + 1
            line.send(caller.room[0])
            if n % 50 == 0:
                await asyncio.sleep(0.02)
        line._ssrc = first
        before = heard.frames
        await asyncio.sleep(1.8)
        assert heard.frames > before + 20, "the caller is still heard"
        peer = heard.call._peer
        report = await peer.pc.getReceivers()[0].getStats()
        assert len([s for s in report.values() if s.type == "inbound-rtp"]) >= 1
        assert len(vars(peer.pc.getReceivers()[0])["_RTCRtpReceiver__remote_streams"]) <= 16
        assert not vars(peer.pc.getReceivers()[0])["_RTCRtpReceiver__rtcp_task"].done()
        began = asyncio.get_running_loop().time()
        await heard.call.close()
        assert asyncio.get_running_loop().time() - began < 2.0
        await until_calls(client, 0, 2.0)


async def test_a_receiver_whose_reports_have_died_can_be_closed():
    heard = Heard()
    async with calling(heard) as (_, client):
        receiver = heard.call._peer.pc.getReceivers()[0]
        vars(receiver)["_RTCRtpReceiver__remote_streams"]["nonsense"] = None
        async with asyncio.timeout(5):
            while not vars(receiver)["_RTCRtpReceiver__rtcp_task"].done():
                await asyncio.sleep(0.05)
        began = asyncio.get_running_loop().time()
        await heard.call.close()
        assert asyncio.get_running_loop().time() - began < 2.0
        await until_calls(client, 0, 2.0)


# --- the data channel


async def test_a_flood_of_messages_is_answered_with_few_errors():
    heard = Heard()
    async with calling(heard) as (caller, client):
        for _ in range(500):
            caller.type_text("What is my balance?")
        await asyncio.sleep(1.0)
        assert await calls(client) == 1
    assert sum(isinstance(frame, UserTextFrame) for frame in heard.sent) <= 12
    assert 1 <= sum(isinstance(frame, CallErrorFrame) for frame in heard.sent) <= 8


@pytest.mark.parametrize("unordered", [0, 4])
async def test_fragments_without_an_end_end_the_call_that_sends_them(unordered):
    heard = Heard()
    async with calling(heard) as (caller, client):
        sctp = caller.connection.sctp
        for _ in range(400):
            chunk = DataChunk(flags=2 | unordered)  # the first fragment, and no last one
            chunk.tsn = sctp._local_tsn
            sctp._local_tsn += 1
            chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = 1, 5, 51, b"x" * 16
            await sctp._send_chunk(chunk)
            await asyncio.sleep(0.005)
            if heard.call.over:
                break
        await until_calls(client, 0, 5.0)
        assert "data channel" in heard.call.close_reason


async def test_a_channel_that_is_opened_twice_ends_the_call_in_good_order():
    heard = Heard()
    async with calling(heard) as (caller, client):
        sctp = caller.connection.sctp
        for channel in list(sctp._data_channels.values()):
            sctp._data_channel_queue.append((channel, 50, b"\x03" + bytes(11)))
        await sctp._data_channel_flush()
        await until_calls(client, 0, 5.0)
        assert "data channel" in heard.call.close_reason
