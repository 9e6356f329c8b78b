"""What becomes of the two kinds of event of one borrow, when all goes well and when it does not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from effect_runtime import App, Failed, Forbidden, Principal, Succeeded
from effect_runtime.effect import Died
from effect_runtime.interpreter import Inject, Recorded, inject, record
from library_example.app import library
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import (
    AddBook,
    GetBook,
    UpdateInventory,
    add_book,
    get_book,
    update_inventory,
)
from library_example.contracts import AuthorId, BookBorrowed, BookId, LoanId, PatronId
from library_example.lending.domain import BookBorrowedOccurred, NoCopyAvailable
from library_example.lending.handlers import (
    BorrowBook,
    GetPatronLoans,
    PatronLoans,
    RegisterPatron,
    borrow_book,
    get_patron_loans,
    register_patron,
)
from library_example.lending.ports import Loans, Patrons

pytestmark = pytest.mark.anyio

STAFF = Principal("desk", roles=frozenset({"staff"}))
ROOT = Path(__file__).parents[2]


async def open_the_doors(app: App) -> tuple[BookId, PatronId]:
    """Add one copy of one book, and register Ann."""
    added = AddBook(title="Dune", isbn=Isbn("9780441172719"), author=AuthorId("frank-herbert"))
    book = await app.run(add_book(added), principal=STAFF)
    ann = await app.run(register_patron(RegisterPatron("Ann", "ann@example.org")))
    await app.settled()
    return book, ann


async def loans_of(app: App, patron: PatronId) -> PatronLoans:
    """Read what lending knows of a patron."""
    return await app.run(get_patron_loans(GetPatronLoans(patron)))


async def on_loan(app: App, book: BookId) -> int:
    """Read how many copies the catalog believes to be out."""
    return (await app.run(get_book(GetBook(book)))).on_loan


def accepted(app: App) -> int:
    """Count the events of lending that have been accepted."""
    return sum(counts.relay.accepted for name, counts in app.counts().items() if "lending" in name)


async def waiting(app: App) -> int:
    """Count the events that are committed and not yet accepted, whoever relays them."""
    return sum(health.backlog for health in (await app.health()).values())


def told(log: Sequence[Recorded], place: str) -> list[Any]:
    """Return the first argument of each recorded operation at one place."""
    return [step.args[0] for step in log if step.place == place]


async def test_one_borrow_tells_both_sides(tmp_path: Path) -> None:
    """The same command emits a domain event and publishes an integration event, of the same loan."""
    log: list[Recorded] = []
    app = library(tmp_path, interceptors=[record(log)])
    async with app.running():
        book, ann = await open_the_doors(app)
        log.clear()
        loan_id = await app.run(borrow_book(BorrowBook(ann, book)))
        await app.settled()
        (loan,) = (await loans_of(app, ann)).loans
        assert told(log, "Events.add") == [BookBorrowedOccurred(loan)]
        assert told(log, "Outbox.add") == [BookBorrowed(book, ann, loan_id, loan.borrowed_at)]


async def test_a_domain_handler_that_fails_undoes_the_command(tmp_path: Path) -> None:
    """The handler has counted the loan in the same transaction when it breaks: no loan, no count, no event."""
    broken = inject(Inject(Patrons.count_loans, RuntimeError("the abacus fell down"), after=True))
    app = library(tmp_path, interceptors=[broken])
    async with app.running():
        book, ann = await open_the_doors(app)
        before = await loans_of(app, ann)
        exit = await app.run_exit(borrow_book(BorrowBook(ann, book)), command_id="borrow-1")
        assert isinstance(exit, Died)
        assert str(exit.exception) == "the abacus fell down"
        await app.settled()
        assert await loans_of(app, ann) == before
        assert (await on_loan(app, book), accepted(app)) == (0, 0)


@pytest.mark.parametrize("after", [False, True])
async def test_nothing_is_published_by_a_command_that_rolls_back(tmp_path: Path, after: bool) -> None:
    """Whether the body breaks before or after its last write, and when it is refused: no event leaves."""
    broken = inject(Inject(Loans.save, RuntimeError("out of ink"), after=after))
    app = library(tmp_path, interceptors=[broken])
    async with app.running():
        book, ann = await open_the_doors(app)
        assert isinstance(await app.run_exit(borrow_book(BorrowBook(ann, book))), Died)
        await app.settled()
        assert (await on_loan(app, book), accepted(app)) == (0, 0)
    app = library(tmp_path)
    async with app.running():
        await app.run(borrow_book(BorrowBook(ann, book)))
        bob = await app.run(register_patron(RegisterPatron("Bob", "bob@example.org")))
        refused = await app.run_exit(borrow_book(BorrowBook(bob, book)))
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, NoCopyAvailable)
        await app.settled()
        assert (await on_loan(app, book), accepted(app)) == (1, 1)


async def test_an_event_outlives_the_process_that_committed_it(tmp_path: Path) -> None:
    """A process is killed between commit and relay; the next one on the same files delivers, once."""
    app = library(tmp_path)
    async with app.running():
        book, ann = await open_the_doors(app)
    child = subprocess.run(
        [sys.executable, "-m", "library_example", "borrow-and-die", str(tmp_path), ann, book],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (child.returncode, child.stderr) == (-signal.SIGKILL, "")
    loan = LoanId(child.stdout.split()[-1])
    async with app.running(relay=False, consumers=False):
        assert (await on_loan(app, book), await waiting(app)) == (0, 1)
    arrived = []
    for _ in range(3):
        async with app.running():
            await app.settled()
            assert [one.id for one in (await loans_of(app, ann)).loans] == [loan]
            arrived.append((await on_loan(app, book), accepted(app), await waiting(app)))
    assert arrived == [(1, 1, 0), (1, 0, 0), (1, 0, 0)]


async def test_a_subscriber_goes_through_its_own_dispatch(tmp_path: Path) -> None:
    """Lending's event becomes the catalog's own command; nobody else may send that command."""
    log: list[Recorded] = []
    app = library(tmp_path, interceptors=[record(log)])
    async with app.running():
        book, ann = await open_the_doors(app)
        log.clear()
        await app.run(borrow_book(BorrowBook(ann, book)))
        await app.settled()
        sent = [(step.args[0], step.exit) for step in log if step.kind == "dispatch"]
        assert (UpdateInventory(book, +1), Succeeded(None)) in sent
        exit = await app.run_exit(update_inventory(UpdateInventory(book, +1)), principal=STAFF)
        assert isinstance(exit, Failed)
        assert isinstance(exit.error, Forbidden)
        assert await on_loan(app, book) == 1
