"""Scenario 3: kill -9 between commit and dispatch (F5).

Observable: L = {}; the first delivery comes after a restart, or by a surviving process.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.scenarios.shop import processes, verdict

pytestmark = pytest.mark.anyio


async def test_scenario_03_what_a_dead_process_has_committed_leaves_after_its_restart(tmp_path: Path) -> None:
    """The only process dies with a committed payment that nobody was told of: the next one delivers it, once."""
    slot = Slot("whole", 1)
    async with processes(tmp_path, Cell()) as shop:
        worker = await shop.ready(slot)
        await worker.order("F5", 1)
        assert await shop.pay(worker, "p1") is None
        await shop.arrived("p1")
        assert (await shop.ready(slot)).settings.name != worker.settings.name
    assert verdict(tmp_path) == Verdict()
    assert [line["point"] for line in shop.lines("dying")] == ["F5"]


async def test_scenario_03_what_a_dead_process_has_committed_leaves_by_a_survivor(tmp_path: Path) -> None:
    """A process without a relay dies: the relay of another one delivers what it had committed."""
    async with processes(tmp_path, Cell(whole=False)) as shop:
        producer = await shop.ready(Slot("producer", 1))
        await producer.order("F5", 1)
        assert await shop.pay(producer, "p1") is None
        await shop.arrived("p1")
    assert verdict(tmp_path) == Verdict()
    with closing(sqlite3.connect(tmp_path / "till.db")) as till:
        assert till.execute("SELECT payment, number, count FROM receipt").fetchall() == [("p1", 1, 1)]
