"""What is kept of what people say: no numbers of cards and the like, however they are dictated; all else stays."""

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words
from stdnum import luhn

from contracts.modes import Transcripts
from observe.call_registry import CallRegistry
from observe.redaction import (
    CARD,
    EMAIL,
    IBAN,
    NOT_KEPT,
    NUMBER,
    SSN,
    Redactor,
    redact,
    secret_spans,
)
from tests.observe.calls import opened

DIGIT = {code: [num2words(digit, lang=code) for digit in range(10)] for code in ("en", "de", "es", "fr")}


@st.composite
def cards(draw: Any) -> str:
    length = draw(st.sampled_from([13, 15, 16, 19]))
    body = draw(st.text("0123456789", min_size=length - 1, max_size=length - 1).filter(lambda t: len(set(t)) > 3))
    return body + luhn.calc_check_digit(body)


@st.composite
def dictated(draw: Any, digits: str) -> str:
    """A number as somebody may say or write it: groups of any length, each in digits or in words."""
    cuts = sorted(draw(st.sets(st.integers(1, len(digits) - 1), max_size=6)))
    groups = [digits[a:b] for a, b in pairwise([0, *cuts, len(digits)])]
    words = DIGIT[draw(st.sampled_from(sorted(DIGIT)))]
    said = ""
    for number, group in enumerate(groups):
        as_words = draw(st.booleans())
        part = " ".join(words[int(digit)] for digit in group) if as_words else group
        joint = draw(st.sampled_from([" ", "-", ", ", " - ", ". ", " um ", " and then ", "/"])) if number else ""
        said += joint + part
    return said


before = st.sampled_from(["", "my card is ", "it's ", "Sure, ", "Meine Karte: ", "the number reads "])
after = st.sampled_from(["", ".", " thanks", " expires soon", "?"])


@given(st.data(), cards(), before, after)
def test_no_card_number_is_kept_however_it_is_dictated(data, card, first, last):
    said = first + data.draw(dictated(card)) + last
    kept = redact(said)
    assert CARD in kept
    assert not re.search(r"\d", kept), kept
    words = set(re.findall(r"\w+", kept.lower())) & {word for words in DIGIT.values() for word in words}
    assert not words - {"un", "sex", "six"}, kept
    assert kept.startswith(first)


@given(st.data(), cards(), st.integers(1, 15))
def test_no_card_number_is_kept_if_it_comes_in_two_parts(data, card, cut):
    redactor = Redactor()
    redactor.bot_heard("Please tell me the number of your card.")
    cut = min(cut, len(card) - 1)
    for part in (card[:cut], card[cut:]):
        kept = redactor.caller(data.draw(dictated(part)) if len(part) > 1 else part)
        assert sum(char.isdigit() for char in kept) <= 2


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("my card is 4111 1111 1111 1111, okay", f"my card is {CARD}, okay"),
        ("forty one eleven eleven eleven eleven eleven eleven eleven", CARD),
        ("double four one one one", NUMBER),
        ("four one one one", NUMBER),
        ("my PIN is 0042", f"my PIN is {NUMBER}"),
        ("0042 is my pin", f"{NUMBER} is my pin"),
        ("the PIN, it's zero zero four two", f"the PIN, it's {NUMBER}"),
        ("4217", NUMBER),
        ("um 4 2 1 7", f"um {NUMBER}"),
        ("my social is 219-09-9999", f"my social is {SSN}"),
        ("social security: five three six nine oh four three nine nine", f"social security: {SSN}"),
        ("call me at +1 415 555 0142", f"call me at +{NUMBER}"),
        ("mein Pin ist vier zwei eins sieben", f"mein Pin ist {NUMBER}"),
        ("mi clave es cuatro dos uno siete", f"mi clave es {NUMBER}"),
        ("the code on the back is 737", f"the code on the back is {NUMBER}"),
        ("write to ann.lee@kw.dk", f"write to {EMAIL}"),
        ("it is ann dot lee at example dot com", f"it is {EMAIL}"),
        ("DE89 3704 0044 0532 0130 00", IBAN),
        ("my password is hunter2", "my password is [secret]"),
        ("my date of birth is 1980-05-12", f"my date of birth is {NUMBER}"),
    ],
)
def test_what_is_not_kept(said, kept):
    assert redact(said) == kept
    assert redact(kept) == kept


@pytest.mark.parametrize(
    "said",
    [
        "",
        "My balance is 1,240 dollars and 50 cents.",
        "$1,234,567.89 for 1234567 people",
        "on 2026-12-01 at 9:30, a table for 4",
        "The checking account holds 5300 dollars.",
        "one or two questions about seven branches",
        "We are open from 9 to 5, and on Saturdays from 9 to 1.",
        "order 66 and 77 in 1999",
        "forty-five percent in 2024",
        "I have twenty one cats",
        "at the corner of 5th and 12th",
    ],
)
def test_what_is_kept(said):
    assert redact(said) == said
    assert redact(said, strict=True) == said


@given(st.text(max_size=300), st.booleans(), st.booleans())
def test_any_text_is_survived_and_a_second_look_finds_nothing(text, asked, strict):
    spans = secret_spans(text, asked=asked, strict=strict)
    assert all(a < b <= c for (a, b, _), (c, _, _) in pairwise([*spans, (len(text) + 1, 0, "")]))
    kept = redact(text, asked=asked)
    assert redact(kept, asked=asked) == kept


def test_a_number_that_the_bot_has_asked_for_is_a_secret():
    redactor = Redactor()
    assert redactor.caller("I want 300") == "I want 300"
    redactor.bot_heard("What are the last digits of your card?")
    assert redactor.caller("I want 300") == f"I want {NUMBER}"
    redactor.bot_heard("Thank you. How many do you want?")
    assert redactor.caller("I want 300") == "I want 300"


def test_nothing_is_kept_or_all_of_it():
    off, full = Redactor(Transcripts.OFF), Redactor(Transcripts.FULL)
    assert (off.caller("hello"), off.bot("hello"), off.caller("")) == (NOT_KEPT, NOT_KEPT, "")
    assert off.words(["a", "b"]) == ["…", "…"]
    assert (full.caller("4111 1111 1111 1111"), full.keys("1234")) == ("4111 1111 1111 1111", "1234")
    assert (off.keys("1234"), Redactor().keys("1234")) == ("••••", "••••")


def test_a_record_holds_no_number_in_any_of_its_places():
    card, pin = "4111 1111 1111 1111", "0042"
    kept = opened(CallRegistry())
    kept.said_words(1.0, f"my card is {card}", 1)
    kept.said_words(1.5, f"my card is {card}, and my pin is {pin}", 1)
    kept.said_words(2.0, card, None)
    kept.keys_pressed(2.2, pin)
    kept.piece_began(2.5, 1, f"So your card is {card}.")
    kept.playing(3.0, 1)
    for number, word in enumerate(f"So your card is {card}.".split()):
        kept.word_heard(3.0 + number / 10, word)
    kept.played(4.0, card, cut=True, error=None)
    kept.decided(4.5, {"sound_id": 1, "verdict": "cancel", "text": f"no {card}", "wrong": None})
    kept.trouble(5.0, "HTTP 401: Authorization: Bearer abcdefghijklmnop")
    told = repr(kept.timeline(6.0))
    assert "4111" not in told
    assert pin not in told
    assert "abcdefgh" not in told
