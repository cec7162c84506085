"""The sample bank behind the example tools: one SQLite file, made from ``bank.sql`` at its first use."""

import asyncio
import hashlib
import hmac
import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal, TypeVar

from contracts.caller_identity import CallerIdentity
from processors.tools.base import ToolContext, ToolError
from settings import Settings

T = TypeVar("T")

AccountKind = Literal["checking", "savings"]

IN_MEMORY = ":memory:"
SCHEMA_AND_SEED = Path(__file__).with_name("bank.sql")
BUSY_SECS = 5.0
"""How long another process may keep the file locked."""


@dataclass
class Customer:
    """Who the caller is to the bank; None while nobody has asked.

    Kept for each call by itself: the model cannot name a customer, so it can never ask for another's accounts.
    """

    customer_id: int | None = None


async def customer_of(context: ToolContext) -> int:
    """The customer who calls, by the verified identity.

    Raises:
        ToolError: Nobody vouches for who the caller is, or the bank does not know them.
    """
    customer = context.own(Customer)
    if customer.customer_id is None:
        customer.customer_id = await context.shared(Bank).customer_id(context.identity)
    return customer.customer_id


def pin_hash(pin: str, salt: str) -> str:
    """A PIN as the bank keeps it (scrypt, RFC 7914)."""
    return f"{salt}${hashlib.scrypt(pin.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()}"


@dataclass(frozen=True)
class Transaction:
    """Money that came or went.

    Attributes:
        day: When.
        cents: How much; below zero it went.
        partner: From or to whom.
    """

    day: date
    cents: int
    partner: str


@dataclass(frozen=True)
class Booking:
    """An appointment at the branch.

    Attributes:
        number: Its number.
        new: Whether it was made now; False if this customer had it already.
    """

    number: int
    new: bool


class Bank:
    """Accounts and appointments. Every method runs off the event loop.

    Args:
        settings: ``bank_file`` names the file.
    """

    def __init__(self, settings: Settings) -> None:
        self._path = settings.bank_file or str(_data_folder() / "bank.sqlite3")
        self._sample_customer = settings.sample_customer_id
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    async def customer_id(self, identity: CallerIdentity | None) -> int:
        """Who a caller is to the bank.

        Args:
            identity: Who it is by a signed token; None: nobody vouches for them, and they are the sample customer, if
                there is to be one.

        Raises:
            ToolError: It is nobody.
        """
        if identity is None:
            if not self._sample_customer:
                raise ToolError("nobody vouches for who the caller is, so accounts stay closed to them")
            return self._sample_customer
        found = await self._run(
            lambda db: db.execute("SELECT id FROM customers WHERE caller = ?", (identity.subject,)).fetchone()
        )
        if found is None:
            raise ToolError("the caller is not known to the bank")
        return int(found[0])

    async def is_pin(self, customer_id: int, pin: str) -> bool:
        """Whether a PIN is the customer's; who has none cannot prove anything."""

        def check(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT pin FROM customers WHERE id = ?", (customer_id,)).fetchone()
            known = str(row[0] or "") if row is not None else ""
            return bool(known) and hmac.compare_digest(pin_hash(pin, known.partition("$")[0]), known)

        return await self._run(check)

    async def balance_cents(self, customer_id: int, kind: AccountKind) -> int:
        """What is on an account.

        Raises:
            ToolError: The customer has none of this kind.
        """
        found = await self._run(
            lambda db: db.execute(
                "SELECT balance_cents FROM accounts WHERE customer_id = ? AND kind = ?", (customer_id, kind)
            ).fetchone()
        )
        if found is None:
            raise ToolError(f"the caller has no {kind} account")
        return int(found[0])

    async def transactions(self, customer_id: int, kind: AccountKind, count: int) -> list[Transaction]:
        """The latest transactions, the newest first."""
        rows = await self._run(
            lambda db: db.execute(
                "SELECT day, cents, partner FROM transactions JOIN accounts ON accounts.id = account_id"
                " WHERE customer_id = ? AND kind = ? ORDER BY day DESC, transactions.id LIMIT ?",
                (customer_id, kind, count),
            ).fetchall()
        )
        return [Transaction(date.fromisoformat(day), cents, partner) for day, cents, partner in rows]

    async def name_and_email(self, customer_id: int) -> tuple[str, str]:
        """Whom statements go to."""
        row = await self._run(
            lambda db: db.execute("SELECT name, email FROM customers WHERE id = ?", (customer_id,)).fetchone()
        )
        if row is None:
            raise ToolError("the caller is not known to the bank")
        return row[0], row[1]

    async def book(self, customer_id: int, starts_at: datetime, topic: str, wish: str) -> Booking:
        """Make an appointment; the same wish, or the same time for the same customer, makes no second one.

        Raises:
            ToolError: Somebody else has that time.
        """
        at = starts_at.strftime("%Y-%m-%d %H:%M")

        def insert(db: sqlite3.Connection) -> Booking:
            with db:
                made = db.execute(
                    "INSERT INTO appointments (customer_id, starts_at, topic, wish) SELECT ?, ?, ?, ?"
                    " WHERE ? NOT IN (SELECT wish FROM void_wishes) ON CONFLICT DO NOTHING",
                    (customer_id, at, topic, wish, wish),
                )
            found = db.execute(
                "SELECT id, customer_id FROM appointments WHERE starts_at = ? OR wish = ?", (at, wish)
            ).fetchone()
            if found is None:
                raise ToolError("it was given up")
            number, owner = found
            if owner != customer_id:
                raise ToolError("that time is taken; offer another one")
            return Booking(number, new=made.rowcount == 1)

        return await self._run(insert)

    async def booked(self, wish: str) -> tuple[int, datetime] | None:
        """Number and time of the appointment that a wish made. None: it made none, and never will from now on."""

        def find(db: sqlite3.Connection) -> tuple[int, datetime] | None:
            with db:
                db.execute(
                    "INSERT OR IGNORE INTO void_wishes SELECT ? WHERE ? NOT IN (SELECT wish FROM appointments)",
                    [wish] * 2,
                )
            row = db.execute("SELECT id, starts_at FROM appointments WHERE wish = ?", (wish,)).fetchone()
            return None if row is None else (int(row[0]), datetime.strptime(row[1], "%Y-%m-%d %H:%M"))

        return await self._run(find)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    async def _run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        def locked() -> T:
            with self._lock:
                return job(self._open())

        try:
            return await asyncio.to_thread(locked)
        except sqlite3.Error as error:
            raise ToolError(f"the bank's records cannot be read ({error})") from None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if self._path != IN_MEMORY:
                Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=BUSY_SECS, check_same_thread=False)
            connection.execute("BEGIN IMMEDIATE")  # of two processes that find a new file, one fills it
            tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'customers'").fetchone()
            if not tables[0]:
                for statement in _statements(SCHEMA_AND_SEED.read_text(encoding="utf-8")):
                    connection.execute(statement)
            columns = {row[1] for row in connection.execute("PRAGMA table_info(customers)")}
            if "caller" not in columns:  # a file of an earlier version
                connection.execute("ALTER TABLE customers ADD COLUMN caller TEXT")
                connection.execute("ALTER TABLE customers ADD COLUMN pin TEXT")
                connection.execute("CREATE UNIQUE INDEX customers_by_caller ON customers (caller)")
            # Wishes that were asked for in vain when their process had died: a request on its way comes too late.
            connection.execute("CREATE TABLE IF NOT EXISTS void_wishes (wish TEXT PRIMARY KEY) WITHOUT ROWID")
            connection.commit()
            self._connection = connection
        return self._connection


def _statements(script: str) -> list[str]:
    """The script's statements one by one: ``executescript`` would end the transaction around them."""
    statements, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


def _data_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "parley"


def dollars(cents: int) -> str:
    """An amount as it is spoken: "12 dollars and 99 cents"; the sign is left to the words around it."""
    whole, rest = divmod(abs(cents), 100)
    parts = [f"{whole} dollar{'' if whole == 1 else 's'}"] if whole or not rest else []
    if rest:
        parts.append(f"{rest} cent{'' if rest == 1 else 's'}")
    return " and ".join(parts)
