"""The page's files, with their types and the headers that keep them safe."""

import mimetypes
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from server.errors import ApiError

WEB_DIR: Final = Path(__file__).resolve().parent.parent / "web"

_MIME_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Spelt out because the system's own table differs between machines, and a module of the wrong type does not run."""

_PAGE_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_MODULE_HEADERS: Final = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Pages elsewhere load the widget's modules. There is nothing in them but code; who may call is another question."""


def file_response(root: Path, name: str) -> web.FileResponse:
    """A file of the page.

    Parameters:
        root: The page's folder; nothing outside it is served.
        name: The path below it.

    Raises:
        ApiError: There is none.
    """
    root = root.resolve()
    try:
        path = (root / name).resolve()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or not path.is_relative_to(root) or not path.is_file():
            raise ValueError(name)
    except (OSError, ValueError):  # also a name that no file system takes
        raise ApiError(404, "not_found", "there is no such page") from None
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    content_type = _MIME_TYPES.get(path.suffix.lower(), guessed)
    shared = _MODULE_HEADERS if path.suffix.lower() == ".js" else {}
    return web.FileResponse(path, headers={hdrs.CONTENT_TYPE: content_type, **_PAGE_HEADERS, **shared})
