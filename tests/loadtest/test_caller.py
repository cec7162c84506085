"""A caller against a bot that knows the truth: real ICE, DTLS, SRTP and Opus on loopback, in real time."""

import asyncio
import json

import numpy as np
import pytest
from aiohttp import web

from loadtest import scoring
from loadtest.audio import clip_from_samples, silence
from loadtest.caller import Caller, CallFailed, CallRefused
from tests.loadtest.known_bot import known_bot, sweep, tone


def slack_ms(caller: Caller) -> float:
    """One packet, and what a busy machine added: bot and caller share this process, so both were late by that."""
    return 25 + 1000 * max(caller.recording.slip_secs)


def beep(secs: float = 0.3, hz: float = 700.0):
    """A clip with 100 ms of silence on both sides."""
    return clip_from_samples("beep", np.concatenate([silence(0.1), tone(secs, hz), silence(0.1)]))


async def test_times_of_the_bots_voice_are_those_at_which_it_left():
    async with known_bot() as bot, Caller(bot.url) as caller:
        said = await caller.say(beep())
        bot.voice.pending = tone(0.6)
        await caller.bot_speaks(timeout_secs=2)
        await caller.bot_is_silent(for_secs=0.3, timeout_secs=3)
    sound = caller.recording.sound()
    first, last = bot.voice.spoke_at[0], bot.voice.spoke_at[-1]
    assert 1000 * (sound.loud_secs[0] - first) == pytest.approx(0, abs=slack_ms(caller))
    assert 1000 * (sound.loud_secs[-1] - last) == pytest.approx(15, abs=slack_ms(caller))
    measured = scoring.voice_to_voice_ms(said, sound)
    assert measured == pytest.approx(1000 * (first - said.last_loud_secs), abs=slack_ms(caller))


async def test_an_interruption_is_measured_from_its_first_sample_to_the_bots_last():
    async with known_bot() as bot, Caller(bot.url) as caller:
        bot.voice.pending = tone(5)
        await caller.bot_speaks(timeout_secs=2)
        speaking = caller.say(beep(secs=1.0))
        await asyncio.sleep(0.4)
        bot.voice.pending = bot.voice.pending[:0]
        said = await speaking
        await caller.bot_is_silent(for_secs=0.6, timeout_secs=3)
    stopped = bot.voice.spoke_at[-1] + 0.02
    measured = scoring.barge_in_stop_ms(said, caller.recording.sound())
    assert measured == pytest.approx(1000 * (stopped - said.first_loud_secs), abs=slack_ms(caller))
    assert measured == pytest.approx(300, abs=2 * slack_ms(caller))


async def test_a_usual_webrtc_peer_hears_the_clip_as_it_was():
    voice = sweep(1.0)
    async with known_bot() as bot, Caller(bot.url) as caller:
        await caller.say(clip_from_samples("sweep", np.concatenate([silence(0.1), voice, silence(0.1)])))
        await asyncio.sleep(0.5)
    heard = np.concatenate(bot.heard)
    third = len(voice) // 3
    assert scoring.lost_samples(heard, voice[:third], voice[third:]) == pytest.approx(0, abs=5)
    assert scoring.lost_samples(heard, voice[:third], voice[2 * third :]) == pytest.approx(third, abs=5)


async def test_samples_that_a_pause_swallows_are_counted():
    voice = sweep(2.0)
    async with known_bot() as bot, Caller(bot.url) as caller:
        bot.voice.pending = voice[:40_000]
        await caller.bot_speaks(timeout_secs=2)
        await caller.bot_is_silent(for_secs=0.3, timeout_secs=3)
        bot.voice.pending = voice[40_000 + 480 :]
        await caller.bot_speaks(timeout_secs=2)
        await caller.bot_is_silent(for_secs=0.2, timeout_secs=3)
    heard = caller.recording.samples()
    loud = np.flatnonzero(np.abs(heard) > 500)
    last = int(np.argmax(np.diff(loud)))  # the pause, by RTP time: arrival may be late on a busy machine
    before, after = heard[loud[0] : loud[last] - 480], heard[loud[last + 1] + 480 : loud[-1]]
    assert scoring.lost_samples(voice, before, after) == pytest.approx(480 + 2 * 480, abs=60)


async def test_messages_pass_both_ways():
    async with known_bot() as bot, Caller(bot.url, offer_extras={"requestData": {"name": "Ann"}}) as caller:
        caller.type_text("hello")
        caller.press_key("5")
        bot.tell({"label": "rtvi-ai", "type": "server-message", "data": {"type": "turn-state", "state": "listening"}})
        seen = await caller.message("turn-state", timeout_secs=2)
        bot.channel.send("pong")
        await caller.until(lambda: bot.texts.count("ping") >= 2, what="two pings", timeout_secs=3)
        assert seen.data["state"] == "listening"
        assert caller.pc_id == "known-1"
    assert bot.offers[0]["requestData"] == {"name": "Ann"}
    sent = [json.loads(text) for text in bot.texts if text != "ping"]
    assert [message["type"] for message in sent] == ["client-ready", "send-text", "client-message"]
    assert sent[1]["data"] == {"content": "hello"}
    assert sent[2]["data"] == {"t": "dtmf", "d": {"key": "5"}}


async def test_clips_are_said_one_after_the_other():
    async with known_bot() as bot, Caller(bot.url) as caller:
        first, second = await asyncio.gather(caller.say(beep()), caller.say(beep(secs=0.2)))
    assert second.first_loud_secs - first.last_loud_secs == pytest.approx(0.2, abs=slack_ms(caller) / 1000)


async def test_a_refusal_says_when_to_come_back():
    async with known_bot() as bot:
        bot.refusal = web.json_response({"code": "at_capacity"}, status=503, headers={"Retry-After": "7"})
        with pytest.raises(CallRefused) as refused:
            await Caller(bot.url).connect()
    assert (refused.value.status, refused.value.body, refused.value.retry_after_secs) == (
        503,
        {"code": "at_capacity"},
        7.0,
    )


async def test_a_timeout_names_what_was_waited_for():
    async with known_bot() as bot, Caller(bot.url) as caller:
        with pytest.raises(CallFailed, match="the bot's voice"):
            await caller.bot_speaks(timeout_secs=0.1)


async def test_hanging_up_says_goodbye_and_vanishing_does_not():
    async with known_bot() as bot:
        caller = Caller(bot.url)
        await caller.connect()
        await caller.hangup()
        await asyncio.wait_for(bot.closed.wait(), timeout=3)
        bot.closed.clear()
        gone = Caller(bot.url)
        await gone.connect()
        await gone.vanish()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bot.closed.wait(), timeout=0.5)


def test_room_noise_is_not_a_clip():
    with pytest.raises(ValueError, match="no 5 ms of it"):
        clip_from_samples("nothing", silence(1))
