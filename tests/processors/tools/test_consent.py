"""What counts as a yes to the bot's question, and what does not."""

import pytest

from processors.tools.consent import agrees


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "yes please",
        "Yeah, go ahead.",
        "Sure, do it",
        "Okay!",
        "That's right, thank you.",
        "uh-huh",
        "Yes, the tenth of May at nine is perfect.",
    ],
)
def test_a_yes(text):
    assert agrees(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No.",
        "No, that's right, leave it",
        "Yes, but on Friday",
        "yes actually make it Friday",
        "Okay, wait",
        "Why not?",
        "I don't think so",
        "Friday",
        "What does that cost?",
        "okay " * 20,
    ],
)
def test_no_yes(text):
    assert not agrees(text)


@pytest.mark.parametrize(
    ("language", "yes", "no"),
    [
        ("de", "Ja, gerne.", "Nein, lieber Freitag."),
        ("es", "Sí, por favor.", "No, gracias."),
        ("fr", "Oui, d'accord.", "Non, pas ça."),
        ("hi", "जी हाँ, ठीक है।", "नहीं, रुकिए।"),
    ],
)
def test_other_languages(language, yes, no):
    assert agrees(yes, language)
    assert not agrees(no, language)
