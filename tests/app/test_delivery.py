"""From one context's commit to the other's: through relay, wire, inbox, and the subscriber's own dispatch."""

from __future__ import annotations

from typing import Any, Never

import pytest
from attrs import frozen

from effect_runtime import App, Context, Do, Outbox, Topic, fail, integration_event, publish
from effect_runtime.effect import Died, Schedule
from effect_runtime.errors import MessageRejected, StoreConflict
from effect_runtime.integration import Envelope, Message, decode_message
from effect_runtime.outbox import RelayPolicy
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.transports import InProcess
from tests.app.pair import Counting, Pair
from tests.dispatch.world import Keep, NoteEvents, NoteKept, Refusal

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


class EchoEvents(Topic, name="echoes"):
    """What an echo tells the world."""

    __slots__ = ()


@frozen
@integration_event("echoes.echoed")
class Echoed(EchoEvents):
    """A note was heard."""

    key: str


@frozen
class EchoRuntime:
    """What an echo may use."""

    outbox: Outbox[EchoEvents]


class WatchedWire:
    """The in-process wire, and every envelope that it carried."""

    def __init__(self) -> None:
        self.inner = InProcess()
        self.seen: list[Envelope] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def publish(self, destination: str, message: Message) -> None:
        """Keep the envelope and hand the message on."""
        self.seen.append(decode_message(message))
        await self.inner.publish(destination, message)


async def test_what_a_subscriber_publishes_belongs_to_the_chain_of_its_event(pair: Pair) -> None:
    """Correlation, trace and tenant go on from event to event; each names the message that caused it."""
    echo = Context("echo", EchoRuntime, publishes=[EchoEvents])
    heard = echo.subscribe(NoteEvents, id="echo.note-events", start="earliest")
    pair.counts.subscribe(EchoEvents, id="counts.echo-events", start="earliest")

    @heard.on(NoteKept)
    def answer(event: NoteKept) -> Do[None, Never, EchoRuntime]:
        yield from publish(Echoed(event.key))

    wire: Any = WatchedWire()
    bindings = [*pair.bindings(), echo.bind(lambda tx: EchoRuntime(tx.outbox), store=MemoryStore("echo"))]
    async with App("chain", wire=wire, contexts=bindings).running() as app:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await app.run(
            pair.keep(Keep("a")),
            command_id="c",
            correlation="visit",
            causation="request",
            traceparent=trace,
            tenant="n",
        )
        await app.settled()
    kept, *_ = [one for one in wire.seen if one.type == "notes.note-kept"]
    echoed, *_ = [one for one in wire.seen if one.type == "echoes.echoed"]
    assert (kept.causation, kept.correlation, kept.traceparent, kept.tenant) == ("c", "visit", trace, "n")
    assert (echoed.causation, echoed.correlation, echoed.traceparent, echoed.tenant) == (kept.id, "visit", trace, "n")


async def test_immediate_delivers_without_anything_durable(pair: Pair) -> None:
    """In development the events go out right after the commit, on the same wire."""
    app = pair.app(transport="immediate")
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}


class PickyWire(WatchedWire):
    """The in-process wire, until it has carried nothing that it refuses."""

    refused = 1

    async def publish(self, destination: str, message: Message) -> None:
        """Refuse the first message."""
        if self.refused:
            self.refused -= 1
            raise MessageRejected(destination, reason="odd")
        await super().publish(destination, message)


async def test_a_discarded_number_is_passed_on_by_a_process_without_a_relay(pair: Pair) -> None:
    """Its subscribers must hear of it, whoever's hand gives it up."""
    policy = RelayPolicy(retries=Schedule().times(0))
    wire: Any = PickyWire()
    app = pair.app(wire=wire, relay=policy)
    async with app.running():
        await app.run(pair.keep(Keep("a")))
        await app.run(pair.keep(Keep("a")))
        await app.settled()
        (letter,) = await app.dead_letters.list()
    async with app.running(relay=False):
        await app.dead_letters.discard(letter.id)
    async with app.running():
        await app.settled()
        assert await pair.reader.rows() == {"a": 1}
        assert await app.dead_letters.list() == ()
