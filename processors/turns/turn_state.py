"""All that is known of one call's turns, as plain data.

:class:`TurnState` is the whole state of the turn machine. Nothing that decides what happens next is kept elsewhere:
two calls with equal states (but for the clock) do the same from here on, which is what ``bench/liveness.py`` relies on.
Its parts are named after what they describe. Times are the machine's seconds.
"""

import math
from dataclasses import dataclass, field

from contracts.interruption_decision import InterruptionDecision
from processors.turns.events import Phrase
from processors.turns.partner import PartnerWatch
from processors.turns.sound import Sound
from processors.turns.states import State, Timer
from processors.turns.transcript import Transcript


@dataclass
class Speech:
    """The caller's voice, as the VAD hears it and the recogniser accounts for it.

    Attributes:
        on: Whether somebody speaks.
        pauses: Whether a silence in it may be its end.
        started_at: When the last stretch of speech began.
        ended_at: When it ended.
        voiceless_at: When words came last that no speech accounts for.
        words_since: Whether words have come since it began.
        words_missed: Whether its words did not come in time, and are waited for no more.
        tells_interims: Whether the recogniser tells words as they are said.
    """

    on: bool = False
    pauses: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    voiceless_at: float | None = None
    words_since: bool = False
    words_missed: bool = False
    tells_interims: bool = False


@dataclass
class UserTurn:
    """The user's turn that is open, or was last.

    Attributes:
        turn_id: Its number.
        is_open: Whether further words extend it: until the reply to it begins to sound.
        asked_text: Its words for which a reply has been asked.
        asked_again: Whether a reply to the same words has been asked for twice.
        ask_waits: Whether it is over, and the reply is asked for when history holds what was heard before.
        again_waits: Whether the request that waits is a second one.
        cut_asks: Requests in a row whose replies were cut before they said much.
        doubted: Its words, if it cut a reply and may have meant nothing.
        unanswered_cut: Whether a sound has cut a reply, which is owed if the sound was nothing.
        relies_on_early: Whether its end was found by the early recogniser's words.
        unconfirmed: Whether it ended so, and the voice is held back for the final words.
    """

    turn_id: int = 0
    is_open: bool = False
    asked_text: str = ""
    asked_again: bool = False
    ask_waits: bool = False
    again_waits: bool = False
    cut_asks: int = 0
    doubted: str = ""
    unanswered_cut: bool = False
    relies_on_early: bool = False
    unconfirmed: bool = False


@dataclass
class Preemptive:
    """What is known for a reply that is prepared before the turn is over.

    Attributes:
        prepared_text: The words to which a reply is being prepared; empty: none is.
        outspoken: Words to which one was prepared, and the caller went on.
        p_complete: The turn detector's probability that the speech that has ended was complete.
        probes: Questions to the turn detector while speech goes on, and the words that each was asked about.
        last_probe: Number of the newest question.
        probed_at: When it was asked.
        go_on: Words that did not sound complete.
        heard_last: The words at the last reading.
        stands: Whether the last two readings were the same.
        sounds_over: Words that sounded complete.
    """

    prepared_text: str = ""
    outspoken: str = ""
    p_complete: float | None = None
    probes: dict[int, str] = field(default_factory=dict)
    last_probe: int = 0
    probed_at: float = -math.inf
    go_on: list[str] = field(default_factory=list)
    heard_last: str = ""
    stands: bool = False
    sounds_over: str = ""


@dataclass
class Reply:
    """One reply of the bot that is wanted, or its filler.

    Attributes:
        reply_id: The reply.
        phrase: The fixed sentence that it is; None: the model's.
        playing: Whether it has begun to sound.
        tools_until: When the wait for its tools is over at the latest; None if it has called none.
        filler_at: When it would have been covered without tools.
        queue_until: When a language model may be asked, if the reply waits for that.
        apology: What is said if it fails.
        over: Whether it has ended while a sound was judged.
        error: Why it ended too soon, if it did.
        sounded_secs: How long it has sounded, up to ``sounding_since``.
        sounding_since: Since when it sounds; None: it does not.
        taken_back: How often it was cut by a sound that was nothing, and went on.
        ends_call: Whether it is a goodbye, after which the bot hangs up.
    """

    reply_id: int
    phrase: Phrase | None = None
    playing: bool = False
    tools_until: float | None = None
    filler_at: float | None = None
    queue_until: float | None = None
    apology: Phrase = Phrase.APOLOGY
    over: bool = False
    error: str | None = None
    sounded_secs: float = 0.0
    sounding_since: float | None = None
    taken_back: int = 0
    ends_call: bool = False

    def falls_silent(self, now: float) -> None:
        """It does not sound from now on."""
        if self.sounding_since is not None:
            self.sounded_secs += now - self.sounding_since
            self.sounding_since = None

    def heard_secs(self, now: float) -> float:
        """How long it has sounded in all."""
        return self.sounded_secs + (0.0 if self.sounding_since is None else now - self.sounding_since)


@dataclass(frozen=True)
class Suspended:
    """A reply that a sound has cut, and that is kept until words say whether that was right.

    Attributes:
        cut_at: When the caller got the floor.
        silent_since: Since when the voice is silent.
        by_voice: Whether the VAD has heard speech in the sound.
        question: Number of the question, if the model has been asked whether the reply goes on.
        asked: The words that it has been asked about.
        stands: Whether it answers something else, or has not answered in time.
        waits: Whether the turn is over, and only the model is waited for.
        said: Words without meaning that are known.
        said_at: Since when.
    """

    cut_at: float
    silent_since: float
    by_voice: bool = True
    question: int | None = None
    asked: str = ""
    stands: bool = False
    waits: bool = False
    said: str = ""
    said_at: float = 0.0


@dataclass
class BotTurn:
    """What the bot says, or is about to say.

    Attributes:
        reply: The one reply that is wanted.
        filler: A sentence that covers the wait for it.
        suspended: Why the reply is kept in silence, if it is.
        last_question: Number of the newest question whether a reply goes on.
        last_reply_id: Number of the newest reply or filler.
        has_spoken: Whether it has said anything since the call began, or was taken up by this process.
        fillers_said: How often the wait has been covered.
        queue_told: Whether the caller has been told of a wait for a language model.
        speaking_id: What sounds now.
        committing_id: The cut reply whose heard words history does not hold yet.
        dry_since: Since when there is nothing to play of an unfinished reply.
        question_heard: Whether the last words that sounded ended a question.
        said: The last sentences of it that were heard.
    """

    reply: Reply | None = None
    filler: Reply | None = None
    suspended: Suspended | None = None
    last_question: int = 0
    last_reply_id: int = 0
    has_spoken: bool = False
    fillers_said: int = 0
    queue_told: bool = False
    speaking_id: int | None = None
    committing_id: int | None = None
    dry_since: float | None = None
    question_heard: bool = False
    said: str = ""

    def new_reply(self, phrase: Phrase | None = None) -> Reply:
        """A reply with the next number."""
        self.last_reply_id += 1
        self.has_spoken = True
        return Reply(self.last_reply_id, phrase)

    def is_filler(self, reply_id: int) -> bool:
        """Whether this is the filler that is being said."""
        return self.filler is not None and self.filler.reply_id == reply_id

    def models_reply(self, reply_id: int) -> Reply | None:
        """The reply that is wanted, if it has this number and is the model's."""
        reply = self.reply
        return reply if reply is not None and reply.phrase is None and reply.reply_id == reply_id else None


@dataclass
class Judging:
    """The sound over the bot's voice that is judged.

    Attributes:
        sound: The sound; None: nothing is judged.
        last_sound: The one before.
        last_sound_id: Number of the newest sound.
        decision: What was decided about it, and whether that was right.
    """

    sound: Sound | None = None
    last_sound: Sound | None = None
    last_sound_id: int = 0
    decision: InterruptionDecision | None = None


@dataclass
class CallCourse:
    """How the call goes.

    Attributes:
        began: Whether anything has happened.
        idle_since: Since when the caller says nothing.
        times_asked: How often a silent caller has been asked whether they are there.
        noise_told: Whether the caller has been told that a sound was not understood, and has said nothing since.
        closes: Whether the bot says goodbye as soon as the floor is free.
        farewell: What it says then.
        leaving: Whether it has said a goodbye that the caller wanted: if they say nothing more, the call ends.
        limit_stage: How firmly the longest call is being ended: 1: at the next chance; 2: now; 3: hang up.
        partner: Whether a person seems to be on the line.
    """

    began: bool = False
    idle_since: float = 0.0
    times_asked: int = 0
    noise_told: bool = False
    closes: bool = False
    farewell: Phrase = Phrase.CLOSING
    leaving: bool = False
    limit_stage: int = 0
    partner: PartnerWatch = field(default_factory=lambda: PartnerWatch(0))


@dataclass
class TurnState:
    """The whole state of the turn machine.

    Attributes:
        state: Who has the floor.
        now: The machine's clock.
        timers: What is waited for, and until when.
        speech: The caller's voice.
        transcript: What the user says.
        turn: The user's turn.
        preemptive: What is known for a reply that is prepared before the turn is over.
        bot: What the bot says.
        judging: The sound over its voice.
        course: How the call goes.
    """

    state: State = State.LISTENING
    now: float = 0.0
    timers: dict[Timer, float] = field(default_factory=dict)
    speech: Speech = field(default_factory=Speech)
    transcript: Transcript = field(default_factory=Transcript)
    turn: UserTurn = field(default_factory=UserTurn)
    preemptive: Preemptive = field(default_factory=Preemptive)
    bot: BotTurn = field(default_factory=BotTurn)
    judging: Judging = field(default_factory=Judging)
    course: CallCourse = field(default_factory=CallCourse)
