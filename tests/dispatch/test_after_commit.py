"""After-commit handlers: what a unit leaves for them, and how one of them takes it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TypeAlias

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from effect_runtime import (
    Do,
    DomainEvent,
    Failed,
    Forbidden,
    Invalid,
    Succeeded,
    atomic,
    attempt,
    do,
    emit,
    fail,
    guard,
)
from effect_runtime.dispatch import (
    AgendaItem,
    EventQueue,
    enqueue,
    stored,
    stored_upcaster,
)
from effect_runtime.effect import Died, succeed
from effect_runtime.errors import (
    BadPayload,
    ForeignEvent,
    UnknownEvent,
    Unserializable,
)
from effect_runtime.integration import Envelope
from effect_runtime.outbox.memory import MemoryStore
from tests.dispatch.desk import FiledOccurred, LostOccurred, filer, open_desk
from tests.dispatch.troubled import TroubledStore
from tests.dispatch.world import (
    Bench,
    CountedOccurred,
    Keep,
    KeptOccurred,
    Missing,
    NotesRuntime,
    Other,
    Refusal,
    Writing,
    keeper,
)
from tests.outbox.stores.world import NOON

pytestmark = pytest.mark.anyio

mail = EventQueue("mail", capacity=5)
memory = EventQueue("memory", capacity=5, durable=False)


def envelope_of(item: AgendaItem) -> Envelope:
    """Return an item's envelope without what is drawn anew each time."""
    return evolve(item.envelope, id="", causation=None)


async def test_a_commit_leaves_an_item_for_each_handler_of_an_emitted_event(bench: Bench) -> None:
    """Each names its handler, its queue and its lane, and carries the event under its stored identity."""
    notes = bench.context()
    file = filer(notes)

    @notes.after_commit(FiledOccurred, queue=mail, key="key")
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    @notes.after_commit(FiledOccurred, queue=mail, id="old-name")
    def count(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(file(Keep("a")), command_id="k-1") == Succeeded(1)
        entries = await desk.agenda()
        assert [entry.item.reaction for entry in entries] == ["notes.tell", "notes.old-name"]
        assert [entry.item.envelope.causation for entry in entries] == ["k-1", "k-1"]
        told = Envelope(
            id="",
            source="/bench/notes",
            type="notes.note-filed",
            version=1,
            topic="mail",
            time=NOON,
            data=b'{"key":"a","value":1}',
            correlation="c-1",
            key="a",
        )
        assert [envelope_of(entry.item) for entry in entries] == [told, evolve(told, key=None)]
        assert desk.queues.log == ["wake", ("room", ("mail",), 0)]


async def test_an_enqueued_event_is_heard_after_the_commit_alone(bench: Bench) -> None:
    """Handlers in the transaction hear what is emitted; after-commit handlers hear both, in the order of telling."""
    notes = bench.context()
    heard: list[str] = []

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None]:
        yield from enqueue(FiledOccurred("first"))
        yield from emit(FiledOccurred("second"))
        yield from enqueue(FiledOccurred("third"))

    @notes.on(FiledOccurred)
    def within(event: FiledOccurred) -> Writing[None]:
        heard.append(event.key)
        yield from enqueue(FiledOccurred("fourth"))

    @notes.after_commit(FiledOccurred, queue=mail, key="key")
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(file(Keep("a"))) == Succeeded(None)
        assert [entry.item.envelope.key for entry in await desk.agenda()] == ["first", "second", "third", "fourth"]
    assert heard == ["second"]


@pytest.mark.parametrize("queue", [mail, memory], ids=["durable", "volatile"])
async def test_a_unit_that_fails_leaves_nothing(bench: Bench, queue: EventQueue) -> None:
    """A failure, or a defect, forgets what was emitted and enqueued; no worker is woken."""
    notes = bench.context()

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from enqueue(FiledOccurred(command.key))
        yield from emit(FiledOccurred(command.key))
        if command.value == 2:
            raise RuntimeError("bug")
        yield from fail(Refusal("no"))

    @notes.after_commit(FiledOccurred, queue=queue)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(file(Keep("a"))) == Failed(Refusal("no"))
        assert isinstance(await desk.run(file(Keep("a", 2))), Died)
        assert (await desk.agenda(), desk.queues.log) == ((), [])


async def test_enqueuing_is_no_link_in_a_chain_of_causes(bench: Bench) -> None:
    """The bound is on events that cause one another in the transaction; what comes after it causes nothing there."""
    notes = bench.context()
    file = filer(notes)

    @notes.on(FiledOccurred)
    def within(event: FiledOccurred) -> Writing[None]:
        yield from enqueue(FiledOccurred("later"))

    @notes.after_commit(FiledOccurred, queue=mail, key="key")
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes, event_depth=1) as desk:
        assert await desk.run(file(Keep("a"))) == Succeeded(1)
        assert [entry.item.envelope.key for entry in await desk.agenda()] == ["a", "later"]


async def test_a_savepoint_cuts_back_what_was_enqueued_in_it(bench: Bench) -> None:
    """What an undone step told is forgotten with its rows; what came before it stays."""
    notes = bench.context()

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None]:
        yield from enqueue(FiledOccurred("kept"))
        yield from attempt(atomic(enqueue(FiledOccurred("gone")).bind(lambda _: fail(Refusal("no")))))

    @notes.after_commit(FiledOccurred, queue=mail, key="key")
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(file(Keep("a"))) == Succeeded(None)
        assert [entry.item.envelope.key for entry in await desk.agenda()] == ["kept"]


Step: TypeAlias = "str | tuple[bool, tuple[Step, ...]]"
"""Emit, enqueue, or run more steps in an `atomic` that is kept or undone."""

steps: st.SearchStrategy[tuple[Step, ...]] = st.recursive(
    st.sampled_from(["emit", "enqueue"]),
    lambda inner: st.tuples(st.booleans(), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=8,
).map(lambda step: (step, "emit", step))


@settings(deadline=None, max_examples=60)
@given(program=steps)
async def test_any_program_leaves_what_its_kept_steps_told_in_their_order(program: tuple[Step, ...]) -> None:
    """Savepoints in savepoints, emitted and enqueued in turn: nothing undone is left, nothing kept is missing."""
    bench = Bench("memory", TroubledStore(MemoryStore()))
    notes = bench.context()
    numbers = count()

    def run_steps(told: tuple[Step, ...], kept: list[int]) -> Do[None, Refusal, NotesRuntime]:
        for step in told:
            if isinstance(step, str):
                kept.append(next(numbers))
                event = FiledOccurred("a", kept[-1])
                yield from emit(event) if step == "emit" else enqueue(event)
            else:
                inner: list[int] = []
                yield from attempt(atomic(steps_or_none(*step, inner)))
                kept.extend(inner if step[0] else ())

    @do
    def steps_or_none(is_kept: bool, told: tuple[Step, ...], kept: list[int]) -> Do[None, Refusal, NotesRuntime]:
        yield from run_steps(told, kept)
        yield from guard(is_kept, Refusal("undone"))

    expected: list[int] = []

    @notes.command(access="public")
    def tell_all(command: Keep) -> Writing[None, Refusal]:
        yield from run_steps(program, expected)

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(tell_all(Keep("a"))) == Succeeded(None)
        left = [desk.home.registry.decode(entry.item.envelope).value for entry in await desk.agenda()]
    assert left == expected


async def test_an_event_that_does_not_hold_what_it_says_is_a_defect_that_names_it(bench: Bench) -> None:
    """It is found before the commit, so nothing is kept."""
    notes = bench.context()

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(FiledOccurred(command.key, "many"))  # type: ignore[arg-type]  # what the checkers refuse

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        died = await desk.run(file(Keep("a")))
        assert (await bench.rows(), await desk.agenda()) == ({}, ())
    assert isinstance(died, Died)
    assert isinstance(died.exception, Unserializable)
    assert (died.exception.subject, list(died.exception.faults)) == ("FiledOccurred", ["value"])


@pytest.mark.parametrize("queue", [mail, memory], ids=["durable", "volatile"])
async def test_an_empty_key_is_a_defect(bench: Bench, queue: EventQueue) -> None:
    """Events cannot be put in order by a text that is not there."""
    notes = bench.context()
    file = filer(notes)

    @notes.after_commit(FiledOccurred, queue=queue, key="key")
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        died = await desk.run(file(Keep("")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, Unserializable)
    assert died.exception.faults == {"key": "is empty and cannot order events"}


async def test_a_volatile_queue_is_given_its_events_after_the_commit(bench: Bench) -> None:
    """They need no identity and are never written; the agenda stays empty."""
    notes = bench.context()

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(CountedOccurred(command.value))

    @notes.after_commit(CountedOccurred, queue=memory)
    def tell(event: CountedOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:

        async def no_event_yet() -> None:
            assert desk.queues.log == []

        bench.store.on("commit", no_event_yet)
        assert await desk.run(file(Keep("a", 7))) == Succeeded(None)
        assert desk.queues.log == [
            ("put", (("notes.tell", CountedOccurred(7)),)),
            ("room", ("memory",), 0),
        ]
        assert await desk.agenda() == ()


async def test_a_unit_whose_events_nobody_hears_later_leaves_nothing(bench: Bench) -> None:
    """Other after-commit handlers of the context change nothing for it."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[None]:
        yield from emit(CountedOccurred(1))
        yield from enqueue(LostOccurred("a"))

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(keep(Keep("a"))) == Succeeded(None)
        assert (await desk.agenda(), desk.queues.log) == ((), [])


async def test_an_enqueued_event_of_another_context_is_refused(bench: Bench) -> None:
    """Domain events never leave their context, after the commit either."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[None]:
        yield from enqueue(LostOccurred(command.key))

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes, strangers={LostOccurred: "archive"}) as desk:
        died = await desk.run(keep(Keep("a")))
    assert isinstance(died, Died)
    assert isinstance(died.exception, ForeignEvent)
    assert (died.exception.event, died.exception.place) == ("LostOccurred", "context 'notes'")


async def test_a_handler_takes_its_item_and_writes_in_one_transaction(bench: Bench) -> None:
    """After it, the item is gone and the handler's rows are there; it runs as a part of the system."""
    notes = bench.context()
    file = filer(notes)
    seen: list[tuple[str, str | None, str]] = []

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put(f"told {event.key}", event.value)
        yield from emit(FiledOccurred("again"))

    class Asked(Bench):
        def make(self, tx):  # type: ignore[no-untyped-def]  # as its base says
            seen.append((tx.message.principal.id, tx.message.causation, tx.message.idempotency_key))
            return super().make(tx)

    asked = Asked(bench.kind, bench.store)
    async with open_desk(asked, notes) as desk:
        await desk.run(file(Keep("a", 3)), command_id="k-1")
        seen.clear()
        desk.queues.log.clear()
        entry = await desk.claim("notes.tell")
        id = entry.item.envelope.id
        assert await desk.react(tell, entry) == Succeeded(None)
        assert await bench.rows() == {"a": 3, "told a": 3}
        (again,) = await desk.agenda()
        assert (again.item.envelope.causation, again.item.envelope.correlation) == (id, "c-1")
        assert desk.queues.log == ["wake"]  # and nobody waited for room
        assert (await bench.audit())[-1] == ("notes.tell", "system:notes.tell", "succeeded")
    assert seen == [("system:notes.tell", id, f"notes.tell/{id}")]


async def test_a_stale_loan_runs_nothing(bench: Bench) -> None:
    """A worker whose item was lent on, or taken, writes nothing and is told nothing is wrong."""
    notes = bench.context()
    file = filer(notes)

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        count = len((yield from rt.notes.all()))
        yield from rt.notes.put(f"told {count}", 1)

    async with open_desk(bench, notes) as desk:
        await desk.run(file(Keep("a")))
        entry = await desk.claim("notes.tell")
        assert await desk.react(tell, entry) == Succeeded(None)
        assert await desk.react(tell, entry) == Succeeded(None)
        assert await bench.rows() == {"a": 1, "told 1": 1}


async def test_a_failed_handler_leaves_its_item(bench: Bench) -> None:
    """Neither a failure nor a defect ends the loan or keeps a row; the idempotency key is the same at the next try."""
    notes = bench.context()
    file = filer(notes)
    keys: list[str] = []
    endings = iter([Refusal("later"), RuntimeError("bug"), None])

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put("told", 1)
        ending = next(endings)
        if isinstance(ending, Refusal):
            yield from fail(ending)
        if isinstance(ending, RuntimeError):
            raise ending

    class Asked(Bench):
        def make(self, tx):  # type: ignore[no-untyped-def]  # as its base says
            keys.append(tx.message.idempotency_key)
            return super().make(tx)

    async with open_desk(Asked(bench.kind, bench.store), notes) as desk:
        await desk.run(file(Keep("a")))
        entry = await desk.claim("notes.tell")
        keys.clear()
        assert await desk.react(tell, entry) == Failed(Refusal("later"))
        died = await desk.react(tell, entry)
        assert isinstance(died, Died)
        assert str(died.exception) == "bug"
        assert (await bench.rows(), len(await desk.agenda())) == ({"a": 1}, 1)
        assert await desk.react(tell, entry) == Succeeded(None)
        assert (await bench.rows(), len(await desk.agenda())) == ({"a": 1, "told": 1}, 0)
    assert keys == [f"notes.tell/{entry.item.envelope.id}"] * 3


async def test_a_volatile_item_is_handled_without_an_admission(bench: Bench) -> None:
    """There is no loan to end: whoever holds it in memory knows what it gave out."""
    notes = bench.context()

    @notes.command(access="public")
    def count(command: Keep) -> Writing[None]:
        yield from emit(CountedOccurred(command.value))

    @notes.after_commit(CountedOccurred, queue=memory, key="number")
    def tell(event: CountedOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("told", event.number)

    async with open_desk(bench, notes) as desk:
        await desk.run(count(Keep("a", 7)))
        (item,) = desk.queues.items
        assert (item.reaction, item.event, item.envelope.key) == ("notes.tell", CountedOccurred(7), "7")
        assert await desk.dispatcher.react(tell, item) == Succeeded(None)
        assert await bench.rows() == {"told": 7}


@frozen
@stored("notes.note-moved", version=2, formerly=("notes.note-shifted",))
class MovedOccurred(DomainEvent):
    """An event with a past."""

    key: str
    place: str


@stored_upcaster(MovedOccurred, version=1)
def place_was_a_number(payload, envelope):  # type: ignore[no-untyped-def]  # a payload is any mapping
    """Name the places that had numbers."""
    return {**payload, "place": f"shelf {payload['place']}"}


@pytest.mark.parametrize(
    ("type", "version", "data", "told"),
    [
        ("notes.note-moved", 2, b'{"key":"a","place":"desk"}', "desk"),
        ("notes.note-moved", 1, b'{"key":"a","place":3}', "shelf 3"),
        ("notes.note-shifted", 2, b'{"key":"a","place":"desk","more":1}', "desk"),
    ],
)
async def test_an_item_outlives_the_code_that_wrote_it(
    bench: Bench, type: str, version: int, data: bytes, told: str
) -> None:
    """Older versions are upcast, former identities are read, unknown fields are ignored."""
    notes = bench.context()

    @notes.after_commit(MovedOccurred, queue=mail)
    def tell(event: MovedOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put(event.place, 1)

    async with open_desk(bench, notes) as desk:
        await desk.add(an_item("notes.tell", type, version, data))
        assert await desk.react(tell, await desk.claim("notes.tell")) == Succeeded(None)
        assert await bench.rows() == {told: 1}


@pytest.mark.parametrize(
    ("type", "version", "data", "error"),
    [
        ("notes.note-moved", 2, b'{"key":"a"}', BadPayload),
        ("notes.note-moved", 2, b"no json", BadPayload),
        ("notes.note-moved", 3, b"{}", UnknownEvent),
        ("notes.note-burnt", 1, b"{}", UnknownEvent),
    ],
)
async def test_an_item_that_cannot_be_read_is_refused_before_anything_opens(
    bench: Bench, type: str, version: int, data: bytes, error: type[Exception]
) -> None:
    """What it says is for an operator to read; no unit is spent on it."""
    notes = bench.context()

    @notes.after_commit(MovedOccurred, queue=mail)
    def tell(event: MovedOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        await desk.add(an_item("notes.tell", type, version, data))
        entry = await desk.claim("notes.tell")
        bench.store.log.clear()
        with pytest.raises(error):
            await desk.react(tell, entry)
        assert bench.store.log == []


def an_item(reaction: str, type: str, version: int, data: bytes) -> AgendaItem:
    """Return an item as another version of the code would have written it."""
    envelope = Envelope(
        id="i-1",
        source="/bench/notes",
        type=type,
        version=version,
        topic="mail",
        time=NOON,
        data=data,
        correlation="c-1",
    )
    return AgendaItem(reaction=reaction, envelope=envelope)


async def test_a_subscriptions_unit_does_not_wait_for_room(bench: Bench) -> None:
    """Only doors wait: what is delivered must go on."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from keep(Keep("nested")).map(lambda _: None).pipe(attempt)
        yield from emit(FiledOccurred("next"))

    async with open_desk(bench, notes) as desk:
        await desk.run(enqueue(FiledOccurred("a")))
        desk.queues.log.clear()
        assert await desk.react(tell, await desk.claim("notes.tell")) == Succeeded(None)
        assert desk.queues.log == ["wake"]


def test_a_declared_failure_has_a_verdict() -> None:
    """Tried again unless it is named; refusals of nested commands are given up at once."""
    notes = Bench.on("memory", None).context()  # type: ignore[arg-type]  # a memory store needs no folder

    @notes.after_commit(FiledOccurred, queue=mail, ignore=(Missing, Forbidden), dead_letter=(Refusal,))
    def tell(event: FiledOccurred) -> Writing[None, Missing | Refusal | Other | Invalid | Forbidden]:
        yield from succeed(None)

    verdicts = [tell.verdict(each) for each in (Missing("a"), Refusal("b"), Other("c"), Invalid(), Forbidden())]
    assert verdicts == ["ignore", "dead_letter", "retry", "dead_letter", "ignore"]
    assert (tell.title, tell.name, repr(tell)) == ("notes.tell", "tell", "<AfterCommit notes.tell on FiledOccurred>")
    assert isinstance(tell.place, str)


async def test_a_declared_veto_joins_no_after_commit_handler(bench: Bench) -> None:
    """What an event lets its handlers in the transaction fail with binds those after the commit in no way."""
    notes = bench.context()

    @notes.after_commit(KeptOccurred, queue=EventQueue("memory", durable=False, timeout=timedelta(0)))
    def tell(event: KeptOccurred) -> Writing[None, Missing]:
        yield from fail(Missing(event.key))

    async with open_desk(bench, notes) as desk:
        assert await desk.run(enqueue(KeptOccurred("a"))) == Succeeded(None)
