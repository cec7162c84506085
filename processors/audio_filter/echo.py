"""Is that the bot's own voice? Tells it from the caller's, window by window, by what was played. Pure.

Nothing is computed while the bot is silent or the VAD hears nothing. What it does hear while the bot's voice may be in
the air is *echo* (explained by what was played), *near* (somebody else speaks, whether the bot does or not), or at the
very beginning *unsure* for some windows. Before the path is known it is found by its delay
(:mod:`processors.audio_filter.delay`); from then on the powers in bands are compared
(:mod:`processors.audio_filter.echo_path`).
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from audio.pcm import mean_square
from contracts.frames import INPUT_SAMPLE_RATE_HZ, OUTPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from processors.audio_filter.delay import HEARD_SAMPLES, LONGEST_SECS, SPAN_SAMPLES, find_delay
from processors.audio_filter.echo_path import ROOM_DECAY, TAIL_FRAMES, EchoPath, Excitation
from processors.audio_filter.played import PlayedAudio
from processors.audio_filter.spectra import HEARD, PLAYED

WINDOW_PLAYED: Final = WINDOW_SAMPLES * OUTPUT_SAMPLE_RATE_HZ // INPUT_SAMPLE_RATE_HZ
"""Samples of the playout in one window of the microphone."""

KEPT_WINDOWS: Final = 64
"""Windows that are kept (2 s), to learn a path from."""

MOST_FRAMES: Final = 2 * KEPT_WINDOWS + TAIL_FRAMES
"""Frames of the reference that are kept."""

PLAIN_WINDOWS: Final = 40
"""Windows of which it is learned how loud an echo's windows are."""

ROOM_SAMPLES: Final = round(0.1 * OUTPUT_SAMPLE_RATE_HZ)
"""How far back a loud block may still be the loudest, at :data:`ROOM_DECAY`."""

ROOM_SECS: Final = 0.3
"""How long a room goes on sounding."""

_HEARD_WINDOWS: Final = HEARD_SAMPLES // WINDOW_SAMPLES


class Source(Enum):
    """Who is heard in a window."""

    UNKNOWN = "unknown"
    """Nothing was played, or nothing is heard: nobody asked."""
    NEAR = "near"
    ECHO = "echo"
    UNSURE = "unsure"


@dataclass(frozen=True)
class EchoParams:
    """When what is an echo.

    Attributes:
        heard_prob: Windows below this speech probability are not asked about.
        sharp: Sharpness from which a delay is one.
        agreeing: Sharpness from which it is one if the window before told the same.
        doubtful: Sharpness from which it may be one, if the next window tells the same.
        likely: Sharpness from which that next window is waited for. 95 of 100 first windows of an echo are sharper than
            10; of 100 first windows of a caller, who is let wait by that, 25 are sharper than 8.5.
        agree_secs: How far two delays may be apart to be the same.
        unsure_windows: Voiced windows of one sound that are held back at most while that is doubtful.
        tries: Voiced windows of one sound in which a delay is looked for.
        near_share: What of a window must be unexplained.
        near_bands: In how many bands.
        plain_percentile: Windows of an echo are no louder than this share (in percent) of those that were heard before;
            such a window is not looked at band by band, as long as nobody else is heard.
        near_windows: Windows for which somebody who was heard is taken to go on.
        refresh_windows: Voiced windows after which a path is measured anew: the first times, and then always.
        doubt_windows: It is measured anew as well when somebody seems to speak, unless so few windows have passed.
        lost_after: Measurements in a row that find no echo, after which the path is forgotten.
    """

    heard_prob: float = 0.35
    sharp: float = 12.0
    agreeing: float = 8.5
    doubtful: float = 6.5
    likely: float = 8.5
    agree_secs: float = 0.002
    unsure_windows: int = 2
    tries: int = 8
    near_share: float = 0.4
    near_bands: int = 4
    near_windows: int = 5
    plain_percentile: float = 65.0
    refresh_windows: tuple[int, ...] = (3, 6, 12, 24, 48, 120)
    doubt_windows: int = 6
    lost_after: int = 3


class EchoGuard:
    """One call's knowledge of its echo.

    Args:
        played: What was played.
        params: When what is an echo.
    """

    def __init__(self, played: PlayedAudio, params: EchoParams | None = None) -> None:
        self._played = played
        self._params = params or EchoParams()
        self._arrivals: deque[int] = deque()
        self._windows: deque[bytes] = deque(maxlen=KEPT_WINDOWS)
        self._echoes: deque[bool] = deque(maxlen=KEPT_WINDOWS)
        self._count = 0
        self.path: EchoPath | None = None
        self.delay_secs: float | None = None
        self._shift = 0
        self._candidate: int | None = None
        self._tries = 0
        self._gap = 0
        self._near_left = 0
        self._since_refresh = 0
        self._refreshes = 0
        self._misses = 0
        self._excitation = Excitation()
        self._excited_to: int | None = None
        self._recent: list[np.ndarray] = []
        self._plain_gain = 0.0
        """Up to this share of what was played, a window's power is plainly that of the echo."""

    # --- the face ----------------------------------------------------------------------

    def arrive(self) -> None:
        """A window of the microphone is complete; whose it is, is asked once the VAD has rated it."""
        self._arrivals.append(self._played.samples)

    def judge(self, window: bytes, speech_prob: float) -> Source:
        """Who is heard in the next window.

        Args:
            window: 512 samples of 16 kHz mono 16-bit PCM.
            speech_prob: The VAD's probability of speech in it.
        """
        arrived = self._arrivals.popleft()
        self._windows.append(window)
        self._echoes.append(False)
        self._count += 1
        if self._played.silent_secs(arrived) > LONGEST_SECS + ROOM_SECS:
            self._near_left = 0
            return Source.UNKNOWN
        if speech_prob < self._params.heard_prob:
            self._note_quiet()
            return Source.UNKNOWN
        self._gap = 0
        source = self._locked(arrived) if self.path is not None else self._searching(arrived)
        self._echoes[-1] = source is Source.ECHO
        return source

    def _note_quiet(self) -> None:
        self._near_left = max(0, self._near_left - 1)
        self._gap += 1
        if self._gap >= 8:  # the sound is over
            self._tries = 0
            self._candidate = None

    # --- the path is not known -----------------------------------------------------------

    def _searching(self, arrived: int) -> Source:
        params = self._params
        if self._tries >= params.tries:
            return Source.NEAR
        self._tries += 1
        shift, sharpness = self._measure(arrived)
        near = params.agree_secs * OUTPUT_SAMPLE_RATE_HZ
        agrees = self._candidate is not None and abs(shift - self._candidate) <= near
        self._candidate = shift if sharpness >= params.doubtful else None
        if sharpness >= (params.agreeing if agrees else params.sharp):
            self._refreshes = 0
            self._lock(shift, arrived)
            return self._locked(arrived)
        if sharpness >= params.likely and self._tries <= params.unsure_windows:
            return Source.UNSURE
        return Source.NEAR

    def _measure(self, arrived: int) -> tuple[int, float]:
        """The likeliest alignment: position of the playout at the microphone's first sample; and its sharpness."""
        pcm = b"".join(list(self._windows)[-_HEARD_WINDOWS:])
        heard = np.zeros(HEARD_SAMPLES, np.float32)
        samples = np.frombuffer(pcm, np.int16)
        heard[len(heard) - len(samples) :] = samples
        delay = find_delay(heard / 32768, self._played.between(arrived - SPAN_SAMPLES, arrived))
        lag = round(delay.secs * OUTPUT_SAMPLE_RATE_HZ)
        return arrived - lag - self._count * WINDOW_PLAYED, delay.sharpness

    def _lock(self, shift: int, arrived: int) -> None:
        self._shift = shift
        self._excited_to = None
        self.delay_secs = (arrived - shift - self._count * WINDOW_PLAYED) / OUTPUT_SAMPLE_RATE_HZ
        self._misses = 0
        self._since_refresh = 0
        first = 2 * (self._count - len(self._windows))
        heard = self._heard_frames(len(self._windows))
        excited = self._excited(first, 2 * self._count - 1)
        sounding = excited.max(axis=1) > 0
        if self.path is None:
            self.path = EchoPath(heard[sounding], excited[sounding]) if sounding.any() else None
            return
        self._learn_plain()
        mine = np.repeat(np.array(self._echoes), 2)[1:] & sounding
        if np.count_nonzero(mine) >= 8:
            self.path.noise = np.percentile(heard, 15, axis=0)
            self.path.learn(heard[mine], excited[mine])

    def _learn_plain(self) -> None:
        """How loud the echo's windows are, beside what was played."""
        ratios = [
            mean_square(self._windows[-back]) / excited
            for back in range(1, min(len(self._windows), PLAIN_WINDOWS) + 1)
            if self._echoes[-back] and (excited := self._loudest(self._count - back)) > 0
        ]
        self._plain_gain = float(np.percentile(ratios, self._params.plain_percentile)) if len(ratios) >= 8 else 0.0

    def _loudest(self, index: int) -> float:
        """The most that may have sounded in a window: mean square of what was played."""
        start = index * WINDOW_PLAYED + self._shift
        near = WINDOW_PLAYED // 2
        return self._played.loudest(start - near, start + WINDOW_PLAYED + near, ROOM_SAMPLES, ROOM_DECAY)

    def _is_plain(self) -> bool:
        """Whether the last window is no louder than the echo mostly is."""
        if not self._plain_gain:
            return False
        return mean_square(self._windows[-1]) <= self._plain_gain * self._loudest(self._count - 1)

    # --- the path is known -----------------------------------------------------------------

    def _locked(self, arrived: int) -> Source:
        params = self._params
        self._since_refresh += 1
        if self._since_refresh >= params.refresh_windows[min(self._refreshes, len(params.refresh_windows) - 1)]:
            self._refreshes += 1
            self._refresh(arrived)
        if self.path is None:  # nothing of the playout sounds in what was kept
            return Source.NEAR
        if self._near_left == 0 and self._is_plain():
            return Source.ECHO
        if self._is_near():
            if self._near_left == 0 and self._since_refresh >= params.doubt_windows:
                self._refresh(arrived)  # or the path is another by now
                if self.path is not None and not self._is_near():
                    return Source.ECHO
            self._near_left = params.near_windows
            return Source.NEAR
        if self._near_left > 0:
            self._near_left -= 1
            return Source.NEAR
        return Source.ECHO

    def _is_near(self) -> bool:
        """Whether there is more in the last window than the path explains."""
        assert self.path is not None
        last = 2 * self._count - 2
        heard = self._heard_frames(1)
        excited = self._excited(last - 1, last + 1)
        found = self.path.unexplained(heard.sum(axis=0), excited.sum(axis=0))
        return found.share >= self._params.near_share and found.bands >= self._params.near_bands

    def _refresh(self, arrived: int) -> None:
        self._since_refresh = 0
        shift, sharpness = self._measure(arrived)
        if sharpness >= self._params.sharp:
            self._lock(shift, arrived)
        elif not any(list(self._echoes)[-_HEARD_WINDOWS:]):
            self._misses += 1
            if self._misses >= self._params.lost_after:
                self.path = None

    # --- frames --------------------------------------------------------------------------

    def _heard_frames(self, windows: int) -> np.ndarray:
        """Band powers of the last windows: two frames each, but for the first frame of the first of all."""
        wanted = min(windows + 1, len(self._windows))
        pcm = b"".join(self._windows[index] for index in range(-wanted, 0))
        samples = np.frombuffer(pcm, np.int16).astype(np.float32)
        samples *= np.float32(1 / 32768)
        if wanted > windows:
            samples = samples[WINDOW_SAMPLES // 2 :]
        return HEARD.of(samples)

    def _excited(self, first: int, end: int) -> np.ndarray:
        """What the reference may make sound from frame ``first`` to before ``end``, by the microphone's hops."""
        if self._excited_to is None or not first - TAIL_FRAMES <= self._excited_to <= end:
            self._excited_to = first - TAIL_FRAMES
            self._excitation = Excitation()
        hop, begin = PLAYED.hop, self._excited_to
        if begin < end:
            # One frame more at each end: what is aligned to a frame may lie beside it.
            samples = self._played.between((begin - 1) * hop + self._shift, (end + 2) * hop + self._shift)
            self._recent = (self._recent + list(self._excitation.push(PLAYED.of(samples))))[-MOST_FRAMES:]
            self._excited_to = end
        return np.stack(self._recent[first - end :])
