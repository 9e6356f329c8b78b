"""Scenario 13: relays race on one table, one of them stopped for longer than its lease, then going on.

Observable: no row double-marked by a stale owner: the counter of fenced settlements is above 0, and E = {}, O = 0.
"""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.scenarios.shop import Shop, processes, until, verdict

pytestmark = pytest.mark.anyio


async def pay_until_stopped(shop: Shop, relay: Slot) -> list[str]:
    """Have payments taken, each of an account of its own, until the relay has stopped at its point."""
    producer, zombie = await shop.ready(Slot("producer", 1)), await shop.ready(relay)
    paid: list[str] = []
    for number in count(1):
        if zombie.stopping.is_set():
            return paid
        paid.append(f"p{number}")
        assert await shop.pay(producer, f"p{number}", f"account-{number}") == {"taken": f"p{number}", "number": 1}
    raise AssertionError("count() does not end")


def nothing_waits(folder: Path) -> bool:
    """Tell whether every lane is settled."""
    with closing(sqlite3.connect(folder / "till.db")) as till, closing(sqlite3.connect(folder / "book.db")) as book:
        waiting = "SELECT count(*) FROM er_lane WHERE latest > last"
        return all(file.execute(waiting).fetchone() == (0,) for file in (till, book))


@pytest.mark.parametrize("relays", [2, 8])
async def test_scenario_13_a_relay_that_outlived_its_lease_marks_nothing(tmp_path: Path, relays: int) -> None:
    """Others have had its lanes and finished them; what it settles when it goes on is refused."""
    async with processes(tmp_path, Cell(relays=relays, whole=False)) as shop:
        relay = Slot("relay", 1)
        zombie = await shop.ready(relay)
        await zombie.order("F8", 1, stops=True)
        paid = await pay_until_stopped(shop, relay)
        await shop.arrived(*paid)
        await until(lambda: nothing_waits(tmp_path))  # its own lanes, too: by others, when its lease had ended
        assert shop.lines("stale") == []
        zombie.signal(signal.SIGCONT)
        await until(lambda: shop.lines("stale") != [])
        producer = await shop.ready(Slot("producer", 1))
        for number in range(1, len(paid) + 1):
            reply = await shop.pay(producer, f"q{number}", f"account-{number}")
            assert reply == {"taken": f"q{number}", "number": 2}
    assert verdict(tmp_path) == Verdict()
