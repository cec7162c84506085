"""Clients of Redis, by URL: one server, or whichever of several its Sentinels have made the primary."""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

WAIT_SECS: Final = 0.25
"""A Redis that does not answer within this is away."""

SENTINEL_SCHEME: Final = "redis+sentinel"
SENTINEL_PORT: Final = 26379


def redis_client(url: str, wait_secs: float = WAIT_SECS) -> Any:
    """An asyncio client of the ``redis`` package; nothing is connected yet.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; or ``redis+sentinel://[USER:PASSWORD@]HOST:PORT,HOST:PORT/NAME/DB``
            with the addresses of Sentinels, the name that they know the primary by, and the database's number.
        wait_secs: How long an answer, or a connection, is waited for.
    """
    import redis.asyncio  # 0.2 s that only those pay who share

    options: dict[str, Any] = {"socket_timeout": wait_secs, "socket_connect_timeout": wait_secs}
    parts = urlsplit(url)
    if parts.scheme != SENTINEL_SCHEME:
        return redis.asyncio.from_url(url, **options)
    from redis.asyncio.sentinel import Sentinel

    addresses, name, database = sentinels(url)
    login = urlsplit(urlunsplit(("redis", parts.netloc.split(",")[0], "", "", "")))
    sentinel = Sentinel(addresses, **options)
    master_for: Any = sentinel.master_for  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return master_for(name, db=database, username=login.username, password=login.password, **options)


def sentinels(url: str) -> tuple[list[tuple[str, int]], str, int]:
    """Addresses of the Sentinels, name of the primary, number of the database.

    Raises:
        ValueError: The URL is none of that kind.
    """
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2].split(",")
    name, _, database = parts.path.strip("/").partition("/")
    if parts.scheme != SENTINEL_SCHEME or not name or not all(hosts):
        raise ValueError("a Sentinel URL is redis+sentinel://HOST:PORT,HOST:PORT/NAME/DB")
    addresses: list[tuple[str, int]] = []
    for host in hosts:
        found = urlsplit(f"//{host}")
        addresses.append((found.hostname or "", found.port or SENTINEL_PORT))
    return addresses, name, int(database or 0)
