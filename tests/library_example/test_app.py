"""Both contexts in one app: what only shows when they work together, over both technologies and on both loops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from anyio import create_task_group
from attrs import evolve

from effect_runtime import App, Eff, Failed, Forbidden, Invalid, Principal, Succeeded
from effect_runtime.integration import FieldError
from effect_runtime.interpreter import stub
from library_example.app import library, library_in_memory
from library_example.catalog.domain import Book, Isbn, check_digit
from library_example.catalog.handlers import (
    AddBook,
    ChangeCopies,
    GetAvailableBooks,
    GetBook,
    GetOverlentBooks,
    SearchBooks,
    add_book,
    change_copies,
    get_available_books,
    get_book,
    get_overlent_books,
    search_books,
)
from library_example.contracts import AuthorId, BookId, HoldId, LoanId, PatronId
from library_example.lending.domain import (
    Hold,
    HoldOrderBroken,
    LoanLimitReached,
    NoCopyAvailable,
    PatronBlocked,
    Waiting,
)
from library_example.lending.handlers import (
    BlockPatron,
    BorrowBook,
    GetHolds,
    GetPatronLoans,
    GetShelf,
    PlaceHold,
    RegisterPatron,
    ReturnBook,
    block_patron,
    borrow_book,
    get_holds,
    get_patron_loans,
    get_shelf,
    place_hold,
    register_patron,
    return_book,
)
from library_example.lending.ports import Holds
from library_example.paging import Listing, Page

pytestmark = pytest.mark.anyio

STAFF = Principal("desk", roles=frozenset({"staff"}))


@pytest.fixture(params=["memory", "sqlite"])
async def app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[App]:
    """Run the library."""
    described = library(tmp_path) if request.param == "sqlite" else library_in_memory()
    async with described.running():
        yield described


async def added(app: App, *, copies: int, number: int = 0) -> BookId:
    """Add a book and wait until lending knows it."""
    twelve = f"978{number:09d}"
    isbn = Isbn(twelve + check_digit(twelve))
    command = AddBook(title=f"Book {number}", isbn=isbn, author=AuthorId("anonymous"), copies=copies)
    book = await app.run(add_book(command), principal=STAFF)
    await app.settled()
    return book


async def registered(app: App, name: str) -> PatronId:
    """Register a patron."""
    return await app.run(register_patron(RegisterPatron(name, f"{name}@example.org")))


async def all_at_once(app: App, effects: list[Eff[Any, Any, Any]]) -> list[object]:
    """Send commands concurrently, and return their exits in order."""
    exits: list[object] = [None] * len(effects)

    async def send(place: int, effect: Eff[Any, Any, Any]) -> None:
        exits[place] = await app.run_exit(effect)

    async with create_task_group() as tasks:
        for place, effect in enumerate(effects):
            tasks.start_soon(send, place, effect)
    return exits


async def test_a_crowd_gets_as_many_copies_as_there_are(app: App) -> None:
    """Of twelve patrons at once exactly three get one of three copies, each another; the rest is refused."""
    book = await added(app, copies=3)
    crowd = [await registered(app, f"patron-{number}") for number in range(12)]
    exits = await all_at_once(app, [borrow_book(BorrowBook(patron, book)) for patron in crowd])
    refused = [exit for exit in exits if isinstance(exit, Failed)]
    assert len(refused) == 9
    assert {type(exit.error) for exit in refused} == {NoCopyAvailable}
    out = (await app.run(get_shelf(GetShelf(book)))).out
    assert {loan.copy for loan in out} == {1, 2, 3}
    assert {Succeeded(loan.id) for loan in out} == {exit for exit in exits if isinstance(exit, Succeeded)}
    await app.settled()
    assert (await app.run(get_book(GetBook(book)))).on_loan == 3


async def test_a_greedy_patron_gets_five_books(app: App) -> None:
    """Of eight books asked for at once exactly five are lent, and the count says so."""
    books = [await added(app, copies=1, number=number) for number in range(8)]
    ann = await registered(app, "ann")
    exits = await all_at_once(app, [borrow_book(BorrowBook(ann, book)) for book in books])
    assert exits.count(Failed(LoanLimitReached(ann))) == 3
    seen = await app.run(get_patron_loans(GetPatronLoans(ann)))
    assert (seen.patron.active_loans, len(seen.loans)) == (5, 5)
    assert {Succeeded(loan.id) for loan in seen.loans} == {exit for exit in exits if isinstance(exit, Succeeded)}


async def test_a_loan_is_returned_once_however_often_it_is_tried(app: App) -> None:
    """Of six returns at once one closes the loan, and the catalog counts one copy back."""
    book = await added(app, copies=2)
    ann, bob = await registered(app, "ann"), await registered(app, "bob")
    loan: LoanId = await app.run(borrow_book(BorrowBook(ann, book)))
    await app.run(borrow_book(BorrowBook(bob, book)))
    exits = await all_at_once(app, [return_book(ReturnBook(loan))] * 6)
    assert exits.count(Succeeded(None)) == 1
    await app.settled()
    assert (await app.run(get_book(GetBook(book)))).on_loan == 1


async def test_an_overlent_book_is_shown_and_not_lent(app: App) -> None:
    """Withdrawing copies that are out is legal; lending waits until enough have come back."""
    book = await added(app, copies=3)
    ann, bob, cid = [await registered(app, name) for name in ("ann", "bob", "cid")]
    first = await app.run(borrow_book(BorrowBook(ann, book)))
    second = await app.run(borrow_book(BorrowBook(bob, book)))
    await app.run(change_copies(ChangeCopies(book, 1)), principal=STAFF)
    await app.settled()
    (shown,) = (await app.run(get_overlent_books(GetOverlentBooks()))).entries
    assert (shown.id, shown.total, shown.on_loan, shown.available) == (book, 1, 2, 0)
    for loan in (first, second):
        refused = await app.run_exit(borrow_book(BorrowBook(cid, book)))
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, NoCopyAvailable)
        await app.run(return_book(ReturnBook(loan)))
    assert isinstance(await app.run_exit(borrow_book(BorrowBook(cid, book))), Succeeded)
    await app.settled()
    assert await app.run(get_overlent_books(GetOverlentBooks())) == Listing(())


async def readers(app: App, book: BookId) -> list[PatronId]:
    """Return who has a book, in the order in which their loans began."""
    return [loan.patron_id for loan in (await app.run(get_shelf(GetShelf(book)))).out]


async def waiting(app: App, book: BookId) -> list[PatronId]:
    """Return who waits for a book, in place order."""
    return [hold.patron_id for hold in await app.run(get_holds(GetHolds(book)))]


async def test_a_returned_copy_goes_to_the_line_in_place_order(app: App) -> None:
    """One return after the other, the copy passes through the line, and the catalog counts one copy out throughout."""
    book = await added(app, copies=1)
    ann, *crowd = [await registered(app, name) for name in ("ann", "bob", "cid", "dan")]
    await app.run(borrow_book(BorrowBook(ann, book)))
    for patron in crowd:
        await app.run(place_hold(PlaceHold(patron, book)))
    for place, patron in enumerate(crowd):
        (out,) = (await app.run(get_shelf(GetShelf(book)))).out
        await app.run(return_book(ReturnBook(out.id)))
        assert (await readers(app, book), await waiting(app, book)) == ([patron], crowd[place + 1 :])
        await app.settled()
        assert (await app.run(get_book(GetBook(book)))).on_loan == 1


async def test_who_may_not_borrow_is_passed_over_and_keeps_the_place(app: App) -> None:
    """The blocked and the greedy wait on while others are served; allowed again, they come before newcomers."""
    book, *others = [await added(app, copies=1, number=number) for number in range(6)]
    ann, bob, cid, dan = [await registered(app, name) for name in ("ann", "bob", "cid", "dan")]
    loan = await app.run(borrow_book(BorrowBook(ann, book)))
    for patron in (bob, cid, dan):
        await app.run(place_hold(PlaceHold(patron, book)))
    await app.run(block_patron(BlockPatron(bob)), principal=STAFF)
    for other in others:
        await app.run(borrow_book(BorrowBook(cid, other)))
    await app.run(return_book(ReturnBook(loan)))
    assert (await readers(app, book), await waiting(app, book)) == ([dan], [bob, cid])
    (out,) = (await app.run(get_shelf(GetShelf(book)))).out
    await app.run(return_book(ReturnBook(out.id)))
    assert await readers(app, book) == []
    assert await app.run_exit(borrow_book(BorrowBook(bob, book))) == Failed(PatronBlocked(bob))
    await app.run(block_patron(BlockPatron(bob, False)), principal=STAFF)
    assert await app.run_exit(borrow_book(BorrowBook(ann, book))) == Failed(HoldOrderBroken(book))
    await app.run(borrow_book(BorrowBook(bob, book)))
    assert (await readers(app, book), await waiting(app, book)) == ([bob], [cid])


async def test_new_copies_are_offered_to_the_line(app: App) -> None:
    """Two more copies serve two who wait; the third waits on; who asks in a moment of plenty is served at once."""
    book = await added(app, copies=0)
    crowd = [await registered(app, name) for name in ("ann", "bob", "cid")]
    for patron in crowd:
        await app.run(place_hold(PlaceHold(patron, book)))
    await app.run(change_copies(ChangeCopies(book, 2)), principal=STAFF)
    await app.settled()
    assert (await readers(app, book), await waiting(app, book)) == (crowd[:2], crowd[2:])
    await app.run(change_copies(ChangeCopies(book, 9)), principal=STAFF)
    await app.settled()
    dan = await registered(app, "dan")
    await app.run(place_hold(PlaceHold(dan, book)))
    assert (await readers(app, book), await waiting(app, book)) == ([*crowd, dan], [])


async def test_a_line_out_of_order_vetoes_the_return(tmp_path: Path) -> None:
    """The handler of the domain event fails, so the command fails: the loan is open still, and nothing is told."""

    def mixed_up(book: BookId) -> tuple[Waiting, ...]:
        return tuple(
            Waiting(Hold(id=HoldId(name), patron_id=PatronId(name), book_id=book, place=place), seen.patron)
            for name, place in (("bob", 2), ("ann", 1))
        )

    app = library(tmp_path)
    async with app.running():
        book = await added(app, copies=1)
        ann = await registered(app, "ann")
        loan = await app.run(borrow_book(BorrowBook(ann, book)))
        await app.settled()
        seen = await app.run(get_patron_loans(GetPatronLoans(ann)))
    app = library(tmp_path, interceptors=[stub({Holds.line: mixed_up})])
    async with app.running():
        assert await app.run_exit(return_book(ReturnBook(loan))) == Failed(HoldOrderBroken(book))
        await app.settled()
        assert await app.run(get_patron_loans(GetPatronLoans(ann))) == seen
        assert (await app.run(get_book(GetBook(book)))).on_loan == 1


async def test_books_are_found_by_title_author_and_isbn(app: App) -> None:
    """The three queries of the catalog answer through dispatch."""
    first, second = await added(app, copies=1, number=1), await added(app, copies=0, number=2)
    found = (await app.run(search_books(SearchBooks("book")))).entries
    assert tuple(book.id for book in found) == (first, second)
    assert await app.run(search_books(SearchBooks("ANONYMOUS", Page(after=first)))) == Listing(found[1:])
    assert await app.run(search_books(SearchBooks(found[1].isbn.digits))) == Listing(found[1:])
    assert await app.run(get_available_books(GetAvailableBooks())) == Listing(found[:1])


async def test_a_page_can_be_asked_for_from_outside(app: App) -> None:
    """Plain fields name the page; a size that is none is refused with its place."""
    first, second = await added(app, copies=1, number=1), await added(app, copies=1, number=2)
    asked = {"text": "book", "page": {"after": first, "size": 1}}
    exit = await app.send("SearchBooks", asked)
    assert isinstance(exit, Succeeded)
    assert [book.id for book in exit.value.entries] == [second]
    refused = await app.send("SearchBooks", {"text": "book", "page": {"size": 101}})
    assert isinstance(refused, Failed)
    assert isinstance(refused.error, Invalid)
    assert [one.field for one in refused.error.fields] == ["page.size"]


async def test_all_wrong_fields_are_told_at_once(app: App) -> None:
    """A message from outside is refused with every fault, and nothing is kept."""
    exit = await app.send("AddBook", {"title": "", "isbn": "0-306-40615-3", "copies": -1}, principal=STAFF)
    assert isinstance(exit, Failed)
    assert isinstance(exit.error, Invalid)
    assert {one.field for one in exit.error.fields} == {"title", "isbn", "author", "copies"}
    assert {one for one in exit.error.fields if one.field == "isbn"} == {
        FieldError("isbn", "'0-306-40615-3' is no ISBN: give 10 or 13 digits, the last of which checks the others.")
    }
    assert await app.run(search_books(SearchBooks(""))) == Listing(())


async def test_a_message_from_outside_is_as_good_as_one_from_inside(app: App) -> None:
    """By its name and plain fields a book is added, in any spelling of its ISBN."""
    fields = {"title": "Dune", "isbn": "0-441-17271-7", "author": "frank-herbert", "copies": 2}
    exit = await app.send("AddBook", fields, principal=STAFF)
    assert isinstance(exit, Succeeded)
    assert await app.run(get_book(GetBook(exit.value))) == Book(
        id=exit.value, title="Dune", isbn=Isbn("9780441172719"), author=AuthorId("frank-herbert"), total=2
    )


async def test_only_the_staff_changes_the_catalog(app: App) -> None:
    """A policy refuses by a typed failure, before the handler runs."""
    book = await added(app, copies=1)
    before = await app.run(get_book(GetBook(book)))
    exit = await app.run_exit(change_copies(ChangeCopies(book, 9)), principal=Principal("ann"))
    assert isinstance(exit, Failed)
    assert isinstance(exit.error, Forbidden)
    assert await app.run(get_book(GetBook(book))) == evolve(before, total=1)
