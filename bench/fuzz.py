"""Feed every parser, and a running bot's ports, with damaged input for a while: ``python -m bench.fuzz --secs 300``.

No input may break a parser, fail a task unseen, hold the event loop up for more than 100 ms, or leave memory behind.
The exit code is 1 if one did; the input is printed. ``tests/test_fuzz.py`` does the same for some seconds.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from loguru import logger

from bench.attacks import udp_ports
from bench.fuzz_targets import OFFER, SseServer, Target, as_text, damaged, datagrams, rtvi_messages, targets
from bench.resources import baseline_bot
from loadtest.caller import Caller
from loadtest.process_figures import rss_mb

STALL_MS: Final = 100.0
ROUND: Final = 200
"""Inputs of a target before the next one has its turn."""

LEAK_MB: Final = 20.0
"""More memory than this after the first fifth of the time counts as a leak."""

HEALTH: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

REQUEST: Final = (
    b"POST /api/offer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b'Content-Length: 30\r\nConnection: close\r\n\r\n{"sdp": "v=0", "type": "offer"}'
)


class Findings:
    """What was found wrong.

    Args:
        quiet: Say nothing of it.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.faults: list[str] = []
        self.inputs = 0
        self._quiet = quiet

    def add(self, where: str, what: str, given_input: object) -> None:
        """Print a fault at once, and keep it."""
        self.faults.append(where)
        if not self._quiet:
            print(f"FAULT in {where}: {what}\n  input: {repr(given_input)[:2000]}", flush=True)


def feed_round(runner: asyncio.Runner, target: Target, count: int, findings: Findings) -> float:
    """Feed a target with so many new inputs; returns the longest time that one took, in milliseconds."""
    longest_ms = 0.0
    unseen: list[Any] = []
    runner.get_loop().set_exception_handler(lambda _, context: unseen.append(context))

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=HEALTH,
    )
    @given(st.data())
    def feed(data: st.DataObject) -> None:
        nonlocal longest_ms
        value = data.draw(target.inputs)
        findings.inputs += 1
        try:
            took_ms = _timed_ms(runner, target, value)
            if took_ms > STALL_MS:  # it may have been the garbage collector, or another process
                took_ms = min(took_ms, *(_timed_ms(runner, target, value) for _ in range(3)))
        except (StopTest, UnsatisfiedAssumption):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: that is what is looked for
            findings.add(target.name, repr(error), value)
            return
        longest_ms = max(longest_ms, took_ms)
        if took_ms > STALL_MS:
            findings.add(target.name, f"{took_ms:.0f} ms", value)
        if unseen:
            findings.add(target.name, f"a task failed: {unseen.pop()}", value)

    feed()
    return longest_ms


def _timed_ms(runner: asyncio.Runner, target: Target, value: object) -> float:
    """Feed it; returns the milliseconds of the processor that it took."""
    began = time.thread_time()
    runner.run(target.feed(value))
    return 1000 * (time.thread_time() - began)


def fuzz_parsers(secs: float, findings: Findings) -> None:
    """All targets in turn, for so long."""
    server = SseServer()
    longest: dict[str, float] = {}
    until, began_mb = time.monotonic() + secs, 0.0
    with asyncio.Runner() as runner:
        rounds = 0
        all_targets = targets(server)
        for target in all_targets:  # the first input of each makes the vendors' clients, and fills caches
            feed_round(runner, target, 1, Findings(quiet=True))
        while time.monotonic() < until:
            for target in all_targets:
                took_ms = feed_round(runner, target, ROUND, findings)
                longest[target.name] = max(longest.get(target.name, 0.0), took_ms)
            rounds += 1
            gc.collect()
            if not began_mb and time.monotonic() > until - 0.8 * secs:
                began_mb = rss_mb(os.getpid())
        grown_mb = rss_mb(os.getpid()) - began_mb if began_mb else 0.0
        runner.run(server.close())
    for name, took_ms in longest.items():
        print(f"{name:>20}: longest {took_ms:6.1f} ms", flush=True)
    print(f"parsers: {findings.inputs} inputs in {rounds} rounds, memory {grown_mb:+.1f} MB", flush=True)
    if grown_mb > LEAK_MB:
        findings.add("the parsers", f"memory grew by {grown_mb:.1f} MB", "")


async def fuzz_bot(secs: float, findings: Findings) -> None:
    """A running bot's HTTP and UDP ports, and the data channel of a call."""
    samples = Samples()
    async with baseline_bot("-m bench.emulated_services", ["--max-calls", "20"]) as (url, pid):
        port = int(url.rsplit(":", 1)[1])
        async with Caller(url) as caller, aiohttp.ClientSession() as client:
            until, sent = time.monotonic() + secs, 0
            began_mb = rss_mb(pid)
            async with client.get(f"{url}/stats?reset=1"):
                pass
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                while time.monotonic() < until:
                    ports = udp_ports(pid)
                    for packet in samples.draw(datagrams, 50):
                        for place in ports:
                            with contextlib.suppress(OSError):
                                sock.sendto(packet, place)
                    for message in samples.draw(as_text(rtvi_messages), 10):
                        caller.channel.send(message)
                    for raw in samples.draw(damaged(REQUEST), 10):
                        await _probe(port, raw, findings)
                    for sdp in samples.draw(damaged(OFFER), 2):
                        body = {"sdp": sdp.decode("utf-8", "replace"), "type": "offer"}
                        async with client.post(f"{url}/api/offer", json=body) as answer:
                            if answer.status == 500:
                                findings.add("the bot's offers", "HTTP 500", sdp)
                    sent += 50 * len(ports) + 22
            findings.inputs += sent
            if caller.connection is None or caller.connection.connectionState != "connected":
                findings.add("the bot", "the call was lost", "")
            async with client.get(f"{url}/stats") as answer:
                lag = await answer.json()
            grown_mb = rss_mb(pid) - began_mb
    print(f"bot: {sent} inputs; event loop late by {lag['lag_max_ms']:.0f} ms at most, memory {grown_mb:+.1f} MB")
    if lag["lag_max_ms"] > STALL_MS:
        findings.add("the bot", f"the event loop was {lag['lag_max_ms']:.0f} ms late", "")


class Samples:
    """New values of strategies, outside of a test."""

    def draw(self, strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
        """So many of them."""
        values: list[Any] = []

        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=HEALTH,
        )
        @given(strategy)
        def keep(value: Any) -> None:
            values.append(value)

        keep()
        return values


async def _probe(port: int, raw: bytes, findings: Findings) -> None:
    try:
        async with asyncio.timeout(5.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw)
            if writer.can_write_eof():
                writer.write_eof()
            answer = await reader.read(200)
            writer.close()
    except (OSError, TimeoutError):
        return
    if answer.startswith(b"HTTP/1.1 500"):
        findings.add("the bot's HTTP port", "HTTP 500", raw)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--secs", type=float, default=300.0, help="for how long in all; default: 300")
    parser.add_argument("--parsers", action="store_true", help="only the parsers, not a running bot")
    options = parser.parse_args(arguments)
    logger.remove()  # what the parsers say of each damaged input is not of interest here
    findings = Findings()
    share = 1.0 if options.parsers else 0.7
    fuzz_parsers(share * options.secs, findings)
    if not options.parsers:
        asyncio.run(fuzz_bot((1 - share) * options.secs, findings))
    print(f"{findings.inputs} inputs, {len(findings.faults)} faults", flush=True)
    return 1 if findings.faults else 0


if __name__ == "__main__":
    sys.exit(main())
