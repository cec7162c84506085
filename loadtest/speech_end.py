"""Where the bot's VAD puts the end of a clip.

The bot counts from the last window that its VAD took for speech, a caller from the last loud sample. The difference is
a property of the clip: the same detector, run over the clip alone, tells it, and client and bot can be compared.
"""

from functools import lru_cache
from typing import Final

from audio.opus import OpusDecoder
from contracts.frames import INPUT_SAMPLE_RATE_HZ
from loadtest.audio import PACKET_SECS, Clip, room_packets
from processors.vad.processor import SpeechGate
from processors.vad.silero import WINDOW_BYTES, SileroStream

_ROOM_PACKETS: Final = 30
"""A beginning and an end of 0.6 s, for the detector to settle and to be sure."""

_PHASES: Final = (0, 2, 4, 6)
"""Packets more at the beginning: windows of 32 ms and packets of 20 ms meet in another way each time."""


@lru_cache(maxsize=512)
def speech_end_ms(clip: Clip) -> float | None:
    """From the clip's last loud sample to the end of speech as the bot can first know it; negative if that is earlier.

    The VAD finds the end in a window, and the window is whole when the packet with its last sample has come: both are
    in the difference, at their mean over how windows and packets can lie.

    Returns:
        The difference, or None if the VAD hears no speech in the clip. A single answer may be a window off.
    """
    ends = [_end_ms(clip, _ROOM_PACKETS + more) for more in _PHASES]
    known = [end for end in ends if end is not None]
    return round(sum(known) / len(known), 1) if known else None


def _end_ms(clip: Clip, before: int) -> float | None:
    """The difference with so many packets of room before the clip."""
    decoder, room = OpusDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ), room_packets()
    packets = (*room[:before], *clip.packets, *room[:_ROOM_PACKETS])
    gate, recogniser = SpeechGate(), SileroStream()
    ended_ms: float | None = None
    heard = b""
    for number, packet in enumerate(packets, start=1):
        heard += decoder.decode(packet)
        while len(heard) >= WINDOW_BYTES:
            window, heard = heard[:WINDOW_BYTES], heard[WINDOW_BYTES:]
            if gate.push(recogniser.speech_prob(window)) == "stopped":
                ended_ms = 1000 * number * PACKET_SECS - gate.params.stop_ms
    if ended_ms is None:
        return None
    return ended_ms - 1000 * (before * PACKET_SECS + clip.last_loud_secs)
