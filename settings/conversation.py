"""Settings of the conversation: prompt, languages, silence, turn-taking."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from contracts.caller_time import zone_named
from contracts.modes import InterruptionMode
from languages.catalogue import find_languages
from settings.choices import NewMicrophone, OtherVoices
from settings.kinds import CommaSeparated


class ConversationSettings(BaseSettings):
    """How the bot talks."""

    # conversation
    history_turns: int = Field(20, ge=1, le=200, description="Turns of the conversation that the LLM is shown.")
    time_zone: str = Field(
        "",
        description="Zone of callers whose client and number tell none, such as Europe/Paris; empty: this machine's.",
    )
    prompt: str = Field("bank", description="Who the bot is: a file of prompts/ by its name, or a path.")
    greeting: str = Field(
        "auto", description="What the bot says first; empty: the caller speaks first; auto: the language's own."
    )

    # callers who are silent, or gone for a moment
    idle_secs: float = Field(
        20.0, ge=0, le=600, description="Seconds of silence until the bot asks whether anybody is there; 0: never."
    )
    idle_prompts: int = Field(2, ge=0, le=20, description="How often it asks before it says goodbye and hangs up.")
    max_call_minutes: float = Field(
        60.0, ge=0, le=1440, description="Minutes until the bot says goodbye and ends the call; 0: no limit."
    )
    partner_repeats: int = Field(
        4,
        ge=0,
        le=50,
        description="Turns in a row that only repeat earlier ones, as a machine's do, until the bot asks once whether "
        "a person is there, and then leaves; 0: never.",
    )
    hold_secs: float = Field(
        30.0, ge=0, le=600, description="Seconds that a lost call waits for its caller; 0: it ends at once."
    )
    new_microphone: NewMicrophone = Field(
        NewMicrophone.TAKE,
        description="What the page does when the system's microphone becomes another one during a call: take it, or "
        "offer it.",
    )

    # turn-taking
    interruption_mode: InterruptionMode = Field(
        InterruptionMode.DUCK,
        description="A sound over the bot's voice: duck (lower it, then decide), pause (silence it, then decide), "
        "cancel (end the reply), off (only text and keys interrupt).",
    )
    interruption_sensitivity: float = Field(
        0.5, ge=0, le=1, description="0: hardly anything interrupts; 1: nearly everything does."
    )
    interruption_min_ms: int = Field(
        0,
        ge=0,
        le=2000,
        description="Sounds shorter than this many milliseconds never interrupt by themselves.",
    )
    resume_at_word: bool = Field(
        False, description="Resume at the start of the cut word instead of at the very next sample."
    )
    interruption_take_backs: int = Field(
        3,
        ge=0,
        le=20,
        description="How often one reply that was cut for a sound without meaning goes on; 0: a cut is final.",
    )
    endpoint_max_ms: int = Field(
        1600, ge=200, le=5000, description="Milliseconds of silence that end even an unfinished sentence."
    )
    endpoint_sure: float = Field(
        0.9,
        ge=0.5,
        le=1.01,
        description="Probability from which the turn detector ends a turn at once although its words may go on; "
        "above 1: never.",
    )
    endpoint_early: bool = Field(
        True,
        description="A turn may end on the early recogniser's words; nothing is heard until the vendor's confirm them.",
    )
    vad_start_prob: float = Field(0.5, gt=0, lt=1, description="Speech probability that counts as voice.")
    vad_stop_ms: int = Field(200, ge=64, le=2000, description="Milliseconds of silence that end speech.")
    echo_guard: bool = Field(
        True, description="The bot's own voice, as the caller's microphone hears it, does not count as speech."
    )
    other_voices: OtherVoices = Field(
        OtherVoices.NO_CONSENT,
        description="Voices far below the caller's (a television, a colleague). heard: they count; no_consent: but "
        "never as the caller's yes; ignored: they neither interrupt nor become turns.",
    )
    language: str = Field(
        "en",
        pattern=f"^({'|'.join(find_languages())}|auto)$",
        description=f"Language of recogniser, voice and the bot's own sentences: {', '.join(find_languages())}; auto: "
        "it follows the caller, which needs STT=deepgram with a nova model.",
    )
    languages: CommaSeparated = Field(
        default_factory=list,
        description="Languages that a call may be in, comma separated: with LANGUAGE=auto it begins in the first and "
        "follows the caller, else a page or a token may choose; empty: LANGUAGE, or with auto all.",
    )

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if value and zone_named(value) is None:
            raise ValueError("it may be: a name such as Europe/Paris, or empty")
        return value
