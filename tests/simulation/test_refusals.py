"""What a world must not claim: faults that no contract allows, contexts that are nowhere, stores that are missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import frozen

from effect_runtime import App
from effect_runtime.errors import NotSimulated
from effect_runtime.testing import Fails, Faults, Hears, Simulation
from tests.simulation.corpus.bug_12_older_over_newer import twin as prices
from tests.simulation.corpus.bug_13_poison_blocks import twin as loans
from tests.simulation.corpus.case import Case
from tests.simulation.corpus.loans import LoanEvents
from tests.simulation.corpus.office import Listener, NoAnswer, Outside


@frozen
class Unheard:
    """A failure that nobody declares."""


def simulated(case: Case, **options: Any) -> Simulation:
    """Describe a world around a case, and do no run."""
    return Simulation(case.app, [], **options)


async def unheard(app: App, delivery: Any) -> None:
    """Take a delivery."""


ILLEGAL: dict[str, tuple[Callable[[], object], str]] = {
    "a message twice on the wire of one process": (
        lambda: simulated(prices(), processes={"all": ["desk", "hall"]}, faults=Faults(messages=True)),
        "messages that come twice or late cannot be simulated: the wire inside one process promises neither; "
        "give each context a process of its own, or leave messages=True out.",
    ),
    "a failure that an adapter does not declare": (
        lambda: simulated(loans(), faults=Faults(fails=(Fails(Listener.ask, Unheard()),))),
        "Listener.ask failing with Unheard() cannot be simulated: it declares NoAnswer; "
        "add the failure to its annotation, or let it raise an exception.",
    ),
    "a failure of a port that cannot fail": (
        lambda: simulated(loans(), faults=Faults(fails=(Fails(Outside.tell, NoAnswer(), applied=True),))),
        "Outside.tell failing with NoAnswer() cannot be simulated: it declares nothing; "
        "add the failure to its annotation, or let it raise an exception.",
    ),
    "time that passes backwards": (
        lambda: simulated(loans(), faults=Faults(slow=(timedelta(seconds=-1),))),
        "an operation that is slow by -1 day, 23:59:59 cannot be simulated: time passes forwards; give more than 0.",
    ),
    "no context and no store": (
        lambda: Simulation(App("empty", contexts=[]), []),
        "an application without contexts cannot be simulated: it has no store; bind a context to one.",
    ),
    "a process of an unknown context": (
        lambda: simulated(loans(), processes={"a": ["desk", "hall"], "b": ["hell"]}),
        "context 'hell' cannot be simulated: the application binds desk, hall; name one of these.",
    ),
    "a context that no process runs": (
        lambda: simulated(loans(), processes={"a": ["desk"]}),
        "context 'hall' cannot be simulated: no process runs it; name it in processes={...}.",
    ),
    "a consumer of an unknown context": (
        lambda: simulated(loans(), hears=[Hears("hell", LoanEvents, "hell.loans", unheard)]),
        "context 'hell' cannot be simulated: the application binds desk, hall; name one of these.",
    ),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_no_contract_allows_is_refused_with_the_way_out(name: str) -> None:
    """Before the first run: a false alarm would be worse than none."""
    describe, message = ILLEGAL[name]
    with pytest.raises(NotSimulated) as refused:
        describe()
    assert str(refused.value) == message


def test_an_exception_may_come_from_any_operation() -> None:
    """A bug, or a machine that fails, is nothing that a contract lists."""
    simulated(loans(), faults=Faults(fails=(Fails(Outside.tell, OSError("no route")),)))
