"""Scenario 14: a node dies while it holds claims.

Observable: what it had borrowed is lent again after the lease, not before, and no operator does anything.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from effect_runtime.outbox import WaitingReason
from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell, Slot
from tests.outbox.stores.world import LEASE, NOON, NOTHING, an_event, publish, waiting
from tests.scenarios.nodes import two_nodes
from tests.scenarios.shop import processes, verdict

pytestmark = pytest.mark.anyio

INSTANT = timedelta(microseconds=1)


async def test_scenario_14_lanes_of_the_dead_are_lent_again_when_the_lease_ends(tmp_path: Path) -> None:
    """Not an instant before: until then nobody can know that it is dead."""
    async with two_nodes(tmp_path) as (dead, heir):
        await publish(dead.store, an_event("e-1"), an_event("e-2"), an_event("e-3", "other"))
        lost = await dead.claim()
        for node in (dead, heir):
            node.clock.pass_(LEASE - INSTANT)
        assert await heir.claim() == ()
        heir.clock.pass_(INSTANT)
        inherited = await heir.claim()
        assert [(each.lane, each.envelopes) for each in inherited] == [(each.lane, each.envelopes) for each in lost]
        assert [each.token for each in inherited] == [each.token + 1 for each in lost]
        assert (await heir.settle(*inherited), await heir.claim()) == (0, ())


async def test_scenario_14_waiting_events_of_the_dead_are_lent_again_when_the_lease_ends(tmp_path: Path) -> None:
    """The inbox's rows, too."""
    async with two_nodes(tmp_path) as (dead, heir):
        async with dead.store.unit() as unit:
            await unit.inbox.hold(waiting("e-1", reason=WaitingReason.RETRY, due=NOON))
            await unit.commit(NOTHING)
        lost = await dead.take_up()
        heir.clock.pass_(LEASE - INSTANT)
        assert await heir.take_up() == ()
        heir.clock.pass_(INSTANT)
        assert [each.address for each in await heir.take_up()] == [each.address for each in lost]


async def test_scenario_14_due_commands_of_the_dead_are_lent_again_when_the_lease_ends(tmp_path: Path) -> None:
    """And what stands on the agenda."""
    async with two_nodes(tmp_path) as (dead, heir):
        await dead.send_later("c-1", timedelta(0))
        lost = await dead.due()
        heir.clock.pass_(LEASE - INSTANT)
        assert await heir.due() == ()
        heir.clock.pass_(INSTANT)
        assert [each.item for each in await heir.due()] == [each.item for each in lost]


async def test_scenario_14_a_relay_that_dies_with_its_claims_has_heirs(tmp_path: Path) -> None:
    """Real processes: one is killed with what it has borrowed, and everything arrives."""
    async with processes(tmp_path, Cell(relays=2, whole=False)) as shop:
        producer = await shop.ready(Slot("producer", 1))
        for number in (1, 2):
            await (await shop.ready(Slot("relay", number))).order("F6", 1)
        for number in (1, 2, 3):
            assert await shop.pay(producer, f"p{number}") == {"taken": f"p{number}", "number": number}
        await shop.arrived("p1", "p2", "p3")
        assert {line["point"] for line in shop.lines("dying")} == {"F6"}
    assert verdict(tmp_path) == Verdict()
