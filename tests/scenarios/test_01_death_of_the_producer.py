"""Scenario 1: kill -9 of the producer before its business row, after its outbox row, and around COMMIT (F1 to F3).

Observable: G = {}, and no outbox row without its business row: joined both ways, nothing is left over.
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

UNPAIRED = """
SELECT 'payment without event', id FROM payment WHERE id NOT IN (SELECT data ->> 'payment' FROM er_outbox)
UNION ALL
SELECT 'event without payment', data ->> 'payment' FROM er_outbox
WHERE data ->> 'payment' NOT IN (SELECT id FROM payment)
"""


@pytest.mark.parametrize("point", ["F1", "F2", "F3"])
async def test_scenario_01_a_dead_producer_leaves_both_rows_or_none(tmp_path: Path, point: str) -> None:
    """It dies in its second payment; those before and after it are whole, and nothing was sent that was not kept."""
    slot = Slot("whole", 1)
    async with processes(tmp_path, Cell()) as shop:
        worker = await shop.ready(slot)
        assert await shop.pay(worker, "before") is not None
        await worker.order(point, 1)
        assert await shop.pay(worker, "dying") is None
        assert await shop.pay(await shop.ready(slot), "after") is not None
        await shop.arrived("before", "after")
    assert verdict(tmp_path) == Verdict()
    assert [line["point"] for line in shop.lines("dying")] == [point]
    with closing(sqlite3.connect(tmp_path / "till.db")) as till:
        assert till.execute(UNPAIRED).fetchall() == []
