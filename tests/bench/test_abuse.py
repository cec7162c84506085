"""The attack does what it says, a live call stands it, and what a call lost is told from its recording."""

import asyncio
import os
import time
from types import SimpleNamespace
from typing import Any

import pytest

from bench.abuse import Mark, judge, verdict
from bench.attacks import ATTACKS, Attacker, udp_ports
from loadtest.caller import Caller
from loadtest.recording import ReceivedPacket, Recording
from tests.server.test_signalling import Limits, calls, server
from tests.transports.test_limits_of_a_call import Heard


@pytest.mark.parametrize("name", list(ATTACKS))
async def test_a_live_call_stands_each_attack(name):
    heard = Heard()
    async with server(Limits(max_calls=20), start_call=heard) as client:
        url = str(client.make_url("")).rstrip("/")
        async with Caller(url) as caller:
            assert udp_ports(os.getpid())
            done = await Attacker(url, os.getpid(), 1.0).run([ATTACKS[name]])
            assert sum(count for what, count in done.items() if " met " not in what) > 0
            assert caller.connection is not None
            assert caller.connection.connectionState == "connected"
            before = heard.frames
            await asyncio.sleep(0.3)
            assert heard.frames > before
            assert await calls(client) >= 1


def recording(*arrivals: tuple[float, int]) -> Recording:
    packets = [ReceivedPacket(at, n, 960 * n, b"\xfc" + bytes(20)) for at, n in arrivals]
    return Recording(packets=packets, slip_secs=[0.0] * len(packets))


def phase(*recordings: Recording, until: float):
    callers: list[Any] = [SimpleNamespace(recording=r) for r in recordings]
    begin = Mark(0.0, 0.0, tuple((0, 0, 0) for _ in callers))
    end = Mark(until, 0.5, tuple((len(r.packets), 0, len(r.slip_secs)) for r in recordings))
    return judge(callers, begin, end)


def test_what_is_late_or_missing_is_a_hole_and_what_is_over_is_lost(capsys):
    well = [(0.02 * n, n) for n in range(200)]
    good = phase(recording(*well), until=4.0)
    assert (good.calls_lost, good.holes) == (0, 0)
    late = phase(recording(*[(at + 0.1 * (n == 100), n) for at, n in well]), until=4.0)
    assert (late.calls_lost, late.holes) == (0, 1)
    assert 99 <= late.late_max_ms <= 101
    gone = phase(recording(*well[:50]), recording(*well), until=4.0)
    assert gone.calls_lost == 1
    assert verdict(good, gone) == verdict(good, late) == 1
    assert "1 calls (bar 0)" in capsys.readouterr().out


def test_an_attack_ends_in_time():
    assert not Attacker("http://127.0.0.1:9", None, 0.0).goes_on
    assert Attacker("http://127.0.0.1:9", None, 5.0).until > time.monotonic()
