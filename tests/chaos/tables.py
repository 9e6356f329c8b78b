"""The shop's tables on SQLite, and its diary on the ledger. Knows no failpoints."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from effect_runtime import Transaction, operation
from effect_runtime.outbox.sqlite import Migration, SqliteSession
from tests.chaos.ledger import Ledger
from tests.chaos.shop import Account, BookRuntime, PaymentId, TillRuntime, Told

_APPLIED: Final = (
    "CREATE TABLE {} (position INTEGER PRIMARY KEY AUTOINCREMENT, payment TEXT NOT NULL UNIQUE, account TEXT NOT NULL,"
    " number INTEGER NOT NULL, count INTEGER NOT NULL DEFAULT 1) STRICT"
)

TILL: Final = (
    Migration(
        1,
        "payments and receipts",
        (
            "CREATE TABLE payment (id TEXT PRIMARY KEY, account TEXT NOT NULL, number INTEGER NOT NULL,"
            " UNIQUE (account, number)) STRICT",
            _APPLIED.format("receipt"),
        ),
    ),
)
BOOK: Final = (Migration(1, "postings", (_APPLIED.format("posting"),)),)


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
    """Write on the ledger, whatever becomes of the transaction."""

    ledger: Ledger

    @operation(kind="local")
    async def note(self, hop: str, told: Told) -> None:
        """Say that a handler is running."""
        self.ledger.write("handled", hop=hop, payment=told.payment, account=told.account, number=told.number)


def till_runtime(tx: Transaction[SqliteSession], ledger: Ledger) -> TillRuntime:
    """Build what one unit of the till may use."""
    return TillRuntime(SqlitePayments(tx.session), SqliteApplied(tx.session, "receipt"), LedgerDiary(ledger), tx.outbox)


def book_runtime(tx: Transaction[SqliteSession], ledger: Ledger) -> BookRuntime:
    """Build what one unit of the book may use."""
    return BookRuntime(SqliteApplied(tx.session, "posting"), LedgerDiary(ledger), tx.outbox)
