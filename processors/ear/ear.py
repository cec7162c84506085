"""One call's ear: what stands between the VAD and everybody who listens. Pure: arrays, probabilities and times go in.

It takes what is not the caller's voice out of the call, so that nobody after it need know: a window that is the bot's
own echo goes on as silence, without speech.
"""

from typing import Final

from contracts.frames import WINDOW_SAMPLES
from processors.ear.echo import EchoGuard, Source
from processors.ear.own_words import OwnWords
from processors.ear.played import PlayedAudio

SILENCE: Final = bytes(2 * WINDOW_SAMPLES)

Window = tuple[bytes, float]
"""512 samples of 16 kHz mono 16-bit PCM, and the probability that they hold speech."""


class Ear:
    """What is heard, but for what is not the caller's.

    Args:
        played: What the bot plays; None: its echo is not looked for.
    """

    def __init__(self, played: PlayedAudio | None) -> None:
        self._echo = None if played is None else EchoGuard(played)
        self._own_words = OwnWords()
        self._speech_began = 0.0
        self.echo_windows = 0
        """Windows that were the bot's own voice."""

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
        return [(pcm, speech_prob)]

    # --- words -------------------------------------------------------------------------

    def speech_started(self, now: float) -> None:
        """The VAD is sure that somebody speaks."""
        self._speech_began = now

    def bot_said(self, text: str, now: float) -> None:
        """A word of the bot's begins to sound."""
        self._own_words.say(text, now)

    def is_own(self, text: str, now: float) -> bool:
        """Whether what was read is what the bot itself was saying."""
        if self._echo is None:
            return False
        return self._own_words.holds(text, self._speech_began, now, self._echo.delay_secs)
