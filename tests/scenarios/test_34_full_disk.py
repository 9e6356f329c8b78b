"""Scenario 34: no space for the database or its log, and input and output that fail (SQLITE_FULL, SQLITE_IOERR).

Observable: the command fails cleanly, no row is half there, and after space returns L = {}.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from tests.chaos.fleet import Reply
from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.scenarios.shop import Shop, processes, verdict

pytestmark = pytest.mark.anyio


async def pay_until_unavailable(shop: Shop, slot: Slot) -> tuple[list[str], Reply]:
    """Have payments taken until one is not; return those that were, and what the last caller was told."""
    worker = await shop.ready(slot)
    paid: list[str] = []
    for number in count(1):
        reply = await shop.pay(worker, f"p{number}", f"account-{number}")
        if reply is None or "number" not in reply:
            return paid, reply or {}
        paid.append(f"p{number}")
    raise AssertionError("count() does not end")


@pytest.mark.parametrize(
    ("full", "reason"), [("pages", "database or disk is full"), ("files", "disk I/O error")], ids=["full", "io-error"]
)
async def test_scenario_34_a_command_without_space_fails_cleanly_and_is_taken_later(
    tmp_path: Path, full: str, reason: str
) -> None:
    """Its caller is told that the store is unavailable, asks again when there is space, and everything arrives."""
    slot = Slot("whole", 1)
    async with processes(tmp_path, Cell()) as shop:
        worker = await shop.ready(slot)
        await worker.tell(full=full)
        paid, told = await pay_until_unavailable(shop, slot)
        assert reason in told["again"]
        assert "StoreUnavailable" in told["again"]
        await worker.tell(free=True)
        assert await shop.pay(worker, told["taken"], f"account-{len(paid) + 1}") == {
            "taken": told["taken"],
            "number": 1,
        }
        await shop.arrived(*paid, told["taken"])
    assert verdict(tmp_path) == Verdict()
