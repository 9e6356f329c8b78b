"""What a domain event class declares about its handlers, and what its name should say."""

from __future__ import annotations

import pickle
from typing import Any, Generic, Never, TypeVar

import pytest
from attrs import frozen

from effect_runtime.errors import EventNameWarning
from effect_runtime.events import DomainEvent, declared_failures

F = TypeVar("F")


@frozen
class HoldOrderBroken:
    """One failure."""

    book: int


@frozen
class ShelfFull:
    """Another failure."""

    shelf: int


@frozen
class BookBorrowedOccurred(DomainEvent):
    """Declares nothing."""

    book: int


@frozen
class BookReturnedOccurred(DomainEvent[HoldOrderBroken]):
    """Declares one failure."""

    book: int


@frozen
class BookShelvedOccurred(DomainEvent[HoldOrderBroken | ShelfFull]):
    """Declares two failures."""

    book: int


@frozen
class BookForgottenOccurred(DomainEvent["LateDefined"]):
    """Names a failure that its module defines later."""

    book: int


@frozen
class LateDefined:
    """A failure that is defined after its event."""

    book: int


@frozen
class MovedOccurred(DomainEvent[F], Generic[F]):
    """Leaves the failure to its subclasses."""

    book: int


@frozen
class BookMovedOccurred(MovedOccurred[ShelfFull]):
    """Binds the failure of its generic base."""


@frozen
class BookMovedAgainOccurred(BookMovedOccurred):
    """Inherits a declaration."""


@frozen
class EitherMovedOccurred(DomainEvent[F | HoldOrderBroken], Generic[F]):
    """Adds to the failure of its subclasses."""


@frozen
class ShelfMovedOccurred(EitherMovedOccurred[ShelfFull]):
    """Binds one member of a union."""


@frozen(slots=False)
class BookLostOccurred(DomainEvent[ShelfFull]):
    """Has no slots."""

    book: int


@pytest.mark.parametrize(
    ("event", "declared"),
    [
        (BookBorrowedOccurred, Never),
        (BookReturnedOccurred, HoldOrderBroken),
        (BookShelvedOccurred, HoldOrderBroken | ShelfFull),
        (BookForgottenOccurred, LateDefined),
        (MovedOccurred, Never),
        (BookMovedOccurred, ShelfFull),
        (BookMovedAgainOccurred, ShelfFull),
        (ShelfMovedOccurred, ShelfFull | HoldOrderBroken),
        (BookLostOccurred, ShelfFull),
    ],
)
def test_an_event_declares_what_its_handlers_may_fail_with(event: type[DomainEvent[Any]], declared: Any) -> None:
    """The failures are read off the bases: bare, by name, through generic bases and through inheritance."""
    assert declared_failures(event) == declared


def test_a_failure_that_nothing_defines_is_a_name_error() -> None:
    """A misspelled failure is no silent `Never`."""

    @frozen
    class BookVanishedOccurred(DomainEvent["Misspelled"]):  # type: ignore[name-defined]  # the point
        book: int

    with pytest.raises(NameError, match="Misspelled"):
        declared_failures(BookVanishedOccurred)


def test_a_domain_event_has_slots_and_no_dict() -> None:
    """`DomainEvent` has empty slots, so attrs events stay small and refuse stray attributes."""
    assert not hasattr(BookReturnedOccurred(1), "__dict__")


def test_a_domain_event_is_a_plain_value() -> None:
    """It compares, hashes and copies by its fields."""
    event = BookReturnedOccurred(7)
    assert (event, hash(event)) == (BookReturnedOccurred(7), hash(BookReturnedOccurred(7)))
    assert pickle.loads(pickle.dumps(event)) == event


def test_a_name_that_does_not_say_occurred_is_warned_of() -> None:
    """The name of a domain event tells that something has happened."""
    with pytest.warns(EventNameWarning) as warned:

        @frozen
        class BookReturn(DomainEvent):
            book: int

    (warning,) = warned
    assert isinstance(warning.message, EventNameWarning)
    assert warning.message.ending == "Occurred"
    assert str(warning.message).endswith("BookReturn does not end in 'Occurred'. Rename it: ...Occurred.")
