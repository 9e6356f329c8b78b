"""`python -m benchmarks [NAME...] [--json] [--rounds N] [--write-docs]`: run workloads, print and keep the results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from benchmarks._corpus import main as score
from benchmarks._corpus_page import write_search_page
from benchmarks._environments import EnvironmentUnavailable
from benchmarks._observe import WorkerFailed, WrongResult, compare
from benchmarks._page import write_page
from benchmarks._registry import WORKLOADS
from benchmarks._results import Row, row_of, skipped_row, write
from benchmarks._simulation import main as simulate
from benchmarks._workload import Workload

COLUMNS = "{name:28} {ours:>12} {theirs:>12} {unit:6} {ratio:>7}  {interval:22} {target:>7}  {met}"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; 0 if every workload that can run here gave figures, whatever the verdicts."""
    if arguments[:1] == ["simulation"]:
        return simulate(arguments[1:])
    if arguments[:1] == ["corpus"]:
        return score(arguments[1:])
    asked = _parser().parse_args(arguments)
    if asked.write_docs:
        write_page()
        write_search_page()
        return 0
    if unknown := [name for name in asked.names if name not in WORKLOADS]:
        print(f"No workload {', '.join(unknown)}. There are: {', '.join(WORKLOADS)}.", file=sys.stderr)
        return 2
    if not asked.json:
        print(COLUMNS.format(**{key: key for key in _keys()}))
    failed = False
    for name in asked.names or WORKLOADS:
        try:
            row = _measured(WORKLOADS[name], rounds=asked.rounds)
        except (WrongResult, WorkerFailed) as failure:
            failed = True
            print(f"{name}: {failure}", file=sys.stderr)
        else:
            print(json.dumps(row) if asked.json else _readable(row), flush=True)
    return int(failed)


def _measured(workload: Workload, *, rounds: int | None) -> Row:
    try:
        comparison = compare(workload, rounds=rounds)
    except EnvironmentUnavailable as unavailable:
        return skipped_row(workload, str(unavailable))
    write(comparison)
    return row_of(comparison)


def _readable(row: Row) -> str:
    shown = {key: "-" if value is None else value for key, value in row.items()}
    return COLUMNS.format(**shown, interval=f"{shown['low']} .. {shown['high']}")


def _keys() -> tuple[str, ...]:
    return ("name", "ours", "theirs", "unit", "ratio", "interval", "target", "met")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Compare with what one would pick instead."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads to run; all of them if none is named")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--rounds", type=int, help="observations of each side, instead of each workload's own number")
    parser.add_argument("--write-docs", action="store_true", help="write the tables of the docs and stop")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
