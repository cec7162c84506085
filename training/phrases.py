"""What machine voices say for the training of the sound judge.

The lists by which the bot judges words are spoken, and more besides. Each language has as many short interruptions as
acknowledgements and exclamations, and as many long ones of either: length alone must tell nothing.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from languages.base import words
from languages.catalogue import find_languages

_ROMAN = re.compile(r"[a-z' ]+")


@dataclass(frozen=True)
class Saying:
    """A phrase to speak.

    Attributes:
        text: The phrase.
        class_: ``backchannel`` or ``interruption``.
        language: ISO 639-1 code.
    """

    text: str
    class_: str
    language: str


def phrases(text: str) -> list[str]:
    """Phrases that bars separate."""
    return text.split("|")


MORE_ACKNOWLEDGEMENTS = {
    "en": phrases(
        "mhm|mm-hmm|uh-huh|mm|hmm|oh|ah|huh|oh okay|oh I see|yeah yeah|okay okay|right right|uh huh yeah|mm okay|"
        "oh yeah sure|okay I see|yeah I know|yes of course|oh really|oh that's nice|oh that's good to hear|"
        "okay got it|right I understand|yeah that makes sense|okay thank you very much|oh great thank you|"
        "ah okay I see|mm-hmm yeah|oh wow that's amazing|oh my that's interesting|oh dear what a shame|"
        "okay good to know|yes yes go on|alright sounds good to me|sure sure that's fine|oh well never you mind|"
        "I see I see okay|ha ha very funny|uh-oh|oh good grief no kidding|yep that's right|okay yeah I got that|"
        "yes sir thank you sir"
    ),
    "de": phrases(
        "mhm|hmm|ach so ja|ja ja genau|okay das verstehe ich|ach wie schön|oh je das ist schade|ja natürlich"
    ),
    "es": phrases(
        "ajá|mmm|sí sí claro|ah ya entiendo|muy bien gracias|ay qué pena|sí de acuerdo|vale perfecto gracias"
    ),
    "fr": phrases("mhm|hum|oui oui d'accord|ah bon je vois|très bien merci|oh là là quel dommage|oui c'est parfait"),
    "hi": phrases("हम्म|हाँ हाँ ठीक है|अच्छा समझ गया|जी बहुत धन्यवाद|अरे वाह बहुत अच्छा|हाँ सही बात है"),
}
"""What the lists of words do not spell, and longer ones."""

MORE_INTERRUPTIONS = {
    "en": phrases(
        "no no|no no no|no way|wait a second|wait wait|hold it|stop it|stop that|stop right there|please stop|shush|"
        "hush|silence|stop talking|cut it out|knock it off|leave me alone|let me speak|let me ask|let me finish|"
        "watch it|watch out|look out|careful|hurry|hurry up|faster|quicker|slower|slow down|speak up|louder|too loud|"
        "too fast|skip it|skip that|skip|next|back|go back|back up|again|once more|say again|start over|restart|"
        "forget it|drop it|change it|delete it|undo|not that|not that one|the other one|the first one|neither|none|"
        "wrong|that's wrong|not true|incorrect|false|don't|don't do that|can't do that|not happening|not now|"
        "not today|later|tomorrow|monday|help|help me|operator|agent|a person please|human please|transfer me|"
        "goodbye|bye|hang up|question|one question|I have a question|quick question|one thing|my card|my account|"
        "my money|my name is Tom|it's broken|it's stolen|it doesn't work|how much|how long|how so|why is that|"
        "who's that|who are you|where is it|what time|what's that|what do you mean|say what|come again|"
        "I can't hear you|I didn't get that|too much|too expensive|cheaper|what else|anything else|is that free|"
        "is it open|are you there|are you sure|can I talk|excuse me can I say something|actually never mind|"
        "actually can we go back|okay stop|okay wait|okay but how|yeah but wait|yes but when|"
        "right but what about fees|oh wait|oh hang on|oh sorry what was that|um excuse me|well no|well actually|"
        "hmm no|mm no wait|no thanks|no thank you|not interested|listen to me|hello are you there|what about my card|"
        "cancel that|cancel my order|how much is it|when does it open|I need help|give me the number|"
        "I want to talk to somebody|could you say that again|my card was stolen|how do I do that|where is the branch|"
        "tell me about transfers|I lost my password|next question|turn it off|I don't understand|what time is it|"
        "open an account|show me the balance|and on sundays|just tell me the price|do you have one near me|"
        "repeat please|change my address|one two three|seven|nine|twenty five|double four|five o'clock|at noon|"
        "the blue one|two tickets please|book it|send it|call me back|e-mail it to me|speak slower please|"
        "that's not what I meant|that's not my name|you're wrong|you already said that|I know that already stop|"
        "come on|enough of that|quiet please|be quiet please|shut it|give me a minute|hang on a minute"
    ),
    "de": phrases(
        "halt stopp|warte mal|warten sie bitte|moment mal|nein nein|das stimmt nicht|falsch|langsamer|lauter|leiser|"
        "noch einmal|wiederholen sie das|zurück|weiter zum nächsten|hilfe|ein mensch bitte|wie viel|wie lange|wohin|"
        "meine karte|mein konto|ich habe eine frage|das war falsch|nicht das|das andere|hören sie auf|sei still|"
        "genug|ich verstehe nicht|was kostet das|wann öffnen sie|ich möchte kündigen|abbrechen|auflegen|drei|sieben|"
        "morgen"
    ),
    "es": phrases(
        "para ya|espera un momento|no no|eso no|está mal|más despacio|más alto|otra vez|repita por favor|atrás|"
        "siguiente|ayuda|una persona por favor|cuánto cuesta|cuánto tiempo|mi tarjeta|mi cuenta|tengo una pregunta|"
        "el otro|cállate|no entiendo|a qué hora abren|quiero cancelar|cancelar|cuelgue|tres|siete|mañana|"
        "déjeme hablar|basta ya"
    ),
    "fr": phrases(
        "arrêtez ça|attendez une seconde|non non|pas ça|c'est faux|moins vite|plus fort|encore une fois|répétez|"
        "retour|suivant|au secours|une personne s'il vous plaît|combien ça coûte|combien de temps|ma carte|"
        "mon compte|j'ai une question|l'autre|taisez-vous|je ne comprends pas|à quelle heure|je veux annuler|annulez|"
        "raccrochez|trois|sept|demain|laissez-moi parler|ça suffit"
    ),
    "hi": phrases(
        "रुको ज़रा|एक मिनट रुकिए|नहीं नहीं|गलत है|धीरे बोलिए|ज़ोर से|फिर से|दोबारा बोलिए|मदद चाहिए|कितना पैसा|"
        "मेरा कार्ड|मेरा खाता|मेरा एक सवाल है|चुप|मुझे समझ नहीं आया|कितने बजे|रद्द करो|तीन|सात|कल|मेरी बात सुनिए|"
        "बस करो"
    ),
}
"""Interruptions beyond the lists of stop words: most are one to three words long."""


def sayings() -> list[Saying]:
    """All phrases, each once for each language; what is written in Roman letters in Hindi is left to the ear."""
    found: dict[Saying, None] = {}
    for code, known in find_languages().items():
        lexicon = known.lexicon
        passing = [*_said(lexicon.acknowledgements), *_said(lexicon.exclamations), *MORE_ACKNOWLEDGEMENTS.get(code, ())]
        taking = [*_said(lexicon.stops), *MORE_INTERRUPTIONS.get(code, ())]
        for class_, texts in (("backchannel", passing), ("interruption", taking)):
            for text in texts:
                if code == "hi" and _ROMAN.fullmatch(text):
                    continue
                found[Saying(text, class_, code)] = None
    return list(found)


def _said(listed: frozenset[tuple[str, ...]]) -> list[str]:
    return sorted(" ".join(phrase) for phrase in listed)


_COMMON = frozenset(
    words(
        "a an the i you it he she we they me my your is are was be do does did to of in on at for and or that that's "
        "this it's i'm can could would will have has please so just one there then what's some not don't"
    )
)
"""Words that carry no phrase by themselves: phrases that share only these are different phrases."""

_HUMS = frozenset(words("m mm mmm mmmm hm hmm hmmm mhm mhmm huh uh um"))


def telling_words(text: str) -> frozenset[str]:
    """The words by which a phrase is recognised; all kinds of hums are one word. All its words if none tells."""
    said = frozenset("hmm" if word in _HUMS else word for word in words(text))
    return said - _COMMON or said


def rarest(text: str, counts: dict[str, int]) -> str:
    """The telling word of a phrase that the fewest phrases have: phrases are grouped by it."""
    return min(sorted(telling_words(text)), key=lambda word: counts.get(word, 0), default="")


def word_counts(texts: Iterable[str]) -> dict[str, int]:
    """In how many texts each telling word is."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in telling_words(text):
            counts[word] = counts.get(word, 0) + 1
    return counts
