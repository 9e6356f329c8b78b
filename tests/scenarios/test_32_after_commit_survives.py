"""Scenario 32: an after-commit handler fails, or its process dies before it runs.

Observable: a durable event is handled from the journal, once in the database; a volatile one is the documented loss.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from anyio import fail_after

from tests.scenarios.later import a_process
from tests.scenarios.shop import PATIENCE, until

pytestmark = pytest.mark.anyio


def thanks(file: Path) -> list[tuple[str, str, int]]:
    """Return who was thanked by which queue, and how often."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT payment, queue, count FROM thanks ORDER BY payment, queue").fetchall()
    return [(payment, queue, count) for payment, queue, count in rows]


async def test_scenario_32_what_a_killed_process_had_journalled_is_handled_by_the_next(tmp_path: Path) -> None:
    """Killed right after the commit, before any handler ran: the durable queue has it, the volatile one has not."""
    file = tmp_path / "till.db"
    with fail_after(PATIENCE):
        async with a_process(file, "pay", stuck=True) as payer:
            await payer.order(pay="p1")
            await payer.until("paid")
            payer.process.kill()
            await payer.process.wait()
        assert thanks(file) == []
        async with a_process(file, "work") as worker:
            await until(lambda: thanks(file) != [])
            await worker.end()
    assert thanks(file) == [("p1", "kept", 1)]


async def test_scenario_32_what_a_process_had_in_hand_when_it_was_killed_is_handled_once(tmp_path: Path) -> None:
    """Killed in the middle of the handler: its lease ends, the next process begins again, the effect happens once.

    The world outside was asked twice: that is what idempotency keys are for.
    """
    file = tmp_path / "till.db"
    with fail_after(PATIENCE):
        async with a_process(file, "both", stuck=True) as first:
            await first.order(pay="p1")
            printing = {await first.until("printing"), await first.until("printing")}
            assert printing == {"p1 kept", "p1 lost"}
            first.process.kill()
            await first.process.wait()
        async with a_process(file, "work") as second:
            assert await second.until("printing") == "p1 kept"
            await until(lambda: thanks(file) != [])
            await second.end()
    assert thanks(file) == [("p1", "kept", 1)]


async def test_scenario_32_a_process_that_ends_in_order_drains_both_queues(tmp_path: Path) -> None:
    """Nothing is lost by an ordinary restart."""
    file = tmp_path / "till.db"
    with fail_after(PATIENCE):
        async with a_process(file, "both") as worker:
            for number in range(20):
                await worker.order(pay=f"p{number:02}")
            for _ in range(20):
                await worker.until("paid")
            await worker.end()
        async with a_process(file, "work") as rest:
            await until(lambda: len(thanks(file)) == 40)
            await rest.end()
    assert [count for _, _, count in thanks(file)] == [1] * 40
