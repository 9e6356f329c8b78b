"""Print the hashes of some runs: `python -m tests.simulation.hashes`. Every machine and Python must print the same."""

from __future__ import annotations

from datetime import timedelta

from effect_runtime.testing import Fails, Faults, Walk
from tests.simulation.corpus import bugs
from tests.simulation.corpus.case import Case
from tests.simulation.running import simulation_of

NUMBERS = (1, 6, 9, 12, 14, 16, 18)
SEEDS = range(6)


def everything(case: Case) -> Faults:
    """Return every fault that may meet a case."""
    return Faults(
        crashes=True,
        cancels=True,
        commits=True,
        messages=True,
        slow=(timedelta(seconds=1), timedelta(minutes=1)),
        fails=tuple(Fails(each.method, each.failure, each.applied) for each in case.fails),
    )


def hashes() -> list[str]:
    """Return a line for each walk: the case, the seed, how many deviations, the hash."""
    lines = []
    for case in (case for case in bugs() if case.number in NUMBERS):
        simulation = simulation_of(case, faults=everything(case))
        with simulation.shut_in():
            for seed in SEEDS:
                run = simulation.run(Walk(seed))
                lines.append(f"{case.number} {seed} {len(run.plan)} {run.trace.hash}")
    return lines


if __name__ == "__main__":
    print("\n".join(hashes()))
