"""Cases of the corpus as simulations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from effect_runtime.testing import Claim, Client, Fails, Faults, Hears, Simulation
from tests.simulation.corpus.case import Case


def simulation_of(case: Case, *, claims: Sequence[Claim] = (), **options: Any) -> Simulation:
    """Return a case as a simulation, with the faults that it declares unless it is told otherwise.

    `claims` must hold at the end, beside those of the case.
    """
    options.setdefault(
        "faults", Faults(fails=tuple(Fails(each.method, each.failure, each.applied) for each in case.fails))
    )
    return Simulation(
        case.app,
        [Client(client.name, client.programs, client.after) for client in case.clients],
        given=case.given,
        parties=case.parties,
        hears=[Hears(each.context, each.topic, each.id, each.receive) for each in case.hears],
        always=case.always,
        at_end=[*case.at_end, *claims],
        eventually=case.eventually,
        **options,
    )


def every_fault(case: Case) -> Faults:
    """Return every fault that may meet a case, without those that it does not claim to survive."""
    return Faults(
        crashes="crash" not in case.excluded,
        cancels="cancel" in case.needs,
        commits="failure" not in case.excluded,
        messages=True,
        slow=(timedelta(seconds=1),) if "time" in case.excluded else (timedelta(seconds=1), timedelta(minutes=1)),
        fails=tuple(Fails(each.method, each.failure, each.applied) for each in case.fails),
    )
