"""Who a caller is, as far as somebody vouches for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CallerIdentity:
    """A caller whom the integrator's own system knows, and has said so with its signature.

    Attributes:
        subject: The caller's name there: the token's ``sub``.
        claims: All that the token says.
    """

    subject: str
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
