"""The firewall of a call's socket: what passes, what does not, and for what reason."""

from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from admission.packet_gate import (
    MAX_ADDRESSES,
    Drop,
    Kind,
    PacketGate,
    SourceLimit,
    has_plain_alert,
    kind_of,
)

HERE = (1, "203.0.113.7", 40_000)
DTLS = bytes.fromhex("16fefd0000000000000000000000")
ENCRYPTED = bytes.fromhex("17fefd0001000000000001000040") + bytes(63)
ALERT = bytes.fromhex("15fefd000000000000000000020228")
RTP = bytes([0x80, 111]) + bytes(40)
RTCP = bytes([0x80, 200]) + bytes(40)


def check(username: str) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    return bytes(message)


def refused(gate: PacketGate, datagram: bytes, where=HERE, awaited=(), now: float = 0.0) -> Drop | None:
    return gate.refuses(kind_of(datagram), datagram, where, awaited, now)


def known() -> PacketGate:
    gate = PacketGate("abcd")
    assert gate.proves(HERE)
    return gate


datagrams = st.one_of(
    st.binary(max_size=64),
    st.tuples(st.sampled_from([DTLS, ENCRYPTED, ALERT, RTP, RTCP, check("wxyz:peer")]), st.binary(max_size=40)).map(
        b"".join
    ),
)


@given(st.lists(datagrams))
def test_nothing_from_an_address_that_has_proved_nothing_passes(packets):
    gate = PacketGate("abcd")
    for packet in packets:
        if b"abcd:" not in packet:
            assert refused(gate, packet) in (Drop.MALFORMED, Drop.STRANGER)


@given(datagrams)
def test_any_datagram_is_told_apart_or_malformed(packet):
    kind = kind_of(packet)
    assert kind is not None or refused(known(), packet) is Drop.MALFORMED
    assert has_plain_alert(packet) in (True, False)


def test_the_kinds_are_those_of_rfc_7983():
    assert [kind_of(p) for p in (check("a:b"), DTLS, RTP, RTCP)] == [Kind.STUN, Kind.DTLS, Kind.RTP, Kind.RTCP]
    assert [kind_of(p) for p in (b"", b"\x80", bytes([70]) + bytes(30), bytes(30), b"hello, is anybody there?")] == (
        [None] * 5
    )


def test_an_address_that_has_proved_itself_passes_and_another_does_not():
    gate = known()
    for packet in (DTLS, ENCRYPTED, RTP, RTCP):
        assert refused(gate, packet) is None
        for other in ((1, "203.0.113.8", 40_000), (1, "203.0.113.7", 40_001), (2, "203.0.113.7", 40_000)):
            assert refused(gate, packet, other) is Drop.STRANGER


def test_a_plain_alert_is_dropped_wherever_it_stands_and_whoever_sends_it():
    gate = known()
    for packet in (ALERT, DTLS[:13] + ALERT, DTLS[:11] + b"\0\1\0" + ALERT):
        assert refused(gate, packet) is Drop.PLAIN_ALERT
    goodbye = bytes.fromhex("15fefd0001000000000001000030") + bytes(47)
    assert refused(gate, goodbye) is None


def test_checks_and_responses_pass_only_by_what_a_stranger_cannot_know():
    gate = PacketGate("abcd")
    assert refused(gate, check("abcd:peer")) is None
    assert refused(gate, check("abce:peer")) is Drop.STRANGER
    response = bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, b"123456789012"))
    assert refused(gate, response) is Drop.STRANGER
    assert refused(gate, response, awaited=[b"123456789012"]) is None


def test_a_flood_of_strangers_takes_nothing_from_who_wants_to_connect():
    gate = PacketGate("abcd")
    response = bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE))
    for _ in range(10_000):
        for packet in (b"", response, check("other:peer"), DTLS):
            assert refused(gate, packet) is not None
    assert refused(gate, check("abcd:peer")) is None


def test_a_peer_sends_no_more_than_a_multiple_of_what_a_call_needs():
    gate = known()
    for packet, at_most in ((RTP, 800), (DTLS, 400), (RTCP, 120)):
        passed = sum(refused(gate, packet, now=n / 10_000) is None for n in range(10_000))
        assert passed <= at_most
        lively = known()
        assert all(refused(lively, packet, now=n / 15) is None for n in range(300))
    gate = known()
    assert all(refused(gate, RTP, now=n / 100) is None for n in range(3000)), "packets of 10 ms"


def test_addresses_are_not_taken_without_end():
    gate = PacketGate("abcd")
    took = [gate.proves((1, "203.0.113.7", port)) for port in range(100)]
    assert sum(took) == MAX_ADDRESSES
    assert gate.proves((1, "203.0.113.7", 0)), "who is known stays"


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0, 0.1)), max_size=200))
def test_sources_are_capped_and_the_newest_are_kept(steps):
    limit, now, live = SourceLimit(most=4, per_sec=1.0), 0.0, []
    news = 0
    for ssrc, pause in steps:
        now += pause
        may = limit.may_take(ssrc, now)
        taken, forgotten = limit.take(ssrc, now)
        assert taken is may
        if taken and ssrc not in live:
            news += 1
            live.append(ssrc)
            if len(live) > 4:
                assert forgotten == live.pop(0)
        assert len(live) <= 4
    assert news <= 4 + now + 1e-6
