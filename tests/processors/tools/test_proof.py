"""Who the caller is to the bank, and the PIN by keys: three tries, and no digit of it anywhere else."""

import json

import pytest

from contracts.caller_identity import CallerIdentity
from contracts.llm import ToolCallDelta
from processors.context.aggregators import Conversation
from processors.tools.bank import Bank
from processors.tools.base import Session, Shared, Tool, ToolContext, ToolError
from processors.tools.catalogue import offered
from processors.tools.check_balance import check_balance
from processors.tools.proof import ASK, ENTRY_SECS, LOCK_SECS, LOCKED, RIGHT, TRIES, Proof, Tries
from processors.tools.quota import DAY_SECS, USED_UP, EffectQuota
from processors.tools.runner import ToolRunner
from settings import Settings, SettingsError

ANY = {"type": "object", "properties": {}}


def settings(**values) -> Settings:
    return Settings(_env_file=None, llm="scripted", bank_file=":memory:", **values)


def context(shared: Shared, subject: str | None, **claims) -> ToolContext:
    identity = CallerIdentity(subject, claims) if subject is not None else None
    return ToolContext(Session("call", shared, "en", identity, {"customer_id": 2, "sub": "ben"}))


async def balance(shared: Shared, subject: str | None, **claims) -> str:
    return await check_balance.run(check_balance.check({}), context(shared, subject, **claims))


async def test_a_caller_sees_their_own_account_and_no_other():
    shared = Shared(settings())
    assert "1240 dollars" in await balance(shared, "ada")
    assert "317 dollars" in await balance(shared, "ben")
    for stranger in ("eve", "1", "ada' OR 1=1 --", "ADA"):
        with pytest.raises(ToolError, match="not known"):
            await balance(shared, stranger, customer_id=1)
    shared.close()


@pytest.mark.parametrize(
    ("values", "opens"),
    [
        ({}, True),
        ({"host": "0.0.0.0"}, False),
        ({"trusted_proxies": "127.0.0.1"}, False),
        ({"allowed_hosts": "bot.example.org"}, False),
        ({"call_token_secret": "x" * 32}, False),
        ({"host": "0.0.0.0", "sample_customer": 1}, True),
        ({"sample_customer": 0}, False),
    ],
)
async def test_without_an_identity_there_is_the_sample_only_where_nobody_else_can_call(values, opens):
    shared = Shared(settings(**values))
    if opens:
        assert "1240 dollars" in await balance(shared, None)
    else:
        with pytest.raises(ToolError, match="nobody vouches"):
            await balance(shared, None)
    shared.close()


async def test_pins():
    bank = Bank(settings())
    assert await bank.is_pin(1, "4711")
    assert await bank.is_pin(2, "0815")
    for customer, pin in ((1, "0815"), (1, ""), (1, "47110"), (3, "4711"), (2, "815")):
        assert not await bank.is_pin(customer, pin)
    bank.close()


async def test_a_bank_file_of_an_earlier_version_is_read_and_proves_nothing(tmp_path):
    import sqlite3

    path = tmp_path / "bank.sqlite3"
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL)")
        old.execute("INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com')")
    old.close()
    bank = Bank(Settings(_env_file=None, bank_file=str(path)))
    assert await bank.name_and_email(1) == ("Ada", "ada@example.com")
    assert not await bank.is_pin(1, "4711")
    bank.close()


def test_a_pin_is_taken_only_after_it_was_asked_for_and_for_a_while():
    proof = Proof()
    assert not proof.expects(0.0)
    assert proof.missing(0.0) == ASK
    assert proof.expects(ENTRY_SECS - 1)
    assert not proof.expects(ENTRY_SECS + 1)
    assert proof.missing(100.0) == ASK
    assert [proof.press(key, 100.0) for key in "47*#4711#"] == [None] * 8 + ["4711"]
    assert proof.settle(True, 100.0) == RIGHT
    assert proof.missing(100.0) is None
    assert not proof.expects(100.0)


def test_three_tries_and_then_no_more_in_this_call_nor_in_the_next():
    tries = Tries()
    proof = Proof("ada", tries)
    for left in (2, 1, 0):
        assert proof.missing(0.0) == ASK
        assert f"Tries left: {left}" in proof.settle(False, 0.0)
    assert proof.missing(0.0) == LOCKED
    assert not proof.expects(0.0)
    assert proof.missing(2 * LOCK_SECS) == LOCKED, "this call has had its tries"
    another = Proof("ada", tries)
    assert another.missing(1.0) == LOCKED
    assert Proof("ben", tries).missing(1.0) == ASK
    assert another.missing(LOCK_SECS + 1) == ASK
    tries.note("ada", False, LOCK_SECS + 1)
    tries.note("ada", True, LOCK_SECS + 1)
    assert not tries.locked("ada", LOCK_SECS + 1)
    assert TRIES == 3


class Runs:
    def __init__(self) -> None:
        self.count = 0

    async def run(self, arguments, context) -> str:
        self.count += 1
        return f"done {self.count}"


def runner(tool: Tool, subject: str = "ada", shared: Shared | None = None) -> ToolRunner:
    session = Session("call", shared or Shared(settings()), "en", CallerIdentity(subject))
    return ToolRunner([tool], Conversation("…"), session)


async def asked(it: ToolRunner, name: str, turn_id: int, **arguments) -> str:
    it.conversation.user_turn(turn_id, "please")
    await it.run(turn_id, [ToolCallDelta("", name, json.dumps(arguments))])
    return [message["content"] for message in it.conversation.messages() if message["role"] == "tool"][-1]


async def test_what_needs_a_pin_is_not_run_without_one_nor_ahead():
    runs = Runs()
    it = runner(Tool("look", "…", ANY, runs.run, proof=True))
    assert await asked(it, "look", 1) == ASK
    assert await it.look_up([ToolCallDelta("", "look", "{}")]) is None
    assert runs.count == 0
    it.session.proof.settle(True, 0.0)
    assert await asked(it, "look", 2) == "done 1"


async def test_a_customer_has_only_so_much_done_in_a_day_over_all_calls():
    shared, runs = Shared(settings(effects_per_day=2)), Runs()
    tool = Tool("send", "…", ANY, runs.run, effect=True)
    outputs = [await asked(runner(tool, shared=shared), "send", 1) for _ in range(3)]
    assert outputs == ["done 1", "done 2", USED_UP]
    assert await asked(runner(tool, "ben", shared), "send", 1) == "done 3"
    quota = EffectQuota(settings(effects_per_day=1))
    assert [quota.take("ada", now) for now in (0.0, 1.0, DAY_SECS)] == [True, False, True]
    assert all(EffectQuota(settings(effects_per_day=0)).take("ada", 0.0) for _ in range(99))


def test_the_operator_says_what_needs_a_pin():
    def named(text: str) -> set[str]:
        return {tool.name for tool in offered(settings(tools_with_pin=text)) if tool.proof}

    assert named("") == set()
    assert named("check_balance") == {"check_balance"}
    assert named("effects,check_balance") == {"book_appointment", "email_statement", "check_balance"}
    assert {"recent_transactions", "check_balance", "email_statement"} <= named("all")
    with pytest.raises(SettingsError, match="TOOLS_WITH_PIN: there is no tool 'balance'"):
        named("balance")
