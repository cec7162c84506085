"""What a sound over the bot's voice is: an interruption, or nothing that it should stop for. Pure.

Three signals are heard: the words of the recogniser, the sound judge's score (:mod:`.model`), and how long the sound
lasts. Early on only a sure signal decides; otherwise the verdict is held until the sound ends or has lasted for
``hold_ms``. Score and words are log-odds, and are added up: a judge that does not know says something near 0, and then
the words decide, which are waited for a little longer. A false cancel loses the reply, a late one only keeps a voice
lowered that little longer.
"""

from dataclasses import dataclass, replace
from enum import Enum

from languages.base import Lexicon
from languages.catalogue import language as known_language
from processors.turns.transcript import beyond
from processors.turns.verdict.words import content, stops, words


class Verdict(Enum):
    """What the bot should do."""

    CANCEL = "cancel"
    RESUME = "resume"
    HOLD = "hold"


@dataclass(frozen=True)
class VerdictParams:
    """How sure a signal must be.

    Attributes:
        language: Language of the words.
        judge_every_windows: Windows of 32 ms between two looks at a sound that brings nothing new.
        min_ms: Sounds with less voice than this never interrupt by their sound alone.
        hold_ms: A sound of this length is decided, whatever is known.
        after_end_ms: How long words are waited for after the end of a sound of which the judge is sure.
        unsure_ms: The same when the judge is not.
        no_evidence_ms: The same when the sound judge has not answered either.
        short_ms: A sound with no more voice than this holds no word.
        long_voice_ms: With so much voice a sound that no other signal speaks of is an interruption, if it is clear.
        clear_voice: Speech probability that is reached by a clear voice.
        cancel_score: Log-odds from which the sound alone interrupts before it has ended.
        early_ms: A score of less sound than this must be higher by ``early_margin`` to interrupt: first impressions are
            bold.
        early_margin: See ``early_ms``.
        resume_score: Log-odds up to which the sound alone is let pass before it has ended.
        end_score: Log-odds from which a sound that has ended, or is due, is an interruption.
        silence_score: Log-odds from which an undecided sound silences a voice that was only lowered.
        patience_score: Log-odds up to which an undecided sound may go on longer over the lowered voice.
        interim_confidence: Confidence from which words that may still change count.
        final_confidence: Confidence from which final words count.
        sure_score: Log-odds, either way, from which the judge is sure of a sound that has ended.
        one_word: Log-odds that one word of content with full confidence adds to the score.
        more_words: The same of several.
        no_words: Log-odds that a sound adds whose final words are none, or acknowledge.
    """

    language: str = "en"
    judge_every_windows: int = 2
    min_ms: int = 0
    hold_ms: int = 1200
    after_end_ms: int = 96
    unsure_ms: int = 450
    no_evidence_ms: int = 400
    short_ms: int = 130
    long_voice_ms: int = 600
    clear_voice: float = 0.9
    cancel_score: float = 0.9
    early_ms: int = 200
    early_margin: float = 0.5
    resume_score: float = -2.5
    end_score: float = 0.0
    silence_score: float = 0.2
    patience_score: float = -0.2
    interim_confidence: float = 0.55
    final_confidence: float = 0.45
    sure_score: float = 1.0
    one_word: float = 1.0
    more_words: float = 2.0
    no_words: float = -1.0

    @classmethod
    def tuned(cls, *, sensitivity: float = 0.5, min_ms: int = 0, language: str = "en") -> "VerdictParams":
        """Parameters for a sensitivity from 0 (hardly anything interrupts) to 1 (nearly everything does)."""
        base = cls(language=language, min_ms=min_ms)
        shift = 4 * (0.5 - sensitivity)
        return replace(
            base,
            cancel_score=base.cancel_score + shift,
            resume_score=base.resume_score + shift,
            end_score=base.end_score + shift,
            silence_score=base.silence_score + shift,
            patience_score=base.patience_score + shift,
            interim_confidence=min(0.95, max(0.0, base.interim_confidence + shift / 10)),
            final_confidence=min(0.95, max(0.0, base.final_confidence + shift / 10)),
        )


@dataclass(frozen=True)
class Evidence:
    """What is known of a sound at one moment.

    Attributes:
        elapsed_ms: Time since its onset.
        since_end_ms: Time since it ended; None while it lasts.
        voiced_ms: How much of it was voice.
        max_prob: Highest speech probability of a window.
        mean_prob: Mean speech probability.
        level_dbfs: Highest level of a window.
        interim_text: The words that are known, final or not.
        final_text: The words, if they are final; empty: there are none in it. None: not known yet.
        text_confidence: Mean probability (0 to 1) of the words.
        question_heard: Whether the bot has just asked something.
        score: The sound judge's latest log-odds; above 0 an interruption. None: not known yet.
        score_ms: How much of the sound it had heard for that.
    """

    elapsed_ms: int
    since_end_ms: int | None
    voiced_ms: int
    max_prob: float
    mean_prob: float
    level_dbfs: float
    interim_text: str
    final_text: str | None
    text_confidence: float
    question_heard: bool
    score: float | None
    score_ms: int = 0


@dataclass(frozen=True)
class Decision:
    """A verdict, how sure it is (0 to 1), and why."""

    verdict: Verdict
    confidence: float
    reason: str


_HOLD = Decision(Verdict.HOLD, 0.0, "undecided")


class VerdictPolicy:
    """Weighs the signals.

    Args:
        params: How sure they must be.
    """

    def __init__(self, params: VerdictParams | None = None) -> None:
        self.params = params or VerdictParams()

    def decide(self, evidence: Evidence) -> Decision:
        """The verdict at this moment; HOLD if it is not clear enough yet."""
        by_words = self._by_words(evidence)
        if by_words is not None:
            return by_words
        by_sound = self._by_sound(evidence)
        if by_sound is not None:
            return by_sound
        if evidence.since_end_ms is not None:
            return self._at_end(evidence)
        if evidence.elapsed_ms >= self.params.hold_ms:
            return self.decide_now(evidence)
        return _HOLD

    def decide_now(self, evidence: Evidence) -> Decision:
        """The verdict when no more time is left: CANCEL or RESUME."""
        text = evidence.interim_text if evidence.final_text is None else evidence.final_text
        meant = self._content(text)
        if evidence.score is not None:
            belief = evidence.score + self._of_words(text, evidence.text_confidence, evidence.final_text is not None)
            if belief >= self.params.end_score and evidence.voiced_ms >= self.params.min_ms:
                return Decision(
                    Verdict.CANCEL, _sureness(belief - self.params.end_score), "sounds like an interruption"
                )
            return Decision(Verdict.RESUME, _sureness(self.params.end_score - belief), "sounds like none")
        if meant:
            return Decision(Verdict.CANCEL, evidence.text_confidence, f"words: {' '.join(meant[:4])}")
        if not words(text) and evidence.final_text is None and self._is_long_voice(evidence):
            # The judge and the recogniser are late, as on a machine with too much to do: the VAD alone is sure.
            return Decision(Verdict.CANCEL, evidence.mean_prob, "a long clear voice, and nobody has told its words")
        return Decision(Verdict.RESUME, 0.6, "no words in it")

    def wants_silence(self, evidence: Evidence) -> bool:
        """Whether an undecided sound is likely enough an interruption that a lowered voice should be silent now."""
        return evidence.score is not None and evidence.score >= self.params.silence_score

    def has_patience(self, evidence: Evidence) -> bool:
        """Whether an undecided sound is so likely none that a lowered voice may go on a little longer."""
        meant = self._content(evidence.interim_text)
        return evidence.score is not None and evidence.score <= self.params.patience_score and not meant

    def is_acknowledgement(self, text: str, known: str = "") -> bool:
        """Whether all words of a text, but for those that are known already, acknowledge; also with no words."""
        return not self._content(beyond(text, known) if known else text)

    def is_content(
        self, text: str, confidence: float, question_heard: bool, final: bool, score: float | None = None
    ) -> bool:
        """Whether words take the floor whose sound was let pass, or was never judged.

        Args:
            text: The words.
            confidence: Mean probability (0 to 1) of them.
            question_heard: Whether the bot has just asked something.
            final: Whether they are final.
            score: What the judge thought of their sound; None: nothing.
        """
        if self._stops(text):
            return True
        if question_heard and final and words(text):
            return True
        wanted = self.params.final_confidence if final else self.params.interim_confidence
        if not self._content(text) or confidence < wanted:
            return False
        return score is None or score + self._of_words(text, confidence, final) >= self.params.end_score

    # --- the signals -----------------------------------------------------------------------

    def _by_words(self, evidence: Evidence) -> Decision | None:
        final = evidence.final_text is not None
        text = evidence.final_text if evidence.final_text is not None else evidence.interim_text
        said = words(text)
        if not said:
            return None
        confidence = evidence.text_confidence
        wanted = self.params.final_confidence if final else self.params.interim_confidence
        if self._stops(text) and confidence >= min(wanted, 0.4):
            return Decision(Verdict.CANCEL, max(confidence, 0.8), f"stop word in {' '.join(said[:6])!r}")
        meant = self._content(text)
        if evidence.question_heard and (final or not meant):
            return Decision(Verdict.CANCEL, confidence, "an answer to the bot's question")
        # The more the sound speaks against an interruption, the more its words must say, and the surer.
        belief = (evidence.score or 0.0) + self._of_words(text, confidence, final)
        if meant and confidence >= wanted and (final or len(meant) > 1) and belief >= self.params.end_score:
            return Decision(Verdict.CANCEL, confidence, f"words: {' '.join(meant[:4])}")
        if meant or (evidence.score is not None and evidence.score >= self.params.cancel_score):
            return None
        # More may follow ("okay, stop there"), but the sound is judged on after a resume.
        leans = evidence.score is not None and evidence.score <= self.params.end_score
        if final or (confidence >= wanted and (leans or evidence.since_end_ms is not None)):
            return Decision(Verdict.RESUME, 0.9, f"an acknowledgement: {' '.join(said[:4])}")
        return None

    def _by_sound(self, evidence: Evidence) -> Decision | None:
        score = evidence.score
        if score is None or evidence.since_end_ms is not None:
            return None
        margin = self.params.early_margin if evidence.score_ms < self.params.early_ms else 0.0
        if score >= self.params.cancel_score + margin and evidence.voiced_ms >= self.params.min_ms:
            return Decision(Verdict.CANCEL, _sureness(score), "surely sounds like an interruption")
        if score <= self.params.resume_score and not self._content(evidence.interim_text):
            return Decision(Verdict.RESUME, _sureness(-score), "surely sounds like none")
        return None

    def _at_end(self, evidence: Evidence) -> Decision:
        assert evidence.since_end_ms is not None
        leans = evidence.score is not None and evidence.score >= 0  # a clipped "no" is short too
        if evidence.voiced_ms <= self.params.short_ms and not evidence.interim_text and not leans:
            return Decision(Verdict.RESUME, 0.9, "too short to hold a word")
        if evidence.final_text is None and evidence.since_end_ms < self.words_due_ms(evidence):
            return _HOLD
        return self.decide_now(evidence)

    def words_due_ms(self, evidence: Evidence) -> int:
        """How long after its end a sound waits for its words: longer for one of which nothing is sure."""
        if evidence.score is None:
            long = not evidence.interim_text and self._is_long_voice(evidence)
            return self.params.no_evidence_ms if long else self.params.after_end_ms
        return self.params.after_end_ms if abs(evidence.score) >= self.params.sure_score else self.params.unsure_ms

    # --- words -------------------------------------------------------------------------------

    @property
    def lexicon(self) -> Lexicon:
        """The lists of words that are known."""
        return known_language(self.params.language).lexicon

    def _content(self, text: str) -> list[str]:
        return content(text, self.params.language, self.lexicon)

    def _stops(self, text: str) -> bool:
        return stops(text, self.params.language, self.lexicon)

    def _of_words(self, text: str, confidence: float, final: bool) -> float:
        """What the words of a sound, or that it has none, add to its log-odds."""
        meant = self._content(text)
        if not meant:
            return self.params.no_words if final or words(text) else 0.0
        return (self.params.one_word if len(meant) == 1 else self.params.more_words) * confidence

    def _is_long_voice(self, evidence: Evidence) -> bool:
        return evidence.voiced_ms >= self.params.long_voice_ms and evidence.max_prob >= self.params.clear_voice


def _sureness(log_odds: float) -> float:
    """A log-odds distance as a number from 0.5 to 1."""
    return round(1 / (1 + 2.718281828 ** -max(0.0, min(log_odds, 20.0))), 3)
