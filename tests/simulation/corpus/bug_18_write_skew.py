"""Write skew: each librarian makes sure that the other stays, and both leave."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do, guard
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded


@frozen
class Roster:
    """Ask who is on duty, and in which version."""


@frozen
class Leave:
    """Go off duty, given the versions that were seen."""

    who: str
    seen: dict[str, int]


@frozen
class Arrive:
    """Go on duty."""

    who: str


@frozen
class Outdated:
    """What was seen has changed."""


@frozen
class Needed:
    """Nobody else is on duty."""


def somebody_is_on_duty(view: View) -> bool:
    """The desk is never empty."""
    return any(version > 0 for version in recorded(view, "desk", "duty").values())


def _case(*, planted: bool) -> Case:
    desk = office("desk")

    @desk.command(access="public")
    def arrive(cmd: Arrive) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.records.put("duty", cmd.who, 1)

    @desk.query(access="public")
    def roster(ask: Roster) -> Looking[dict[str, int]]:
        rt = yield from desk.reads
        return (yield from rt.records.all("duty"))

    @desk.command(access="public")
    def leave(cmd: Leave) -> Doing[None, Outdated]:
        rt = yield from desk.runtime
        for who in [cmd.who] if planted else sorted(cmd.seen):
            yield from guard((yield from rt.records.get("duty", who)) == cmd.seen[who], Outdated())
        yield from rt.records.put("duty", cmd.who, -1)

    @do
    def go_home(who: str) -> Program[None, Outdated | Needed | Refused]:
        seen = yield from roster(Roster())
        yield from guard(any(version > 0 for other, version in seen.items() if other != who), Needed())
        yield from leave(Leave(who, seen))

    return Case(
        number=18,
        title="write skew across two aggregates",
        needs=frozenset({"order"}),
        deviations=1,
        app=app_of(desk, outside=Listener()),
        given=[arrive(Arrive("ann")), arrive(Arrive("bob"))],
        clients=[Client("ann", [go_home("ann")]), Client("bob", [go_home("bob")])],
        always=[somebody_is_on_duty],
    )


def bug() -> Case:
    """Compare the version of one's own duty."""
    return _case(planted=True)


def twin() -> Case:
    """Compare all versions that were seen."""
    return _case(planted=False)
