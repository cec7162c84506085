"""Fixtures and hooks that all tests share."""

import inspect
import os
from collections.abc import Iterator

import hypothesis
import pytest

from loadtest import virtual_time
from tests.lanes import mark_folders

# The sample bank of tests, and of the bots that they start, lives in memory.
os.environ.setdefault("BANK_FILE", ":memory:")

# A busy machine is no reason for a property to fail: what must be fast has its own test. CI tries the same examples
# each time, so that it fails for what has changed; everybody else tries new ones with each run.
hypothesis.settings.register_profile("parley", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "parley"))


@pytest.fixture
def virtual() -> Iterator[virtual_time.VirtualTimeLoop]:
    """The loop that an ``async def`` test with this argument runs on: its clock jumps when nothing is to do.

    Async fixtures run on pytest-asyncio's own loop, so such a test opens what it needs by ``async with``.
    """
    loop = virtual_time.VirtualTimeLoop()
    yield loop
    loop.close()


@pytest.hookimpl(tryfirst=True)  # before the command line's -m selects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_folders(items)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test that asks for ``virtual`` in virtual time, past pytest-asyncio's loop."""
    if "virtual" not in pyfuncitem.fixturenames:
        return None
    # pytest-asyncio has put a plain function around the coroutine function by now.
    test = inspect.unwrap(pyfuncitem.obj, stop=inspect.iscoroutinefunction)
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    virtual_time.run(test(**arguments), loop=pyfuncitem.funcargs["virtual"])
    return True
