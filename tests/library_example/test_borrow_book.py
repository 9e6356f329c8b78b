"""The bare body of one command, without an app and without a database: how a handler of yours is unit-tested."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from attrs import field, frozen
from returns.result import Success

from effect_runtime import Eff, Events, Failed, Outbox, Succeeded, operation, run_exit, succeed
from effect_runtime.dispatch import Due, DueId
from effect_runtime.effect import Died
from effect_runtime.errors import DryRun
from effect_runtime.interpreter import Recorded, dry_run, live, record, stub
from library_example.contracts import BookBorrowed, BookId, LendingEvents, LoanId, PatronId
from library_example.lending.domain import (
    BookBorrowedOccurred,
    BookUnknown,
    Loan,
    NoCopyAvailable,
    Patron,
    PatronUnknown,
    Shelf,
)
from library_example.lending.handlers import BorrowBook, MarkOverdue, borrow_book
from library_example.lending.memory import MemoryHolds, MemoryLoans, MemoryPatrons, MemoryShelves
from library_example.lending.ports import Holds, LendingRuntime, Loans, Patrons, Shelves
from library_example.lending.post import Silence

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = UUID(int=7)
ann = Patron(id=PatronId("ann"), name="Ann", email="ann@example.org")
dune = BookId("dune")
granted = Loan(
    id=LoanId(str(NUMBER)),
    patron_id=ann.id,
    book_id=dune,
    copy=1,
    borrowed_at=NOON,
    due_at=NOON + timedelta(days=14),
)


@frozen
class Noon:
    """A clock that stands still."""

    def now(self) -> Eff[datetime]:
        """Yield noon."""
        return succeed(NOON)

    def sleep(self, duration: timedelta) -> Eff[None]:
        """Go on at once."""
        return succeed(None)


@frozen
class Seven:
    """Ids of which there is one."""

    def uuid(self) -> Eff[UUID]:
        """Yield seven."""
        return succeed(NUMBER)


@frozen
class Calendar:
    """Due commands on a list."""

    entries: list[tuple[object, object]] = field(factory=list)

    @operation(kind="transactional")
    async def send_later(self, command: object, due: datetime | timedelta) -> DueId:
        """Write a command down."""
        self.entries.append((command, due))
        return DueId(f"due-{len(self.entries)}")

    @operation(kind="transactional")
    async def cancel_due(self, id: DueId) -> bool:
        """Find nothing."""
        return False

    @operation(kind="transactional")
    async def reschedule_due(self, id: DueId, due: datetime | timedelta) -> bool:
        """Find nothing."""
        return False


def desk(*, copies: int = 1, loans: tuple[Loan, ...] = (), calendar: Calendar | None = None) -> LendingRuntime:
    """Build a runtime over plain dictionaries, in which Ann is known and Dune is on the shelf."""
    return LendingRuntime(
        patrons=MemoryPatrons({ann.id: ann}, {ann.email: ann.id}),
        loans=MemoryLoans({loan.id: loan for loan in loans}),
        holds=MemoryHolds({}, {}),
        shelves=MemoryShelves({dune: Shelf(book_id=dune, copies=copies)}),
        notifications=Silence(),
        clock=Noon(),
        ids=Seven(),
        events=Events(),
        due=calendar or Calendar(),
        outbox=Outbox[LendingEvents](),
    )


async def test_a_borrow_saves_the_loan_and_tells_both_sides() -> None:
    """The loan is written, and looked at again when due; a domain event waits for its handlers, a contract to leave."""
    calendar = Calendar()
    rt = desk(calendar=calendar)
    assert await run_exit(borrow_book.program(BorrowBook(ann.id, dune)), rt) == Succeeded(granted.id)
    assert await run_exit(rt.loans.open_of(dune), rt) == Succeeded((granted,))
    assert tuple(rt.events) == (BookBorrowedOccurred(granted),)
    assert tuple(rt.outbox) == (BookBorrowed(dune, ann.id, granted.id, NOON),)
    assert calendar.entries == [(MarkOverdue(granted.id), granted.due_at)]


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (BorrowBook(PatronId("bob"), dune), PatronUnknown(PatronId("bob"))),
        (BorrowBook(ann.id, BookId("emma")), BookUnknown(BookId("emma"))),
        (BorrowBook(ann.id, dune), NoCopyAvailable(dune, None)),
    ],
)
async def test_a_refused_borrow_writes_and_tells_nothing(command: BorrowBook, refusal: object) -> None:
    """A typed failure is all that is left of it."""
    rt = desk(copies=0)
    assert await run_exit(borrow_book.program(command), rt) == Failed(refusal)
    assert await run_exit(rt.loans.of_patron(ann.id), rt) == Succeeded(())
    assert (tuple(rt.events), tuple(rt.outbox)) == ((), ())


async def test_every_step_of_a_borrow_can_be_read() -> None:
    """Recorded, the body is a list of calls on its ports."""
    log: list[Recorded] = []
    await live.with_interceptors(record(log)).run(borrow_book.program(BorrowBook(ann.id, dune)), desk())
    assert [step.place for step in log] == [
        "Patrons.get",
        "Shelves.get",
        "Loans.open_of",
        "Holds.line",
        "Loans.save",
        "Due.send_later",
        "Events.add",
        "Outbox.add",
    ]


async def test_a_dry_run_answers_from_stubs_and_writes_nothing() -> None:
    """What no stub answers is refused by name; what is answered leads to the same loan."""
    rt, command = desk(copies=0), BorrowBook(ann.id, dune)
    nothing = await dry_run.run_exit(borrow_book.program(command), rt)
    assert isinstance(nothing, Died)
    assert isinstance(nothing.exception, DryRun)
    assert "Patrons.get" in str(nothing.exception)
    saved: list[Loan] = []
    stubs = stub(
        {
            Patrons.get: lambda _: Success(ann),
            Shelves.get: lambda _: Success(Shelf(book_id=dune, copies=1)),
            Loans.open_of: lambda _: (),
            Holds.line: lambda _: (),
            Loans.save: saved.append,
            Due.send_later: lambda command, due: DueId("later"),
        }
    )
    assert await dry_run.with_interceptors(stubs).run_exit(borrow_book.program(command), rt) == Succeeded(granted.id)
    assert saved == [granted]
    assert await run_exit(rt.loans.of_patron(ann.id), rt) == Succeeded(())
