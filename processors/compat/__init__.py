"""Everything private to Pipecat, aiortc, aioice and deepgram-sdk that Parley leans on, in one place.

Each private name stands in the ``FUNCTIONS`` or ``FIELDS`` of the module that uses it. :func:`install` checks that the
installed versions have them and stops the start with one plain sentence if not, rather than letting a call fail later;
``tests/test_compat.py`` checks also that they still *mean* the same. Deepgram's SDK is heavy: what is used of it stands
in :mod:`processors.compat.deepgram` and is checked where Deepgram is chosen.
"""

import inspect
from collections.abc import Sequence
from typing import Final

from processors.compat import caller_media, data, http, ice, inline_audio, media
from processors.compat.contract import CompatError, PrivateFields, PrivateFunctions
from processors.compat.data import bound_messages
from processors.compat.ice import ask_whether_there, close_sockets, on_sign_of_life, own_interfaces
from processors.compat.inline_audio import InlineAudio
from processors.compat.media import AudioPacket, OnPacket, SendRtp, take_audio, take_voice

__all__ = [
    "AudioPacket",
    "CompatError",
    "InlineAudio",
    "OnPacket",
    "SendRtp",
    "ask_whether_there",
    "bound_messages",
    "close_sockets",
    "install",
    "missing_names",
    "on_sign_of_life",
    "own_interfaces",
    "take_audio",
    "take_voice",
]

PRIVATE_NAMES: Final[PrivateFunctions] = (
    *inline_audio.FUNCTIONS,
    *media.FUNCTIONS,
    *ice.FUNCTIONS,
    *data.FUNCTIONS,
    *caller_media.FUNCTIONS,
)
"""Owner, name and parameters of each function that is called, or replaced, though it is private."""

PRIVATE_INSTANCE_NAMES: Final[PrivateFields] = (
    *inline_audio.FIELDS,
    *media.FIELDS,
    *ice.FIELDS,
    *data.FIELDS,
    *caller_media.FIELDS,
    *http.FIELDS,
)
"""Class and private attributes of its instances that are read or set."""


def install() -> None:
    """Check the private names, and apply the patches that hold for the whole process; idempotent.

    The patches are aioice's: see :func:`processors.compat.ice.install`.

    Raises:
        CompatError: A private name is gone or has another signature.
    """
    require(missing_names(), "pipecat-ai, aiortc or aioice")
    ice.install()


def require(missing: Sequence[str], packages: str) -> None:
    """See that nothing is missing.

    Args:
        missing: What :func:`missing_names` or :func:`missing_fields` has found.
        packages: Where it should be.

    Raises:
        CompatError: Something is.
    """
    if missing:
        raise CompatError(
            f"the installed {packages} is not a version that Parley supports; changed: {', '.join(missing)}"
        )


def missing_names() -> list[str]:
    """Private names that are gone, or functions among them whose parameters changed."""
    missing = []
    for owner, name, parameters in PRIVATE_NAMES:
        function = getattr(owner, name, None)
        if function is None or tuple(inspect.signature(function).parameters) != parameters:
            missing.append(f"{owner.__name__}.{name}")
    return missing + missing_fields(PRIVATE_INSTANCE_NAMES)


def missing_fields(fields: PrivateFields) -> list[str]:
    """Private attributes that a class's constructor does not assign."""
    missing = []
    for owner, names in fields:
        # Instances need an event loop or a live transport; what a constructor assigns can be read from its code.
        assigned = vars(owner)["__init__"].__code__.co_names
        missing += [f"{owner.__name__}.{name}" for name in names if name not in assigned]
    return missing
