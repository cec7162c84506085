"""Types of settings that are written in an environment variable in a way of their own."""

from typing import Annotated, Final

from pydantic import BeforeValidator
from pydantic_settings import NoDecode


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


CommaSeparated = Annotated[list[str], NoDecode, BeforeValidator(_split)]
"""A list, as words with commas between."""

NONE_IF_EMPTY: Final = BeforeValidator(_none_if_empty)
"""An empty text is no value."""
