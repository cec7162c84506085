"""A byte that is no UTF-8, in the middle of a stream of tokens, costs one character and not the answer.

The vendors' SDKs decode each line strictly, and give up the whole stream.
"""

import codecs
from collections.abc import AsyncIterator
from functools import cache
from typing import Any


async def mend_stream(response: Any) -> None:
    """Replace what is no UTF-8 in server-sent events by U+FFFD; an event hook for responses of httpx.

    Args:
        response: An ``httpx.Response`` (or that of a fork of httpx) whose body has not been read. Compressed ones are
            left alone.
    """
    headers = response.headers
    if headers.get("content-type", "").startswith("text/event-stream") and "content-encoding" not in headers:
        response.stream = _mended(_stream_type(type(response.stream)))(response.stream)


def _stream_type(found: type) -> type:
    return next((base for base in found.__mro__ if base.__name__ == "AsyncByteStream"), found)


@cache
def _mended(base: type) -> type:
    class MendedStream(base):
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            async for chunk in self._stream:
                yield decoder.decode(chunk).encode()
            yield decoder.decode(b"", True).encode()

        async def aclose(self) -> None:
            await self._stream.aclose()

    return MendedStream
