"""Who may open a stream: whoever has the token that a webhook's answer carried, once, and soon."""

import secrets
from typing import Generic, Protocol, TypeVar


class Ends(Protocol):
    """A call, as far as it matters here."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        ...


CallT = TypeVar("CallT", bound=Ends)


class Tickets(Generic[CallT]):
    """Calls that were let in and whose stream has not come yet.

    There are never more than calls that were let in: each has one token, and loses it when its stream comes or when
    the call ends, which it does by itself when no stream comes in time.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[str, CallT]] = {}
        self._tokens: dict[str, str] = {}

    def __len__(self) -> int:
        """Tokens that are valid, or were until their call ended."""
        return len(self._waiting)

    def issue(self, name: str, call: CallT) -> str:
        """A new token for a call; an older one of the call is void.

        Args:
            name: The call's name, with its carrier.
            call: The call.
        """
        self._tidy()
        self._waiting.pop(self._tokens.get(name, ""), None)
        token = secrets.token_urlsafe(24)
        self._waiting[token] = (name, call)
        self._tokens[name] = token
        return token

    def waiting(self, name: str) -> CallT | None:
        """The call of this name, if it waits for its stream: carriers ask again when an answer was late."""
        _, call = self._waiting.get(self._tokens.get(name, ""), ("", None))
        return None if call is None or call.over else call

    def redeem(self, token: str) -> CallT | None:
        """The call whose token this is; None: it is nobody's, or was used."""
        name, call = self._waiting.pop(token, ("", None))
        self._tokens.pop(name, None)
        return None if call is None or call.over else call

    def _tidy(self) -> None:
        for token, (name, call) in list(self._waiting.items()):
            if call.over:
                del self._waiting[token]
                self._tokens.pop(name, None)
