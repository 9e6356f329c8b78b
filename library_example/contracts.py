"""What the two contexts share, and all they share: typed ids, topics and integration events.

Each event is owned by the context that publishes its topic. Knows neither context.
"""

from __future__ import annotations

from datetime import datetime
from typing import NewType

from attrs import frozen

from effect_runtime import Topic, integration_event
from effect_runtime.integration import Envelope, Payload, upcaster

BookId = NewType("BookId", str)
AuthorId = NewType("AuthorId", str)
PatronId = NewType("PatronId", str)
LoanId = NewType("LoanId", str)
HoldId = NewType("HoldId", str)


class LendingEvents(Topic, name="lending"):
    """What lending tells the world."""

    # attrs makes slotted events: a base without slots would give each a dictionary all the same.
    __slots__ = ()


class CatalogEvents(Topic, name="catalog"):
    """What the catalog tells the world."""

    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", version=2, key="book_id")
class BookBorrowed(LendingEvents):
    """A copy has left the house. Version 1 named neither the loan nor the moment."""

    book_id: BookId
    patron_id: PatronId
    loan_id: LoanId | None
    occurred_at: datetime


@frozen
@integration_event("lending.book-returned", version=2, key="book_id")
class BookReturned(LendingEvents):
    """A copy is back. Version 1 named neither the loan nor the moment."""

    book_id: BookId
    patron_id: PatronId
    loan_id: LoanId | None
    occurred_at: datetime


@frozen
@integration_event("lending.hold-placed", key="book_id")
class HoldPlaced(LendingEvents):
    """A patron waits for a copy, in the line of this book."""

    book_id: BookId
    patron_id: PatronId
    hold_id: HoldId
    occurred_at: datetime


@upcaster(BookBorrowed, version=1)
@upcaster(BookReturned, version=1)
def name_loan_and_moment(payload: Payload, envelope: Envelope) -> Payload:
    """Read version 1: nobody knows the loan any more, and the envelope knows the moment."""
    return {**payload, "loan_id": None, "occurred_at": envelope.time.isoformat()}


@frozen
@integration_event("catalog.book-added", key="book_id")
class BookAdded(CatalogEvents):
    """A book is in the catalog, with so many copies."""

    book_id: BookId
    copies: int
    occurred_at: datetime


@frozen
@integration_event("catalog.copies-changed", key="book_id")
class CopiesChanged(CatalogEvents):
    """A book has so many copies from now on."""

    book_id: BookId
    copies: int
    occurred_at: datetime
