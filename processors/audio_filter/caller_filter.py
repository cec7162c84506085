"""What takes out of a call's audio all that is not the caller's voice. Pure: arrays, probabilities and times go in.

It takes what is not the caller's voice out of the call, so that nobody after it need know: a window that is the bot's
own echo goes on as silence, without speech.
"""

from typing import Final

from contracts.frames import WINDOW_SAMPLES
from processors.audio_filter.caller import CallerVoice
from processors.audio_filter.echo import EchoGuard, Source
from processors.audio_filter.handover import hands_over
from processors.audio_filter.own_words import OwnWords
from processors.audio_filter.played import PlayedAudio

SILENCE: Final = bytes(2 * WINDOW_SAMPLES)

UTTERANCE_GAP_SECS: Final = 1.5
"""A longer silence of the bot's separates what it says."""

Window = tuple[bytes, float]
"""512 samples of 16 kHz mono 16-bit PCM, and the probability that they hold speech."""


class CallerFilter:
    """What is heard, but for what is not the caller's.

    Args:
        played: What the bot plays.
        echo: Whether its echo is looked for.
        caller: Whether the caller's voice is told from others.
        others: Whether what is not the caller's voice is heard all the same; then it only does not consent.
    """

    def __init__(
        self, played: PlayedAudio | None = None, *, echo: bool = False, caller: bool = False, others: bool = False
    ) -> None:
        self._played = played
        self._echo = EchoGuard(played) if echo and played is not None else None
        self._caller = CallerVoice() if caller else None
        self._others = others
        self._own_words = OwnWords()
        self._speech_began = 0.0
        self.echo_windows = 0
        """Windows that were the bot's own voice."""
        self.far_windows = 0
        """Windows with the voice of somebody else."""

    # --- sound -------------------------------------------------------------------------

    def arrive(self) -> None:
        """A window has come; it is asked about when the VAD has rated it."""
        if self._echo is not None:
            self._echo.arrive()

    def hear(self, pcm: bytes, speech_prob: float) -> list[Window]:
        """Take a window that the VAD has rated; what goes on, in order: mostly the window itself."""
        if self._echo is not None:
            source = self._echo.judge(pcm, speech_prob)
            if source is Source.ECHO:
                self.echo_windows += 1
                return [(SILENCE, 0.0)]
            if source is Source.UNSURE:
                return [(pcm, 0.0)]
        if self._caller is not None and not self._is_callers(self._caller, pcm, speech_prob):
            self.far_windows += 1
            if self._others:
                return [(pcm, speech_prob)]
            return [(pcm if self._caller.is_onset else SILENCE, 0.0)]
        return [(pcm, speech_prob)]

    def _is_callers(self, caller: CallerVoice, pcm: bytes, speech_prob: float) -> bool:
        if self._played is not None:
            caller.bot_sounds(self._played.silent_secs(self._played.samples) < UTTERANCE_GAP_SECS)
        return caller.judge(pcm, speech_prob)

    def is_callers(self) -> bool:
        """Whether what was said last was said in the caller's own voice, as far as can be told."""
        return self._caller is None or self._caller.is_callers(far_counts=self._others)

    # --- words -------------------------------------------------------------------------

    def speech_started(self, now: float) -> None:
        """The VAD is sure that somebody speaks."""
        self._speech_began = now

    def bot_said(self, text: str, now: float) -> None:
        """A word of the bot's begins to sound."""
        self._own_words.say(text, now)

    def heard(self, text: str, language: str) -> None:
        """Final words of the caller's: they may say that somebody else takes the telephone."""
        if self._caller is not None and hands_over(text, language):
            self._caller.hand_over()

    def is_own(self, text: str, now: float) -> bool:
        """Whether what was read is what the bot itself was saying."""
        if self._echo is None:
            return False
        return self._own_words.holds(text, self._speech_began, now, self._echo.delay_secs)
