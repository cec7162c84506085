"""A caller of the sample bank, without a call."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from processors.tools.bank import Customer
from processors.tools.base import Session, Shared, ToolContext
from settings import Settings

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 15, 7, tzinfo=BERLIN)  # a Wednesday


class Caller:
    """Calls tools as the runner does."""

    def __init__(self, shared: Shared, customer_id: int = 1) -> None:
        self.session = Session("call", shared)
        self.session.own(Customer).customer_id = customer_id
        self.keys = 0

    async def __call__(self, tool, key: str | None = None, **arguments) -> str:
        self.keys += 1
        context = ToolContext(self.session, key or f"wish-{id(self)}-{self.keys}", now=lambda: NOW)
        return await tool.run(tool.check(arguments), context)


@pytest.fixture
def shared(tmp_path):
    made = Shared(Settings(_env_file=None, bank_file=str(tmp_path / "bank.sqlite3")))
    yield made
    made.close()


@pytest.fixture
def ask(shared) -> Callable:
    """``await ask(tool, argument=...)`` as the bank's first customer."""
    return Caller(shared)
