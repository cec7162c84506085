"""Roman numerals. Pure."""

import re

NUMERAL = r"(?:X{0,3}(?:IX|IV|V?I{0,3}))(?<=[IVX])"
"""Pattern of the numerals from I to XXXIX; larger ones are hardly ever meant."""

_VALUES = {"I": 1, "V": 5, "X": 10}


def roman(text: str) -> int:
    """The number that a numeral of :data:`NUMERAL` stands for."""
    values = [_VALUES[char] for char in text]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def is_plain(text: str) -> bool:
    """Whether capital letters are surely a numeral: one letter, or a mere run of X, is often something else."""
    return len(text) > 1 and re.fullmatch("X+", text) is None
