"""The two sequences of the docs, recorded from a run: a domain event inside the transaction, a contract after it.

`python -m tests.stories.test_two_sequences` prints what a run writes down, to be pasted into the page.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from effect_runtime import App, Principal
from effect_runtime.outbox.memory import MemoryStore
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, add_book, catalog
from library_example.catalog.memory import make_catalog, make_catalog_reads
from library_example.catalog.ports import CatalogRuntime
from library_example.contracts import AuthorId
from library_example.lending.handlers import BorrowBook, RegisterPatron, borrow_book, lending, register_patron
from library_example.lending.memory import make_lending, make_lending_reads
from library_example.lending.ports import LendingRuntime
from tests.stories.journal import Journal, WatchedStore, WatchedWire

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "two-sequences.md"
STAFF = Principal("desk", roles=frozenset({"staff"}))

pytestmark = pytest.mark.anyio


async def borrow_once() -> tuple[list[str], list[str]]:
    """Borrow one book, and return what happened up to the commit, and after it."""
    journal = Journal()
    app = App(
        "library",
        wire=WatchedWire(journal),
        interceptors=[journal.intercept({LendingRuntime: "lending", CatalogRuntime: "catalog"})],
        contexts=[
            catalog.bind(
                make_catalog, make_catalog_reads, store=WatchedStore(journal, "catalog", MemoryStore("catalog"))
            ),
            lending.bind(
                make_lending, make_lending_reads, store=WatchedStore(journal, "lending", MemoryStore("lending"))
            ),
        ],
    )
    async with app.running():
        added = AddBook(title="Dune", isbn=Isbn("9780441172719"), author=AuthorId("frank-herbert"))
        book = await app.run(add_book(added), principal=STAFF)
        ann = await app.run(register_patron(RegisterPatron("Ann", "ann@example.org")))
        await app.settled()
        journal.lines.clear()
        await app.run(borrow_book(BorrowBook(ann, book)))
        await app.settled()
    committed = next(place for place, line in enumerate(journal.lines) if "COMMIT" in line) + 1
    return journal.lines[:committed], journal.lines[committed:]


def blocks(page: str) -> list[list[str]]:
    """Return the lines of each plain text block of a page."""
    return [block.splitlines() for block in page.split("```text\n")[1:] for block in [block.partition("```")[0]]]


async def test_the_page_shows_what_a_run_does() -> None:
    """Both blocks of the page are, line by line, what the run wrote down."""
    inside, after = await borrow_once()
    assert blocks(PAGE.read_text(encoding="utf-8")) == [inside, after]


if __name__ == "__main__":
    for sequence in anyio.run(borrow_once):
        print("\n".join(sequence), end="\n\n")
