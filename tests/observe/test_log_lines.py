"""The log: no keys, no numbers of cards, no forged lines, whoever writes to it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from contracts import secrets
from contracts.modes import Transcripts
from contracts.secrets import HIDDEN, scrub
from observe.log_lines import MAX_CHARS, clean, log_to_terminal

KEY = 'CANARY-LLM-0123456789/+"x'
CARD = "4111 1111 1111 1111"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handlers, level = logging.root.handlers[:], logging.root.level
    secrets.register([KEY])
    yield []
    logger.remove()
    logger.configure(extra={}, patcher=None)  # type: ignore[arg-type]
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    secrets._known.clear()
    secrets.register([])


def begin(lines: list[str], *, as_json: bool = False, transcripts: Transcripts = Transcripts.REDACTED) -> None:
    log_to_terminal("DEBUG", as_json=as_json, transcripts=transcripts, write=lines.append)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_line_is_one_line_whatever_is_in_it(lines, as_json):
    begin(lines, as_json=as_json)
    logger.info("hello\n12:00:00.000 ERROR   forged\r\x1b[31mred\x1b[0m\x00\u2028 {}", "brace {x}")
    logging.getLogger("somebody").warning("a\nb %s", "c\x07d")
    assert [line.count("\n") for line in lines] == [1, 1]
    assert all(char.isprintable() or char == "\n" for line in lines for char in line)
    assert "forged" in lines[0]
    if as_json:
        assert json.loads(lines[0])["record"]["level"]["name"] == "INFO"
        assert json.loads(lines[1])["record"]["message"] == "a\\nb c\\x07d"


@given(st.text(max_size=3 * MAX_CHARS))
def test_any_text_becomes_one_short_line(text):
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert len(cleaned) <= MAX_CHARS


@pytest.mark.parametrize("as_json", [False, True])
def test_an_exception_tells_where_and_not_what_was_said(lines, as_json):
    begin(lines, as_json=as_json)

    def inner(card: str) -> None:
        secret = KEY
        raise ValueError(f"Jane Canary, {card}\nforged {secret}")

    try:
        try:
            inner(CARD)
        except ValueError as error:
            raise RuntimeError(f"with {KEY}") from error
    except RuntimeError:
        logger.exception("it failed")
        logging.getLogger("somebody").exception("it failed too")
    text = "".join(lines)
    for hidden in ("Jane", "4111", "CANARY", "forged"):
        assert hidden not in text
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert "test_log_lines.py" in text
    if not as_json:
        assert all(line[:2].isdigit() or line.startswith("    | ") for line in text.splitlines())


def test_in_full_the_message_of_an_exception_is_told_without_keys(lines):
    begin(lines, transcripts=Transcripts.FULL)
    try:
        raise ValueError(f"no such account for {KEY}")
    except ValueError:
        logger.exception("it failed")
    assert "no such account" in "".join(lines)
    assert "CANARY" not in "".join(lines)


def test_what_the_operating_system_says_is_told(lines):
    begin(lines)
    try:
        Path("/nowhere/at/all").read_text()
    except OSError:
        logger.exception("it failed")
    assert "No such file" in "".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        f"refused: {KEY}",
        f"Authorization: Bearer {KEY}",
        "headers={'xi-api-key': 'abcdef0123456789'}",
        '{"Authorization":"Token abcdef0123456789"}',
        "wss://host/path?api_key=abcdef0123456789&model=x",
        "https://host/path?key=abcdef0123456789",
        "redis://user:abcdef0123456789@host:6379/0",
        "Incorrect API key provided: sk-abcdef0123456789abcdef",
        "gsk_abcdef0123456789abcdef is no key",
        "call_token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.abcdef0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.abcdef0123456789",
        "Basic dXNlcjphYmNkZWYwMTIzNDU2Nzg5",
        "password=abcdef0123456789",
    ],
)
def test_secrets_are_hidden_by_name_and_by_form(lines, text):
    begin(lines)
    logger.warning("{}", text)
    logger.warning(json.dumps({"told": text}))
    assert "CANARY" not in "".join(lines)
    assert "abcdef0123456789" not in "".join(lines)
    assert "dXNlcj" not in "".join(lines)
    assert HIDDEN in lines[0]


@given(st.text(min_size=8, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_secret_that_is_known_is_found_wherever_it_stands(secret, first, last):
    secrets.register([secret])
    try:
        assert secret not in scrub(first + secret + last) or secret in HIDDEN
    finally:
        secrets._known.clear()
        secrets.register([])


@pytest.mark.parametrize(
    "text", ["GROQ_API_KEY is set", "turn 3 answer_ms=612 stt=200", "a monkey: brown", "tokens: 512"]
)
def test_innocent_text_stays(text):
    assert scrub(text) == text
