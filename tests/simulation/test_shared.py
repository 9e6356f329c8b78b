"""Processes that share a subscription, and SQL that asks for time and chance: both are a world's, and repeatable."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import frozen

from effect_runtime import App, Context, Do, Transaction, operation
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.testing import Canonical, Client, Faults, Simulation, Walk
from effect_runtime.testing.world._process import OnCrash
from tests.simulation.corpus.bug_12_older_over_newer import twin as prices
from tests.simulation.running import simulation_of

HALLS = {"desk": ["desk"], "hall-1": ["hall"], "hall-2": ["hall"]}


def test_two_processes_of_a_subscription_take_turns() -> None:
    """As two consumers in one group of a real broker: each of them acknowledges some of the messages, none both."""
    run = simulation_of(prices(), processes=HALLS).run(Canonical())
    acks = [(step.process, step.values[0]) for step in run.trace.steps if step.what == "Broker.ack"]
    assert run.is_sound
    assert acks == [("hall-1", 1), ("hall-2", 2)]


@pytest.mark.parametrize("on_crash", ["retry", "abandon"])
def test_two_processes_of_a_subscription_lose_and_double_nothing(on_crash: OnCrash) -> None:
    """Their inbox is one: whoever gets a message, twice, late or after a death, it is applied once and in order."""
    faults = Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),))
    simulation = simulation_of(prices(), processes=HALLS, faults=faults, on_crash=on_crash)
    with simulation.shut_in():
        runs = [simulation.run(Walk(seed, every=8)) for seed in range(25)]
    assert [run.failure for run in runs] == [None] * 25
    assert {0, 1} <= {run.crashes for run in runs}


@frozen
class Note:
    """Write one note."""


@frozen
class Notes:
    """Notes that say by themselves when they were written, and by which number they are known."""

    session: SqliteSession

    @operation(kind="transactional")
    async def add(self) -> str:
        """Add one and return what it says."""
        row = await self.session.fetch_one("INSERT INTO note DEFAULT VALUES RETURNING at, token")
        assert row is not None  # an INSERT returns its row
        return f"{row['at']} {row['token']}"


@frozen
class Desk:
    """What a handler here may use."""

    notes: Notes


NOTES = Migration(
    1,
    "notes",
    [
        "CREATE TABLE note(at TEXT DEFAULT CURRENT_TIMESTAMP, token TEXT DEFAULT (hex(randomblob(8))))",
        "CREATE VIEW recent AS SELECT token FROM note WHERE at > datetime('now', '-90 seconds')",
    ],
)


def noting() -> Simulation:
    """Two clients write a note, the second two minutes later."""
    desk = Context("desk", Desk)

    @desk.command(access="public")
    def note(cmd: Note) -> Do[str, Any, Desk]:
        rt = yield from desk.runtime
        return (yield from rt.notes.add())

    def make(tx: Transaction[SqliteSession]) -> Desk:
        return Desk(Notes(tx.session))

    app = App("notes", contexts=[desk.bind(make, store=SqliteStore("notes.db", migrations=[NOTES]))])
    clients = [Client("ann", [note(Note())]), Client("bob", [note(Note())], timedelta(minutes=2))]
    return Simulation(app, clients, faults=Faults(crashes=True))


def test_time_and_chance_in_sql_are_those_of_the_world() -> None:
    """In defaults, in views, in what is answered: virtual time, and the same chance in each run."""
    simulation = noting()
    run = simulation.run(Canonical())
    exits: Any = run.exits
    ann, bob = exits["ann"][0].value, exits["bob"][0].value
    assert (ann[:19], bob[:19]) == ("2030-01-01 12:00:00", "2030-01-01 12:02:00")
    assert ann[20:] != bob[20:]
    (stored,) = simulation.contents()
    assert [f"{at} {token}" for at, token in stored["note"]] == [ann, bob]
    simulation.confirm(run)


@pytest.mark.parametrize("seed", range(5))
def test_a_crash_changes_nothing_of_that(seed: int) -> None:
    """A plan with crashes has one trace, too, whatever SQL has drawn."""
    simulation = noting()
    run = simulation.run(Walk(seed, every=3))
    assert run.is_sound
    simulation.confirm(run)
    assert noting().replay(run.plan).trace.hash == run.trace.hash
