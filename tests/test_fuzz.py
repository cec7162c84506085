"""All parsers of what comes from outside, fed with what nobody should send; ``python -m bench.fuzz`` goes on longer."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.fuzz_targets import SseServer, Target, targets

SERVER = SseServer()
ALL = targets(SERVER)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all inputs, and what it was told of tasks that failed unseen."""
    with asyncio.Runner() as runner:
        yield runner
        runner.run(SERVER.close())


@pytest.mark.slow
@pytest.mark.parametrize("target", ALL, ids=[target.name for target in ALL])
def test_no_input_breaks_it(target: Target, runner: asyncio.Runner) -> None:
    unseen: list[dict] = []
    runner.get_loop().set_exception_handler(lambda _, context: unseen.append(context))

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def feed(data: st.DataObject) -> None:
        runner.run(target.feed(data.draw(target.inputs)))
        assert unseen == []

    feed()
