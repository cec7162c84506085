"""What a caller's recording says about the bot: pure functions from samples at the caller to figures.

None of it trusts a word of the bot's: times are those of sound at the caller's socket. "Loud" and "silent" are as in
:mod:`loadtest.audio`. All times are monotonic seconds, all results milliseconds unless the name says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from loadtest.audio import BLOCK_SECS, PACKET_SAMPLES, SAMPLE_RATE_HZ, Samples
from loadtest.recording import ReceivedPacket, Said, Sound

STOPPED_SECS: Final = 0.5
"""Silence that is a stop, not a breath: the bot's own pauses between sentences are shorter."""

LATE_MS: Final = 60.0
"""A packet later than this is missed by a usual jitter buffer."""


class NotMeasurable(ValueError):
    """The recording does not hold what the figure needs."""


def voice_to_voice_ms(said: Said, sound: Sound) -> float | None:
    """From the last loud sample of the user's speech to the first loud sample of the bot.

    Returns:
        The time, or None if the bot was not heard after it.

    Raises:
        NotMeasurable: The clip was not said to its end, or the bot was speaking when it ended.
    """
    _, end = _span(said)
    if _loud_between(sound, end - BLOCK_SECS, end):
        raise NotMeasurable(f"the bot was speaking when {said.name} ended")
    first = _first_loud_from(sound, end)
    return None if first is None else 1000 * (first - end)


def barge_in_stop_ms(said: Said, sound: Sound, *, stopped_secs: float = STOPPED_SECS) -> float | None:
    """From the first loud sample of the interrupting sound to the last loud sample of the bot before it stops.

    Parameters:
        said: The interruption.
        sound: The bot's voice.
        stopped_secs: Silence that counts as stopped.

    Returns:
        The time; 0 if it had just fallen silent; None if it never stopped.

    Raises:
        NotMeasurable: The clip was not said, or the bot was silent already when it began.
    """
    start, _ = _span(said)
    loud = sound.loud_secs
    before = loud[loud < start]
    if not len(before) or start - before[-1] >= stopped_secs:
        raise NotMeasurable(f"the bot was silent when {said.name} began")
    last = before[-1] + BLOCK_SECS
    for block in loud[loud >= start]:
        if block - last >= stopped_secs:
            break
        last = block + BLOCK_SECS
    if not len(sound.starts_secs) or sound.starts_secs[-1] - last < stopped_secs - BLOCK_SECS:
        return None
    return max(0.0, 1000 * float(last - start))


def false_alarm_gap_ms(said: Said, sound: Sound) -> float | None:
    """From the end of a sound that should not stop the bot to the bot's first loud sample again.

    Returns:
        The gap; 0 if the bot spoke on; None if it was not heard again.

    Raises:
        NotMeasurable: The clip was not said to its end.
    """
    _, end = _span(said)
    first = _first_loud_from(sound, end - BLOCK_SECS)
    return None if first is None else max(0.0, 1000 * (first - end))


def longest_silence_ms(sound: Sound, from_secs: float, to_secs: float) -> float:
    """The longest time without a loud sample of the bot within a span, its ends included."""
    loud = sound.loud_secs
    inside = loud[(loud >= from_secs) & (loud < to_secs)]
    starts = np.concatenate([inside, [to_secs]])
    ends = np.concatenate([[from_secs], inside + BLOCK_SECS])
    return 1000 * max(0.0, float(np.max(starts - ends)))


def longest_quiet_ms(
    sound: Sound, said: Sequence[Said], from_secs: float, to_secs: float, *, signs: Sequence[float] = ()
) -> float:
    """The longest time in a span in which neither the user nor the bot was heard: dead air.

    Args:
        sound: The bot's voice.
        said: The user's.
        from_secs: Where the span begins.
        to_secs: Where it ends.
        signs: Instants at which the page showed that something happens; each ends a quiet time, and another one begins.
    """
    busy = [(float(block), float(block) + BLOCK_SECS) for block in sound.loud_secs]
    busy += [_span(one) for one in said if one.last_loud_secs is not None]
    busy += [(sign, sign) for sign in signs if from_secs <= sign <= to_secs]
    longest, quiet_from = 0.0, from_secs
    for start, end in [*sorted(busy), (to_secs, to_secs)]:
        longest = max(longest, min(start, to_secs) - quiet_from)
        quiet_from = max(quiet_from, end)
    return 1000 * longest


def lateness_ms(packets: Sequence[ReceivedPacket]) -> NDArray[np.float64]:
    """How late each packet was against the earliest one of its second, by RTP time.

    An hour-long call may drift against our clock; a second cannot.
    """
    if not packets:
        return np.empty(0)
    arrivals = np.array([packet.arrival_secs for packet in packets])
    delays = arrivals - _media_secs(packets)
    seconds = (arrivals - arrivals[0]).astype(np.int64)
    late = np.empty(len(packets))
    for second in np.unique(seconds):
        near = np.abs(seconds - second) <= 1
        this = seconds == second
        late[this] = delays[this] - delays[near].min()
    return 1000 * late


@dataclass(frozen=True, slots=True)
class Delivery:
    """How well the bot's packets came.

    Parameters:
        packets: How many came.
        lost: Sequence numbers that never came.
        holes: Places where RTP time jumped though no packet was lost and none told of silence: the bot itself missed
            its time.
        late: Packets more than :data:`LATE_MS` late.
        late_p99_ms: Lateness that 1 % exceed.
        late_max_ms: The worst.
    """

    packets: int
    lost: int
    holes: int
    late: int
    late_p99_ms: float
    late_max_ms: float


def delivery(packets: Sequence[ReceivedPacket]) -> Delivery:
    """Judge the packets of one stream."""
    if not packets:
        return Delivery(0, 0, 0, 0, 0.0, 0.0)
    sequences = _unwrapped([packet.sequence for packet in packets], 16)
    order = np.argsort(sequences, kind="stable")
    steps = np.diff(sequences[order])
    media = np.diff(_unwrapped([packet.timestamp for packet in packets], 32)[order])
    pauses = np.array([packet.pauses for packet in packets])[order][:-1]
    late = lateness_ms(packets)
    return Delivery(
        packets=len(packets),
        lost=int(np.sum(steps[steps > 1] - 1)),
        holes=int(np.sum((steps == 1) & (media > PACKET_SAMPLES) & ~pauses)),
        late=int(np.sum(late > LATE_MS)),
        late_p99_ms=float(np.percentile(late, 99)),
        late_max_ms=float(late.max()),
    )


def lost_samples(reference: Samples, before: Samples, after: Samples) -> int:
    """How many samples of a voice are missing between two stretches of it, as after a pause and a resume.

    Parameters:
        reference: The whole voice, undisturbed, at the same rate.
        before: What was heard up to the gap; its last 0.25 s are looked for in the reference.
        after: What was heard from the gap on; its first 0.25 s are looked for.

    Returns:
        Samples of the reference that lie between the two: 0 if nothing was lost, negative if some were repeated.
        Codecs shift a sound by a fraction of a millisecond, so allow for some ten samples either way.

    Raises:
        NotMeasurable: A stretch is too short, or is not found in the reference.
    """
    length = SAMPLE_RATE_HZ // 4
    if min(len(before), len(after)) < length:
        raise NotMeasurable("0.25 s on both sides of the gap are needed")
    return place(reference, after[:length]) - place(reference, before[-length:]) - length


_FOUND: Final = 0.6


def place(reference: Samples, part: Samples) -> int:
    """Where a part lies in the reference, by normalised cross-correlation.

    Raises:
        NotMeasurable: Nowhere.
    """
    whole, piece = reference.astype(np.float64), part.astype(np.float64)
    size = 1 << (len(whole) + len(piece) - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(piece, size)), size)
    products = products[: len(whole) - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum(np.square(whole))])
    windows = energy[len(piece) :] - energy[: len(energy) - len(piece)]
    likeness = products / np.sqrt(np.maximum(windows, 1.0) * max(float(np.dot(piece, piece)), 1.0))
    best = int(np.argmax(likeness))
    if likeness[best] < _FOUND:
        raise NotMeasurable(f"a stretch of the voice is not in the reference (likeness {likeness[best]:.2f})")
    return best


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of the values do not exceed; NaN if there are none."""
    return float(np.percentile(values, percent)) if len(values) else float("nan")


def _span(said: Said) -> tuple[float, float]:
    if said.first_loud_secs is None or said.last_loud_secs is None:
        raise NotMeasurable(f"{said.name} was not said to its end")
    return said.first_loud_secs, said.last_loud_secs


def _first_loud_from(sound: Sound, secs: float) -> float | None:
    loud = sound.loud_secs
    after = loud[loud >= secs]
    return float(after[0]) if len(after) else None


def _loud_between(sound: Sound, from_secs: float, to_secs: float) -> bool:
    loud = sound.loud_secs
    return bool(np.any((loud >= from_secs) & (loud < to_secs)))


def _media_secs(packets: Sequence[ReceivedPacket]) -> NDArray[np.float64]:
    return _unwrapped([packet.timestamp for packet in packets], 32) / SAMPLE_RATE_HZ


def _unwrapped(values: Sequence[int], bits: int) -> NDArray[np.int64]:
    """Counters that wrap round, as ever-growing ones from the first (RFC 3550 appendix A.1 does it per packet)."""
    half, whole = 1 << (bits - 1), 1 << bits
    numbers = np.asarray(values, np.int64)
    steps = (np.diff(numbers) + half) % whole - half
    return np.concatenate([[0], np.cumsum(steps)])
