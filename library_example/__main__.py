"""The story: one book, two patrons who want it, two contexts, and a process that dies between commit and delivery.

Every state that is printed is read from the running library, and every claim is checked: exit status 0 if all hold,
1 if not. The process that dies is this module, too, started with other arguments.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from attrs import evolve

from effect_runtime import Failed
from library_example.app import library
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, ChangeCopies, add_book, change_copies
from library_example.contracts import AuthorId, BookId, PatronId
from library_example.lending.domain import NoCopyAvailable
from library_example.lending.handlers import (
    BorrowBook,
    GetOverdueLoans,
    PlaceHold,
    RegisterPatron,
    ReturnBook,
    borrow_book,
    get_overdue_loans,
    place_hold,
    register_patron,
    return_book,
)
from library_example.stage import Cast, Scene, State, Told, on_stage
from library_example.telling import Telling

DYING = "borrow-and-die"


async def live(telling: Telling, folder: Path) -> Cast:
    """Tell the first part: a borrow, a refusal, a hold, and a return with which the hold takes the copy."""
    telling.headline("One copy of a book, and two who want it")
    async with on_stage(telling, folder) as scene:
        cast = await _open_the_doors(scene)
        telling.step("Ann borrows it.")
        loan = await scene.ask(borrow_book(BorrowBook(cast.ann, cast.book)))
        telling.line("answer", f"loan {loan}")
        anns = State(copies=1, on_loan=1, shelf=1, out=1, ann=1)
        await scene.look("Ann borrows", cast, state=anns, told=Told(1, 1, 1))

        telling.step("Bob wants it, too: refused, with a typed failure.")
        exit = await scene.app.run_exit(borrow_book(BorrowBook(cast.bob, cast.book)))
        match exit:
            case Failed(NoCopyAvailable(book, next_due)) if book == cast.book and next_due is not None:
                telling.line("answer", f"Failed(NoCopyAvailable(...)), next due {next_due:%Y-%m-%d}")
        telling.claim("Bob is refused", expected="NoCopyAvailable", seen=_failure(exit))
        await scene.look("Bob is refused", cast, state=anns, told=Told())

        telling.step("So Bob waits for it: he places a hold.")
        hold = await scene.ask(place_hold(PlaceHold(cast.bob, cast.book)))
        telling.line("answer", f"hold {hold}")
        # The catalog does not care for holds: the event arrives, and nothing of the catalog's absorbs it.
        await scene.look("Bob waits", cast, state=evolve(anns, in_line=1), told=Told(1, 1, 0))

        telling.step("Ann brings it back. In the same transaction Bob's hold takes the copy.")
        await scene.ask(return_book(ReturnBook(loan)))
        telling.line("answer", "done")
        bobs = State(copies=1, on_loan=1, shelf=1, out=1, bob=1)
        news = "to bob: The book you waited for"
        await scene.look("Bob's hold takes it", cast, state=bobs, told=Told(2, 2, 2), notices=[news])

        telling.step("The desk buys a second copy.")
        await scene.ask(change_copies(ChangeCopies(cast.book, 2)))
        telling.line("answer", "done")
        await scene.look("A copy is bought", cast, state=evolve(bobs, copies=2, shelf=2), told=Told(1, 1, 1))
        return cast


async def _open_the_doors(scene: Scene) -> Cast:
    telling = scene.telling
    telling.step("The desk adds a book with one copy, and registers Ann and Bob.")
    added = AddBook(
        title="The Left Hand of Darkness", isbn=Isbn("0-441-47812-3"), author=AuthorId("ursula-k-le-guin"), copies=1
    )
    book = await scene.ask(add_book(added))
    ann = await scene.ask(register_patron(RegisterPatron("Ann", "ann@example.org")))
    bob = await scene.ask(register_patron(RegisterPatron("Bob", "bob@example.org")))
    cast = Cast(book, ann, bob)
    telling.line("answer", f"book {book}", f"Ann {ann}", f"Bob {bob}")
    await scene.look("A book is added", cast, state=State(copies=1, on_loan=0, shelf=1, out=0), told=Told(1, 1, 1))
    return cast


def die(telling: Telling, folder: Path, cast: Cast) -> None:
    """Tell the second part: another process commits Ann's loan, and is gone before anything is sent."""
    telling.headline("SIGKILL between commit and delivery")
    telling.step("Ann borrows it in another process, which kills itself right after the commit.")
    # A process of its own, because only the death of a whole process leaves nobody to tidy up.
    child = subprocess.run(
        [sys.executable, "-m", "library_example", DYING, str(folder), cast.ann, cast.book],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    telling.line("it said", child.stdout.strip() or child.stderr.strip())
    telling.line("it ended with", "SIGKILL" if child.returncode == -signal.SIGKILL else f"status {child.returncode}")
    telling.claim("The process is killed", expected=-signal.SIGKILL, seen=child.returncode)


async def rise(telling: Telling, folder: Path, cast: Cast) -> None:
    """Tell the third part: the same files, opened again; the event arrives, once."""
    found = State(copies=2, on_loan=2, shelf=2, out=2, ann=1, bob=1)
    lost = evolve(found, on_loan=1, waiting=1)
    telling.step("We open the same files, and send nothing yet: the loan stands, the catalog has not heard of it.")
    async with on_stage(telling, folder, delivering=False) as scene:
        await scene.look("After the kill", cast, state=lost, told=Told())
    telling.step("We start relays and consumers: the event arrives.")
    async with on_stage(telling, folder) as scene:
        await scene.look("After the restart", cast, state=found, told=Told(0, 1, 1))
    telling.step("We start once more: nothing arrives twice.")
    async with on_stage(telling, folder) as scene:
        await scene.look("Started once more", cast, state=found, told=Told())


async def miss(telling: Telling, folder: Path, cast: Cast) -> None:
    """Tell the last part: a fortnight later each loan has asked after itself."""
    telling.headline("A fortnight later")
    telling.step("Nobody has brought a copy back. Each loan left a command for its due day, in its own transaction.")
    async with on_stage(telling, folder, later=timedelta(days=15)) as scene:
        reminders = ["to ann: A book is overdue", "to bob: A book is overdue"]
        out = State(copies=2, on_loan=2, shelf=2, out=2, ann=1, bob=1)
        await scene.look("Nobody returns", cast, state=out, told=Told(), notices=reminders)
        overdue = (await scene.ask(get_overdue_loans(GetOverdueLoans()))).entries
        telling.line("overdue", *(f"loan {loan.id}, due {loan.due_at:%Y-%m-%d}" for loan in overdue))
        telling.claim("Loans overdue", expected=2, seen=len(overdue))


async def borrow_and_die(folder: Path, patron: PatronId, book: BookId) -> None:
    """Commit a loan in a process without relay, then kill it: no clean-up, no goodbye."""
    app = library(folder)
    async with app.running(relay=False, consumers=False):
        loan = await app.run(borrow_book(BorrowBook(patron, book)))
        print(f"committed loan {loan}", flush=True)
        # No exit, no exception: those would close the store, and a crash closes nothing.
        os.kill(os.getpid(), signal.SIGKILL)


def tell(folder: Path) -> bool:
    """Tell the whole story over two files in `folder`, and say whether it went as told."""
    telling = Telling()
    telling.remark(f"Two contexts, two SQLite files: catalog.db and lending.db in {folder}")
    cast = anyio.run(live, telling, folder)
    die(telling, folder, cast)
    anyio.run(rise, telling, folder, cast)
    anyio.run(miss, telling, folder, cast)
    return telling.summary()


def main(arguments: list[str]) -> int:
    """Tell the story, or be the process in it that dies; return the exit status."""
    match arguments:
        case []:
            with TemporaryDirectory(prefix="library-example-") as folder:
                return 0 if tell(Path(folder)) else 1
        case [word, folder, patron, book] if word == DYING:
            anyio.run(borrow_and_die, Path(folder), PatronId(patron), BookId(book))
    print("usage: python -m library_example", file=sys.stderr)
    return 2


def _failure(exit: object) -> str:
    return type(exit.error).__name__ if isinstance(exit, Failed) else repr(exit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
