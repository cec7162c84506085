"""States, timers and parameters of the turn machine."""

from dataclasses import dataclass
from enum import Enum

from contracts.modes import InterruptionMode
from processors.turns.endpoint import EndpointParams
from processors.turns.verdict.policy import VerdictParams

HASH = "#"
"""The phone key that says "that was all"."""


class State(Enum):
    """Who has the floor."""

    LISTENING = "listening"
    USER_SPEAKING = "user_speaking"
    THINKING = "thinking"
    SPEAKING = "speaking"
    PAUSED = "paused"
    CLOSING = "closing"


class Timer(Enum):
    """What the machine waits for; each has a deadline, and each deadline an outcome."""

    END_OF_TURN = "end_of_turn"
    TRANSCRIPT = "transcript"
    ENDLESS_SPEECH = "endless_speech"
    SIGN = "sign"
    FILLER = "filler"
    REPLY = "reply"
    CONFIRM = "confirm"
    ESCALATE = "escalate"
    VERDICT = "verdict"
    COMMIT = "commit"
    STALL = "stall"
    REVIEW = "review"
    KEYS = "keys"
    IDLE = "idle"
    CALL_LIMIT = "call_limit"
    HANG_UP = "hang_up"
    TAKE_BACK = "take_back"
    GO_ON = "go_on"


@dataclass(frozen=True)
class TurnParams:
    """Times of the machine, in seconds, and how it treats sounds.

    Attributes:
        mode: What happens at the first moment of a sound over the bot's voice.
        escalate_secs: A ducked voice falls silent when the sound is still undecided after this long.
        patience_secs: The same for a sound that is likely nothing.
        verdict_secs: No pause stays undecided for longer.
        transcript_secs: Words must have come this long after speech ended.
        overdue_words_secs: The same after a pause that stayed undecided for as long as it may.
        short_sound_secs: A sound up to this long adds no words to a turn that is complete without it.
        short_transcript_secs: How long such a sound's words are waited for.
        late_words_secs: Words that come later than this after their speech belong to nobody.
        turn_score_secs: How long the end of a turn waits for the turn detector.
        endless_speech_secs: Speech without an end and without words for this long is taken for noise.
        lost_end_secs: After a final result and no further words for this long, a missed end is assumed.
        sign_secs: While the bot owes a sound, the page shows a sign each time that so long has passed without one.
        dry_sign_secs: The same for a reply that has run dry, which is noticed late.
        filler_secs: A reply that is not heard after this long is covered by "one moment"; again after as long.
        tools_secs: The same for a reply that waits for tools, counted from their start.
        queue_told_secs: A wait in the queue of this length is told; a shorter one is covered as tools are.
        queue_again_secs: What is told of a wait that was short again and again.
        overdue_secs: Grace for a reply whose deadline passed while something else was heard.
        reply_secs: A reply that is not heard after this long is given up, with an apology.
        phrase_secs: A fixed sentence that is not heard after this long cannot be spoken at all.
        commit_secs: How long a new prompt waits for history to hold what was heard.
        stall_secs: A reply that runs dry for this long is given up.
        unsaid_secs: A reply that was cut before it sounded this long has said nothing: the turn goes on.
        patient_after_asks: Requests in a row whose replies were cut before they said much, after which a caller who
            goes on and on is waited for longer before the next request.
        patience_max_secs: The longest such wait.
        max_call_secs: The longest call; 0: no limit. The bot says goodbye in time.
        partner_repeats: Turns in a row that only repeat earlier ones, after which the bot asks whether a person is on
            the line; 0: never.
        review_secs: What the caller does in this time tells whether a verdict was right.
        keys_secs: A turn of phone keys is over when no further key is pressed for this long.
        idle_secs: A caller who says nothing for this long is asked whether they are there; 0: never.
        idle_prompts: How often they are asked before the bot says goodbye.
        hang_up_secs: How long after its last word the bot hangs up: so long may that be on its way.
        preemptive: Have a reply prepared at the first pause.
        preemptive_speaking: Have one prepared while the caller still speaks, to words that may be all and of
            which the turn detector says at least this (0 to 1); above 1: never.
        probes: How often the turn detector is asked for that in a turn: it costs CPU.
        probe_secs: Between two of these questions.
        probe_again_secs: Words that sounded open are asked about again when they have stood for so long: what they
            sounded like when their last one had just begun says little.
        probe_words: Fewer words are not asked about.
        early_end: End a turn on the early recogniser's words, if words and sound are complete.
        confirm_secs: After the end of speech: how long the voice is then held for the final words at most. Longer than
            any recogniser takes that works.
        take_back_secs: A reply that a sound has cut goes on when no words have come this long after the sound.
        unvoiced_secs: The same after a sound in which the VAD heard no speech.
        wordless_secs: It goes on so long after the cut while a sound lasts of which no words come, if the recogniser
            tells words as they are said.
        settle_secs: Words that mean nothing and are not final are believed when no others come for this long.
        stable_secs: Such words are believed so long after they came, though the sound lasts.
        go_on_secs: How long the model may think about whether a reply goes on that was cut; then the cut stands.
        kept_secs: So long after the cut a reply goes on at the latest, unless words mean something.
        take_backs: How often one reply goes on so; after that nothing but words ends it. 0: a cut is final.
        step_back: Resume from the start of the cut word instead of from the very next sample.
    """

    mode: InterruptionMode = InterruptionMode.DUCK
    escalate_secs: float = 0.25
    patience_secs: float = 1.2
    verdict_secs: float = 2.0
    transcript_secs: float = 2.2
    overdue_words_secs: float = 0.9
    short_sound_secs: float = 0.5
    short_transcript_secs: float = 0.12
    late_words_secs: float = 3.0
    turn_score_secs: float = 0.25
    endless_speech_secs: float = 20.0
    lost_end_secs: float = 2.5
    sign_secs: float = 1.1
    dry_sign_secs: float = 0.5
    filler_secs: float = 2.6
    tools_secs: float = 0.7
    queue_told_secs: float = 4.0
    queue_again_secs: float = 10.0
    overdue_secs: float = 1.0
    reply_secs: float = 12.0
    phrase_secs: float = 2.8
    commit_secs: float = 0.3
    stall_secs: float = 2.5
    unsaid_secs: float = 0.3
    patient_after_asks: int = 4
    patience_max_secs: float = 2.7
    max_call_secs: float = 0.0
    partner_repeats: int = 4
    review_secs: float = 3.0
    keys_secs: float = 2.5
    idle_secs: float = 0.0
    idle_prompts: int = 2
    hang_up_secs: float = 0.6
    preemptive: bool = False
    preemptive_speaking: float = 1.01
    probes: int = 6
    probe_secs: float = 0.12
    probe_again_secs: float = 0.3
    probe_words: int = 3
    early_end: bool = False
    confirm_secs: float = 1.5
    take_back_secs: float = 0.9
    unvoiced_secs: float = 0.4
    wordless_secs: float = 1.1
    settle_secs: float = 0.3
    stable_secs: float = 0.6
    go_on_secs: float = 2.5
    kept_secs: float = 4.0
    take_backs: int = 3
    step_back: bool = False
    endpoint: EndpointParams = EndpointParams()
    verdict: VerdictParams = VerdictParams()
