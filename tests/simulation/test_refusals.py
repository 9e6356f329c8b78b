"""What a world must not claim: faults that no contract allows, contexts that are nowhere, stores that are missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from attrs import frozen

from effect_runtime import App, Context, Eff
from effect_runtime.errors import NotSimulated
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing import Canonical, Client, Fails, Faults, Hears, Simulation
from tests.simulation.corpus.bug_12_older_over_newer import twin as prices
from tests.simulation.corpus.bug_13_poison_blocks import twin as loans
from tests.simulation.corpus.case import Case
from tests.simulation.corpus.loans import LoanEvents
from tests.simulation.corpus.office import Listener, NoAnswer, Outside, Records


@frozen
class Unheard:
    """A failure that nobody declares."""


def simulated(case: Case, **options: Any) -> Simulation:
    """Describe a world around a case, and do no run."""
    return Simulation(case.app, [], **options)


async def unheard(app: App, delivery: Any) -> None:
    """Take a delivery."""


def in_memory() -> App:
    """Return an application on a store in memory."""
    return App("memory", contexts=[Context("memory", Unheard).bind(lambda tx: Unheard(), store=MemoryStore())])


def prices_of_ann() -> Sequence[Eff[Any, Any, Any]]:
    """Return programs that ask the desk."""
    return prices().clients[0].programs


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
    "strangers on the wire of one process": (
        lambda: simulated(loans(), processes={"all": ["desk", "hall"]}, faults=Faults(poison=True)),
        "strangers' messages cannot be simulated: nobody else can send on the wire inside one process; "
        "give each context a process of its own, or leave poison=True out.",
    ),
    "a loss of power of one process": (
        lambda: simulated(loans(), processes={"all": ["desk", "hall"]}, faults=Faults(power=True)),
        "a loss of power cannot be simulated: there is one process, and its own crash is the same; give crashes=True.",
    ),
    "a storm of crashes where nobody crashes": (
        lambda: simulated(loans(), faults=Faults(storms=True)),
        "a storm of crashes cannot be simulated: nobody ever boots again; give crashes=True, too.",
    ),
    "a pause of nothing": (
        lambda: simulated(loans(), faults=Faults(pauses=(timedelta(0),))),
        "a process that is paused for 0:00:00 cannot be simulated: time passes forwards; give more than 0.",
    ),
    "an answer before the question": (
        lambda: simulated(loans(), faults=Faults(answers=(timedelta(seconds=-1),))),
        "an answer that is late by -1 day, 23:59:59 cannot be simulated: time passes forwards; give more than 0.",
    ),
    "a clock that is right": (
        lambda: simulated(loans(), faults=Faults(clocks=(timedelta(0),))),
        "a clock that jumps by nothing cannot be simulated: it is right; give how far it is set.",
    ),
    "a clock that jumps further than anybody waits": (
        lambda: simulated(loans(), faults=Faults(clocks=(-timedelta(hours=1),))),
        "a clock that jumps by -1 day, 23:00:00 cannot be simulated: what it writes down comes due after the horizon "
        "of 0:05:00; give a longer horizon=.",
    ),
    "commits that fail without a disk": (
        lambda: Simulation(in_memory(), [], faults=Faults(commits=True)),
        "commits that fail cannot be simulated: a MemoryStore has no disk; "
        "bind a context to a SqliteStore, or leave commits=True out.",
    ),
    "verdicts that are lost without a disk": (
        lambda: Simulation(in_memory(), [], faults=Faults(verdicts=True)),
        "commits that fail cannot be simulated: a MemoryStore has no disk; "
        "bind a context to a SqliteStore, or leave verdicts=True out.",
    ),
    "a client in a process that is none": (
        lambda: Simulation(prices().app, [Client("ann", [], process="cellar")]),
        "client 'ann' in process 'cellar' cannot be simulated: there are desk, hall; name one of these.",
    ),
    "a client who asks a context of another process": (
        lambda: Simulation(prices().app, [Client("ann", prices_of_ann(), process="hall")]),
        "client 'ann', who asks context 'desk' in process 'hall', cannot be simulated: only hall run there; "
        "give the program to a client of its own, or let one process run both contexts.",
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


def test_what_is_done_inside_a_transaction_is_never_done_and_unanswered() -> None:
    """Told in the first run: a port does not say of which kind its adapters are."""
    case = prices()
    lost = Fails(Records.put, OSError("lost"), applied=True)
    run = Simulation(case.app, [Client("ann", case.clients[0].programs)], faults=Faults(fails=(lost,))).run(Canonical())
    assert (run.failure, [str(trouble) for trouble in run.troubles][:1]) == (
        "uncaught(NotSimulated)",
        [
            "Records.put failing after it was done cannot be simulated: what it does inside a transaction stands or "
            "falls with that, and its answer comes with it; leave applied=True out, or let a commit lose its verdict "
            "with verdicts=True."
        ],
    )
