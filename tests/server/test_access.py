"""Who may see the dashboard: whoever has the token; without one that is set, whoever is on this machine."""

import base64

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from pydantic import SecretStr

from server.access import Access, AccessError

TOKEN = "a-token-of-some-length"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def request(remote: str, host: str = "localhost:7860", **headers: str) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    made = make_mocked_request("GET", "/dashboard", headers={"Host": host, **named})
    return made.clone(remote=remote)


def outcome(token: str, asked: web.Request) -> int:
    try:
        Access(SecretStr(token)).require(asked)
    except AccessError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    ("remote", "host", "from_here"),
    [
        ("127.0.0.1", "localhost:7860", True),
        ("127.0.0.1", "127.0.0.1:7860", True),
        ("127.8.9.1", "localhost", True),
        ("::1", "[::1]:7860", True),
        ("::ffff:127.0.0.1", "localhost", True),
        ("192.168.1.5", "localhost:7860", False),
        ("::ffff:192.168.1.5", "localhost", False),
        ("10.0.0.1", "10.0.0.2:7860", False),
        ("127.0.0.1", "evil.example:7860", False),  # a name that was made to point here
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "", False),
        ("", "localhost", False),
    ],
)
def test_loopback_is_open_and_nothing_else(remote, host, from_here):
    assert outcome("", request(remote, host)) == (200 if from_here else 403)
    assert outcome(TOKEN, request(remote, host)) == 401, "a token that is set is always asked for"


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "X_Real_IP", "Via", "X_Forwarded_Host"])
def test_what_came_through_a_proxy_is_not_from_here(header):
    assert outcome("", request("127.0.0.1", **{header: "127.0.0.1"})) == 403
    assert outcome(TOKEN, request("127.0.0.1", **{header: "127.0.0.1"})) == 401


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (basic("anyone", TOKEN), 200),
        (basic("", TOKEN), 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        (basic(TOKEN, ""), 401),
        (basic("anyone", "guess"), 401),
        ("Basic ***", 401),
        ("Basic /w==", 401),
        (f"Digest {TOKEN}", 401),
        (TOKEN, 401),
    ],
)
def test_the_token_opens_from_elsewhere(authorization, status):
    assert outcome(TOKEN, request("203.0.113.9", Authorization=authorization)) == status


def test_without_a_token_that_is_set_none_opens():
    assert outcome("", request("203.0.113.9", Authorization="Bearer ")) == 403
    assert outcome("", request("203.0.113.9", Authorization=basic("", ""))) == 403


def test_a_browser_is_asked_for_the_token_only_where_one_helps():
    assert "WWW-Authenticate" in AccessError(401, "wrong_token", "no").response().headers
    assert "WWW-Authenticate" not in AccessError(403, "no_token_set", "no").response().headers
