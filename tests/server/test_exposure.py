"""What the operator is told of what stands open, before anybody finds out."""

import pytest
from aiohttp import web
from loguru import logger

from server import exposure
from server.access import OPEN_HERE, SHUT
from server.site import app_runner
from settings import Settings, SettingsError

SECRET = "x" * 32
TOKEN = "a-token-of-some-length"


def settings(**values) -> Settings:
    return Settings(_env_file=None, llm="scripted", **values)


@pytest.mark.parametrize(
    ("values", "loud"),
    [
        ({}, []),
        ({"host": "localhost"}, []),
        ({"host": "::1"}, []),
        ({"host": "0.0.0.0"}, ["TLS_CERT", "TLS_KEY", "CALL_TOKEN_SECRET"]),
        ({"host": "::"}, ["TLS_CERT", "CALL_TOKEN_SECRET"]),
        ({"host": "192.0.2.7"}, ["TLS_CERT", "CALL_TOKEN_SECRET"]),
        ({"host": "bot.example.org"}, ["TLS_CERT", "CALL_TOKEN_SECRET"]),
        ({"host": "0.0.0.0", "call_token_secret": SECRET}, ["TLS_CERT"]),
        ({"host": "0.0.0.0", "call_token_secret": SECRET, "call_tokens": "off"}, ["TLS_CERT", "CALL_TOKEN_SECRET"]),
        ({"host": "0.0.0.0", "tls_cert": "c.pem", "tls_key": "k.pem"}, ["CALL_TOKEN_SECRET"]),
        ({"host": "0.0.0.0", "tls_cert": "c.pem", "tls_key": "k.pem", "call_token_secret": SECRET}, []),
    ],
)
def test_a_door_that_is_open_to_others_is_told_in_one_loud_line(values, loud):
    lines: list = []
    sink = logger.add(lambda message: lines.append(message.record), level="INFO")
    exposure.tell(settings(dashboard_token=TOKEN, **values))
    logger.remove(sink)
    assert len(lines) == bool(loud)
    for name in loud:
        assert lines[0]["level"].name == "WARNING"
        assert name in lines[0]["message"]


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({}, OPEN_HERE),
        ({"trusted_proxies": "127.0.0.1"}, SHUT),
        ({"allowed_hosts": "bot.example.org"}, SHUT),
        ({"dashboard_token": TOKEN}, ""),
    ],
)
def test_the_log_says_who_sees_the_dashboard(values, advice):
    assert exposure.make_access(settings(**values)).advice == advice


async def test_a_certificate_that_cannot_be_used_stops_the_start_with_one_line():
    runner = app_runner(web.Application())
    await runner.setup()
    with pytest.raises(SettingsError, match="^TLS_CERT, TLS_KEY: .*; set them to PEM files$"):
        exposure.make_site(runner, settings(tls_cert="none.pem", tls_key="none.pem"))
    await runner.cleanup()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tls_cert": "c.pem"}, "TLS_KEY: missing"),
        ({"call_tokens": "required"}, "CALL_TOKEN_SECRET: missing"),
        ({"call_token_secret": "short"}, "too short"),
        ({"trusted_proxies": "nginx"}, "neither an address nor a network"),
        ({"allowed_hosts": "https://bot.example.org"}, "no host name"),
        ({"allowed_origins": "bot.example.org"}, "no origin"),
    ],
)
def test_wrong_values_are_told(values, says):
    with pytest.raises(ValueError, match=says):
        settings(**values)
