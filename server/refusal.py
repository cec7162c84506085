"""A request that is not served, and the answer that says why."""

from aiohttp import web


class Refusal(Exception):
    """A request that is not served.

    Args:
        status: HTTP status.
        code: A word for programs.
        reason: A sentence for people.
    """

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.code = code
        self.reason = reason

    def response(self) -> web.Response:
        """The HTTP response."""
        return web.json_response({"code": self.code, "reason": self.reason}, status=self.status)
