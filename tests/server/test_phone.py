"""Carriers' webhooks and streams on loopback: who is let in, who is not, and what that costs."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from xml.etree import ElementTree

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer
from loguru import logger

from contracts.frames import ClientReadyFrame, UserTextFrame
from contracts.transfer import TransferOutcome
from processors import compat
from server.calls import CALLS
from server.phone import PhoneParams, add_phone, international, phone_params
from server.signalling import make_app
from settings import SettingsError, load
from tests.processors.chain import running
from tests.server.test_signalling import Limits
from tests.transports.phone.test_call import play, reply
from tests.transports.phone.test_carriers import PUBLIC_KEY, SECRET, posted, telnyx_signed, vonage_signed
from transports.phone.plivo import Plivo, signed_text
from transports.phone.telnyx import Telnyx
from transports.phone.twilio import Twilio
from transports.phone.vonage import Vonage

TOKEN = "an auth token of twilios"
PUBLIC = "https://bot.example.org"


@asynccontextmanager
async def phones(limits: Limits | None = None, carriers=None, **params):
    """A server with a telephone, and the chains of its calls by their names."""
    compat.install()
    chains = {}

    async def start_call(call) -> None:
        async with running(call.input(), call.output()) as chain:
            chains[call.request_data.get("phone_number", call.pc_id)] = (call, chain)
            await call.closed.wait()

    app = make_app(limits or Limits(max_calls=4), start_call)
    carriers = carriers or {
        "twilio": Twilio(TOKEN),
        "telnyx": Telnyx(PUBLIC_KEY),
        "plivo": Plivo("token"),
        "vonage": Vonage(SECRET),
    }
    add_phone(app, PhoneParams(carriers, PUBLIC, connect_timeout_secs=2.0, **params))
    async with TestClient(TestServer(app)) as client:
        yield client, app[CALLS], chains


def twilio_signature(url: str, form: dict) -> str:
    said = url + "".join(key + form[key] for key in sorted(form))
    return base64.b64encode(hmac.new(TOKEN.encode(), said.encode(), hashlib.sha1).digest()).decode()


async def ring(client, number="+33612345678", call_id="CA1", path="/phone/twilio", signature=None):
    form = {"CallSid": call_id, "From": number, "To": "+33100000000", "AccountSid": "AC1", "CallStatus": "ringing"}
    headers = {"X-Twilio-Signature": twilio_signature(PUBLIC + path, form) if signature is None else signature}
    answer = await client.post(path, data=form, headers=headers)
    return answer.status, await answer.text()


def stream_path(twiml: str) -> str:
    url = ElementTree.fromstring(twiml).find(".//Stream").get("url")
    assert url.startswith("wss://bot.example.org/phone/twilio/stream/")
    return url.removeprefix("wss://bot.example.org")


def begins(call_id="CA1") -> list[str]:
    media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    start = {"streamSid": "MZ1", "accountSid": "AC1", "callSid": call_id, "tracks": ["inbound"], "mediaFormat": media}
    return [
        json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}),
        json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start}),
    ]


async def until(condition, secs=30.0):
    async with asyncio.timeout(secs):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_call_rings_speaks_hears_keys_and_hangs_up():
    async with phones() as (client, calls, chains):
        status, twiml = await ring(client)
        assert status == 200
        async with client.ws_connect(stream_path(twiml)) as stream:
            for message in begins():
                await stream.send_str(message)
            await until(lambda: chains and next(iter(chains.values()))[1].down(ClientReadyFrame))
            call, chain = chains["+33612345678"]
            assert call.request_data == {
                "carrier": "twilio",
                "phone_number": "+33612345678",
                "called_number": "+33100000000",
            }
            assert call.identity is None
            await play(chain, reply(2)[1])
            events = []
            while "mark" not in events:
                message = await stream.receive_json(timeout=5)
                events.append(message["event"])
                if message["event"] == "media":
                    assert len(base64.b64decode(message["media"]["payload"])) == 160
            assert events[:3] == ["media"] * 3
            await stream.send_json({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "4"}})
            await until(lambda: [f.text for f in chain.down(UserTextFrame)] == ["4"])
            await stream.send_json({"event": "stop", "streamSid": "MZ1"})
            await until(lambda: not len(calls))
            assert call.close_reason == "the caller hung up"


async def test_the_bot_hangs_up_by_closing_the_stream():
    async with phones() as (client, calls, chains):
        _, twiml = await ring(client)
        async with client.ws_connect(stream_path(twiml)) as stream:
            for message in begins():
                await stream.send_str(message)
            await until(lambda: chains and next(iter(chains.values()))[0].connected.is_set())
            chains["+33612345678"][0].hang_up()
            kinds = [(await stream.receive(timeout=5)).type for _ in range(2)]
            assert WSMsgType.CLOSE in kinds or WSMsgType.CLOSED in kinds or WSMsgType.CLOSING in kinds
            await until(lambda: not len(calls))


async def test_a_wrong_signature_is_refused_logged_and_costs_no_place():
    logged = []
    sink = logger.add(lambda line: logged.append(str(line)), level="DEBUG")
    try:
        async with phones() as (client, calls, _):
            for signature in ("", "AAAA", "é", twilio_signature("https://evil.example/phone/twilio", {})):
                status, body = await ring(client, signature=signature)
                assert (status, json.loads(body)["code"]) == (403, "wrong_signature")
            other = await client.post("/phone/telnyx", data={"CallSid": "1"})
            assert other.status == 403
            assert (await client.post("/phone/vonage", json={"uuid": "1"})).status == 403
            assert (await client.post("/phone/plivo", data={"CallUUID": "1"})).status == 403
            assert (await client.post("/phone/nobody", data={})).status == 404
            assert len(calls) == 0
    finally:
        logger.remove(sink)
    text = "".join(logged)
    assert "a request in the name of twilio is refused: the signature is wrong" in text
    assert "33612345678" not in text


async def test_telnyx_plivo_and_vonage_are_answered_in_their_own_words():
    async with phones() as (client, calls, _):
        now = int(time.time())
        request = telnyx_signed({"CallSid": "v3:1", "From": "+1"}, at=now)
        answer = await client.post("/phone/telnyx", data=request.body, headers=dict(request.headers))
        assert 'bidirectionalMode="rtp"' in await answer.text()
        unsigned = posted({"CallUUID": "p1", "From": "33612345678"}, f"{PUBLIC}/phone/plivo")
        digest = hmac.new(b"token", f"{signed_text(unsigned)}.12".encode(), hashlib.sha256).digest()
        headers = {"X-Plivo-Signature-V3": base64.b64encode(digest).decode(), "X-Plivo-Signature-V3-Nonce": "12"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await client.post("/phone/plivo", data=unsigned.body, headers=headers | form)
        assert 'keepCallAlive="true"' in await answer.text()
        asked = vonage_signed(json.dumps({"uuid": "u1", "from": "33612345678"}).encode(), at=now)
        answer = await client.post("/phone/vonage", data=asked.body, headers=dict(asked.headers))
        assert (await answer.json())[0]["action"] == "connect"
        assert len(calls) == 3


async def test_a_token_holds_once_and_a_thousand_sockets_without_one_cost_nothing():
    async with phones() as (client, calls, chains):
        _, twiml = await ring(client)
        path = stream_path(twiml)
        assert (await client.get(path)).status == 426
        async with client.ws_connect(path) as stream:
            for message in begins():
                await stream.send_str(message)
            await until(lambda: chains and chains["+33612345678"][0].connected.is_set())
            upgrade = {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
            }

            async def attempt(number: int) -> int:
                wrong = path if number == 0 else f"/phone/twilio/stream/{number:032}"
                async with client.get(wrong, headers=upgrade) as answer:
                    return answer.status

            before = len(asyncio.all_tasks())
            for first in range(0, 1_000, 100):
                assert set(await asyncio.gather(*map(attempt, range(first, first + 100)))) == {403}
            assert len(calls) == 1
            assert len(asyncio.all_tasks()) - before <= 210  # idle connections of this client, at most
            assert not chains["+33612345678"][0].over


async def test_a_request_that_is_sent_again_gets_the_same_call_and_later_none():
    async with phones() as (client, calls, _):
        first, second = stream_path((await ring(client))[1]), stream_path((await ring(client))[1])
        assert len(calls) == 1
        assert first != second
        with pytest.raises(Exception, match="403"):
            await client.ws_connect(first)
        async with client.ws_connect(second):
            assert "Reject" in (await ring(client))[1]
        await until(lambda: not len(calls))
        assert "Reject" in (await ring(client))[1]


async def test_a_stream_that_does_not_come_gives_its_place_back():
    async with phones() as (client, calls, _):
        path = stream_path((await ring(client))[1])
        assert len(calls) == 1
        await until(lambda: not len(calls))
        with pytest.raises(Exception, match="403"):
            await client.ws_connect(path)


async def test_while_all_lines_are_busy_it_rings_and_then_is_refused():
    async with phones(Limits(max_calls=1), wait_secs=5) as (client, _, _):
        await ring(client, call_id="CA0")
        _, twiml = await ring(client, number="+33600000001", call_id="CA1")
        root = ElementTree.fromstring(twiml)
        assert [child.tag for child in root] == ["Pause", "Redirect"]
        path = root[1].text.removeprefix(PUBLIC)
        assert path == "/phone/twilio?waited=2"
        _, twiml = await ring(client, number="+33600000001", call_id="CA1", path=path)
        path = ElementTree.fromstring(twiml)[1].text.removeprefix(PUBLIC)
        _, twiml = await ring(client, number="+33600000001", call_id="CA1", path=path)
        assert ElementTree.fromstring(twiml)[0].tag == "Reject"


async def test_one_number_has_so_many_calls_and_asks_so_often():
    async with phones(Limits(max_calls=9, calls_per_address=2)) as (client, calls, _):
        answers = [(await ring(client, call_id=f"CA{n}"))[1] for n in range(3)]
        assert ["Stream" in twiml for twiml in answers] == [True, True, False]
        assert "Stream" in (await ring(client, number="+33600000001", call_id="CA9"))[1]
        assert len(calls) == 3
    async with phones(Limits(max_calls=9, offers_per_minute=2)) as (client, _, _):
        answers = [(await ring(client, call_id=f"CA{n}"))[1] for n in range(3)]
        assert ["Stream" in twiml for twiml in answers] == [True, True, False]


async def test_a_number_is_an_identity_where_a_setting_says_so():
    async with phones(trusts_caller_id=True) as (client, _, chains):
        await ring(client)
        await ring(client, number="anonymous", call_id="CA2")
        await until(lambda: len(chains) == 2)
        identity = chains.pop("+33612345678")[0].identity
        assert (identity.subject, identity.claims) == ("tel:+33612345678", {"phone_number": "+33612345678"})
        assert chains.popitem()[1][0].identity is None


def test_numbers_are_dialled_from_anywhere():
    assert [international(n) for n in ("33612345678", "+1 555", "", "anonymous", "sip:a@b", " +4930123456 ")] == [
        "+33612345678",
        "",
        "",
        "",
        "",
        "+4930123456",
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"phone": "twilio"}, "TWILIO_AUTH_TOKEN: missing; PHONE=twilio needs it"),
        ({"phone": "twilio", "twilio_auth_token": "t"}, "PHONE_PUBLIC_URL: missing"),
        ({"phone": "bell"}, "PHONE: value error, bell is no carrier"),
        (
            {"phone": "plivo", "plivo_auth_token": "t", "phone_public_url": PUBLIC, "workers": 2},
            "WORKERS: PHONE is served by one process only",
        ),
        ({"phone_public_url": "bot.example.org"}, "PHONE_PUBLIC_URL: value error, it is no address"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_set(monkeypatch, tmp_path, given, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=says):
        load(**given)


def test_the_telephone_is_off_unless_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert phone_params(load()) is None
    assert phone_params(load(phone="off")) is None
    params = phone_params(load(phone="twilio", twilio_auth_token="t", phone_public_url=PUBLIC + "/"))
    assert (list(params.carriers), params.stream_url) == (["twilio"], "wss://bot.example.org")
    with pytest.raises(SettingsError, match="TELNYX_PUBLIC_KEY"):
        phone_params(load(phone="telnyx", telnyx_public_key="abc", phone_public_url=PUBLIC))


@asynccontextmanager
async def twilios_interface(status=200):
    """Twilio's own interface, as far as a call can be redirected there; what it was asked."""
    asked = []

    async def update(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Authorization"], dict(await request.post())))
        return web.json_response({"sid": "CA1"}, status=status)

    app = web.Application()
    app.router.add_post("/2010-04-01/Accounts/{account}/Calls/{call}", update)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), asked


@pytest.mark.parametrize("answered", [True, False])
async def test_twilio_puts_a_caller_through_and_asks_what_is_next(answered):
    async with twilios_interface() as (url, asked), phones(carriers={"twilio": Twilio(TOKEN, url)}) as line:
        client, calls, chains = line
        _, twiml = await ring(client)
        async with client.ws_connect(stream_path(twiml)) as socket:
            for message in begins():
                await socket.send_str(message)
            await until(lambda: chains and chains["+33612345678"][1].down(ClientReadyFrame))
            call = chains["+33612345678"][0]
            transfer = asyncio.create_task(call.transfer("+33100000000", 25.0))
            await until(lambda: asked)
        path, authorization, form = asked[0]
        assert path == "/2010-04-01/Accounts/AC1/Calls/CA1.json"
        assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == f"AC1:{TOKEN}"
        dial = ElementTree.fromstring(form["Twiml"]).find("Dial")
        assert (dial.get("timeout"), dial.find("Number").text) == ("25", "+33100000000")
        assert dial.get("action") == f"{PUBLIC}/phone/twilio?transferred=1"
        path = "/phone/twilio?transferred=1"
        form = {"CallSid": "CA1", "AccountSid": "AC1", "DialCallStatus": "completed" if answered else "no-answer"}
        headers = {"X-Twilio-Signature": twilio_signature(PUBLIC + path, form)}
        reply_to_it = await (await client.post(path, data=form, headers=headers)).text()
        if answered:
            assert ElementTree.fromstring(reply_to_it).find("Hangup") is not None
            assert await transfer is TransferOutcome.DONE
        else:
            async with client.ws_connect(stream_path(reply_to_it)) as socket:
                for message in begins():
                    await socket.send_str(message)
                assert await transfer is TransferOutcome.NO_ANSWER
                assert not call.over
        await until(lambda: len(calls) == 0)
        again = await client.post(path, data=form, headers=headers)
        assert ElementTree.fromstring(await again.text()).find("Reject") is not None


async def test_a_carrier_that_refuses_to_put_through_says_so():
    async with twilios_interface(401) as (url, asked), phones(carriers={"twilio": Twilio(TOKEN, url)}) as line:
        client, _, chains = line
        _, twiml = await ring(client)
        async with client.ws_connect(stream_path(twiml)) as socket:
            for message in begins():
                await socket.send_str(message)
            await until(lambda: chains and chains["+33612345678"][1].down(ClientReadyFrame))
            call = chains["+33612345678"][0]
            assert await call.transfer("+33100000000", 25.0) is TransferOutcome.IMPOSSIBLE
            assert not call.over
        assert len(asked) == 1
