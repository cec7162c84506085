"""The bare Pipecat bot that ours is set beside holds a conversation, or the comparison would be worth nothing."""

import argparse

from bench.resources import add_baseline, baseline_bot, baseline_name, baseline_script
from loadtest import scoring
from loadtest.caller import Caller
from tests.calls.conftest import clip


async def test_the_default_baseline_answers_a_caller():
    parser = argparse.ArgumentParser()
    add_baseline(parser)
    named = parser.parse_args(["--baseline"]).baseline
    assert baseline_name(named) == "bare-pipecat"
    async with baseline_bot(baseline_script(named), []) as (url, _), Caller(url) as caller:
        said = await caller.say(clip("go_forward_ten_meters"))
        await caller.bot_speaks(timeout_secs=30)
    answer_ms = scoring.voice_to_voice_ms(said, caller.recording.sound())
    assert answer_ms is not None
    assert answer_ms > 600, "150 + 300 + 200 ms of services at least"
