"""Contracts that the tests of this chapter share: one topic, every kind of field, and an event with a history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Literal, NewType
from uuid import UUID

from attrs import field, frozen, validators
from typing_extensions import TypeAliasType

from effect_runtime.integration import (
    Envelope,
    Payload,
    Topic,
    integration_event,
    upcaster,
    value_record,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

BookId = NewType("BookId", UUID)
ShelfNumber = NewType("ShelfNumber", int)
Remark = TypeAliasType("Remark", str | None)


@frozen
class LoanId:
    """A typed id: a value class of one field."""

    value: UUID


@frozen
class Isbn:
    """A typed id with a rule."""

    text: str = field(validator=validators.min_len(10))


class Condition(Enum):
    """Text values."""

    GOOD = "good"
    WORN = "worn"


class Floor(IntEnum):
    """Number values."""

    GROUND = 0
    FIRST = 1


@value_record
@frozen
class Fee:
    """A nested value, opted in."""

    amount: Decimal
    currency: str = field(default="EUR", validator=validators.max_len(3))


@value_record
@frozen
class Receipt:
    """A nested value that nests another one."""

    fee: Fee
    lines: tuple[str, ...] = ()


class LendingEvents(Topic, name="lending"):
    """What lending tells."""

    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", version=3, key="book_id", formerly=["lending.book-lent"])
class BookBorrowed(LendingEvents):
    """Version 1 had `book` alone, version 2 `book_id` and `patron`; the key came with version 2."""

    book_id: BookId
    patron: int
    loan_id: LoanId | None
    occurred_at: datetime


@upcaster(BookBorrowed, version=1)
def _rename_book(payload: Payload, envelope: Envelope) -> Payload:
    return {"book_id": payload["book"], "patron": 0}


@upcaster(BookBorrowed, version=2)
def _add_loan_and_time(payload: Payload, envelope: Envelope) -> Payload:
    return {**payload, "loan_id": None, "occurred_at": envelope.time}


@frozen
@integration_event("lending.everything-told", key="shelf")
class EverythingTold(LendingEvents):
    """One field of every flat kind."""

    text: str
    number: int
    ratio: float
    flag: bool
    price: Decimal
    moment: datetime
    day: date
    id: UUID
    raw: bytes
    condition: Condition
    floor: Floor
    choice: Literal["a", 1, True]
    book_id: BookId
    shelf: ShelfNumber
    loan_id: LoanId
    remark: Remark
    note: Annotated[str, "free text"]
    maybe: UUID | None
    numbers: tuple[int, ...]
    maybes: tuple[LoanId | None, ...]
    pair: tuple[str, Condition]
    fee: Fee
    receipts: tuple[Receipt, ...]
    isbn: Isbn = Isbn("0123456789")


@frozen
@integration_event("lending.library-opened")
class LibraryOpened(LendingEvents):
    """Has no field and no key."""
