"""Whether the caller said yes. Pure.

What changes something is done after a yes only, and a yes is one that follows the bot's question: the tool was called,
the model was told to ask, something of its reply was heard, and what the caller said then agrees and takes nothing back
("yes, but on Friday" is another wish).
"""

from dataclasses import dataclass

from processors.turns.verdict.words import words

MAX_WORDS = 14
"""A longer answer is more than a yes."""

MUST_ASK = (
    "not done: the caller has to agree first. Ask in one short question whether to do exactly this; "
    "after a yes, call the tool again with the same arguments"
)
"""Output of a call that needs a yes."""

DONE_ALREADY = (
    "not done again: it was done before in this call, with this result: {result} If the caller wants it once more, "
    "ask; after a yes, call the tool again with the same arguments"
)
"""Output of a call that repeats what was done before."""


@dataclass(frozen=True)
class Agreement:
    """How people agree in a language.

    Attributes:
        yes: One of these phrases is in a yes.
        no: None of these is.
    """

    yes: frozenset[tuple[str, ...]]
    no: frozenset[tuple[str, ...]]


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words(phrase)) for phrase in text.split(","))


AGREEMENTS: dict[str, Agreement] = {
    "en": Agreement(
        _phrases(
            "yes,yeah,yep,yup,ya,sure,okay,ok,please do,do it,do that,go ahead,go on,of course,certainly,definitely,"
            "absolutely,correct,right,that's right,exactly,perfect,alright,all right,fine,sounds good,i do,i agree,"
            "confirmed,confirm,mhm,mm hmm,uh huh"
        ),
        _phrases(
            "no,nope,not,don't,do not,never,wait,stop,but,hold on,hang on,instead,rather,actually,cancel,change,"
            "make it,different,another,except,unless,later,how,what,why,when,which,who,maybe,perhaps"
        ),
    ),
    "de": Agreement(
        _phrases(
            "ja,jawohl,jep,gerne,gern,okay,ok,klar,genau,richtig,natürlich,sicher,bitte,machen sie das,mach das,"
            "in ordnung,einverstanden,stimmt,passt,gut"
        ),
        _phrases(
            "nein,nee,nicht,kein,keine,aber,warte,warten sie,moment,stopp,stop,halt,lieber,stattdessen,doch nicht,"
            "andere,anders,später,wie,was,warum,wann,welche,vielleicht"
        ),
    ),
    "es": Agreement(
        _phrases("sí,si,claro,vale,de acuerdo,por supuesto,correcto,exacto,adelante,hágalo,está bien,perfecto,ok,okay"),
        _phrases(
            "no,nunca,pero,espere,espera,un momento,pare,mejor,en vez,cambie,otro,otra,después,cómo,qué,por qué,"
            "cuándo,cuál,quizás,tal vez"
        ),
    ),
    "fr": Agreement(
        _phrases("oui,ouais,d'accord,ok,okay,bien sûr,certainement,exact,exactement,allez y,parfait,volontiers"),
        _phrases(
            "non,pas,jamais,mais,attendez,attends,un instant,un moment,stop,plutôt,à la place,changez,autre,plus tard,"
            "comment,quoi,pourquoi,quand,quel,quelle,peut être"
        ),
    ),
    "hi": Agreement(
        _phrases("हाँ,हां,जी,जी हाँ,ठीक है,ठीक,बिल्कुल,ज़रूर,सही,कर दीजिए,कर दो,haan,ha ji,theek hai,ji haan"),
        _phrases("नहीं,मत,ना,लेकिन,पर,रुको,रुकिए,बदल,दूसरा,बाद में,कैसे,क्या,क्यों,कब,कौन,शायद,nahin,nahi"),
    ),
}
"""By language code."""


def agrees(text: str, language: str = "en") -> bool:
    """Whether an answer is a yes and nothing else."""
    known = AGREEMENTS.get(language, AGREEMENTS["en"])
    heard = words(text)
    return len(heard) <= MAX_WORDS and _holds(heard, known.yes) and not _holds(heard, known.no)


def _holds(heard: list[str], phrases: frozenset[tuple[str, ...]]) -> bool:
    return any(
        tuple(heard[at : at + length]) in phrases for length in (1, 2, 3) for at in range(len(heard) - length + 1)
    )
