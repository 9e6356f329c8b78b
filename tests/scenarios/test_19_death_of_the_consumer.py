"""Scenario 19: the consumer is killed after its effect, before the acknowledgement (F12, F13).

Observable: the effect in its own database happens once; a call of the world outside carries the same idempotency key
at every attempt, also at a replay.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effect_runtime import Transaction
from tests.app.pair import CountRuntime, Pair
from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.dispatch.world import Keep
from tests.scenarios.shop import processes, verdict

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("point", ["F12", "F13"])
async def test_scenario_19_a_dead_consumer_has_one_effect(tmp_path: Path, point: str) -> None:
    """It dies inside its commit, or right after it: what comes again is applied once."""
    slot = Slot("whole", 1)
    async with processes(tmp_path, Cell()) as shop:
        worker = await shop.ready(slot)
        await worker.order(point, 1)
        await shop.pay(worker, "p1")
        await shop.arrived("p1")
    assert verdict(tmp_path) == Verdict()
    assert [line["point"] for line in shop.lines("dying")] == [point]


async def test_scenario_19_every_attempt_carries_the_same_idempotency_key(tmp_path: Path) -> None:
    """Three attempts, a dead letter and its replay: one key, whatever the outside made of it."""
    pair = Pair.on("sqlite", tmp_path)
    keys: list[str] = []
    breaks = 4
    made = pair.make

    def make(tx: Transaction[Any]) -> CountRuntime:
        nonlocal breaks
        if tx.message.delivery is not None:
            keys.append(tx.message.idempotency_key)
            breaks -= 1
            if breaks >= 0:
                raise ConnectionError("the answer was lost")
        return made(tx)

    counts = pair.counts.bind(make, pair.reader.make_reads, store=pair.reader.store)
    app = pair.app_of(counts)
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        [letter] = await app.dead_letters.list()
        await app.dead_letters.replay(letter.id)
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}
    assert keys == [f"counts.note-events/{letter.event}"] * 5
