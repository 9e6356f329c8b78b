"""Scenario 22: a handler that always raises for some events, amid ten thousand healthy ones.

Observable: each healthy event is handled once and at its first attempt; the poison is a dead letter after exactly the
attempts of its schedule, with exception, message and history; its key blocks, or goes on, as the subscription says.
How fast the healthy ones are is for a benchmark.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest

from effect_runtime.effect import Schedule
from effect_runtime.integration import Envelope, encode_message
from effect_runtime.interpreter import Host
from effect_runtime.outbox import Consumer, Wake
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from tests.outbox.test_on_sqlite import EFFECTS, Shelf
from tests.outbox.world import Shop, numbered
from tests.scenarios.shop import until

pytestmark = pytest.mark.anyio

KEYS, EACH = 2_000, 5


@pytest.mark.parametrize("poison", ["block", "skip"])
async def test_scenario_22_healthy_events_are_not_touched_by_poison(poison: Literal["block", "skip"]) -> None:
    """Ten thousand events of two thousand keys; the second event of every hundredth key is poison."""
    host = Host()
    async with MemoryStore("target").opened(host) as store:
        attempts = Counter[str]()

        async def handle(payload: dict[str, Any], envelope: Envelope) -> object:
            attempts[envelope.id] += 1
            if envelope.id in poisonous:
                raise ValueError(f"{envelope.id} is poison")
            return None

        keys = [f"k{number}" for number in range(KEYS)]
        poisonous = {f"{key}-2" for key in keys[::100]}
        shop = Shop(store, host, handler=handle)
        inlet = shop.inlet(schedule=Schedule().times(2), poison=poison)
        consumer = Consumer(store, [inlet], host=host, wake=Wake())
        async with consumer.running():
            for number in range(1, EACH + 1):
                for key in keys:
                    await consumer.receive(shop.id, encode_message(numbered(number, key=key)))
            await consumer.calm()
        behind = {f"{key}-{number}" for key in keys[::100] for number in range(3, EACH + 1)}
        waiting = behind if poison == "block" else set()
        every = {f"{key}-{number}" for key in keys for number in range(1, EACH + 1)}
        assert Counter(await shop.ids()) == Counter(every - poisonous - waiting)
        assert attempts == Counter({id: 3 if id in poisonous else 1 for id in every - waiting})
        letters = await store.dead_letters(limit=KEYS)
        assert {letter.event for letter in letters} == poisonous
        assert {(letter.attempts, len(letter.history), letter.blocks) for letter in letters} == {
            (3, 3, poison == "block")
        }
        assert all(f"ValueError: {letter.event} is poison" in letter.cause for letter in letters)


async def test_scenario_22_poison_on_a_file_is_tried_exactly_as_often_as_its_schedule_says(tmp_path: Path) -> None:
    """Four tries, each told with the line that raised; the event as it came; the healthy one beside it unharmed."""
    host = Host()
    async with SqliteStore(tmp_path / "target.db", migrations=[EFFECTS]).opened(host) as store:
        shelf = Shelf(store, breaks={"bad-1": 99})
        consumer = Consumer(store, [shelf.inlet()], host=host, wake=Wake())
        poison, healthy = encode_message(numbered(1, key="bad")), encode_message(numbered(1, key="good"))
        async with consumer.running():
            await consumer.receive("shelf", poison)
            await consumer.receive("shelf", healthy)
            await until(lambda: consumer.counts.buried == 1)
        [letter] = await store.dead_letters()
        assert (letter.event, letter.attempts, len(letter.history), letter.body) == ("bad-1", 4, 4, poison.body)
        assert "RuntimeError: bad-1 breaks" in letter.cause
        assert f"{Path(Shelf.deliver.__code__.co_filename).name}:" in letter.cause
        async with store.reading() as session:
            assert [row["id"] for row in await session.fetch_all("SELECT id FROM effect")] == ["good-1"]
