"""The bot's voice on a telephone line: pulled at the 20 ms tick that all calls share, and sent a little early.

The carrier gets only so much that a hiccup of the network is not heard: what it has cannot be paused or lowered any
more, only dropped. Silence is not sent; a carrier that has nothing to play plays none.
"""

from collections.abc import Callable
from typing import Final

from contracts.frames import OUTPUT_SAMPLE_RATE_HZ
from transports.output import PlayoutOutput
from transports.pacer import PACKET_SECS, shared_pacer
from transports.phone.carrier import Carrier, Started, Wire
from transports.phone.far_playout import FarPlayout
from transports.phone.sound import Speaking

AHEAD_SECS: Final = 0.06
"""So much the carrier has to play at most, but for what is on its way."""

BLOCK_SAMPLES: Final = round(OUTPUT_SAMPLE_RATE_HZ * PACKET_SECS)

MARK_EACH: Final = 3
"""One block in so many is marked, and the last one before silence."""

CLEAR_WITHIN_SECS: Final = 2.0
"""A carrier that was sent something so lately is told to drop it, whatever it is believed to have played."""


class PhoneVoice:
    """Plays an output to a carrier, and knows what of it was played; the output's far end.

    Args:
        carrier: Whose line it is.
        started: What the stream told at its start.
        output: What is played.
        send: Takes a message for the carrier; waits for nothing.
        drop: Forgets the messages that were taken and have not gone out.
        on_end: Called when it fails.
        now: The time: monotonic seconds.
    """

    def __init__(
        self,
        carrier: Carrier,
        started: Started,
        output: PlayoutOutput,
        send: Callable[[Wire], None],
        drop: Callable[[], None],
        on_end: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._carrier = carrier
        self._started = started
        self._output = output
        self._send = send
        self._drop = drop
        self._on_end = on_end
        self._now = now
        self._speaking = Speaking(started.encoding)
        self._far = FarPlayout(OUTPUT_SAMPLE_RATE_HZ)
        self._marks = 0
        self._unmarked = 0
        self._sent_at: float | None = None

    def begin(self) -> None:
        """Speak from the next tick on."""
        self._output.far_end = self
        shared_pacer().join(self.on_tick)

    def end(self) -> None:
        """Speak no more; does nothing the second time."""
        shared_pacer().leave(self.on_tick)

    def played(self, mark: str) -> None:
        """The carrier has returned a mark."""
        self._far.played(mark, self._now())

    def round_trip(self, secs: float) -> None:
        """See :meth:`~transports.phone.far_playout.FarPlayout.round_trip`."""
        self._far.round_trip(secs)

    # --- the output's far end ------------------------------------------------------------------

    def unplayed(self) -> int:
        """See :class:`~transports.far_end.FarEnd`."""
        return self._far.unplayed(self._now())

    def clear(self) -> None:
        """Have the carrier drop what it has not played."""
        self._far.cleared()
        self._unmarked = 0
        self._speaking.rest()
        if self._sent_at is not None and self._now() - self._sent_at < CLEAR_WITHIN_SECS:
            self._drop()
            self._send(self._carrier.clear(self._started))
        self._sent_at = None

    # --- the tick ------------------------------------------------------------------------------

    def on_tick(self, _: int) -> None:
        """20 ms have passed, or more."""
        try:
            self._play(self._now())
        except Exception:
            self.end()
            self._on_end()
            raise

    def _play(self, now: float) -> None:
        if self._far.stuck(now) or self._far.ahead_secs(now) > AHEAD_SECS - PACKET_SECS / 2:
            return
        self._play_block(now)
        while self._output.has(BLOCK_SAMPLES) and self._far.ahead_secs(now) <= AHEAD_SECS - PACKET_SECS:
            self._play_block(now)

    def _play_block(self, now: float) -> None:
        pcm = self._output.pull(BLOCK_SAMPLES)
        sounds = self._output.sounds or pcm.count(0) != len(pcm)
        if sounds:
            self._send(self._carrier.audio(self._started, self._speaking.push(pcm)))
            self._sent_at = now
            self._unmarked += 1
        self._far.pulled(BLOCK_SAMPLES, now, sent=sounds)
        if self._unmarked >= (MARK_EACH if sounds else 1):
            self._unmarked = 0
            self._marks += 1
            name = str(self._marks)
            self._far.marked(name)
            self._send(self._carrier.mark(self._started, name))
        if not sounds:
            self._speaking.rest()
