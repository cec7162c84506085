"""A call over a carrier's stream, in virtual time: what was heard is what the carrier played."""

import asyncio
import random
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import WSMessage, WSMsgType
from pipecat.frames.frames import InputAudioRawFrame, InterruptionFrame

from contracts.frames import (
    OUTPUT_SAMPLE_RATE_HZ,
    AudioWindowFrame,
    ClientReadyFrame,
    PlayoutDuckFrame,
    PlayoutPauseFrame,
    PlayoutResumeFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyStartFrame,
    UserTextFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    Word,
    WordTimesFrame,
)
from tests.processors.chain import running
from tests.transports.phone.fake_carrier import RATE_HZ, FakeTwilio, jittery
from transports.phone.call import MAX_DROPPED, SILENT_SECS, START_SECS, PhoneCall
from transports.phone.sound import Encoding
from transports.phone.twilio import Twilio
from transports.phone.voice import AHEAD_SECS

SILENCE = b"\xff" * 160


def reply(words: int, *, reply_id: int = 1, rng: random.Random | None = None):
    """Frames of a reply whose words take 0.15 to 0.5 s each; its sound is never silent."""
    rng = rng or random.Random(words)
    starts, at = [], 0.0
    for _ in range(words):
        starts.append(at)
        at += rng.uniform(0.15, 0.5)
    texts = [f"word{number} " for number in range(words)]
    samples = round(at * OUTPUT_SAMPLE_RATE_HZ)
    pcm = (9_000 + 3_000 * np.sin(np.arange(samples) / 9.0)).astype(np.int16).tobytes()
    return starts, [
        ReplyStartFrame(reply_id=reply_id),
        UtteranceStartFrame(reply_id, reply_id, "".join(texts)),
        UtteranceAudioFrame(pcm, OUTPUT_SAMPLE_RATE_HZ, 1, utterance_id=reply_id),
        WordTimesFrame(reply_id, [Word(text, start) for text, start in zip(texts, starts, strict=True)]),
        UtteranceEndFrame(reply_id),
        ReplyEndFrame(reply_id=reply_id),
    ]


@asynccontextmanager
async def calling(carrier: FakeTwilio, **options):
    call = PhoneCall(Twilio("token"), name="phone-1", carrier_call_id="CA1", **options)
    async with running(call.input(), call.output()) as chain:
        served = asyncio.create_task(call.run(carrier))
        carrier.start()
        try:
            yield call, chain
        finally:
            await call.close("the test is over")
            await served


async def play(chain, frames):
    for frame in frames:
        await chain.processors[-1].queue_frame(frame)


async def caller_listens(carrier: FakeTwilio):
    """A line sends silence all the time."""
    while True:
        carrier.say(SILENCE)
        await asyncio.sleep(0.02)


async def until(condition, secs=30.0):
    async with asyncio.timeout(secs):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_bot_greets_when_the_stream_is_there_and_plays_the_very_reply(virtual):
    carrier = FakeTwilio()
    async with calling(carrier) as (call, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        assert call.connected.is_set()
        _, frames = reply(12)
        begin = virtual.time()
        await play(chain, frames)
        played = await chain.until(ReplyPlayedFrame, timeout_secs=30)
        assert carrier.chunks[0][0] - begin < 0.05
        assert (played.cut, len(played.heard.split())) == (False, 12)
        # Told when the carrier, asked now, could not take it back any more: one way earlier, and the last block is
        # not full.
        assert virtual.time() >= carrier.silent_since() - 0.02 - 0.021
        secs = len(frames[2].audio) / 2 / OUTPUT_SAMPLE_RATE_HZ
        assert carrier.played_secs(virtual.time() + 1) == pytest.approx(secs, abs=0.021)
        ends = [begin + len(payload) / RATE_HZ for begin, payload in carrier.chunks]
        gaps = [later[0] - end for end, later in zip(ends, carrier.chunks[1:], strict=False)]
        assert max(gaps) < 1e-6  # the carrier never ran dry


async def cut_once(seed: int) -> tuple[int, int, float, float]:
    """Cut a reply at a random moment; returns the words played and those remembered, and how long the sound went on
    after the cut, in seconds, and how long a message takes one way."""
    rng = random.Random(seed)
    way_secs = rng.choice([0.002, 0.02, 0.05])
    carrier = FakeTwilio(
        way_secs=jittery(rng, way_secs, rng.choice([0.0, 0.01, 0.03])),
        buffer_secs=rng.choice([0.0, 0.02, 0.06]),
        loses=(lambda: rng.random() < 0.3) if rng.random() < 0.3 else lambda: False,
        returns_cleared_marks=rng.random() < 0.7,
    )
    loop = asyncio.get_running_loop()
    async with calling(carrier) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        before = 0.0
        if rng.random() < 0.5:  # the line has been in use: its pace is known
            await play(chain, reply(4, rng=rng)[1])
            await chain.until(ReplyPlayedFrame, timeout_secs=30)
            await asyncio.sleep(0.5)
            before = carrier.played_secs(loop.time())
        starts, frames = reply(20, reply_id=2, rng=rng)
        await play(chain, frames)
        await asyncio.sleep(rng.uniform(0.05, starts[-1]))
        cut_at = loop.time()
        await chain.processors[-1].queue_frame(InterruptionFrame())
        count = len(chain.down(ReplyPlayedFrame))
        await until(lambda: len(chain.down(ReplyPlayedFrame)) > count)
        await asyncio.sleep(0.5)
        played = chain.down(ReplyPlayedFrame)[-1]
        secs = carrier.played_secs(loop.time()) - before
        words = sum(1 for start in starts if start < secs)
        assert carrier.clears, "the carrier was not told"
        return words, len(played.heard.split()), carrier.silent_since() - cut_at, way_secs


@pytest.mark.slow
def test_a_hundred_cuts_remember_what_the_carrier_played():
    from loadtest import virtual_time

    results = [virtual_time.run(cut_once(seed)) for seed in range(100)]
    off = [heard - words for words, heard, _, _ in results]
    assert max(map(abs, off)) <= 1
    assert sum(1 for each in off if each == 0) >= 85
    lasted = sorted(secs for _, _, secs, _ in results)
    assert lasted[50] <= 0.150
    assert lasted[95] <= 0.250


async def test_pause_duck_and_resume_lose_and_repeat_no_sample(virtual):
    plain, paused = FakeTwilio(), FakeTwilio()
    frames = reply(10)[1]
    async with calling(plain) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        await play(chain, frames)
        await chain.until(ReplyPlayedFrame, timeout_secs=30)
        await asyncio.sleep(1)
    async with calling(paused) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        await play(chain, frames)
        quiet = []
        for _ in range(3):
            await asyncio.sleep(0.513)
            at = virtual.time()
            await chain.processors[-1].queue_frame(PlayoutPauseFrame())
            await asyncio.sleep(0.7)
            quiet.append(paused.silent_since() - at)
            await chain.processors[-1].queue_frame(PlayoutResumeFrame())
        await chain.until(ReplyPlayedFrame, timeout_secs=30)
        await asyncio.sleep(1)
    assert paused.clears == []
    assert max(quiet) <= AHEAD_SECS + 0.05
    whole = np.frombuffer(Encoding.MULAW.decode(plain.played()), np.int16)
    parts = np.frombuffer(Encoding.MULAW.decode(paused.played()), np.int16)
    # Between them stand only the fades, which are copies; what sounded is the reply, to the sample.
    position, at, matched = 0, 0, 0
    while at + 160 <= len(parts) and position + 160 <= len(whole):
        offset = _find(parts, whole[position : position + 160], at)
        assert offset is not None, f"sample {position} of the reply was lost"
        at, position, matched = offset + 160, position + 160, matched + 1
    assert matched >= len(whole) // 160 - 1
    assert len(parts) - len(whole) <= 3 * 2 * 160


def _find(parts: np.ndarray, block: np.ndarray, start: int) -> int | None:
    """Where a block of the reply sounds again: at once, or after a pause's fades; what lies in the edge of a pause
    differs by its fade and the filter's memory only."""
    for at in range(start, min(start + 4 * 160, len(parts) - len(block) + 1)):
        differs = np.abs(parts[at : at + len(block)].astype(int) - block) > 1_200
        if differs.sum() <= 45:
            return at
    return None


async def test_a_lowered_voice_is_lower_within_what_the_carrier_has(virtual):
    carrier = FakeTwilio()
    async with calling(carrier) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        await play(chain, reply(10)[1])
        await asyncio.sleep(1.01)
        at = virtual.time()
        await chain.processors[-1].queue_frame(PlayoutDuckFrame())
        await asyncio.sleep(0.5)
        levels = [
            (begin, np.abs(np.frombuffer(Encoding.MULAW.decode(payload), np.int16)).mean())
            for begin, payload in carrier.chunks
        ]
        low = next(begin for begin, level in levels if level < 4_000)
        assert low - at <= AHEAD_SECS + 0.06


async def test_sound_and_keys_of_the_caller_reach_the_pipeline(virtual):
    carrier = FakeTwilio()
    async with calling(carrier) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        for _ in range(10):
            carrier.say(SILENCE)
            await asyncio.sleep(0.02)
        for digit in "12#x":
            carrier.tell({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": digit}})
        await asyncio.sleep(0.2)
        heard = [f for f in chain.down(InputAudioRawFrame) if not isinstance(f, AudioWindowFrame)]
        assert len(heard) >= 10
        assert {len(frame.audio) for frame in heard} == {640}
        assert [(f.text, f.source) for f in chain.down(UserTextFrame)] == [("1", "key"), ("2", "key"), ("#", "key")]


async def test_sound_that_comes_faster_than_life_is_not_listened_to(virtual):
    carrier = FakeTwilio()
    async with calling(carrier) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        for _ in range(400):
            carrier.say(SILENCE)
        await asyncio.sleep(1.0)
        assert 20 <= len(chain.down(InputAudioRawFrame)) <= 120


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (lambda carrier: carrier.tell({"event": "stop", "streamSid": "MZ1"}), "the caller hung up"),
        (lambda carrier: carrier.tell_raw(WSMessage(WSMsgType.CLOSE, 1000, None)), "the carrier closed the stream"),
        (lambda carrier: carrier.tell_raw(WSMessage(WSMsgType.ERROR, None, None)), "the carrier closed the stream"),
        (lambda carrier: None, "the carrier fell silent"),
        (
            lambda carrier: [carrier.tell({"event": "media", "media": {}}) for _ in range(MAX_DROPPED + 1)],
            "the carrier sends what cannot be read",
        ),
    ],
)
async def test_how_calls_end(virtual, say, reason):
    carrier = FakeTwilio(way_secs=lambda: 0.01)
    async with calling(carrier) as (call, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        say(carrier)
        async with asyncio.timeout(SILENT_SECS + 10):
            await call.closed.wait()
        assert reason in (call.close_reason, "the carrier sends what cannot be read")
        assert carrier.closed_at is not None


async def test_a_flood_ends_the_call(virtual):
    carrier = FakeTwilio(way_secs=lambda: 0.01)
    async with calling(carrier) as (call, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        for _ in range(MAX_DROPPED + 1_000):
            carrier.say(SILENCE)
        await until(call.closed.is_set)
        assert call.close_reason == "the carrier sends too much"


async def test_a_stream_of_another_call_is_closed(virtual):
    carrier = FakeTwilio()
    call = PhoneCall(Twilio("token"), name="phone-1", carrier_call_id="CA2")
    carrier.start("CA1")
    await call.run(carrier)
    assert call.close_reason == "the stream belongs to another call"


async def test_a_stream_that_does_not_come_or_does_not_begin_ends_the_call(virtual):
    call = PhoneCall(Twilio("token"), name="phone-1", carrier_call_id="CA1", connect_timeout_secs=3)
    await asyncio.sleep(3.1)
    assert call.over
    await call.closed.wait()
    begun = PhoneCall(Twilio("token"), name="phone-2", carrier_call_id="CA1")
    at = virtual.time()
    await begun.run(FakeTwilio())
    assert virtual.time() - at == pytest.approx(START_SECS, abs=0.5)
    assert begun.close_reason == "the carrier's stream did not come"


async def test_a_line_that_is_stuck_piles_nothing_up(virtual):
    """The network stops for a second: afterwards the voice goes on where it was, not a second late."""
    slow = {"secs": 0.02}
    carrier = FakeTwilio(way_secs=lambda: slow["secs"])
    async with calling(carrier) as (_, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        await play(chain, reply(30)[1])
        await asyncio.sleep(2.0)
        slow["secs"] = 1.0
        await asyncio.sleep(0.5)
        sent = len(carrier.chunks)
        await asyncio.sleep(0.5)
        slow["secs"] = 0.02
        await asyncio.sleep(0.3)
        assert len(carrier.chunks) - sent < 40
        at = virtual.time()
        await chain.processors[-1].queue_frame(InterruptionFrame())
        await asyncio.sleep(0.5)
        assert carrier.silent_since() - at < 0.3


async def test_the_callers_silence_is_bridged_where_nothing_comes(virtual):
    carrier = FakeTwilio()
    async with calling(carrier) as (call, chain):
        await until(lambda: chain.down(ClientReadyFrame))
        carrier.say(SILENCE)
        await asyncio.sleep(4.0)
        assert 75 <= len(chain.down(InputAudioRawFrame)) <= 110
        assert not call.over
