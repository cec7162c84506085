"""Where connectivity checks may go: not to places that a stranger chose behind our firewall, and not without end."""

from ipaddress import ip_address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.candidates import CandidateLimit, CandidatePolicy, without_refused
from transports.sdp import MAX_CANDIDATES, OfferError, count_candidates

POLICY = CandidatePolicy([ip_interface(own) for own in ("192.168.7.5/24", "2001:db8:1::5/64", "127.0.0.1/8")])


def candidate(host: str, port: object = 40_000) -> str:
    return f"a=candidate:1 1 udp 2122260223 {host} {port} typ host"


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "192.168.7.77", "192.168.7.5", "2606:4700::1111", "0d4f5c1e-9a7b-4d4e-8c1a-2b3c4d5e6f70.local"]
)
def test_the_internet_and_our_own_network_are_allowed(host):
    assert POLICY.allows(host, 40_000)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1", "240.0.0.1"),
        *("169.254.169.254", "fe80::1", "fe80::1%eth0", "10.0.0.7", "172.16.0.1", "192.168.8.5", "100.64.0.1"),
        *("fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.7", "localhost", "metadata.google.internal", "", "1", "a b"),
        *(
            "64:ff9b::7f00:1",
            "64:ff9b::a00:7",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::1",
            "2002:a00:7::1",
            "2002:c0a8:805::1",
        ),
    ],
)
def test_no_other_place_is(host):
    assert not POLICY.allows(host, 40_000)


@pytest.mark.parametrize("port", [-1, 0, 22, 53, 1023, 65_536])
def test_services_have_no_callers(port):
    assert not POLICY.allows("8.8.8.8", port)


@given(st.ip_addresses(), st.integers(-10, 70_000))
def test_whatever_is_allowed_is_public_or_ours(address, port):
    if POLICY.allows(str(address), port):
        ours = address in ip_interface("192.168.7.5/24").network or address in ip_interface("2001:db8:1::5/64").network
        mapped = getattr(address, "ipv4_mapped", None)
        assert ours or (mapped or address).is_global or (mapped and mapped in ip_interface("192.168.7.5/24").network)
        assert not ip_address(str(address)).is_loopback


@given(st.lists(st.tuples(st.one_of(st.ip_addresses().map(str), st.text(max_size=12)), st.integers(0, 70_000))))
def test_a_description_keeps_all_but_the_refused_candidates(addresses):
    lines = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", *(candidate(*a) for a in addresses), "a=end-of-candidates"]
    sdp = "\r\n".join(lines) + "\r\n"
    kept, withheld = without_refused(sdp, POLICY)
    assert kept.startswith("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")
    assert withheld is (count_candidates(kept) < count_candidates(sdp))
    assert ("a=end-of-candidates" in kept) is not withheld


def test_a_peer_has_so_many_and_no_more():
    limit = CandidateLimit()
    limit.take(MAX_CANDIDATES - 1, 0.0)
    limit.take(1, 0.0)
    with pytest.raises(OfferError, match="at most 100"):
        limit.take(1, 0.5)
    limit.take(1, 60.0)
    with pytest.raises(OfferError):
        CandidateLimit().take(MAX_CANDIDATES + 1, 0.0)
