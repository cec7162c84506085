"""Where providers that are shared by all calls report what fails behind a fallback, so that it is counted.

Such a failure belongs to no call, and the caller may not notice it at all; a provider should not have to be handed a
call registry to say so. With no listener a report goes nowhere.
"""

from typing import Protocol

from contracts.secrets import scrub


class FailureListener(Protocol):
    """Who counts them."""

    def vendor_failed(self, role: str, vendor: str, error: str) -> None:
        """A provider failed, and something else takes its place."""
        ...


_listeners: list[FailureListener] = []


def add_listener(listener: FailureListener) -> None:
    """Tell this one from now on."""
    _listeners.append(listener)


def remove_listener(listener: FailureListener) -> None:
    """Tell it no more."""
    _listeners.remove(listener)


def report_failure(role: str, vendor: str, error: str) -> None:
    """A provider failed, and something else takes its place.

    Args:
        role: ``stt``, ``llm`` or ``tts``.
        vendor: The provider's name.
        error: Why, in a few words.
    """
    for listener in _listeners:
        listener.vendor_failed(role, vendor, scrub(error))
