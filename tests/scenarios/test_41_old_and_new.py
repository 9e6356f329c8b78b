"""Scenario 41: a migration under load, with relays of the old and of the new version on one file.

Observable: S = 0, nothing lost, and both versions go on. The new version is simulated: the same code, which knows one
more step of the library's own schema.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.chaos.tables import NEXT
from tests.scenarios.shop import processes, verdict

pytestmark = pytest.mark.anyio

KNOWN = "SELECT max(version) FROM er_migration WHERE owner = 'effect_runtime'"
OLD, NEW = NEXT.version - 1, NEXT.version


def schemas(folder: Path) -> list[int]:
    """Return the newest step of the library's schema that each file has."""
    versions: list[int] = []
    for name in ("till.db", "book.db"):
        with closing(sqlite3.connect(folder / name)) as file:
            versions.append(file.execute(KNOWN).fetchone()[0])
    return versions


async def test_scenario_41_a_file_is_migrated_while_relays_of_the_old_version_use_it(tmp_path: Path) -> None:
    """New processes come one after the other; the first of them migrates, and the old ones never notice."""
    async with processes(tmp_path, Cell(producers=2, relays=2, consumers=2)) as shop:
        old = await shop.ready(Slot("producer", 1))
        assert await shop.pay(old, "p1") == {"taken": "p1", "number": 1}
        await shop.arrived("p1")
        assert schemas(tmp_path) == [OLD, OLD]
        shop.fleet.order = evolve(shop.fleet.order, newer=True)
        for number, slot in enumerate((Slot("whole", 1), Slot("relay", 1), Slot("consumer", 1)), start=2):
            former = await shop.ready(slot)
            await former.order("F15", 1)
            await former.end()
            assert await shop.pay(old, f"p{number}") == {"taken": f"p{number}", "number": number}
            await former.replaced.wait()
            await shop.ready(slot)
        assert schemas(tmp_path) == [NEW, NEW]
        assert await shop.pay(old, "p9") == {"taken": "p9", "number": 5}
        await shop.arrived("p1", "p2", "p3", "p4", "p9")
    assert verdict(tmp_path) == Verdict()


async def test_scenario_41_an_old_process_may_open_a_file_that_a_newer_one_has_migrated(tmp_path: Path) -> None:
    """A deployment that is rolled back: what the old version does not know, it leaves alone."""
    async with processes(tmp_path, Cell(), newer=True) as shop:
        new = await shop.ready(Slot("whole", 1))
        assert await shop.pay(new, "p1") == {"taken": "p1", "number": 1}
        shop.fleet.order = evolve(shop.fleet.order, newer=False)
        await new.order("F5", 1)
        assert await shop.pay(new, "p2") is None
        await new.replaced.wait()
        old = await shop.ready(Slot("whole", 1))
        assert await shop.pay(old, "p3") == {"taken": "p3", "number": 3}
        await shop.arrived("p1", "p2", "p3")
    assert schemas(tmp_path) == [NEW, NEW]
    assert verdict(tmp_path) == Verdict()
