"""What is written in signs and said in words: sums, powers, roots, fractions, codes, instants, entities. Pure."""

import html
import re
from typing import Final

from languages.speech import Speech
from processors.tts.aligned_text import Pieces, Rule
from processors.tts.codes import read_out, read_runs
from processors.tts.figures import Figures

Rules = list[tuple[re.Pattern[str], Rule]]

_ENTITY: Final = re.compile(r"&(?:#\d{1,6}|#[xX][\da-fA-F]{1,6}|[A-Za-z]{2,8});")
_FORMULA: Final = re.compile(
    r"\$\$(.{1,200}?)\$\$|\$(?=[^\s\d$])([^$\n]{1,80}?)(?<=[^\s$])\$(?!\w)|\\[(\[](.{1,200}?)\\[)\]]"
)
_COMMANDS: Final = {
    "times": "×", "cdot": "×", "div": "÷", "pm": "±", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠",
    "neq": "≠", "infty": "∞", "pi": "π", "approx": "≈",
}  # fmt: skip
_HEART: Final = re.compile(r"(?<=\w )<3(?= (?:you|u|it|this|that|them|my|our|dich|euch|te|os|toi|vous|mucho|tanto)\b)")
_HEART_AT_END: Final = re.compile(r"(?<![\d=]\s)<3+(?=\s*(?:[.,!?]|$|[^\w\s.,!?<>=]))")
_JOINER_OF_SIGNS: Final = re.compile(
    r"[\u200c\u200d](?![^\W\d_\u0900-\u097f])(?![\u0900-\u097f])|(?<![\w\u0900-\u097f])[\u200c\u200d]"
)
_NOTE: Final = re.compile(r"\b([A-G])#(?![\w#])")
_GROUPED: Final = re.compile(r"(?<![\w.])\d{1,3}(?:_\d{3})+(?!\w)")
_THOUSANDS: Final = re.compile(
    r"(?<![\w.,:/+-])(?<!\d )[1-9]\d{0,2}(?: \d{3})*(?: 000)(?: \d{3})*(?![\w-]|[.:/]\d| \d)"
)
"""Grouped by blanks; one group of zeros tells it from a telephone number."""

_VERSION: Final = re.compile(r"(?i)\b(versi[oó]n|release|update|python|android|ios) v?(\d+)\.(\d+)(?![\d.])")
"""Its dot is no decimal mark."""

_BY: Final = re.compile(r"(?<!\w)(\d{1,5})[x×](?=\d{1,5}(?:(?:cm|mm|m|km|px)\b|(?!\w)))")
_FROM_HOUR: Final = re.compile(r"(?<=[AaPp][Mm])\s?[-–]\s?(?=\d)|(?<=[AaPp]\.[Mm]\.)\s?[-–]\s?(?=\d)")
_RATED: Final = re.compile(r"(?<![\w.,/])(\d+[.,]\d)\s?/\s?(\d{1,3})(?![\d/]|[.,]\d)(?!\s?=)")
_OF_STARS: Final = re.compile(
    r"(?<![\w.,/])(\d{1,3})\s?/\s?(5|10|100)(?= (?:stars?|points?|Sterne|Punkte?|estrellas|puntos|étoiles|अंक))"
)
_OVER: Final = re.compile(r"(?<![\w.,/-])(8\d|9\d|1\d\d|2[0-4]\d)/([4-9]\d|1[0-3]\d)(?![\w/%]|[.,]\d|\s?=)")
"""Blood pressure."""

_PER_MONEY: Final = re.compile(r"(?<=[€$£₹¥%])\s?/\s?([^\W\d_]+)\b\.?")
_PER_SHORT: Final = re.compile(r"(?<=\d)/([a-z]{2,3})\b(?!\.\w)")
_PER_100: Final = re.compile(r"(?<=\d)\s?(l|L|kWh)\s?/\s?100\s?km\b")
_RATIO_OF_SUM: Final = re.compile(r"(?<=\d)\s?:\s?(?=\d+(?:[.,]\d+)?\s?=)")
_MINUS_OF_SUM: Final = re.compile(r"(?<=\d)[-−–](?=\d+(?:[.,]\d+)?\s?=)")
_BARE_POINT: Final = re.compile(r"(?<=[$£€₹])\.(?=\d)")
_SHORT_YEAR: Final = re.compile(r"(?<!\w)['’](?=[1-9]\ds?\b)")
_FILE: Final = re.compile(
    r"(?<=\w)\.(?=(?:pdf|docx?|xlsx?|pptx?|csv|txt|jpe?g|png|gif|zip|mp[34]|wav|html?|json|exe)\b)", re.IGNORECASE
)
_MAIN: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LOW: Final = "₀₁₂₃₄₅₆₇₈₉"
_OPERAND: Final = r"[\w)π∞%°]"
_LETTER_OR_FIGURE: Final = r"[\w(π∞√$£€-]"

ISO_INSTANT: Final = re.compile(
    r"(?P<before>(?<!\w)[^\W\d_]+\s+)?(?<![\w-])(?P<date>[12]\d{3}-[01]\d-[0-3]\d)[T ]"
    r"(?P<h>[01]\d|2[0-4]):(?P<m>[0-5]\d)"
    r"(?::(?P<s>[0-5]\d)(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?(?![\w:])"
)
DURATION: Final = re.compile(r"(?<![\w:.,])(?P<h>\d):(?P<m>[0-5]\d):(?P<s>[0-5]\d)(?![\w:]|\.\d|\s?[AaPp]\.?[Mm])")
FRACTION: Final = re.compile(
    r"(?<![\w.,/:$£€-])(?:(?P<whole>\d{1,3})[ \u00a0])?(?P<n>\d{1,2})/(?P<d>\d{1,3})(?![\w/%]|[.,]\d|\s?=)"
)
DIVIDED: Final = re.compile(r"(?<=\d)\s?/\s?(?=\d+(?:[.,]\d+)?\s?=)|(?<=\d)\s/\s(?=\d)")
SCIENTIFIC: Final = re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)[eE]([+-]?)(\d{1,3})(?!\w)")
DASHED_CODE: Final = re.compile(r"(?<![\w-])(?=[A-Z\d-]*[A-Z])(?=[A-Z\d-]*\d)[A-Z\d]+(?:-[A-Z\d]+)+(?![\w-])")
DASHED_DIGITS: Final = re.compile(r"(?<![\w.,:/+(-])\d+(?:-\d+){2,}(?![\w/-]|[.,:]\d)")
EMERGENCY: Final = re.compile(r"(?<![\w.,$£€₹-])(?:112|911|999|110|115|117|118)(?![\w%]|[.,]\d)")
_EMERGENCY: Final = re.compile(
    "emergenc|ambulan|polic|fire|notruf|notfall|polizei|feuerwehr|bombero|urgence|secours|pompier|आपात|पुलिस",
    re.IGNORECASE,
)
_CALLED: Final = re.compile(r"\b(?:le|el|al|au|die|the|call|dial)\s+$", re.IGNORECASE)
_RANGE_OF_CODES: Final = re.compile(r"([A-Z])\d{1,2}-\1\d{1,2}")


def early_rules(speech: Speech) -> Rules:
    """What has to be read before any figure is."""
    signs = speech.signs

    def said(sign: str) -> Rule:
        return lambda _: f" {signs[sign]} " if sign in signs else " "

    def entity(found: re.Match[str]) -> str | None:
        char = html.unescape(found.group())
        return None if char == found.group() else char

    def formula(found: re.Match[str]) -> str | None:
        inside = next(each for each in found.groups() if each is not None)
        if found.group().startswith("$") and not re.search(r"[=^_\\+<>*/{}-]|^\w$", inside):
            return None
        return _plain_formula(inside)

    def power(found: re.Match[str]) -> str:
        exponent = (found[1] or found[2] or "").strip("{}")
        if exponent in ("2", "3"):
            return f" {signs['²' if exponent == '2' else '³']}"
        return f" {signs['^']} {exponent}"

    def high(found: re.Match[str]) -> str:
        return f" {signs['^']} " + "".join(str(_MAIN.index(char)) if char in _MAIN else "-" for char in found.group())

    def compared(found: re.Match[str]) -> str:
        sign = {"<=": "≤", ">=": "≥", "!=": "≠", "=<": "≤", "==": "=", "≈": "~"}.get(
            found.group().strip(), found.group().strip()
        )
        return f" {signs.get(sign, '')} "

    def version(found: re.Match[str]) -> str:
        return f"{found[1]} {speech.cardinal(int(found[2]))} {signs['.']} {speech.cardinal(int(found[3]))}"

    def rated(found: re.Match[str]) -> str:
        return f"{found[1]} {signs['out of']} {found[2]}"

    def over(found: re.Match[str]) -> str | None:
        return f"{found[1]} {signs['over']} {found[2]}" if int(found[1]) > int(found[2]) else None

    def per(found: re.Match[str]) -> str:
        return f" {signs['per']} {speech.shortened.get(found[1], found[1])}"

    def per_short(found: re.Match[str]) -> str | None:
        return per(found) if found[1] in speech.shortened else None

    return [
        (_ENTITY, entity),
        (_BARE_POINT, lambda _: "0."),
        (_SHORT_YEAR, lambda _: ""),
        (_FILE, said(".")),
        (re.compile(r"\+/[-−]\s?(?=\d)"), lambda _: "±"),
        (_RATED, rated),
        (_OF_STARS, rated),
        (_OVER, over),
        (_PER_100, lambda found: f" {found[1]} {signs['per']} 100 km"),
        (_PER_MONEY, per),
        (_PER_SHORT, per_short),
        (_RATIO_OF_SUM, said(":")),
        (_MINUS_OF_SUM, said("-")),
        (_JOINER_OF_SIGNS, lambda _: ""),
        (_FORMULA, formula),
        (_HEART, said("heart")),
        (_HEART_AT_END, lambda _: " "),
        (_NOTE, lambda found: [(found[1], found.start()), (f" {signs['sharp']}", found.start() + 1)]),
        (re.compile(r"(?<=[\w)π])\^(?:(\{[^{}]{1,20}\})|(-?[A-Za-z\d]+))"), power),
        (re.compile(rf"(?<=[\w)])⁻?[⁰¹⁴-⁹][{_MAIN}]*|(?<=[\w)])⁻[{_MAIN}]+|(?<=[\w)])[²³][{_MAIN}]+"), high),
        (re.compile(rf"[{_LOW}]+"), lambda found: "".join(str(_LOW.index(char)) for char in found.group())),
        (re.compile(r"√\s?"), said("√")),
        (re.compile(r"∛\s?"), said("∛")),
        (re.compile(r"\s?(?:<=|>=|=<|!=|==|≤|≥|≠|≈(?!\s?\d))\s?"), compared),
        (re.compile(rf"(?<={_OPERAND})\s[<>]\s(?={_LETTER_OR_FIGURE})"), compared),
        (re.compile(r"∞"), said("∞")),
        (re.compile(r"π"), said("π")),
        (re.compile(r"§§\s?(?=\d)"), said("§§")),
        (re.compile(r"§\s?(?=\d)"), said("§")),
        # A minus between operands, where the sign cannot be a dash: after a figure with its letter, or in a sum.
        (re.compile(r"(?<=\d[a-z]) [-−–] (?=[\da-z])|(?<=\b[a-z]) [-−] (?=[\da-z]\b)"), said("-")),
        *([(_VERSION, version)] if "." in speech.thousands else []),
        (_THOUSANDS, lambda found: found.group().replace(" ", speech.thousands[0])),
        (_GROUPED, lambda found: found.group().replace("_", speech.thousands[0])),
    ]  # fmt: skip


def rules(speech: Speech) -> Rules:
    """What is to be read before dates, times and plain numbers are looked for."""
    signs = speech.signs
    amounts = Figures(speech)
    money = "|".join(re.escape(sign) for sign in sorted(speech.currencies, key=len, reverse=True))

    def instant(found: re.Match[str]) -> Pieces | None:
        year, month, day = (int(part) for part in found["date"].split("-"))
        if not (0 < month < 13 and 0 < day < 32):
            return None
        before, zone = found["before"] or "", found["zone"] or ""
        offset = "" if zone == "Z" or not zone[1:].strip("0:") else f" {zone[0]}{int(zone[1:3])}"
        clock = speech.clock(int(found["h"]), int(found["m"]), "") + (f" UTC{offset}" if zone else "")
        said = f"{speech.date(day, month, year, before.strip().lower())}, {clock}"
        return [(before, found.start()), (said, found.start("date"))]

    def duration(found: re.Match[str]) -> str:
        parts = [(int(found[name]), speech.units[unit]) for name, unit in (("h", "h"), ("m", "min"), ("s", "s"))]
        return " ".join(
            noun.one if count == 1 else f"{speech.fit(speech.cardinal(count), noun)} {noun.many}"
            for count, noun in parts
            if count
        )

    def fraction(found: re.Match[str]) -> str | None:
        above, below = int(found["n"]), int(found["d"])
        if speech.fraction is None or (above, below) == (9, 11) or not 1 < below <= 100 or not 0 < above < below:
            return None
        said = speech.fraction(above, below)
        whole = f"{speech.cardinal(int(found['whole']))} {signs['and']} " if found["whole"] else ""
        return whole + said

    def day_and_month(found: re.Match[str]) -> Pieces | None:
        first, second = int(found["a"]), int(found["b"])
        day, month = (second, first) if speech.month_first else (first, second)
        if not (0 < month < 13 and 0 < day < 32):
            return None
        before = found["before"]
        return [(before, found.start()), (speech.date(day, month, None, before.strip().lower()), found.start("a"))]

    def month_and_year(found: re.Match[str]) -> Pieces:
        year = int(found["y"])
        said = (
            f"{speech.month_name(int(found['m']))}{speech.year_joiner}{speech.year(year if year > 99 else 2000 + year)}"
        )
        return [(found["before"], found.start()), (said, found.start("m"))]

    def range_of_money(found: re.Match[str]) -> Pieces:
        first = amounts.say(amounts.read(found["a"]))
        last, name = amounts.money(amounts.read(found["b"]), speech.currencies[found["c"]], "")
        return [(f"{first} {signs['to']} ", found.start("a")), (last, found.start("b")), (f" {name}", found.start("b"))]

    def emergency(found: re.Match[str]) -> Pieces | None:
        is_called = _CALLED.search(found.string, 0, found.start()) or _EMERGENCY.search(found.string)
        return read_out(speech, found.group(), found.start()) if is_called else None

    def scientific(found: re.Match[str]) -> str:
        minus = f"{signs['-']} " if found[2] == "-" else ""
        power = f"{speech.cardinal(10)} {signs['^']} {minus}{speech.cardinal(int(found[3]))}"
        return f"{found[1]} {signs['*']} {power}"

    def code(found: re.Match[str]) -> Pieces | None:
        return None if _RANGE_OF_CODES.fullmatch(found.group()) else read_runs(speech, found.group(), found.start())

    def digits(found: re.Match[str]) -> Pieces:
        return read_out(speech, found.group(), found.start())

    amount = amounts.pattern
    from_to = rf"(?<!\w)(?P<c>{money})\s?(?P<a>{amount})\s?[-–—]\s?(?P<b>{amount})(?!\w)"
    made: Rules = [
        (ISO_INSTANT, instant),
        (re.compile(from_to), range_of_money),
        (re.compile(r"(?P<before>)(?<![\d/.])(?P<m>0?[1-9]|1[0-2])/(?P<y>20\d\d)(?![\d/])"), month_and_year),
        (EMERGENCY, emergency),
        (SCIENTIFIC, scientific),
        (DIVIDED, lambda _: f" {signs[':']} "),
        (FRACTION, fraction),
        (_BY, lambda found: f"{found[1]} {signs['by']} "),
        (DASHED_CODE, code),
        (_FROM_HOUR, lambda _: f" {signs['to']} "),
    ]  # fmt: skip
    if {"h", "min", "s"} <= speech.units.keys():
        made.insert(1, (DURATION, duration))
    if speech.expires_after:
        expiry = rf"(?i)(?P<before>\b(?:{speech.expires_after})\s+)(?P<m>0?[1-9]|1[0-2])/(?P<y>\d\d)(?![\d/])"
        made.insert(1, (re.compile(expiry), month_and_year))
    if speech.date_after:
        dated = rf"(?i)(?P<before>\b(?:{speech.date_after})\s+)(?P<a>[0-3]?\d)/(?P<b>[0-3]?\d)(?![\d/%])"
        made.insert(1, (re.compile(dated), day_and_month))
    made.append((DASHED_DIGITS, lambda found: None if _is_date(found.group()) else digits(found)))
    return made


def _is_date(text: str) -> bool:
    """What the dates' own rules read, or a sort code."""
    sizes = [len(part) for part in text.split("-")]
    return sizes in ([4, 2, 2], [2, 2, 2]) or (len(sizes) == 3 and max(sizes[:2]) <= 2 and sizes[2] in (2, 4))


def _plain_formula(text: str) -> str:
    """LaTeX as the signs that the other rules know."""
    text = re.sub(r"\\d?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1 / \2", text)
    text = re.sub(r"\\sqrt\s*\{([^{}]*)\}", r"√\1", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda found: f" {_COMMANDS.get(found[1], '')} ", text)
    return re.sub(r"[\\{}]|\s{2,}", " ", text.replace("_", " ")).strip()
