"""Limits of the HTTP server, as the settings set them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from admission.capacity import CALLS_PER_CORE
from server.ice_servers import IceServers
from settings import Settings
from transports.client_messages import MessageLimits


@dataclass(frozen=True)
class ServerLimits:
    """What the HTTP server needs to know; see :class:`server.calls.ServerSettings`."""

    admission_limit: Callable[[], int]
    ice_servers: IceServers
    connect_timeout_secs: float
    hold_secs: float
    max_loop_lag_ms: float = 0.0
    offers_per_minute: int = 0
    calls_per_address: int = 0
    calls_per_caller: int = 0
    message_limits: MessageLimits = field(default_factory=MessageLimits)

    @property
    def max_calls(self) -> int:
        """Calls that the process takes at once, as of now."""
        return self.admission_limit()

    @classmethod
    def of(cls, settings: Settings, admission_limit: Callable[[], int]) -> Self:
        """Those of the settings.

        Args:
            settings: The settings.
            admission_limit: How many calls the process takes at once, as of now.
        """
        servers = IceServers(
            settings.ice_servers,
            settings.turn_username,
            settings.turn_credential.get_secret_value(),
            settings.turn_secret.get_secret_value(),
            settings.turn_ttl_secs,
        )
        messages = MessageLimits(
            messages_per_minute=settings.messages_per_minute,
            turns_per_minute=settings.typed_turns_per_minute,
            keys_per_minute=settings.keys_per_minute,
        )
        return cls(
            admission_limit,
            servers,
            settings.connect_timeout_secs,
            settings.hold_secs,
            settings.max_loop_lag_ms,
            settings.offers_per_minute,
            settings.calls_of_one_address(fixed_calls(settings)),
            settings.calls_per_caller,
            messages,
        )


def fixed_calls(settings: Settings) -> int:
    """Calls of one worker at most, as far as the settings tell; what is measured may be less."""
    return CALLS_PER_CORE if settings.max_calls == "auto" else settings.max_calls
