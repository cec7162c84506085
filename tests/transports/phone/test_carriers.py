"""Carriers' messages and signatures: what Pipecat's serializers and the carriers' own packages agree to."""

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import jwt
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import InputDTMFFrame, InterruptionFrame, OutputAudioRawFrame
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer

from transports.phone.carrier import Heard, Key, MalformedError, Played, SignatureError, Started, Stopped, Webhook
from transports.phone.plivo import Plivo
from transports.phone.sound import Encoding, Speaking
from transports.phone.telnyx import Telnyx
from transports.phone.twilio import Twilio
from transports.phone.vonage import Vonage

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
SECRET = "a signature secret of thirty-two characters"
CARRIERS = {
    "twilio": Twilio("token"),
    "telnyx": Telnyx(PUBLIC_KEY),
    "plivo": Plivo("token"),
    "vonage": Vonage(SECRET),
}
STREAMS = {
    "twilio": Started(Encoding.MULAW, "MZ1", "CA1"),
    "telnyx": Started(Encoding.MULAW, "s1"),
    "plivo": Started(Encoding.MULAW, "s1", "c1"),
    "vonage": Started(Encoding.L16_16),
}
TEN_MS = Speaking(Encoding.MULAW).push(np.arange(-240, 240, dtype=np.int16).tobytes())
SIGNED = json.loads((Path(__file__).parents[2] / "data/phone_signatures.json").read_text())


def serializer(name):
    off = {"auto_hang_up": False}
    match name:
        case "twilio":
            return TwilioFrameSerializer("MZ1", params=TwilioFrameSerializer.InputParams(sample_rate=8_000, **off))
        case "telnyx":
            params = TelnyxFrameSerializer.InputParams(sample_rate=8_000, **off)
            return TelnyxFrameSerializer("s1", "PCMU", "PCMU", params=params)
        case "plivo":
            return PlivoFrameSerializer("s1", params=PlivoFrameSerializer.InputParams(sample_rate=8_000, **off))
        case _:
            return VonageFrameSerializer(VonageFrameSerializer.InputParams(sample_rate=16_000))


@pytest.fixture(params=sorted(CARRIERS))
def name(request):
    return request.param


# --- messages --------------------------------------------------------------------------------------

SAYS = {
    "twilio": [
        ({"event": "connected", "protocol": "Call", "version": "1.0.0"}, None),
        (
            {
                "event": "start",
                "sequenceNumber": "1",
                "start": {
                    "accountSid": "AC1",
                    "streamSid": "MZ1",
                    "callSid": "CA1",
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                    "customParameters": {},
                },
                "streamSid": "MZ1",
            },
            STREAMS["twilio"],
        ),
        (
            {
                "event": "media",
                "sequenceNumber": "3",
                "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "//8="},
                "streamSid": "MZ1",
            },
            Heard(b"\xff\xff"),
        ),
        ({"event": "mark", "sequenceNumber": "4", "streamSid": "MZ1", "mark": {"name": "7"}}, Played("7")),
        ({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "#"}}, Key("#")),
        ({"event": "stop", "streamSid": "MZ1", "stop": {"accountSid": "AC1", "callSid": "CA1"}}, Stopped()),
    ],
    "telnyx": [
        ({"event": "connected", "version": "1.0.0"}, None),
        (
            {
                "event": "start",
                "sequence_number": "1",
                "start": {
                    "user_id": "u",
                    "call_control_id": "v2:x",
                    "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
                },
                "stream_id": "s1",
            },
            STREAMS["telnyx"],
        ),
        (
            {
                "event": "media",
                "sequence_number": "4",
                "media": {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": "//8="},
                "stream_id": "s1",
            },
            Heard(b"\xff\xff", 2),
        ),
        ({"event": "mark", "sequence_number": "5", "stream_id": "s1", "mark": {"name": "7"}}, Played("7")),
        ({"event": "dtmf", "stream_id": "s1", "occurred_at": "x", "dtmf": {"digit": "1"}}, Key("1")),
        ({"event": "stop", "sequence_number": "5", "stop": {"user_id": "u"}, "stream_id": "s1"}, Stopped()),
    ],
    "plivo": [
        (
            {
                "event": "start",
                "sequenceNumber": 0,
                "start": {
                    "callId": "c1",
                    "streamId": "s1",
                    "accountId": "1",
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
                },
                "extra_headers": "{}",
            },
            STREAMS["plivo"],
        ),
        (
            {
                "event": "media",
                "sequenceNumber": 1,
                "streamId": "s1",
                "media": {"track": "inbound", "timestamp": "1", "chunk": 1, "payload": "//8="},
            },
            Heard(b"\xff\xff"),
        ),
        ({"event": "playedStream", "sequenceNumber": 2, "streamId": "s1", "name": "7"}, Played("7")),
        ({"event": "clearedAudio", "sequenceNumber": 3, "streamId": "s1"}, None),
        ({"event": "dtmf", "streamId": "s1", "dtmf": {"track": "inbound", "digit": "9"}}, Key("9")),
    ],
    "vonage": [
        ({"event": "websocket:connected", "content-type": "audio/l16;rate=16000"}, STREAMS["vonage"]),
        ({"event": "websocket:notify", "payload": {"mark": "7"}}, Played("7")),
        ({"event": "websocket:cleared"}, None),
        ({"event": "websocket:dtmf", "digit": "5", "duration": 260}, Key("5")),
    ],
}


def test_each_message_of_the_documentation_is_read(name):
    for message, event in SAYS[name]:
        assert CARRIERS[name].read(json.dumps(message)) == event
    if name == "vonage":
        assert CARRIERS[name].read(bytes(640)) == Heard(bytes(640))


async def test_pipecats_serializer_hears_what_we_hear(name):
    carrier, theirs = CARRIERS[name], serializer(name)
    await theirs.setup(None) if False else None
    for message, event in SAYS[name]:
        if isinstance(event, Key):
            frame = await theirs.deserialize(json.dumps(message))
            assert isinstance(frame, InputDTMFFrame)
            assert frame.button.value == event.key
    assert carrier.name == name


async def test_pipecats_serializer_says_what_we_say(name):
    """Their audio message with our payload in it, and their order to drop what has not been played, are ours."""
    carrier, theirs, stream = CARRIERS[name], serializer(name), STREAMS[name]
    cleared = json.loads(await theirs.serialize(InterruptionFrame()))
    assert json.loads(carrier.clear(stream)) == cleared
    if name == "vonage":
        assert carrier.audio(stream, TEN_MS) == TEN_MS
        return
    rate = 8_000
    frame = OutputAudioRawFrame(audio=Encoding.MULAW.decode(TEN_MS), sample_rate=rate, num_channels=1)
    said = json.loads(await theirs.serialize(frame))
    ours = json.loads(carrier.audio(stream, TEN_MS))
    assert base64.b64decode(ours["media"]["payload"]) == TEN_MS
    said["media"]["payload"] = ours["media"]["payload"]
    said.pop("streamId", None)
    assert ours == said


def test_marks_come_back_as_they_were_sent(name):
    sent = json.loads(CARRIERS[name].mark(STREAMS[name], "41"))
    back = {
        "twilio": {"event": "mark", "streamSid": "MZ1", "mark": {"name": "41"}},
        "telnyx": {"event": "mark", "mark": {"name": "41"}},
        "plivo": {"event": "checkpoint", "streamId": "s1", "name": "41"},
        "vonage": {"action": "notify", "payload": {"mark": "41"}},
    }[name]
    assert sent == back


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def crooked(draw):
    """A carrier's message in which something is another thing, or missing, or not there at all."""
    says = SAYS[draw(st.sampled_from(sorted(SAYS)))]
    message = json.loads(json.dumps(says[draw(st.integers(0, len(says) - 1))][0]))
    at = message
    while True:
        key = draw(st.sampled_from(sorted(at)))
        if isinstance(at[key], dict) and at[key] and draw(st.booleans()):
            at = at[key]
            continue
        if draw(st.booleans()):
            at[key] = draw(json_values)
        else:
            del at[key]
        return json.dumps(message)


@given(st.one_of(st.text(), st.binary(), json_values.map(json.dumps), crooked()), st.sampled_from(sorted(CARRIERS)))
def test_whatever_comes_is_read_or_refused(message, name):
    try:
        event = CARRIERS[name].read(message)
    except MalformedError:
        return
    assert event is None or isinstance(event, Started | Heard | Key | Played | Stopped)


# --- webhooks --------------------------------------------------------------------------------------


def posted(form, url="https://bot.example.org/phone/x", **headers):
    pairs = form.items() if isinstance(form, dict) else [(key, value) for key, value in form]
    body = urlencode(list(pairs)).encode()
    return Webhook(url, headers, body, 1_800_000_000.0)


@pytest.mark.parametrize("case", SIGNED, ids=range(len(SIGNED)))
def test_signatures_of_twilios_and_plivos_own_packages_pass_and_others_do_not(case):
    headers = {
        "X-Twilio-Signature": case["twilio"],
        "X-Plivo-Signature-V3": f"AAAA,{case['plivo']}",
        "X-Plivo-Signature-V3-Nonce": case["nonce"],
    }
    good = posted(case["form"], case["url"], **headers)
    wrong = [
        posted([*case["form"], ["To", "+1"]], case["url"], **headers),
        posted(case["form"], case["url"] + "/", **headers),
        posted(case["form"], case["url"]),
        posted(case["form"], case["url"], **{key: value[:-2] + "ä=" for key, value in headers.items()}),
    ]
    for carrier in (Twilio(case["token"]), Plivo(case["token"])):
        carrier.verify(good)
        for request in wrong:
            with pytest.raises(SignatureError):
                carrier.verify(request)
    for carrier in (Twilio("another"), Plivo("another")):
        with pytest.raises(SignatureError):
            carrier.verify(good)


def test_twilio_signs_with_or_without_the_port():
    case = next(case for case in SIGNED if ":443" in case["url"])
    shorter = posted(case["form"], case["url"].replace(":443", ""), **{"X-Twilio-Signature": case["twilio"]})
    Twilio(case["token"]).verify(shorter)


def telnyx_signed(form, at=1_800_000_000, body=None):
    request = posted(form)
    signature = KEY.sign(f"{at}|".encode() + (request.body if body is None else body))
    headers = {
        "Telnyx-Signature-Ed25519": base64.b64encode(signature).decode(),
        "Telnyx-Timestamp": str(at),
    }
    return posted(form, **headers)


def test_telnyx_signs_the_time_and_the_body():
    carrier, form = CARRIERS["telnyx"], {"CallSid": "v3:1", "From": "+1"}
    carrier.verify(telnyx_signed(form))
    for wrong in (
        telnyx_signed(form, at=1_800_000_000 - 301),
        telnyx_signed(form, body=b"CallSid=2"),
        posted(form),
        posted(form, **{"Telnyx-Signature-Ed25519": "AAAA", "Telnyx-Timestamp": "²"}),
    ):
        with pytest.raises(SignatureError):
            carrier.verify(wrong)


def vonage_signed(body, *, secret=SECRET, at=1_800_000_000, digest=None, scheme="Bearer", algorithm="HS256"):
    claims = {"iat": at, "payload_hash": digest or hashlib.sha256(body).hexdigest(), "api_key": "k"}
    token = jwt.encode(claims, secret, algorithm=algorithm)
    return Webhook(
        "https://bot.example.org/phone/vonage", {"Authorization": f"{scheme} {token}"}, body, 1_800_000_000.0
    )


def test_vonage_signs_the_time_and_the_bodys_digest():
    body = json.dumps({"uuid": "u-1", "from": "33612345678", "to": "33123456789"}).encode()
    CARRIERS["vonage"].verify(vonage_signed(body))
    for wrong in (
        vonage_signed(body, secret="another secret of thirty-two characters"),
        vonage_signed(body, at=1_799_999_000),
        vonage_signed(body, at=True),
        vonage_signed(body, digest="0" * 64),
        vonage_signed(body, scheme="Basic"),
        vonage_signed(body, secret="", algorithm="none"),
        Webhook("https://x/", {}, body, 1_800_000_000.0),
    ):
        with pytest.raises(SignatureError):
            CARRIERS["vonage"].verify(wrong)


def test_who_calls_is_told():
    form = {"CallSid": "CA1", "CallUUID": "CA1", "From": "+33612345678", "To": "+1"}
    for name in ("twilio", "telnyx", "plivo"):
        call = CARRIERS[name].incoming(posted(form))
        assert (call.call_id, call.caller, call.called) == ("CA1", "+33612345678", "+1")
        with pytest.raises(MalformedError):
            CARRIERS[name].incoming(posted({"From": "+1"}))
    body = json.dumps({"uuid": "u-1", "from": "33612345678", "to": "33123456789"}).encode()
    assert CARRIERS["vonage"].incoming(vonage_signed(body)).caller == "33612345678"


def test_the_answer_connects_the_stream(name):
    url = "wss://bot.example.org/phone/x/stream/tok-en_1?a=1&b=2"
    answer = CARRIERS[name].connect(url)
    if name == "vonage":
        (action,) = json.loads(answer.text)
        assert action["endpoint"][0]["uri"] == url
        return
    root = ElementTree.fromstring(answer.text)
    stream = root.find(".//Stream")
    assert root.tag == "Response"
    assert (stream.get("url") or stream.text) == url
    wait = ElementTree.fromstring(CARRIERS[name].wait(4, url).text)
    assert [wait[0].get("length"), wait[1].text] == ["4", url]
    assert len(ElementTree.fromstring(CARRIERS[name].refuse().text)) == 1


@given(
    st.binary(max_size=300),
    st.dictionaries(
        st.sampled_from(
            [
                "X-Twilio-Signature",
                "X-Plivo-Signature-V3",
                "X-Plivo-Signature-V3-Nonce",
                "Telnyx-Timestamp",
                "Telnyx-Signature-Ed25519",
                "Authorization",
            ]
        ),
        st.text(max_size=60),
    ),
    st.sampled_from(sorted(CARRIERS)),
)
def test_no_stranger_gets_in(body, headers, name):
    with pytest.raises((SignatureError, MalformedError)):
        CARRIERS[name].verify(Webhook("https://bot.example.org/phone/x", headers, body, 1_800_000_000.0))
