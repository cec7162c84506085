"""German."""

import re
from functools import partial

from languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words
from languages.numerals import currencies, in_words, nouns
from languages.roman import NUMERAL, is_plain, roman
from languages.speech import Speech, short_forms


def _clock(hour: int, minute: int, half: str) -> str:
    hour = hour % 12 + 12 * (half == "p.m.") if half else hour
    said = "ein Uhr" if hour == 1 else f"{_cardinal(hour)} Uhr"
    return f"{said} {_cardinal(minute)}" if minute else said


def _date(day: int, month: int, year: int | None, before: str) -> str:
    ending = "n" if before in _DATIVE else "" if before == "der" else "r"
    said = f"{_ordinal(day)}{ending} {SPEECH.month_name(month)}"
    return said if year is None else f"{said} {_year(year)}"


def _short_date(found: re.Match[str]) -> str:
    before, day, month = found[1] or "", int(found[2]), int(found[3])
    return before + _date(day, month, None, before.strip().lower()) if 0 < month < 13 else found.group()


def _times(found: re.Match[str]) -> str:
    return f"{'ein' if found[1] == '1' else _cardinal(int(found[1]))}mal"


def _days(found: re.Match[str]) -> str:
    between = " bis " if found[2].strip() in ("-", "–") else found[2]
    return f"{_DAYS[found[1]]}{between}{_DAYS[found[3]]}"


def _time(found: re.Match[str]) -> str:
    told = [int(group) for group in found.groups() if group is not None]
    return _clock(told[0], told[1] if len(told) > 1 else 0, "")


def _one(found: re.Match[str]) -> str:
    """As the noun's gender asks for, as far as its end tells."""
    noun = found[1]
    feminine = noun in _FEMININE or (noun.endswith(_FEMININE_ENDS) and noun not in _NOT_FEMININE)
    return "eine" if feminine else "ein"


def _ordinals(found: re.Match[str]) -> str:
    """Am 1. und 2. Mai."""
    before, first, between, last = found[1] or "", int(found[2]), found[3].strip(), int(found[4])
    month = re.match(rf"(?:{_MONTHS})", found.string[found.end() :]) is not None
    ending = "n" if before.lower() in _DATIVE_ARTICLES else "r" if month and not before else ""
    word = "bis" if between in ("-", "–") else between
    said = f"{_ordinal(first)}{ending} {word} {_ordinal(last)}{ending} "
    return f"{before} {said}" if before else said


def _compound(found: re.Match[str]) -> str:
    said = _cardinal(int(found[1]))
    word = f"{'ein' if said == 'eins' else said}{found[2].lower()}{found[3]}"
    return word.capitalize() if found[2][0].isupper() else word


def _nth(ending: str, found: re.Match[str]) -> str:
    return f"{_ordinal(int(found[1]))}{ending}"


def _floor(found: re.Match[str]) -> str:
    return f"{_ordinal(int(found[1] or found[2]))}s Obergeschoss"


def _fraction(above: int, below: int) -> str:
    if (above, below) == (1, 2):
        return "ein halb"
    return f"{'ein' if above == 1 else _cardinal(above)} {_ordinal(below).capitalize()}l"


def _and_a_half(found: re.Match[str]) -> str:
    return f"{_cardinal(int(found[1])).removesuffix('s') if found[1] == '1' else _cardinal(int(found[1]))}einhalb"


def _ordinal_after(found: re.Match[str]) -> str:
    plain = found[1].lower() in (
        "die",
        "das",
        "der",
        "diese",
        "dieses",
        "jede",
        "jedes",
        "eine",
        "meine",
        "seine",
        "ihre",
    )
    ending = "" if plain else "r" if found[1].lower() == "jeder" else "n"
    return f"{found[1]} {_ordinal(int(found[2]))}{ending}"


def _reign(found: re.Match[str]) -> str:
    return f"{found[1]} der {_ordinal(roman(found[2])).capitalize()}" if is_plain(found[2]) else found.group()


def _numbered(found: re.Match[str]) -> str:
    return f"{found[1]} {_cardinal(roman(found[2]))}"


_BEFORE_ORDINALS = (
    "[Dd]ie|[Dd]as|[Dd]er|[Dd]en|[Dd]em|[Dd]es|[Ii]m|[Aa]m|[Zz]um|[Zz]ur|[Vv]om|[Bb]eim|[Ee]ine|[Ee]inen|"
    "[Dd]iese|[Dd]ieses|[Dd]iesen|[Jj]ede|[Jj]eder|[Jj]edes|[Jj]eden|[Mm]eine|[Ss]eine|[Ii]hre"
)
_COMPOUNDS = (
    "fach|jährig|Jährig|prozentig|tägig|stündig|minütig|wöchig|monatig|malig|köpfig|stellig|seitig|stöckig|teilig|türig"
)
_DATIVE_ARTICLES = frozenset(("im", "am", "zum", "zur", "vom", "beim", "den", "dem", "des"))
_FEMININE_ENDS = ("e", "ung", "heit", "keit", "schaft", "ion", "tät", "ei", "ik", "ur", "anz", "enz")
_NOT_FEMININE = frozenset(
    ("Name", "Kunde", "Kollege", "Junge", "Buchstabe", "Gedanke", "Käse", "Ende", "Auge", "Interesse", "Gebäude")
    + ("Getränk", "Ei", "Wille", "Glaube", "Bote", "Experte", "Code", "Service", "Update", "Gebirge", "Kaffee", "See")
    + ("Tee", "Büro", "Beamte", "Angestellte", "Gatte", "Neffe", "Fernsehpreise")
)
_FEMININE = frozenset(
    ("Frau", "Nachricht", "Zahl", "Nummer", "Nacht", "Hand", "Stadt", "Bank", "Firma", "Mail", "SMS", "Person", "Mark")
)
_NUMBERED_NOUNS = {
    "s": "Quartal|Halbjahr|Jahrhundert|Mal|Kapitel|Viertel|Drittel|Programm|Semester",
    "": "Klasse|Liga|Etage|Auflage|Woche|Runde|Stufe|Reihe|Seite|Person",
    "r": "FC|Stock|Platz|Weltkrieg|Tag|Versuch|Monat|Teil|Akt|Band",
}
_MONTHS = "Jan|Jän|Feb|Mär|Mrz|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez"
_DATIVE = frozenset(["am", "vom", "zum", "dem", "den", "bis", "ab", "seit", "beim"])
_cardinal = in_words("de", "cardinal")
_ordinal = in_words("de", "ordinal")
_year_words = in_words("de", "year")


def _year(number: int) -> str:
    return _year_words(number) if 1100 <= number < 2000 else _cardinal(number)


_SCALES = {"Mio": "Million", "Mrd": "Milliarde", "Bio": "Billion"}
_DAYS = dict(
    zip(
        ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"],
        ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
        strict=True,
    )
)
_DAY = "|".join(_DAYS)
_OFTEN = "täglich|wöchentlich|monatlich|jährlich|am|pro|im|in|die|je"

SPEECH = Speech(
    cardinal=_cardinal,
    ordinal=_ordinal,
    year=_year,
    clock=_clock,
    date=_date,
    thousands=".'\u00a0\u202f\u2009",
    point="Komma",
    month_first=False,
    months=(
        *("Januar Jan Jänner", "Februar Feb", "März Mrz", "April Apr", "Mai", "Juni Jun", "Juli Jul"),
        *("August Aug", "September Sep Sept", "Oktober Okt", "November Nov", "Dezember Dez"),
    ),
    weekdays=("Montag Mo", "Dienstag Di", "Mittwoch Mi", "Donnerstag Do", "Freitag Fr", "Samstag Sa", "Sonntag So"),
    currencies=currencies(
        """
        € EUR Euro: ein Euro, Euro, ein Cent, Cent
        $ US$ USD Dollar: ein Dollar, Dollar, ein Cent, Cent
        £ GBP: ein Pfund, Pfund, ein Penny, Pence
        CHF Franken: ein Franken, Franken, ein Rappen, Rappen
        ₹ INR: eine Rupie, Rupien, ein Paisa, Paise
        ¥ JPY: ein Yen, Yen
        """
    ),
    units=nouns(
        """
        %: ein Prozent, Prozent
        km: ein Kilometer, Kilometer
        m: ein Meter, Meter
        cm: ein Zentimeter, Zentimeter
        mm: ein Millimeter, Millimeter
        m² m2 qm: ein Quadratmeter, Quadratmeter
        km/h: ein Kilometer pro Stunde, Kilometer pro Stunde
        kg: ein Kilogramm, Kilogramm
        g: ein Gramm, Gramm
        l L: ein Liter, Liter
        ml: ein Milliliter, Milliliter
        °C: ein Grad Celsius, Grad Celsius
        °: ein Grad, Grad
        h Std.: eine Stunde, Stunden
        min Min.: eine Minute, Minuten
        s Sek.: eine Sekunde, Sekunden
        MB: ein Megabyte, Megabyte
        GB: ein Gigabyte, Gigabyte
        kW: ein Kilowatt, Kilowatt
        kWh: eine Kilowattstunde, Kilowattstunden
        mg: ein Milligramm, Milligramm
        V: ein Volt, Volt
        mA: ein Milliampere, Milliampere
        Hz: ein Hertz, Hertz
        kHz: ein Kilohertz, Kilohertz
        MHz: ein Megahertz, Megahertz
        GHz: ein Gigahertz, Gigahertz
        Mbps Mbit/s: ein Megabit pro Sekunde, Megabit pro Sekunde
        Gbps Gbit/s: ein Gigabit pro Sekunde, Gigabit pro Sekunde
        TB: ein Terabyte, Terabyte
        dB: ein Dezibel, Dezibel
        hPa: ein Hektopascal, Hektopascal
        kcal: eine Kilokalorie, Kilokalorien
        m/s: ein Meter pro Sekunde, Meter pro Sekunde
        """
    ),
    scales={
        "Tsd.": "Tausend",
        "Tsd": "Tausend",
        "Mio": "Millionen",
        "Mrd": "Milliarden",
        "Mio.": "Millionen",
        "Mrd.": "Milliarden",
        "Tausend": "Tausend",
        "Millionen": "Millionen",
        "Milliarden": "Milliarden",
    },
    ordinal_mark="te[rsn]?",
    spelled_after=(
        r"OTP|(?:(?:Konto|Telefon|Kunden|Karten|Handy|Bestell|Rechnungs|Auftrags)?(?:nummer|nr\.|konto)|PIN|TAN|Code|"
        r"Postleitzahl|PLZ|BLZ|Bankleitzahl)(?: (?:ist|lautet|endet auf|mit Endung))*|endet auf|Endziffern"
    ),
    signs={
        "%": "Prozent",
        "&": "und",
        "+": "plus",
        "-": "minus",
        "±": "plus minus",
        "=": "gleich",
        "<": "kleiner als",
        ">": "größer als",
        "*": "mal",
        ":": "geteilt durch",
        "@": "at",
        "#": "Nummer",
        ".": "Punkt",
        "~": "etwa",
        "²": "Quadrat",
        "³": "hoch drei",
        "^": "hoch",
        "√": "Wurzel aus",
        "∛": "dritte Wurzel aus",
        "≤": "kleiner oder gleich",
        "≥": "größer oder gleich",
        "≠": "ungleich",
        "∞": "unendlich",
        "π": "Pi",
        "§": "Paragraf",
        "§§": "Paragrafen",
        "by": "mal",
        "heart": "liebe",
        "sharp": "sharp",
        "to": "bis",
        "ratio": "zu",
        "per": "pro",
        "and": "und",
        "ending in": "mit der Endung",
        "out of": "von",
        "over": "zu",
        "star": "Stern",
        "hash": "Raute",
    },
    fractions={"½": "ein halb", "1/2": "ein halb", "¼": "ein Viertel", "1/4": "ein Viertel", "¾": "drei Viertel"},
    abbreviations={
        "Dr.": "Doktor",
        "Hr.": "Herr",
        "Fr.": "Frau",
        "z.B.": "zum Beispiel",
        "z. B.": "zum Beispiel",
        "d.h.": "das heißt",
        "d. h.": "das heißt",
        "bzw.": "beziehungsweise",
        "ca.": "circa",
        "usw.": "und so weiter",
        "inkl.": "inklusive",
        "ggf.": "gegebenenfalls",
        "Str.": "Straße",
        "evtl.": "eventuell",
        "Prof.": "Professor",
        "Z.B.": "Zum Beispiel",
        "u.a.": "unter anderem",
        "u. a.": "unter anderem",
        "o.ä.": "oder Ähnliches",
        "etc.": "et cetera",
        "bspw.": "beispielsweise",
        "vgl.": "vergleiche",
        "max.": "maximal",
        "min.": "minimal",
        "mind.": "mindestens",
        "zzgl.": "zuzüglich",
        "exkl.": "exklusive",
        "St.": "Sankt",
        "Pl.": "Platz",
        "Abt.": "Abteilung",
        "gem.": "gemäß",
        "u. U.": "unter Umständen",
        "i. d. R.": "in der Regel",
        "i.d.R.": "in der Regel",
        "z. Zt.": "zurzeit",
        "z.Zt.": "zurzeit",
        "z. T.": "zum Teil",
        "z.T.": "zum Teil",
        "o. g.": "oben genannter",
        "s. o.": "siehe oben",
        "s. u.": "siehe unten",
        "v. a.": "vor allem",
        "m. E.": "meines Erachtens",
        "v. Chr.": "vor Christus",
        "n. Chr.": "nach Christus",
        "bzgl.": "bezüglich",
        "geb.": "geboren",
        "gest.": "gestorben",
        "Jh.": "Jahrhundert",
        "Dipl.-Ing.": "Diplom-Ingenieur",
        "Hrn.": "Herrn",
        "Fa.": "Firma",
        "Kd.-Nr.": "Kundennummer",
        "Az.": "Aktenzeichen",
        "Min.": "Minuten",
        "Std.": "Stunden",
    },
    abbreviations_before_numbers={
        "Nr.": "Nummer",
        "Abs.": "Absatz",
        "S.": "Seite",
        "Tel.": "Telefon",
        "Art.": "Artikel",
        "Kap.": "Kapitel",
    },
    no_ends=short_forms(
        "dr prof hr fr z.b z d.h d bzw ca inkl ggf str evtl mio mrd st u.a u a o.ä "
        "bspw vgl max mind zzgl exkl pl abt gem tsd std u i i.d.r z.zt z.t o s v m n bzgl geb gest dipl.-ing dipl-ing "
        "hrn fa kd.-nr az chr sek"
    ),
    no_ends_before_numbers=short_forms("nr abs s tel art kap min"),
    dot_makes_ordinal=True,
    fraction=_fraction,
    no_end_suffix="str",
    pressed=r"drück|wähl|tast|gib|geben|tipp",
    shortened={"Std": "Stunde", "Mon": "Monat", "Wo": "Woche", "Min": "Minute"},
    one_of_scale={"Millionen": "eine Million", "Milliarden": "eine Milliarde"},
    year_after="im Jahre?|Jahr|seit|starb|anno|gegründet|geboren|von|bis",
    phones=r"116 \d{3}",
    date_after="am|vom|bis|zum|ab|seit|den|dem",
    expires_after="gültig bis|läuft ab|Ablauf|Ablaufdatum",
    own=(
        (r"(?<=\d),\s?[–—-]{1,2}(?!\w)", lambda _: ""),  # 5,- €
        (r"(?<![\w.,:/-])1\s+(Mio|Mrd|Bio)\.", lambda found: f"eine {_SCALES[found[1]]}"),
        (r"\b((?:1[6-9]|20)?[1-9]0|20\d0)er(n?)\b", lambda found: f"{_year(int(found[1]))}er{found[2]}"),
        (rf"\b(\d{{1,3}})(?:-?mal\b|\s?x(?=\s+(?:{_OFTEN})\b))", _times),
        (rf"\b({_DAY})\b\.?(\s?(?:bis|und|[–-])\s?)({_DAY})\b\.?", _days),
        (rf"\b(?!So\s)({_DAY})\b\.?(?=\s\d{{1,2}}(?:[:.]\d\d)?\s?(?:[–-]|bis|Uhr))", lambda found: _DAYS[found[1]]),
        (r"\b(\w+[a-zäöüß])str\.(?!\w)", lambda found: f"{found[1]}straße"),
        (
            rf"(?<![\w.,])(?:({_BEFORE_ORDINALS}) )?(\d{{1,2}})\."
            r"(\s?[-–]\s?| und | bis | oder )(\d{1,2})\. (?=[A-ZÄÖÜ])",
            _ordinals,
        ),
        (r"(?<![\w.,])(\d+)[- ]?%ig(\w*)\b", lambda found: f"{_cardinal(int(found[1]))}prozentig{found[2]}"),
        (rf"(?<![\w.,])(\d{{1,3}})-?({_COMPOUNDS})(\w*)\b", _compound),
        (r"(?<![\w.,-])1-(?=[A-ZÄÖÜ][a-zäöü])", lambda _: "Ein-"),
        (r"(?<![\w:.,])(\d{1,2})\.(\d\d)(?= bis \d{1,2}[.:]\d\d\s?Uhr)", _time),
        (r"(?<=[a-zäöüß] )(\d{1,2})\. ?OG\b|(?<=, )(\d{1,2})\. ?OG\b", _floor),
        *(
            (rf"(?<![\w.,])(?<!\w )(\d{{1,2}})\.(?= (?:{nouns})\b)", partial(_nth, ending))
            for ending, nouns in _NUMBERED_NOUNS.items()
        ),
        (r"(?<![\w.,])(\d{1,2})\. ?EG\b", lambda _: "Erdgeschoss"),
        (rf"(?<=\bAm )({_DAY})\.(?!\w)|(?<=\bam )({_DAY})\.(?!\w)", lambda found: _DAYS[found[1] or found[2]]),
        (rf"\b({_DAY})(?=\s?/\s?(?:{_DAY})\b)|(?<=/)({_DAY})\b", lambda found: _DAYS[found[1] or found[2]]),
        (rf"\b(?!So\b)({_DAY})(?=, \d{{1,2}}\.)", lambda found: _DAYS[found[1]]),
        (rf"\b({_BEFORE_ORDINALS}) (\d{{1,3}})\.(?= (?!{_MONTHS})[A-ZÄÖÜa-zäöü])", _ordinal_after),
        (rf"\b([A-ZÄÖÜ][a-zäöüß]+) ({NUMERAL})\.(?= [a-zäöü]|$|,)", _reign),
        (rf"\b(Kapitel|Teil|Band|Akt|Szene|Stufe|Klasse|Typ|Artikel|Weltkrieg) ({NUMERAL})\b", _numbered),
        (r"(?<![\w.,:/-])1(?=\s+(?:Million|Milliarde|Billion)\b)", lambda _: "eine"),
        (r"(?<![\w.,:/-])(?<!\.\s)1(?=\s+([A-ZÄÖÜ][\wäöüß-]*))", _one),
        (r"(?<![\w.,:/-])(\d{1,2})\s?½", _and_a_half),
        (r"\b(\d{1,2})\s?[–-]\s?(?=\d{1,2}(?:[:.]\d\d)?\s?Uhr)", lambda found: f"{found[1]} bis "),
        (r"(?<![\w:.,])(\d{1,2})(?:[:.](\d\d))?\s?Uhr\b|(?<![\w:.,])(\d{1,2}):(\d\d)\s?h\b", _time),
        (r"(?<![\w.])((?<!\w)[^\W\d_]+\s+)?(\d{1,2})\.(\d{1,2})\.(?!\d)", _short_date),
    ),
)

GERMAN = Language(
    code="de",
    name="German",
    locale="de-DE",
    azure_voice="de-DE-SeraphinaMultilingualNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Guten Tag, hier ist der Telefonservice der Bank. Was kann ich für Sie tun?",
        repeat="Entschuldigung, das habe ich nicht verstanden. Können Sie es wiederholen?",
        moment="Einen Moment, bitte.",
        still="Ich bin noch dabei.",
        apology="Es tut mir leid, ich kann gerade nicht antworten. Bitte versuchen Sie es gleich noch einmal.",
        still_there="Sind Sie noch da?",
        goodbye="Es scheint niemand mehr da zu sein, ich lege jetzt auf. Auf Wiederhören.",
        closing="Diese Leitung wird kurz geschlossen. Bitte rufen Sie in einer Minute wieder an. Auf Wiederhören.",
        time_up="Wir haben so lange gesprochen, wie diese Leitung erlaubt, ich lege jetzt auf. Auf Wiederhören.",
        person="Ich bin ein automatischer Assistent. Spreche ich mit einem Menschen?",
        busy="Gerade rufen sehr viele an. Es dauert etwa {wait}.",
        in_queue="Sie sind noch in der Warteschlange, etwa {wait}.",
        full="Gerade rufen zu viele an. Bitte versuchen Sie es in einer Minute noch einmal.",
        quota="Für heute darf ich keine Antworten mehr geben. Bitte rufen Sie morgen wieder an.",
        go_on="Soll ich weitermachen?",
        farewell="Auf Wiederhören.",
        waits={
            5: "fünf Sekunden",
            10: "zehn Sekunden",
            20: "zwanzig Sekunden",
            30: "eine halbe Minute",
            60: "eine Minute",
        },
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "ja,jaja,jo,jep,okay,ok,gut,genau,richtig,stimmt,klar,alles klar,verstehe,ich verstehe,verstanden,"
            "aha,ach,ach so,achso,danke,vielen dank,dankeschön,danke schön,super,prima,toll,schön,in ordnung,"
            "sehr gut,na klar,natürlich,wirklich,echt,weiter,hmm,mhm,ja bitte,ja gern,ja gerne,gern,gerne,"
            "bestimmt,einverstanden,passt,das passt,selbstverständlich,logisch,gewiss,ganz genau,ist gut,"
            "schon gut,alles gut,kein problem,macht nichts,weiß ich,hab ich verstanden,hab verstanden,ja klar,"
            "ja genau,okay gut,danke sehr,danke ihnen,besten dank,herzlichen dank,mach weiter,"
            "machen sie weiter,fahren sie fort,sprechen sie weiter,reden sie weiter,nur zu,warum nicht"
        ),
        stops=phrases(
            "stopp,stop,halt,warte,warten sie,moment,einen moment,nein,nee,ne,nicht,aber,entschuldigung,ruhe,genug,"
            "bitte nicht,hallo,was,wie,wie bitte,wann,wo,warum,wer,welche,können sie,kann ich,ich will,ich möchte,"
            "ich brauche"
        ),
        exclamations=phrases(
            "ups,upsi,hoppla,huch,oje,oh je,ojemine,oh nein,ach du liebe zeit,ach du meine güte,meine güte,"
            "du meine güte,ach du je,ach herrje,herrje,mein gott,oh mein gott,oh gott,ach gott,"
            "um gottes willen,himmel,ach du lieber himmel,mensch,mann,oh mann,mannomann,mann oh mann,wow,boah,"
            "krass,wahnsinn,au,aua,autsch,pfui,igitt,naja,na ja,ach ja,ach was,sieh an,sieh mal an,soso,so so,"
            "tja,verdammt,verflixt,mist,so ein mist,scheiße,hurra,juhu,hui,ui,uff,puh,haha,hihi,jawohl,jawoll,"
            "ja ja,jep,eben,freilich,sicher,sicherlich,absolut,definitiv,interessant,spannend,schade,"
            "wie schade,na sowas,na so was,sag bloß,gesundheit,gott sei dank,du lieber gott,du liebe zeit,"
            "ja mein herr,mein herr,bravo,klasse,spitze,wunderbar,fantastisch,hervorragend,allerdings,"
            "das stimmt,du hast recht,sie haben recht,von mir aus,meinetwegen,ich auch,ich weiß,oha,aha"
        ),
        requests=frozenset(
            words(
                "mir mich ihm ihn ihr ihnen uns euch es dies das diese dieser dieses hier dort da sag sagen gib "
                "geben zeig zeigen geh komm nimm mach machen lass hör hören schick schicken buche bestell bezahl "
                "ruf änder ändern erklär wieder zurück mehr weniger kein keine keinen nichts anders andere etwas "
                "jemand heute morgen gestern bitte"
            )
        ),
        fillers=frozenset(words("äh ähm öh ach also na nun so und")),
    ),
    cues=Cues(
        unfinished=endings(
            "der, die, das, den, dem, des, ein, eine, einen, einem, einer, mein, meine, meinen, dein,ihre, unser,"
            "und,oder, aber, weil, dass, ob, wenn, denn, sondern, obwohl, damit, mit, von, für, zu, zum,zur, bei,"
            "beim,im, am, ohne, gegen, wegen, durch, ich möchte, ich will, ich brauche, ich wollte,können sie,"
            "könnten sie,ist, sind, äh, ähm, hm, also ich, nummer ist, name ist, nummer lautet, moment,"
            "einen moment, ich meine,ich meinte, zum beispiel"
        ),
        doubtful=endings(
            "in, an, auf, aus, nach, vor, über, unter, als, wie, so, noch, auch, nur, sehr, dann,also, was, wo,"
            "hat, wird"
        ),
        finished=endings(
            "ja, nein, doch, okay, ok, gut, genau, richtig, stimmt, danke, bitte, stopp, halt,tschüss, nein danke"
        ),
        closing=endings("danke, bitte, vielen dank, danke schön, das war's, auf wiederhören"),
        digits=endings("null, eins, zwei, zwo, drei, vier, fünf, sechs, sieben, acht, neun, doppel"),
        numbers=endings("nummer, kontonummer, telefonnummer, code, pin, iban, postleitzahl, karte, kundennummer"),
        lengths={"pin": 4, "postleitzahl": 5, "code": 6, "telefonnummer": 10, "karte": 16, "kartennummer": 16},
        spelled=endings("name, nachname, buchstabiert, buchstabieren, adresse, e-mail, email, mail"),
        signs=endings("strich, bindestrich, minus, unterstrich, plus, schrägstrich, komma"),
        at_signs=endings("at, klammeraffe"),
        dots=endings("punkt"),
        corrections=endings("nein, entschuldigung, falsch, halt"),
        leads=endings("es ist, das ist, ja, also, das wäre, sie lautet, gerne, moment, okay"),
    ),
    agreement=Agreement(
        yes=phrases(
            "ja,jawohl,jep,gerne,gern,okay,ok,klar,genau,richtig,natürlich,sicher,bitte,machen sie das,mach das,"
            "in ordnung,einverstanden,stimmt,passt,gut"
        ),
        no=phrases(
            "nein,nee,nicht,kein,keine,aber,warte,warten sie,moment,stopp,stop,halt,lieber,stattdessen,doch nicht,"
            "andere,anders,später,wie,was,warum,wann,welche,vielleicht"
        ),
    ),
    speech=SPEECH,
    idle=frozenset(
        words(
            "der die das den dem des ein eine einen einem einer eines und oder aber also von zu in im an am für "
            "mit aus bei nach über als ob dann dies diese dieser dieses diesen es ich du er sie wir ihr mir mich "
            "dir dich ihm ihn ihnen uns euch mein meine meinen meinem meiner dein deine ihre ihren ihrem sein "
            "seine unser unsere ist bin bist sind war waren wäre werde wird werden wurde hat hatte hätte hätten "
            "kann kannst können könnte könnten könntest will willst wollen möchte möchten soll sollte muss müssen "
            "darf dürfen was wer wem wen wie nur auch sehr etwas irgendwas anderes sagen sag sage geben gib gebe "
            "zeigen zeig wissen weiß denke glaube bitte hilfe helfen hallo hi hey guten willkommen entschuldigung "
            "verzeihung äh ähm hm ja genau richtig frage fragen antwort wiederholen nochmal langsam lauter "
            "verstehe verstehen höre hören name heiße heißen roboter computer maschine automat assistent stimme "
            "echt mal denn doch da hier dort eigentlich einfach gern gerne kurz deutsch englisch sprache man sich "
            "so"
        )
    ),
    handovers=phrases(
        "gebe ihnen meine,gebe ihnen meinen,gebe dir meine,gebe dir meinen,gebe sie weiter,"
        "gebe mal weiter,gebe weiter an,reiche sie weiter,reiche weiter an,hier ist meine frau,"
        "hier ist mein mann,hier kommt meine,hier kommt mein,sprechen sie mit meiner,"
        "sprechen sie mit meinem,gebe das telefon"
    ),
)
