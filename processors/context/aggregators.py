"""What the language model is shown: the conversation as it was *heard*.

:class:`Conversation` is pure: it takes what was said, in any order that a call can bring, and gives the messages of the
next prompt. :class:`ContextPair` are the two thin processors around it: one turns the user's turn into a prompt, the
other commits what was heard of a reply.
"""

import copy
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipecat.frames.frames import DataFrame, Frame, LLMContextFrame, SystemFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from contracts.frames import (
    ClientReadyFrame,
    PreemptiveTurnFrame,
    ReplyCommittedFrame,
    ReplyPlayedFrame,
    UserDoubtFrame,
    UserTurnFrame,
    UserWordsFrame,
    WordHeardFrame,
)
from contracts.overtaking import OvertakingInterruptions
from processors.context.prompt_size import BYTES_PER_TOKEN, Earlier, fit
from processors.turns.transcript import beyond

CUT_MARK = " …[interrupted]"
"""Ends what was heard of a reply that the user cut."""

BROKE_OFF = (
    "The line broke off while you were answering. The caller has heard your last words above, and nothing after them. "
    "Go on exactly where you stopped: no apology, and none of those words again."
)
"""Stands behind an answer that its process did not live to end."""

RUNNING = "still running"
"""Output of a tool call that has not come back."""

CANCELLED = "cancelled: the caller spoke meanwhile; call it again if that is still wanted"
"""Output of a tool call that an interruption ended."""

MAX_PARTS = 24
"""Replies and tool calls kept in one turn: a turn that never ends must not grow for ever."""

MAX_REPLIES_ASKED = 64
"""Replies whose turn is remembered; all but the last few are long over."""

Speaker = Literal["user", "bot"]

Message = dict[str, Any]
"""One message in the shape of OpenAI's chat completions API."""


@dataclass
class _Heard:
    reply_id: int
    text: str


@dataclass
class _Call:
    call_id: str
    name: str
    arguments: str
    output: str | None = None


@dataclass
class _Said:
    """What the user said in a turn after a tool had been called for it."""

    text: str


_Part = _Heard | _Call | _Said


@dataclass
class _Turn:
    turn_id: int | None
    text: str = ""
    parts: list[_Part] = field(default_factory=list)

    def add(self, part: _Part) -> None:
        if len(self.parts) >= MAX_PARTS:
            done = next((p for p in self.parts if not (isinstance(p, _Call) and p.output is None)), self.parts[0])
            self.parts.remove(done)
        self.parts.append(part)

    @property
    def said(self) -> str:
        """All that the user said in it."""
        return " ".join([self.text, *(part.text for part in self.parts if isinstance(part, _Said))])

    def extend(self, text: str) -> None:
        """The user went on: these are all the words now. What came after a tool call stands after it."""
        if not self.parts:
            self.text = text
            return
        news = beyond(text, self.said)
        if news == text:  # other words than before: as many of them as were known stand where those stood
            words = text.split()
            known = len(self.text.split())
            self.parts = [part for part in self.parts if not isinstance(part, _Said)]
            self.text, news = " ".join(words[:known]), " ".join(words[known:])
        if not news:
            return
        last = self.parts[-1] if self.parts else None
        if isinstance(last, _Said):
            last.text = f"{last.text} {news}"
        else:
            self.add(_Said(news))


@dataclass(frozen=True)
class Exchange:
    """What was said last before a turn, and the turn.

    Attributes:
        heard: What was heard of the bot last before it; empty if nothing was since the turn before.
        heard_in: The turn before, which that answered.
        answer: The turn's words.
    """

    heard: str
    heard_in: int | None
    answer: str


class Conversation:
    """The last turns of a call. A turn is the user's message, and the bot's words and tool calls that followed.

    Turns leave as a whole, the oldest first, so a tool call never loses its output. Memory is bounded by the number of
    turns, of parts in a turn and of characters in a message.

    Args:
        system_prompt: First message of every prompt.
        max_turns: Turns that are kept.
        max_chars_per_message: Longer texts lose their middle.
        told: Ends the first message of each prompt, with what may change during the call, such as the date. It stands
            last so that vendors still know the beginning of the prompt.
        max_tokens: Size of a prompt, about; 0: no limit. See :mod:`processors.context.prompt_size`.
        earlier_chars: How much of what the caller said is kept when a turn leaves; 0: nothing.
    """

    def __init__(
        self,
        system_prompt: str,
        max_turns: int = 20,
        max_chars_per_message: int = 4_000,
        told: Callable[[], str] = lambda: "",
        *,
        max_tokens: float = 0,
        earlier_chars: int = 0,
    ) -> None:
        self.system_prompt = system_prompt
        self._told = told
        self._max_tokens = max_tokens
        self.earlier = Earlier(earlier_chars)
        self._max_chars = max_chars_per_message
        self._turns: deque[_Turn] = deque(maxlen=max_turns)

    def user_turn(self, turn_id: int, text: str) -> None:
        """Add the user's turn; the same turn again (the user went on) replaces its text.

        What the user said after a tool had been called for the turn stands after that call: a correction is to be read
        in the light of what was done.
        """
        turn = self._find(turn_id)
        if turn is None:
            turn = _Turn(turn_id)
            if len(self._turns) == self._turns.maxlen:
                self.earlier.add(self._turns[0].said)
            self._turns.append(turn)
        turn.extend(self._shortened(text.strip()))

    def reply(self, turn_id: int | None, reply_id: int, heard: str, cut: bool) -> None:
        """Add what was heard of a reply.

        Args:
            turn_id: The turn that it answers; None, or a turn that is gone: it follows whatever was said last.
            reply_id: The reply; a second report of the same one is ignored.
            heard: The words that were heard. None heard: nothing is added.
            cut: Whether the user cut it; marked with :data:`CUT_MARK`.
        """
        heard = heard.strip()
        if not heard or any(
            isinstance(part, _Heard) and part.reply_id == reply_id for turn in self._turns for part in turn.parts
        ):
            return
        text = self._shortened(heard) + (CUT_MARK if cut else "")
        self._turn_for(turn_id).add(_Heard(reply_id, text))

    def tool_call(self, turn_id: int | None, call_id: str, name: str, arguments: str) -> None:
        """Add a tool call; until its result comes, its output says that it runs.

        Args:
            turn_id: The turn that it serves; see :meth:`reply`.
            call_id: Identifies the call within the conversation.
            name: The tool.
            arguments: JSON.
        """
        if len(arguments) > self._max_chars:
            arguments = json.dumps({"error": "too long to be kept"})
        self._turn_for(turn_id).add(_Call(call_id, name, arguments))

    def tool_result(self, call_id: str, output: str) -> None:
        """Set the output of a call, once; a call that is unknown (its turn is gone) or answered is left alone."""
        for turn in reversed(self._turns):
            for part in turn.parts:
                if isinstance(part, _Call) and part.call_id == call_id and part.output is None:
                    part.output = self._shortened(output)
                    return

    def unanswered_calls(self) -> list[str]:
        """Tool calls without an output."""
        parts = [part for turn in self._turns for part in turn.parts]
        return [part.call_id for part in parts if isinstance(part, _Call) and part.output is None]

    def exchange(self, turn_id: int) -> Exchange | None:
        """What the bot said before a turn, and what the user answered; None for an unknown or the first turn."""
        turns = list(self._turns)
        for before, turn in zip(turns, turns[1:], strict=False):
            if turn.turn_id == turn_id:
                heard = next((part.text for part in reversed(before.parts) if isinstance(part, _Heard)), "")
                return Exchange(heard, before.turn_id, turn.said)
        return None

    def messages(self, said: str = "") -> list[Message]:
        """The prompt: system message, then the kept turns; roles never repeat in a row, except between tool outputs.

        Args:
            said: What the reply that is being generated has said before its tool calls; not heard yet, perhaps.
        """
        messages: list[Message] = [{"role": "system", "content": self.system_prompt}]
        for turn in self._turns:
            if turn.text:
                _append_text(messages, "user", turn.text)
            for part in turn.parts:
                match part:
                    case _Heard():
                        _append_text(messages, "assistant", part.text)
                    case _Said():
                        _append_text(messages, "user", part.text)
                    case _Call():
                        _append_call(messages, part)
        if said.strip():
            _append_said(messages, said.strip())
        earlier = self.earlier
        if self._max_tokens:
            messages, dropped = fit(messages, self._max_tokens - len(earlier.text) / BYTES_PER_TOKEN)
            earlier = earlier.with_lines(dropped)
        messages[0]["content"] = "\n\n".join(filter(None, (self.system_prompt, earlier.text, self._told())))
        return messages

    def messages_with(self, turn_id: int, text: str, cut: tuple[int | None, int, str] | None = None) -> list[Message]:
        """The prompt if the user's turn were this, which it may become.

        Args:
            turn_id: The turn.
            text: Its words.
            cut: A reply that would be cut by it: its turn, the reply, and what was heard of it.
        """
        other = copy.copy(self)
        other._turns = copy.deepcopy(self._turns)  # noqa: SLF001 - its own copy
        other.earlier = self.earlier.with_lines(())
        if cut is not None:
            other.reply(*cut, cut=True)
        other.user_turn(turn_id, text)
        return other.messages()

    def spoken(self) -> list[tuple[Speaker, str]]:
        """What was said and heard in the turns that are kept, for a person to read."""
        lines: list[tuple[Speaker, str]] = []
        for turn in self._turns:
            if turn.text:
                lines.append(("user", turn.text))
            lines.extend(
                ("bot" if isinstance(part, _Heard) else "user", part.text)
                for part in turn.parts
                if not isinstance(part, _Call)
            )
        return lines

    @property
    def turns(self) -> int:
        """Number of turns that are kept."""
        return len(self._turns)

    def stored(self) -> dict[str, Any]:
        """The conversation as plain values, for :meth:`restore`."""
        return {"turns": [_stored_turn(turn) for turn in self._turns], "earlier": self.earlier.stored()}

    def restore(self, stored: Mapping[str, Any]) -> None:
        """Go on with a conversation that was begun in another process.

        Raises:
            ValueError, KeyError, TypeError: It is none.
        """
        turns = [_restored_turn(turn) for turn in stored["turns"]]
        self.earlier.restore(stored["earlier"])
        self._turns.clear()
        self._turns.extend(turns)

    def _find(self, turn_id: int | None) -> _Turn | None:
        if turn_id is None:
            return None
        return next((turn for turn in reversed(self._turns) if turn.turn_id == turn_id), None)

    def _turn_for(self, turn_id: int | None) -> _Turn:
        turn = self._find(turn_id) or (self._turns[-1] if self._turns else None)
        if turn is None:
            turn = _Turn(None)
            self._turns.append(turn)
        return turn

    def _shortened(self, text: str) -> str:
        """The text, or its two ends: people ask at the end of a long speech, and name the matter at its start."""
        if len(text) <= self._max_chars:
            return text
        half = (self._max_chars - 3) // 2
        return f"{text[:half]} … {text[-half:]}"


def with_calls(messages: Sequence[Message], said: str, calls: Sequence[Any], outputs: Sequence[str]) -> list[Message]:
    """A prompt, and the tool calls that followed it.

    Args:
        messages: The prompt.
        said: What the reply has said before its calls.
        calls: Each with ``name`` and ``arguments``.
        outputs: What came of each.
    """
    more = copy.deepcopy(list(messages))
    for number, (call, output) in enumerate(zip(calls, outputs, strict=True)):
        _append_call(more, _Call(f"ahead_{number}", call.name, call.arguments or "{}", output))
    if said.strip():
        _append_said(more, said.strip())
    return more


def _stored_turn(turn: _Turn) -> dict[str, Any]:
    parts: list[list[Any]] = []
    for part in turn.parts:
        match part:
            case _Heard():
                parts.append(["heard", part.reply_id, part.text])
            case _Call():
                parts.append(["call", part.call_id, part.name, part.arguments, part.output])
            case _Said():
                parts.append(["said", part.text])
    return {"turn_id": turn.turn_id, "text": turn.text, "parts": parts}


def _restored_turn(stored: Mapping[str, Any]) -> _Turn:
    kinds: dict[str, Callable[..., _Part]] = {"heard": _Heard, "call": _Call, "said": _Said}
    turn_id = stored["turn_id"]
    parts = [kinds[kind](*fields) for kind, *fields in stored["parts"]]
    return _Turn(None if turn_id is None else int(turn_id), str(stored["text"]), parts)


def _append_text(messages: list[Message], role: str, text: str) -> None:
    """Add words; to the message before, if it is the same speaker's: many chat templates want roles to alternate."""
    last = messages[-1]
    if last["role"] == role and "tool_calls" not in last:
        last["content"] = f"{last['content']}\n{text}"
    else:
        messages.append({"role": role, "content": text})


def _append_call(messages: list[Message], call: _Call) -> None:
    """Add a call and its output. Each call is a message of its own: who ran beside whom does not matter later."""
    function = {"name": call.name, "arguments": call.arguments}
    messages.append(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call.call_id, "type": "function", "function": function}],
        }
    )
    messages.append(
        {"role": "tool", "tool_call_id": call.call_id, "content": RUNNING if call.output is None else call.output}
    )


def _append_said(messages: list[Message], said: str) -> None:
    """Put words before the run of tool calls that the prompt ends with."""
    first = len(messages)
    while first > 0 and (messages[first - 1]["role"] == "tool" or "tool_calls" in messages[first - 1]):
        first -= 1
    if first < len(messages):
        messages[first]["content"] = said
    else:
        _append_text(messages, "assistant", said)


# --- processors --------------------------------------------------------------


@dataclass
class ReplyContextFrame(LLMContextFrame):
    """A prompt, and the reply that it asks for.

    Parameters:
        reply_id: The reply.
        turn_id: The turn that it answers.
        doubted: Whether the turn cut a reply, and may be none; see :mod:`processors.llm.go_on`.
    """

    reply_id: int = 0
    turn_id: int = 0
    doubted: bool = False


@dataclass
class ReplyDoubtFrame(DataFrame):
    """A prompt whose answer may be that a reply goes on, which is kept meanwhile; see :mod:`processors.llm.go_on`.

    Parameters:
        question: Number of the question.
        turn_id: The turn that it answers.
        reply_id: The reply that was cut.
        messages: The prompt; empty: no answer is wanted any more.
    """

    question: int
    turn_id: int
    reply_id: int
    messages: list[Message]


@dataclass
class PreemptiveContextFrame(DataFrame):
    """A prompt that may be asked next; its reply may be prepared.

    Parameters:
        messages: The prompt; empty: what was prepared is of no use.
    """

    messages: list[Message]


@dataclass
class PromptSoFarFrame(DataFrame):
    """A prompt whose last words are still being spoken; a model may read along.

    Parameters:
        messages: The prompt so far.
    """

    messages: list[Message]


@dataclass
class ConversationFrame(SystemFrame):
    """The conversation so far, for a client that comes back to it.

    Parameters:
        lines: Who said what.
    """

    lines: list[tuple[Speaker, str]]


class ContextPair:
    """The two processors that keep a conversation: :meth:`user` before the model, :meth:`assistant` at the end."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._turn_of_reply: dict[int, int] = {}
        self._sounding = (0, "")
        """The reply that sounded last, and what was heard of it so far."""
        self.goes_on_with: int | None = None
        """The turn whose answer broke off when the call lost its process: the model is told to go on with it."""

    def user(self) -> FrameProcessor:
        """The processor that turns :class:`UserTurnFrame` into :class:`ReplyContextFrame`."""
        return _UserContext(self)

    def assistant(self) -> FrameProcessor:
        """The processor that commits what :class:`ReplyPlayedFrame` says was heard."""
        return _AssistantContext(self)

    def asked(self, reply_id: int, turn_id: int) -> None:
        """Note which turn a reply answers."""
        self._turn_of_reply[reply_id] = turn_id
        if len(self._turn_of_reply) > MAX_REPLIES_ASKED:
            del self._turn_of_reply[next(iter(self._turn_of_reply))]

    def turn_of(self, reply_id: int) -> int | None:
        """The turn that a reply answers; None for what the bot says of its own accord."""
        return self._turn_of_reply.get(reply_id)

    def note_played(self, frame: ReplyPlayedFrame) -> None:
        """A reply has been played to its end, or was cut."""
        if frame.remember:
            self.conversation.reply(self.turn_of(frame.reply_id), frame.reply_id, frame.heard, frame.cut)

    def prompt(self, turn_id: int | None = None) -> list[Message]:
        """The next prompt.

        Args:
            turn_id: The turn that is to be answered.
        """
        messages = self.conversation.messages()
        goes_on, self.goes_on_with = self.goes_on_with, None
        if goes_on is not None and goes_on == turn_id:
            messages.append({"role": "system", "content": BROKE_OFF})
        return messages

    def note_word(self, frame: WordHeardFrame) -> None:
        """A word of a reply was heard, which may be cut yet."""
        reply_id, heard = self._sounding
        self._sounding = (frame.reply_id, (heard if reply_id == frame.reply_id else "") + frame.text)

    def prompt_if_cut(self, turn_id: int, reply_id: int, text: str) -> list[Message]:
        """The prompt if the user's turn were this, and the reply had ended with the last word that was heard."""
        sounding_id, heard = self._sounding
        cut = (self.turn_of(reply_id), reply_id, heard) if sounding_id == reply_id else None
        return self.conversation.messages_with(turn_id, text, cut)


class _UserContext(OvertakingInterruptions):
    def __init__(self, pair: ContextPair) -> None:
        super().__init__(name="context.user")
        self._pair = pair

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, PreemptiveTurnFrame):
            messages = self._pair.conversation.messages_with(frame.turn_id, frame.text) if frame.text else []
            await self.push_frame(PreemptiveContextFrame(messages))
            return
        if isinstance(frame, UserDoubtFrame):
            messages = self._pair.prompt_if_cut(frame.turn_id, frame.reply_id, frame.text) if frame.text else []
            await self.push_frame(ReplyDoubtFrame(frame.question, frame.turn_id, frame.reply_id, messages))
            return
        if isinstance(frame, UserWordsFrame):
            await self.push_frame(PromptSoFarFrame(self._pair.conversation.messages_with(frame.turn_id, frame.text)))
            return
        if not isinstance(frame, UserTurnFrame):
            await self.push_frame(frame, direction)
            if isinstance(frame, ClientReadyFrame) and frame.returns:
                await self.push_frame(ConversationFrame(self._pair.conversation.spoken()))
            return
        conversation = self._pair.conversation
        conversation.user_turn(frame.turn_id, frame.text)
        if not frame.wants_reply:
            return
        self._pair.asked(frame.reply_id, frame.turn_id)
        # A reply that was called off before it was asked for is not asked for; its words stay said.
        if not self.overtaken:
            context = LLMContext(self._pair.prompt(frame.turn_id))  # pyright: ignore[reportArgumentType] - plain dicts
            await self.push_frame(
                ReplyContextFrame(context, reply_id=frame.reply_id, turn_id=frame.turn_id, doubted=frame.doubted)
            )


class _AssistantContext(FrameProcessor):
    def __init__(self, pair: ContextPair) -> None:
        super().__init__(name="context.assistant")
        self._pair = pair

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, ReplyPlayedFrame) and direction is FrameDirection.DOWNSTREAM:
            self._pair.note_played(frame)
            await self.push_frame(ReplyCommittedFrame(frame.reply_id), FrameDirection.UPSTREAM)
        elif isinstance(frame, WordHeardFrame) and direction is FrameDirection.DOWNSTREAM:
            self._pair.note_word(frame)
        await self.push_frame(frame, direction)
