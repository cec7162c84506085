"""What happens in a call, as typed events: made once from the pipeline's frames, for everything that watches a call.

``at`` is the event loop's time in seconds at which the frame was pushed, unless an event says otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.interruption_decision import InterruptionDecision


@dataclass(frozen=True, slots=True)
class ClientReady:
    """The client can hear the bot."""

    at: float


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The turn machine's state is another one; ``state`` is the value of a :class:`processors.turns.states.State`."""

    at: float
    state: str


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The call is put on hold, or goes on."""

    at: float
    on: bool


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller's first loud sample: ``at`` is before the VAD was sure."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The caller's last loud sample: ``at`` is before the silence that the VAD waited for."""

    at: float


@dataclass(frozen=True, slots=True)
class FinalWords:
    """A final transcript; ``segment`` is the number of its stretch of speech."""

    at: float
    text: str
    segment: int


@dataclass(frozen=True, slots=True)
class TextTyped:
    """The caller typed."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class KeysPressed:
    """The caller pressed keys of the telephone."""

    at: float
    keys: str


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller's turn is over; ``reply_id`` is 0 where no reply is wanted."""

    at: float
    turn_id: int
    reply_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Decided:
    """An interruption decision is new, or the next seconds have told whether it was wrong."""

    at: float
    decision: InterruptionDecision


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The turn machine has ended the reply."""

    at: float


@dataclass(frozen=True, slots=True)
class TroubleShown:
    """The client was shown what is wrong."""

    at: float
    message: str


@dataclass(frozen=True, slots=True)
class FirstToken:
    """The first text of a request to the language model that is not only white space."""

    at: float
    reply_id: int


@dataclass(frozen=True, slots=True)
class ModelDone:
    """The language model has written its reply; ``error`` is what failed."""

    at: float
    error: str | None


@dataclass(frozen=True, slots=True)
class ToolsRun:
    """The reply waits for tools, ``longest_secs`` at most; 0: it goes on."""

    at: float
    longest_secs: float


@dataclass(frozen=True, slots=True)
class PieceBegan:
    """The voice is asked for a piece of a reply."""

    at: float
    reply_id: int
    utterance_id: int
    text: str


@dataclass(frozen=True, slots=True)
class FirstAudio:
    """The first audio of the last piece that began."""

    at: float
    reply_id: int


@dataclass(frozen=True, slots=True)
class PieceDone:
    """All audio of a piece is there; ``error`` is what failed."""

    at: float
    error: str | None


@dataclass(frozen=True, slots=True)
class ReplyPlaying:
    """The first sample of a reply is played."""

    at: float
    reply_id: int


@dataclass(frozen=True, slots=True)
class WordHeard:
    """A word's first sample has been played."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class ReplyPlayed:
    """A reply is over: played to its end, cut, or without anything to play.

    Attributes:
        at: When.
        reply_id: The reply.
        heard: What of it was heard.
        unheard: What was not.
        cut: Whether it was interrupted.
        error: What failed.
    """

    at: float
    reply_id: int
    heard: str
    unheard: str
    cut: bool
    error: str | None


CallEvent = (
    ClientReady
    | StateChanged
    | HoldChanged
    | SpeechBegan
    | SpeechEnded
    | FinalWords
    | TextTyped
    | KeysPressed
    | TurnEnded
    | Decided
    | Interrupted
    | TroubleShown
    | FirstToken
    | ModelDone
    | ToolsRun
    | PieceBegan
    | FirstAudio
    | PieceDone
    | ReplyPlaying
    | WordHeard
    | ReplyPlayed
)

Take = Callable[[CallEvent], None]
"""Takes each event of a call."""
