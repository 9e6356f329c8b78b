"""The corpus is whole: nineteen planted bugs, each with a twin that differs in the planted part alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from effect_runtime.testing import Canonical, Site
from effect_runtime.testing.loop._site import Kind
from effect_runtime.testing.world._process import OnCrash
from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.case import Case
from tests.simulation.running import every_fault, simulation_of


def _declared(case: Case) -> tuple[object, ...]:
    clients = [(client.name, len(client.programs), client.after) for client in case.clients]
    claims = [claim.__name__ for claim in (*case.always, *case.at_end, *case.eventually)]
    return case.number, case.title, case.needs, case.deviations, case.excluded, clients, claims


def test_each_number_is_there_once_as_a_bug_and_as_a_twin() -> None:
    """Bugs and twins are numbered from 1 to 19."""
    assert [case.number for case in bugs()] == list(range(1, 20))
    assert [case.number for case in twins()] == list(range(1, 20))


def test_a_twin_is_declared_as_its_bug_is() -> None:
    """The same clients, claims and faults: only handlers differ."""
    assert [_declared(case) for case in bugs()] == [_declared(case) for case in twins()]


def test_every_case_is_an_application_without_a_fault() -> None:
    """A planted bug is nothing that verification could refuse."""
    for case in (*bugs(), *twins()):
        case.app.build()


def _site(process: str, fiber: str, operation: str, nth: int, kind: Kind) -> Site:
    return Site(process, fiber, operation, nth, kind)


EXPOSED: dict[int, tuple[OnCrash, dict[Site, str]]] = {
    1: ("retry", {_site("shop", "ann", "Readings.get", 1, "schedule"): "switch"}),
    2: ("retry", {_site("till", "ann", "Readings.get", 1, "schedule"): "switch"}),
    3: ("abandon", {_site("desk", "ann", "Outside.tell", 1, "fault"): "crash after"}),
    4: ("retry", {_site("room", "clerk", "mark", 1, "fault"): "crash after"}),
    5: ("retry", {_site("room", "clerk", "Outside.tell", 1, "fault"): "crash after"}),
    6: ("retry", {_site("hall", "hall.by-hand", "Broker.deliver", 1, "message"): "twice"}),
    7: ("retry", {_site("hall", "hall.by-hand", "Broker.ack", 1, "fault"): "crash after"}),
    8: ("retry", {_site("hall", "hall.by-hand", "is_new", 1, "fault"): "crash after"}),
    9: ("retry", {_site("till", "ann", "Outside.ask", 1, "fault"): "NoAnswer after it was done"}),
    10: ("abandon", {_site("till", "ann", "Outside.tell", 1, "fault"): "crash after"}),
    11: ("retry", {_site("desk", "sweeper", "drop", 1, "schedule"): "switch"}),
    12: ("retry", {_site("hall", "hall.prices", "Broker.deliver", 1, "message"): "late"}),
    13: ("retry", {_site("hall", "hall.loans", "Outside.ask", 1, "fault"): "NoAnswer"}),
    14: ("retry", {_site("room", "one", "send", 1, "time"): "60 s late"}),
    15: (
        "retry",
        {
            _site("shop", "ann", "mark", 2, "fault"): "crash after",
            _site("shop", "ann", "pay", 2, "fault"): "crash after",
        },
    ),
    16: ("retry", {_site("desk", "ann", "Outside.tell", 1, "fault"): "cancelled"}),
    17: ("retry", {_site("desk", "ann", "Records.put", 1, "schedule"): "switch"}),
    18: ("retry", {_site("desk", "ann", "Readings.all", 1, "schedule"): "switch"}),
    19: ("retry", {_site("shop", "owner", "Transaction.commit", 1, "fault"): "the disk fails"}),
}
"""For each bug a plan of as many deviations as its case says, and what a client does about a crash."""


class Told:
    """Deviate where a plan names a site, by the name of the alternative."""

    def __init__(self, plan: dict[Site, str]) -> None:
        self._plan = plan

    def choose(self, site: Site, alternatives: Sequence[str]) -> int:
        """Return the index of what was named."""
        return alternatives.index(self._plan[site]) if site in self._plan else 0


@pytest.mark.parametrize("planted", ["bug", "twin"])
@pytest.mark.parametrize("number", range(1, 20))
def test_the_boring_run_shows_no_bug(number: int, planted: str) -> None:
    """Whoever runs it once, in one order, finds nothing."""
    assert simulation_of(_case(number, planted)).run(Canonical()).is_sound


@pytest.mark.parametrize("number", range(1, 20))
def test_as_many_deviations_as_declared_show_the_bug_and_its_twin_stands_them(number: int) -> None:
    """The bug breaks its invariant or never ends; the twin does neither under the same plan."""
    on_crash, plan = EXPOSED[number]
    bug = _case(number, "bug")
    run = simulation_of(bug, faults=every_fault(bug), on_crash=on_crash).run(Told(plan))
    assert len(run.plan) == bug.deviations
    assert run.broken or run.ending != "done"
    assert run.troubles == ()
    twin = _case(number, "twin")
    assert simulation_of(twin, faults=every_fault(twin), on_crash=on_crash).run(Told(plan)).is_sound


def _case(number: int, planted: str) -> Case:
    return (bugs() if planted == "bug" else twins())[number - 1]
