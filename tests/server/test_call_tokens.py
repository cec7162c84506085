"""Call tokens: who gets in with which, who the caller is then, and what a leaked or forged one is worth."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

import bot
from processors import compat
from server.call_tokens import CallTokens, TokenError, make_token
from server.calls import CALLS
from server.signalling import make_app
from settings import load
from tests.server.test_signalling import Limits, offer, post
from transports.webrtc import WebRTCCall

SECRET = "0123456789abcdef0123456789abcdef"
KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def pem(key: Any) -> str:
    public, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(public, form).decode()


def token(secret: Any = SECRET, algorithm: str = "HS256", secs: float = 60, **claims: Any) -> str:
    body = {"sub": "anna", "exp": time.time() + secs, **claims}
    return jwt.encode({key: value for key, value in body.items() if value is not None}, secret, algorithm)


def outcome(tokens: CallTokens, text: str) -> str:
    try:
        return tokens.verify(text).subject
    except TokenError as error:
        return error.code


def test_a_shared_secret_and_public_keys():
    assert outcome(CallTokens(SECRET), token(name="Anna")) == "anna"
    assert CallTokens(SECRET).verify(token(plan="gold")).claims["plan"] == "gold"
    for algorithm, key in KEYS.items():
        tokens = CallTokens("", pem(key))
        assert outcome(tokens, token(key, algorithm)) == "anna"
        for other, wrong in KEYS.items():
            if other != algorithm:
                assert outcome(tokens, token(wrong, other)) == "bad_call_token"
        assert outcome(tokens, token()) == "bad_call_token"
    both = CallTokens(SECRET, pem(KEYS["ES256"]))
    assert outcome(both, token()) == outcome(both, token(KEYS["ES256"], "ES256")) == "anna"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (lambda: token(secs=-60), "call_token_over"),
        (lambda: token(exp=None), "bad_call_token"),
        (lambda: token(sub=None), "bad_call_token"),
        (lambda: token(sub=""), "bad_call_token"),
        (lambda: token(sub=" "), "bad_call_token"),
        (lambda: token(sub="x" * 300), "bad_call_token"),
        (lambda: token(secs=7200), "bad_call_token"),
        (lambda: token(exp=1e300), "bad_call_token"),
        (lambda: token(nbf=time.time() + 600), "bad_call_token"),
        (lambda: token(secret="another secret that is long enough"), "bad_call_token"),
        (lambda: token()[:-2], "bad_call_token"),
        (lambda: token(secret="", algorithm="none"), "bad_call_token"),
        (lambda: "x" * 100_000, "bad_call_token"),
        (lambda: token(pem(KEYS["ES256"]).replace("-----", "")), "bad_call_token"),
    ],
)
def test_what_is_not_taken(text, code):
    assert outcome(CallTokens(SECRET, pem(KEYS["ES256"])), text()) == code


def test_for_whom_and_by_whom():
    tokens = CallTokens(SECRET, audience="parley", issuer="bank")
    assert outcome(tokens, token(aud="parley", iss="bank")) == "anna"
    for claims in ({"aud": "parley"}, {"iss": "bank"}, {"aud": "other", "iss": "bank"}, {"aud": "parley", "iss": "x"}):
        assert outcome(tokens, token(**claims)) == "bad_call_token"


@given(
    st.text(max_size=200) | st.binary(max_size=90).map(lambda raw: jwt.utils.base64url_encode(raw).decode() + ".e30.")
)
def test_any_text_is_survived(text):
    with pytest.raises(TokenError):
        CallTokens(SECRET, pem(KEYS["ES256"])).verify(text)


# --- at the server ------------------------------------------------------------------------------


@asynccontextmanager
async def served(limits: Limits | None = None) -> AsyncIterator[tuple[TestClient, list[WebRTCCall]]]:
    compat.install()
    began: list[WebRTCCall] = []

    async def run(call: WebRTCCall) -> None:
        began.append(call)
        await call.closed.wait()

    app = make_app(limits or Limits(max_calls=9), run, tokens=CallTokens(SECRET))
    async with TestClient(TestServer(app)) as client:
        yield client, began


async def call(client: TestClient, text: str | None, *, header: bool = True, **data: Any) -> tuple[int, dict]:
    _, body = await offer()
    headers = {"Authorization": f"Bearer {text}"} if text is not None and header else {}
    if text is not None and not header:
        data["call_token"] = text
    return await post(client, {**body, "requestData": data}, headers=headers)


@pytest.mark.parametrize("header", [True, False])
async def test_without_a_token_nobody_takes_a_place(header):
    async with served() as (client, began):
        for text, code in ((None, "no_call_token"), ("guess", "bad_call_token"), (token(secs=-60), "call_token_over")):
            status, answer = await call(client, text, header=header)
            assert (status, answer["code"]) == (401, code)
            assert answer["reason"]
        assert len(client.app[CALLS]) == 0
        assert (await call(client, token(plan="gold"), header=header, colour="red"))[0] == 200
        (one,) = began
        assert (one.identity.subject, one.identity.claims["plan"]) == ("anna", "gold")
        assert one.request_data == {"colour": "red"}, "what the client said, without tokens"


async def test_a_call_outlives_its_token_and_stays_its_callers():
    async with served() as (client, began):
        mine = {"caller_token": "anna-0123456789abcdefghijk"}
        status, answer = await call(client, token(), **mine)
        assert status == 200
        assert (await call(client, token(secs=-60), **mine))[0] == 200
        assert (await call(client, None, **mine))[0] == 200
        status, answer = await call(client, token(sub="ben"), **mine)
        assert (status, answer["code"]) == (403, "other_caller")
        assert [each.identity.subject for each in began] == ["anna"]


async def test_a_leaked_token_does_not_fill_the_bot():
    async with served(Limits(max_calls=9, calls_per_caller=2)) as (client, _):
        told = [(await call(client, token()))[0] for _ in range(3)]
        assert told == [200, 200, 429]
        assert (await call(client, token(sub="ben")))[0] == 200


class Turn:
    """Servers with credentials, as :class:`server.ice_servers.IceServers` hands them out."""

    def for_client(self) -> list[dict[str, str]]:
        return [{"urls": "turn:relay.example", "username": "u", "credential": "c"}]


async def test_credentials_of_turn_servers_are_for_those_who_may_call():
    async with served(Limits(ice_servers=Turn())) as (client, _):  # type: ignore[arg-type]
        assert "ice_servers" not in await (await client.get("/api/info")).json()
        headers = {"Authorization": f"Bearer {token()}"}
        assert (await (await client.get("/api/info", headers=headers)).json())["ice_servers"]


# --- settings and the command line ---------------------------------------------------------------


def test_the_command_makes_one_that_is_taken(monkeypatch, capsys):
    monkeypatch.setenv("CALL_TOKEN_SECRET", SECRET)
    assert bot.main(["token", "anna", "--minutes", "5", "--claim", "plan=gold"]) == 0
    identity = CallTokens.from_settings(load()).verify(capsys.readouterr().out.strip())
    assert (identity.subject, identity.claims["plan"]) == ("anna", "gold")


@pytest.mark.parametrize(("secret", "minutes", "says"), [("", "5", "CALL_TOKEN_SECRET"), (SECRET, "600", "MAX_SECS")])
def test_the_command_says_what_to_set(monkeypatch, capsys, secret, minutes, says):
    monkeypatch.setenv("CALL_TOKEN_SECRET", secret)
    assert bot.main(["token", "anna", "--minutes", minutes]) == 2
    assert says in capsys.readouterr().err


def test_settings(monkeypatch, tmp_path):
    assert not CallTokens.from_settings(load()).required, "off, as the bot comes"
    assert CallTokens.from_settings(load(call_token_secret=SECRET)).required
    assert not CallTokens.from_settings(load(call_token_secret=SECRET, call_tokens="off")).required
    key = tmp_path / "key.pem"
    key.write_text(pem(KEYS["EdDSA"]))
    assert outcome(CallTokens.from_settings(load(call_token_public_key=key)), token(KEYS["EdDSA"], "EdDSA")) == "anna"
    assert make_token(load(call_token_secret=SECRET), "anna", 1, {})
