"""Delivery over two real files, with the machine's own clock: several relays and consumers, opened apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint
from attrs import define, field

from effect_runtime.dispatch import Ledger
from effect_runtime.effect import Died, Exit, Schedule, Succeeded
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Recording, system_host
from effect_runtime.outbox import Admit, Consumer, DeadLetters, Inlet, Relay, Route, Wake
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.transports import InProcess
from tests.outbox.world import TOPIC, commit, decoded, event

pytestmark = pytest.mark.anyio
HOST = system_host()
EFFECTS = Migration(1, "effects", ("CREATE TABLE effect (n INTEGER PRIMARY KEY, key TEXT, sequence INTEGER, id TEXT)",))


@define
class Shelf:
    """A subscriber whose handler writes a row; some events break it a few times before."""

    store: Any
    breaks: dict[str, int] = field(factory=dict)

    async def deliver(self, event: Any, envelope: Envelope, *, admit: Admit, recording: Recording) -> Exit[Any, Any]:
        """Admit, write and commit in one transaction."""
        try:
            async with self.store.unit() as unit:
                await unit.begin()
                if await admit(unit):
                    row = (envelope.key, envelope.sequence, envelope.id)
                    await unit.session.execute("INSERT INTO effect (key, sequence, id) VALUES (?, ?, ?)", row)
                    if self.breaks.get(envelope.id, 0) > 0:
                        self.breaks[envelope.id] -= 1
                        raise RuntimeError(f"{envelope.id} breaks")
                await unit.commit(Ledger())
        except Exception as defect:
            return Died(defect)
        return Succeeded(None)

    def inlet(self) -> Inlet:
        """Return the subscription; it tries again quickly."""
        return Inlet(
            id="shelf",
            topic=TOPIC,
            handles=lambda type: True,
            decode=decoded,
            deliver=self.deliver,
            verdict=lambda event, failure: "retry",
            schedule=Schedule.fixed(timedelta(milliseconds=5)).times(3),
        )


@define
class Process:
    """What one process would run: its own openings of both files, a wire, a relay, a consumer."""

    source: Any
    target: Any
    relay: Relay
    consumer: Consumer
    wake: Wake
    letters: DeadLetters


@asynccontextmanager
async def process(folder: Path, breaks: dict[str, int]) -> AsyncIterator[Process]:
    """Run a relay and a consumer on the two files."""
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(SqliteStore(folder / "source.db").opened(HOST))
        target = await stack.enter_async_context(SqliteStore(folder / "target.db", migrations=(EFFECTS,)).opened(HOST))
        await source.register((Route(TOPIC, "shelf"),))
        wire, wake, target_wake = InProcess(), Wake(), Wake()
        relay = Relay(source, wire, ("shelf",), host=HOST, wake=wake)
        consumer = Consumer(target, (Shelf(target, breaks).inlet(),), host=HOST, wake=target_wake)
        await stack.enter_async_context(consumer.running())
        await stack.enter_async_context(wire.listening("shelf", TOPIC, consumer.receiver("shelf")))
        await stack.enter_async_context(relay.running())
        yield Process(source, target, relay, consumer, wake, DeadLetters(target, target_wake))


async def effects(store: Any) -> list[tuple[Any, ...]]:
    """Read (key, sequence, id) in the order of writing."""
    async with store.reading() as session:
        return [tuple(row) for row in await session.fetch_all("SELECT key, sequence, id FROM effect ORDER BY n")]


async def arrived(store: Any, count: int) -> None:
    """Wait until so many effects are there."""
    while len(await effects(store)) < count:
        await checkpoint()


async def test_two_processes_deliver_everything_once_and_in_order(tmp_path: Path) -> None:
    """Both relay and consume on the same two files, while handlers break and keys retry."""
    breaks = {f"k{key}-{number}": 2 for key in range(3) for number in (2, 5)}
    with fail_after(60):
        async with process(tmp_path, breaks) as first, process(tmp_path, breaks) as second:
            for number in range(1, 11):
                events = [event(number, key=f"k{key}") for key in range(10)] + [event(number, key=None)]
                await commit((first if number % 2 else second).source, *events)
            await arrived(first.target, 110)
            assert await first.letters.list() == ()
        async with SqliteStore(tmp_path / "target.db", migrations=(EFFECTS,)).opened(HOST) as target:
            rows = await effects(target)
    assert len({id for _, _, id in rows}) == len(rows) == 110
    for key in range(10):
        assert [number for found, number, _ in rows if found == f"k{key}"] == list(range(1, 11))


async def test_a_dead_letter_is_replayed_by_another_process(tmp_path: Path) -> None:
    """The worker that takes it up notices the other's commit by itself."""
    breaks = {"k-1": 4}
    with fail_after(60):
        async with process(tmp_path, breaks) as first:
            await commit(first.source, event(1, key="k"), event(2, key="k"))
            first.wake.ring()
            while not (letters := await first.letters.list()):
                await checkpoint()
            async with SqliteStore(tmp_path / "target.db", migrations=(EFFECTS,)).opened(HOST) as other:
                await DeadLetters(other, Wake()).replay(letters[0].id)
            await arrived(first.target, 2)
            assert [id for _, _, id in await effects(first.target)] == ["k-1", "k-2"]
