"""The fixed sentences of the bot, by language."""

from processors.turns.events import Phrase

PHRASES: dict[str, dict[Phrase, str]] = {
    "en": {
        Phrase.REPEAT: "Sorry, I didn't catch that. Could you say it again?",
        Phrase.MOMENT: "One moment, please.",
        Phrase.STILL: "I'm still looking into it.",
        Phrase.APOLOGY: "I'm sorry, I can't answer that right now. Please try again in a moment.",
    },
    "de": {
        Phrase.REPEAT: "Entschuldigung, das habe ich nicht verstanden. Können Sie es wiederholen?",
        Phrase.MOMENT: "Einen Moment, bitte.",
        Phrase.STILL: "Ich bin noch dabei.",
        Phrase.APOLOGY: "Es tut mir leid, ich kann gerade nicht antworten. Bitte versuchen Sie es gleich noch einmal.",
    },
    "es": {
        Phrase.REPEAT: "Perdone, no le he entendido. ¿Puede repetirlo?",
        Phrase.MOMENT: "Un momento, por favor.",
        Phrase.STILL: "Sigo en ello.",
        Phrase.APOLOGY: "Lo siento, ahora mismo no puedo responder. Inténtelo de nuevo en un momento.",
    },
    "fr": {
        Phrase.REPEAT: "Pardon, je n'ai pas compris. Pouvez-vous répéter ?",
        Phrase.MOMENT: "Un instant, s'il vous plaît.",
        Phrase.STILL: "Je cherche encore.",
        Phrase.APOLOGY: "Désolé, je ne peux pas répondre pour le moment. Réessayez dans un instant.",
    },
    "hi": {
        Phrase.REPEAT: "माफ़ कीजिए, मैं समझ नहीं पाया। क्या आप दोहराएँगे?",
        Phrase.MOMENT: "एक क्षण, कृपया।",
        Phrase.STILL: "मैं अभी देख रहा हूँ।",
        Phrase.APOLOGY: "माफ़ कीजिए, मैं अभी जवाब नहीं दे पा रहा हूँ। कृपया थोड़ी देर में फिर कोशिश करें।",
    },
}
"""All sentences but the greeting, which is a setting."""


def phrase_text(phrase: Phrase, language: str, greeting: str) -> str:
    """The words of a phrase; a language without sentences of its own gets the English ones."""
    if phrase is Phrase.GREETING:
        return greeting
    return PHRASES.get(language, PHRASES["en"])[phrase]
