"""Calls over SIP on loopback: who is let in, who waits, who is refused, and what that costs."""

import asyncio
import ipaddress
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiosipua import SipMessage, SipRequest
from pipecat.frames.frames import InputAudioRawFrame

from audio.rtp import parse_rtp
from contracts.frames import CallHoldFrame, ClientReadyFrame, ReplyPlayedFrame, UserTextFrame
from contracts.transfer import TransferOutcome
from processors import compat
from server.calls import CALLS
from server.signalling import make_app
from server.sip import SipParams, SipServer, sip_params
from settings import SettingsError, load
from tests.processors.chain import running
from tests.server.test_signalling import Limits
from tests.transports.phone.test_call import play, reply
from tests.transports.sip.peer import OFFER, Exchange
from tests.transports.sip.test_rtp_stream import packet
from transports.call import transfer_of
from transports.sip.media import Codec

SECS = 30.0


@asynccontextmanager
async def sip(limits=None, peers=("127.0.0.1/32",), **params):
    """A server with SIP, the chains of its calls, and the calls."""
    compat.install()
    chains = []

    async def start_call(call) -> None:
        async with running(call.input(), call.output()) as chain:
            chains.append((call, chain))
            await call.closed.wait()

    app = make_app(limits or Limits(max_calls=4), start_call)
    networks = [ipaddress.ip_network(peer) for peer in peers]
    server = SipServer(app[CALLS], SipParams("127.0.0.1", 0, networks, [Codec.PCMU], (21_000, 21_998), **params))
    address = await server.open()
    try:
        yield server, app[CALLS], chains, address
    finally:
        await app[CALLS].close()
        await server.close()


class Telephone(asyncio.DatagramProtocol):
    """One peer: raw messages out, parsed ones in; and its RTP port."""

    def __init__(self):
        self.messages, self.sound = [], []
        self.lines = Exchange()
        self.news = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def at(cls, address):
        loop, phone = asyncio.get_running_loop(), cls()
        phone.sip, _ = await loop.create_datagram_endpoint(lambda: phone, local_addr=("127.0.0.1", 0))
        phone.rtp, _ = await loop.create_datagram_endpoint(lambda: phone, local_addr=("127.0.0.1", 0))
        phone.address = address
        phone.rtp_port = phone.rtp.get_extra_info("sockname")[1]
        yield phone
        phone.sip.close()
        phone.rtp.close()

    def datagram_received(self, data, addr):
        if data[:1] >= b"\x80":
            self.sound.append(parse_rtp(data)[1])
        else:
            self.messages.append(SipMessage.parse(data))
        self.news.set()

    def offer(self, direction="sendrecv"):
        offer = OFFER.replace("192.0.2.1", "127.0.0.1").replace("4000", str(self.rtp_port))
        return f"{offer}a={direction}\r\n"

    def send(self, method, **options):
        port = self.sip.get_extra_info("sockname")[1]
        data = self.lines.message(method, **options)
        data = data.replace(b"192.0.2.1:5080", f"127.0.0.1:{port}".encode())
        self.sip.sendto(data, self.address)

    def answer(self, request, status=200):
        text = bytes(request).decode()
        self.sip.sendto(f"SIP/2.0 {status} said\r\n{text.partition(chr(13) + chr(10))[2]}".encode(), self.address)

    async def until(self, wanted):
        async with asyncio.timeout(SECS):
            while True:
                for message in self.messages:
                    if wanted == (message.method if isinstance(message, SipRequest) else message.status_code):
                        self.messages.remove(message)
                        return message
                self.news.clear()
                await self.news.wait()

    async def call(self, call_id="call-1"):
        """Call, and be taken."""
        self.send("INVITE", body=self.offer(), call_id=call_id, to_tag="")
        ok = await self.until(200)
        self.lines.to_tag = ok.to_addr.tag
        self.media = ("127.0.0.1", int(ok.text.partition("m=audio ")[2].split()[0]))
        self.send("ACK", call_id=call_id)
        return ok

    async def speak(self, packets=10):
        for number in range(packets):
            self.rtp.sendto(packet(number), self.media)
            await asyncio.sleep(0.005)


async def until(condition):
    async with asyncio.timeout(SECS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_call_hears_and_is_heard_holds_and_ends():
    async with sip() as (_, calls, chains, address), Telephone.at(address) as phone:
        await phone.call()
        await until(lambda: chains and chains[0][1].down(ClientReadyFrame))
        call, chain = chains[0]
        assert (call.request_data["phone_number"], call.identity) == ("+33612345678", None)
        await phone.speak()
        await until(lambda: len(chain.down(InputAudioRawFrame)) >= 10)
        await play(chain, reply(2)[1])
        await chain.until(ReplyPlayedFrame, timeout_secs=SECS)
        assert any(np.abs(np.frombuffer(p.payload, np.uint8).astype(int) - 255).max() > 20 for p in phone.sound)
        phone.send("INVITE", body=phone.offer("sendonly"), cseq=2)
        await phone.until(200)
        phone.send("ACK", cseq=2)
        await until(lambda: [frame.on for frame in chain.down(CallHoldFrame)] == [True])
        phone.send("INVITE", body=phone.offer(), cseq=3)
        await phone.until(200)
        phone.send("ACK", cseq=3)
        await until(lambda: [frame.on for frame in chain.down(CallHoldFrame)] == [True, False])
        phone.send("INFO", cseq=4, body="Signal=4\r\n")
        await until(lambda: [frame.text for frame in chain.down(UserTextFrame)] == ["4"])
        phone.send("BYE", cseq=5)
        await until(lambda: len(calls) == 0)
        assert call.close_reason == "the caller hung up"


async def test_the_bot_hangs_up():
    async with sip() as (_, calls, chains, address), Telephone.at(address) as phone:
        await phone.call()
        await until(lambda: chains and chains[0][1].down(ClientReadyFrame))
        chains[0][0].hang_up()
        bye = await phone.until("BYE")
        phone.answer(bye)
        await until(lambda: len(calls) == 0)


async def test_a_caller_waits_while_it_rings_and_then_gets_in():
    async with (
        sip(Limits(max_calls=1)) as (_, calls, chains, address),
        Telephone.at(address) as first,
        Telephone.at(address) as second,
    ):
        await first.call()
        second.send("INVITE", body=second.offer(), call_id="call-2", tag="second", to_tag="")
        await second.until(180)
        first.send("BYE", cseq=2)
        ok = await second.until(200)
        assert ok.call_id == "call-2"
        assert len(calls) == 1


async def test_all_lines_are_busy_and_it_is_said_when_to_come_again():
    async with (
        sip(Limits(max_calls=1), wait_secs=0) as (_, calls, chains, address),
        Telephone.at(address) as first,
        Telephone.at(address) as second,
    ):
        await first.call()
        second.send("INVITE", body=second.offer(), call_id="call-2", to_tag="")
        refused = await second.until(503)
        assert int(refused.get_header("Retry-After")) >= 1
        assert len(calls) == 1


async def test_a_caller_who_gives_up_while_it_rings_takes_no_place():
    async with (
        sip(Limits(max_calls=1)) as (_, calls, chains, address),
        Telephone.at(address) as first,
        Telephone.at(address) as second,
    ):
        await first.call()
        second.send("INVITE", body=second.offer(), call_id="call-2", branch="z9hG4bKq", to_tag="")
        await second.until(180)
        second.send("CANCEL", call_id="call-2", branch="z9hG4bKq", to_tag="")
        await second.until(487)
        first.send("BYE", cseq=2)
        await until(lambda: len(calls) == 0)
        assert len(chains) == 1


async def test_strangers_and_floods_cost_nothing():
    async with sip(peers=("192.0.2.0/24",)) as (server, calls, chains, address), Telephone.at(address) as phone:
        for number in range(1_000):
            phone.send("INVITE", body=phone.offer(), call_id=f"scan-{number}", to_tag="")
            if number % 20 == 19:  # as many as a socket's buffer holds
                await until(lambda: server.snapshot().get("stranger", 0) == number + 1)  # noqa: B023
        assert not phone.messages
        assert (len(calls), len(chains)) == (0, 0)


async def test_an_offer_of_nothing_that_is_spoken_leaves_no_call():
    async with sip() as (_, calls, chains, address), Telephone.at(address) as phone:
        phone.send("INVITE", body=phone.offer().replace("0 8 101", "18"), to_tag="")
        await phone.until(488)
        await until(lambda: len(calls) == 0)


@pytest.mark.parametrize(
    ("status", "notified", "outcome"),
    [
        (202, "SIP/2.0 200 OK", TransferOutcome.DONE),
        (202, "SIP/2.0 486 Busy Here", TransferOutcome.REFUSED),
        (603, None, TransferOutcome.REFUSED),
        (405, None, TransferOutcome.IMPOSSIBLE),
        (202, None, TransferOutcome.NO_ANSWER),
    ],
)
async def test_a_caller_is_put_through_or_the_bot_comes_back(status, notified, outcome):
    async with sip() as (_, calls, chains, address), Telephone.at(address) as phone:
        await phone.call()
        await until(lambda: chains and chains[0][1].down(ClientReadyFrame))
        call = chains[0][0]
        asked = asyncio.create_task(transfer_of(call)("+33100000000", 1.0 if not notified else SECS))
        refer = await phone.until("REFER")
        assert refer.get_header("Refer-To") == "<sip:+33100000000@127.0.0.1>"
        phone.answer(refer, status)
        if notified is not None:
            phone.send("NOTIFY", cseq=2, body=f"{notified}\r\n", headers=["Event: refer"])
            await phone.until(200)
        assert await asked is outcome
        if outcome is TransferOutcome.DONE:
            await phone.until("BYE")
            await until(lambda: len(calls) == 0)
        else:
            assert not call.over


async def test_somebody_takes_the_call_after_the_bot_has_come_back():
    async with sip() as (_, calls, chains, address), Telephone.at(address) as phone:
        await phone.call()
        await until(lambda: chains and chains[0][1].down(ClientReadyFrame))
        call = chains[0][0]
        asked = asyncio.create_task(transfer_of(call)("+33100000000", 0.5))
        phone.answer(await phone.until("REFER"), 202)
        assert await asked is TransferOutcome.NO_ANSWER
        phone.send("NOTIFY", cseq=2, body="SIP/2.0 200 OK\r\n", headers=["Event: refer"])
        await phone.until("BYE")
        await until(lambda: len(calls) == 0)
        assert call.close_reason == "the caller was put through"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"sip_peers": "pbx"}, "SIP_PEERS"),
        ({"sip_registrar": "pbx.example"}, "SIP_USER: missing"),
        ({"sip_peers": "192.0.2.1", "sip_codecs": "gsm"}, "SIP_CODECS"),
        ({"sip_peers": "192.0.2.1", "sip_rtp_ports": "9-1"}, "SIP_RTP_PORTS"),
        ({"sip_peers": "192.0.2.1", "sip_host": "bot"}, "SIP_HOST"),
        ({"sip_peers": "192.0.2.1", "workers": "2"}, "WORKERS: SIP is served by one process only"),
        ({"transfer_to": "http://x"}, "TRANSFER_TO"),
    ],
)
def test_wrong_settings_say_what_to_set(values, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=says):
        load(**values)


def test_settings_make_params(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sip_params(load()) is None
    params = sip_params(load(sip_peers="192.0.2.0/24,2001:db8::1", sip_codecs="pcma"))
    assert params is not None
    assert (params.codecs, params.rtp_ports, params.account) == ([Codec.PCMA], (20_000, 20_999), None)
    account = sip_params(load(sip_registrar="pbx.example:5070", sip_user="bot", sip_password="x")).account
    assert account.address == "sip:bot@pbx.example"
