"""Scenario 18: a message comes again after the row that knew it is gone.

Observable: an event with a key is rejected by its number and counted as a duplicate, for ever. One without a key has
nothing but its row: it is executed again, and counted as applied. So is a command whose stored answer is gone. An open
dead letter keeps the row, however old it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import frozen

from effect_runtime.integration import Envelope, encode_message
from effect_runtime.outbox import Consumer, ConsumerCounts, Janitor, Purged, Retention, Wake
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.app.pair import Pair
from tests.dispatch.world import Keep, StoreKind
from tests.outbox.test_on_sqlite import EFFECTS, Shelf
from tests.outbox.world import TurnedTime, event, numbered, turned_host, until

pytestmark = pytest.mark.anyio

KEPT = Retention(pause=timedelta(0))


@frozen
class Subscriber:
    """A subscription on a file, its janitor, and a clock that the test turns."""

    store: OpenSqlite
    time: TurnedTime
    shelf: Shelf
    consumer: Consumer
    janitor: Janitor

    async def receive(self, *envelopes: Envelope) -> None:
        """Take messages from the wire, one after the other."""
        for envelope in envelopes:
            await self.consumer.receive("shelf", encode_message(envelope))

    async def effects(self) -> list[str]:
        """Return the ids of the events that had an effect, in order."""
        async with self.store.reading() as session:
            return [row["id"] for row in await session.fetch_all("SELECT id FROM effect ORDER BY n")]


@asynccontextmanager
async def subscriber(folder: Path) -> AsyncIterator[Subscriber]:
    """Open a subscriber's file."""
    host, time = turned_host()
    async with SqliteStore(folder / "target.db", migrations=[EFFECTS], commits="inline").opened(host) as store:
        shelf = Shelf(store)
        consumer = Consumer(store, [shelf.inlet()], host=host, wake=Wake())
        yield Subscriber(store, time, shelf, consumer, Janitor(store, KEPT, host=host))


async def test_scenario_18_an_event_with_a_key_is_rejected_by_its_number_for_ever(tmp_path: Path) -> None:
    """The mark is never forgotten: one effect, and each redelivery counted."""
    async with subscriber(tmp_path) as it:
        await it.receive(numbered(1), numbered(2))
        it.time.turn(timedelta(days=31))
        assert await it.janitor.purge() == Purged(inbox=2)
        await it.receive(numbered(1), numbered(2), numbered(3))
        assert await it.effects() == ["dune-1", "dune-2", "dune-3"]
        assert it.consumer.counts == ConsumerCounts(applied=3, duplicates=2)


async def test_scenario_18_an_event_without_a_key_is_executed_again_and_counted(tmp_path: Path) -> None:
    """Within the retention it is a duplicate; after it nothing is left that could know it."""
    async with subscriber(tmp_path) as it:
        await it.receive(event(1, key=None))
        it.time.turn(timedelta(days=29))
        assert await it.janitor.purge() == Purged()
        await it.receive(event(1, key=None))
        assert it.consumer.counts == ConsumerCounts(applied=1, duplicates=1)
        it.time.turn(timedelta(days=2))
        assert await it.janitor.purge() == Purged(inbox=1)
        await it.receive(event(1, key=None))
        assert await it.effects() == ["None-1", "None-1"]
        assert it.consumer.counts == ConsumerCounts(applied=2, duplicates=1)


async def test_scenario_18_an_open_dead_letter_is_known_for_as_long_as_it_is_open(tmp_path: Path) -> None:
    """Neither with a key nor without does a redelivery run beside the letter."""
    async with subscriber(tmp_path) as it:
        it.shelf.breaks = {"dune-1": 99, "None-1": 99}
        async with it.consumer.running():
            await it.receive(numbered(1), event(1, key=None))
            await until(it.time, lambda: it.consumer.counts.buried == 2)
        it.time.turn(timedelta(days=365))
        assert (await it.janitor.purge()).letters == 0
        it.shelf.breaks = {}
        before = it.consumer.counts.duplicates
        await it.receive(numbered(1), event(1, key=None))
        assert (await it.effects(), it.consumer.counts.duplicates) == ([], before + 2)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_18_a_command_whose_answer_is_gone_is_executed_again(kind: StoreKind, tmp_path: Path) -> None:
    """Within the retention its id answers; after it the id is as good as new."""
    pair = Pair.on(kind, tmp_path)
    async with pair.running() as app:
        assert await app.run(pair.keep(Keep("a", 1)), command_id="c-1") == 1
        await app.settled()
        assert await app.purge() == Purged()
        assert await app.run(pair.keep(Keep("a", 1)), command_id="c-1") == 1
        await app.settled()
        assert pair.heard == ["a"]
        assert await app.purge(Retention(answers=timedelta(0), events=None, inbox=None, letters=None)) == Purged(
            answers=1
        )
        assert await app.run(pair.keep(Keep("a", 1)), command_id="c-1") == 1
        await app.settled()
        assert pair.heard == ["a", "a"]
