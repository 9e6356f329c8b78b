"""Lending's ports over one SQLite file: its tables, and the statements that read and write them.

The rules stand in the pure decisions; the unique indexes are there so that not even a bug can break them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen
from returns.result import Failure, Result, Success

from effect_runtime import ReadTransaction, Transaction, operation
from effect_runtime.outbox.sqlite import Migration, SqliteReadSession, SqliteSession
from library_example.contracts import BookId, HoldId, LoanId, PatronId
from library_example.lending.domain import (
    BookUnknown,
    EmailTaken,
    Hold,
    Loan,
    LoanUnknown,
    Patron,
    PatronUnknown,
    Shelf,
    Waiting,
)
from library_example.lending.ports import LendingReads, LendingRuntime, Post
from library_example.lending.post import silent
from library_example.paging import Listing, Page, listing

MIGRATIONS = (
    Migration(
        1,
        "patrons, loans, holds and shelves",
        (
            """CREATE TABLE patron (
                id TEXT PRIMARY KEY,
                name TEXT NOT NULL,
                email TEXT NOT NULL UNIQUE,
                active_loans INTEGER NOT NULL CHECK (active_loans >= 0),
                blocked INTEGER NOT NULL
            ) STRICT""",
            """CREATE TABLE loan (
                id TEXT PRIMARY KEY,
                patron_id TEXT NOT NULL REFERENCES patron (id),
                book_id TEXT NOT NULL,
                copy INTEGER NOT NULL,
                borrowed_at INTEGER NOT NULL,
                due_at INTEGER NOT NULL,
                returned_at INTEGER,
                overdue INTEGER NOT NULL
            ) STRICT""",
            "CREATE UNIQUE INDEX open_loan_of_copy ON loan (book_id, copy) WHERE returned_at IS NULL",
            "CREATE INDEX loan_of_patron ON loan (patron_id)",
            "CREATE INDEX overdue_loan ON loan (due_at, id) WHERE overdue AND returned_at IS NULL",
            """CREATE TABLE hold (
                id TEXT PRIMARY KEY,
                patron_id TEXT NOT NULL REFERENCES patron (id),
                book_id TEXT NOT NULL,
                place INTEGER NOT NULL CHECK (place >= 1),
                UNIQUE (book_id, place),
                UNIQUE (book_id, patron_id)
            ) STRICT""",
            """CREATE TABLE shelf (
                book_id TEXT PRIMARY KEY,
                copies INTEGER NOT NULL CHECK (copies >= 0)
            ) STRICT""",
        ),
    ),
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATRON = "patron.id, patron.name, patron.email, patron.active_loans, patron.blocked"
_LOAN = "id, patron_id, book_id, copy, borrowed_at, due_at, returned_at, overdue"
_HOLD = "hold.id, hold.patron_id, hold.book_id, hold.place"


@frozen
class SqlitePatronReads:
    """Read patrons from the table `patron`."""

    session: SqliteReadSession | SqliteSession

    @operation(kind="transactional")
    async def get(self, patron_id: PatronId) -> Result[Patron, PatronUnknown]:
        """Read one patron."""
        row = await self.session.fetch_one(f"SELECT {_PATRON} FROM patron WHERE id = ?", (patron_id,))
        return Failure(PatronUnknown(patron_id)) if row is None else Success(_patron(row))


@frozen
class SqlitePatrons(SqlitePatronReads):
    """Keep patrons in the table `patron`."""

    session: SqliteSession

    @operation(kind="transactional")
    async def add(self, patron: Patron) -> Result[None, EmailTaken]:
        """Register a new patron."""
        added = await self.session.fetch_one(
            "INSERT INTO patron (id, name, email, active_loans, blocked) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (email) DO NOTHING RETURNING id",
            (patron.id, patron.name, patron.email, patron.active_loans, patron.blocked),
        )
        return Failure(EmailTaken(patron.email)) if added is None else Success(None)

    @operation(kind="transactional")
    async def block(self, patron_id: PatronId, blocked: bool) -> Result[None, PatronUnknown]:
        """Block a patron or lift the block."""
        found = await self.session.fetch_one(
            "UPDATE patron SET blocked = ? WHERE id = ? RETURNING id", (blocked, patron_id)
        )
        return Failure(PatronUnknown(patron_id)) if found is None else Success(None)

    @operation(kind="transactional")
    async def count_loans(self, patron_id: PatronId, change: int) -> None:
        """Add `change` to the number of a patron's active loans."""
        await self.session.execute(
            "UPDATE patron SET active_loans = active_loans + ? WHERE id = ?", (change, patron_id)
        )


@frozen
class SqliteLoanReads:
    """Read loans from the table `loan`."""

    session: SqliteReadSession | SqliteSession

    @operation(kind="transactional")
    async def of_patron(self, patron_id: PatronId) -> tuple[Loan, ...]:
        """Read all loans of one patron, oldest first."""
        # Loans are never deleted, so the rowid grows with them; two may begin in the same microsecond.
        rows = await self.session.fetch_all(
            f"SELECT {_LOAN} FROM loan WHERE patron_id = ? ORDER BY rowid", (patron_id,)
        )
        return tuple(_loan(row) for row in rows)

    @operation(kind="transactional")
    async def open_of(self, book_id: BookId) -> tuple[Loan, ...]:
        """Read the loans of one book that are still open, oldest first."""
        rows = await self.session.fetch_all(
            f"SELECT {_LOAN} FROM loan WHERE book_id = ? AND returned_at IS NULL ORDER BY rowid", (book_id,)
        )
        return tuple(_loan(row) for row in rows)

    @operation(kind="transactional")
    async def overdue(self, page: Page) -> Listing[Loan]:
        """Read the open loans that are marked as overdue."""
        wanted = "overdue AND returned_at IS NULL"
        after: tuple[str, ...] = ()
        if page.after is not None:
            wanted += " AND (due_at, id) > (SELECT due_at, id FROM loan WHERE id = ?)"
            after = (page.after,)
        rows = await self.session.fetch_all(
            f"SELECT {_LOAN} FROM loan WHERE {wanted} ORDER BY due_at, id LIMIT ?", (*after, page.size + 1)
        )
        return listing([_loan(row) for row in rows], page)


@frozen
class SqliteLoans(SqliteLoanReads):
    """Keep loans in the table `loan`."""

    session: SqliteSession

    @operation(kind="transactional")
    async def get(self, loan_id: LoanId) -> Result[Loan, LoanUnknown]:
        """Read one loan."""
        row = await self.session.fetch_one(f"SELECT {_LOAN} FROM loan WHERE id = ?", (loan_id,))
        return Failure(LoanUnknown(loan_id)) if row is None else Success(_loan(row))

    @operation(kind="transactional")
    async def save(self, loan: Loan) -> None:
        """Write a loan, new or changed."""
        # Who borrowed which copy, and when, is not touched: that much of a loan never changes.
        await self.session.execute(
            f"INSERT INTO loan ({_LOAN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET due_at = excluded.due_at, returned_at = excluded.returned_at,"
            " overdue = excluded.overdue",
            (
                loan.id,
                loan.patron_id,
                loan.book_id,
                loan.copy,
                _micros(loan.borrowed_at),
                _micros(loan.due_at),
                None if loan.returned_at is None else _micros(loan.returned_at),
                loan.overdue,
            ),
        )


@frozen
class SqliteHoldReads:
    """Read holds from the table `hold`."""

    session: SqliteReadSession | SqliteSession

    @operation(kind="transactional")
    async def of_book(self, book_id: BookId) -> tuple[Hold, ...]:
        """Read the holds of one book in place order."""
        rows = await self.session.fetch_all(f"SELECT {_HOLD} FROM hold WHERE book_id = ? ORDER BY place", (book_id,))
        return tuple(_hold(row) for row in rows)


@frozen
class SqliteHolds(SqliteHoldReads):
    """Keep holds in the table `hold`, as long as they wait."""

    session: SqliteSession

    @operation(kind="transactional")
    async def line(self, book_id: BookId) -> tuple[Waiting, ...]:
        """Read who waits for a book in place order."""
        rows = await self.session.fetch_all(
            f"SELECT {_HOLD}, {_PATRON} FROM hold JOIN patron ON patron.id = hold.patron_id"
            " WHERE book_id = ? ORDER BY place",
            (book_id,),
        )
        return tuple(Waiting(_hold(row[:4]), _patron(row[4:])) for row in rows)

    @operation(kind="transactional")
    async def add(self, hold: Hold) -> None:
        """Keep a new hold."""
        await self.session.execute(
            "INSERT INTO hold (id, patron_id, book_id, place) VALUES (?, ?, ?, ?)",
            (hold.id, hold.patron_id, hold.book_id, hold.place),
        )

    @operation(kind="transactional")
    async def remove(self, hold_id: HoldId) -> bool:
        """Take a hold out of the line; return False if it was not there."""
        return await self.session.fetch_one("DELETE FROM hold WHERE id = ? RETURNING id", (hold_id,)) is not None


@frozen
class SqliteShelfReads:
    """Read shelves from the table `shelf`."""

    session: SqliteReadSession | SqliteSession

    @operation(kind="transactional")
    async def get(self, book_id: BookId) -> Result[Shelf, BookUnknown]:
        """Read the shelf of one book."""
        row = await self.session.fetch_one("SELECT copies FROM shelf WHERE book_id = ?", (book_id,))
        return Failure(BookUnknown(book_id)) if row is None else Success(Shelf(book_id=book_id, copies=row[0]))


@frozen
class SqliteShelves(SqliteShelfReads):
    """Keep shelves in the table `shelf`."""

    session: SqliteSession

    @operation(kind="transactional")
    async def save(self, shelf: Shelf) -> None:
        """Write a shelf, new or changed."""
        await self.session.execute(
            "INSERT INTO shelf (book_id, copies) VALUES (?, ?)"
            " ON CONFLICT (book_id) DO UPDATE SET copies = excluded.copies",
            (shelf.book_id, shelf.copies),
        )


def make_lending(tx: Transaction[SqliteSession], post: Post = silent) -> LendingRuntime:
    """Build what one command of lending may use."""
    return LendingRuntime(
        patrons=SqlitePatrons(tx.session),
        loans=SqliteLoans(tx.session),
        holds=SqliteHolds(tx.session),
        shelves=SqliteShelves(tx.session),
        notifications=post(tx.message.idempotency_key),
        clock=tx.clock,
        ids=tx.ids,
        events=tx.events,
        due=tx.due,
        outbox=tx.outbox,
    )


def make_lending_reads(tx: ReadTransaction[SqliteReadSession]) -> LendingReads:
    """Build what one query of lending may use."""
    return LendingReads(
        patrons=SqlitePatronReads(tx.session),
        loans=SqliteLoanReads(tx.session),
        holds=SqliteHoldReads(tx.session),
        shelves=SqliteShelfReads(tx.session),
    )


def _patron(row: Any) -> Patron:
    id_, name, email, active_loans, blocked = row
    return Patron(id=id_, name=name, email=email, active_loans=active_loans, blocked=bool(blocked))


def _hold(row: Any) -> Hold:
    id_, patron_id, book_id, place = row
    return Hold(id=id_, patron_id=patron_id, book_id=book_id, place=place)


def _loan(row: Any) -> Loan:
    id_, patron_id, book_id, copy, borrowed_at, due_at, returned_at, overdue = row
    return Loan(
        id=id_,
        patron_id=patron_id,
        book_id=book_id,
        copy=copy,
        borrowed_at=_moment(borrowed_at),
        due_at=_moment(due_at),
        returned_at=None if returned_at is None else _moment(returned_at),
        overdue=bool(overdue),
    )


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
