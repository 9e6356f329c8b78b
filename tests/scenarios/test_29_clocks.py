"""Scenario 29: clocks that differ by ten minutes, and one that is set back.

Observable: leases and due times follow the store's clock; what is scheduled fires once, never early by more than the
clocks differ. On SQLite the store's clock is that of the process that asks, so processes whose clocks differ may send
twice and be late; nothing is lost, inverted or done twice.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.chaos.driver import Settings, play
from tests.chaos.oracle import Verdict
from tests.chaos.plan import Cell
from tests.outbox.stores.world import LEASE, NOTHING, an_event, ids, publish
from tests.scenarios.nodes import two_nodes

pytestmark = pytest.mark.anyio

SKEW = timedelta(minutes=10)
HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


async def test_scenario_29_a_lease_that_looks_over_is_fenced(tmp_path: Path) -> None:
    """A node that is ahead takes a lane from one that still works on it: the latter's settlement is refused."""
    async with two_nodes(tmp_path, ahead=SKEW) as (right, ahead):
        await publish(right.store, an_event("e-1"), an_event("e-2"))
        held = await right.claim()
        taken = await ahead.claim()
        assert (ids(held), ids(taken)) == ([["e-1", "e-2"]], [["e-1", "e-2"]])
        assert (await right.settle(*held), await ahead.settle(*taken)) == (1, 0)
        assert (await right.claim(), await ahead.claim()) == ((), ())


async def test_scenario_29_a_lease_of_a_node_that_is_behind_is_over_for_the_others(tmp_path: Path) -> None:
    """It cannot keep a lane from them; what it settles late is refused, and nothing is skipped."""
    async with two_nodes(tmp_path, ahead=-SKEW) as (right, behind):
        await publish(behind.store, an_event("e-1"))
        held = await behind.claim()
        taken = await right.claim()
        await publish(behind.store, an_event("e-2"))
        assert (await right.settle(*taken), await behind.settle(*held)) == (0, 1)
        right.clock.pass_(INSTANT)
        assert ids(await right.claim()) == [["e-2"]]


async def test_scenario_29_what_a_node_that_is_ahead_wrote_is_late_for_the_others_by_as_much(tmp_path: Path) -> None:
    """Its events wait until the others' clocks have come as far; they are neither lost nor out of order."""
    async with two_nodes(tmp_path, ahead=SKEW) as (right, ahead):
        await publish(ahead.store, an_event("e-1"))
        await publish(right.store, an_event("e-2"))
        right.clock.pass_(SKEW - INSTANT)
        assert await right.claim() == ()
        right.clock.pass_(INSTANT)
        assert ids(await right.claim()) == [["e-1", "e-2"]]


@pytest.mark.parametrize("skew", [SKEW, -SKEW])
async def test_scenario_29_a_due_command_fires_once_and_no_earlier_than_the_clocks_differ(
    tmp_path: Path, skew: timedelta
) -> None:
    """An hour by the clock of the node that wrote it down: by the other's, that is when it has come there."""
    async with two_nodes(tmp_path, ahead=skew) as (right, other):
        await right.send_later("c-1", HOUR)
        for node in (right, other):
            node.clock.pass_(HOUR - max(skew, timedelta(0)) - INSTANT)
        assert (await right.due(), await other.due()) == ((), ())
        for node in (right, other):
            node.clock.pass_(INSTANT)
        (entry,) = await (other if skew > timedelta(0) else right).due()
        assert entry.item.envelope.id == "c-1"
        async with other.store.unit() as unit:
            assert await unit.agenda.take("c-1", entry.token)
            await unit.commit(NOTHING)
        for node in (right, other):
            node.clock.pass_(2 * HOUR)
        assert (await right.due(), await other.due()) == ((), ())


async def test_scenario_29_a_clock_that_is_set_back_delays_and_loses_nothing(tmp_path: Path) -> None:
    """NTP steps both nodes back by ten minutes: what was due waits for as long, and then comes in order."""
    async with two_nodes(tmp_path) as (one, other):
        await publish(one.store, an_event("e-1"))
        held = await one.claim()
        for node in (one, other):
            node.clock.pass_(-SKEW)
        await publish(other.store, an_event("e-2"), an_event("e-3", "new"))
        assert ids(await other.claim()) == [["e-3"]]  # a lane that holds nothing older is due at once
        assert await one.settle(*held) == 0  # its token is still the newest
        assert ids(await other.claim()) == [["e-2"]]
        other.clock.pass_(SKEW + LEASE)
        assert sorted(ids(await other.claim())) == [["e-2"], ["e-3"]]


async def test_scenario_29_processes_whose_clocks_step_break_no_promise(tmp_path: Path) -> None:
    """Real processes on one file, their clocks set by ten minutes under load, and two of them killed."""
    cell = Cell(producers=2, relays=2, consumers=2, files=1)
    result = await play(Settings(kills=2, seed=29, cell=cell, points=("clock", "clock", "F7", "F13")), tmp_path)
    assert result.verdict == Verdict()
    assert result.dealt["clock steps"] > 0
