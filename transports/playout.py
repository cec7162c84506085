"""The playout: what the track sends next, and which moment of the reply that is. Pure.

:class:`PlayoutEngine` holds the bot's voice as one stream of samples. Positions count the samples of *content*, from
the engine's first on. Pausing, fading and lowering the voice happen around the content, never to its count: what was
pulled, with the fades and silences cut out, is what was pushed, to the byte.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Final

import numpy as np

HISTORY_SECS: Final = 2.0
"""How much that has been played is kept, to step back to the start of a cut word."""

DUCK_RAMP_SECS: Final = 0.02
"""How long the voice takes to be lowered or raised: short enough to be at once, long enough not to click."""

_SAMPLE_BYTES: Final = 2
_MARK, _TAIL = 0, 1


class PlayoutEngine:
    """Mono 16-bit PCM in, as fast as it is made; mono 16-bit PCM out, as fast as it is played.

    A pause is heard at the next :meth:`pull`. To avoid a click the voice then fades within ``fade_ms``; the fade is a
    copy of the samples that would have come next, which are played in full after the resume, so nothing is lost. The
    resume fades in the same way, with a copy of the samples before it.

    Parameters:
        sample_rate_hz: Rate of the audio.
        fade_ms: Longest fade, in milliseconds.
        duck_gain_db: Gain of the lowered voice, in dB.
    """

    def __init__(self, sample_rate_hz: int = 24_000, *, fade_ms: float = 5.0, duck_gain_db: float = -15.0) -> None:
        self._buffer = bytearray()
        self._base = 0
        self._position = 0
        self._fade_samples = int(sample_rate_hz * fade_ms / 1000)
        self._history_samples = int(sample_rate_hz * HISTORY_SECS)
        self._ramp = np.linspace(1, 0, self._fade_samples, endpoint=False, dtype=np.float32)
        self._low_gain = float(10 ** (duck_gain_db / 20))
        self._gain = 1.0
        self._gain_step = (1 - self._low_gain) / max(1.0, sample_rate_hz * DUCK_RAMP_SECS)
        self._flowing = False
        self._tail = b""
        self._fades_in = False
        self._unheard_pause = False
        self._due: list[tuple[int, int, int, object]] = []
        self._marks = 0
        self._last_content = (0, 0)
        self._paused = False
        self._held = False
        self._starts: deque[int] = deque()
        self._low_stopped = False
        self.ducked = False

    # --- what is there ---------------------------------------------------------------------

    @property
    def pushed(self) -> int:
        """Samples pushed in all."""
        return self._base + len(self._buffer) // _SAMPLE_BYTES

    @property
    def played(self) -> int:
        """Position of the next sample to be played: all before it were played, or dropped by a cancel."""
        return self._position

    @property
    def pending(self) -> int:
        """Samples that wait to be played."""
        return self.pushed - self._position

    @property
    def last_content(self) -> tuple[int, int]:
        """Where in the block of the last pull its content begins, and how many samples of content it holds."""
        return self._last_content

    @property
    def paused(self) -> bool:
        """Whether the voice is silenced: by a pause or a hold, or because a lowered voice came to its end."""
        return self._paused or self._held or self._low_stopped

    # --- what is said ----------------------------------------------------------------------

    def push(self, pcm: bytes) -> None:
        """Add content.

        Raises:
            ValueError: Half a sample.
        """
        if len(pcm) % _SAMPLE_BYTES:
            raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
        self._buffer += pcm

    def mark_start(self) -> None:
        """Something new begins with the next sample that is pushed: a voice that is lowered does not go on to it."""
        self._starts.append(self.pushed)

    def mark(self, position: int, item: object) -> None:
        """Have ``item`` released once the sample at ``position`` has been played."""
        self._add(position + 1, _MARK, item)

    def mark_tail(self, item: object) -> None:
        """Have ``item`` released once everything pushed so far has been played."""
        self._add(self.pushed, _TAIL, item)

    def _add(self, due_at: int, kind: int, item: object) -> None:
        self._marks += 1
        heapq.heappush(self._due, (due_at, kind, self._marks, item))

    def take_due(self, heard: int | None = None) -> list[object]:
        """Items whose moment has come, in the order of their moments.

        Parameters:
            heard: Position of the next sample to be heard, where a far end plays later than we pull; None: what was
                pulled was heard.
        """
        return list(self._take_due(self._position if heard is None else heard))

    def _take_due(self, heard: int) -> Iterator[object]:
        while self._due and self._due[0][0] <= heard:
            yield heapq.heappop(self._due)[3]

    # --- what is heard ---------------------------------------------------------------------

    def pull(self, samples: int) -> bytes:
        """The next block: exactly ``samples`` samples; silence where there is nothing to play."""
        size = samples * _SAMPLE_BYTES
        lead = self._take_lead()[:size]
        if self.ducked and self._is_at_end():
            self._low_stopped = True
        if self.paused or not self.pending:
            self._flowing = False
            self._unheard_pause = False
            self._last_content = (0, 0)
            return lead.ljust(size, b"\0")
        length = min(samples - len(lead) // _SAMPLE_BYTES, self.pending)
        if self.ducked and self._starts:
            length = min(length, self._starts[0] - self._position)
        content = self._voiced(self._slice(self._position, self._position + length))
        self._last_content = (len(lead) // _SAMPLE_BYTES, length)
        self._position += length
        self._flowing = True
        self._trim()
        return (lead + content).ljust(size, b"\0")

    def _is_at_end(self) -> bool:
        """Whether what was begun is over: there is no more, or something new comes next."""
        while self._starts and self._starts[0] < self._position:
            self._starts.popleft()
        return not self.pending or (bool(self._starts) and self._starts[0] == self._position)

    def _take_lead(self) -> bytes:
        """The fade that comes before anything else in this block."""
        if self._tail:
            tail, self._tail = self._tail, b""
            return tail
        if self._fades_in and not self.paused and self.pending:
            self._fades_in = False
            before = self._slice(max(self._base, self._position - self._fade_samples), self._position)
            return self._faded(before, self._ramp[::-1][-(len(before) // _SAMPLE_BYTES) :] if before else self._ramp)
        return b""

    def _slice(self, start: int, end: int) -> bytes:
        return bytes(self._buffer[(start - self._base) * _SAMPLE_BYTES : (end - self._base) * _SAMPLE_BYTES])

    def _faded(self, pcm: bytes, ramp: np.ndarray) -> bytes:
        if not pcm:
            return b""
        samples = np.frombuffer(pcm, np.int16)
        return (samples * (ramp[: len(samples)] * np.float32(self._gain))).astype(np.int16).tobytes()

    def _voiced(self, pcm: bytes) -> bytes:
        """The content at the gain of the moment."""
        target = self._low_gain if self.ducked else 1.0
        if self._gain == target == 1.0 or not pcm:
            return pcm
        samples = np.frombuffer(pcm, np.int16)
        steps = np.arange(1, len(samples) + 1, dtype=np.float32) * self._gain_step
        if self._gain > target:
            gains = np.maximum(self._gain - steps, target)
        else:
            gains = np.minimum(self._gain + steps, target)
        self._gain = float(gains[-1])
        if abs(self._gain - target) < self._gain_step / 2:
            self._gain = target
        return (samples * gains).astype(np.int16).tobytes()

    def _trim(self) -> None:
        played = self._position - self._base
        if played >= 2 * self._history_samples:
            dropped = played - self._history_samples
            del self._buffer[: dropped * _SAMPLE_BYTES]
            self._base += dropped

    # --- who has the floor -----------------------------------------------------------------

    def pause(self) -> None:
        """Be silent from the next block on, but for the fade."""
        silent = self.paused
        self._paused = True
        if not silent:
            self._fall_silent()

    def hold(self, unheard: int = 0) -> None:
        """Be silent as in a pause, which neither a resume nor a cancel ends.

        Parameters:
            unheard: So many of the last samples are played again afterwards, as far as they are still kept; what was
                released is not released again.
        """
        silent = self.paused
        self._held = True
        if not silent:
            self._fall_silent()
        if unheard > 0:
            self._position = max(self._base, self._position - unheard)
            self._unheard_pause = False

    def end_hold(self) -> None:
        """Go on, unless there is a pause as well."""
        if self._held:
            self._held = False
            self._go_on()

    def resume(self, step_back_to: int | None = None) -> None:
        """Go on with the sample after the last one played.

        Parameters:
            step_back_to: Go on from this earlier position instead, as far as it is still kept. What was released is
                not released again.
        """
        if not self._paused:
            return
        self._paused = False
        if step_back_to is not None:
            self._position = max(self._base, min(step_back_to, self._position))
            self._unheard_pause = False
        self._go_on()

    def _fall_silent(self) -> None:
        self._unheard_pause = self._flowing
        self._fade_out()

    def _go_on(self) -> None:
        if self.paused:
            return
        self._tail = b""
        if self._unheard_pause:
            self._flowing = True
        else:
            self._fades_in = self._position > self._base

    def duck(self) -> None:
        """Lower the voice; what was begun goes on, but nothing new begins until it is raised."""
        self.ducked = True

    def unduck(self) -> None:
        """Raise the voice again."""
        self.ducked = False
        self._low_stopped = False

    def cancel(self, *, fade: bool = True) -> list[object]:
        """Drop what is pending, and end any pause or lowering, but no hold.

        Parameters:
            fade: Whether the voice fades, where it sounds; else it is silent at once.

        Returns:
            The items that were not released.
        """
        if not fade:
            self._tail = b""
        elif not self.paused:
            self._fade_out()
        dropped = [entry[3] for entry in sorted(self._due)]
        self._due.clear()
        self._base = self._position = self.pushed
        self._buffer.clear()
        self._flowing = False
        self._fades_in = False
        self._paused = False
        self._starts.clear()
        self.unduck()
        self._gain = 1.0
        return dropped

    def _fade_out(self) -> None:
        """A fading copy of what would have come next, if the voice is sounding."""
        if self._flowing and self.pending:
            coming = self._slice(self._position, min(self._position + self._fade_samples, self.pushed))
            self._tail = self._faded(coming, self._ramp)
        self._flowing = False
