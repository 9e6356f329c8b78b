"""Cases of the corpus as simulations."""

from __future__ import annotations

from typing import Any

from effect_runtime.testing import Client, Fails, Faults, Hears, Simulation
from tests.simulation.corpus.case import Case


def simulation_of(case: Case, **options: Any) -> Simulation:
    """Return a case as a simulation, with the faults that it declares unless it is told otherwise."""
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
        at_end=[*case.at_end, *case.eventually],
        **options,
    )
