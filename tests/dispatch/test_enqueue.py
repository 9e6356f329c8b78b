"""Enqueuing at a door of the application: room, acknowledgements, and what is refused."""

from __future__ import annotations

import pytest
from attrs import frozen

from effect_runtime import (
    Failed,
    Principal,
    Succeeded,
    emit,
)
from effect_runtime.dispatch import (
    EventQueue,
    GivenUp,
    Handled,
    QueueFull,
    enqueue,
    enqueue_and_wait,
)
from effect_runtime.effect import Died, succeed
from effect_runtime.errors import (
    CommandIdWithoutCommand,
    ForeignEvent,
    QueueClosed,
    WaitInsideUnit,
    WriteInQuery,
)
from effect_runtime.events import Enqueued, Events
from effect_runtime.interpreter import Recorded, record, run
from tests.dispatch.desk import MINUTE, FiledOccurred, LostOccurred, filer, open_desk
from tests.dispatch.world import (
    All,
    Bench,
    CountedOccurred,
    Keep,
    Reading,
    Writing,
)

pytestmark = pytest.mark.anyio

mail = EventQueue("mail", capacity=5)
memory = EventQueue("memory", capacity=5, durable=False)


async def test_a_door_enqueues_in_a_unit_of_its_own(bench: Bench) -> None:
    """It waits for room first, with nothing open; then the journal is written, and the audit tells of it."""
    notes = bench.context()

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        desk.queues.is_open = lambda: "unit" in bench.store.log
        assert await desk.run(enqueue(FiledOccurred("a")), principal=Principal("ann")) == Succeeded(None)
        assert desk.queues.log == [("room", ("mail",), 1), "wake"]
        assert [entry.item.envelope.data for entry in await desk.agenda()] == [b'{"key":"a","value":1}']
        assert await bench.audit() == [("enqueue", "ann", "succeeded")]


async def test_a_full_queue_refuses_at_the_door(bench: Bench) -> None:
    """It ends with `QueueFull`, and nothing was written."""
    notes = bench.context()

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        desk.queues.full = mail
        assert await desk.run(enqueue(FiledOccurred("a"))) == Failed(QueueFull("mail", 5))
        assert await desk.run(enqueue_and_wait(FiledOccurred("a"))) == Failed(QueueFull("mail", 5))
        assert (await desk.agenda(), bench.store.log) == ((), [])


async def test_a_command_stands_when_its_queue_stays_full(bench: Bench) -> None:
    """The door waits after the commit; in vain, it changes nothing."""
    notes = bench.context()
    file = filer(notes)

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        desk.queues.full = mail
        assert await desk.run(file(Keep("a"))) == Succeeded(1)
        assert await bench.rows() == {"a": 1}


async def test_a_door_enqueues_into_memory_without_a_unit(bench: Bench) -> None:
    """Nothing is written, so nothing is opened."""
    notes = bench.context()

    @notes.after_commit(CountedOccurred, queue=memory)
    def tell(event: CountedOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(enqueue(CountedOccurred(1))) == Succeeded(None)
        assert desk.queues.log == [("room", ("memory",), 1), ("put", (("notes.tell", CountedOccurred(1)),))]
        assert bench.store.log == []


async def test_a_door_waits_for_the_acknowledgement(bench: Bench) -> None:
    """The items are expected before they are committed, so that no ending can be missed."""
    notes = bench.context()

    @notes.after_commit(FiledOccurred, queue=mail)
    def tell(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    @notes.after_commit(FiledOccurred, queue=memory)
    def count(event: FiledOccurred) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        desk.queues.ending = GivenUp(("l-1",))
        event = FiledOccurred("a")
        assert await desk.run(enqueue_and_wait(event, timeout=MINUTE)) == Succeeded(GivenUp(("l-1",)))
        assert desk.queues.log == [
            ("room", ("mail", "memory"), 1),
            ("expect", 2),
            ("put", (("notes.count", event),)),
            "wake",
            ("acknowledged", MINUTE),
            "expected",
        ]


async def test_an_event_that_nobody_hears_is_handled_at_once(bench: Bench) -> None:
    """There is nothing to write and nothing to wait for."""
    notes = bench.context()
    async with open_desk(bench, notes) as desk:
        assert await desk.run(enqueue(LostOccurred("a"))) == Succeeded(None)
        assert await desk.run(enqueue_and_wait(LostOccurred("a"))) == Succeeded(Handled())
        assert (bench.store.log, desk.queues.log) == ([], [])


async def test_a_command_id_belongs_to_a_command(bench: Bench) -> None:
    """An event that is enqueued has no answer to remember, so the id would promise what nobody keeps."""
    async with open_desk(bench, bench.context()) as desk:
        died = await desk.run(enqueue_and_wait(FiledOccurred("a")), command_id="k-1")
    assert isinstance(died, Died)
    assert isinstance(died.exception, CommandIdWithoutCommand)


async def test_what_is_no_domain_event_is_refused_at_the_door(bench: Bench) -> None:
    """As it is inside a unit."""
    async with open_desk(bench, bench.context()) as desk:
        died = await desk.run(enqueue(Keep("a")))  # type: ignore[arg-type]  # what the checkers refuse
    assert isinstance(died, Died)
    assert isinstance(died.exception, ForeignEvent)


async def test_waiting_inside_a_unit_is_a_defect_that_names_the_line(bench: Bench) -> None:
    """What it would wait for begins after the commit of the unit that waits."""
    notes = bench.context()

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None]:
        yield from enqueue_and_wait(FiledOccurred(command.key))

    async with open_desk(bench, notes) as desk:
        died = await desk.run(file(Keep("a")))
    assert isinstance(died, Died)
    error = died.exception
    assert isinstance(error, WaitInsideUnit)
    assert (error.event, error.unit) == ("FiledOccurred", "notes.file")
    line = test_waiting_inside_a_unit_is_a_defect_that_names_the_line.__code__.co_firstlineno + 6
    assert error.place.startswith(f"{__file__}:{line} ")


async def test_a_query_cannot_wait_for_an_event(bench: Bench) -> None:
    """It may only read; the checkers refuse what its runtime has no events for."""
    notes = bench.context()

    @notes.query(access="public")
    def read(query: All) -> Reading[None]:
        yield from enqueue_and_wait(FiledOccurred("a"))  # type: ignore[misc]  # what the checkers refuse

    async with open_desk(bench, notes) as desk:
        died = await desk.run(read(All()))
    assert isinstance(died, Died)
    assert isinstance(died.exception, WriteInQuery)


async def test_interceptors_see_an_enqueued_event(bench: Bench) -> None:
    """It is the operation `Events.enqueue`."""
    notes = bench.context()
    log: list[Recorded] = []

    @notes.command(access="public")
    def file(command: Keep) -> Writing[None]:
        yield from enqueue(FiledOccurred(command.key))

    async with open_desk(bench, notes, interceptors=[record(log)]) as desk:
        await desk.run(file(Keep("a")))
    assert log[0] == Recorded("Events.enqueue", (FiledOccurred("a"),), {}, "local", Succeeded(None))


@frozen
class OnlyEvents:
    """A runtime that a test builds by hand."""

    events: Events


async def test_a_program_enqueues_into_a_runtime_that_a_test_builds() -> None:
    """No application is needed to see what a body tells; a closed queue takes nothing."""
    runtime = OnlyEvents(Events())
    await run(emit(FiledOccurred("a")).bind(lambda _: enqueue(FiledOccurred("b"))), runtime)
    assert list(runtime.events) == [FiledOccurred("a"), Enqueued(FiledOccurred("b"))]
    runtime.events.close()
    with pytest.raises(QueueClosed):
        await run(enqueue(FiledOccurred("c")), runtime)
