"""Spanish."""

import re

from languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words
from languages.numerals import currencies, in_words, nouns
from languages.roman import NUMERAL, is_plain, roman
from languages.speech import Speech, short_forms


def _clock(hour: int, minute: int, half: str) -> str:
    said = f"{_feminine(hour)} {_cardinal(minute)}" if minute else _feminine(hour)
    if half:
        early, late = half == "a.m.", half == "p.m."
        if late and hour == 12:
            return f"{said} del mediodía"
        if early and hour == 12 or late and 8 <= hour < 12:
            return f"{said} de la noche"
        return f"{said} de la {'madrugada' if early and hour < 6 else 'mañana' if early else 'tarde'}"
    return said if minute else f"{said} horas" if hour != 1 else "una hora"


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{_cardinal(day) if day > 1 else 'primero'} de {SPEECH.month_name(month)}"
    return said if year is None else f"{said} de {_cardinal(year)}"


def _feminine(hour: int) -> str:
    return re.sub("uno$", "una", _cardinal(hour))


def _counted(said: str) -> str:
    return re.sub("uno$", "un", re.sub("veintiuno$", "veintiún", said))


def _feminine_count(said: str) -> str:
    return re.sub("cientos", "cientas", re.sub("quinientos", "quinientas", re.sub("uno$", "una", said)))


def _is_feminine(noun: str) -> bool:
    """As far as its end tells."""
    if noun in _NO_NOUNS or noun.endswith(("ema", "emas", "oma", "omas")) or noun in _MASCULINE:
        return False
    ends = ("a", "as", "ción", "ciones", "sión", "siones", "dad", "dades", "tud", "tudes", "umbre", "umbres")
    return noun in _FEMININE or noun.endswith(ends)


def _one_of(found: re.Match[str]) -> str:
    said, noun = _cardinal(int(found[1].replace(".", ""))), found[2]
    if noun in _NO_NOUNS or _spelled_before(found):
        return found.group()
    return f"{_feminine_count(said) if _is_feminine(noun) else _counted(said)} "


def _hundreds_of(found: re.Match[str]) -> str:
    """200 before a feminine noun."""
    if not _is_feminine(found[2]) or _spelled_before(found):
        return found.group()
    return f"{_feminine_count(_cardinal(int(found[1].replace('.', ''))))} "


def _spelled_before(found: re.Match[str]) -> bool:
    return re.search(rf"(?i)(?:{SPEECH.spelled_after})[\s:#]*$", found.string[: found.start()]) is not None


def _numbered(found: re.Match[str]) -> str:
    return f"{found[1]} {_cardinal(roman(found[2]))}"


def _reign(found: re.Match[str]) -> str:
    number = roman(found[2])
    if not is_plain(found[2]):
        return found.group()
    said = _ordinal_of(number) if number <= 10 else _cardinal(number)
    if number <= 10 and (found[1].endswith("a") or found[1] in _QUEENS):
        said = re.sub("o$", "a", said)
    return f"{found[1]} {said}"


def _time(found: re.Match[str]) -> str:
    return _clock(int(found[1]), int(found[2]), "")


def _fraction(above: int, below: int) -> str:
    if (above, below) == (1, 2):
        return "medio"
    known = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 7: "séptimo", 8: "octavo", 9: "noveno"}
    name = known.get(below) or ("décimo" if below == 10 else f"{_cardinal(below).replace(' ', '')}avo")
    return f"un {name}" if above == 1 else f"{_counted(_cardinal(above))} {name}s"


_NO_NOUNS = frozenset(
    words(
        "con por sin del los las que más mas fue son hay era ha he para una cada hasta contra ahora fuera sea nada "
        "esta esa mañana ya a la"
    )
)
_MASCULINE = frozenset(words("día días mapa mapas planeta planetas artista artistas turista turistas euríbor"))
_FEMININE = frozenset(
    words(
        "noche noches tarde tardes mujer mujeres clase clases llave llaves parte partes imagen imágenes orden órdenes "
        "ley leyes red redes luz luces flor flores mano manos calle calles nave naves base bases frase frases serie "
        "series foto fotos moto motos señal señales vez veces torre torres fuente fuentes sede sedes"
    )
)
_QUEENS = frozenset({"Isabel", "Beatriz", "Inés", "Carmen"})
_NO_AMOUNT = r"(?!\s?(?:€|%|(?:euros?|dólares|pesos|habitantes|personas|metros|kilómetros|de)\b))"
_cardinal = in_words("es", "cardinal")
_ordinal_of = in_words("es", "ordinal")

SPEECH = Speech(
    cardinal=_cardinal,
    ordinal=in_words("es", "ordinal"),
    year=_cardinal,
    clock=_clock,
    date=_date,
    thousands=".\u00a0\u202f\u2009",
    point="coma",
    month_first=False,
    months=(
        *("enero ene", "febrero feb", "marzo mar", "abril abr", "mayo may", "junio jun", "julio jul"),
        *("agosto ago", "septiembre sep sept", "octubre oct", "noviembre nov", "diciembre dic"),
    ),
    weekdays=("lunes lun", "martes mar", "miércoles mié", "jueves jue", "viernes vie", "sábado sáb", "domingo dom"),
    currencies=currencies(
        """
        € EUR: un euro, euros, un céntimo, céntimos
        $ US$ USD: un dólar, dólares, un centavo, centavos
        £ GBP: una libra, libras, un penique, peniques
        MXN: un peso, pesos, un centavo, centavos
        ₹ INR: una rupia, rupias, una paisa, paisas
        ¥ JPY: un yen, yenes
        """
    ),
    units=nouns(
        """
        %: uno por ciento, por ciento
        km: un kilómetro, kilómetros
        m: un metro, metros
        cm: un centímetro, centímetros
        mm: un milímetro, milímetros
        m² m2: un metro cuadrado, metros cuadrados
        km/h: un kilómetro por hora, kilómetros por hora
        kg: un kilo, kilos
        g: un gramo, gramos
        l L: un litro, litros
        ml: un mililitro, mililitros
        °C: un grado Celsius, grados Celsius
        °: un grado, grados
        h: una hora, horas
        min: un minuto, minutos
        s: un segundo, segundos
        MB: un megabyte, megabytes
        GB: un gigabyte, gigabytes
        kW: un kilovatio, kilovatios
        kWh: un kilovatio hora, kilovatios hora
        mg: un miligramo, miligramos
        ml: un mililitro, mililitros
        V: un voltio, voltios
        Hz: un hercio, hercios
        MHz: un megahercio, megahercios
        GHz: un gigahercio, gigahercios
        Mbps Mbit/s: un megabit por segundo, megabits por segundo
        Gbps Gbit/s: un gigabit por segundo, gigabits por segundo
        TB: un terabyte, terabytes
        dB: un decibelio, decibelios
        kcal: una kilocaloría, kilocalorías
        m/s: un metro por segundo, metros por segundo
        """
    ),
    scales={"k": "mil", "mil": "mil", "millón": "millón de", "millones": "millones de", "M": "millones de"},
    ordinal_mark=r"\.?[ºª°]",
    spelled_after=(
        r"(?:número|núm\.|n\.º|cuenta|código|OTP|CP|clave|pin|teléfono|tarjeta|referencia|postal)"
        r"(?: (?:de|es|número|cuenta|teléfono|tarjeta|cliente|pedido|termina en|terminada en))*"
        r"|termina en|terminada en"
    ),
    signs={
        "%": "por ciento",
        "&": "y",
        "+": "más",
        "-": "menos",
        "±": "más menos",
        "=": "igual a",
        "<": "menor que",
        ">": "mayor que",
        "*": "por",
        ":": "entre",
        "@": "arroba",
        "#": "número",
        ".": "punto",
        "~": "aproximadamente",
        "²": "al cuadrado",
        "³": "al cubo",
        "^": "elevado a",
        "√": "raíz cuadrada de",
        "∛": "raíz cúbica de",
        "≤": "menor o igual que",
        "≥": "mayor o igual que",
        "≠": "distinto de",
        "∞": "infinito",
        "π": "pi",
        "§": "artículo",
        "§§": "artículos",
        "by": "por",
        "heart": "quiero",
        "sharp": "sharp",
        "to": "a",
        "ratio": "a",
        "per": "por",
        "and": "y",
        "ending in": "terminada en",
        "out of": "de",
        "over": "sobre",
        "star": "asterisco",
        "hash": "almohadilla",
    },
    fractions={"½": "medio", "1/2": "medio", "¼": "un cuarto", "1/4": "un cuarto", "¾": "tres cuartos"},
    abbreviations={
        "Sr.": "señor",
        "Sra.": "señora",
        "Srta.": "señorita",
        "Dr.": "doctor",
        "Dra.": "doctora",
        "D.": "don",
        "Ud.": "usted",
        "Uds.": "ustedes",
        "p. ej.": "por ejemplo",
        "P. ej.": "Por ejemplo",
        "p.ej.": "por ejemplo",
        "etc.": "etcétera",
        "aprox.": "aproximadamente",
        "Avda.": "avenida",
        "Av.": "avenida",
        "Prof.": "profesor",
        "Profa.": "profesora",
        "EE.UU.": "Estados Unidos",
        "EE. UU.": "Estados Unidos",
        "Sto.": "santo",
        "Sta.": "santa",
        "Pza.": "plaza",
        "pza.": "plaza",
        "dpto.": "departamento",
        "máx.": "máximo",
        "mín.": "mínimo",
        "vs.": "contra",
        "Dña.": "doña",
        "Excmo.": "excelentísimo",
        "Tfno.": "teléfono",
        "tfno.": "teléfono",
        "izq.": "izquierda",
        "dcha.": "derecha",
        "a. C.": "antes de Cristo",
        "d. C.": "después de Cristo",
        "lun.": "lunes",
        "mié.": "miércoles",
        "jue.": "jueves",
        "vie.": "viernes",
        "sáb.": "sábado",
        "dom.": "domingo",
        "Tel.": "teléfono",
        "tel.": "teléfono",
    },
    abbreviations_before_numbers={
        "núm.": "número",
        "n.º": "número",
        "nº": "número",
        "pág.": "página",
        "Pág.": "Página",
        "págs.": "páginas",
        "tel.": "teléfono",
        "Tel.": "teléfono",
        "art.": "artículo",
        "cap.": "capítulo",
    },
    no_ends=short_forms(
        "sr sra srta dr dra ud uds p.ej p ej aprox avda a.m p.m ee.uu ee uu av prof profa sto sta pza dpto máx mín vs "
        "dña excmo a d tfno lun mié jue vie sáb dom"
    ),
    no_ends_before_numbers=short_forms("núm pág págs tel art cap"),
    counted=_counted,
    phones=r"(?:[6-9]\d\d \d{3} \d{3}|[6-9]\d\d \d\d \d\d \d\d|9\d \d{3} \d\d \d\d)" + _NO_AMOUNT,
    pressed=r"puls|marc|tecl|presion|oprim|introduz",
    shortened={"h": "hora", "min": "minuto", "s": "segundo"},
    one_of_scale={"millones de": "un millón de"},
    feminine=_feminine_count,
    feminine_one="una ",
    year_joiner=" de ",
    fraction=_fraction,
    date_after="el|al|del|desde|hasta|día",
    expires_after="caduca|vence|vencimiento|válida hasta",
    own=(
        (
            r"(?<![\w.,])(\d{1,2})\.?ª",
            lambda found: _ordinal_of(int(found[1])).replace("o ", "a ").removesuffix("o") + "a",
        ),
        (r"\b([13])\.?er\b", lambda found: "primer" if found[1] == "1" else "tercer"),
        (r"(?<![\w.,:/-])(?<!\d )(\d{0,2}(?<!1)1|\d{1,3}(?:\.\d{3})*\.\d{2}(?<!1)1) (?=([a-záéíóúñ]{3,})\b)", _one_of),
        (r"(?<![\w.,:/-])(?<!\d )([1-9]\d{2,3}|\d{1,3}(?:\.\d{3})+) (?=([a-záéíóúñ]{4,})\b)", _hundreds_of),
        (r"\bL-V\b", lambda _: "lunes a viernes"),
        (rf"\bS\. ({NUMERAL})\b", lambda found: f"siglo {_cardinal(roman(found[1]))}"),
        (r"(?<![\w:.,])([01]?\d|2[0-4])\.([0-5]\d)\s?(?:h|hrs|horas)\b", _time),
        (r"(?<![\w])C/(?=\s?[A-ZÁÉÍÓÚ])", lambda _: "calle "),
        (
            rf"\b([Ss]iglos?|[Cc]apítulo|[Tt]omo|[Pp]arte|[Aa]cto|[Ll]uis|[Tt]ipo|[Nn]ivel|[Ff]ase) ({NUMERAL})\b",
            _numbered,
        ),
        (rf"\b([A-ZÁÉÍÓÚ][a-záéíóúñ]+) ({NUMERAL})\b(?!['’])", _reign),
        (r"(?<![\w:.,])([01]?\d|2[0-4]):([0-5]\d)\s?(?:h|hrs|horas)\b", _time),
    ),
)

SPANISH = Language(
    code="es",
    name="Spanish",
    locale="es-ES",
    azure_voice="es-ES-XimenaNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Hola, le atiende la línea de ayuda del banco. ¿En qué puedo ayudarle?",
        repeat="Perdone, no le he entendido. ¿Puede repetirlo?",
        moment="Un momento, por favor.",
        still="Sigo en ello.",
        apology="Lo siento, ahora mismo no puedo responder. Inténtelo de nuevo en un momento.",
        still_there="¿Sigue ahí?",
        goodbye="Parece que no hay nadie, así que voy a colgar. Adiós.",
        closing="Esta línea se cierra un momento. Vuelva a llamar en un minuto, por favor. Adiós.",
        time_up="Hemos hablado todo el tiempo que permite esta línea, así que voy a colgar. Adiós.",
        person="Soy un asistente automático. ¿Hablo con una persona?",
        busy="Ahora mismo recibo muchas llamadas. Tardaré aproximadamente {wait}.",
        in_queue="Sigue usted en la cola, aproximadamente {wait}.",
        full="Recibo más llamadas de las que puedo atender. Inténtelo de nuevo en un minuto.",
        quota="Hoy ya no puedo dar más respuestas. Vuelva a llamar mañana, por favor.",
        go_on="¿Sigo?",
        farewell="Adiós.",
        waits={5: "cinco segundos", 10: "diez segundos", 20: "veinte segundos", 30: "medio minuto", 60: "un minuto"},
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "sí,si,vale,claro,de acuerdo,bien,muy bien,bueno,ya,ya veo,entiendo,entendido,exacto,correcto,"
            "perfecto,gracias,muchas gracias,ok,okay,ajá,aja,genial,eso,por supuesto,estupendo,mhm,cómo no,"
            "eso es,eso mismo,efectivamente,verdad,ya entiendo,comprendo,comprendido,conforme,de nada,"
            "muy amable,mil gracias,se lo agradezco,está bien,me parece bien,sin problema,no hay problema,"
            "no pasa nada,siga,continúe,adelante,prosiga,dale,listo,ándale,por qué no"
        ),
        stops=phrases(
            "para,pare,espera,espere,un momento,no,alto,silencio,basta,perdón,perdona,perdone,disculpe,pero,oiga,"
            "oye,hola,qué,cómo,cuándo,dónde,por qué,quién,cuál,cuánto,puede,puedo,quiero,necesito"
        ),
        exclamations=phrases(
            "ay,ay ay ay,ay ay,uy,huy,ups,uf,guau,vaya,vaya vaya,anda,caramba,caray,madre mía,dios mío,dios,"
            "ay dios,ay dios mío,por dios,jesús,hombre,mujer,hala,ostras,jolín,jo,joder,mierda,maldición,rayos,"
            "qué pena,qué lástima,qué bien,qué bueno,qué interesante,qué raro,no me digas,jaja,ja,je,olé,bravo,"
            "viva,hurra,sí señor,sí señora,no señor,señor,señora,claro que sí,desde luego,cierto,es cierto,"
            "es verdad,así es,ya lo sé,menos mal,salud,increíble,fantástico,maravilloso,excelente,interesante,"
            "estupendo,puf,ah bueno,gracias a dios,tiene razón,tienes razón,yo también,lo sé,qué cosas,órale,"
            "híjole,no manches"
        ),
        requests=frozenset(
            words(
                "me te le les nos lo la esto eso aquello este ese aquí allí dime diga dígame dame deme muéstrame "
                "vete ven toma pon haz hazme deja déjame escucha envía reserva pide paga llama cambia explica "
                "otra otro vez más menos nunca nada algo alguien hoy mañana ayer"
            )
        ),
        fillers=frozenset(words("eh em este pues ah oh bueno y")),
    ),
    cues=Cues(
        unfinished=endings(
            "el, la, los, las, un, una, unos, unas, mi, mis, tu, su, sus, nuestro, y, e, o, u, pero,porque, que,"
            "si,aunque, sino, de, del, a, al, con, en, para, por, sin, sobre, desde, hasta, entre, hacia, quiero,"
            "quisiera, necesito, me gustaría, puede, podría, es, son, está, eh, em, este, número es, nombre es,"
            "un momento, o sea, es decir, por ejemplo"
        ),
        doubtful=endings("muy, más, como, cuando, donde, no, también, entonces, pues, bueno, lo, se, me"),
        finished=endings(
            "sí, si, no, vale, bien, claro, exacto, correcto, gracias, por favor, adiós, para,no gracias,sí por favor"
        ),
        closing=endings("gracias, por favor, muchas gracias, adiós, eso es todo, nada más"),
        digits=endings("cero, uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, doble"),
        numbers=endings("número, código, pin, teléfono, cuenta, tarjeta, postal, referencia"),
        lengths={"pin": 4, "postal": 5, "código": 6, "teléfono": 9, "tarjeta": 16},
        spelled=endings("nombre, apellido, deletreo, deletrear, correo, dirección, email"),
        signs=endings("guion, guión, barra, más, coma"),
        at_signs=endings("arroba"),
        dots=endings("punto"),
        corrections=endings("no, perdón, perdone"),
        leads=endings("es, es el, sí, bueno, sería, claro, vale"),
    ),
    agreement=Agreement(
        yes=phrases(
            "sí,si,claro,vale,de acuerdo,por supuesto,correcto,exacto,adelante,hágalo,está bien,perfecto,ok,okay"
        ),
        no=phrases(
            "no,nunca,pero,espere,espera,un momento,pare,mejor,en vez,cambie,otro,otra,después,cómo,qué,por qué,"
            "cuándo,cuál,quizás,tal vez"
        ),
    ),
    speech=SPEECH,
    idle=frozenset(
        words(
            "el la los las un una unos unas y o pero así de del a al en con por para desde sobre como si que qué "
            "este esta esto estos estas ese esa eso esos esas lo le les se me te nos mi mis tu tus su sus nuestro "
            "nuestra yo tú él ella usted ustedes nosotros ellos es soy eres son era fue ser está estoy están "
            "estar ha he han había haber puede puedes pueden podrías podría podéis quiero quiere quisiera quería "
            "querría debe debería quién quiénes cómo solo sólo también muy algo alguna algún otro otra otros "
            "otras diga dígame dime decir dar dame deme mostrar muéstrame saber sabe sabes creo pienso favor "
            "ayuda ayudar hola buenas bienvenido perdón perdone disculpe eh em hm pues bueno sí claro correcto "
            "pregunta preguntas preguntar respuesta repetir repita repite vez despacio entiendo entender oigo "
            "escucho significa nombre llama llamas robot máquina asistente voz real verdad aquí ahí allí español "
            "inglés idioma"
        )
    ),
    handovers=phrases(
        "le paso con,le paso a,te paso con,te paso a,se pone mi,le pongo con,aquí está mi,"
        "hable con mi,habla con mi,paso el teléfono"
    ),
)
