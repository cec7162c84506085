"""``python -m bench.phone``: a telephone call beside a call over WebRTC, to the same bot: answers, and CPU.

Both say the same recorded words and wait for the answer; then so many of each hold the line in silence, which the bot
listens to. Printed are milliseconds from the last loud sound of the caller to the first of the bot, and percent of a
core that the bot takes for each call. The telephone is Twilio's stream on loopback: no carrier's own delay is in it.
"""

import argparse
import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import numpy as np

from loadtest import scoring
from loadtest.audio import SAMPLE_RATE_HZ, clip_from_wav, load_wav, resampled
from loadtest.bot_process import real_bot
from loadtest.caller import Caller
from loadtest.phone_caller import RATE_HZ, PhoneCaller

TOKEN: Final = "a token for trying"
PUBLIC: Final = "https://bot.example.org"
DATA: Final = Path(__file__).resolve().parents[1] / "tests/data"
CLIPS: Final = [DATA / f"{name}.wav" for name in ("book_a_room", "go_forward_ten_meters")]
SETTLE_SECS: Final = 3.0
PATIENCE_SECS: Final = 60.0


def cpu_secs(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def web_answers(url: str, turns: int) -> list[float]:
    """Milliseconds of each answer over WebRTC."""
    async with Caller(url) as caller:
        for turn in range(turns):
            await caller.bot_is_silent(for_secs=1.0, timeout_secs=PATIENCE_SECS)
            await caller.say(clip_from_wav(CLIPS[turn % len(CLIPS)]))
            await caller.bot_speaks(timeout_secs=PATIENCE_SECS)
        await caller.bot_is_silent(for_secs=1.0, timeout_secs=PATIENCE_SECS)
    sound = caller.recording.sound()
    found = (scoring.voice_to_voice_ms(said, sound) for said in caller.recording.said)
    return [ms for ms in found if ms is not None]


async def phone_answers(url: str, turns: int) -> list[float]:
    """Milliseconds of each answer by telephone."""
    answers: list[float] = []
    async with PhoneCaller(url, TOKEN, PUBLIC) as caller:
        for turn in range(turns):
            await caller.silent_for(1.0)
            path = CLIPS[turn % len(CLIPS)]
            begin, _ = caller.say(resampled(load_wav(path), SAMPLE_RATE_HZ, RATE_HZ))
            end = begin + clip_from_wav(path).last_loud_secs
            answers.append(1000 * (await caller.speaks(end, PATIENCE_SECS) - end))
        await caller.silent_for(1.0)
    return answers


async def load(callers: list[Caller] | list[PhoneCaller], pid: int, secs: float) -> float:
    """Percent of a core for each call, while they listen."""
    async with AsyncExitStack() as stack:
        for caller in callers:
            await stack.enter_async_context(caller)
        await asyncio.sleep(SETTLE_SECS)
        before = cpu_secs(pid)
        await asyncio.sleep(secs)
        return 100 * (cpu_secs(pid) - before) / secs / len(callers)


async def run(turns: int, calls: int, secs: float) -> None:
    """Measure, and print."""
    phone = {"PHONE": "twilio", "PHONE_PUBLIC_URL": PUBLIC, "TWILIO_AUTH_TOKEN": TOKEN, "CALLS_PER_ADDRESS": "0"}
    async with real_bot(GREETING="", MAX_CALLS=str(calls + 1), IDLE_SECS="0", OFFERS_PER_MINUTE="0", **phone) as bot:
        web, tel = await web_answers(bot.url, turns), await phone_answers(bot.url, turns)
        print("                       WebRTC  telephone")
        for share in (50, 95):
            one, other = np.percentile(web, share), np.percentile(tel, share)
            print(f"answer p{share}, ms       {one:8.0f} {other:10.0f}  ({other - one:+.0f})", flush=True)
        await bot.until_calls(0)
        tel_cpu = await load([PhoneCaller(bot.url, TOKEN, PUBLIC) for _ in range(calls)], bot.pid, secs)
        await bot.until_calls(0)
        web_cpu = await load([Caller(bot.url) for _ in range(calls)], bot.pid, secs)
        await bot.until_calls(0)
        print(f"CPU of a call, %     {web_cpu:8.2f} {tel_cpu:10.2f}  ({tel_cpu / max(web_cpu, 0.01):.2f} times)")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10, help="answers of each kind; default: 10")
    parser.add_argument("--calls", type=int, default=20, help="calls at once of each kind; default: 20")
    parser.add_argument("--secs", type=float, default=15.0, help="how long they hold the line; default: 15")
    options = parser.parse_args()
    asyncio.run(run(options.turns, options.calls, options.secs))


if __name__ == "__main__":
    main()
