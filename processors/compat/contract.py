"""How private names are listed, so that a start can check them, and the error where one is gone."""

from typing import Any

PrivateFunctions = tuple[tuple[Any, str, tuple[str, ...]], ...]
"""Owner, name and parameters of each function that is called, or replaced, though it is private."""

PrivateFields = tuple[tuple[type, tuple[str, ...]], ...]
"""Class and private attributes of its instances that are read or set."""


class CompatError(RuntimeError):
    """The installed Pipecat, aiortc or aioice is not one that Parley knows."""
