"""What lending does later: notices after the commit, and a look at each loan on its due day, on a clock of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint
from attrs import evolve, frozen
from returns.result import Failure

from effect_runtime import App, Failed, Forbidden, Principal, operation
from effect_runtime.dispatch import AgendaEntry
from effect_runtime.interpreter import stub
from library_example.app import library, library_in_memory
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, ChangeCopies, add_book, change_copies
from library_example.contracts import AuthorId, BookId, LoanId, PatronId
from library_example.lending.domain import Loan, Notice, Undeliverable
from library_example.lending.handlers import (
    BorrowBook,
    GetOverdueLoans,
    GetPatronLoans,
    MarkOverdue,
    PlaceHold,
    RegisterPatron,
    ReturnBook,
    borrow_book,
    get_overdue_loans,
    get_patron_loans,
    mark_overdue,
    place_hold,
    register_patron,
    return_book,
)
from library_example.lending.memory import Postbox
from library_example.lending.ports import Notifications
from library_example.paging import Listing, Page
from tests.outbox.world import TurnedTime, steps, turned_host

pytestmark = pytest.mark.anyio

STAFF = Principal("desk", roles=frozenset({"staff"}))
FORTNIGHT = timedelta(days=14)
PATIENCE = 60
"""Seconds after which what was waited for is taken never to come."""


@frozen
class House:
    """A running library, its clock and its postbox."""

    app: App
    time: TurnedTime
    postbox: Postbox

    async def pass_(self, duration: timedelta) -> None:
        """Let time pass, and whatever is due then."""
        await steps(100)  # whoever has found nothing to do goes to sleep first: on the clock that is turned
        self.time.turn(duration)
        with fail_after(PATIENCE):
            while any(self.is_at_hand(entry) for entry in await self.app.agenda.list(limit=1000)):
                await checkpoint()
            await self.app.settled()

    def is_at_hand(self, entry: AgendaEntry) -> bool:
        """Tell whether something on the agenda is due, or being done."""
        return entry.is_lent or (entry.due is not None and entry.due <= self.time.now())

    async def book(self, *, copies: int) -> BookId:
        """Add a book and wait until lending knows it."""
        added = AddBook(title="Dune", isbn=Isbn("9780441172719"), author=AuthorId("frank-herbert"), copies=copies)
        book = await self.app.run(add_book(added), principal=STAFF)
        await self.app.settled()
        return book

    async def patron(self, name: str) -> PatronId:
        """Register a patron."""
        return await self.app.run(register_patron(RegisterPatron(name, f"{name}@example.org")))

    async def loan(self, loan_id: LoanId, patron: PatronId) -> Loan:
        """Read one loan of a patron."""
        seen = await self.app.run(get_patron_loans(GetPatronLoans(patron)))
        return next(loan for loan in seen.loans if loan.id == loan_id)

    async def overdue(self, page: Page | None = None) -> Listing[Loan]:
        """Read a page of overdue loans."""
        query = GetOverdueLoans() if page is None else GetOverdueLoans(page)
        return await self.app.run(get_overdue_loans(query), principal=STAFF)


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Run the library."""
    host, time = turned_host()
    postbox = Postbox()
    if request.param == "sqlite":
        app = library(tmp_path, post=postbox, host=host)
    else:
        app = library_in_memory(post=postbox, host=host)
    async with app.running():
        yield House(app, time, postbox)


async def test_who_gets_a_copy_by_a_hold_is_told_once(house: House) -> None:
    """One notice for one hold, after the commit of the return; who borrows at the desk needs none."""
    book = await house.book(copies=1)
    ann, bob = await house.patron("ann"), await house.patron("bob")
    loan = await house.app.run(borrow_book(BorrowBook(ann, book)))
    await house.app.run(place_hold(PlaceHold(bob, book)))
    await house.app.settled()
    assert house.postbox.notices == {}
    await house.app.run(return_book(ReturnBook(loan)))
    await house.app.settled()
    (due,) = [one.due_at for one in (await house.app.run(get_patron_loans(GetPatronLoans(bob)))).loans]
    text = f"Your copy of {book} is at the desk, and yours until {due:%Y-%m-%d}."
    assert list(house.postbox.notices.values()) == [Notice("bob@example.org", "The book you waited for", text)]


async def test_a_loan_becomes_overdue_on_its_due_day(house: House) -> None:
    """Not a moment sooner; it is listed, and the patron is reminded once."""
    book = await house.book(copies=1)
    ann = await house.patron("ann")
    loan = await house.loan(await house.app.run(borrow_book(BorrowBook(ann, book))), ann)
    await house.pass_(FORTNIGHT - timedelta(seconds=1))
    assert (await house.overdue(), house.postbox.notices) == (Listing(()), {})
    await house.pass_(timedelta(seconds=1))
    await house.pass_(FORTNIGHT)
    late = evolve(loan, overdue=True)
    assert await house.overdue() == Listing((late,))
    text = f"Your copy of {book} was due on {loan.due_at:%Y-%m-%d}. Please bring it back."
    assert list(house.postbox.notices.values()) == [Notice("ann@example.org", "A book is overdue", text)]
    await house.app.run(return_book(ReturnBook(loan.id)))
    assert await house.overdue() == Listing(())
    assert await house.loan(loan.id, ann) == evolve(late, returned_at=house.time.now())


async def test_a_loan_that_is_back_is_never_overdue(house: House) -> None:
    """The look on the due day comes all the same, and finds nothing to do."""
    book = await house.book(copies=1)
    ann = await house.patron("ann")
    loan = await house.app.run(borrow_book(BorrowBook(ann, book)))
    await house.app.run(return_book(ReturnBook(loan)))
    before = await house.loan(loan, ann)
    await house.pass_(FORTNIGHT)
    assert (await house.loan(loan, ann), house.postbox.notices) == (before, {})
    assert await house.app.agenda.list() == ()


async def test_every_loan_is_looked_at_not_the_first_page(house: House) -> None:
    """Of more loans than two pages hold, each becomes overdue on its own due day, and each patron is reminded once."""
    book = await house.book(copies=45)
    patrons = [await house.patron(f"patron-{number:02}") for number in range(45)]
    days = [1 + number % 2 for number in range(45)]
    loans = [
        await house.app.run(borrow_book(BorrowBook(patron, book, each)))
        for patron, each in zip(patrons, days, strict=True)
    ]
    await house.pass_(timedelta(days=1))
    first = [loan for loan, each in zip(loans, days, strict=True) if each == 1]
    assert {loan.id for loan in (await house.overdue(Page(size=100))).entries} == set(first)
    await house.pass_(timedelta(days=1))
    seen: list[LoanId] = []
    page: Page | None = Page()
    while page is not None:
        listing = await house.overdue(page)
        seen += [loan.id for loan in listing.entries]
        page = listing.next
    assert (len(seen), set(seen)) == (45, set(loans))
    assert {notice.to for notice in house.postbox.notices.values()} == {f"patron-{n:02}@example.org" for n in range(45)}
    assert len(house.postbox.notices) == 45


async def test_loans_that_holds_began_become_overdue_like_others(house: House) -> None:
    """A copy that new stock gave to the line is due a fortnight later."""
    book = await house.book(copies=0)
    ann = await house.patron("ann")
    await house.app.run(place_hold(PlaceHold(ann, book)))
    await house.app.run(change_copies(ChangeCopies(book, 1)), principal=STAFF)
    await house.app.settled()
    (loan,) = (await house.app.run(get_patron_loans(GetPatronLoans(ann)))).loans
    await house.pass_(FORTNIGHT)
    assert await house.overdue() == Listing((evolve(loan, overdue=True),))


async def test_only_the_library_itself_marks_loans(house: House) -> None:
    """The command of the due day is internal, and the list of overdue loans is the staff's."""
    marked = await house.app.run_exit(mark_overdue(MarkOverdue(LoanId("loan"))), principal=STAFF)
    assert isinstance(marked, Failed)
    assert isinstance(marked.error, Forbidden)
    listed = await house.app.run_exit(get_overdue_loans(GetOverdueLoans()), principal=Principal("ann"))
    assert isinstance(listed, Failed)
    assert isinstance(listed.error, Forbidden)


@frozen
class CutLine:
    """Notifications that reach their postbox, and lose the line before they can say so, the first time."""

    postbox: Postbox
    keys: list[str]
    key: str

    @operation(kind="external", idempotent=True)
    async def send(self, notice: Notice) -> None:
        """Hand a notice over."""
        self.postbox.notices.setdefault(self.key, notice)
        self.keys.append(self.key)
        if len(self.keys) == 1:
            raise ConnectionError("the line is cut")


async def test_a_notice_is_sent_again_under_the_same_key(tmp_path: Path) -> None:
    """The post has taken the notice and could not say so: it gets it again, knows the key; the patron hears once."""
    host, time = turned_host()
    postbox, keys = Postbox(), list[str]()
    app = library(tmp_path, post=partial(CutLine, postbox, keys), host=host)
    async with app.running():
        house = House(app, time, postbox)
        book = await house.book(copies=0)
        ann = await house.patron("ann")
        await app.run(place_hold(PlaceHold(ann, book)))
        await app.run(change_copies(ChangeCopies(book, 1)), principal=STAFF)
        await app.settled()
    assert [notice.to for notice in postbox.notices.values()] == ["ann@example.org"]
    assert keys == [*postbox.notices] * 2


async def test_a_refused_notice_is_a_dead_letter_at_once(tmp_path: Path) -> None:
    """An address that does not exist is tried once; the loan stands, and the letter says why."""
    refused = stub({Notifications.send: lambda notice: Failure(Undeliverable(notice.to, "550 no such user"))})
    app = library(tmp_path, interceptors=[refused], host=turned_host()[0])
    async with app.running():
        house = House(app, TurnedTime(), Postbox())
        book = await house.book(copies=0)
        ann = await house.patron("ann")
        await app.run(place_hold(PlaceHold(ann, book)))
        await app.run(change_copies(ChangeCopies(book, 1)), principal=STAFF)
        await app.settled()
        (letter,) = await app.dead_letters.list()
        assert (letter.destination, letter.attempts) == ("lending.tell_good_news", 1)
        assert "550 no such user" in letter.cause
        assert (await app.run(get_patron_loans(GetPatronLoans(ann)))).patron.active_loans == 1


async def test_notices_survive_the_process(tmp_path: Path) -> None:
    """A process that does not work on its agenda commits a notice; the next one on the same file sends it."""
    host, time = turned_host()
    postbox = Postbox()
    app = library(tmp_path, post=postbox, host=host)
    async with app.running(agenda=False):
        house = House(app, time, postbox)
        book = await house.book(copies=0)
        ann = await house.patron("ann")
        await app.run(place_hold(PlaceHold(ann, book)))
        await app.run(change_copies(ChangeCopies(book, 1)), principal=STAFF)
        await app.settled()
        assert postbox.notices == {}
    async with app.running():
        await app.settled()
    assert [notice.to for notice in postbox.notices.values()] == ["ann@example.org"]
