"""Scenario 4: kill -9 after publish before confirm, or before mark (F7, F8).

Observable: L = {}, duplicate deliveries at most one batch for each kill, E = {}. A thousand random moments are the kill
matrix's; here it is done once and looked at closely.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.driver import counted
from tests.chaos.ledger import read_ledger
from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.scenarios.shop import processes, verdict

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("point", ["F7", "F8"])
async def test_scenario_04_a_relay_that_dies_around_its_mark_sends_one_event_again(tmp_path: Path, point: str) -> None:
    """What it had sent and not recorded comes a second time, is absorbed, and its successors follow in order."""
    async with processes(tmp_path, Cell(whole=False)) as shop:
        producer, relay = await shop.ready(Slot("producer", 1)), await shop.ready(Slot("relay", 1))
        await relay.order(point, 1)
        for number in (1, 2, 3):
            assert await shop.pay(producer, f"p{number}") == {"taken": f"p{number}", "number": number}
        await relay.gone.wait()
        await shop.arrived("p1", "p2", "p3")
    assert verdict(tmp_path) == Verdict()
    counts = counted(tuple(read_ledger(tmp_path)))
    assert dict(counts.points) == {point: 1}
    assert counts.duplicates <= 1  # it was in the middle of one message, on one lane
    assert counts.received == 6 + counts.duplicates
