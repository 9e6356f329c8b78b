"""Renewed too late: the loan has ended, the answer of `reschedule_due` says so, and nobody looks at it."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do, guard
from effect_runtime.dispatch import DueId, reschedule_due, send_later, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Lend:
    """Lend a book for half a minute."""

    book: str


@frozen
@stored("strangers-45.end")
class End:
    """Take a book back."""

    book: str


@frozen
class Renew:
    """Keep a book for longer."""

    book: str
    due: DueId


@frozen
class Ended:
    """The loan has ended."""


def a_renewed_book_is_lent(view: View) -> bool:
    """Whoever renewed in time has the book."""
    ended = facts_of(view, "desk", "ended")
    return all(ended.get(book, at) >= at + 30 for book, at in facts_of(view, "desk", "renewed").items())


def _world(planted: bool) -> Simulation:
    desk = desk_of("desk")

    @desk.command(access="public")
    def lend(cmd: Lend) -> Doing[DueId]:
        return (yield from send_later(End(cmd.book), due=timedelta(seconds=30)))

    @desk.command(access="internal")
    def end(cmd: End) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.facts.put("ended", cmd.book, int((yield from rt.clock.now()).timestamp()))

    @desk.command(access="public")
    def renew(cmd: Renew) -> Doing[None, Ended]:
        rt = yield from desk.runtime
        kept = yield from reschedule_due(cmd.due, due=timedelta(seconds=60))
        yield from guard(kept or planted, Ended())
        yield from rt.facts.put("renewed", cmd.book, int((yield from rt.clock.now()).timestamp()))

    @do
    def read(book: str) -> Program[None, Ended | Refused]:
        due = yield from lend(Lend(book))
        yield from renew(Renew(book, due))

    return Simulation(
        app_of(desk),
        [Client("ann", [read("emma")])],
        faults=Faults(slow=(timedelta(minutes=1),)),
        at_end=[a_renewed_book_is_lent],
    )


STRANGER = Stranger(
    title="renewed too late",
    needs="something slow before the renewal, while the due command comes due",
    deviations=1,
    world=_world,
)
