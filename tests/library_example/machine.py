"""A life-cycle test of the whole library: random commands through dispatch, against a model of the rules.

The machine speaks to an app through its doors only; what the app answers must be what the model says, after each step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from anyio.from_thread import start_blocking_portal
from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from effect_runtime import App, Eff, Failed, Principal, Succeeded
from effect_runtime.effect import Died
from effect_runtime.integration import Transport
from effect_runtime.interpreter import Interceptor
from library_example.catalog.domain import Book, BookUnknown, Isbn, IsbnTaken, check_digit
from library_example.catalog.handlers import (
    AddBook,
    ChangeCopies,
    GetAvailableBooks,
    GetBook,
    GetOverlentBooks,
    add_book,
    change_copies,
    get_available_books,
    get_book,
    get_overlent_books,
)
from library_example.contracts import AuthorId, BookId, HoldId, LoanId, PatronId
from library_example.lending import domain as lent
from library_example.lending.handlers import (
    BlockPatron,
    BorrowBook,
    CancelHold,
    GetHolds,
    GetPatronLoans,
    GetShelf,
    PatronLoans,
    PlaceHold,
    RegisterPatron,
    ReturnBook,
    ShelfState,
    block_patron,
    borrow_book,
    cancel_hold,
    get_holds,
    get_patron_loans,
    get_shelf,
    place_hold,
    register_patron,
    return_book,
)
from library_example.paging import Listing
from tests.library_example.model import Model
from tests.library_example.trouble import Fuse, Stammering

staff = Principal("desk", roles=frozenset({"staff"}))
ISBNS = [Isbn(twelve + check_digit(twelve)) for twelve in (f"97800000000{number}" for number in range(7))]
isbns = st.sampled_from(ISBNS)
EMAILS = ["ann@example.org", "bob@example.org", "cid@example.org", "dan@example.org"]
emails = st.sampled_from(EMAILS)
copies = st.integers(min_value=0, max_value=3)


class LibraryMachine(RuleBasedStateMachine):
    """Drive an app by random commands. A subclass says which app."""

    books: Bundle[BookId] = Bundle("books")
    patrons: Bundle[PatronId] = Bundle("patrons")
    loans: Bundle[LoanId] = Bundle("loans")
    holds: Bundle[HoldId] = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.folder = TemporaryDirectory(prefix="library-")
        self.sent: list[tuple[Eff[Any, Any, Any], str, object]] = []

    @staticmethod
    @abstractmethod
    def make(folder: Path, *, wire: Transport, interceptors: Sequence[Interceptor]) -> App:
        """Describe the app, with its files, if any, in `folder`."""

    @initialize(target=patrons, backend=st.sampled_from(["asyncio", "trio"]))
    def start(self, backend: str) -> Any:
        """Start the app on one of the two event loops, and let three patrons in."""
        self.loop = start_blocking_portal(backend)
        self.portal = self.loop.__enter__()
        self.fuse = Fuse()
        self.app = self.make(Path(self.folder.name), wire=Stammering(), interceptors=[self.fuse.intercept])
        self.open()
        return multiple(*[self.registers(email, False) for email in EMAILS[:3]])

    def open(self) -> None:
        """Start the app."""
        self.running = self.portal.wrap_async_context_manager(self.app.running())
        self.running.__enter__()

    def close(self) -> None:
        """Stop the app in good order."""
        self.running.__exit__(None, None, None)

    def teardown(self) -> None:
        """Compare once more when all is quiet, then stop."""
        if hasattr(self, "portal"):
            self.quiet()
            self.close()
            self.loop.__exit__(None, None, None)
        self.folder.cleanup()

    def send(self, effect: Eff[Any, Any, Any]) -> object:
        """Send a command as the staff under a new command id; answer with its exit."""
        command_id = str(uuid4())
        exit = self.portal.call(partial(self.app.run_exit, effect, command_id=command_id, principal=staff))
        self.sent.append((effect, command_id, exit))
        return exit

    def read(self, effect: Eff[Any, Any, Any]) -> Any:
        """Answer with the value of a query that must succeed."""
        return self.portal.call(partial(self.app.run, effect, principal=staff))

    @rule(target=books, isbn=isbns, copies=copies)
    def adds_a_book(self, isbn: Isbn, copies: int) -> Any:
        """A second book of one ISBN is refused."""
        exit = self.send(add_book(AddBook(title="A book", isbn=isbn, author=AuthorId("anonymous"), copies=copies)))
        if any(book.isbn == isbn for book in self.model.books.values()):
            assert exit == Failed(IsbnTaken(isbn))
            return multiple()
        assert isinstance(exit, Succeeded)
        book = Book(id=exit.value, title="A book", isbn=isbn, author=AuthorId("anonymous"), total=copies)
        self.model.books[book.id] = book
        self.portal.call(self.app.settled)
        return book.id

    @rule(target=books, copies=copies)
    def adds_all_books(self, copies: int) -> Any:
        """Every book that is still missing is added, so that patrons reach their limit."""
        taken = {book.isbn for book in self.model.books.values()}
        return multiple(*[self.adds_a_book(isbn, copies) for isbn in ISBNS if isbn not in taken])

    @rule(target=loans, book=books, copies=copies)
    def changes_copies(self, book: BookId, copies: int) -> Any:
        """Any total is legal, also one below the copies that are out; new copies serve the line."""
        assert self.send(change_copies(ChangeCopies(book, copies))) == Succeeded(None)
        self.model.books[book] = evolve(self.model.books[book], total=copies)
        self.portal.call(self.app.settled)
        return self.served(book)

    @rule(target=patrons, email=emails, shout=st.booleans())
    def registers(self, email: str, shout: bool) -> Any:
        """A second patron of one e-mail address, in any case of letters, is refused."""
        exit = self.send(register_patron(RegisterPatron("Somebody", email.upper() if shout else email)))
        if any(patron.email == email for patron in self.model.patrons.values()):
            assert exit == Failed(lent.EmailTaken(email))
            return multiple()
        assert isinstance(exit, Succeeded)
        self.model.patrons[exit.value] = lent.Patron(id=exit.value, name="Somebody", email=email)
        return exit.value

    @rule(patron=patrons, blocked=st.booleans())
    def blocks(self, patron: PatronId, blocked: bool) -> None:
        """A block is set and lifted."""
        assert self.send(block_patron(BlockPatron(patron, blocked))) == Succeeded(None)
        self.model.patrons[patron] = evolve(self.model.patrons[patron], blocked=blocked)

    @rule(
        target=loans,
        patron=patrons,
        book=books,
        days=st.sampled_from([14, 1, 60, 0, 61]),
    )
    def borrows(self, patron: PatronId, book: BookId, days: int) -> Any:
        """A loan is granted or refused exactly as the model says, and takes a copy that nobody has."""
        return self.lent(self.send(borrow_book(BorrowBook(patron, book, days))), patron, book, days)

    def lent(self, exit: object, patron: PatronId, book: BookId, days: int) -> Any:
        """Compare the exit of a borrow with the model, and tell the model of the loan."""
        expected = self.model.refusal(patron, book, days)
        if expected is not None:
            assert exit == Failed(expected)
            return multiple()
        assert isinstance(exit, Succeeded)
        own = [hold.id for hold in self.model.line(book) if hold.patron_id == patron]
        loan = self.begun(patron, book, days)
        assert exit == Succeeded(loan)
        for hold in own:
            del self.model.holds[hold]
        return loan

    def begun(self, patron: PatronId, book: BookId, days: int = 14) -> LoanId:
        """Compare a patron's newest loan with what it must be, and tell the model of it."""
        loan: lent.Loan = self.read(get_patron_loans(GetPatronLoans(patron))).loans[-1]
        assert loan.id not in self.model.loans
        assert loan == lent.Loan(
            id=loan.id,
            patron_id=patron,
            book_id=book,
            copy=lent.free_copy(self.model.out(book)),
            borrowed_at=loan.borrowed_at,
            due_at=loan.borrowed_at + timedelta(days=days),
        )
        self.model.loans[loan.id] = loan
        return loan.id

    def served(self, book: BookId) -> Any:
        """Expect that the line has taken the free copies in place order, and nobody else."""
        served = self.model.entitled(book)[: self.model.free(book)]
        for hold in served:
            del self.model.holds[hold.id]
        return multiple(*[self.begun(hold.patron_id, book) for hold in served])

    @rule(target=holds, patron=patrons, book=books)
    def places_a_hold(self, patron: PatronId, book: BookId) -> Any:
        """A hold stands at the end of the line, and takes a copy at once if one stands on the shelf."""
        exit = self.send(place_hold(PlaceHold(patron, book)))
        expected = self.model.hold_refusal(patron, book)
        if expected is not None:
            assert exit == Failed(expected)
            return multiple()
        assert isinstance(exit, Succeeded)
        line = self.model.line(book)
        place = line[-1].place + 1 if line else 1
        hold = lent.Hold(id=exit.value, patron_id=patron, book_id=book, place=place)
        self.model.holds[hold.id] = hold
        self.served(book)
        return hold.id

    @rule(hold=holds)
    def cancels_a_hold(self, hold: HoldId) -> None:
        """A hold that still waits is cancelled, once."""
        exit = self.send(cancel_hold(CancelHold(hold)))
        known = self.model.holds.pop(hold, None)
        assert exit == (Failed(lent.HoldUnknown(hold)) if known is None else Succeeded(None))

    @rule(target=loans, patron=patrons)
    def borrows_all(self, patron: PatronId) -> Any:
        """A patron asks for every book, also past the limit."""
        asked = [self.borrows(patron, book, 14) for book in self.model.books]
        return multiple(*[loan for loan in asked if isinstance(loan, str)])

    @rule(
        target=loans, patron=patrons, book=books, after=st.integers(min_value=0, max_value=10), performed=st.booleans()
    )
    def borrows_after_an_accident(self, patron: PatronId, book: BookId, after: int, performed: bool) -> Any:
        """A borrow that breaks at any of its operations leaves nothing; sent again, it is judged anew."""
        self.portal.call(self.app.settled)
        command_id = str(uuid4())
        self.fuse.burn(after, performed=performed)
        effect = borrow_book(BorrowBook(patron, book))
        broken = self.portal.call(partial(self.app.run_exit, effect, command_id=command_id))
        if self.fuse.put_out():
            return self.lent(broken, patron, book, 14)
        assert isinstance(broken, Died)
        assert str(broken.exception) == "an accident"
        self.lending_agrees()
        again = self.portal.call(partial(self.app.run_exit, effect, command_id=command_id))
        return self.lent(again, patron, book, 14)

    @rule(target=loans, loan=loans)
    def returns(self, loan: LoanId) -> Any:
        """A return closes a loan once, and the first in line who may borrow takes the copy."""
        exit = self.send(return_book(ReturnBook(loan)))
        if not self.model.loans[loan].is_open:
            assert exit == Failed(lent.AlreadyReturned(loan))
            return multiple()
        assert exit == Succeeded(None)
        patron = self.model.loans[loan].patron_id
        seen = next(one for one in self.read(get_patron_loans(GetPatronLoans(patron))).loans if one.id == loan)
        assert seen == evolve(self.model.loans[loan], returned_at=seen.returned_at)
        assert not seen.is_open
        self.model.loans[loan] = seen
        return self.served(seen.book_id)

    @rule(target=loans, book=books, copies=st.sampled_from([1, 2]), barred=st.lists(patrons, max_size=2, unique=True))
    def everybody_wants(self, book: BookId, copies: int, barred: list[PatronId]) -> Any:
        """All ask for one book, and who is refused waits; copies come back while some are barred; all ask again."""
        before, patrons = set(self.model.loans), list(self.model.patrons)
        self.changes_copies(book, copies)
        for patron in patrons:
            self.borrows(patron, book, 14)
        for patron in patrons:
            self.places_a_hold(patron, book)
        for patron in barred:
            self.blocks(patron, True)
        for loan in self.model.out(book):
            self.returns(loan.id)
        for patron in barred:
            self.blocks(patron, False)
        for patron in reversed(patrons):
            self.borrows(patron, book, 14)
        return multiple(*[loan for loan in self.model.loans if loan not in before])

    @rule()
    def strangers_ask(self) -> None:
        """What nobody knows is refused by name."""
        nobody, nothing, unlent, unheld = PatronId("?"), BookId("??"), LoanId("???"), HoldId("????")
        refusals: list[tuple[Eff[Any, Any, Any], object]] = [
            (change_copies(ChangeCopies(nothing, 1)), BookUnknown(nothing)),
            (block_patron(BlockPatron(nobody)), lent.PatronUnknown(nobody)),
            (borrow_book(BorrowBook(nobody, nothing)), lent.PatronUnknown(nobody)),
            (place_hold(PlaceHold(nobody, nothing)), lent.PatronUnknown(nobody)),
            (return_book(ReturnBook(unlent)), lent.LoanUnknown(unlent)),
            (cancel_hold(CancelHold(unheld)), lent.HoldUnknown(unheld)),
        ]
        known = next(iter(self.model.patrons))
        refusals += [
            (borrow_book(BorrowBook(known, nothing)), lent.BookUnknown(nothing)),
            (place_hold(PlaceHold(known, nothing)), lent.BookUnknown(nothing)),
        ]
        assert [self.send(effect) for effect, _ in refusals] == [Failed(error) for _, error in refusals]

    @rule(which=st.integers(min_value=0))
    def asks_again(self, which: int) -> None:
        """A command that succeeded is answered the same under its id, and nothing happens."""
        succeeded = [one for one in self.sent if isinstance(one[2], Succeeded)]
        if succeeded:
            effect, command_id, exit = succeeded[which % len(succeeded)]
            again = partial(self.app.run_exit, effect, command_id=command_id, principal=staff)
            assert self.portal.call(again) == exit

    @rule()
    def restarts(self) -> None:
        """Stopping and starting again over the same data changes nothing."""
        self.close()
        self.open()

    @rule()
    def quiet(self) -> None:
        """Once quiet, the catalog counts as many copies out as lending has open loans."""
        self.portal.call(self.app.settled)
        expected = [evolve(book, on_loan=len(self.model.out(id))) for id, book in self.model.books.items()]
        assert [self.read(get_book(GetBook(book.id))) for book in expected] == expected
        by_id = {book.id: book for book in expected}
        order = sorted(by_id)
        available = Listing(tuple(by_id[id] for id in order if by_id[id].available))
        overlent = Listing(tuple(by_id[id] for id in order if by_id[id].overlent))
        assert self.read(get_available_books(GetAvailableBooks())) == available
        assert self.read(get_overlent_books(GetOverlentBooks())) == overlent

    @invariant()
    def lending_agrees(self) -> None:
        """At any moment: loans, counts, limits, shelves and lines are those of the model."""
        for id, patron in self.model.patrons.items():
            held = self.model.held(id)
            loans = tuple(loan for loan in self.model.loans.values() if loan.patron_id == id)
            assert self.read(get_patron_loans(GetPatronLoans(id))) == PatronLoans(
                evolve(patron, active_loans=len(held)), loans
            )
            assert len(held) <= 5
        for book in self.model.books.values():
            state = self.read(get_shelf(GetShelf(book.id)))
            assert state == ShelfState(lent.Shelf(book_id=book.id, copies=book.total), self.model.out(book.id))
            assert len({loan.copy for loan in state.out}) == len(state.out)
            assert self.read(get_holds(GetHolds(book.id))) == self.model.line(book.id)
