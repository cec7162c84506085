"""Frames of our own, beside Pipecat's.

A frame says who did what. *System* frames overtake queued data and survive an interruption;
*data* and *control* frames keep their order and are dropped by one (Pipecat's rule).

Three numbers tie frames together:

- ``turn_id``: the user's turn (1, 2, ...). A turn that the user extends keeps its id.
- ``reply_id``: one reply of the bot, spoken or not (1, 2, ...). Each is asked for once.
- ``utterance_id``: one piece of a reply that was synthesised by itself (a clause or sentence),
  unique within the call.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ControlFrame,
    DataFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    SystemFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)

from contracts.interruption_decision import InterruptionDecision

INPUT_SAMPLE_RATE_HZ = 16_000
"""Rate of all audio that is listened to."""

OUTPUT_SAMPLE_RATE_HZ = 24_000
"""Rate of all audio that is spoken."""

WINDOW_SAMPLES = 512
"""Samples in one VAD window: 32 ms at 16 kHz, the size that Silero is trained for."""


# --- hearing -----------------------------------------------------------------


@dataclass
class AudioWindowFrame(InputAudioRawFrame):
    """One VAD window of the user's audio: 512 samples of 16 kHz mono 16-bit PCM.

    The VAD swallows the transport's 20 ms frames and pushes these instead, so that whoever
    listens downstream gets audio and its speech probability together.

    Parameters:
        speech_prob: Silero's probability (0 to 1) that the window holds speech.
    """

    speech_prob: float = 0.0


@dataclass
class TranscriptFrame(TranscriptionFrame):
    """A final transcript of one segment of speech; empty text says "no words in that sound".

    Parameters:
        segment: Number of the segment. A later frame with the same number replaces the
            earlier one (the speaker went on after a short pause and the whole was read again).
        confidence: Mean probability (0 to 1) that the recogniser gives its words.
    """

    segment: int = 0
    confidence: float = 1.0
    interruptible: bool = field(default=False, init=False)  # words must not vanish with a cancelled reply


@dataclass
class InterimTranscriptFrame(InterimTranscriptionFrame):
    """A transcript of a segment that is still being spoken; see :class:`TranscriptFrame`.

    Parameters:
        eager: Whether the vendor thinks that the turn may be over with these words.
    """

    segment: int = 0
    confidence: float = 1.0
    eager: bool = False


@dataclass
class EarlyTranscriptFrame(DataFrame):
    """Words of the early recogniser: they come sooner than those that count.

    Parameters:
        text: All words of the segment so far.
        segment: Number of the segment, as in :class:`TranscriptFrame`.
        final: Whether the speech is over and these are all of its words.
    """

    text: str
    segment: int
    final: bool


@dataclass
class UserTextFrame(SystemFrame):
    """The client typed a text, or pressed a phone key: it counts as speech that has ended.

    Parameters:
        text: What was typed; for keys, the digits.
        source: ``"typed"`` or ``"key"``.
    """

    text: str
    source: Literal["typed", "key"] = "typed"


# --- turns -------------------------------------------------------------------


@dataclass
class UserTurnFrame(DataFrame):
    """The user's turn is over and wants a reply.

    Parameters:
        turn_id: The turn. When the context holds it already, the user went on: the text
            replaces what stood there.
        reply_id: The reply that is asked for.
        text: All the words of the turn.
        wants_reply: False for a turn that is only to be remembered.
        doubted: Whether the turn cut a reply, and may be no more than an exclamation: the model is told what was not
            heard of that reply, and may go on with it. What it was asked by a :class:`UserDoubtFrame` is not asked
            again.
    """

    turn_id: int
    reply_id: int
    text: str
    wants_reply: bool = True
    doubted: bool = False
    interruptible: bool = field(default=False, init=False)  # the words stay said


@dataclass
class UserDoubtFrame(DataFrame):
    """The user's turn is over that cut a reply, and nobody knows whether its words mean anything: the model is asked
    for its answer, which may be that the reply goes on.

    Parameters:
        question: Number of the question.
        turn_id: The turn.
        reply_id: The reply that was cut; it is kept meanwhile.
        text: All words of the turn; empty: no answer is wanted any more.
    """

    question: int
    turn_id: int
    reply_id: int
    text: str


@dataclass
class GoOnFrame(SystemFrame):
    """The model has begun its answer to a :class:`UserDoubtFrame`. Upstream to the turn machine.

    Parameters:
        question: Number of the question.
        goes_on: Whether the reply that was cut goes on; else its answer is another one, and waits to be asked for.
    """

    question: int
    goes_on: bool


@dataclass
class PreemptiveTurnFrame(DataFrame):
    """The user's turn may be over: a reply to its words so far may be prepared, unheard.

    Parameters:
        turn_id: The turn.
        text: Its words so far; empty: what was prepared is of no use.
    """

    turn_id: int
    text: str


@dataclass
class UserWordsFrame(DataFrame):
    """The user is speaking, and has said this so far; a model may read along.

    Parameters:
        turn_id: The turn.
        text: Its words so far.
    """

    turn_id: int
    text: str


@dataclass
class PreparedTextFrame(DataFrame):
    """Words of a reply that may be asked for: its first piece may be spoken ahead, unheard.

    Parameters:
        text: Further words.
        last: Whether they are the last.
        prepared_id: The reply, among those that are prepared.
    """

    text: str
    last: bool = False
    prepared_id: int = 0


@dataclass
class PreparedDroppedFrame(DataFrame):
    """The reply that :class:`PreparedTextFrame` told of is not wanted.

    Parameters:
        prepared_id: The reply.
    """

    prepared_id: int = 0


@dataclass
class SayFrame(DataFrame):
    """The bot says a fixed sentence of its own accord (greeting, apology, filler).

    Parameters:
        reply_id: The reply that the sentence is.
        text: What to say.
        remember: Whether the heard words belong in the conversation's history.
        only_if_idle: Say it only if no reply is being synthesised (a filler before one).
    """

    reply_id: int
    text: str
    remember: bool = True
    only_if_idle: bool = False


@dataclass
class TurnStateFrame(SystemFrame):
    """The turn machine changed its state; for the client and the call record.

    Parameters:
        state: Name of the new state, lower case (``"listening"``, ``"user_speaking"``, ...).
        turn_id: The user turn that is current.
    """

    state: str
    turn_id: int


@dataclass
class StillThinkingFrame(SystemFrame):
    """The bot owes a sound and has none yet; for the client, which shows it. Comes again while that lasts."""


@dataclass
class InterruptionDecisionFrame(SystemFrame):
    """What was decided about one sound over the bot's voice, and on what evidence.

    Parameters:
        decision: As it is now; it does not change any more.
    """

    decision: InterruptionDecision


# --- thinking ----------------------------------------------------------------


@dataclass
class ReplyStartFrame(LLMFullResponseStartFrame):
    """A reply begins. All text and audio up to its :class:`ReplyEndFrame` belong to it.

    Parameters:
        reply_id: The reply.
        remember: Whether the heard words belong in the conversation's history.
    """

    reply_id: int = 0
    remember: bool = True


@dataclass
class ReplyEndFrame(LLMFullResponseEndFrame):
    """A reply has been generated (from the LLM), or synthesised (from the TTS), to its end.

    Parameters:
        reply_id: The reply.
        error: None, or in a few words why the reply is missing or cut short.
    """

    reply_id: int = 0
    error: str | None = None


@dataclass
class ReplyTextWithdrawnFrame(DataFrame):
    """The text of a reply so far was none of it: what has not begun to be spoken is not spoken.

    Parameters:
        reply_id: The reply; more text may follow.
    """

    reply_id: int


@dataclass
class ReplyRestsFrame(DataFrame):
    """More of the reply's text will take a while: what is there can be spoken as it is.

    Parameters:
        reply_id: The reply.
    """

    reply_id: int


@dataclass
class ToolsRunningFrame(SystemFrame):
    """The reply waits for tools; or it has waited and goes on.

    Parameters:
        reply_id: The reply.
        longest_secs: How long it will wait at most; 0 when the wait is over.
    """

    reply_id: int
    longest_secs: float


@dataclass
class ReplyQueuedFrame(SystemFrame):
    """The reply waits until a language model may be asked. Upstream to the turn machine, downstream to the client.

    Parameters:
        reply_id: The reply.
        wait_secs: How much longer, estimated.
    """

    reply_id: int
    wait_secs: float


@dataclass
class ReplyEndsCallFrame(SystemFrame):
    """The reply is a goodbye: when it has been heard, and the caller says nothing more, the call ends.

    Parameters:
        reply_id: The reply; its end frame is still to come.
    """

    reply_id: int


@dataclass
class ReplyRefusedFrame(SystemFrame):
    """There will be no reply, for a reason that the caller should hear; its end frame is still to come.

    Parameters:
        reply_id: The reply.
        cause: The value of a :class:`~contracts.llm.Cause`.
    """

    reply_id: int
    cause: str


# --- speaking ----------------------------------------------------------------


@dataclass(frozen=True)
class Word:
    """A word of the reply's original text and when it sounds.

    Parameters:
        text: The word as it stands in the text, with the white space that follows it: the
            words of an utterance, joined, are its text.
        start_secs: Start, counted from the utterance's first audio sample; of a figure that is spoken as several words
            the start of the last of them.
    """

    text: str
    start_secs: float


@dataclass
class UtteranceStartFrame(ControlFrame):
    """The audio of one utterance (clause or sentence) follows.

    Parameters:
        reply_id: The reply that it belongs to.
        utterance_id: The utterance.
        text: Its original text.
    """

    reply_id: int
    utterance_id: int
    text: str


@dataclass
class UtteranceAudioFrame(TTSAudioRawFrame):
    """PCM of one utterance, 16-bit mono, at the frame's ``sample_rate``."""

    utterance_id: int = 0


@dataclass
class WordTimesFrame(DataFrame):
    """When words of an utterance sound; more may follow for the same utterance.

    Parameters:
        utterance_id: The utterance.
        words: Words in order.
    """

    utterance_id: int
    words: list[Word]


@dataclass
class UtteranceEndFrame(ControlFrame):
    """All audio and word times of an utterance have been pushed.

    Parameters:
        utterance_id: The utterance.
        error: None, or why there is no audio, or not all: its words were then not spoken.
    """

    utterance_id: int
    error: str | None = None


# --- playout -----------------------------------------------------------------


@dataclass
class PlayoutDuckFrame(SystemFrame):
    """Lower the bot's voice; it goes on speaking."""


@dataclass
class PlayoutPauseFrame(SystemFrame):
    """Stop the bot's voice at the next packet; nothing is lost."""


@dataclass
class PlayoutResumeFrame(SystemFrame):
    """Go on at full voice from the sample after the last one played.

    Parameters:
        step_back: Step back to the start of the word that the pause cut.
    """

    step_back: bool = False


@dataclass
class WordHeardFrame(SystemFrame):
    """A word's first sample has been played.

    Parameters:
        reply_id: The reply.
        text: The word with its white space.
        question: Whether the utterance that it belongs to ends as a question.
        words_left: Words of that utterance that are still to come.
    """

    reply_id: int
    text: str
    question: bool = False
    words_left: int = 0


@dataclass
class ReplyCutFrame(InterruptionFrame):
    """The current reply ends: its LLM and TTS stop, its audio is dropped, what was heard is committed.

    Parameters:
        unsaid: Whether so little of it sounded that nothing was said: none of it counts as heard.
    """

    unsaid: bool = False


@dataclass
class ReplyPlayingFrame(BotStartedSpeakingFrame):
    """The first sample of a reply has been played."""

    reply_id: int = 0


@dataclass
class ReplyPlayedFrame(BotStoppedSpeakingFrame):
    """A reply is over: played to its end, cut, or without anything to play.

    Parameters:
        reply_id: The reply.
        heard: The words whose first sample was played.
        unheard: The words that were synthesised or pending and never played.
        cut: True if an interruption ended it.
        error: Why audio was missing, if it was.
        remember: Whether the heard words belong in history.
    """

    reply_id: int = 0
    heard: str = ""
    unheard: str = ""
    cut: bool = False
    error: str | None = None
    remember: bool = True


@dataclass
class PlayoutStalledFrame(SystemFrame):
    """The reply is unfinished, yet there has been nothing to play for a while, or it came back.

    Parameters:
        reply_id: The reply.
        stalled: True when the playout ran dry, False when audio flows again.
    """

    reply_id: int
    stalled: bool


@dataclass
class ReplyCommittedFrame(SystemFrame):
    """History holds what was heard of a reply: the barrier that a new prompt waits for."""

    reply_id: int


@dataclass
class CallEndsSoonFrame(SystemFrame):
    """The call must end soon, since the server stops: the bot says so when it may, and hangs up."""


@dataclass
class ClientMicrophoneFrame(SystemFrame):
    """The client says that its microphone is on, or off: what comes of it then is not listened to."""

    on: bool


@dataclass
class ClientAnswerFrame(SystemFrame):
    """What a client is answered that has asked for something.

    Parameters:
        message: The answer, to be sent as it is.
    """

    message: dict[str, Any]


@dataclass
class CallerHangsUpFrame(SystemFrame):
    """The caller's client asks that the call end."""


@dataclass
class CallHoldComesFrame(SystemFrame):
    """A hold is about to begin: what follows, up to its :class:`CallHoldFrame`, is silence that nobody kept.

    It brings whoever was speaking to an end. No reply is prepared to a pause of that kind: nobody waits for one.
    """


@dataclass
class CallHoldFrame(SystemFrame):
    """The call is put on hold, or goes on: until then nobody is heard, nothing is played and no time passes.

    Parameters:
        on: Whether the hold begins.
        unheard_secs: How much of what was played last cannot have been heard, because the line was gone already; it
            is played again.
    """

    on: bool
    unheard_secs: float = 0.0


@dataclass
class ClientReadyFrame(SystemFrame):
    """The client can hear: the bot may greet.

    Parameters:
        message_id: Identifier of the client's message, which the answer to it repeats.
        returns: Whether it comes back to a call that has begun.
    """

    message_id: str = ""
    returns: bool = False


@dataclass
class CallErrorFrame(SystemFrame):
    """Something that the person on the line should be told on the page.

    Parameters:
        message: One plain sentence.
    """

    message: str
    fatal: bool = field(default=False)
