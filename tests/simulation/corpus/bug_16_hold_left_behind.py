"""Cancelled, with a hold left behind: what the `finally` block wants to do is cut off at its first wait."""

from __future__ import annotations

from typing import Any, Never

from attrs import frozen

from effect_runtime import Eff, Refused, do, recover, succeed
from effect_runtime.effect import acquire, scoped, uninterruptible
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Program, app_of, office, recorded


@frozen
class Place:
    """Place a hold."""

    id: str


@frozen
class Look:
    """Look for the book."""

    id: str


@frozen
class LetGo:
    """Let a hold go."""

    id: str


def no_hold_is_left(view: View) -> bool:
    """A hold lasts no longer than the visit."""
    return recorded(view, "desk", "hold") == {}


def _case(*, planted: bool) -> Case:
    desk = office("desk")

    @desk.command(access="public")
    def place(cmd: Place) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.records.put("hold", cmd.id, 1)

    @desk.command(access="public")
    def look(cmd: Look) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.outside.tell(cmd.id)

    @desk.command(access="public")
    def let_go(cmd: LetGo) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.outside.tell(f"{cmd.id} is free")
        yield from rt.records.drop("hold", cmd.id)

    @do
    def visit_with_finally(id: str) -> Program[None, Refused]:
        yield from place(Place(id))
        try:
            yield from look(Look(id))
        finally:
            yield from let_go(LetGo(id))

    @do
    def visit_with_acquire(id: str) -> Program[None, Refused]:
        letting_go: Eff[None, Never, Any] = recover(let_go(LetGo(id)), _ignored)
        yield from acquire(uninterruptible(place(Place(id))), lambda _: letting_go)
        yield from look(Look(id))

    visit = visit_with_finally("h1") if planted else scoped(visit_with_acquire("h1"))
    return Case(
        number=16,
        title="cancelled handler leaves a hold behind",
        needs=frozenset({"cancel"}),
        deviations=1,
        app=app_of(desk, outside=Listener()),
        clients=[Client("ann", [visit])],
        at_end=[no_hold_is_left],
        # Nobody is left to let go, nothing can be written, or letting go takes longer than a finalizer may.
        excluded=frozenset({"crash", "failure", "time"}),
    )


def _ignored(refused: Any) -> Eff[None]:
    return succeed(None)


def bug() -> Case:
    """Let go in a `finally` block."""
    return _case(planted=True)


def twin() -> Case:
    """Let go with `acquire`."""
    return _case(planted=False)
