"""Language models that only talk, so that there is a voice to speak over."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from contracts.llm import Delta, Finish, Message, TextDelta, ToolSpec
from contracts.tts import Voice, VoiceChunk
from processors.llm import go_on, scripted

MONOLOGUE: Final = (
    "Our branches are open from Monday to Friday, from nine in the morning until five in the afternoon, and on the "
    "first Saturday of every month from ten until one. The telephone line is open day and night, also on holidays. "
    "If you have lost a card, you can block it on this line at any time, and a new one is sent to you within five "
    "working days. Statements are sent by e-mail at the end of each month, and older ones can be ordered for the last "
    "ten years. Transfers within the country arrive on the next working day, and transfers to other countries take "
    "between two and four days, depending on the bank that receives them. A savings account can be opened in any "
    "branch, and you need nothing but your identity card and about twenty minutes of your time."
)
"""What the bot says when it is spoken over; nothing in it is a question."""


class Talker:
    """A :class:`~contracts.llm.LanguageModel` that holds its monologue, and then answers with one word.

    Whether words want it to stop it knows as the scripted model does: by what that has an answer to.
    """

    name = "talker"

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing to warm."""

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """The monologue first; then "All right.", or what says that a cut reply goes on."""
        answered = any(message["role"] == "assistant" for message in messages)
        said = [str(message["content"]) for message in messages if message["role"] == "user"]
        goes_on = go_on.is_asked(messages) and scripted.answer(said, [MONOLOGUE]) == scripted.UNKNOWN
        yield TextDelta(go_on.GO_ON if goes_on else "All right." if answered else MONOLOGUE)
        yield Finish("stop")

    async def close(self) -> None:
        """Nothing to close."""


class Teller:
    """A :class:`~contracts.llm.LanguageModel` that tells one part of its text after the other."""

    name = "teller"

    def __init__(self) -> None:
        self._told = 0

    async def warm(self, system_prompt: str, tools: Sequence[ToolSpec] = ()) -> None:
        """Nothing to warm."""

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> AsyncIterator[Delta]:
        """The next part."""
        parts = MONOLOGUE.split(". ")
        half = len(parts) // 2
        first = self._told % 2 == 0
        self._told += 1
        yield TextDelta(". ".join(parts[:half] if first else parts[half:]))
        yield Finish("stop")

    async def close(self) -> None:
        """Nothing to close."""


class SpokenOnce:
    """A :class:`~contracts.tts.Voice` that speaks each text once, and repeats it from memory in every later call.

    Args:
        voice: Who speaks.
    """

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._spoken: dict[str, list[VoiceChunk]] = {}

    @property
    def name(self) -> str:
        """As the voice's own."""
        return self._voice.name

    async def load(self) -> None:
        """Load the voice."""
        await self._voice.load()

    async def warm_up(self, texts: Iterable[str]) -> None:
        """As the voice does."""
        await self._voice.warm_up(texts)

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak, or repeat."""
        if text not in self._spoken:
            self._spoken[text] = [chunk async for chunk in self._voice.speak(text)]
        for chunk in self._spoken[text]:
            yield chunk

    async def close(self) -> None:
        """Close the voice."""
        await self._voice.close()
