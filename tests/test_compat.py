"""Contract with what is private to Pipecat, aiortc and aioice: the names exist, and mean what Parley takes them for."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aioice.ice
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription, clock
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st
from pipecat.clocks.system_clock import SystemClock
from pipecat.frames.frames import (
    CancelFrame,
    DataFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    StartFrame,
    SystemFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.pipeline.worker_observer import WorkerObserver
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor, FrameProcessorSetup
from pipecat.utils.asyncio.task_manager import TaskManager

from loadtest import virtual_time
from processors import compat
from processors.compat import (
    AudioPacket,
    CompatError,
    InlineAudio,
    OnPacket,
    SendRtp,
    deepgram,
    install,
    missing_names,
    take_audio,
    take_voice,
)


@dataclass
class Sound(InputAudioRawFrame):
    """Audio that takes ``busy_secs`` to process."""

    label: str = ""
    busy_secs: float = 0.0
    fails: bool = False


@dataclass
class Signal(SystemFrame):
    label: str = ""
    busy_secs: float = 0.0


@dataclass
class Item(DataFrame):
    label: str = ""
    busy_secs: float = 0.0


@dataclass
class Log:
    system: list[tuple[Any, ...]] = field(default_factory=list)
    data: list[tuple[Any, ...]] = field(default_factory=list)


class Recorder:
    """What a processor does with a frame, written down with the time."""

    log: Log

    async def record(self, frame: Frame) -> None:
        lane = self.log.data if isinstance(frame, Item) else self.log.system
        label = getattr(frame, "label", type(frame).__name__)
        loop = asyncio.get_running_loop()
        lane.append((label, "begins", round(loop.time(), 4)))
        await asyncio.sleep(getattr(frame, "busy_secs", 0.0))
        if getattr(frame, "fails", False):
            raise ValueError(f"{label} is bad")
        lane.append((label, "ends", round(loop.time(), 4)))


class Queued(FrameProcessor, Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.log = Log()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.record(frame)
        await self.push_frame(frame, direction)


class Inline(InlineAudio, Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.log = Log()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.record(frame)
        await self.push_frame(frame, direction)


class Collector(FrameProcessor):
    """Stands before or after a processor and keeps what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []

    async def queue_frame(self, frame: Frame, *_: Any) -> None:
        self.frames.append(frame)


Processor = Queued | Inline
Script = Callable[[Processor], Coroutine[Any, Any, None]]


async def _set_up(processor: Processor, observers: list[BaseObserver] | None = None) -> tuple[Collector, Collector]:
    before, after = Collector(), Collector()
    before.link(processor)
    processor.link(after)
    tasks = TaskManager()
    observer = WorkerObserver(observers=observers or [])
    await observer.setup(tasks)
    worker: Any = SimpleNamespace()
    await processor.setup(
        FrameProcessorSetup(clock=SystemClock(), task_manager=tasks, pipeline_worker=worker, observer=observer)
    )
    return before, after


def _run(kind: type[Processor], script: Script) -> tuple[Log, list[Frame], list[Frame]]:
    async def main() -> tuple[Log, list[Frame], list[Frame]]:
        processor = kind()
        before, after = await _set_up(processor)
        await processor.queue_frame(StartFrame())
        await asyncio.sleep(0.001)
        await script(processor)
        await asyncio.sleep(1)
        await processor.cleanup()
        return processor.log, before.frames, after.frames

    return virtual_time.run(main())


def _labels(frames: list[Frame]) -> list[str]:
    return [getattr(frame, "label", type(frame).__name__) for frame in frames]


def _assert_same(script: Script) -> Log:
    queued, queued_up, queued_down = _run(Queued, script)
    inline, inline_up, inline_down = _run(Inline, script)
    assert inline.system == queued.system
    assert inline.data == queued.data
    assert _labels(inline_up) == _labels(queued_up)
    assert sorted(_labels(inline_down)) == sorted(_labels(queued_down))
    return inline


def _sound(label: str, busy_secs: float = 0.0, *, fails: bool = False) -> Sound:
    return Sound(audio=bytes(640), sample_rate=16000, num_channels=1, label=label, busy_secs=busy_secs, fails=fails)


async def _send(processor: Processor, *frames: Frame) -> None:
    """Send each frame from a task of its own, as different neighbours would."""
    tasks = []
    for frame in frames:
        tasks.append(asyncio.ensure_future(processor.queue_frame(frame)))
        await asyncio.sleep(0)


# --- the names ---------------------------------------------------------------


def test_the_installed_versions_have_every_private_name():
    assert missing_names() == []
    assert compat.missing_fields(deepgram.FIELDS) == []


def test_a_vanished_name_stops_the_start_with_its_name(monkeypatch):
    gone = ((FrameProcessor, "_FrameProcessor__no_such_thing", ("self",)),)
    monkeypatch.setattr(compat, "PRIVATE_NAMES", gone)
    with pytest.raises(CompatError, match=r"FrameProcessor\._FrameProcessor__no_such_thing"):
        install()


def test_a_changed_signature_counts_as_missing(monkeypatch):
    monkeypatch.setattr(compat, "PRIVATE_NAMES", ((FrameProcessor, "queue_frame", ("self", "frame")),))
    assert missing_names() == ["FrameProcessor.queue_frame"]


def test_a_vanished_attribute_counts_as_missing(monkeypatch):
    monkeypatch.setattr(compat, "PRIVATE_INSTANCE_NAMES", ((asyncio.Queue, ("_no_such_thing",)),))
    assert missing_names() == ["Queue._no_such_thing"]


def test_install_adds_loopback_behind_the_other_addresses_and_only_once(monkeypatch):
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["192.0.2.7", "2001:db8::7"])
    # The real function's parameters are checked by the tests above; here it is a stand-in.
    monkeypatch.setattr(compat, "missing_names", list)
    install()
    install()
    addresses = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
    assert addresses == ["192.0.2.7", "2001:db8::7", "127.0.0.1"]
    assert aioice.ice.get_host_addresses(use_ipv4=False, use_ipv6=True) == ["192.0.2.7", "2001:db8::7"]


def test_importing_changes_nothing():
    program = (
        "import aioice.ice; before = aioice.ice.get_host_addresses; import processors.compat; "
        "assert aioice.ice.get_host_addresses is before; processors.compat.install(); "
        "assert aioice.ice.get_host_addresses is not before"
    )
    root = Path(compat.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# --- inline audio is like queued audio ---------------------------------------


def test_audio_waits_for_a_slow_system_frame_before_it():
    async def script(p: Processor) -> None:
        await _send(p, Signal(label="slow", busy_secs=0.05), _sound("a1"), _sound("a2"))

    log = _assert_same(script)
    assert [entry[:2] for entry in log.system[-6:]] == [
        ("slow", "begins"),
        ("slow", "ends"),
        ("a1", "begins"),
        ("a1", "ends"),
        ("a2", "begins"),
        ("a2", "ends"),
    ]


def test_a_system_frame_waits_for_slow_audio_before_it():
    async def script(p: Processor) -> None:
        await _send(p, _sound("a1", 0.05), Signal(label="s"), _sound("a2"))

    log = _assert_same(script)
    assert [entry[0] for entry in log.system[-6:]] == ["a1", "a1", "s", "s", "a2", "a2"]


def test_audio_overtakes_data_and_data_is_not_held_up_by_it():
    async def script(p: Processor) -> None:
        await _send(p, Item(label="d1", busy_secs=0.03), _sound("a1", 0.01), Item(label="d2"), _sound("a2"))

    _assert_same(script)


def test_an_exception_in_audio_is_reported_upstream_and_the_next_audio_is_heard():
    async def script(p: Processor) -> None:
        await _send(p, _sound("bad", fails=True), _sound("good"))

    for kind in (Queued, Inline):
        log, up, down = _run(kind, script)
        errors = [frame for frame in up if isinstance(frame, ErrorFrame)]
        assert [error.error for error in errors] == ["Error processing frame: bad is bad"]
        assert ("good", "ends") in [entry[:2] for entry in log.system]
        assert _labels(down)[-1] == "good"


def test_an_interruption_during_audio_drops_the_data_that_waits():
    async def script(p: Processor) -> None:
        await _send(p, Item(label="d1", busy_secs=0.1), Item(label="d2"))
        await asyncio.sleep(0.01)
        await _send(p, _sound("a1", 0.02), InterruptionFrame(), _sound("a2"))

    log = _assert_same(script)
    assert [entry[:2] for entry in log.data] == [("d1", "begins")]


def test_paused_audio_waits_and_is_heard_in_order():
    async def script(p: Processor) -> None:
        await p.pause_processing_system_frames()
        await _send(p, _sound("a1"), Signal(label="s"), _sound("a2"))
        await asyncio.sleep(0.2)
        await p.resume_processing_system_frames()
        await asyncio.sleep(0.01)
        await _send(p, _sound("a3"))

    log = _assert_same(script)
    assert [entry[0] for entry in log.system[-8:]] == ["a1", "a1", "s", "s", "a2", "a2", "a3", "a3"]
    assert log.system[-8][2] >= 0.2


def test_nothing_is_heard_after_a_cancel():
    async def script(p: Processor) -> None:
        await _send(p, _sound("a1"), CancelFrame())
        await asyncio.sleep(0.01)
        await _send(p, _sound("a2"))

    log = _assert_same(script)
    assert "a2" not in [entry[0] for entry in log.system]


def test_audio_before_the_start_waits_for_it():
    async def main(kind: type[Processor]) -> list[str]:
        processor = kind()
        await _set_up(processor)
        await processor.queue_frame(_sound("early"))
        assert processor.log.system == []
        await processor.queue_frame(StartFrame())
        await asyncio.sleep(0.01)
        await processor.cleanup()
        return [entry[0] for entry in processor.log.system]

    expected = ["StartFrame", "StartFrame", "early", "early"]
    assert [virtual_time.run(main(kind)) for kind in (Queued, Inline)] == [expected, expected]


_steps = st.lists(
    st.tuples(
        st.sampled_from(["sound", "signal", "item", "interruption", "pause", "resume"]),
        st.integers(0, 3),  # how long it is processed, units of 10 ms
        st.integers(0, 3),  # pause before the next, units of 10 ms
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_any_order_of_frames_is_processed_as_pipecat_would(steps):
    async def script(p: Processor) -> None:
        for number, (kind, busy, gap) in enumerate(steps):
            # Different lengths each, so that no two things fall on the same instant.
            busy_secs = busy * 0.01 + (number + 1) * 0.0001
            match kind:
                case "sound":
                    await _send(p, _sound(f"a{number}", busy_secs))
                case "signal":
                    await _send(p, Signal(label=f"s{number}", busy_secs=busy_secs))
                case "item":
                    await _send(p, Item(label=f"d{number}", busy_secs=busy_secs))
                case "interruption":
                    await _send(p, InterruptionFrame())
                case "pause":
                    await p.pause_processing_system_frames()
                case "resume":
                    await p.resume_processing_system_frames()
            await asyncio.sleep(gap * 0.01)
        await p.resume_processing_system_frames()

    _assert_same(script)


def test_idle_audio_runs_in_the_callers_task():
    async def main(kind: type[Processor]) -> bool:
        processor = kind()
        await _set_up(processor)
        await processor.queue_frame(StartFrame())
        await asyncio.sleep(0.01)
        await processor.queue_frame(_sound("a1"))
        inline = ("a1", "ends") in [entry[:2] for entry in processor.log.system]
        await processor.cleanup()
        return inline

    assert [virtual_time.run(main(kind)) for kind in (Queued, Inline)] == [False, True]


def test_observers_and_event_handlers_see_inline_audio():
    class Pushes(BaseObserver):
        def __init__(self) -> None:
            super().__init__()
            self.labels: list[str] = []

        async def on_push_frame(self, data: FramePushed) -> None:
            self.labels.append(getattr(data.frame, "label", ""))

    async def main(kind: type[Processor]) -> tuple[list[str], list[str]]:
        observer, events = Pushes(), []
        processor = kind()
        await _set_up(processor, [observer])
        for event in ("process", "push"):
            for when in ("before", "after"):
                name = f"on_{when}_{event}_frame"
                processor.add_event_handler(
                    name, lambda _, frame, name=name: events.append(f"{name} {getattr(frame, 'label', '')}")
                )
        await processor.queue_frame(StartFrame())
        await asyncio.sleep(0.01)
        events.clear()
        await processor.queue_frame(_sound("a1"))
        await asyncio.sleep(0.01)
        await processor.cleanup()
        return observer.labels, events

    queued, inline = (virtual_time.run(main(kind)) for kind in (Queued, Inline))
    assert inline == queued
    assert "a1" in inline[0]
    assert inline[1] == [f"on_{w} a1" for w in ("before_process_frame", "before_push_frame")] + [
        f"on_{w} a1" for w in ("after_push_frame", "after_process_frame")
    ]


class Direct(Inline):
    """Takes audio past the base class, where nobody observes that."""

    direct = 0

    async def process_audio(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        self.direct += 1
        await self.record(frame)
        await self.push_frame(frame, direction)


def test_audio_past_the_base_class_is_processed_and_reported_as_ever():
    async def script(p: Processor) -> None:
        await _send(p, _sound("a1"), _sound("bad", fails=True), Signal(label="s1", busy_secs=0.05), _sound("a2"))
        await _send(p, _sound("a3"))
        if isinstance(p, Direct):
            assert p.direct == 2  # those behind the slow signal waited in the queue
        p.add_event_handler("on_before_process_frame", lambda *_: None)
        await asyncio.sleep(0.2)
        await _send(p, _sound("observed"))
        if isinstance(p, Direct):
            assert p.direct == 2

    (log, before, after), (log2, before2, after2) = _run(Queued, script), _run(Direct, script)
    assert log2.system == log.system
    assert _labels(after2) == _labels(after)
    assert "observed" in _labels(after)
    errors, errors2 = ([f for f in frames if isinstance(f, ErrorFrame)] for frames in (before, before2))
    assert [(e.error, e.category) for e in errors2] == [(e.error, e.category) for e in errors]
    assert len(errors) == 1


# --- taking a receiver's audio -----------------------------------------------


async def _connect(on_packet: OnPacket) -> tuple[RTCPeerConnection, ...]:
    caller, bot = RTCPeerConnection(), RTCPeerConnection()
    caller.addTrack(AudioStreamTrack())
    await caller.setLocalDescription(await caller.createOffer())
    transceiver = bot.addTransceiver("audio", direction="recvonly")
    take_audio(transceiver.receiver, on_packet)
    await bot.setRemoteDescription(RTCSessionDescription(caller.localDescription.sdp, "offer"))
    await bot.setLocalDescription(await bot.createAnswer())
    await caller.setRemoteDescription(RTCSessionDescription(bot.localDescription.sdp, "answer"))
    return caller, bot


async def _datagrams(pc: RTCPeerConnection) -> int:
    report = await pc.getReceivers()[0].getStats()
    return next(stats.packetsReceived for stats in report.values() if stats.type == "transport")


async def test_taken_audio_arrives_without_a_decoder_thread_and_statistics_go_on():
    packets: list[AudioPacket] = []
    enough = asyncio.Event()

    def on_packet(packet: AudioPacket) -> None:
        packets.append(packet)
        if len(packets) == 10:
            enough.set()

    install()
    caller, bot = await _connect(on_packet)
    try:
        async with asyncio.timeout(10):
            await enough.wait()
        assert [thread.name for thread in threading.enumerate() if thread.name.endswith("-decoder")] == []
        before, heard = await _datagrams(bot), len(packets)
        (pair,) = bot.getReceivers()[0].transport.transport._connection._nominated.values()
        pair.protocol.datagram_received(bytes([0x80, 111]) + bytes(40), pair.remote_addr)  # forged
        pair.protocol.datagram_received(bytes([0x80, 111]), pair.remote_addr)
        assert (await _datagrams(bot), len(packets)) == (before + 1, heard)
        numbers = [packet.sequence_number for packet in packets]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        report = await bot.getReceivers()[0].getStats()
        inbound = next(stats for stats in report.values() if stats.type == "inbound-rtp")
        assert inbound.packetsLost == 0
        assert inbound.packetsReceived >= 10
    finally:
        await asyncio.gather(caller.close(), bot.close())


async def test_a_receiver_that_has_started_cannot_be_taken():
    pc = RTCPeerConnection()
    receiver = pc.addTransceiver("audio", direction="recvonly").receiver
    setattr(receiver, "_RTCRtpReceiver__started", True)  # noqa: B010
    with pytest.raises(CompatError, match="started already"):
        take_audio(receiver, lambda _: None)
    setattr(receiver, "_RTCRtpReceiver__started", False)  # noqa: B010 - it never ran: closing must not wait for it
    await pc.close()


# --- taking a sender's voice -------------------------------------------------


async def test_a_taken_voice_arrives_with_its_times_and_reports_and_ends_with_its_connection():
    """The other side is aiortc as it is: it takes what we send for RTP of its own kind, and reports on it."""
    lines: list[SendRtp] = []
    ended: list[str] = []
    packets: list[RtpPacket] = []
    begun, enough = asyncio.Event(), asyncio.Event()

    def begin(send: SendRtp) -> None:
        lines.append(send)
        begun.set()

    async def on_packet(packet: RtpPacket, arrival_time_ms: int) -> None:
        packets.append(packet)
        if len(packets) == 20:
            enough.set()

    install()
    bot, listener = RTCPeerConnection(), RTCPeerConnection()
    try:
        taken = bot.addTransceiver("audio", direction="sendonly")
        take_voice(taken.sender, begin, lambda: ended.append("ended"))
        await bot.setLocalDescription(await bot.createOffer())
        await listener.setRemoteDescription(RTCSessionDescription(bot.localDescription.sdp, "offer"))
        heard = listener.getTransceivers()[0]
        count = heard.receiver._handle_rtp_packet

        async def handle(packet: RtpPacket, arrival_time_ms: int) -> None:
            await on_packet(packet, arrival_time_ms)
            await count(packet, arrival_time_ms)

        setattr(heard.receiver, "_handle_rtp_packet", handle)  # noqa: B010
        await listener.setLocalDescription(await listener.createAnswer())
        await bot.setRemoteDescription(RTCSessionDescription(listener.localDescription.sdp, "answer"))
        async with asyncio.timeout(10):
            await begun.wait()
            while listener.connectionState != "connected":
                await asyncio.sleep(0.01)
            for number in range(20):
                lines[0](f"packet {number}".encode(), 960 * number)
            await enough.wait()
        assert [packet.payload for packet in packets] == [f"packet {number}".encode() for number in range(20)]
        first = packets[0]
        for number, packet in enumerate(packets):
            assert packet.sequence_number == first.sequence_number + number
            assert packet.timestamp == (first.timestamp + 960 * number) % (1 << 32)
            assert packet.extensions.mid == heard.mid
        report = await taken.sender.getStats()
        outbound = next(stats for stats in report.values() if stats.type == "outbound-rtp")
        assert (outbound.ssrc, outbound.packetsSent) == (first.ssrc, 20)
        assert outbound.bytesSent == sum(len(packet.payload) for packet in packets)
        transport = next(stats for stats in report.values() if stats.type == "transport")
        assert transport.packetsSent >= 20
        async with asyncio.timeout(10):
            while not any(stats.type == "remote-inbound-rtp" for stats in (await taken.sender.getStats()).values()):
                await asyncio.sleep(0.05)
        remote = next(s for s in (await taken.sender.getStats()).values() if s.type == "remote-inbound-rtp")
        assert (remote.packetsReceived, remote.packetsLost) == (20, 0)
        assert abs(vars(taken.sender)["_RTCRtpSender__ntp_timestamp"] - clock.current_ntp_time()) >> 32 < 10
        assert ended == []
    finally:
        await asyncio.gather(bot.close(), listener.close())
    assert ended == ["ended"]
    with pytest.raises(ConnectionError):
        lines[0](b"too late", 0)
