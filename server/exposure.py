"""How the settings open the port: who may come in, what may be seen, TLS; and what the operator should know of it."""

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from loguru import logger

from server.access import Access
from server.request_guard import GuardParams, RequestGuard
from server.site import GuardedSite, TlsError, tls_context
from settings import Settings, SettingsError


def guard_params(settings: Settings) -> GuardParams:
    """Who may come in."""
    proxies = [ipaddress.ip_network(text, strict=False) for text in settings.trusted_proxies]
    return GuardParams(proxies, settings.allowed_hosts, settings.allowed_origins)


def make_guard(settings: Settings) -> RequestGuard:
    """Which requests are served."""
    return RequestGuard(guard_params(settings), settings.host)


def faces_others(settings: Settings) -> bool:
    """Whether the settings speak of proxies or of names in the net."""
    return guard_params(settings).faces_others


def make_access(settings: Settings) -> Access:
    """Who may see the dashboard."""
    return Access(settings.dashboard_token, faces_others=faces_others(settings))


def make_site(runner: web.AppRunner, settings: Settings) -> GuardedSite:
    """The port.

    Raises:
        SettingsError: Certificate and key cannot be used.
    """
    tls = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        try:
            tls = tls_context(settings.tls_cert, settings.tls_key)
        except TlsError as error:
            raise SettingsError(f"TLS_CERT, TLS_KEY: {error}; set them to PEM files") from None
    return GuardedSite(runner, settings.host, settings.port, max_connections=settings.http_max_connections, tls=tls)


def scheme(settings: Settings) -> str:
    """By which protocol the port is reached."""
    return "https" if isinstance(settings.tls_cert, Path) else "http"


def own_url(settings: Settings, port: int) -> str:
    """How other nodes reach this one, where nothing else is set: by the address from which it reaches Redis."""
    host = settings.host
    if host in ("0.0.0.0", "::", ""):
        address = urlsplit(settings.redis_url.get_secret_value().replace("+sentinel", "").split(",")[0])
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
                found.connect((address.hostname or "127.0.0.1", 9))  # nothing is sent
                host = found.getsockname()[0]
        except OSError:
            host = "127.0.0.1"
    return f"{scheme(settings)}://{f'[{host}]' if ':' in host else host}:{port}"


def exposed(settings: Settings) -> Iterator[str]:
    """What stands open to other machines: what to set, one phrase each."""
    if not settings.listens_to_others:
        return
    if not settings.call_tokens_required:
        yield "anybody may call (set CALL_TOKEN_SECRET)"
    if settings.tls_cert is None and not settings.trusted_proxies:
        yield "there is no TLS (set TLS_CERT and TLS_KEY, or HOST=127.0.0.1 behind a proxy)"


def tell(settings: Settings) -> None:
    """Log what the operator should know."""
    if phrases := list(exposed(settings)):
        logger.warning("HOST={} lets other machines in: {}", settings.host, "; ".join(phrases))
    if advice := make_access(settings).advice:
        logger.info("{}", advice)
