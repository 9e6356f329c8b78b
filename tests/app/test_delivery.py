"""From one context's commit to the other's: through relay, wire, inbox, and the subscriber's own dispatch."""

from __future__ import annotations

import pytest

from effect_runtime import fail
from effect_runtime.effect import Died
from effect_runtime.errors import StoreConflict
from tests.app.pair import Counting, Pair
from tests.dispatch.world import Keep, NoteKept, Refusal

pytestmark = pytest.mark.anyio


async def test_an_event_is_counted_once_in_the_other_context(pair: Pair) -> None:
    """Committed, relayed, admitted and handled; the audit names the subscription as principal."""
    async with pair.running() as app:
        await app.run(pair.keep(Keep("a")))
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        assert await pair.reader.rows() == {"a": 2}
        assert await pair.reader.audit() == [
            ("counts.note-events.hear", "system:counts.note-events", "succeeded"),
            ("counts.note-events.hear", "system:counts.note-events", "succeeded"),
        ]
        assert all(each.is_well for each in (await app.health()).values())


async def test_an_event_waits_for_a_relay(pair: Pair) -> None:
    """Committed by a process without a relay, it arrives when another one runs."""
    async with pair.running(relay=False) as app:
        await app.run(pair.keep(Keep("a")))
        assert await pair.reader.rows() == {}
    async with pair.running() as app:
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}


async def test_an_event_of_a_rolled_back_command_never_leaves(pair: Pair) -> None:
    """Nothing uncommitted is sent."""
    pair.publisher.store.on("commit", RuntimeError("killed"))
    async with pair.running() as app:
        assert isinstance(await app.run_exit(pair.keep(Keep("a"))), Died)
        await app.settled()
    assert pair.heard == []


async def test_a_handler_that_stumbles_is_tried_again(pair: Pair) -> None:
    """A defect follows the schedule; what it wrote the first time is gone."""
    troubles: list[Exception] = [RuntimeError("stumbled")]
    notes = pair.counts

    @pair.subscription.on(NoteKept)
    def stumble(event: NoteKept) -> Counting[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put(event.key, 10)
        if troubles:
            raise troubles.pop()

    del pair.subscription.handlers[0]
    async with pair.running() as app:
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        assert await pair.reader.rows() == {"a": 10}
    assert troubles == []


async def test_a_failure_mapped_to_dead_letter_is_one_and_can_be_replayed(pair: Pair) -> None:
    """It waits where an operator finds it, blocks its key, and is applied when it is replayed."""
    refusing: list[bool] = [True]

    @pair.subscription.on(NoteKept, dead_letter=(Refusal,))
    def refuse(event: NoteKept) -> Counting[None, Refusal]:
        rt = yield from pair.counts.runtime
        yield from rt.notes.put(event.key, 1)
        if refusing:
            yield from fail(Refusal("not now"))

    del pair.subscription.handlers[0]
    async with pair.running() as app:
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        (letter,) = await app.dead_letters.list()
        assert (letter.destination, letter.type, letter.key) == ("counts.note-events", "notes.note-kept", "a")
        assert await pair.reader.rows() == {}
        refusing.clear()
        await app.dead_letters.replay(letter.id)
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}
        assert await app.dead_letters.list() == ()


async def test_a_failure_mapped_to_ignore_counts_as_applied(pair: Pair) -> None:
    """What the handler wrote is undone, and the next event of the key comes."""

    @pair.subscription.on(NoteKept, ignore=(Refusal,))
    def refuse(event: NoteKept) -> Counting[None, Refusal]:
        rt = yield from pair.counts.runtime
        known = dict((yield from rt.notes.all()))
        yield from rt.notes.put(event.key, known.get(event.key, 0) + 1)
        pair.heard.append(event.key)
        if len(pair.heard) == 1:
            yield from fail(Refusal("the first"))

    del pair.subscription.handlers[0]
    async with pair.running() as app:
        await app.run(pair.keep(Keep("a")))
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}
        assert await app.dead_letters.list() == ()
    assert pair.heard == ["a", "a"]


async def test_a_conflict_of_a_delivery_admits_again(pair: Pair) -> None:
    """The unit starts over, inbox row included, and the event is applied once."""
    pair.reader.store.on("commit", StoreConflict("reader", reason="busy"))
    async with pair.running() as app:
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}
        assert len(await pair.reader.audit()) == 1


async def test_immediate_delivers_without_anything_durable(pair: Pair) -> None:
    """In development the events go out right after the commit, on the same wire."""
    app = pair.app(transport="immediate")
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}
