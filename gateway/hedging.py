"""Hedging: several streams are asked at once, and the first to begin is heard."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def first_to_begin(
    streams: Sequence[AsyncGenerator[T]], on_first: Callable[[int], None] = lambda _: None
) -> AsyncGenerator[T]:
    """The items of whichever stream yields first; the others are closed at once. Nothing if none yields.

    Args:
        streams: The streams; all of them are closed in the end.
        on_first: Told the place of the stream that is heard, after the others were closed.

    Raises:
        Exception: A stream's own, of the first that fails before any has begun, or of the one that is heard.
    """
    waits = [asyncio.ensure_future(anext(stream, None)) for stream in streams]
    try:
        chosen = await _first(waits)
        if chosen is None:
            return
        for place, stream in enumerate(streams):
            if place != chosen:
                await _close(waits[place], stream)
        on_first(chosen)
        item = waits[chosen].result()
        assert item is not None
        yield item
        async for more in streams[chosen]:
            yield more
    finally:
        for wait, stream in zip(waits, streams, strict=True):
            await _close(wait, stream)


async def _first(waits: Sequence["asyncio.Future[T | None]"]) -> int | None:
    """The place of the first that brings something."""
    pending = set(waits)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for place, wait in enumerate(waits):
            if wait in done and wait.result() is not None:
                return place
    return None


async def _close(wait: "asyncio.Future[T | None]", stream: AsyncGenerator[T]) -> None:
    wait.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await wait
    await stream.aclose()
