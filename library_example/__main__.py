"""The story: one book, two patrons, two contexts, and a process that dies between commit and delivery.

Every state that is printed is read from the running library, and every claim is checked: exit status 0 if all hold,
1 if not. The process that dies is this module, too, started with other arguments.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from attrs import define, field, frozen

from effect_runtime import App, DomainEvent, Eff, Failed, Succeeded, Topic
from effect_runtime.dispatch import Principal
from effect_runtime.interpreter import Recorded, record
from library_example.app import library
from library_example.catalog.domain import Isbn
from library_example.catalog.handlers import AddBook, GetBook, add_book, get_book
from library_example.contracts import AuthorId, BookId, LoanId, PatronId
from library_example.lending.domain import AlreadyReturned, NoCopyAvailable
from library_example.lending.handlers import (
    BorrowBook,
    GetPatronLoans,
    GetShelf,
    RegisterPatron,
    ReturnBook,
    borrow_book,
    get_patron_loans,
    get_shelf,
    register_patron,
    return_book,
)
from library_example.telling import Telling

STAFF = Principal("desk", roles=frozenset({"staff"}))
DYING = "borrow-and-wait"


@frozen
class Counts:
    """How often events were told, since the library was started."""

    emitted: int = 0
    published: int = 0
    delivered: int = 0
    absorbed: int = 0


@define
class Scene:
    """The library as the story watches it: its doors, its counters, and a record of what its programs do."""

    telling: Telling
    app: App
    log: list[Recorded]
    before: Counts = Counts()

    async def ask(self, eff: Eff[Any, Any, Any]) -> Any:
        """Send a command or query that must succeed."""
        return await self.app.run(eff, principal=STAFF)

    def counts(self) -> Counts:
        """Read the library's counters."""
        counts = self.app.counts().values()
        return Counts(
            emitted=len(self.told(DomainEvent)),
            published=len(self.told(Topic)),
            delivered=sum(each.relay.accepted for each in counts),
            absorbed=sum(each.consumer.applied for each in counts),
        )

    def told(self, kind: type) -> list[str]:
        """Return the names of the events of one kind that were told, as they were recorded."""
        ...
