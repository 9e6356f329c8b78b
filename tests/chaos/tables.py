"""The shop's tables on SQLite, and its diary on the ledger. Knows no failpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import frozen

from effect_runtime import Transaction, operation
from effect_runtime.outbox.sqlite import Migration, SqliteSession
from effect_runtime.outbox.sqlite._schema import SCHEMA
from tests.chaos.cures import is_cured
from tests.chaos.ledger import Ledger
from tests.chaos.shop import Account, BookRuntime, PaymentId, TillRuntime, Told

_APPLIED: Final = (
    "CREATE TABLE {} (position INTEGER PRIMARY KEY AUTOINCREMENT, payment TEXT NOT NULL UNIQUE, account TEXT NOT NULL,"
    " number INTEGER NOT NULL, count INTEGER NOT NULL DEFAULT 1) STRICT"
)

TILL: Final = (
    Migration(
        1,
        "payments and what follows",
        (
            "CREATE TABLE payment (id TEXT PRIMARY KEY, account TEXT NOT NULL, number INTEGER NOT NULL,"
            " UNIQUE (account, number)) STRICT",
            _APPLIED.format("receipt"),
            _APPLIED.format("thanks"),
            _APPLIED.format("reminder"),
        ),
        owner="till",
    ),
)
BOOK: Final = (Migration(1, "postings", (_APPLIED.format("posting"),), owner="book"),)
_GROWING: Final = ("er_outbox", "er_lane", "er_inbox", "er_waiting", "er_mark", "er_dead", "er_agenda", "er_command")
NEXT: Final = Migration(
    SCHEMA[-1].version + 1,
    "what a next version may add",
    (
        *(f"ALTER TABLE {table} ADD COLUMN added TEXT NOT NULL DEFAULT 'new'" for table in _GROWING),
        "CREATE INDEX er_lane_added ON er_lane(added)",
        "CREATE TABLE er_added(id INTEGER PRIMARY KEY) STRICT",
    ),
    owner="effect_runtime",
)
"""A further step of the library's own schema: columns on its tables, an index, a table."""


def changes(count: int) -> tuple[Migration, ...]:
    """Return that many later changes of the schema, which nothing depends on: something to migrate at any time."""
    return tuple(
        Migration(number, f"change {number}", [f"CREATE TABLE change_{number}_{part} (id INTEGER)" for part in "abcd"])
        for number in range(1, count + 1)
    )


@frozen
class SqlitePayments:
    """Keep payments in a table."""

    session: SqliteSession

    @operation(kind="transactional")
    async def add(self, payment: PaymentId, account: Account) -> int:
        """Add a payment and return its number within the account."""
        row = await self.session.fetch_one(
            "INSERT INTO payment(id, account, number)"
            " SELECT ?, ?, coalesce(max(number), 0) + 1 FROM payment WHERE account = ? RETURNING number",
            (payment, account, account),
        )
        assert row is not None  # the select of an aggregate has one row
        number: int = row[0]
        return number


@frozen
class SqliteApplied:
    """Count what was applied in a table: the order of positions is that of the first application."""

    session: SqliteSession
    table: str

    @operation(kind="transactional")
    async def add(self, told: Told) -> None:
        """Apply an event: a second time is counted."""
        await self.session.execute(
            f"INSERT INTO {self.table}(payment, account, number) VALUES (?, ?, ?)"
            " ON CONFLICT (payment) DO UPDATE SET count = count + 1",
            (told.payment, told.account, told.number),
        )


@frozen
class LedgerDiary:
    """Write on the ledger, whatever becomes of the transaction, and look for cures beside it."""

    ledger: Ledger
    folder: Path

    @operation(kind="local")
    async def note(self, hop: str, told: Told) -> None:
        """Say that a handler is running."""
        self.ledger.write("handled", hop=hop, payment=told.payment, account=told.account, number=told.number)

    @operation(kind="local")
    async def is_cured(self, payment: PaymentId) -> bool:
        """Tell whether a sick payment has been cured."""
        return is_cured(self.folder, payment)


def till_runtime(tx: Transaction[SqliteSession], diary: LedgerDiary) -> TillRuntime:
    """Build what one unit of the till may use."""
    return TillRuntime(
        payments=SqlitePayments(tx.session),
        receipts=SqliteApplied(tx.session, "receipt"),
        thanks=SqliteApplied(tx.session, "thanks"),
        reminders=SqliteApplied(tx.session, "reminder"),
        diary=diary,
        outbox=tx.outbox,
        events=tx.events,
        due=tx.due,
    )


def book_runtime(tx: Transaction[SqliteSession], diary: LedgerDiary) -> BookRuntime:
    """Build what one unit of the book may use."""
    return BookRuntime(SqliteApplied(tx.session, "posting"), diary, tx.outbox)
