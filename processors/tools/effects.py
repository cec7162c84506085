"""Effects that outlive their call: what was begun is finished, or the process's end says that it was not."""

import asyncio

from loguru import logger


class Effects:
    """Shared by all calls of a process."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def keep(self, recorder: asyncio.Task[None]) -> None:
        """A call is over, and this effect is not.

        Args:
            recorder: Ends with the effect; its name says which effect it is.
        """
        self._running.add(recorder)
        recorder.add_done_callback(self._running.discard)

    async def finish(self, secs: float) -> None:
        """The process ends: wait so long at most, then say what is left unfinished."""
        if not self._running:
            return
        logger.info("{} effects of tools are being finished", len(self._running))
        _, unfinished = await asyncio.wait(self._running, timeout=secs)
        for recorder in unfinished:
            logger.error("{}: given up unfinished at the end of the process", recorder.get_name())
            recorder.cancel()
