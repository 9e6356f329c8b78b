"""`python -m tests.chaos --kills N --seed S [--cell 2/1/3/2w] [--points F3,F8] [--sabotage WAY] [--log FILE] ...`."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from tests.chaos.driver import Settings
from tests.chaos.fleet import FleetLost
from tests.chaos.plan import STOPS, deck, is_known, kills
from tests.chaos.report import commit, told, told_round, write
from tests.chaos.rounds import Record, added_up, cell_named, played, read_log, rounds
from tests.chaos.sabotage import SABOTAGES


def main(arguments: list[str]) -> int:
    """Do one run; 0 when every promise was kept, 1 when one was not, 2 when there was nothing to judge."""
    chosen = _parsed(arguments)
    record = added_up(_merged(chosen.merge) if chosen.merge else _played(chosen))
    print(told(record))
    if chosen.write:
        print(f"written: {write(record)}")
    if chosen.json:
        print(json.dumps(record))
    return 0 if record["ok"] else 1


def _parsed(arguments: list[str]) -> Namespace:
    parser = ArgumentParser(
        prog="python -m tests.chaos", description="Kill real processes and compare with the ledger."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each further one has the next")
    parser.add_argument("--cell", type=cell_named, help="producers/relays/consumers/files, and a w for a whole one")
    points = ", ".join(dict.fromkeys((*deck(), *STOPS)))
    parser.add_argument("--points", default="", help=f"only these, separated by commas, of {points}")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="break the library on purpose")
    parser.add_argument("--accounts", type=int, default=40, help="the fewer, the longer their queues")
    parser.add_argument("--sick", type=float, default=0.06, help="share of payments that become dead letters")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds until what does not rest is stuck")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--keep", action="store_true", help="keep the files even when nothing is wrong")
    parser.add_argument("--log", type=Path, help="append each round to this file; rounds that it has are not played")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="LOG", help="play nothing, add up what logs hold")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/kills-sqlite.json")
    chosen = parser.parse_args(arguments)
    chosen.points = tuple(point for point in chosen.points.split(",") if point)
    if unknown := [point for point in chosen.points if not is_known(point)]:
        parser.error(f"unknown points: {', '.join(unknown)}")
    if chosen.points and not any(kills(point) for point in chosen.points):
        parser.error("none of these points kills")
    if chosen.kills < 1:
        parser.error("at least one kill")
    return chosen


def _played(chosen: Namespace) -> list[Record]:
    settings = Settings(
        kills=chosen.kills,
        seed=chosen.seed,
        points=chosen.points,
        sabotage=chosen.sabotage,
        accounts=chosen.accounts,
        sick=chosen.sick,
        patience=chosen.patience,
    )
    plan = list(rounds(settings, chosen.cell))
    records: list[Record] = []
    for record in played(plan, commit=commit(), log=chosen.log, keep=chosen.keep):
        print(told_round(record), flush=True)
        records.append(record)
    return records


def _merged(logs: list[Path]) -> list[Record]:
    """Read the rounds of several logs; one that stands in two of them counts once."""
    found = {record["seed"]: record for log in logs for record in read_log(log)}
    return [found[seed] for seed in sorted(found)]


if __name__ == "__main__":
    status = 2
    try:
        status = main(sys.argv[1:])
    except* FleetLost as lost:
        print(*lost.exceptions, sep="\n", file=sys.stderr)
    sys.exit(status)
