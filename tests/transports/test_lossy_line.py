"""A bad line between two real peer connections: what is lost, late or swapped at the socket is hardly heard."""

import asyncio
import random

import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from audio.opus import OpusEncoder
from audio.rtp import AudioPacket, is_rtp
from processors.compat import SendRtp, install, take_audio, take_voice
from transports.receive import FRAME_BYTES, AudioReceiver

PACKETS = 500
HZ = 440


def tone() -> list[bytes]:
    samples = (8_000 * np.sin(2 * np.pi * HZ * np.arange(PACKETS * 480) / 24_000)).astype(np.int16)
    encoder = OpusEncoder()
    return [encoder.encode(samples[at : at + 480].tobytes()) for at in range(0, len(samples), 480)]


class BadLine:
    """Loses and swaps datagrams of voice on their way in."""

    def __init__(self, protocol, lost: float, swapped: float) -> None:
        self._deliver = protocol.datagram_received
        self._lost, self._swapped = lost, swapped
        self._random = random.Random(7)
        self._held: tuple[bytes, tuple[str, int]] | None = None
        self.dropped = 0
        protocol.datagram_received = self.datagram_received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not is_rtp(data):
            self._deliver(data, addr)
        elif self._random.random() < self._lost:
            self.dropped += 1
        elif self._held is None and self._random.random() < self._swapped:
            self._held = (data, addr)
        else:
            self._deliver(data, addr)
            if self._held is not None:
                held, self._held = self._held, None
                self._deliver(*held)


async def heard_over(lost: float, swapped: float) -> tuple[np.ndarray, int, AudioReceiver]:
    """A tone of ten seconds as it is heard, how many packets the line dropped, and what heard it."""
    lines: list[SendRtp] = []
    receiver, pcm = AudioReceiver(), bytearray()
    begun = asyncio.Event()

    def begin(send: SendRtp) -> None:
        lines.append(send)
        begun.set()

    def on_packet(packet: AudioPacket) -> None:
        for frame in receiver.push(packet.ssrc, packet.sequence_number, packet.payload):
            assert len(frame) == FRAME_BYTES
            pcm.extend(frame)

    install()
    speaker, listener = RTCPeerConnection(), RTCPeerConnection()
    try:
        take_voice(speaker.addTransceiver("audio", direction="sendonly").sender, begin, lambda: None)
        await speaker.setLocalDescription(await speaker.createOffer())
        await listener.setRemoteDescription(RTCSessionDescription(speaker.localDescription.sdp, "offer"))
        take_audio(listener.getReceivers()[0], on_packet)
        await listener.setLocalDescription(await listener.createAnswer())
        await speaker.setRemoteDescription(RTCSessionDescription(listener.localDescription.sdp, "answer"))
        async with asyncio.timeout(20):
            await begun.wait()
            while listener.connectionState != "connected":
                await asyncio.sleep(0.01)
            ice = listener.getReceivers()[0].transport.transport._connection
            bad = BadLine(ice._nominated[1].protocol, lost, swapped)
            for number, packet in enumerate(tone()):
                lines[0](packet, 960 * number)
                if number % 10 == 0:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.2)
        for frame in receiver.flush():
            pcm.extend(frame)
        return np.frombuffer(bytes(pcm), np.int16), bad.dropped, receiver
    finally:
        await asyncio.gather(speaker.close(), listener.close())


def levels(samples: np.ndarray) -> np.ndarray:
    blocks = samples[: len(samples) // 320 * 320].reshape(-1, 320).astype(float)
    return np.sqrt(np.mean(blocks**2, axis=1))


async def test_what_a_good_line_brings_is_all_heard():
    samples, dropped, receiver = await heard_over(0.0, 0.0)
    assert (dropped, receiver.lost_packets) == (0, 0)
    assert len(samples) == PACKETS * 320
    assert levels(samples)[2:].min() > 4_500


@pytest.mark.parametrize(("lost", "swapped"), [(0.05, 0.0), (0.0, 0.05), (0.05, 0.05)])
async def test_loss_and_disorder_leave_no_holes_and_no_extra_time(lost, swapped):
    samples, dropped, receiver = await heard_over(lost, swapped)
    assert receiver.lost_packets == pytest.approx(dropped, abs=2)  # the last ones are not missed
    assert len(samples) == pytest.approx(PACKETS * 320, abs=3 * 320)
    found = levels(samples)[2:-3]
    assert np.mean(found > 4_000) > 0.97
    assert found.max() < 7_500  # no clicks
    spectrum = np.abs(np.fft.rfft(samples[3200:-3200].astype(float) * np.hanning(len(samples) - 6400)))
    assert np.argmax(spectrum) * 16_000 / (len(samples) - 6400) == pytest.approx(HZ, abs=1)
