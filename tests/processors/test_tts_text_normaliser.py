"""What is said: figures as people say them, nothing that is no speech, and every word of the text where it belongs."""

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.frames import Word
from languages.catalogue import find_languages, language
from processors.tts.original_words import OriginalWords
from processors.tts.sentences import PieceCutter
from processors.tts.text_normaliser import spoken
from processors.tts.word_times import split_words

DATA = Path(__file__).parents[1] / "data" / "spoken.jsonl"
PAIRS = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
CODES = list(find_languages())


def said(parts: list[str], code: str) -> list[str]:
    """The sentences that a voice is given."""
    cutter = PieceCutter(code)
    pieces = [piece for part in parts for piece in cutter.push(part)] + cutter.flush()
    return [text for piece in pieces if (text := spoken(piece, code).text)]


def test_there_are_enough_pairs():
    number = Counter(pair["language"] for pair in PAIRS)
    assert set(number) == set(CODES)
    assert min(number.values()) >= 200, number
    assert len({(pair["language"], pair["text"]) for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['language']}: {pair['text'][:40]}")
def test_the_same_is_said_however_the_text_arrives(pair):
    text, code, right = pair["text"], pair["language"], pair["spoken"]
    assert said([text], code) == right
    assert said(list(text), code) == right
    pieces = whole_pieces([text], code)
    for at in range(1, len(text)):
        assert whole_pieces([text[:at], text[at:]], code) == pieces


def whole_pieces(parts: list[str], code: str) -> list[str]:
    cutter = PieceCutter(code)
    return [piece for part in parts for piece in cutter.push(part)] + cutter.flush()


@given(st.sampled_from(PAIRS), st.lists(st.integers(0, 200), max_size=12))
def test_any_split_says_the_same(pair, cuts):
    text = pair["text"]
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    parts = [text[begin:end] for begin, end in zip(edges, edges[1:], strict=False)]
    assert said(parts, pair["language"]) == pair["spoken"]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair['language']}: {pair['text'][:40]}")
def test_a_sentence_is_there_one_character_after_the_white_space_that_follows_it(pair):
    text, cutter, taken = pair["text"], PieceCutter(pair["language"]), 0
    pieces = whole_pieces([text], pair["language"])
    for at, char in enumerate(text):
        for piece in cutter.push(char):
            taken += len(piece)
            assert at == taken, piece
    assert cutter.flush() == pieces[-1:]


# --- any text at all --------------------------------------------------------------------------

WRITTEN = (
    "1 2 42 1,250 1.250,50 3.14 .5 0042 $ £1 € ₹5 % 5% km 5km 12:30 14:30 8 a.m. pm 2026-11-25 11/25/2026 25.11. Jan "
    "January 1st 3. Mai de 1er - – — + = < > * ** _ ` ``` ~ # | |---| [a](http://b.example) https://x.example/y? "
    "www.a.example a@b.example <b> </b> & @ ( ) [ ] { } \\ / . , : ; ! ? … … 。 । ؟ 🙂 👍🏽 🏳️‍🌈 ½ ² ① Ⅷ ™ ° °C -5 "
    "Dr. No. e.g. etc. word Word's naïve यह हाँ १२ ٣ はい é n° account PIN ending 1234 12345678 ****1234 AB12 GB29 "
    "NWBK 555-0123 +44 20 7946 0123 10–20 Mon–Fri 1/2 24/7 5/8 x^2 10^9 √16 <3 &amp; $x = 5$ C# 2_000 6'2\" A17-00B3 "
    "H₂O 2026-05-27T14:30:00Z 1:23:45 9am-5pm 5mg/ml 6e23 12/27 VIII St. w/o 1920x1080 ≤ ∞ § 👨‍👩‍👧"
)
SNIPPETS = st.sampled_from(["\n", "\t", "\u00a0", "\u202f", "\u200b", "\ufeff", "\u202e", *WRITTEN.split()])
TEXTS = st.one_of(
    st.lists(SNIPPETS, max_size=14).map(" ".join),
    st.lists(SNIPPETS, max_size=14).map("".join),
    st.text(max_size=60),
)


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(CODES))
def test_nothing_that_is_no_speech_is_said(text, code):
    for char in spoken(text, code).text:
        kind = unicodedata.category(char)
        speech = kind[0] == "L" or kind in ("Mn", "Mc")
        assert speech or char in " .,;:!?…¿¡؟۔؛،।॥。！？，、；：'’-\u200c\u200d", (char, kind)


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.sampled_from(CODES))
def test_the_alignment_is_total_and_in_order(text, code):
    found = spoken(text, code)
    if not found.text:
        assert found.words == ()
        return
    assert "".join(word for word, _ in found.words) == text
    assert all(count > 0 for _, count in found.words)
    assert sum(count for _, count in found.words) == len(split_words(found.text))


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8).map(lambda word: ("word", word)),
            st.integers(0, 99).map(lambda number: ("number", str(number))),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(CODES),
)
def test_no_word_is_lost(tokens, code):
    """Words that no rule knows are said as they stand, and each number is said."""
    known = {word.lower().strip(".") for table in _tables(code) for word in table}
    tokens = [token for token in tokens if token[1] not in known]
    heard = split_words(spoken("so " + " ".join(f"{text}." for _, text in tokens), code).text)
    words = [word.strip(" .") for word in heard]
    for kind, text in tokens:
        if kind == "word":
            assert text in words
            del words[: words.index(text) + 1]
        else:
            first = language(code).speech.cardinal(int(text)).split()[0]
            assert first in words
            del words[: words.index(first) + 1]


def _tables(code: str):
    speech = language(code).speech
    yield from (speech.units, speech.currencies, speech.scales, speech.abbreviations)
    yield from (entry.split() for entry in (*speech.months, *speech.weekdays))
    yield from (
        speech.abbreviations_before_numbers,
        speech.ordinal_mark.split("|"),
        ["h", "s", "e", "a", "p", "am", "pm"],
    )


# --- times ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(TEXTS, st.sampled_from(CODES), st.lists(st.integers(1, 5), max_size=10))
def test_word_times_are_told_once_in_order_and_with_the_last_spoken_word(text, code, sizes):
    found = spoken(text, code)
    times = [Word(word, float(index)) for index, word in enumerate(split_words(found.text))]
    originals = OriginalWords(found)
    told, at = [], 0
    for size in [*sizes, len(times)]:
        told += originals.follow(times[at : at + size])
        at += size
    assert "".join(word.text for word in told) == (text if found.text else "")
    ends = [sum(count for _, count in found.words[: index + 1]) - 1 for index in range(len(found.words))]
    assert [word.start_secs for word in told] == ends


def test_each_word_stands_for_what_is_said_for_it():
    assert spoken("You owe **£1,250.50** by 25 November 2026, not 5 km! 🙂").words == (
        ("You ", 1),
        ("owe ", 1),
        ("**£1,250.50** ", 7),
        ("by ", 1),
        ("25 ", 3),
        ("November ", 1),
        ("2026, ", 2),
        ("not ", 1),
        ("5 ", 1),
        ("km! 🙂", 1),
    )
    assert spoken("🙂 Call 555 0123 at 5.").words[0] == ("🙂 Call ", 1)
    assert spoken("See [our new page](https://x.example) now.").words == (
        ("See ", 1),
        ("[our ", 1),
        ("new ", 1),
        ("page](https://x.example) ", 1),
        ("now.", 1),
    )


def test_a_cut_in_the_middle_of_a_number_is_a_number_not_heard():
    found = spoken("It is £1,250.50 now.")
    times = [Word(word, float(index)) for index, word in enumerate(split_words(found.text))]
    originals = OriginalWords(found)
    assert [word.text for word in originals.follow(times[:8])] == ["It ", "is "]
    assert [word.text for word in originals.follow(times[8:9])] == ["£1,250.50 "]
    assert [word.text for word in originals.follow(times[9:])] == ["now."]
