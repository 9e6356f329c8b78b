"""Expiry against renewal: a hold that was just renewed is dropped, because it was looked at before."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do, guard
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded


@frozen
class Place:
    """Place a hold for a minute."""

    id: str


@frozen
class Renew:
    """Renew a hold."""

    id: str


@frozen
class Drop:
    """Drop a hold that has run out."""

    id: str


@frozen
class Overdue:
    """Ask for the holds that have run out."""


@frozen
class HoldGone:
    """There is no such hold any more."""


def a_renewed_hold_is_kept(view: View) -> bool:
    """Whoever was told that a hold is renewed still has it."""
    return set(recorded(view, "desk", "renewed")) <= set(recorded(view, "desk", "hold"))


def _case(*, planted: bool) -> Case:
    desk = office("desk")

    @desk.command(access="public")
    def place(cmd: Place) -> Doing[None]:
        rt = yield from desk.runtime
        now = yield from rt.clock.now()
        yield from rt.records.put("hold", cmd.id, int(now.timestamp()) + 60)

    @desk.command(access="public")
    def renew(cmd: Renew) -> Doing[None, HoldGone]:
        rt = yield from desk.runtime
        now = yield from rt.clock.now()
        until = yield from rt.records.get("hold", cmd.id)
        yield from guard(until > 0, HoldGone())
        yield from rt.records.put("hold", cmd.id, int(now.timestamp()) + 600)
        yield from rt.records.put("renewed", cmd.id, 1)

    @desk.query(access="public")
    def overdue(ask: Overdue) -> Looking[list[str]]:
        rt = yield from desk.reads
        now = yield from rt.clock.now()
        holds = yield from rt.records.all("hold")
        return [id for id, until in holds.items() if until <= now.timestamp()]

    @desk.command(access="public")
    def drop(cmd: Drop) -> Doing[None]:
        rt = yield from desk.runtime
        now = yield from rt.clock.now()
        if planted or (yield from rt.records.get("hold", cmd.id)) <= now.timestamp():
            yield from rt.records.drop("hold", cmd.id)

    @do
    def expire() -> Program[None, Refused]:
        for id in (yield from overdue(Overdue())):
            yield from drop(Drop(id))

    late = timedelta(seconds=61)
    return Case(
        number=11,
        title="hold expiry against renewal",
        needs=frozenset({"time", "order"}),
        deviations=1,
        app=app_of(desk, outside=Listener()),
        given=[place(Place("h1"))],
        clients=[Client("sweeper", [expire()], after=late), Client("ann", [renew(Renew("h1"))], after=late)],
        at_end=[a_renewed_hold_is_kept],
    )


def bug() -> Case:
    """Drop what an earlier look found overdue."""
    return _case(planted=True)


def twin() -> Case:
    """Look again in the transaction that drops."""
    return _case(planted=False)
