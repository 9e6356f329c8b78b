"""The corpus is whole: nineteen planted bugs, each with a twin that differs in the planted part alone."""

from __future__ import annotations

from tests.simulation.corpus import bugs, twins
from tests.simulation.corpus.case import Case


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
