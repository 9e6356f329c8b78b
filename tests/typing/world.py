"""The small world of the typing probes: failures, ports, runtimes, events and one context. Never run."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, TypeAlias

from attrs import frozen

from effect_runtime import A, Context, Do, DomainEvent, E, Eff, Events, Outbox, Topic, integration_event
from effect_runtime.dispatch import Due


@frozen
class PatronUnknown:
    """Failure."""

    patron: int


@frozen
class LoanLimitReached:
    """Failure."""

    patron: int


@frozen
class BookUnknown:
    """Failure."""

    book: int


@frozen
class HoldOrderBroken:
    """Failure of a domain event's handler."""

    book: int


@frozen
class Patron:
    """Entity."""

    id: int
    loans: int


@frozen
class Lent(DomainEvent):
    """Domain event whose handlers may not fail."""

    book: int


@frozen
class Returned(DomainEvent[HoldOrderBroken]):
    """Domain event whose handlers may veto."""

    book: int


class LendingEvents(Topic, name="lending"):
    """Topic of this context."""

    __slots__ = ()


class CatalogEvents(Topic, name="catalog"):
    """Topic of another context."""

    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", key="book")
class BookBorrowed(LendingEvents):
    """Integration event of this context."""

    book: int


@frozen
@integration_event("catalog.book-added", key="book")
class BookAdded(CatalogEvents):
    """Integration event of another context."""

    book: int


class Patrons(Protocol):
    """Port."""

    def get(self, id: int) -> Eff[Patron, PatronUnknown]:
        """Find one."""
        ...

    def save(self, patron: Patron, *, force: bool = False) -> Eff[None]:
        """Keep one."""
        ...


class Books(Protocol):
    """Port."""

    def shelf(self, book: int) -> Eff[int, BookUnknown]:
        """Count copies."""
        ...


class Clock(Protocol):
    """Port."""

    def now(self) -> Eff[datetime]:
        """Tell the time."""
        ...


class HasPatrons(Protocol):
    """Capability."""

    @property
    def patrons(self) -> Patrons:
        """Give the port."""
        ...


class HasBooks(Protocol):
    """Capability."""

    @property
    def books(self) -> Books:
        """Give the port."""
        ...


@frozen
class LendingRuntime:
    """Runtime of commands."""

    patrons: Patrons
    books: Books
    events: Events
    outbox: Outbox[LendingEvents]
    due: Due


@frozen
class LendingReads:
    """Runtime of queries."""

    patrons: Patrons


@frozen
class SilentRuntime:
    """Runtime without an outbox."""

    patrons: Patrons
    events: Events


lending = Context("lending", LendingRuntime, reads=LendingReads, publishes=[LendingEvents])
Lending: TypeAlias = Do[A, E, LendingRuntime]


@frozen
class Borrow:
    """Command."""

    patron: int
    book: int
