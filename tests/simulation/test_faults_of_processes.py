"""Faults of whole processes: pauses, losses of power, storms of crashes, upgrades."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import App, Context, Do, Transaction, operation
from effect_runtime.effect import TimedOut, timeout
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteSession, SqliteStore
from effect_runtime.runtime import Clock
from effect_runtime.testing import Canonical, Client, Faults, Planned, Simulation, View
from tests.simulation.corpus.office import TABLES, SqliteRecords, recorded
from tests.simulation.faulty import MINUTE, SECOND, of, shown
from tests.simulation.ourselves.library import two_desks

LEASE = timedelta(seconds=30)


@frozen
class Busy:
    """Somebody else has the board."""


@define(eq=False)
class Board:
    """A board outside, lent for half a minute: `written` has the numbers of the loans under which something came."""

    written: list[int] = field(factory=list)
    _loans: int = 0
    _until: datetime | None = None

    def reset(self) -> None:
        """Forget everything."""
        self.written.clear()
        self._loans, self._until = 0, None

    @operation(kind="external", idempotent=True)
    async def borrow(self, now: datetime) -> Result[int, Busy]:
        """Borrow the board, and return the number of the loan."""
        if self._until is not None and now < self._until:
            return Failure(Busy())
        self._loans, self._until = self._loans + 1, now + LEASE
        return Success(self._loans)

    @operation(kind="external", idempotent=True)
    async def write(self, loan: int, *, fenced: bool) -> None:
        """Write under a loan; fenced, under none but the last."""
        if not fenced or loan == self._loans:
            self.written.append(loan)


@frozen
class Writing:
    """What writing needs."""

    board: Board
    clock: Clock


@frozen
class Write:
    """Write something."""


def boards(*, planted: bool, **options: Any) -> Simulation:
    """Two processes and one board: who has it for less than its lease believes that a time-out is guard enough."""
    board = Board()

    def writer(name: str) -> tuple[Context[Writing, Any], Any]:
        context = Context(name, Writing)

        @context.command(access="public")
        def write(cmd: Write) -> Do[None, Busy | TimedOut, Writing]:
            rt = yield from context.runtime
            loan = yield from rt.board.borrow((yield from rt.clock.now()))
            yield from timeout(rt.board.write(loan, fenced=not planted), timedelta(seconds=10))

        return context, write

    def make(tx: Transaction[Any]) -> Writing:
        return Writing(board, tx.clock)

    (one, write_one), (two, write_two) = writer("one"), writer("two")
    bindings = [each.bind(make, store=MemoryStore(each.name)) for each in (one, two)]
    app = App("boards", contexts=bindings, diagnostics=lambda _: None)
    clients = [
        Client("ann", [write_one(Write())]),
        Client("bob", [write_two(Write())], after=timedelta(seconds=40)),
    ]

    def nobody_writes_under_an_older_loan(view: View) -> bool:
        return board.written == sorted(board.written)

    return Simulation(app, clients, parties=[board], always=[nobody_writes_under_an_older_loan], **options)


def test_a_pause_of_a_process_shows_a_zombie_that_no_time_out_stops() -> None:
    """A slow operation is cut off by its time-out; a process that stood still goes on before its timers know."""
    faults = Faults(crashes=True, slow=(SECOND, MINUTE), pauses=(MINUTE,))
    assert shown(boards(planted=True, faults=faults)) == {"paused for 60 s"}
    assert shown(boards(planted=False, faults=faults)) == set()


def test_a_paused_process_wakes_and_says_so() -> None:
    """Meanwhile the other one goes on; what came due in its sleep comes due when it wakes."""
    run = of(boards(planted=False, faults=Faults(pauses=(MINUTE,))), "paused for 60 s", nth=4)
    told = [(step.at, step.process, step.what) for step in run.trace.steps if step.what in ("Board.write", "wakes")]
    assert told == [(40.0, "two", "Board.write"), (60.0, "one", "wakes"), (60.0, "one", "Board.write")]


@define(eq=False)
class Grid:
    """A network of processes that remember for each other: what is put goes to all who live, who boots asks them."""

    members: dict[str, tuple[Any, set[str]]] = field(factory=dict)

    def reset(self) -> None:
        """Forget everything."""
        self.members.clear()

    def join(self, name: str) -> None:
        """Begin to remember, with what the others know."""
        known = set[str]().union(*self.remembered)
        self.members[name] = asyncio.get_running_loop(), known

    @property
    def remembered(self) -> list[set[str]]:
        """Return what each living process knows."""
        return [known for loop, known in self.members.values() if loop.is_running()]

    @operation(kind="external", idempotent=True)
    async def put(self, name: str) -> None:
        """Let everybody know something."""
        for known in self.remembered:
            known.add(name)


@frozen
class Remembering:
    """What remembering needs."""

    grid: Grid
    records: SqliteRecords


@frozen
class Remember:
    """Remember a name."""

    name: str


def remembering(*, planted: bool, **options: Any) -> Simulation:
    """Two processes keep a name in the memory of both, as if one of them always lived; the twin writes it down."""
    grid = Grid()

    def opened(name: str) -> Callable[[], Any]:
        @asynccontextmanager
        async def joined() -> AsyncIterator[str]:
            grid.join(name)
            yield name

        return joined

    one, two = Context("one", Remembering), Context("two", Remembering)

    @one.command(access="public")
    def remember(cmd: Remember) -> Do[None, Any, Remembering]:
        rt = yield from one.runtime
        if not planted:
            yield from rt.records.put("known", cmd.name, 1)
        yield from rt.grid.put(cmd.name)

    def make(tx: Transaction[SqliteSession], joined: str) -> Remembering:
        return Remembering(grid, SqliteRecords(tx.session))

    bindings = [
        each.bind(make, store=SqliteStore(f"{each.name}.db", migrations=[TABLES]), resources=opened(each.name))
        for each in (one, two)
    ]
    app = App("grid", contexts=bindings, diagnostics=lambda _: None)

    def somebody_remembers(view: View) -> bool:
        return any("dune" in known for known in grid.remembered) or bool(recorded(view, "one", "known"))

    clients = [Client("ann", [remember(Remember("dune")), remember(Remember("emma"))])]
    return Simulation(app, clients, parties=[grid], eventually=[somebody_remembers], **options)


def test_a_loss_of_power_shows_what_lives_in_the_memory_of_all_processes() -> None:
    """One of them may die at any moment, and the other one tells it when it boots: only together do they forget."""
    faults = Faults(crashes=True, power=True, slow=(SECOND,), pauses=(MINUTE,))
    assert shown(remembering(planted=True, faults=faults)) == {"crash of all processes before"}
    assert shown(remembering(planted=False, faults=faults)) == set()


def test_all_processes_die_at_once_and_boot_again() -> None:
    """Production survives it anywhere; each life of each process ends."""
    simulation = two_desks(faults=Faults(power=True))
    run = of(simulation, "crash of all processes before", nth=20)
    dead = [(step.process, step.at) for step in run.trace.steps if step.what == "CRASH"]
    assert ([process for process, _ in dead], len({at for _, at in dead})) == (["desk-1", "desk-2", "catalog"], 1)
    assert (run.crashes, run.failure) == (3, None)


@define(eq=False)
class Guard:
    """Something outside that counts boots, and lets nobody in any more who boots again and again."""

    patience: int
    boots: int = 0

    def reset(self) -> None:
        """Forget everything."""
        self.boots = 0

    def admit(self) -> None:
        """Count a boot."""
        self.boots += 1
        if self.boots > self.patience:
            raise RuntimeError("it dies again and again")


def guarded(*, patience: int, **options: Any) -> Simulation:
    """A process that has to be let in where it boots."""
    guard, door = Guard(patience), Context("door", Remembering)

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        guard.admit()
        yield

    @door.command(access="public")
    def remember(cmd: Remember) -> Do[None, Any, Remembering]:
        rt = yield from door.runtime
        yield from rt.records.put("known", cmd.name, 1)

    def make(tx: Transaction[SqliteSession], none: None) -> Remembering:
        return Remembering(Grid(), SqliteRecords(tx.session))

    store = SqliteStore("door.db", migrations=[TABLES])
    app = App("door", contexts=[door.bind(make, store=store, resources=opened)], diagnostics=lambda _: None)
    clients = [Client("ann", [remember(Remember("dune"))])]
    return Simulation(app, clients, given=[remember(Remember("emma"))], parties=[guard], **options)


def after_a_crash(simulation: Simulation) -> dict[str, tuple[str | None, int]]:
    """Return for each thing that may happen at the boot after a first crash the failure and the number of crashes."""
    crash = {next(site for site, titles in simulation.run(Canonical()).asked if "crash before" in titles): 1}
    asked = simulation.run(Planned(crash)).asked
    (boot,) = [(site, titles) for site, titles in asked if site.operation == "boot"]
    runs = {title: simulation.run(Planned({**crash, boot[0]: index})) for index, title in enumerate(boot[1])}
    return {title: (run.failure, run.crashes) for title, run in runs.items()}


def test_a_storm_of_crashes_shows_what_bears_two_boots_and_no_more() -> None:
    """Each life of a storm opens everything, and dies before it serves anybody."""
    faults, calm = Faults(crashes=True, storms=True), {"no fault": (None, 1), "crash before": (None, 2)}
    assert after_a_crash(guarded(patience=3, faults=faults)) == {
        **calm,
        "crash after": (None, 2),
        "crash 3 times after": ("deadlock", 3),
    }
    assert after_a_crash(guarded(patience=9, faults=faults)) == {
        **calm,
        "crash after": (None, 2),
        "crash 3 times after": (None, 4),
    }
