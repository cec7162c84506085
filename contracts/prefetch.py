"""Work that is begun before it is wanted, and held at a gate."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """What a generator yields, taken by a task at once and kept until it is wanted.

    Args:
        source: The generator; closed when all of it was taken, or nothing more is wanted.
        name: Of the task.
    """

    def __init__(self, source: AsyncGenerator[T], name: str) -> None:
        self.items: list[T] = []
        """What has come so far."""
        self.error: Exception | None = None
        """Why no more comes, if something went wrong."""
        self._over = False
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._run(source), name=name)

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self._over

    async def stream(self) -> AsyncGenerator[T]:
        """Open the gate: what has come, and then what comes. Closing it ends the work.

        Raises:
            Exception: The generator's own.
        """
        try:
            async for item in self.read():
                yield item
        finally:
            self.drop()

    async def read(self) -> AsyncGenerator[T]:
        """The same for one of several readers: closing it ends nothing.

        Raises:
            Exception: The generator's own.
        """
        at = 0
        while True:
            while at < len(self.items):
                at += 1
                yield self.items[at - 1]
            if self.error is not None:
                raise self.error
            if self._over:
                return
            self._more.clear()
            await self._more.wait()

    def drop(self) -> None:
        """It is not wanted; ends the work."""
        self._task.cancel()

    async def _run(self, source: AsyncGenerator[T]) -> None:
        try:
            async with aclosing(source) as items:
                async for item in items:
                    self.items.append(item)
                    self._more.set()
        except Exception as error:  # noqa: BLE001 - whoever wants the work gets it
            self.error = error
        finally:
            self._over = True
            self._more.set()
