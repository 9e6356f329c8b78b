"""`python -m tests.simulation.ourselves --seconds S [--seed N] [--world NAME] [--write]`: explore what we have built.

Exits with 1 when anything was found; its report has a blob with which `effect_runtime.testing.replay` repeats it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta

from benchmarks._results import RESULTS, machine, revision
from tests.simulation.ourselves.worlds import WORLDS, explored, told


def main(arguments: list[str]) -> int:
    """Explore every world, or those that are named."""
    parser = ArgumentParser(
        prog="python -m tests.simulation.ourselves", description="Explore simulated worlds of the library's own."
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="in all; each world gets an equal share")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", action="append", choices=sorted(WORLDS), help="only this one; may be repeated")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/explored.json")
    chosen = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)  # what is tried again is nothing to be told of here: it is what is tested
    began, worlds = datetime.now(UTC), []
    commit, clean = revision()
    for found in explored(chosen.world or list(WORLDS), budget=timedelta(seconds=chosen.seconds), seed=chosen.seed):
        print(told(found), flush=True)
        worlds.append(found)
    is_well = all(found["ok"] for found in worlds)
    if chosen.write:
        record = {
            "name": "explored",
            "commit": commit,
            "clean": clean,
            "began": began.isoformat(timespec="seconds"),
            "seconds": chosen.seconds,
            "seed": chosen.seed,
            "machine": machine(),
            "load": os.getloadavg()[0],
            "plans": sum(found.get("plans", 0) + found.get("drawn", 0) for found in worlds),
            "findings": sum(not found["ok"] for found in worlds),
            "worlds": worlds,
            "ok": is_well,
        }
        (RESULTS / "explored.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
