"""A life-cycle test of the whole library: random commands through dispatch, against a model of the rules.

The machine speaks to an app through its doors only. The model below states the rules of the library once more, with
plain dictionaries; what the app answers must be what the model says, after each step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from anyio.from_thread import start_blocking_portal
from attrs import define, evolve, field, frozen
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from effect_runtime import App, Eff, Failed, Principal, Succeeded
from effect_runtime.effect import Died, Operation
from effect_runtime.integration import Features, Message, Receive, Transport
from effect_runtime.interpreter import Interceptor, Perform
from effect_runtime.transports import InProcess
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
from library_example.contracts import AuthorId, BookId, LoanId, PatronId
from library_example.lending import domain as lent
from library_example.lending.handlers import (
    BlockPatron,
    BorrowBook,
    GetPatronLoans,
    GetShelf,
    PatronLoans,
    RegisterPatron,
    ReturnBook,
    ShelfState,
    block_patron,
    borrow_book,
    get_patron_loans,
    get_shelf,
    register_patron,
    return_book,
)

staff = Principal("desk", roles=frozenset({"staff"}))
ISBNS = [Isbn(twelve + check_digit(twelve)) for twelve in (f"97800000000{number}" for number in range(7))]
isbns = st.sampled_from(ISBNS)
emails = st.sampled_from(["ann@example.org", "bob@example.org", "cid@example.org"])
copies = st.integers(min_value=0, max_value=3)


@define
class Model:
    """What must be true of the library, in the plainest form."""

    books: dict[BookId, Book] = field(factory=dict)
    patrons: dict[PatronId, lent.Patron] = field(factory=dict)
    loans: dict[LoanId, lent.Loan] = field(factory=dict)

    def out(self, book: BookId) -> tuple[lent.Loan, ...]:
        """Return the open loans of a book, in the order in which they began."""
        return tuple(loan for loan in self.loans.values() if loan.book_id == book and loan.is_open)

    def held(self, patron: PatronId) -> tuple[lent.Loan, ...]:
        """Return the open loans of a patron."""
        return tuple(loan for loan in self.loans.values() if loan.patron_id == patron and loan.is_open)

    def refusal(self, patron: PatronId, book: BookId, days: int) -> object | None:
        """Return what a wish to borrow must be refused with; None if it must be granted."""
        if patron not in self.patrons:
            return lent.PatronUnknown(patron)
        if book not in self.books:
            return lent.BookUnknown(book)
        if not 1 <= days <= 60:
            return lent.InvalidLoanPeriod(days)
        if self.patrons[patron].blocked:
            return lent.PatronBlocked(patron)
        for loan in self.held(patron):
            if loan.book_id == book:
                return lent.AlreadyBorrowed(loan.id)
        if len(self.held(patron)) >= 5:
            return lent.LoanLimitReached(patron)
        out = self.out(book)
        if len(out) >= self.books[book].total:
            return lent.NoCopyAvailable(book, min((loan.due_at for loan in out), default=None))
        return None


@define
class Fuse:
    """An interceptor that breaks one operation once, some operations from now, before or after it is performed."""

    left: int | None = None
    performed: bool = False

    def burn(self, left: int, *, performed: bool) -> None:
        """Break the operation that comes after `left` others."""
        self.left, self.performed = left, performed

    def put_out(self) -> bool:
        """Break nothing any more; tell whether nothing was broken."""
        unspent, self.left = self.left is not None, None
        return unspent

    def intercept(self, perform: Perform) -> Perform:
        """Wrap the way in which operations are performed."""

        async def breaking(operation: Operation, runtime: Any) -> Any:
            if self.left is None or operation.kind == "dispatch":
                return await perform(operation, runtime)
            if self.left:
                self.left -= 1
                return await perform(operation, runtime)
            self.left = None
            if self.performed:
                await perform(operation, runtime)
            raise RuntimeError("an accident")

        return breaking


@frozen
class Stammering:
    """A wire inside the process that says everything twice, as wires may."""

    wire: InProcess = field(factory=InProcess)

    @property
    def features(self) -> Features:
        """Return what the wire promises."""
        return self.wire.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return where events must be accepted."""
        return self.wire.destinations(topic, subscriptions)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Open the wire."""
        return self.wire.running()

    def listening(self, subscription: str, topic: str, receive: Receive) -> AbstractAsyncContextManager[None]:
        """Deliver to a subscription."""
        return self.wire.listening(subscription, topic, receive)

    async def publish(self, destination: str, message: Message) -> None:
        """Hand a message over, and over again."""
        await self.wire.publish(destination, message)
        await self.wire.publish(destination, message)


class LibraryMachine(RuleBasedStateMachine):
    """Drive an app by random commands. A subclass says which app."""

    books: Bundle[BookId] = Bundle("books")
    patrons: Bundle[PatronId] = Bundle("patrons")
    loans: Bundle[LoanId] = Bundle("loans")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.folder = TemporaryDirectory(prefix="library-")
        self.sent: list[tuple[Eff[Any, Any, Any], str, object]] = []

    @staticmethod
    @abstractmethod
    def make(folder: Path, *, wire: Transport, interceptors: Sequence[Interceptor]) -> App:
        """Describe the app, with its files, if any, in `folder`."""

    @initialize(backend=st.sampled_from(["asyncio", "trio"]))
    def start(self, backend: str) -> None:
        """Start the app on one of the two event loops."""
        self.loop = start_blocking_portal(backend)
        self.portal = self.loop.__enter__()
        self.fuse = Fuse()
        self.app = self.make(Path(self.folder.name), wire=Stammering(), interceptors=[self.fuse.intercept])
        self.open()

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

    @rule(book=books | st.just(BookId("no such book")), copies=copies)
    def changes_copies(self, book: BookId, copies: int) -> None:
        """Any total is legal, also one below the copies that are out."""
        exit = self.send(change_copies(ChangeCopies(book, copies)))
        if book not in self.model.books:
            assert exit == Failed(BookUnknown(book))
            return
        assert exit == Succeeded(None)
        self.model.books[book] = evolve(self.model.books[book], total=copies)
        self.portal.call(self.app.settled)

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

    @rule(patron=patrons | st.just(PatronId("nobody")), blocked=st.booleans())
    def blocks(self, patron: PatronId, blocked: bool) -> None:
        """A block is set and lifted."""
        exit = self.send(block_patron(BlockPatron(patron, blocked)))
        if patron not in self.model.patrons:
            assert exit == Failed(lent.PatronUnknown(patron))
            return
        assert exit == Succeeded(None)
        self.model.patrons[patron] = evolve(self.model.patrons[patron], blocked=blocked)

    @rule(
        target=loans,
        patron=patrons | st.just(PatronId("nobody")),
        book=books | st.just(BookId("no such book")),
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
        loan = self.read(get_patron_loans(GetPatronLoans(patron))).loans[-1]
        assert loan == lent.Loan(
            id=exit.value,
            patron_id=patron,
            book_id=book,
            copy=lent.free_copy(self.model.out(book)),
            borrowed_at=loan.borrowed_at,
            due_at=loan.borrowed_at + timedelta(days=days),
        )
        self.model.loans[loan.id] = loan
        return loan.id

    @rule(target=loans, patron=patrons)
    def borrows_all(self, patron: PatronId) -> Any:
        """A patron asks for every book, also past the limit."""
        asked = [self.borrows(patron, book, 14) for book in self.model.books]
        return multiple(*[loan for loan in asked if isinstance(loan, str)])

    @rule(
        target=loans, patron=patrons, book=books, after=st.integers(min_value=0, max_value=8), performed=st.booleans()
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

    @rule(loan=loans | st.just(LoanId("no such loan")))
    def returns(self, loan: LoanId) -> None:
        """A return closes a loan once."""
        exit = self.send(return_book(ReturnBook(loan)))
        if loan not in self.model.loans:
            assert exit == Failed(lent.LoanUnknown(loan))
        elif not self.model.loans[loan].is_open:
            assert exit == Failed(lent.AlreadyReturned(loan))
        else:
            assert exit == Succeeded(None)
            patron = self.model.loans[loan].patron_id
            seen = {one.id: one for one in self.read(get_patron_loans(GetPatronLoans(patron))).loans}[loan]
            assert seen == evolve(self.model.loans[loan], returned_at=seen.returned_at)
            assert not seen.is_open
            self.model.loans[loan] = seen

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
        assert self.read(get_available_books(GetAvailableBooks())) == tuple(
            by_id[id] for id in order if by_id[id].available
        )
        assert self.read(get_overlent_books(GetOverlentBooks())) == tuple(
            by_id[id] for id in order if by_id[id].overlent
        )

    @invariant()
    def lending_agrees(self) -> None:
        """At any moment: loans, counts, limits and shelves are those of the model."""
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
