"""Language models for tests: they say what they are told, when they are told."""

import asyncio
import copy

from contracts.llm import Finish, TextDelta


class ScriptModel:
    """Plays one list of steps per request: a number waits so many seconds, a string is text, an exception is raised.

    Attributes:
        prompts: The messages of each request.
        offered: The names of the tools that were offered with it.
        closed_at: Loop times at which streams were closed before their end.
    """

    name = "script"

    def __init__(self, *replies, respond=None):
        self._replies = list(replies)
        self._respond = respond
        self.prompts = []
        self.offered = []
        self.closed_at = []

    async def warm(self, system_prompt, tools=()):
        pass

    async def stream(self, messages, tools=()):
        self.prompts.append(copy.deepcopy(list(messages)))
        self.offered.append([tool.name for tool in tools])
        steps = self._respond(messages) if self._respond else self._replies[len(self.prompts) - 1]
        try:
            for step in steps:
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                elif isinstance(step, str):
                    yield TextDelta(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        except (GeneratorExit, asyncio.CancelledError):
            self.closed_at.append(asyncio.get_running_loop().time())
            raise

    async def close(self):
        pass


STOP = Finish("stop")
