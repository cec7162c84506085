"""The example tools against a real database file and a real mail server."""

import asyncio
import socket
import sqlite3
import threading
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller

from processors.tools.bank import Bank, dollars
from processors.tools.base import Shared, ToolError
from processors.tools.book_appointment import book_appointment
from processors.tools.check_balance import check_balance
from processors.tools.email_statement import email_statement
from processors.tools.recent_transactions import recent_transactions
from settings import Settings
from tests.processors.tools.conftest import Caller

# --- accounts --------------------------------------------------------------------------------


async def test_balances(ask):
    assert await ask(check_balance) == "The checking account holds 1240 dollars."
    assert await ask(check_balance, account="savings") == "The savings account holds 5300 dollars."


async def test_a_customer_sees_no_others_money(shared):
    ben = Caller(shared, customer_id=2)
    assert await ben(check_balance) == "The checking account holds 317 dollars and 50 cents."
    with pytest.raises(ToolError, match="^the caller has no savings account$"):
        await ben(check_balance, account="savings")
    assert "grocery" not in await ben(recent_transactions, count=10)


@pytest.mark.parametrize("more", [{"account": "Ben's"}, {"customer_id": 2}, {"account": "checking' OR 1=1 --"}])
async def test_the_model_cannot_name_another_account(ask, more):
    with pytest.raises(ToolError, match="^wrong arguments: "):
        await ask(check_balance, **more)


async def test_transactions_come_newest_first(ask):
    text = await ask(recent_transactions, count=2)
    assert text.startswith("On the checking account: on ")
    assert text.index("2000 dollars came from salary") < text.index("15 dollars went to taxi")
    assert "grocery" not in text
    assert await ask(recent_transactions, account="savings", count=1) != text


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "0 dollars"),
        (1, "1 cent"),
        (100, "1 dollar"),
        (-1299, "12 dollars and 99 cents"),
        (200001, "2000 dollars and 1 cent"),
    ],
)
def test_money_is_text_that_can_be_spoken(cents, text):
    assert dollars(cents) == text


# --- the file --------------------------------------------------------------------------------


async def test_the_file_is_made_once_and_kept(tmp_path):
    path = tmp_path / "new" / "bank.sqlite3"
    for number in (1, 2):
        shared = Shared(Settings(_env_file=None, bank_file=str(path)))
        made = await Caller(shared)(book_appointment, day="tomorrow", at="10:00")
        assert ("already" in made) == (number == 2)
        shared.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM customers").fetchone() == (2,)
        assert db.execute("SELECT starts_at FROM appointments").fetchall() == [("2026-11-26 10:00",)]


async def test_two_processes_that_find_no_file_fill_it_once(tmp_path):
    settings = Settings(_env_file=None, bank_file=str(tmp_path / "bank.sqlite3"))
    banks = [Bank(settings) for _ in range(4)]
    assert await asyncio.gather(*(bank.balance_cents(1, "checking") for bank in banks)) == [124000] * 4
    for bank in banks:
        bank.close()


async def test_a_file_that_is_no_database_is_told_in_words(tmp_path):
    path = tmp_path / "bank.sqlite3"
    path.write_text("no database" * 100)
    caller = Caller(Shared(Settings(_env_file=None, bank_file=str(path))))
    with pytest.raises(ToolError, match="the bank's records cannot be read"):
        await caller(check_balance)


async def test_the_event_loop_never_waits_for_the_file(ask, monkeypatch):
    threads = set()
    connect = sqlite3.connect

    def watched(*arguments, **more):
        threads.add(threading.current_thread())
        return connect(*arguments, **more)

    monkeypatch.setattr(sqlite3, "connect", watched)
    await ask(check_balance)
    assert threads
    assert threading.current_thread() not in threads


# --- appointments ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "when"),
    [
        ("tomorrow", "Thursday, 26 November at 10:00"),
        ("Thursday", "Thursday, 26 November at 10:00"),
        ("wednesday", "Wednesday, 2 December at 10:00"),
        ("2026-12-05", "Saturday, 5 December at 10:00"),
    ],
)
async def test_an_appointment(ask, day, when):
    assert await ask(book_appointment, day=day, at="10:00", topic="loan") == (
        f"The appointment is booked: {when}, number 1."
    )


@pytest.mark.parametrize(
    ("day", "at", "says"),
    [
        ("today", "09:00", "that is past: it is Wednesday, 2026-11-25 15:07 now"),
        ("yesterday", "09:00", "'yesterday' is no day"),
        ("sunday", "10:00", "closed on Sundays"),
        ("saturday", "13:00", "from 09:00 to 13:00"),
        ("friday", "10:20", "on the hour or half past"),
        ("2027-06-01", "10:00", "too far away: 60 days"),
    ],
)
async def test_an_appointment_that_cannot_be(ask, day, at, says):
    with pytest.raises(ToolError, match=says):
        await ask(book_appointment, day=day, at=at)


async def test_the_same_wish_makes_one_appointment(ask, shared):
    first = await ask(book_appointment, key="k", day="friday", at="10:00")
    assert await ask(book_appointment, key="k", day="friday", at="11:00") != first
    assert "already has" in await ask(book_appointment, key="other", day="2026-11-27", at="10:00")
    count = await shared.get(Bank)._run(lambda db: db.execute("SELECT count(*) FROM appointments").fetchone())
    assert count == (1,)


async def test_a_time_that_somebody_else_has_is_taken(ask, shared):
    await ask(book_appointment, day="friday", at="10:00")
    with pytest.raises(ToolError, match="that time is taken; offer another one"):
        await Caller(shared, customer_id=2)(book_appointment, day="friday", at="10:00")


# --- mail ------------------------------------------------------------------------------------


class Mailbox:
    """What a mail server has taken."""

    def __init__(self, refuse: str = ""):
        self.refuse = refuse
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


@pytest.fixture
def mail_server():
    servers = []

    def start(box, **more):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Controller(box, hostname="127.0.0.1", port=port, **more)
        servers.append(server)
        server.start()
        return port

    yield start
    for server in servers:
        server.stop()


def bank_with_mail(tmp_path, **values):
    return Shared(Settings(_env_file=None, bank_file=str(tmp_path / "bank.sqlite3"), smtp_security="none", **values))


async def test_a_statement_goes_to_the_address_on_file(tmp_path, mail_server):
    box = Mailbox()
    port = mail_server(box)
    shared = bank_with_mail(tmp_path, smtp_host="127.0.0.1", smtp_port=port, smtp_from="Bank <bank@example.org>")
    assert await Caller(shared)(email_statement, key="k1", account="savings") == (
        "The statement with a balance of 5300 dollars was sent to the e-mail address on file."
    )
    ((to, mail),) = box.mails
    assert to == ["ada@example.com"]
    assert (mail["from"], mail["subject"]) == ("Bank <bank@example.org>", "Your savings account")
    assert mail["message-id"] == "<k1@example.org>"
    text = mail.get_content()
    assert "Dear Ada Sample" in text
    assert "Balance         5,300.00" in text
    assert "transfer from checking" in text
    assert "grocery" not in text


async def test_a_password_is_used_where_one_is_set(tmp_path, mail_server):
    from aiosmtpd.smtp import AuthResult

    seen = []

    def check(server, session, envelope, mechanism, data):
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"right")

    port = mail_server(Mailbox(), authenticator=check, auth_require_tls=False, auth_required=True)
    values = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_username": "parley"}
    sent = await Caller(bank_with_mail(tmp_path, smtp_password="right", **values))(email_statement)
    assert "was sent" in sent
    with pytest.raises(ToolError, match="nothing was sent"):
        await Caller(bank_with_mail(tmp_path, smtp_password="wrong", **values))(email_statement)
    assert (b"parley", b"right") in seen


async def test_mail_that_cannot_go_is_told_in_words(tmp_path, mail_server):
    with pytest.raises(ToolError, match="^no mail server is set up, so nothing was sent$"):
        await Caller(bank_with_mail(tmp_path))(email_statement)
    with pytest.raises(ToolError, match="^the mail server did not take it, so nothing was sent$"):
        await Caller(bank_with_mail(tmp_path, smtp_host="127.0.0.1", smtp_port=9))(email_statement)
    port = mail_server(Mailbox(refuse="554 no"))
    with pytest.raises(ToolError, match="^the mail server did not take it, so nothing was sent$"):
        await Caller(bank_with_mail(tmp_path, smtp_host="127.0.0.1", smtp_port=port))(email_statement)
