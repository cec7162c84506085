"""The virtual clock: jumps when idle, keeps order, stands still for work outside the loop, and leaves no trace."""

import asyncio
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import virtual_time
from loadtest.virtual_time import ClockStuckError, VirtualTimeLoop

CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


async def test_sleeping_takes_virtual_seconds_only(virtual):
    before = virtual.time()
    await asyncio.sleep(7_200 - 3_700)
    assert virtual.time() - before == pytest.approx(3_500, abs=1e-6)


def test_three_minutes_of_20_ms_ticks_for_ten_tasks_take_two_seconds():
    ticks = 0

    async def ticker():
        nonlocal ticks
        start = time.monotonic()
        for k in range(1, 9_001):
            await asyncio.sleep(start + k * 0.02 - time.monotonic())
            ticks += 1

    async def call():
        await asyncio.gather(*(ticker() for _ in range(10)))
        return time.monotonic()

    started = time.perf_counter()
    assert virtual_time.run(call()) == pytest.approx(virtual_time.START_SECS + 180, abs=1e-6)
    assert ticks == 90_000
    assert time.perf_counter() - started < 10


@given(st.lists(st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.1 + 0.2, 1.0]), max_size=40))
def test_timers_of_one_instant_run_in_the_order_in_which_they_were_set(delays):
    ran = []

    async def main():
        loop = asyncio.get_running_loop()
        now = loop.time()
        for index, delay in enumerate(delays):
            loop.call_at(now + delay, ran.append, index)
        await asyncio.sleep(2)

    virtual_time.run(main())
    assert ran == sorted(range(len(delays)), key=lambda index: round(delays[index], 6))


async def test_order_holds_between_a_sum_and_the_same_instant_set_at_once(virtual):
    ran = []

    async def in_two_steps():
        await asyncio.sleep(0.1)
        virtual.call_later(0.2, ran.append, "two steps")

    task = asyncio.create_task(in_two_steps())
    await asyncio.sleep(0.05)
    virtual.call_later(0.25, ran.append, "one step")
    await asyncio.sleep(1)
    await task
    assert ran == ["one step", "two steps"]


async def test_a_loop_that_sleeps_the_rest_ends(virtual):
    deadline = virtual.time() + 0.123_456_789_012
    for _ in range(100):
        if virtual.time() >= deadline:
            break
        await asyncio.sleep((deadline - virtual.time()) * 0.7)
    assert deadline <= virtual.time() < deadline + 1e-5


async def test_all_clocks_move_together(virtual):
    before = {name: getattr(time, name)() for name in CLOCKS}
    loop_before = virtual.time()
    await asyncio.sleep(12.5)
    for name in CLOCKS:
        moved = (getattr(time, name)() - before[name]) / (1e9 if name.endswith("_ns") else 1)
        assert moved == pytest.approx(virtual.time() - loop_before, abs=1e-6), name


@pytest.mark.parametrize("fails", [False, True])
def test_the_real_clocks_are_put_back(fails):
    real = {name: getattr(time, name) for name in CLOCKS}

    async def main():
        assert time.monotonic is not real["monotonic"]
        if fails:
            raise LookupError

    if fails:
        with pytest.raises(LookupError):
            virtual_time.run(main())
    else:
        virtual_time.run(main())
    assert {name: getattr(time, name) for name in CLOCKS} == real


async def test_a_timeout_fires_at_its_instant(virtual):
    before = virtual.time()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), timeout=2.5)
    assert virtual.time() - before == pytest.approx(2.5, abs=1e-6)


async def test_the_clock_stands_still_for_executor_jobs(virtual):
    before = virtual.time()
    freed = threading.Event()
    jobs = [asyncio.create_task(asyncio.to_thread(freed.wait, 5)) for _ in range(2)]
    timer = asyncio.create_task(asyncio.sleep(0.001))
    await asyncio.sleep(0)
    threading.Timer(0.03, freed.set).start()
    assert await asyncio.gather(*jobs) == [True, True]
    assert virtual.time() == before
    assert not timer.done()
    await timer
    assert virtual.time() > before


async def test_the_clock_can_be_held_for_a_thread_of_ones_own(virtual):
    before = virtual.time()
    answer = virtual.create_future()
    threading.Timer(0.03, virtual.call_soon_threadsafe, (answer.set_result, "done")).start()
    with virtual.hold():
        assert await asyncio.wait_for(answer, timeout=0.001) == "done"
    assert virtual.time() == before


async def test_sockets_within_the_process_are_served_before_the_clock_jumps(virtual):
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    before = virtual.time()
    async with server:
        for _ in range(20):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            assert await asyncio.wait_for(reader.readline(), timeout=0.1) == b"hello\n"
            writer.close()
    assert virtual.time() - before < 0.1


def test_a_run_that_can_never_end_is_given_up():
    async def main():
        await asyncio.Event().wait()

    loop = VirtualTimeLoop(stuck_after_secs=0.05)
    with pytest.raises(TimeoutError):
        virtual_time.run(main(), loop=loop)


def test_a_job_that_never_comes_back_is_given_up():
    freed = threading.Event()

    async def main():
        try:
            await asyncio.to_thread(freed.wait, 10)
        finally:
            freed.set()

    with pytest.raises(ClockStuckError, match="1 jobs hold it"):
        virtual_time.run(main(), loop=VirtualTimeLoop(stuck_after_secs=0.05))


def test_what_runs_too_long_is_cancelled():
    async def main():
        await asyncio.sleep(31)

    with pytest.raises(TimeoutError):
        virtual_time.run(main(), limit_secs=30)


class TestTheFixtureInAClass:
    @pytest.mark.parametrize("secs", [1, 600])
    async def test_reaches_methods_and_parameters(self, virtual, secs):
        assert asyncio.get_running_loop() is virtual
        before = virtual.time()
        await asyncio.sleep(secs)
        assert virtual.time() - before == pytest.approx(secs, abs=1e-6)


def test_a_blocking_client_of_a_server_on_this_loop_is_waited_for_at_a_real_clock_s_pace():
    """Its thread waits for the server, which waits for the clock."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(b"late")
        writer.close()

    def ask(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            return client.recv(10)

    async def scene() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        with ThreadPoolExecutor(1, "blocking") as pool:
            began = loop.time()
            answered = await loop.run_in_executor(pool, ask, server.sockets[0].getsockname()[1])
            took_secs = loop.time() - began
        await asyncio.sleep(1000)
        server.close()
        return answered, took_secs

    loop = virtual_time.VirtualTimeLoop(walks_for=("block",))
    answered, took_secs = virtual_time.run(scene(), loop=loop)
    assert answered == b"late"
    assert 0.2 <= took_secs < 2.0
