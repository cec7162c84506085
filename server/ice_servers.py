"""STUN and TURN servers, with credentials where a server asks for some.

A password for a TURN server that a page is given can be read by whoever opens the page. With a secret that is shared
with the server (coturn: ``use-auth-secret`` and ``static-auth-secret``) each page gets one of its own, which holds for
a while only: the user name is the time until which it holds, and the password its HMAC-SHA1 under the secret
(https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00).
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import RTCIceServer


@dataclass(frozen=True)
class IceServers:
    """The servers of the settings; going through them gives credentials that are good from now on.

    Attributes:
        urls: ``stun:``, ``stuns:``, ``turn:`` and ``turns:`` URLs.
        username: For TURN; with a secret, the part after the time.
        credential: The fixed password for TURN, if there is no secret.
        secret: What is shared with the TURN servers.
        ttl_secs: How long a password made from it may be used.
        now: The wall clock, in seconds since 1970.
    """

    urls: Sequence[str] = ()
    username: str = ""
    credential: str = ""
    secret: str = ""
    ttl_secs: int = 3600
    now: Callable[[], float] = time.time

    def __iter__(self) -> Iterator[str | RTCIceServer]:
        """The servers for a connection of ours: URLs where they need no credentials."""
        username, credential = self._credentials()
        for url in self.urls:
            if url.startswith("turn") and username:
                yield RTCIceServer(urls=url, username=username, credential=credential)
            else:
                yield url

    def for_client(self) -> list[dict[str, Any]]:
        """The same for a client, as the JSON of its ``RTCIceServer`` dictionaries."""
        return [
            {"urls": server}
            if isinstance(server, str)
            else {"urls": server.urls, "username": server.username, "credential": server.credential}
            for server in self
        ]

    def _credentials(self) -> tuple[str, str]:
        if not self.secret:
            return self.username, self.credential
        username = f"{int(self.now()) + self.ttl_secs}:{self.username or 'parley'}"
        digest = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return username, base64.b64encode(digest).decode()
