"""The contract of the example's ports, held by every technology; numbers cite the ports' docstrings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from effect_runtime import Failed, Succeeded, run, run_exit
from library_example.catalog.domain import Book, BookUnknown, Isbn, IsbnTaken, check_digit
from library_example.catalog.ports import PAGE_SIZE, CatalogReads, CatalogRuntime
from library_example.contracts import AuthorId, BookId, LoanId, PatronId
from library_example.lending.domain import (
    BookUnknown as NotOnShelf,
)
from library_example.lending.domain import (
    EmailTaken,
    Loan,
    LoanUnknown,
    Patron,
    PatronUnknown,
    Shelf,
)
from library_example.lending.ports import LendingReads, LendingRuntime
from tests.library_example.technologies import Shelter, catalog_over, lending_over

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("name", ["memory", "sqlite"])]

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ann = Patron(id=PatronId("ann"), name="Ann", email="ann@example.org")
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


def loan(id: str, *, copy: int = 1, returned: bool = False) -> Loan:
    """Build one of Ann's loans of Dune."""
    due = NOON + timedelta(days=14)
    return Loan(
        id=LoanId(id),
        patron_id=ann.id,
        book_id=dune.id,
        copy=copy,
        borrowed_at=NOON,
        due_at=due,
        returned_at=due if returned else None,
    )


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
    """Loans 1 forbids two open loans of one copy, not two loans of it."""
    async with lending.writing() as rt:
        await run(rt.patrons.add(ann))
        await run(rt.loans.save(loan("first", returned=True)))
        await run(rt.loans.save(loan("second")))
        assert await run(rt.loans.open_of(dune.id)) == (loan("second"),)


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
            assert await run(reads.books.search(text, page=1)) == found


async def test_pages_are_in_the_order_of_titles(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """BookReads 1: pages of fixed size, title first, then id; past the end they are empty."""
    books = [book(number, f"Title {number % 7}") for number in range(PAGE_SIZE + 3)]
    expected = sorted(books, key=lambda one: (one.title, one.id))
    async with catalog.writing() as rt:
        for one in books:
            await run(rt.books.add(one))
    async with catalog.reading() as reads:
        pages = [await run(reads.books.search("title", page=page)) for page in (1, 2, 3)]
    assert pages == [tuple(expected[:PAGE_SIZE]), tuple(expected[PAGE_SIZE:]), ()]


async def test_available_and_overlent_books_are_told_apart(catalog: Shelter[CatalogRuntime, CatalogReads]) -> None:
    """A book whose copies are all out is neither."""
    free, full, over = book(1, "A", total=2, on_loan=1), book(2, "B", on_loan=1), book(3, "C", on_loan=2)
    async with catalog.writing() as rt:
        for one in (free, full, over):
            await run(rt.books.add(one))
    async with catalog.reading() as reads:
        assert await run(reads.books.available(page=1)) == (free,)
        assert await run(reads.books.overlent(page=1)) == (over,)
