import pytest

from languages.catalogue import language as known_language
from processors.turns.verdict.words import HUM, content, stops, words


@pytest.mark.parametrize(
    "text",
    ["mhm", "Mm-hmm.", "uh-huh", "Uh huh!", "hmmm", "mmmmm", "Yeah.", "yeah, yeah", "Okay.", "OK, right.", "I see.",
     "Got it, thanks.", "thank you very much", "um, yeah", "ah, okay", "That's right.", "Oh.", "go on", "", "...",
     "sounds good", "Aha"],
)  # fmt: skip
def test_acknowledgements_leave_no_content(text):
    assert content(text) == []
    assert not stops(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("okay stop there", ["stop", "there"]),
        ("yeah but what about my card", ["but", "what", "about", "my", "card"]),
        ("right, the other account", ["the", "other", "account"]),
        ("Thank Godfrey", ["thank", "godfrey"]),
        ("no", ["no"]),
        ("go forward", ["go", "forward"]),
    ],
)
def test_the_rest_is_content(text, left):
    assert content(text) == left


@pytest.mark.parametrize(
    "text",
    ["stop", "Wait.", "hold on a second", "no no no", "okay stop", "yeah, hang on", "Excuse me?", "what?", "sorry"],
)
def test_stop_words(text):
    assert stops(text)


@pytest.mark.parametrize("text", ["my card was lost", "transfers abroad", "okay", "unstoppable", "awaiting"])
def test_other_words_do_not_stop(text):
    assert not stops(text)


@pytest.mark.parametrize(
    ("language", "acknowledgement", "stop"),
    [
        ("de", "Ja, genau.", "Moment mal"),
        ("es", "Sí, de acuerdo", "Espere"),
        ("fr", "Oui, d’accord.", "Attendez"),
        ("hi", "ठीक है", "रुको"),
        ("hi", "haan", "ruko"),
        ("hi", "Theek hai.", "Ek minute"),
    ],
)
def test_every_language_has_both(language, acknowledgement, stop):
    assert content(acknowledgement, language) == []
    assert not stops(acknowledgement, language)
    assert stops(stop, language)
    assert content(stop, language) != []


def test_words_keep_apostrophes_and_drop_the_rest():
    assert words("That’s—right, isn't it? 3.5") == ["that's", "right", "isn't", "it", "3", "5"]


@pytest.mark.parametrize(
    "text", ["oops", "Whoops!", "Oh dear.", "uh-oh", "Uh oh!", "yes, sir", "Yes ma'am", "ooops", "Oh my god", "ouch!",
             "wow, nice", "haha", "Bless you.", "good grief", "What a shame!"]
)  # fmt: skip
def test_exclamations_ask_for_nothing(text):
    assert content(text) == []
    assert not stops(text)


@pytest.mark.parametrize("language", ["de", "en", "es", "fr", "hi"])
def test_drawn_out_words_are_of_their_class(language):
    lexicon = known_language(language).lexicon
    for (word,) in (phrase for phrase in lexicon.stops if len(phrase) == 1):
        drawn_out = word[:-1] + word[-1] * 4
        if len(word) > 1 and words(drawn_out) == [drawn_out] and not HUM.fullmatch(drawn_out):
            assert stops(drawn_out, language), drawn_out
