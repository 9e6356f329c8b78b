"""What a runtime knows of the message that its unit of work was opened for, and how an application bounds delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from anyio import sleep_forever
from attrs import define, field

from effect_runtime import Context, Schedule, Transaction
from effect_runtime.dispatch import Binding
from effect_runtime.effect import from_async
from effect_runtime.outbox import ConsumerPolicy, Pace, RelayPolicy
from tests.app.pair import Counting, CountRuntime, Pair
from tests.dispatch.world import Keep, NoteEvents, NoteKept, NotesReads

pytestmark = pytest.mark.anyio


@define
class Keys:
    """Remember the idempotency key under which each unit of the counting context was opened."""

    pair: Pair
    seen: list[str] = field(factory=list)

    def binding(self) -> Binding:
        """Bind the counting context so that building its runtime notes the key."""
        return self.pair.counts.bind(self.make, self.pair.reader.make_reads, store=self.pair.reader.store)

    def make(self, tx: Transaction[Any]) -> CountRuntime:
        """Note the key, as an adapter of an external service would send it."""
        self.seen.append(tx.message.idempotency_key)
        return self.pair.make(tx)


async def test_every_try_of_one_event_has_the_same_idempotency_key(pair: Pair) -> None:
    """It names the subscription and the event, so a service that deduplicates sees one call, also after a replay."""
    keys = Keys(pair)
    troubles: list[Exception] = [RuntimeError("first"), RuntimeError("second"), RuntimeError("third")]
    counts: Context[CountRuntime, NotesReads] = Context("counts", CountRuntime, reads=NotesReads)
    subscription = counts.subscribe(NoteEvents, id="counts.stumbling", schedule=Schedule().times(2))

    @subscription.on(NoteKept)
    def stumble(event: NoteKept) -> Counting[None]:
        """Fail three times."""
        yield from counts.runtime
        if troubles:
            raise troubles.pop()

    pair.counts = counts
    app = pair.app_of(keys.binding())
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        (letter,) = await app.dead_letters.list()
        await app.dead_letters.replay(letter.id)
        await app.settled()
        assert await app.dead_letters.list() == ()
    assert keys.seen == [f"counts.stumbling/{letter.event}"] * 4


async def test_the_idempotency_key_of_a_command_is_its_command_id(pair: Pair) -> None:
    """The caller who tries again under the same id reaches the outside under the same key."""
    seen: list[str] = []

    def make(tx: Transaction[Any]) -> Any:
        seen.append(tx.message.idempotency_key)
        return pair.publisher.make(tx)

    app = pair.app_of(
        pair.counts.bind(pair.make, pair.reader.make_reads, store=pair.reader.store),
        notes=pair.notes.bind(make, pair.publisher.make_reads, store=pair.publisher.store),
    )
    async with app.running():
        await app.run(pair.keep(Keep("a")), command_id="mine")
        await app.run(pair.keep(Keep("b")), correlation="chain")
    assert seen == ["mine", "chain"]


async def test_an_application_bounds_its_delivery(pair: Pair) -> None:
    """The policies given to the application are those of its relays and consumers: a handler that never ends is cut."""
    counts: Context[CountRuntime, NotesReads] = Context("counts", CountRuntime, reads=NotesReads)
    subscription = counts.subscribe(NoteEvents, id="counts.endless", schedule=Schedule().times(1))

    @subscription.on(NoteKept)
    def wait(event: NoteKept) -> Counting[None]:
        """Never end."""
        yield from from_async(sleep_forever)

    pair.counts = counts
    app = pair.app(
        relay=RelayPolicy(events_per_lane=1),
        consumer=ConsumerPolicy(handle_within=timedelta(0)),
        pace=Pace(window=1),
    )
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        (letter,) = await app.dead_letters.list()
    assert (letter.attempts, letter.cause) == (2, "not done within 0 s")
