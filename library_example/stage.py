"""The running library as the story watches it: through its doors, its counters, one interceptor and a postbox.

Knows how to look and to compare; what happens is told in `__main__`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from anyio import fail_after
from attrs import define, field, frozen

from effect_runtime import App, DomainEvent, Eff, Principal, Topic
from effect_runtime.effect import Operation
from effect_runtime.interpreter import Host, Perform, Time, system_host
from library_example.app import library
from library_example.catalog.handlers import GetBook, get_book
from library_example.catalog.ports import CatalogRuntime
from library_example.contracts import BookId, PatronId
from library_example.lending.handlers import (
    GetHolds,
    GetPatronLoans,
    GetShelf,
    get_holds,
    get_patron_loans,
    get_shelf,
)
from library_example.lending.memory import Postbox
from library_example.lending.ports import LendingRuntime
from library_example.telling import Telling

A = TypeVar("A")

STAFF = Principal("desk", roles=frozenset({"staff"}))
SECONDS = 25
"""How long one run of the library may take before the story has failed; it takes about a second."""


@frozen
class Cast:
    """Who and what the story is about."""

    book: BookId
    ann: PatronId
    bob: PatronId


@frozen(kw_only=True)
class State:
    """What the contexts know: the catalog of its copies, lending of its shelf, the line, and two patrons' active loans.

    `waiting` counts the events that both have committed and that have not yet arrived.
    """

    copies: int
    on_loan: int
    shelf: int
    out: int
    ann: int = 0
    bob: int = 0
    in_line: int = 0
    waiting: int = 0

    def __str__(self) -> str:
        on_loan, out = f"{self.on_loan}/{self.copies} on loan", f"{self.out}/{self.shelf} out"
        return f"{on_loan}, {out}, Ann {self.ann}, Bob {self.bob}, {self.in_line} in line, {self.waiting} waiting"


@frozen
class Told:
    """How many integration events were committed, accepted where they go, and absorbed there."""

    committed: int = 0
    delivered: int = 0
    absorbed: int = 0

    def __str__(self) -> str:
        return f"committed {self.committed}, delivered {self.delivered}, absorbed {self.absorbed}"

    def since(self, before: Told) -> Told:
        """Return what came after `before`."""
        return Told(
            self.committed - before.committed,
            self.delivered - before.delivered,
            self.absorbed - before.absorbed,
        )


@define
class Witness:
    """An interceptor that takes down what each context's commands do, and passes everything on."""

    operations: dict[str, list[str]] = field(factory=dict)
    emitted: list[str] = field(factory=list)
    published: list[str] = field(factory=list)

    def intercept(self, perform: Perform) -> Perform:
        """Wrap the way in which operations are performed."""

        async def witnessed(operation: Operation, runtime: Any) -> Any:
            name = {LendingRuntime: "lending", CatalogRuntime: "catalog"}.get(type(runtime))
            if name is not None and operation.kind != "dispatch":
                self.operations.setdefault(name, []).append(operation.place(runtime))
            # By what it carries: `emit` and `publish` are operations like any other, and no name is needed to know
            # them.
            self.emitted += [type(one).__name__ for one in operation.args if isinstance(one, DomainEvent)]
            self.published += [type(one).__name__ for one in operation.args if isinstance(one, Topic)]
            return await perform(operation, runtime)

        return witnessed


@frozen
class LaterTime:
    """A clock, put forward."""

    time: Time
    by: timedelta

    def now(self) -> datetime:
        """Return the moment that it will be."""
        return self.time.now() + self.by

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        # Not put forward: waits, leases and deadlines last as long as ever.
        return self.time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        """Wait as long as anybody would."""
        await self.time.sleep(duration)


@define
class Scene:
    """One run of the library. `told` and `sent`: how many events and notices there were when the last step ended."""

    telling: Telling
    app: App
    witness: Witness
    postbox: Postbox
    told: Told = Told()
    sent: int = 0

    async def ask(self, eff: Eff[A, Any, Any]) -> A:
        """Send what must succeed, as a member of the staff."""
        return await self.app.run(eff, principal=STAFF)

    async def state(self, cast: Cast) -> State:
        """Ask both contexts what they know."""
        book = await self.ask(get_book(GetBook(cast.book)))
        shelf = await self.ask(get_shelf(GetShelf(cast.book)))
        ann = await self.ask(get_patron_loans(GetPatronLoans(cast.ann)))
        bob = await self.ask(get_patron_loans(GetPatronLoans(cast.bob)))
        return State(
            copies=book.total,
            on_loan=book.on_loan,
            shelf=shelf.shelf.copies,
            out=len(shelf.out),
            ann=ann.patron.active_loans,
            bob=bob.patron.active_loans,
            in_line=len(await self.ask(get_holds(GetHolds(cast.book)))),
            waiting=sum(health.backlog for health in (await self.app.health()).values()),
        )

    def counts(self) -> Told:
        """Read the counters of relays and consumers."""
        counts = self.app.counts().values()
        return Told(
            len(self.witness.published),
            sum(each.relay.accepted for each in counts),
            sum(each.consumer.applied for each in counts),
        )

    def notices(self) -> list[str]:
        """Return the notices that were sent since this was asked before; patrons hear in any order."""
        sent = [f"to {notice.to.partition('@')[0]}: {notice.subject}" for notice in self.postbox.notices.values()]
        new, self.sent = sorted(sent[self.sent :]), len(sent)
        return new

    async def look(self, claim: str, cast: Cast, *, state: State, told: Told, notices: Sequence[str] = ()) -> None:
        """Wait until all is quiet, then show and check what the step has left behind."""
        await self.app.settled()
        seen, counts, sent = await self.state(cast), self.counts(), self.notices()
        new, self.told = counts.since(self.told), counts
        self._show(seen, new)
        self.telling.claim(f"{claim}: both contexts", expected=state, seen=seen)
        self.telling.claim(f"{claim}: events", expected=told, seen=new)
        if notices or sent:
            self.telling.line("notices", *sent)
            self.telling.claim(f"{claim}: notices", expected=", ".join(notices), seen=", ".join(sent))

    def _show(self, state: State, new: Told) -> None:
        line, witness = self.telling.line, self.witness
        active = f"active loans: Ann {state.ann}, Bob {state.bob}"
        line("lending knows", f"{state.out} of {state.shelf} out, {state.in_line} in line; {active}")
        line("catalog knows", f"{state.on_loan} of {state.copies} on loan")
        line("domain events", *(f"{name}, handled before the commit" for name in witness.emitted))
        names = ", ".join(witness.published[len(witness.published) - new.committed :])
        waiting = [f"{state.waiting} waiting in the outbox"][: state.waiting]
        line("integration events", *[names][: len(names)], str(new), *waiting)
        for name, operations in witness.operations.items():
            line(f"{name} did", ", ".join(operations))
        witness.operations.clear()
        witness.emitted.clear()


@asynccontextmanager
async def on_stage(
    telling: Telling, folder: Path, *, delivering: bool = True, later: timedelta | None = None
) -> AsyncIterator[Scene]:
    """Run the library over the files in `folder`, now or `later`; unless `delivering`, its doors and nothing else."""
    witness, postbox, host = Witness(), Postbox(), system_host()
    if later is not None:
        host = Host(LaterTime(host.time, later), host.entropy, host.blocking)
    app = library(folder, post=postbox, interceptors=[witness.intercept], host=host)
    with fail_after(SECONDS):
        async with app.running(relay=delivering, consumers=delivering, agenda=delivering):
            yield Scene(telling, app, witness, postbox)
