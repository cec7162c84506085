"""Where the bot's ears put the end of a clip.

The bot counts from the last window that its VAD took for speech, a caller from the last loud sample. The difference is
a property of the clip: the same detector, run over the clip alone, tells it, and client and bot can be compared.
"""

from functools import lru_cache
from typing import Final

from loadtest.audio import PACKET_SECS, Clip, room_packets
from processors.frames import INPUT_SAMPLE_RATE_HZ
from processors.silero import WINDOW_BYTES, WINDOW_MS, SileroStream
from processors.vad import SpeechGate
from transports.opus import OpusDecoder

_ROOM_PACKETS: Final = 30
"""A beginning and an end of 0.6 s, for the detector to settle and to be sure."""


@lru_cache(maxsize=512)
def speech_end_ms(clip: Clip) -> float | None:
    """From the clip's last loud sample to the end of speech as the VAD hears it; negative if that is earlier.

    Returns:
        The difference to within one window (32 ms), or None if the VAD hears no speech in the clip.
    """
    decoder, room = OpusDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ), room_packets()[:_ROOM_PACKETS]
    pcm = b"".join(decoder.decode(packet) for packet in (*room, *clip.packets, *room))
    gate, ears = SpeechGate(), SileroStream()
    ended_ms: float | None = None
    for number, start in enumerate(range(0, len(pcm) - WINDOW_BYTES + 1, WINDOW_BYTES), start=1):
        if gate.push(ears.speech_prob(pcm[start : start + WINDOW_BYTES])) == "stopped":
            ended_ms = number * WINDOW_MS - gate.params.stop_ms
    if ended_ms is None:
        return None
    return round(ended_ms - 1000 * (_ROOM_PACKETS * PACKET_SECS + clip.last_loud_secs), 1)
