"""French."""

import re

from languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words
from languages.numerals import currencies, in_words, nouns
from languages.roman import NUMERAL, is_plain, roman
from languages.speech import Speech, short_forms


def _clock(hour: int, minute: int, half: str) -> str:
    hour = hour % 12 + 12 * (half == "p.m.") if half else hour
    said = f"{re.sub('un$', 'une', _cardinal(hour))} {'heure' if hour < 2 else 'heures'}"
    return f"{said} {_cardinal(minute)}" if minute else said


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{_cardinal(day) if day > 1 else 'premier'} {SPEECH.month_name(month)}"
    return said if year is None else f"{said} {_cardinal(year)}"


def _numbered(found: re.Match[str]) -> str:
    return f"{found[1]} {_cardinal(roman(found[2]))}"


def _reign(found: re.Match[str]) -> str:
    return _numbered(found) if is_plain(found[2]) else found.group()


def _time(found: re.Match[str]) -> str:
    return _clock(int(found[1]), int(found[2] or 0), "")


def _nth(found: re.Match[str]) -> str:
    return _ordinal(roman(found[1]))


def _hours_and_minutes(found: re.Match[str]) -> str:
    hours, minutes = (_feminine_count(_cardinal(int(found[group]))) for group in (1, 2))
    return f"{hours} heure{'s' if int(found[1]) > 1 else ''} {minutes} minute{'s' if int(found[2]) > 1 else ''}"


def _fraction(above: int, below: int) -> str:
    name = {2: "demi", 3: "tiers", 4: "quart"}.get(below) or _ordinal(below)
    return f"{_cardinal(above)} {name}{'' if above == 1 or name.endswith('s') else 's'}"


def _feminine_count(said: str) -> str:
    return re.sub("un$", "une", said)


def _one_of(found: re.Match[str]) -> str:
    noun = found[2].removesuffix("s")
    if not (noun in _FEMININE or noun.endswith(_FEMININE_ENDS)) or _spelled_before(found):
        return found.group()
    return f"{_feminine_count(_cardinal(int(found[1])))} "


def _grouped(found: re.Match[str]) -> str:
    """Thousands that are parted by blanks."""
    return found.group() if _spelled_before(found) else found.group().replace(" ", "\u202f")


def _spelled_before(found: re.Match[str]) -> bool:
    return re.search(rf"(?i)(?:{SPEECH.spelled_after})[\s:#]*$", found.string[: found.start()]) is not None


_FEMININE_ENDS = ("tion", "sion", "ette", "ence", "ance", "ée", "ure", "esse", "ière", "ité", "elle", "ille")
_FEMININE = frozenset(
    words(
        "personne lettre carte heure foi fois semaine minute seconde page place question chambre table femme maison "
        "ville rue ligne demande commande adresse banque chose pièce part réponse boîte clé main nuit porte tonne "
        "tasse fenêtre dame étape erreur offre taxe"
    )
)
_cardinal = in_words("fr", "cardinal")
_ordinal = in_words("fr", "ordinal")

SPEECH = Speech(
    cardinal=_cardinal,
    ordinal=_ordinal,
    year=_cardinal,
    clock=_clock,
    date=_date,
    thousands=". \u00a0\u202f\u2009",
    point="virgule",
    month_first=False,
    months=(
        *("janvier janv", "février févr", "mars", "avril avr", "mai", "juin", "juillet juil"),
        *("août", "septembre sept", "octobre oct", "novembre nov", "décembre déc"),
    ),
    weekdays=("lundi lun", "mardi mar", "mercredi mer", "jeudi jeu", "vendredi ven", "samedi sam", "dimanche dim"),
    currencies=currencies(
        """
        € EUR: un euro, euros, un centime, centimes
        $ US$ USD: un dollar, dollars, un cent, cents
        £ GBP: une livre, livres, un penny, pence
        CHF: un franc, francs, un centime, centimes
        ₹ INR: une roupie, roupies, un paisa, paisas
        ¥ JPY: un yen, yens
        """
    ),
    units=nouns(
        """
        %: un pour cent, pour cent
        km: un kilomètre, kilomètres
        m: un mètre, mètres
        cm: un centimètre, centimètres
        mm: un millimètre, millimètres
        m² m2: un mètre carré, mètres carrés
        km/h: un kilomètre par heure, kilomètres par heure
        kg: un kilo, kilos
        g: un gramme, grammes
        l L: un litre, litres
        ml: un millilitre, millilitres
        °C: un degré Celsius, degrés Celsius
        °: un degré, degrés
        min: une minute, minutes
        s: une seconde, secondes
        Mo: un mégaoctet, mégaoctets
        Go: un gigaoctet, gigaoctets
        kW: un kilowatt, kilowatts
        h: une heure, heures
        min: une minute, minutes
        s: une seconde, secondes
        kWh: un kilowattheure, kilowattheures
        mg: un milligramme, milligrammes
        ml: un millilitre, millilitres
        V: un volt, volts
        Hz: un hertz, hertz
        MHz: un mégahertz, mégahertz
        GHz: un gigahertz, gigahertz
        Mbps Mbit/s: un mégabit par seconde, mégabits par seconde
        Gbps Gbit/s: un gigabit par seconde, gigabits par seconde
        dB: un décibel, décibels
        kcal: une kilocalorie, kilocalories
        m/s: un mètre par seconde, mètres par seconde
        """
    ),
    scales={
        "k": "mille",
        "M": "millions de",
        "Md": "milliards de",
        "million": "million de",
        "millions": "millions de",
        "milliard": "milliard de",
        "milliards": "milliards de",
    },
    ordinal_mark="er|re|ère|ème|e",
    spelled_after=(
        r"(?:numéro|n°|compte|code OTP|code|OTP|pin|téléphone|carte|référence|postal)"
        r"(?: (?:de|est|le|numéro|compte|téléphone|carte|client|commande|postal|se terminant par|finissant par))*"
        r"|terminant par|finissant par"
    ),
    signs={
        "%": "pour cent",
        "&": "et",
        "+": "plus",
        "-": "moins",
        "±": "plus ou moins",
        "=": "égale",
        "<": "inférieur à",
        ">": "supérieur à",
        "*": "fois",
        ":": "divisé par",
        "@": "arobase",
        "#": "numéro",
        ".": "point",
        "~": "environ",
        "²": "au carré",
        "³": "au cube",
        "^": "puissance",
        "√": "racine carrée de",
        "∛": "racine cubique de",
        "≤": "inférieur ou égal à",
        "≥": "supérieur ou égal à",
        "≠": "différent de",
        "∞": "infini",
        "π": "pi",
        "§": "paragraphe",
        "§§": "paragraphes",
        "by": "par",
        "heart": "aime",
        "sharp": "sharp",
        "to": "à",
        "ratio": "contre",
        "per": "par",
        "and": "et",
        "ending in": "se terminant par",
        "out of": "sur",
        "over": "sur",
        "star": "étoile",
        "hash": "dièse",
    },
    fractions={"½": "un demi", "1/2": "un demi", "¼": "un quart", "1/4": "un quart", "¾": "trois quarts"},
    abbreviations={
        "M.": "monsieur",
        "Mme": "madame",
        "Mlle": "mademoiselle",
        "Dr": "docteur",
        "p. ex.": "par exemple",
        "p.ex.": "par exemple",
        "etc.": "et cetera",
        "env.": "environ",
        "av.": "avenue",
        "bd": "boulevard",
        "Bd": "boulevard",
        "Av.": "avenue",
        "MM.": "messieurs",
        "Mmes": "mesdames",
        "Pr": "professeur",
        "St": "saint",
        "Ste": "sainte",
        "c.-à-d.": "c'est-à-dire",
        "max.": "maximum",
        "min.": "minimum",
        "boul.": "boulevard",
        "vs": "contre",
        "Tél.": "Téléphone",
        "tél.": "téléphone",
        "lun.": "lundi",
        "jeu.": "jeudi",
        "ven.": "vendredi",
        "sam.": "samedi",
        "dim.": "dimanche",
    },
    abbreviations_before_numbers={
        "n°": "numéro",
        "N°": "numéro",
        "p.": "page",
        "tél.": "téléphone",
        "Tél.": "téléphone",
        "art.": "article",
        "chap.": "chapitre",
        "pp.": "pages",
    },
    no_ends=short_forms("m mme mlle dr p.ex p env av mm c.-à-d max boul tél lun jeu ven sam dim j.-c j apr"),
    no_ends_before_numbers=short_forms("n p pp tél art chap min"),
    fraction=_fraction,
    phones=r"0\d(?:[. ]\d\d){4}|0 [89]\d\d \d{3} \d{3}",
    pressed=r"appuy|compos|touche|tap(?:ez|er)|saisi",
    elides=True,
    shortened={"h": "heure", "min": "minute", "s": "seconde"},
    one_of_scale={"millions de": "un million de", "milliards de": "un milliard de"},
    feminine=_feminine_count,
    feminine_one="une ",
    date_after="le|du|au|jusqu'au|depuis le",
    expires_after="expire|expiration|valable jusqu'en|valable jusqu'au",
    own=(
        (r"(?<=\dh)\s?[–-]\s?(?=\d{1,2}\s?h)", lambda _: " à "),
        (r"(?<=\dh\d\d)\s?[–-]\s?(?=\d{1,2}\s?h)", lambda _: " à "),
        (r"\b1(?:re|ère)\b", lambda _: "première"),
        (r"\b2nde?s?\b", lambda found: "seconde" if "e" in found.group() else "second"),
        (r"\b24\s?h\s?/\s?24\b", lambda _: "vingt-quatre heures sur vingt-quatre"),
        (r"\b7\s?j(?:ours)?\s?/\s?7\b", lambda _: "sept jours sur sept"),
        (r"\bav\. J\.-C\.", lambda _: "avant Jésus-Christ"),
        (r"\bapr\. J\.-C\.", lambda _: "après Jésus-Christ"),
        (r"\b(S[Tt])(e?)-(?=[A-ZÉ])", lambda found: f"Saint{found[2]}-"),
        (r"\b[Nn]o (?=\d)", lambda _: "numéro "),
        (r"(?<![\w.,])(\d{1,2}) ?h (\d{1,2}) ?min\b", _hours_and_minutes),
        (rf"\b({NUMERAL})(?:e|ème)(?= (?:s\.|Guerre|République|Empire|arrondissement))", _nth),
        (r"\bIer(?= siècle)", lambda _: "premier"),
        (r"(?<=ième) s\.", lambda _: " siècle"),
        (
            r"(?<![\w.,])(\d{1,3})\s?x(?= (?:plus|moins|par) [^\W\d]|$)",
            lambda found: f"{_cardinal(int(found[1]))} fois",
        ),
        (r"(?<![\w.,:/+-])(?<!\d )[1-9]\d{0,2}(?: \d{3})+(?![\w-]|[.:/]\d| \d)", _grouped),
        (r"(?<![\w.,:/-])(?<!\d )(\d*(?<!1)1) (?=([a-zàâçéèêëîïôûùœ]{3,})\b)", _one_of),
        (rf"\b({NUMERAL})(?:e|ème)(?= siècle)", lambda found: _ordinal(roman(found[1]))),
        (r"\b([A-ZÉ][a-zéèçïë]+) Ier\b", lambda found: f"{found[1]} premier"),
        (rf"\b([Cc]hapitre|[Tt]ome|[Pp]artie|[Aa]cte|[Tt]ype|[Nn]iveau|[Pp]hase) ({NUMERAL})\b", _numbered),
        (rf"\b([A-ZÉ][a-zéèçïë]+) ({NUMERAL})\b(?!['’])", _reign),
        (r"(?<![\w:.,])([01]?\d|2[0-4])\s?h(?:\s?([0-5]\d))?\b", _time),
    ),
)

FRENCH = Language(
    code="fr",
    name="French",
    locale="fr-FR",
    azure_voice="fr-FR-VivienneMultilingualNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Bonjour, vous êtes au service téléphonique de la banque. Que puis-je faire pour vous ?",
        repeat="Pardon, je n'ai pas compris. Pouvez-vous répéter ?",
        moment="Un instant, s'il vous plaît.",
        still="Je cherche encore.",
        apology="Désolé, je ne peux pas répondre pour le moment. Réessayez dans un instant.",
        still_there="Êtes-vous toujours là ?",
        goodbye="Il semble qu'il n'y ait plus personne, je vais raccrocher. Au revoir.",
        closing="Cette ligne ferme un instant. Rappelez dans une minute, s'il vous plaît. Au revoir.",
        time_up="Nous avons parlé aussi longtemps que cette ligne le permet, je vais raccrocher. Au revoir.",
        person="Je suis un assistant automatique. Est-ce que je parle à une personne ?",
        busy="Je reçois beaucoup d'appels en ce moment. Cela prendra environ {wait}.",
        in_queue="Vous êtes toujours dans la file, environ {wait}.",
        full="Je reçois plus d'appels que je ne peux en traiter. Réessayez dans une minute.",
        quota="Je ne peux plus donner de réponses aujourd'hui. Rappelez demain, s'il vous plaît.",
        go_on="Je continue ?",
        farewell="Au revoir.",
        waits={5: "cinq secondes", 10: "dix secondes", 20: "vingt secondes", 30: "une demi-minute", 60: "une minute"},
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "oui,ouais,d'accord,ok,okay,bien,très bien,bon,c'est bon,je vois,je comprends,compris,entendu,"
            "exactement,exact,voilà,parfait,merci,merci beaucoup,super,bien sûr,ah bon,vraiment,mhm,"
            "oui bien sûr,naturellement,volontiers,avec plaisir,c'est exact,c'est clair,c'est noté,noté,"
            "ça marche,ça va,ça me va,pas de problème,pas de souci,je vous écoute,allez y,continuez,poursuivez,"
            "je vous en prie,je vous remercie,merci bien,merci infiniment,impeccable,nickel,soit,mouais,moui,"
            "hum hum,pourquoi pas"
        ),
        stops=phrases(
            "stop,arrêtez,arrête,attendez,attends,un instant,un moment,une seconde,non,mais,pardon,excusez moi,"
            "silence,assez,allô,bonjour,quoi,comment,quand,où,pourquoi,qui,quel,quelle,combien,est ce que,"
            "pouvez vous,je veux,je voudrais,j'ai besoin"
        ),
        exclamations=phrases(
            "oups,aïe,ouille,oh là là,oh la la,mince,zut,flûte,merde,punaise,putain,mon dieu,oh mon dieu,ciel,"
            "bon sang,tiens,tiens tiens,ah tiens,eh bien,ben dis donc,dis donc,ça alors,waouh,ouah,chouette,"
            "génial,formidable,bravo,hourra,youpi,ouf,pff,beurk,haha,oui monsieur,oui madame,monsieur,madame,"
            "bien entendu,tout à fait,absolument,effectivement,en effet,c'est vrai,c'est ça,sans blague,"
            "sans doute,quel dommage,dommage,à vos souhaits,intéressant,évidemment,certainement,incroyable,"
            "magnifique,excellent,fantastique,oh non,ah non,hélas,dieu merci,vous avez raison,tu as raison,"
            "moi aussi,je sais,nom de dieu,purée,la vache,hop,hein,bah oui,ben oui,mais oui"
        ),
        requests=frozenset(
            words(
                "moi toi lui nous vous leur le la les ça ceci cela ici là dis dites dis-moi donne donnez montre "
                "montrez va viens prends mets fais faites laisse laissez écoute écoutez envoie réserve commande "
                "paye appelle change explique encore plus moins pas jamais rien autre quelqu'un quelque chose "
                "aujourd'hui demain hier"
            )
        ),
        fillers=frozenset(words("euh heu hum ah oh ben bah alors et")),
    ),
    cues=Cues(
        unfinished=endings(
            "le, la, les, un, une, des, du, de, au, aux, mon, ma, mes, ton, ta, votre, vos, notre,leur, et, ou,"
            "mais,parce que, car, que, qui, si, quand, puisque, donc je, à, avec, pour, sans, dans, sur,chez, vers,"
            "entre,je voudrais, je veux, j'aimerais, j'ai besoin de, je vais, pouvez-vous, est-ce que,c'est, est,"
            "sont, euh,heu, ben, numéro est, nom est, un instant, un moment, je veux dire, par exemple"
        ),
        doubtful=endings("en, par, comme, très, plus, aussi, alors, donc, bon, ne, se, me, où, ce, cette"),
        finished=endings(
            "oui, non, si, d'accord, ok, okay, bien, exactement, merci, s'il vous plaît, au revoir,stop, arrêtez,"
            "non merci"
        ),
        closing=endings("merci, s'il vous plaît, merci beaucoup, au revoir, c'est tout"),
        digits=endings("zéro, un, deux, trois, quatre, cinq, six, sept, huit, neuf"),
        numbers=endings("numéro, code, pin, téléphone, compte, carte, postal, référence"),
        lengths={"pin": 4, "postal": 5, "code": 6, "téléphone": 10, "carte": 16},
        spelled=endings("nom, prénom, épelle, épeler, adresse, e-mail, email, mail"),
        signs=endings("tiret, barre, plus, virgule"),
        at_signs=endings("arobase"),
        dots=endings("point"),
        corrections=endings("non, pardon"),
        leads=endings("c'est, c'est le, oui, alors, euh c'est, d'accord, voilà"),
    ),
    agreement=Agreement(
        yes=phrases("oui,ouais,d'accord,ok,okay,bien sûr,certainement,exact,exactement,allez y,parfait,volontiers"),
        no=phrases(
            "non,pas,jamais,mais,attendez,attends,un instant,un moment,stop,plutôt,à la place,changez,autre,"
            "plus tard,comment,quoi,pourquoi,quand,quel,quelle,peut être"
        ),
    ),
    speech=SPEECH,
    idle=frozenset(
        words(
            "le la les un une des et ou mais donc de du d à au aux en dans avec par pour sur comme si que qu ce "
            "cet cette ces cela ça c il elle on nous vous ils elles je j tu me m te t se s lui leur mon ma mes "
            "ton ta tes son sa ses notre nos votre vos est suis es sont était être été ai as a ont avait avoir "
            "peux peut pouvez pourrais pourriez pourrait veux veut voulez voudrais voudriez dois doit devez qui "
            "quoi comment juste aussi très quelque chose autre autres dites dis dire donner donnez donne montrer "
            "montrez savoir sais savez pense crois plaît aide aider bonjour allô bienvenue pardon excusez désolé "
            "euh hm ben oui exact question questions demander réponse répéter répétez lentement comprends "
            "comprendre entends écoute signifie nom appelle appelez robot machine assistant voix vrai vraiment "
            "ici là y ne n pas l français anglais langue moi toi"
        )
    ),
    handovers=phrases(
        "vous passe ma,vous passe mon,te passe ma,te passe mon,voici ma femme,voici mon mari,"
        "parlez à ma,parlez à mon,parlez avec ma,parlez avec mon,passe le téléphone"
    ),
)
