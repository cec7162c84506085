"""Every language's file is complete, and does not contradict itself."""

from dataclasses import fields

import pytest

from languages.base import Language, words
from languages.catalogue import UnknownLanguage, find_languages, language
from processors.tools.consent import agrees
from processors.tts.text_normaliser import spoken
from processors.turns.completeness import Completeness, completeness
from processors.turns.events import Phrase
from processors.turns.phrases import phrase_text
from processors.turns.verdict.words import content, stops

CODES = ["de", "en", "es", "fr", "hi"]


def test_one_file_is_one_language():
    assert list(find_languages()) == CODES


def test_an_unknown_language_names_those_that_there_are():
    with pytest.raises(UnknownLanguage, match=r"no language 'xx'; it may be: de \(German\), en \(English\), es"):
        language("xx")


@pytest.fixture(params=CODES)
def known(request) -> Language:
    return language(request.param)


def test_nothing_is_empty(known):
    for part in fields(known):
        value = getattr(known, part.name)
        assert value, part.name
        if isinstance(value, str):
            assert value == value.strip()
    assert list(known.sentences.waits) == [5, 10, 20, 30, 60]
    assert known.locale.startswith(known.code + "-")
    assert known.azure_voice.startswith(known.locale)


def test_every_phrase_is_there_and_is_its_own(known):
    said = [phrase_text(phrase, known.code, known.sentences.greeting) for phrase in Phrase]
    assert all(text and text[-1] in ".?!।" for text in said)
    assert len(set(said)) == len(said)


def test_what_acknowledges_does_not_stop(known):
    lexicon = known.lexicon
    assert len(lexicon.acknowledgements) >= 10
    assert len(lexicon.stops) >= 10
    assert not lexicon.acknowledgements & lexicon.stops
    assert not {phrase[0] for phrase in lexicon.stops if len(phrase) == 1} & lexicon.fillers
    assert len(lexicon.exclamations) >= 10
    assert not lexicon.exclamations & lexicon.stops
    for phrase in lexicon.acknowledgements | lexicon.exclamations:
        assert content(" ".join(phrase), known.code) == []
        assert not stops(" ".join(phrase), known.code)
    for phrase in lexicon.stops:
        assert stops(" ".join(phrase), known.code), phrase


def test_phrases_are_short_enough_to_be_found(known):
    assert max(map(len, known.lexicon.acknowledgements | known.lexicon.exclamations | known.lexicon.stops)) <= 4
    assert max(len(phrase) for phrase in known.agreement.yes | known.agreement.no) <= 3
    assert all(phrase and all(phrase) for phrase in known.agreement.yes | known.agreement.no)


def test_a_yes_is_no_no(known):
    agreement = known.agreement
    assert not agreement.yes & agreement.no
    for phrase in agreement.yes:
        assert agrees(" ".join(phrase), known.code), phrase
    for phrase in agreement.no:
        assert not agrees(" ".join(phrase), known.code), phrase


def test_cues_are_in_the_form_in_which_they_are_looked_up(known):
    cues = known.cues
    for part in fields(cues):
        for phrase in getattr(cues, part.name):
            assert phrase == phrase.lower().strip(), phrase
            assert len(phrase.split()) <= 5, phrase
    assert not cues.unfinished & cues.closing
    assert all(digits > 0 for digits in cues.lengths.values())
    assert not cues.digits & (cues.signs | cues.dots | cues.at_signs)


def test_cues_say_what_they_mean(known):
    for phrase in known.cues.finished:
        assert completeness(phrase, known.code) is Completeness.FINISHED
    for phrase in known.cues.unfinished - known.cues.digits:
        assert completeness(f"xyzzy {phrase}", known.code) is Completeness.UNFINISHED, phrase


def test_all_ten_digits_are_known(known):
    assert len(known.cues.digits) >= 10
    assert all(len(words(digit)) == 1 for digit in known.cues.digits)


# --- figures and signs ------------------------------------------------------------------------


def test_numbers_are_words_and_no_two_are_the_same(known):
    speech = known.speech
    numbers = [*range(1000), 1001, 2026, 10_000, 99_999, 100_000, 1_000_000, 12_345_678, 10**9]
    said = [speech.cardinal(number) for number in numbers]
    assert len(set(said)) == len(said)
    assert not any(char.isdigit() or char in ",;" for text in said for char in text)
    assert all(speech.ordinal(number) != speech.cardinal(number) for number in range(1, 100))


def test_every_sign_is_said(known):
    own = {"the", "of"}  # only where the month comes first
    assert set(known.speech.signs) - own == set(language("en").speech.signs) - own
    assert all(known.speech.signs.values())
    assert {"%", "km", "kg", "°C"} <= set(known.speech.units)
    assert {"€", "$", "£", "₹", "EUR", "USD"} <= set(known.speech.currencies)


def test_months_and_weekdays_are_all_there(known):
    for entries, count in ((known.speech.months, 12), (known.speech.weekdays, 7)):
        assert len(entries) == count
        names = [name for entry in entries for name in entry.split()]
        assert len(set(names)) == len(names)


def test_every_minute_and_every_day_is_said(known):
    speech = known.speech
    times = {speech.clock(hour, minute, "") for hour in range(24) for minute in range(60)}
    assert len(times) >= 720  # where the clock has twelve hours, the same may be said twice
    days = {
        speech.date(day, month, year, "") for day in range(1, 29) for month in range(1, 13) for year in (None, 2026)
    }
    assert len(days) == 2 * 12 * 28
    for day, month in ((1, 1), (25, 11)):
        assert speech.date(day, month, 2026, "").startswith(speech.date(day, month, None, ""))


def test_short_forms_that_are_spelled_out_end_no_sentence_before_a_number(known):
    for short in known.speech.abbreviations_before_numbers:
        if short.endswith("."):
            bare = short.removesuffix(".").lower()
            assert bare in known.speech.no_ends_before_numbers | known.speech.no_ends, short


def test_the_bots_own_sentences_are_said_as_they_stand(known):
    for phrase in Phrase:
        text = phrase_text(phrase, known.code, known.sentences.greeting)
        assert spoken(text, known.code).text == text.replace(" ?", "?")
