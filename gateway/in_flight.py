"""Equal questions that are asked at the same time are asked once: all who asked hear the one answer, as it comes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from contracts.llm import Delta, Finish
from contracts.prefetch import Prefetch


@dataclass
class _Shared:
    work: Prefetch[Delta]
    readers: int = 0


class InFlight:
    """Answers that are on their way, by question."""

    def __init__(self) -> None:
        self._shared: dict[str, _Shared] = {}
        self.joined = 0
        """Questions that were not asked, since an equal one was under way."""

    def __len__(self) -> int:
        """Questions that are under way."""
        return len(self._shared)

    async def ask(self, key: str, ask: Callable[[], AsyncGenerator[Delta]]) -> AsyncGenerator[Delta]:
        """The answer to a question: that of one who has asked the same, or one's own, which others may join.

        It ends when nobody wants it any more. What it cost is told to the one who asked, and to nobody else.

        Args:
            key: Names the question.
            ask: Asks it.

        Raises:
            LanguageModelError: As the one that was asked.
        """
        shared = self._shared.get(key)
        first = shared is None
        if shared is None:
            shared = self._shared[key] = _Shared(Prefetch(ask(), "shared answer"))
        else:
            self.joined += 1
        shared.readers += 1
        try:
            async with aclosing(shared.work.read()) as deltas:
                async for delta in deltas:
                    yield delta if first or not isinstance(delta, Finish) else Finish(delta.reason)
        finally:
            shared.readers -= 1
            if self._shared.get(key) is shared and (not shared.readers or shared.work.over):
                del self._shared[key]
            if not shared.readers:
                shared.work.drop()
