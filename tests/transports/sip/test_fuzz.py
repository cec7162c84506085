"""Whatever peers send: no error, no answer to what is malformed, nothing kept, and never more than one answer."""

from aiosipua import SipMessage
from hypothesis import given
from hypothesis import strategies as st

from tests.transports.sip.peer import OFFER, Exchange
from transports.sip.dialog import CallOver
from transports.sip.media import Codec, NoMediaError, read_media
from transports.sip.messages import MalformedError, Request, Response, read, response
from transports.sip.rtp_stream import RtpStream
from transports.sip.transactions import GIVE_UP

METHODS = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "NOTIFY", "REFER", "PRACK", "SUBSCRIBE"]
MESSAGES = [Exchange().message(method, body=OFFER) for method in METHODS]
LINES = sorted({line for message in MESSAGES for line in message.split(b"\r\n")})
PIECES = [*LINES, b"\r\n\r\n", b"", b"Via: SIP/2.0/UDP", b"Contact: *", b"To: <sip:x", b"CSeq: -1 INVITE", b"l: 5"]


@st.composite
def damaged(draw):
    """A message in which bytes were changed, cut, doubled or moved."""
    data = bytearray(draw(st.sampled_from(MESSAGES)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=9))
            case 1:
                del data[at : at + draw(st.integers(1, 60))]
            case 2:
                data[at:at] = data[at : at + draw(st.integers(1, 60))]
            case 3:
                data[at:at] = draw(st.sampled_from(PIECES))
    return bytes(data)


ANY = st.one_of(
    st.binary(max_size=300),
    damaged(),
    st.lists(st.sampled_from(PIECES), max_size=20).map(lambda lines: b"\r\n".join([*lines, b"", b""])),
)


@given(ANY)
def test_the_parser_reads_or_refuses(data):
    try:
        message = read(data)
    except MalformedError:
        return
    assert isinstance(message, Request | Response)
    if isinstance(message, Request) and message.method != "ACK":
        answer = SipMessage.parse(response(message, ("192.0.2.1", 5060), 200, "tag"))
        assert (answer.call_id, answer.cseq.seq) == (message.call_id, message.cseq)
        assert not any("\r" in value or "\n" in value for _, values in answer.headers.items() for value in values)


@given(st.lists(ANY, max_size=12))
def test_nothing_that_a_peer_sends_breaks_the_agent_or_stays(datagrams):
    peer = Exchange()
    for data in datagrams:
        assert len(peer.raw(data)) <= 2  # 100 and a refusal; CANCEL: its 200 and the call's 487
        for dialog in list(peer.agent._dialogs.values()):
            peer.do_with(dialog, lambda dialog, now: dialog.accept(20_000, now))
    ended = peer.told(CallOver)
    assert len({event.call for event in ended}) == len(ended)
    peer.wait(GIVE_UP + 40)
    for dialog in list(peer.agent._dialogs.values()):
        peer.do_with(dialog, lambda dialog, now: dialog.hang_up(now))
    peer.wait(3 * GIVE_UP)
    assert (len(peer.agent), peer.agent.remembered) == (0, 0)


@given(st.one_of(st.binary(max_size=400), damaged().map(lambda data: data.partition(b"\r\n\r\n")[2])))
def test_offers_are_read_or_refused(body):
    try:
        media = read_media(body, list(Codec), 20_000)
    except NoMediaError:
        return
    assert 0 < media.address[1] < 65_536
    assert all("\r" not in line and "\n" not in line for line in media.answer)


PACKET = bytes.fromhex("8000000100000000deadbeef") + b"\x7f" * 160


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(lambda i, b: PACKET[:i] + b + PACKET[i + len(b) :], st.integers(0, 20), st.binary(max_size=4)),
        ),
        max_size=10,
    )
)
def test_packets_of_any_kind_are_sound_or_dropped(packets):
    stream = RtpStream(read_media(OFFER.encode(), list(Codec)), 1, "192.0.2.1")
    for data in packets:
        received = stream.received(data, ("192.0.2.1", 4000))
        assert received is None or all(len(frame) == 640 for frame in received.frames)
        assert stream.received(data, ("203.0.113.1", 4000)) is None
