"""Print the hashes of some runs: `python -m tests.simulation.hashes`. Every machine and Python must print the same."""

from __future__ import annotations

from effect_runtime.testing import Walk
from tests.simulation.corpus import bugs
from tests.simulation.running import every_fault, simulation_of

NUMBERS = (1, 6, 9, 12, 14, 16, 18)
SEEDS = range(6)


def hashes() -> list[str]:
    """Return a line for each walk: the case, the seed, how many deviations, the hash."""
    lines = []
    for case in (case for case in bugs() if case.number in NUMBERS):
        simulation = simulation_of(case, faults=every_fault(case))
        with simulation.shut_in():
            for seed in SEEDS:
                run = simulation.run(Walk(seed))
                lines.append(f"{case.number} {seed} {len(run.plan)} {run.trace.hash}")
    return lines


if __name__ == "__main__":
    print("\n".join(hashes()))
