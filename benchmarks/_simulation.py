"""How fast simulated worlds run: two contexts, an outbox, a relay, a broker and an inbox on SQLite in memory.

`python -m benchmarks simulation [--json]` measures runs and operations a second, under the boring order and under
random walks with every fault, and writes the figures down. Knows nothing of the other workloads.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, Never

from attrs import asdict, frozen

from benchmarks._results import RESULTS, machine, revision
from effect_runtime import App, Context, Do, Outbox, Topic, Transaction, integration_event, operation, publish
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.testing import Canonical, Chooser, Client, Faults, Simulation, Walk
from effect_runtime.transports import InProcess

_TABLE: Final = Migration(1, "numbers", ("CREATE TABLE number(k TEXT PRIMARY KEY, v INTEGER NOT NULL) STRICT",))
_SECONDS: Final = 5.0


class DeskEvents(Topic, name="benchmark.desk"):
    """What the desk tells."""

    __slots__ = ()


@frozen
@integration_event("benchmark.lent", key="book")
class Lent(DeskEvents):
    """A book was lent."""

    book: str


@frozen
class Lend:
    """Lend a book to a patron."""

    book: str
    patron: str


class Numbers:
    """Numbers by key."""

    def __init__(self, session: SqliteSession) -> None:
        self._session = session

    @operation(kind="transactional")
    async def get(self, key: str) -> int:
        """Read a number."""
        row = await self._session.fetch_one("SELECT v FROM number WHERE k = ?", (key,))
        return 0 if row is None else int(row["v"])

    @operation(kind="transactional")
    async def put(self, key: str, value: int) -> None:
        """Write a number."""
        await self._session.execute("INSERT OR REPLACE INTO number VALUES (?, ?)", (key, value))


@frozen
class Desk:
    """What lending and counting need."""

    numbers: Numbers
    outbox: Outbox[Any]


@frozen(kw_only=True)
class Figures:
    """What was measured, in processor time, by one program on one core."""

    chooser: str
    runs: int
    operations: int
    runs_per_second: float
    operations_per_second: float


def scenario(faults: Faults | None = None) -> Simulation:
    """Return a world of 40 operations: four commands at a desk, each told to a hall by an event."""
    desk = Context("desk", Desk, publishes=[DeskEvents])
    hall = Context("hall", Desk)

    @desk.command(access="public")
    def lend(cmd: Lend) -> Do[None, Never, Desk]:
        rt = yield from desk.runtime
        loans = yield from rt.numbers.get(cmd.patron)
        copies = yield from rt.numbers.get(cmd.book)
        yield from rt.numbers.put(cmd.patron, loans + 1)
        yield from rt.numbers.put(cmd.book, copies - 1)
        yield from publish(Lent(cmd.book))

    heard = hall.subscribe(DeskEvents, id="hall.desk", start="earliest")

    @heard.on(Lent)
    def count_loan(event: Lent) -> Do[None, Never, Desk]:
        rt = yield from hall.runtime
        lent = yield from rt.numbers.get(event.book)
        all_lent = yield from rt.numbers.get("all")
        yield from rt.numbers.put(event.book, lent + 1)
        yield from rt.numbers.put("all", all_lent + 1)

    def make(tx: Transaction[SqliteSession]) -> Desk:
        return Desk(Numbers(tx.session), tx.outbox)

    contexts = [each.bind(make, store=SqliteStore(f"{each.name}.db", migrations=[_TABLE])) for each in (desk, hall)]
    clients = [Client(patron, [lend(Lend("b1", patron)), lend(Lend("b2", patron))]) for patron in ("ann", "bob")]
    return Simulation(App("benchmark", wire=InProcess(), contexts=contexts), clients, faults=faults)


def _measured(name: str, simulation: Simulation, choosers: Iterator[Chooser]) -> Figures:
    """Run for some seconds of processor time; every run must be sound, or the figures mean nothing."""
    runs = operations = 0
    with simulation.shut_in():
        simulation.run(next(choosers))
        began = ended = time.process_time()
        while ended - began < _SECONDS:
            run = simulation.run(next(choosers))
            assert run.is_sound, run.broken or run.troubles or run.ending
            runs += 1
            operations += sum(step.what.startswith(_OPERATIONS) for step in run.trace.steps)
            ended = time.process_time()
    spent = ended - began
    return Figures(
        chooser=name,
        runs=runs,
        operations=operations,
        runs_per_second=round(runs / spent, 1),
        operations_per_second=round(operations / spent, 1),
    )


_OPERATIONS: Final = ("Numbers.", "Outbox.add", "lend")


def figures() -> list[Figures]:
    """Measure the boring order, random orders, and random orders with crashes, duplicates and delays."""
    everything = Faults(crashes=True, messages=True)
    return [
        _measured("boring", scenario(), (Canonical() for _ in count())),
        _measured("random", scenario(), (Walk(seed) for seed in count())),
        _measured("random, with crashes", scenario(everything), (Walk(seed) for seed in count())),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and write `benchmarks/results/simulated-worlds.json`."""
    began = datetime.now(UTC)
    measured = [asdict(each) for each in figures()]
    commit, clean = revision()
    record = {
        "name": "simulated-worlds",
        "commit": commit,
        "clean": clean,
        "began": began.isoformat(timespec="seconds"),
        "seconds_each": _SECONDS,
        "clock": "processor time of one process",
        "machine": machine(),
        "load": os.getloadavg()[0],
        "figures": measured,
    }
    (RESULTS / "simulated-worlds.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if "--json" in arguments:
        print(json.dumps(record))
    else:
        for each in measured:
            print("{chooser:24} {runs_per_second:>9} runs/s {operations_per_second:>10} operations/s".format(**each))
    return 0
