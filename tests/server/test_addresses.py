"""Whose request it is, behind proxies that are trusted and others."""

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.addresses import client_address, limit_key, parse_address, split_host

TRUSTED = [ipaddress.ip_network(text) for text in ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:aaaa::/48")]
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
foreign = addresses.filter(lambda text: not any(_in(text, network) for network in TRUSTED))


def _in(text: str, network: Any) -> bool:
    address = parse_address(text)
    return address is not None and address.version == network.version and address in network


def named(*hops: str) -> list[dict[str, str]]:
    return [{"for": hop} for hop in hops]


@pytest.mark.parametrize(
    ("peer", "x_forwarded_for", "forwarded", "client"),
    [
        ("203.0.113.9", [], [], "203.0.113.9"),
        ("203.0.113.9", ["192.0.2.1"], [], "203.0.113.9"),  # it is no proxy of ours, whatever it says
        ("127.0.0.1", [], [], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.1"], [], "192.0.2.1"),
        ("127.0.0.1", ["6.6.6.6, 192.0.2.1"], [], "192.0.2.1"),  # the first one is what the client says
        ("127.0.0.1", ["6.6.6.6", "192.0.2.1"], [], "192.0.2.1"),
        ("127.0.0.1", ["192.0.2.1, 10.1.1.1"], [], "192.0.2.1"),
        ("127.0.0.1", ["192.0.2.1:4711"], [], "192.0.2.1"),
        ("127.0.0.1", ["[2001:db8::1]:4711"], [], "2001:db8::1"),
        ("127.0.0.1", ["::ffff:192.0.2.1"], [], "192.0.2.1"),
        ("127.0.0.1", ["nonsense"], [], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.1, nonsense"], [], "127.0.0.1"),
        ("127.0.0.1", [""], [], "127.0.0.1"),
        ("127.0.0.1", ["10.1.1.1"], [], "10.1.1.1"),
        ("::ffff:127.0.0.1", ["192.0.2.1"], [], "192.0.2.1"),
        ("127.0.0.1", [], named("192.0.2.1"), "192.0.2.1"),
        ("127.0.0.1", [], named('"[2001:db8::1]:4711"'), "2001:db8::1"),
        ("127.0.0.1", [], named("6.6.6.6", "192.0.2.1", "10.9.9.9"), "192.0.2.1"),
        ("127.0.0.1", [], named("_hidden"), "127.0.0.1"),
        ("127.0.0.1", [], [{"by": "10.0.0.1"}], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.1"], named("192.0.2.1"), "192.0.2.1"),
        ("127.0.0.1", ["192.0.2.1"], named("6.6.6.6"), "127.0.0.1"),  # one of them is the client's own invention
    ],
)
def test_the_client_is_the_first_that_no_trusted_proxy_is(peer, x_forwarded_for, forwarded, client):
    assert client_address(peer, x_forwarded_for, forwarded, TRUSTED) == client


@given(st.lists(st.text(max_size=30), max_size=4), foreign, st.lists(st.sampled_from(["10.0.0.7", "127.0.0.1"])))
def test_nothing_that_a_client_writes_changes_its_address(lies, client, proxies):
    told = ", ".join([*(lie.replace(",", " ") for lie in lies), client, *proxies])
    assert client_address("127.0.0.1", [told], [], TRUSTED) == str(parse_address(client))


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=5))
def test_any_text_is_survived(peer, told):
    assert isinstance(client_address(peer, told, named(*told), TRUSTED), str)
    split_host(peer)
    assert len(limit_key(peer)) <= 64


def test_limits_count_networks_of_ipv6_and_addresses_of_ipv4():
    assert limit_key("2001:db8:1:2:3:4:5:6") == limit_key("2001:db8:1:2::9") != limit_key("2001:db8:1:3::9")
    assert limit_key("::ffff:192.0.2.1") == limit_key("192.0.2.1") != limit_key("192.0.2.2")


@pytest.mark.parametrize(
    "header", ["", "]", "[", "[::1", "a@localhost", "localhost/x", "localhost:99999999", "a b", "\0"]
)
def test_what_is_no_host(header):
    assert split_host(header) is None
