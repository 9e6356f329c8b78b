"""A storm of due commands: as many as one likes, all due at one moment, over several processes on one file.

`python -m tests.scenarios.due_storm [--count N] [--processes N]` runs one and writes down, as
`benchmarks/results/due-storm.json`, that each was dispatched once, by which process, and how late they were.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import anyio
from attrs import asdict, frozen

from benchmarks._results import RESULTS, machine, revision
from tests.scenarios.later import a_process, moment

BATCH: Final = 500
"""Commands that one unit of work sends later."""


@frozen(kw_only=True)
class Storm:
    """What became of a storm. `late_*` are seconds after the moment for which all were due."""

    count: int
    processes: int
    once: int
    twice: int
    never: int
    early: int
    left: int
    letters: int
    spread: tuple[int, ...]
    late_p50: float
    late_p99: float
    late_max: float
    per_second: float

    @property
    def is_well(self) -> bool:
        """Tell whether each was dispatched once, and none too early."""
        return self.once == self.count and not (self.twice or self.never or self.early or self.left or self.letters)


async def storm(folder: Path, *, count: int, processes: int, lead: timedelta, within: float) -> Storm:
    """Plan a storm, let it break over the processes, and look at what it left; `within` bounds it in seconds."""
    file = folder / "till.db"
    with anyio.fail_after(within):
        async with a_process(file, "pay") as planner:
            due = moment(lead)
            for first in range(0, count, BATCH):
                await planner.order(first=first, count=min(BATCH, count - first), due=due.isoformat())
            for _ in range(0, count, BATCH):
                await planner.until("planned")
            await planner.end()
        async with AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(a_process(file, "work")) for _ in range(processes)]
            while _one(file, "SELECT count(*) FROM er_agenda"):
                await anyio.sleep(0.1)
            for worker in workers:
                await worker.end()
    return _judged(file, count=count, processes=processes)


def _judged(file: Path, *, count: int, processes: int) -> Storm:
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT count, late, process FROM tick").fetchall()
    late = sorted(row[1] / 1e6 for row in rows) or [0.0]
    spread = sorted(Counter(row[2] for row in rows).values(), reverse=True)
    return Storm(
        count=count,
        processes=processes,
        once=sum(row[0] == 1 for row in rows),
        twice=sum(row[0] > 1 for row in rows),
        never=count - len(rows),
        early=sum(seconds < 0 for seconds in late),
        left=_one(file, "SELECT count(*) FROM er_agenda"),
        letters=_one(file, "SELECT count(*) FROM er_dead"),
        spread=tuple(spread),
        late_p50=late[len(late) // 2],
        late_p99=late[min(len(late) - 1, len(late) * 99 // 100)],
        late_max=late[-1],
        per_second=round(len(rows) / max(late[-1] - late[0], 1e-6), 1),
    )


def _one(file: Path, statement: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (value,) = connection.execute(statement).fetchone()
    return int(value)


def main(arguments: Sequence[str]) -> int:
    """Run a storm and write down what it left; 0 if each command was dispatched once."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.due_storm", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=3)
    asked = parser.parse_args(arguments)
    began = datetime.now(UTC)
    with TemporaryDirectory() as folder:
        lead = timedelta(seconds=5 + asked.count / 2_000)  # planning takes its time, and none of them may be late yet
        found = anyio.run(
            lambda: storm(
                Path(folder), count=asked.count, processes=asked.processes, lead=lead, within=60 + asked.count / 50
            )
        )
    commit, clean = revision()
    record: dict[str, Any] = {
        "claim": "each due command is dispatched once and none early, whoever of several processes takes it",
        "verdict": "met" if found.is_well else "missed",
        **asdict(found),
        "commit": commit,
        "clean": clean,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "machine": machine(),
    }
    print(json.dumps(record, indent=1))
    (RESULTS / "due-storm.json").write_text(json.dumps(record, indent=1) + "\n")
    return 0 if found.is_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
