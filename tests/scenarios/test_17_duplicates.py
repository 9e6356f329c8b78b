"""Scenario 17: a broker hands the same message over ten times at once, to three consumers.

Observable: one effect, nine duplicates acknowledged and counted, and no consumer waits for a lock in vain.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from anyio import create_task_group

from effect_runtime.integration import Envelope, encode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox import Consumer, Wake
from effect_runtime.outbox.sqlite import SqliteStore
from tests.outbox.test_on_sqlite import EFFECTS, Shelf
from tests.outbox.world import event, numbered

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("envelope", [numbered(1), event(1, key=None)], ids=["keyed", "unkeyed"])
async def test_scenario_17_ten_deliveries_at_once_have_one_effect(tmp_path: Path, envelope: Envelope) -> None:
    """Three openings of one file, as three processes would have: one applies it, the others count."""
    host = Host()
    async with AsyncExitStack() as stack:
        consumers: list[Consumer] = []
        for _ in range(3):
            store = await stack.enter_async_context(SqliteStore(tmp_path / "t.db", migrations=[EFFECTS]).opened(host))
            consumers.append(Consumer(store, [Shelf(store).inlet()], host=host, wake=Wake()))
        message = encode_message(envelope)
        async with create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(consumers[number % 3].receive, "shelf", message)
        stored = await stack.enter_async_context(SqliteStore(tmp_path / "t.db", migrations=[EFFECTS]).opened(host))
        async with stored.reading() as session:
            assert [row["id"] for row in await session.fetch_all("SELECT id FROM effect")] == [envelope.id]
    counts = [consumer.counts for consumer in consumers]
    assert (sum(each.applied for each in counts), sum(each.duplicates for each in counts)) == (1, 9)
