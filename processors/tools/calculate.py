"""Arithmetic: the one thing that a language model should not do by itself."""

import ast
import re
from collections.abc import Callable
from decimal import Context, Decimal, DecimalException
from typing import Annotated

from pydantic import Field

from processors.tools.base import MeantBy, ToolError
from processors.tools.declare import tool

MAX_CHARS = 200
MAX_EXPONENT = 100
MAX_MAGNITUDE = Decimal(10) ** 30
"""Numbers beyond this are not for the telephone; and they would take for ever."""

EXACT = Context(prec=60)

OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: EXACT.add,
    ast.Sub: EXACT.subtract,
    ast.Mult: EXACT.multiply,
    ast.Div: EXACT.divide,
    ast.FloorDiv: lambda left, right: _floor(EXACT.divide(left, right)),
    ast.Mod: lambda left, right: EXACT.subtract(left, EXACT.multiply(_floor(EXACT.divide(left, right)), right)),
    ast.Pow: EXACT.power,
}
SIGNS: dict[type[ast.unaryop], Callable[[Decimal], Decimal]] = {ast.UAdd: EXACT.plus, ast.USub: EXACT.minus}
FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "abs": EXACT.abs,
    "max": max,
    "min": min,
    "sqrt": EXACT.sqrt,
    "round": lambda number, digits=Decimal(0): EXACT.quantize(number, Decimal(1).scaleb(-int(digits))),
}


MEANT_BY = MeantBy(
    {
        "en": (
            "#, percent*, interest, sum, sums, total*, add*, plus, minus, times, divid*, multipl*, split*, "
            "average*, half, halves, twice, double*, triple*, quarter*, third, thirds, fifth*, tenth*, per, "
            "difference, more, less, worth, cost*, left, remain*, change, convert*, square*, root*, "
            "altogether, combin*, calculat*, comput*, work out, figure, count*, many, much, together, rate, "
            "hundred*, thousand*, million*, dozen, subtract*, power, math*, arithmetic, equal*, fraction, "
            "ratio, discount*, instal*, monthly, yearly, annual*, each, share"
        ),
        "de": (
            "#, prozent*, *zins*, summe*, gesamt*, insgesamt, plus, minus, mal, *teil*, durch, multipli*, "
            "*rechn*, durchschnitt*, hälfte*, halb*, doppel*, *fach*, viertel*, drittel*, pro, differenz, "
            "mehr, weniger, wert, kost*, übrig, bleib*, zusammen, wurzel, quadrat*, hoch, wieviel*, wie "
            "viel*, viel*, *zig, *hundert*, *tausend*, million*, *zieh*, addier*, rate*, monatlich, jährlich, "
            "jede*"
        ),
        "es": (
            "#, por ciento, porciento, porcentaje, ciento*, interés*, interes*, suma*, total, más, menos, "
            "multiplicado, entre, divid*, multiplic*, mitad, medio, doble, triple, cuarto, tercio, tercera, "
            "quinta, promedio, media, diferencia, raíz, cuadrad*, calcul*, cuánto*, cuánta*, queda*, rest*, "
            "junt*, cada, mensual*, anual*, *cientos, *cientas, quinient*, mil, miles, millon*, millón, "
            "descuento, repart*, cuesta*, vale*"
        ),
        "fr": (
            "#, pour cent, pourcent*, intérêt*, somme*, total*, plus, moins, fois, divis*, multipli*, moitié, "
            "demi*, double*, triple*, quart*, tiers, cinquième, moyenne, différence, racine, carré*, calcul*, "
            "combien, reste*, ensemble, chaque, mensuel*, annuel*, cent*, mille*, million*, remise, coût*, "
            "vaut, partag*, addition*, soustra*, ajout*"
        ),
        "hi": (
            "#, प्रतिशत, फीसदी, फ़ीसदी, परसेंट, ब्याज, जोड़*, घटा*, गुणा, भाग, आधा, आधे, दोगुना, तिगुना, औसत, "
            "कुल, मिलाकर, अंतर, हिसाब, कितना, कितने, कितनी, बचेगा, बचेंगे, वर्ग, मूल, गणना, गुना, सौ, हज़ार, "
            "हजार, लाख, करोड़, प्रति, हर, kitna, kitne"
        ),
    },
    few_ways=True,
)


@tool(meant_by=MEANT_BY, timeout_secs=2)
async def calculate(
    expression: Annotated[
        str, Field(max_length=MAX_CHARS, description="Numbers, + - * / // % **, brackets; abs, max, min, round, sqrt.")
    ],
) -> str:
    """Work out an arithmetic expression exactly, for sums, interest and percentages."""
    return f"{expression.strip()} = {plain(evaluate(expression))}"


def evaluate(expression: str) -> Decimal:
    """The value of an expression; nothing but arithmetic is understood.

    Raises:
        ToolError: It is something else, or too large.
    """
    # A comma between digits groups thousands, unless it may separate a function's arguments.
    text = expression if re.search("[a-z]", expression) else expression.replace(",", "")
    try:
        return _value(ast.parse(text.replace("^", "**").strip(), mode="eval").body)
    except SyntaxError:
        raise ToolError("that is no arithmetic expression") from None
    except (DecimalException, ArithmeticError, TypeError, ValueError, RecursionError):
        raise ToolError("that has no result: a division by zero, perhaps, or a root of less than zero") from None


def _value(node: ast.expr) -> Decimal:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            result = Decimal(repr(number))
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in SIGNS:
            result = SIGNS[type(sign)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            operands = _value(left), _value(right)
            if isinstance(op, ast.Pow) and abs(operands[1]) > MAX_EXPONENT:
                raise ToolError(f"an exponent may be {MAX_EXPONENT} at most")
            result = OPERATORS[type(op)](*operands)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            result = FUNCTIONS[name](*map(_value, arguments))
        case _:
            raise ToolError("only numbers, + - * / // % **, brackets and abs, max, min, round, sqrt are understood")
    if not abs(result) <= MAX_MAGNITUDE:
        raise ToolError("the numbers are too large")
    return result


def plain(number: Decimal) -> str:
    """A number without exponent and idle zeros, with ten decimals at most."""
    text = f"{EXACT.quantize(number, Decimal('1e-10')):f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _floor(number: Decimal) -> Decimal:
    return Decimal(number.__floor__())
