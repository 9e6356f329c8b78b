"""`python -m tests.chaos --kills N --seed S [--json] [--write] [--keep] [--points F3,F8] [--sabotage WAY]`."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import anyio

from tests.chaos.driver import Settings, rampage
from tests.chaos.fleet import FleetLost
from tests.chaos.plan import deck
from tests.chaos.report import is_clean, row, told, write
from tests.chaos.sabotage import SABOTAGES


def main(arguments: list[str]) -> int:
    """Do one run; 0 when every promise was kept, 1 when one was not, 2 when there was nothing to judge."""
    parser = ArgumentParser(
        prog="python -m tests.chaos", description="Kill real processes and compare with the ledger."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--points", default="", help=f"only these, separated by commas, of {', '.join(deck()[:-2])}, all"
    )
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="break the library on purpose")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until what does not rest is stuck")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/kills-sqlite-N.json")
    parser.add_argument("--keep", action="store_true", help="keep the files even when nothing is wrong")
    chosen = parser.parse_args(arguments)
    points = tuple(point for point in chosen.points.split(",") if point)
    if unknown := set(points) - set(deck()):
        parser.error(f"unknown points: {', '.join(sorted(unknown))}")
    if chosen.kills < 1:
        parser.error("at least one kill")
    settings = Settings(
        kills=chosen.kills, seed=chosen.seed, points=points, sabotage=chosen.sabotage, patience=chosen.patience
    )
    folder = Path(mkdtemp(prefix="chaos-"))
    result = anyio.run(rampage, settings, folder)
    print(told(result))
    if chosen.keep or not is_clean(result):
        print(f"files and ledgers: {folder}")
    else:
        rmtree(folder)
    if chosen.write:
        print(f"written: {write(result)}")
    if chosen.json:
        print(json.dumps(row(result)))
    return 0 if is_clean(result) else 1


if __name__ == "__main__":
    status = 2
    try:
        status = main(sys.argv[1:])
    except* FleetLost as lost:
        print(*lost.exceptions, sep="\n", file=sys.stderr)
    sys.exit(status)
