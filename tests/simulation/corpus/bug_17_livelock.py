"""Retry without limit: two patrons hold one book each, want the other's too, and ask for ever."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, Schedule, attempt, do, guard
from effect_runtime.effect import Succeeded, retry
from tests.simulation.corpus.case import Case, Client
from tests.simulation.corpus.office import Doing, Listener, Program, app_of, office


@frozen
class Take:
    """Take a book."""

    book: str
    patron: int


@frozen
class GiveBack:
    """Give a book back."""

    book: str


@frozen
class Taken:
    """Somebody else has it."""


def _case(*, planted: bool) -> Case:
    desk = office("desk")

    @desk.command(access="public")
    def take(cmd: Take) -> Doing[None, Taken]:
        rt = yield from desk.runtime
        holder = yield from rt.records.get("holder", cmd.book)
        yield from guard(holder in (0, cmd.patron), Taken())
        yield from rt.records.put("holder", cmd.book, cmd.patron)

    @desk.command(access="public")
    def give_back(cmd: GiveBack) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.records.drop("holder", cmd.book)

    @do
    def compare(patron: int, first: str, second: str) -> Program[None, Taken | Refused]:
        yield from take(Take(first, patron))
        schedule = Schedule().only(Taken) if planted else Schedule().only(Taken).times(2)
        second_taken = yield from attempt(retry(take(Take(second, patron)), schedule))
        if isinstance(second_taken, Succeeded):
            yield from give_back(GiveBack(second))
        yield from give_back(GiveBack(first))

    return Case(
        number=17,
        title="retry without limit: livelock",
        needs=frozenset({"order", "liveness"}),
        deviations=1,
        app=app_of(desk, outside=Listener()),
        clients=[Client("ann", [compare(1, "b1", "b2")]), Client("bob", [compare(2, "b2", "b1")])],
    )


def bug() -> Case:
    """Ask again until it works."""
    return _case(planted=True)


def twin() -> Case:
    """Ask three times, then give back what one has."""
    return _case(planted=False)
