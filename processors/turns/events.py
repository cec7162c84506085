"""What goes into the turn machine, and what comes out of it.

Events are facts ("the user made a sound"), actions are orders ("pause the playout"). Both are frozen
dataclasses without behaviour, so that a conversation can be written down, shuffled, replayed and compared.
Times are never inside an event: the machine is told ``now`` beside it.
"""

from dataclasses import dataclass
from enum import Enum

from contracts.interruption_decision import InterruptionDecision

# --- events: from the caller's audio --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SoundStarted:
    """A first voiced window: perhaps speech, perhaps a cough. Only matters over the bot's voice."""


@dataclass(frozen=True, slots=True)
class SoundWindow:
    """One 32 ms window of the sound that is being judged.

    Attributes:
        speech_prob: The VAD's probability (0 to 1).
        level_dbfs: Root mean square level.
    """

    speech_prob: float
    level_dbfs: float


@dataclass(frozen=True, slots=True)
class SoundEnded:
    """The sound over the bot's voice has faded (a short hang-over, so that a resume comes soon)."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The VAD is sure that somebody speaks."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The VAD is sure that nobody speaks any more."""


@dataclass(frozen=True, slots=True)
class SpeechPaused:
    """Silence in speech, too short yet to be its end, but long enough to prepare a reply."""


@dataclass(frozen=True, slots=True)
class SpeechResumed:
    """The pause was none."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The sound classifier's opinion of the sound so far.

    Attributes:
        score: Log-odds; above 0 speaks for an interruption.
        elapsed_ms: How much of the sound it had heard.
        sound_id: The sound that it heard: an opinion on an earlier one is stale.
        took_ms: How long the answer took, waiting included; for the interruption decision.
    """

    score: float
    elapsed_ms: int
    sound_id: int
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Words:
    """Recognised words of one segment of speech. Empty final text says: no words in that sound.

    Attributes:
        text: All words of the segment so far.
        segment: Number of the segment; the same number replaces what was known of it.
        final: False for an interim result.
        confidence: Mean probability (0 to 1) of the words.
        eager: Whether the recogniser thinks that the turn may be over with these words.
    """

    text: str
    segment: int
    final: bool
    confidence: float = 1.0
    eager: bool = False


@dataclass(frozen=True, slots=True)
class EarlyWords:
    """Words of one segment from the early recogniser, whose word does not count, but comes sooner.

    Attributes:
        text: All words of the segment so far.
        segment: Number of the segment, as in :class:`Words`.
        final: Whether the speech is over and these are all of its words.
    """

    text: str
    segment: int
    final: bool


@dataclass(frozen=True, slots=True)
class TurnScored:
    """The turn detector's probability (0 to 1) that the speech was complete.

    Attributes:
        p_complete: The probability.
        probe: Number of the question, if it was asked while the speech went on; 0: about speech that has ended.
    """

    p_complete: float
    probe: int = 0


@dataclass(frozen=True, slots=True)
class TextTyped:
    """The client typed a text: always an interruption, always a whole turn."""

    text: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The client pressed a phone key: always an interruption; the keys that follow belong to the same turn.

    Attributes:
        key: ``0`` to ``9``, ``*`` or ``#``, which ends the turn.
    """

    key: str


# --- events: from the mouth ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplyPlaying:
    """The first sample of a reply has been played."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class ReplyPlayed:
    """A reply has been played to its end, or was cut.

    Attributes:
        reply_id: The reply.
        heard: The words that were heard.
        error: Why audio was missing, if it was.
    """

    reply_id: int
    heard: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class GoOnDecided:
    """The language model has begun its answer to words that cut a reply; see :class:`AskToGoOn`.

    Attributes:
        question: Number of the question.
        goes_on: Whether the reply goes on; else its answer is another one.
    """

    question: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class WaitsForTools:
    """The reply waits for tools, or has waited.

    Attributes:
        reply_id: The reply.
        longest_secs: How long it will wait at most; 0 when the wait is over.
    """

    reply_id: int
    longest_secs: float


@dataclass(frozen=True, slots=True)
class WaitsInQueue:
    """The reply waits until a language model may be asked.

    Attributes:
        reply_id: The reply.
        wait_secs: How much longer, estimated.
    """

    reply_id: int
    wait_secs: float


@dataclass(frozen=True, slots=True)
class Refused:
    """There will be no reply, for a reason that the caller should hear; the reply's end is still to come.

    Attributes:
        reply_id: The reply.
        phrase: The sentence that says it.
    """

    reply_id: int
    phrase: "Phrase"


@dataclass(frozen=True, slots=True)
class EndsCall:
    """The reply is a goodbye, because a tool ends the call: hang up when it has been heard."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class ReplyCommitted:
    """History holds what was heard of the reply."""

    reply_id: int


@dataclass(frozen=True, slots=True)
class WordHeard:
    """A word of the bot has begun to sound.

    Attributes:
        text: The word.
        question: Whether the sentence that it belongs to is a question.
        words_left: How many words of that sentence are still to come.
    """

    text: str
    question: bool = False
    words_left: int = 0


@dataclass(frozen=True, slots=True)
class PlayoutStalled:
    """The reply is unfinished and there is nothing to play (or there is again)."""

    reply_id: int
    stalled: bool


# --- events: the call ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientReady:
    """The client can hear: the bot may greet.

    Attributes:
        greets: Whether the bot speaks first, if nothing has been said yet.
    """

    greets: bool = True


@dataclass(frozen=True, slots=True)
class CallEndsSoon:
    """The call must end soon: when the floor is free, the bot says so and hangs up."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The call is over."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: deadlines that are due take effect."""


Event = (
    SoundStarted
    | SoundWindow
    | SoundEnded
    | SpeechStarted
    | SpeechEnded
    | SpeechPaused
    | SpeechResumed
    | Scored
    | Words
    | EarlyWords
    | TurnScored
    | TextTyped
    | KeyPressed
    | ReplyPlaying
    | ReplyPlayed
    | GoOnDecided
    | WaitsForTools
    | WaitsInQueue
    | Refused
    | EndsCall
    | ReplyCommitted
    | WordHeard
    | PlayoutStalled
    | ClientReady
    | CallEndsSoon
    | HungUp
    | Tick
)


# --- actions ---------------------------------------------------------------------------


class Phrase(Enum):
    """Sentences that the bot says of its own accord; their words are a setting."""

    GREETING = "greeting"
    REPEAT = "repeat"  # "I didn't catch that"
    MOMENT = "moment"  # "One moment"
    STILL = "still"  # "I'm still on it"
    APOLOGY = "apology"  # "I can't answer right now"
    STILL_THERE = "still_there"  # "Are you still there?"
    GOODBYE = "goodbye"  # "I'll hang up now"
    CLOSING = "closing"  # "this line is closing"
    TIME_UP = "time_up"  # "our time is up"
    PERSON = "person"  # "am I speaking with a person?"
    BUSY = "busy"  # "I'm getting many calls, about ten seconds"
    IN_QUEUE = "in_queue"  # "you're still in line"
    FULL = "full"  # "more calls than I can answer"
    QUOTA = "quota"  # "no more answers today"


@dataclass(frozen=True, slots=True)
class Duck:
    """Lower the bot's voice."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence the bot's voice at the next packet, or hold it back before its first."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on at full voice, exactly where it stopped (or from the start of the cut word)."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the current reply: stop its LLM and TTS, drop its audio, commit what was heard.

    Attributes:
        reply_id: The reply.
        unsaid: Whether so little of it sounded that nothing was said: none of it is remembered.
    """

    reply_id: int
    unsaid: bool = False


@dataclass(frozen=True, slots=True)
class AskReply:
    """The user's turn is over: get a reply to it.

    Attributes:
        turn_id: The turn; the same id again replaces the turn's text.
        reply_id: The new reply.
        text: All words of the turn.
        doubted: Whether it cut a reply, and it is not sure that the words mean anything.
    """

    turn_id: int
    reply_id: int
    text: str
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class AskToGoOn:
    """The turn may be over that cut a reply, and nobody knows whether its words mean anything: the model is asked for
    its answer to them, which may be that the reply goes on. The reply is kept meanwhile.

    Attributes:
        question: Number of the question.
        turn_id: The turn.
        reply_id: The reply that was cut.
        text: All words of the turn; empty: no answer is wanted any more.
    """

    question: int
    turn_id: int
    reply_id: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class KeepTurn:
    """The user's turn is over, and the bot answers it with a sentence of its own: remember the turn.

    Attributes:
        turn_id: The turn.
        text: All words of the turn.
    """

    turn_id: int
    text: str


@dataclass(frozen=True, slots=True)
class PrepareReply:
    """The turn may be over: a reply to its words so far may be prepared, unheard.

    Attributes:
        turn_id: The turn.
        text: Its words so far; empty: they go on, and what was prepared is of no use.
    """

    turn_id: int
    text: str


EARLY_OUTCOMES = ("confirmed", "changed", "unconfirmed", "interrupted")


@dataclass(frozen=True, slots=True)
class TurnEndedEarly:
    """A turn was ended before its final words were known; now it is known what they are.

    Attributes:
        outcome: ``"confirmed"``: the same; ``"changed"``: others, and nothing of the reply was heard;
            ``"unconfirmed"``: they did not come in time; ``"interrupted"``: the caller spoke or typed meanwhile.
    """

    outcome: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say a fixed sentence.

    Attributes:
        reply_id: The reply that it is.
        phrase: The sentence.
        wait_secs: The wait that it names, if it names one.
    """

    reply_id: int
    phrase: Phrase
    wait_secs: float = 0.0


@dataclass(frozen=True, slots=True)
class StartJudging:
    """Collect the sound and score it."""

    sound_id: int


@dataclass(frozen=True, slots=True)
class StopJudging:
    """No more scores are wanted."""


@dataclass(frozen=True, slots=True)
class DetectEndOfTurn:
    """Ask the turn detector about the speech so far.

    Attributes:
        probe: Number of the question, if the speech goes on; 0: it just ended.
    """

    probe: int = 0


@dataclass(frozen=True, slots=True)
class AnnounceUserStarted:
    """The user has the floor."""


@dataclass(frozen=True, slots=True)
class AnnounceUserStopped:
    """The user has given the floor away."""


@dataclass(frozen=True, slots=True)
class Backchannel:
    """The user acknowledged without interrupting; not part of the conversation."""

    text: str


@dataclass(frozen=True, slots=True)
class PublishDecision:
    """An interruption decision is new, or the next seconds have told whether it was wrong.

    Attributes:
        decision: As it is now; it does not change with the machine's.
    """

    decision: InterruptionDecision


@dataclass(frozen=True, slots=True)
class TellClient:
    """Show the person on the line what is wrong; used when no voice can say it."""

    message: str


@dataclass(frozen=True, slots=True)
class ShowWaiting:
    """Show the person on the line that the bot is still at it, while it owes a sound."""


@dataclass(frozen=True, slots=True)
class ReportFault:
    """A deadline had to repair something: to be counted and logged as an error."""

    fault: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Nobody is there any more, and the goodbye has been heard: end the call."""


Action = (
    Duck
    | Pause
    | Resume
    | Cancel
    | AskReply
    | AskToGoOn
    | KeepTurn
    | PrepareReply
    | TurnEndedEarly
    | Say
    | StartJudging
    | StopJudging
    | DetectEndOfTurn
    | AnnounceUserStarted
    | AnnounceUserStopped
    | Backchannel
    | PublishDecision
    | TellClient
    | ShowWaiting
    | ReportFault
    | HangUp
)
