"""One sound over the bot's voice, as far as it has been heard."""

from dataclasses import dataclass

from processors.turns.events import SoundWindow
from processors.turns.verdict.policy import Evidence

WINDOW_MS = 32
VOICED_PROB = 0.5


@dataclass
class Sound:
    """What is known of a sound that is being judged; levels are dBFS, times are the machine's seconds."""

    sound_id: int
    started_at: float
    ended_at: float | None = None
    silent_since: float | None = None
    held: bool = False
    score: float | None = None
    score_ms: int = 0
    windows: int = 0
    windows_since_judged: int = 0
    voiced_windows: int = 0
    prob_sum: float = 0.0
    max_prob: float = 0.0
    max_level_dbfs: float = -100.0
    has_words_since: bool = False

    @property
    def voiced_ms(self) -> int:
        """How much of the sound was voice, in milliseconds."""
        return self.voiced_windows * WINDOW_MS

    def add_window(self, window: SoundWindow) -> None:
        """Take one more 32 ms window."""
        self.windows += 1
        self.windows_since_judged += 1
        self.voiced_windows += window.speech_prob >= VOICED_PROB
        self.prob_sum += window.speech_prob
        self.max_prob = max(self.max_prob, window.speech_prob)
        self.max_level_dbfs = max(self.max_level_dbfs, window.level_dbfs)

    def elapsed_ms(self, now: float) -> int:
        """Length of the sound so far."""
        return round(((self.ended_at if self.ended_at is not None else now) - self.started_at) * 1000)

    def evidence(
        self, *, now: float, text: str, final: bool, confidence: float, question_heard: bool, holding: bool
    ) -> Evidence:
        """The sound and the words known with it, as the policy wants them."""
        return Evidence(
            elapsed_ms=round((now - self.started_at) * 1000),
            since_end_ms=None if self.ended_at is None else round((now - self.ended_at) * 1000),
            voiced_ms=self.voiced_ms,
            max_prob=self.max_prob,
            mean_prob=self.prob_sum / self.windows if self.windows else 0.0,
            level_dbfs=self.max_level_dbfs,
            interim_text=text,
            final_text=text if final else None,
            text_confidence=confidence,
            question_heard=question_heard,
            score=self.score,
            score_ms=self.score_ms,
        )
