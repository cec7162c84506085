"""Words that acknowledge, and words that stop: by language. Pure.

An *acknowledgement* ("mhm", "yeah", "thank you") leaves the floor to the bot; everything else is *content*. A *stop
word* among the content ("wait", "no, hang on") is sure enough to act upon before the rest is heard.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Lexicon:
    """The short answers of a language; phrases are tuples of words.

    Attributes:
        acknowledgements: Words and phrases that say "go on".
        stops: Words and phrases that take the floor.
        fillers: Words that say nothing by themselves, before or after others.
    """

    acknowledgements: frozenset[tuple[str, ...]]
    stops: frozenset[tuple[str, ...]]
    fillers: frozenset[str]


def _phrases(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(tuple(words(phrase)) for phrase in text.split(","))


def words(text: str) -> list[str]:
    """The words of a text: lower case, without punctuation; hyphens separate, apostrophes do not."""
    return _WORD.findall(text.lower().replace("’", "'"))


_LETTERS = r"(?:[^\W_]|[\u0900-\u0963])+"  # Devanagari's vowel signs are marks, not letters
_WORD = re.compile(rf"{_LETTERS}(?:'{_LETTERS})*")


HUM = re.compile(r"m+|h+m+|m+h+m*|(u+h+|m+) ?h+[ua]*m*h*|u+h+|u+m+|a+h+|o+h+|e+h+|h+u+h+|a+|o+|e+r*m*")
"""Hums as recognisers spell them: mm, hmm, mhm, uh-huh, um, ah, oh, eh, huh."""

LEXICONS: dict[str, Lexicon] = {
    "en": Lexicon(
        _phrases(
            "yeah,yes,yep,yup,ya,okay,ok,k,kay,right,sure,alright,all right,fine,good,great,nice,cool,perfect,wow,"
            "really,indeed,exactly,absolutely,of course,i see,got it,gotcha,makes sense,thanks,thank you,cheers,"
            "thank you very much,thanks a lot,mhmm,mm hmm,uh huh,aha,sounds good,go on,go ahead,no problem,no worries,"
            "i understand,understood,true,that's right,that's true,very good,very well,excellent,lovely"
        ),
        _phrases(
            "stop,wait,hold on,hang on,no,nope,pause,quiet,be quiet,shut up,enough,excuse me,sorry,pardon,actually,but,"
            "what,hey,hello,listen,one second,one moment,just a second,just a minute,cancel,never mind,nevermind,"
            "let me,can you,could you,can i,could i,i want,i need,i have,how,why,when,where,who,which,repeat"
        ),
        frozenset(words("um uh er erm ah oh eh hm well so like you know just then and")),
    ),
    "de": Lexicon(
        _phrases(
            "ja,jaja,jo,jep,okay,ok,gut,genau,richtig,stimmt,klar,alles klar,verstehe,ich verstehe,verstanden,aha,ach,"
            "ach so,achso,danke,vielen dank,dankeschön,danke schön,super,prima,toll,schön,in ordnung,sehr gut,na klar,"
            "natürlich,wirklich,echt,weiter,hmm,mhm"
        ),
        _phrases(
            "stopp,stop,halt,warte,warten sie,moment,einen moment,nein,nee,ne,nicht,aber,entschuldigung,ruhe,genug,"
            "bitte nicht,hallo,was,wie,wie bitte,wann,wo,warum,wer,welche,können sie,kann ich,ich will,ich möchte,"
            "ich brauche"
        ),
        frozenset(words("äh ähm öh ach also na nun halt so und")),
    ),
    "es": Lexicon(
        _phrases(
            "sí,si,vale,claro,de acuerdo,bien,muy bien,bueno,ya,ya veo,entiendo,entendido,exacto,correcto,perfecto,"
            "gracias,muchas gracias,ok,okay,ajá,aja,genial,eso,por supuesto,estupendo,mhm"
        ),
        _phrases(
            "para,pare,espera,espere,un momento,no,alto,silencio,basta,perdón,perdona,perdone,disculpe,pero,oiga,oye,"
            "hola,qué,cómo,cuándo,dónde,por qué,quién,cuál,cuánto,puede,puedo,quiero,necesito"
        ),
        frozenset(words("eh em este pues ah oh bueno y")),
    ),
    "fr": Lexicon(
        _phrases(
            "oui,ouais,d'accord,ok,okay,bien,très bien,bon,c'est bon,je vois,je comprends,compris,entendu,exactement,"
            "exact,voilà,parfait,merci,merci beaucoup,super,bien sûr,ah bon,vraiment,mhm"
        ),
        _phrases(
            "stop,arrêtez,arrête,attendez,attends,un instant,un moment,une seconde,non,mais,pardon,excusez moi,silence,"
            "assez,allô,bonjour,quoi,comment,quand,où,pourquoi,qui,quel,quelle,combien,est ce que,pouvez vous,je veux,"
            "je voudrais,j'ai besoin"
        ),
        frozenset(words("euh heu hum ah oh ben bah alors et")),
    ),
    "it": Lexicon(
        _phrases(
            "sì,si,va bene,certo,bene,molto bene,ok,okay,capisco,capito,ho capito,esatto,giusto,perfetto,grazie,"
            "grazie mille,d'accordo,già,ecco,davvero,ottimo,mhm"
        ),
        _phrases(
            "stop,ferma,fermo,fermi,aspetta,aspetti,un momento,un attimo,no,ma,scusi,scusa,silenzio,basta,pronto,cosa,"
            "che cosa,come,quando,dove,perché,chi,quale,quanto,può,posso,voglio,vorrei"
        ),
        frozenset(words("eh ehm ah oh allora e")),
    ),
    "pt": Lexicon(
        _phrases(
            "sim,tá,tá bom,está bem,certo,claro,ok,okay,bem,muito bem,entendi,entendo,percebo,exato,perfeito,obrigado,"
            "obrigada,muito obrigado,pois,pois é,beleza,ótimo,mhm"
        ),
        _phrases(
            "pare,para,espere,espera,um momento,não,mas,desculpe,silêncio,chega,alô,olá,o quê,quê,como,quando,onde,"
            "por quê,quem,qual,quanto,pode,posso,quero,preciso"
        ),
        frozenset(words("é eh ah oh então e")),
    ),
    "nl": Lexicon(
        _phrases(
            "ja,jawel,oké,ok,okay,goed,prima,precies,juist,klopt,begrepen,ik begrijp het,ik snap het,duidelijk,dank je,"
            "dank u,bedankt,natuurlijk,mooi,mhm"
        ),
        _phrases(
            "stop,wacht,wacht even,even,moment,nee,maar,sorry,stil,genoeg,hallo,wat,hoe,wanneer,waar,waarom,wie,welke,"
            "kunt u,kan ik,ik wil,ik moet"
        ),
        frozenset(words("eh uh ehm ah oh nou en")),
    ),
    "hi": Lexicon(
        _phrases("हाँ,हां,जी,जी हाँ,ठीक,ठीक है,अच्छा,सही,बिल्कुल,समझ गया,समझ गई,धन्यवाद,शुक्रिया,ओके"),
        _phrases("रुको,रुकिए,रुकें,नहीं,बस,सुनो,सुनिए,माफ़ कीजिए,एक मिनट,लेकिन,क्या,कैसे,कब,कहाँ,क्यों,कौन,मुझे"),
        frozenset(words("अरे तो और")),
    ),
}
"""Lexicons by language code."""


def lexicon(language: str) -> Lexicon:
    """The lexicon of a language; the English one where there is none."""
    return LEXICONS.get(language, LEXICONS["en"])


def content(text: str, language: str = "en") -> list[str]:
    """The words that are neither acknowledgements, nor hums, nor fillers."""
    known = lexicon(language)
    left: list[str] = []
    heard = words(text)
    index = 0
    while index < len(heard):
        length = _phrase_at(heard, index, known.acknowledgements)
        if length == 0 and (heard[index] in known.fillers or HUM.fullmatch(heard[index])):
            length = 1
        if length == 0:
            left.append(heard[index])
        index += length or 1
    return left


def stops(text: str, language: str = "en") -> bool:
    """Whether a stop word or phrase is among the words."""
    known = lexicon(language)
    heard = words(text)
    index = 0
    while index < len(heard):
        said = _phrase_at(heard, index, known.acknowledgements)
        if _phrase_at(heard, index, known.stops) > said:
            return True
        index += said or 1
    return False


def _phrase_at(heard: list[str], index: int, phrases: frozenset[tuple[str, ...]]) -> int:
    """Length of the longest phrase that begins there; 0 without one."""
    for length in (4, 3, 2, 1):
        if tuple(heard[index : index + length]) in phrases and len(heard) >= index + length:
            return length
    return 0
