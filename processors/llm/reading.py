"""Reading along: the local model reads the beginning of a prompt while the caller still speaks its end.

Reading costs far more than nothing on a CPU (some 20 ms a token), and most of it can be done before the last word. The
words so far are read, one request at a time and the newest words only; what has been read stays in the server's cache,
where the request for the reply finds it. A reply never waits for more than what it would have had to read itself.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from loguru import logger


class Reader:
    """Reads beginnings of prompts, one at a time; the latest wins.

    Args:
        read: Reads a text into the model's cache; ends early once its second argument says so, and never later than the
            step that it is in.
    """

    def __init__(self, read: Callable[[str, Callable[[], bool]], Coroutine[Any, Any, None]]) -> None:
        self._read = read
        self._task: asyncio.Task[None] | None = None
        self._wanted: str | None = None
        self._reading = ""
        self._latest = ""
        self._give_up = False

    def begin(self, text: str) -> None:
        """Read a text as soon as nothing else is being read; replaces one that waits."""
        if text == self._latest:
            return
        self._latest = text
        self._wanted = text
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="reading along")

    async def give_way(self, prompt: str) -> None:
        """A prompt is to be answered: stop, except for what is its beginning; returns when the model is free."""
        self._wanted, self._latest = None, ""
        if self._task is None:
            return
        self._give_up = not prompt.startswith(self._reading)
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while (text := self._wanted) is not None:
                self._wanted, self._reading, self._give_up = None, text, False
                await self._read(text, lambda: self._give_up)
        except Exception as error:  # noqa: BLE001 - a boundary: nobody waits for it, and the reply will tell what is wrong
            logger.warning("reading along failed: {}", error)
        finally:
            self._task, self._reading = None, ""


def without_last_word(text: str) -> str:
    """Words that will hardly change: recognisers change their mind about the last one most."""
    return text.rpartition(" ")[0]
