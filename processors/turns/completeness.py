"""Do these words sound finished? A rule on the last words of what was recognised, language by language. Pure.

Recognisers put a full stop behind everything, so punctuation says little; but nobody ends a sentence with "the".
"""

import re
from dataclasses import dataclass
from enum import Enum


class Completeness(Enum):
    """What the words say about whether more will come."""

    FINISHED = "finished"
    """An answer or a courtesy that stands alone."""
    OPEN = "open"
    """Nothing speaks against an end here."""
    DOUBTFUL = "doubtful"
    """Sentences may end so, but more often go on."""
    UNFINISHED = "unfinished"
    """More must come."""


@dataclass(frozen=True)
class Cues:
    """How utterances of one language end, and don't. All in lower case, without punctuation.

    Attributes:
        unfinished: Words and phrases that nothing ends with.
        doubtful: Words and phrases that an utterance may end with, though most often it goes on.
        opening: Whole utterances that only announce more.
        finished: Whole utterances that are complete whatever they sound like.
        closing: Words and phrases that end an utterance.
        questions: Words that begin questions; those may end with a doubtful word ("what is it like?").
        digits: Names of digits, and what stands between them when a number is dictated.
        numbers: Words that announce a dictated number.
        short_numbers: Those of them that announce a short one (``SHORT_NUMBER`` digits).
    """

    unfinished: frozenset[str]
    doubtful: frozenset[str] = frozenset()
    opening: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    closing: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    digits: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    short_numbers: frozenset[str] = frozenset()


def _set(text: str) -> frozenset[str]:
    """Phrases that are separated by commas."""
    return frozenset(phrase.strip() for phrase in text.split(",") if phrase.strip())


ENGLISH = Cues(
    unfinished=_set(
        # articles, possessives, conjunctions, prepositions that can't stand at the end
        "a, an, the, my, your, our, their, its, every, and, or, but, nor, because, if, whether, although, unless,"
        "until, while, whereas, than, whose, very, plus, versus, of, into, onto, between, among, during, without,"
        "upon, towards, against, regarding, concerning, despite, except,"
        # contractions that want something after them
        "i'm, i'd, i'll, i've, we're, we'd, we'll, we've, they're, they've, you're, you've, he's, she's, it's,"
        "that's, there's, what's, who's, where's, how's, let's, gonna, wanna, gotta,"
        # beginnings
        "i meant, i mean, what i meant is, i want to, i wanted to, i'd like to, i would like to, i'd like,"
        "i would like, i need to, i have to, i was going to, i'm going to, i'm trying to, i'm looking for,"
        "i'm calling about, i'm calling to, i'm calling for, i was wondering, i wonder if, i just, i also,"
        "do you have, do you know, how do i, how can i, tell me about, what about, how about, make me, give me,"
        "get me, and then, such as, as well as, in order to, kind of, sort of, for example, the thing is,"
        "the problem is, the question is, it depends on, or maybe, and also, but also,"
        # a name or a number is about to be given
        "name is, number is, code is, address is, password is, pin is, email is, mail is, date is, amount is,"
        "ending in, ending with, starting with, spelled,"
        # fillers, and time that is asked for
        "um, uh, uhm, umm, erm, er, hmm, let me see, let me think, let me check, let me look, let's see, hold on,"
        "hang on, one moment, a moment, one second, a second, one sec, a sec, wait a minute, give me a minute"
    ),
    doubtful=_set(
        "to, for, with, from, at, in, by, as, about, on, over, under, through, after, before, around, like, is, are,"
        "was, were, am, be, been, has, have, had, do, does, did, will, would, can, could, should, must, might, may,"
        "i, we, he, she, they, his, some, any, not, just, only, also, so, when, where, why, how, what, who, which,"
        "basically, you know, quite, another, double, triple, single, both, either, neither, mister, mr, mrs, ms, dr,"
        "doctor, you want, i want, i need, i think, i guess, i believe, can i, can you, could i, could you, would you,"
        "may i, should i, to book, to make, to get, to buy, to send, to transfer, to change, to order, to reserve,"
        "to know, to find, to use, to add, to set, called"
    ),
    opening=_set("so, well, and, but, now, look, listen, because, okay so, yes so, yeah so, yes but, yeah but, no but"),
    finished=_set(
        "yes, yeah, yep, yup, no, nope, nah, okay, ok, sure, right, correct, exactly, true, false, fine, good, great,"
        "stop, thanks, thank you, goodbye, bye, please, never mind, no thanks, no thank you, yes please, nothing,"
        "of course, i don't know, i'm not sure, not really, i think so, i guess so, i hope so, all right, alright,"
        "sounds good, today, tomorrow, yesterday, help, cancel, repeat, again, what, pardon, sorry, no way, mhm,"
        "uh huh, mm hmm, huh, go ahead, i do, i am, it is, i did, i have, i can, i will, they are, we are, that's it,"
        "that's all, that is all, how are you, not yet, hello, hi"
    ),
    closing=_set(
        "please, thanks, thank you, thank you very much, thanks a lot, goodbye, bye, that's all, that's it, as well,"
        "that is all, never mind, i think so, what i meant, what i mean, and so on, et cetera, or not, at all, o'clock"
    ),
    questions=_set("what, what's, where, where's, who, who's, which, how, how's, when, why"),
    digits=_set("zero, oh, o, one, two, three, four, five, six, seven, eight, nine, double, triple, dash, dot, slash"),
    numbers=_set("number, code, pin, digits, zip, postcode, extension, iban, cvv, cvc, id"),
    short_numbers=_set("code, pin, zip, postcode, extension, cvv, cvc"),
)

GERMAN = Cues(
    unfinished=_set(
        "der, die, das, den, dem, des, ein, eine, einen, einem, einer, mein, meine, meinen, dein, ihre, unser, und,"
        "oder, aber, weil, dass, ob, wenn, denn, sondern, obwohl, damit, mit, von, für, zu, zum, zur, bei, beim,"
        "im, am, ohne, gegen, wegen, durch, ich möchte, ich will, ich brauche, ich wollte, können sie, könnten sie,"
        "ist, sind, äh, ähm, hm, also ich, nummer ist, name ist, nummer lautet, moment, einen moment, ich meine,"
        "ich meinte, zum beispiel"
    ),
    doubtful=_set(
        "in, an, auf, aus, nach, vor, über, unter, als, wie, so, noch, auch, nur, sehr, dann, also, was, wo, hat, wird"
    ),
    finished=_set(
        "ja, nein, doch, okay, ok, gut, genau, richtig, stimmt, danke, bitte, stopp, halt, tschüss, nein danke"
    ),
    closing=_set("danke, bitte, vielen dank, danke schön, das war's, auf wiederhören"),
    digits=_set("null, eins, zwei, zwo, drei, vier, fünf, sechs, sieben, acht, neun, doppel, komma, strich, punkt"),
    numbers=_set("nummer, kontonummer, telefonnummer, code, pin, iban, postleitzahl, karte, kundennummer"),
)

SPANISH = Cues(
    unfinished=_set(
        "el, la, los, las, un, una, unos, unas, mi, mis, tu, su, sus, nuestro, y, e, o, u, pero, porque, que, si,"
        "aunque, sino, de, del, a, al, con, en, para, por, sin, sobre, desde, hasta, entre, hacia, quiero,"
        "quisiera, necesito, me gustaría, puede, podría, es, son, está, eh, em, este, número es, nombre es,"
        "un momento, o sea, es decir, por ejemplo"
    ),
    doubtful=_set("muy, más, como, cuando, donde, no, también, entonces, pues, bueno, lo, se, me"),
    finished=_set(
        "sí, si, no, vale, bien, claro, exacto, correcto, gracias, por favor, adiós, para, no gracias, sí por favor"
    ),
    closing=_set("gracias, por favor, muchas gracias, adiós, eso es todo, nada más"),
    digits=_set("cero, uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, doble, coma, guion, punto"),
    numbers=_set("número, código, pin, teléfono, cuenta, tarjeta, postal, referencia"),
)

FRENCH = Cues(
    unfinished=_set(
        "le, la, les, un, une, des, du, de, au, aux, mon, ma, mes, ton, ta, votre, vos, notre, leur, et, ou, mais,"
        "parce que, car, que, qui, si, quand, puisque, donc je, à, avec, pour, sans, dans, sur, chez, vers, entre,"
        "je voudrais, je veux, j'aimerais, j'ai besoin de, je vais, pouvez-vous, est-ce que, c'est, est, sont, euh,"
        "heu, ben, numéro est, nom est, un instant, un moment, je veux dire, par exemple"
    ),
    doubtful=_set("en, par, comme, très, plus, aussi, alors, donc, bon, ne, se, me, où, ce, cette"),
    finished=_set(
        "oui, non, si, d'accord, ok, okay, bien, exactement, merci, s'il vous plaît, au revoir, stop, arrêtez,non merci"
    ),
    closing=_set("merci, s'il vous plaît, merci beaucoup, au revoir, c'est tout"),
    digits=_set("zéro, un, deux, trois, quatre, cinq, six, sept, huit, neuf, virgule, tiret, point"),
    numbers=_set("numéro, code, pin, téléphone, compte, carte, postal, référence"),
)

HINDI = Cues(
    unfinished=_set(
        "और, या, लेकिन, मगर, क्योंकि, कि, अगर, तो मैं, मेरा, मेरी, मेरे, आपका, आपकी, का, की, के, को, में, से, पर,"
        "ने, मुझे, मैं, aur, ya, lekin, magar, kyunki, ki, agar, mera, meri, mere, aapka, ka, ke, ko, mein, se,"
        "par, ne, mujhe, matlab, um, uh"
    ),
    finished=_set(
        "हाँ, हां, जी, नहीं, ठीक है, धन्यवाद, बस, रुको, haan, han, ji, nahi, nahin, theek hai, thik hai,dhanyavaad, bas, ruko"
    ),
    closing=_set("धन्यवाद, शुक्रिया, dhanyavaad, shukriya, please"),
    digits=_set(
        "शून्य, एक, दो, तीन, चार, पाँच, छह, सात, आठ, नौ, zero, ek, do, teen, char, paanch, chhah, saat, aath, nau"
    ),
    numbers=_set("नंबर, कोड, पिन, खाता, फ़ोन, number, code, pin, khata, phone"),
)

CUES = {"en": ENGLISH, "de": GERMAN, "es": SPANISH, "fr": FRENCH, "hi": HINDI}
"""Cues by language code; in other languages every utterance is open."""

LONG_NUMBER = 10
SHORT_NUMBER = 4
"""Digits from which a dictated number may well be complete."""

_NONE = Cues(unfinished=frozenset())
_LONGEST_PHRASE = 5
_ANNOUNCED_WITHIN = 4


def completeness(text: str, language: str = "en") -> Completeness:
    """What the last words say.

    Args:
        text: All words of the turn so far.
        language: Language code (``"en"``).
    """
    cues = CUES.get(language, _NONE)
    words = _words(text)
    whole = " ".join(words)
    if whole in cues.finished:
        return Completeness.FINISHED
    if whole in cues.opening or text.rstrip().endswith(("...", "…", "-", "–")):
        return Completeness.UNFINISHED
    endings = {" ".join(words[-length:]) for length in range(1, _LONGEST_PHRASE + 1)}
    if endings & cues.closing:
        return Completeness.FINISHED
    number = _dictated(words, cues)
    if number is not None:
        return number
    if endings & cues.unfinished:
        return Completeness.UNFINISHED
    if endings & cues.doubtful:
        return Completeness.OPEN if _is_question(text, cues) else Completeness.DOUBTFUL
    return Completeness.DOUBTFUL if text.rstrip().endswith((",", ":", ";")) else Completeness.OPEN


def _words(text: str) -> list[str]:
    lowered = text.lower().replace("’", "'")
    grouped = re.sub(r"(?<=\d)[-./](?=\d)", " ", lowered)
    return [word for word in (part.strip(".,:;!?¿¡\"'()-–…।") for part in grouped.split()) if word]


def _is_question(text: str, cues: Cues) -> bool:
    """Whether the last sentence is a question of more than its question word."""
    sentence = re.split(r"[.!?]\s+", text.strip())[-1]
    words = _words(sentence)
    return sentence.endswith("?") and len(words) > 2 and words[0] in cues.questions


def _dictated(words: list[str], cues: Cues) -> Completeness | None:
    """What a number at the end says, if it is being dictated: digit by digit, or after talk of a number."""
    at = len(words)
    digits = 0
    while at and (words[at - 1].isdigit() or words[at - 1] in cues.digits):
        at -= 1
        digits += len(words[at]) if words[at].isdigit() else 1
    announced = set(words[max(0, at - _ANNOUNCED_WITHIN) : at])
    one_by_one = len(words) - at >= 3
    if not digits or not (one_by_one or announced & cues.numbers):
        return None
    full = SHORT_NUMBER if announced & cues.short_numbers else LONG_NUMBER
    return Completeness.DOUBTFUL if digits == 1 or digits >= full else Completeness.UNFINISHED
