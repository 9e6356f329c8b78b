"""The contract of the example's ports, held by every technology; numbers cite the ports' docstrings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from effect_runtime import Failed, Succeeded, run, run_exit
from library_example.catalog.domain import Book, BookUnknown, Isbn, IsbnTaken, check_digit
from library_example.catalog.ports import CatalogReads, CatalogRuntime
from library_example.contracts import AuthorId, BookId, HoldId, LoanId, PatronId
from library_example.lending.domain import (
    BookUnknown as NotOnShelf,
)
from library_example.lending.domain import (
    EmailTaken,
    Hold,
    Loan,
    LoanUnknown,
    Patron,
    PatronUnknown,
    Shelf,
    Waiting,
)
from library_example.lending.ports import LendingReads, LendingRuntime
from library_example.paging import FIRST_PAGE, PAGE_SIZE, Listing, Page
from tests.library_example.technologies import Shelter, catalog_over, lending_over

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("name", ["memory", "sqlite"])]

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ann = Patron(id=PatronId("ann"), name="Ann", email="ann@example.org")
bob = Patron(id=PatronId("bob"), name="Bob", email="bob@example.org")
dune = Book(id=BookId("dune"), title="Dune", isbn=Isbn("9780441172719"), author=AuthorId("frank-herbert"), total=2)


@pytest.fixture
async def lending(name: str, tmp_path: Path) -> AsyncIterator[Shelter[LendingRuntime, LendingReads]]:
    """Open lending's store."""
    async with lending_over(name, tmp_path).opened() as shelter:
        yield shelter


@pytest.fixture
async def catalog(name: str, tmp_path: Path) -> AsyncIterator[Shelter[CatalogRuntime, CatalogReads]]:
    """Open the catalog's store."""
    async with catalog_over(name, tmp_path).opened() as shelter:
        yield shelter


def loan(id: str, *, copy: int = 1, days: int = 14, returned: bool = False, overdue: bool = False) -> Loan:
    """Build one of Ann's loans of Dune."""
    due = NOON + timedelta(days=days)
    return Loan(
        id=LoanId(id),
        patron_id=ann.id,
        book_id=dune.id,
        copy=copy,
        borrowed_at=NOON,
        due_at=due,
        returned_at=due if returned else None,
        overdue=overdue,
    )


def hold(patron: Patron, *, place: int, book: BookId = dune.id) -> Hold:
    """Build a hold."""
    return Hold(id=HoldId(f"{patron.id} waits for {book}"), patron_id=patron.id, book_id=book, place=place)


def book(number: int, title: str, *, total: int = 1, on_loan: int = 0) -> Book:
    """Build a book of which number, title and counts matter."""
    twelve = f"978{number:09d}"
    return Book(
        id=BookId(f"book-{number}"),
        title=title,
        isbn=Isbn(twelve + check_digit(twelve)),
        author=AuthorId("anonymous"),
        total=total,
        on_loan=on_loan,
    )


async def test_a_patron_is_read_as_it_was_registered(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """What was added is read back equal, in this unit of work and in later reads; nobody else is there."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        assert await run(rt.patrons.get(ann.id)) == ann
        assert await run_exit(rt.patrons.get(PatronId("bob"))) == Failed(PatronUnknown(PatronId("bob")))
    async with lending.reading() as reads:
        assert await run(reads.patrons.get(ann.id)) == ann


async def test_an_email_address_is_registered_once(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """Patrons 1: a second patron of one address is refused and not kept."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        twin = evolve(ann, id=PatronId("ann-2"))
        assert await run_exit(rt.patrons.add(twin)) == Failed(EmailTaken(ann.email))
        assert await run_exit(rt.patrons.get(twin.id)) == Failed(PatronUnknown(twin.id))


async def test_active_loans_are_counted(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """Patrons 2: changes add up."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        for change in (+1, +1, -1):
            await run(rt.patrons.count_loans(ann.id, change))
        assert await run(rt.patrons.get(ann.id)) == evolve(ann, active_loans=1)


async def test_a_block_is_set_and_lifted(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """Only a registered patron can be blocked."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        await run(rt.patrons.block(ann.id, True))
        assert await run(rt.patrons.get(ann.id)) == evolve(ann, blocked=True)
        await run(rt.patrons.block(ann.id, False))
        assert await run(rt.patrons.get(ann.id)) == ann
        assert await run_exit(rt.patrons.block(PatronId("bob"), True)) == Failed(PatronUnknown(PatronId("bob")))


async def test_loans_are_read_oldest_first(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """Closed loans stay with the patron and leave the book; saving again keeps the place in the order."""
    first, second = loan("first"), loan("second", copy=2)
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        await run(rt.loans.save(first))
        await run(rt.loans.save(second))
        assert await run(rt.loans.open_of(dune.id)) == (first, second)
        first = loan("first", returned=True)
        await run(rt.loans.save(first))
        assert await run(rt.loans.get(first.id)) == first
        assert await run_exit(rt.loans.get(LoanId("third"))) == Failed(LoanUnknown(LoanId("third")))
    async with lending.reading() as reads:
        assert await run(reads.loans.of_patron(ann.id)) == (first, second)
        assert await run(reads.loans.open_of(dune.id)) == (second,)


async def test_a_copy_can_be_lent_again_after_its_return(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """Loans 2 forbids two open loans of one copy, not two loans of it."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        await run(rt.loans.save(loan("first", returned=True)))
        await run(rt.loans.save(loan("second")))
        assert await run(rt.loans.open_of(dune.id)) == (loan("second"),)


async def test_overdue_loans_are_listed_until_they_are_returned(
    lending: Shelter[LendingRuntime, LendingReads],
) -> None:
    """LoanReads 1: by due day, then id; a page begins after its loan although that one has come back meanwhile."""
    numbers = range(PAGE_SIZE + 3)
    late = [loan(f"late-{number:02}", copy=number + 1, days=number % 3, overdue=True) for number in numbers]
    expected = tuple(sorted(late, key=lambda one: (one.due_at, one.id)))
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        for one in [*late, loan("in time", copy=90), loan("back", copy=91, returned=True, overdue=True)]:
            await run(rt.loans.save(one))
        first = await run(rt.loans.overdue(FIRST_PAGE))
        assert first == Listing(expected[:PAGE_SIZE], Page(after=expected[PAGE_SIZE - 1].id))
        await run(rt.loans.save(evolve(expected[PAGE_SIZE - 1], returned_at=NOON)))
    async with lending.reading() as reads:
        assert first.next is not None
        assert await run(reads.loans.overdue(first.next)) == Listing(expected[PAGE_SIZE:])
        assert await run(reads.loans.overdue(Page(after="no such loan"))) == Listing(())


async def test_a_loan_is_marked_as_overdue(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """The mark is written to a loan that is there already."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        await run(rt.loans.save(loan("first")))
        await run(rt.loans.save(loan("first", overdue=True)))
        assert await run(rt.loans.get(LoanId("first"))) == loan("first", overdue=True)


async def test_holds_are_read_in_place_order(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """Each book has a line of its own; whoever reads it sees the patrons as they are now."""
    later, sooner, elsewhere = hold(ann, place=7), hold(bob, place=3), hold(ann, place=1, book=BookId("emma"))
    async with lending.writing() as rt:
        for patron in (ann, bob):
            await run(rt.patrons.add(patron))
        for one in (later, sooner, elsewhere):
            await run(rt.holds.add(one))
        await run(rt.patrons.block(bob.id, True))
        line = (Waiting(sooner, evolve(bob, blocked=True)), Waiting(later, ann))
        assert await run(rt.holds.line(dune.id)) == line
    async with lending.reading() as reads:
        assert await run(reads.holds.of_book(dune.id)) == (sooner, later)
        assert await run(reads.holds.of_book(elsewhere.book_id)) == (elsewhere,)


async def test_a_hold_is_removed_once(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """The others stay; a second removal, and one of a hold that never was, say so."""
    first, second = hold(ann, place=1), hold(bob, place=2)
    async with lending.writing() as rt:
        for patron, one in ((ann, first), (bob, second)):
            await run(rt.patrons.add(patron))
            await run(rt.holds.add(one))
        removed = [await run(rt.holds.remove(id)) for id in (first.id, first.id, HoldId("no such hold"))]
        assert removed == [True, False, False]
        assert await run(rt.holds.of_book(dune.id)) == (second,)


async def test_a_shelf_is_replaced(lending: Shelter[LendingRuntime, LendingReads]) -> None:
    """The last word counts; a book nobody spoke of has no shelf."""
    async with lending.writing() as rt:
        await run(rt.shelves.save(Shelf(book_id=dune.id, copies=1)))
        await run(rt.shelves.save(Shelf(book_id=dune.id, copies=0)))
    async with lending.reading() as reads:
        assert await run(reads.shelves.get(dune.id)) == Shelf(book_id=dune.id, copies=0)
        assert await run_exit(reads.shelves.get(BookId("emma"))) == Failed(NotOnShelf(BookId("emma")))


async def test_a_book_is_read_as_it_was_added(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """Counts change, the rest stays; a book nobody added is unknown."""
    async with catalog.writing() as rt:
        assert await run_exit(rt.books.add(dune)) == Succeeded(None)
        await run(rt.books.save_counts(evolve(dune, total=0, on_loan=1)))
        assert await run(rt.books.get(dune.id)) == evolve(dune, total=0, on_loan=1)
    async with catalog.reading() as reads:
        assert await run(reads.books.get(dune.id)) == evolve(dune, total=0, on_loan=1)
        assert await run_exit(reads.books.get(BookId("emma"))) == Failed(BookUnknown(BookId("emma")))


async def test_an_isbn_belongs_to_one_book(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """Books 1: a second book of one ISBN is refused and not kept."""
    async with catalog.writing() as rt:
        await run(rt.books.add(dune))
        twin = evolve(dune, id=BookId("dune-2"), isbn=Isbn("0-441-17271-7"))
        assert await run_exit(rt.books.add(twin)) == Failed(IsbnTaken(dune.isbn))
        assert await run_exit(rt.books.get(twin.id)) == Failed(BookUnknown(twin.id))


async def test_a_search_reads_every_case_and_no_pattern(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """Letters of any script match in any case; signs such as % stand for themselves."""
    strange, plain = book(1, "STRASSE 100%"), book(2, "Ångström")
    async with catalog.writing() as rt:
        await run(rt.books.add(strange))
        await run(rt.books.add(plain))
    async with catalog.reading() as reads:
        for text, found in [
            ("straße", (strange,)),
            ("0%", (strange,)),
            ("%", (strange,)),
            ("_", ()),
            ("åNGST", (plain,)),
            ("Anonym", (strange, plain)),
            (plain.isbn.digits, (plain,)),
            ("", (strange, plain)),
        ]:
            assert await run(reads.books.search(text, FIRST_PAGE)) == Listing(found)


async def test_pages_are_in_the_order_of_titles(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """BookReads 1: title first, then id; each page says which is next; after a book that never was there is nothing."""
    books = [book(number, f"Title {number % 7}") for number in range(9)]
    expected = tuple(sorted(books, key=lambda one: (one.title, one.id)))
    async with catalog.writing() as rt:
        for one in books:
            await run(rt.books.add(one))
    async with catalog.reading() as reads:
        page: Page | None = Page(size=4)
        seen = []
        while page is not None:
            seen.append(await run(reads.books.search("title", page)))
            page = seen[-1].next
        assert await run(reads.books.search("title", Page(after="no such book"))) == Listing(())
        assert await run(reads.books.search("title", Page(size=9))) == Listing(expected)
    assert seen == [
        Listing(expected[:4], Page(after=expected[3].id, size=4)),
        Listing(expected[4:8], Page(after=expected[7].id, size=4)),
        Listing(expected[8:]),
    ]


async def test_a_reader_of_pages_misses_nothing_that_stays(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """BookReads 1: between two pages books come and go, also the one after which the next page begins."""
    first, last, fourth, later = book(1, "B"), book(2, "C"), book(3, "D"), book(4, "E")
    async with catalog.writing() as rt:
        for one in (first, last, fourth, later):
            await run(rt.books.add(one))
        seen = await run(rt.books.available(Page(size=2)))
        assert seen == Listing((first, last), Page(after=last.id, size=2))
        await run(rt.books.add(book(5, "A")))
        await run(rt.books.save_counts(evolve(last, on_loan=1)))
    async with catalog.reading() as reads:
        assert seen.next is not None
        assert await run(reads.books.available(seen.next)) == Listing((fourth, later))


async def test_available_and_overlent_books_are_told_apart(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """A book whose copies are all out is neither."""
    free, full, over = book(1, "A", total=2, on_loan=1), book(2, "B", on_loan=1), book(3, "C", on_loan=2)
    async with catalog.writing() as rt:
        for one in (free, full, over):
            await run(rt.books.add(one))
    async with catalog.reading() as reads:
        assert await run(reads.books.available(FIRST_PAGE)) == Listing((free,))
        assert await run(reads.books.overlent(FIRST_PAGE)) == Listing((over,))
