"""After-commit queues of a running application: what is worked on when, who waits, and how everybody is answered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint

from effect_runtime import App, Failed, Schedule, Succeeded, emit, fail
from effect_runtime.dispatch import (
    Acknowledgement,
    EventQueue,
    GivenUp,
    Handled,
    Lost,
    QueueFull,
    StillQueued,
    enqueue,
    enqueue_and_wait,
)
from effect_runtime.effect import Died
from effect_runtime.errors import DeadLetterNotReplayable, UnhandledFailure
from effect_runtime.outbox import AgendaCounts, Pace, decoded_recording
from tests.app.mailroom import Mailroom, never_again
from tests.dispatch.desk import FiledOccurred
from tests.dispatch.world import Bench, Refusal, Writing

pytestmark = pytest.mark.anyio

LONG = timedelta(minutes=5)
SHORT = timedelta(milliseconds=30)
CALM = 20.0
"""Seconds after which a test that waits for something has failed."""


@pytest.fixture
def room(bench: Bench) -> Mailroom:
    """Return a mailroom on each store in turn."""
    return Mailroom(bench)


async def until_inside(room: Mailroom, count: int) -> None:
    """Wait until so many handlers are at the gate."""
    with fail_after(CALM):
        while len(room.gate.inside) < count:
            await checkpoint()


async def until_told(room: Mailroom, key: str) -> None:
    """Wait until a note was told of, and that is committed."""
    with fail_after(CALM):
        while f"told-{key}" not in await room.kept():
            await checkpoint()


@pytest.mark.parametrize("durable", [True, False])
async def test_a_handler_runs_after_the_commit_in_a_unit_of_its_own(room: Mailroom, durable: bool) -> None:
    """The command does not wait for it; the audit names it as principal."""
    room.telling(EventQueue("mail", durable=durable))
    async with room.running() as app:
        assert await app.run(room.filing("a")) == 1
        await until_inside(room, 1)
        assert await room.kept() == ["a"]
        room.gate.is_open.set()
        await app.settled()
        assert await room.kept() == ["a", "told-a"]
        assert (await room.bench.audit())[-1] == ("notes.tell", "system:notes.tell", "succeeded")
        assert app.counts()["notes" if room.bench.kind == "memory" else room.bench.store.name].agenda == AgendaCounts(
            handled=1
        )


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize(("concurrency", "expected"), [(0, 6), (1, 1), (2, 2)])
async def test_concurrency_bounds_how_many_handlers_are_at_work(
    room: Mailroom, durable: bool, concurrency: int, expected: int
) -> None:
    """0 is all lanes, 1 one after the other, n at most n; what a handler calls outside holds no transaction."""
    room.telling(EventQueue("mail", durable=durable, concurrency=concurrency), key="key")
    async with room.running() as app:
        for number in range(6):
            await app.run(room.filing(f"n{number}"))
        await until_inside(room, expected)
        room.gate.is_open.set()
        await app.settled()
    assert (room.gate.most, sorted(room.gate.passed)) == (expected, [f"n{number}" for number in range(6)])


@pytest.mark.parametrize("durable", [True, False])
async def test_one_event_at_a_time_in_a_lane_and_in_order(room: Mailroom, durable: bool) -> None:
    """Whatever the concurrency is; a handler without a key has no lanes."""
    order: list[int] = []

    def body(event: FiledOccurred) -> Writing[None]:
        yield from room.gate.through(event.key)
        order.append(event.value)

    room.telling(EventQueue("mail", durable=durable), body, key="key")
    async with room.running() as app:
        for number in range(5):
            await app.run(room.filing("same", number))
        await until_inside(room, 1)
        room.gate.is_open.set()
        await app.settled()
    assert (room.gate.most, order) == (1, [0, 1, 2, 3, 4])


@pytest.mark.parametrize("durable", [True, False])
async def test_the_caller_waits_after_the_commit_while_a_queue_is_above_its_capacity(
    room: Mailroom, durable: bool
) -> None:
    """Its command stands meanwhile, no transaction is held, and others may write."""
    room.telling(EventQueue("mail", durable=durable, capacity=1, timeout=LONG))
    answered: list[int] = []
    async with room.running() as app, create_task_group() as group:

        async def file(key: str) -> None:
            answered.append(await app.run(room.filing(key)))

        await app.run(room.filing("first"))
        await until_inside(room, 1)
        group.start_soon(file, "second")
        with fail_after(CALM):
            while "second" not in await room.kept():
                await checkpoint()
        async with room.bench.store.open.unit() as unit:  # the writer's turn is free
            await unit.begin()
            await unit.rollback()
        assert answered == []
        room.gate.is_open.set()
        with fail_after(CALM):
            while not answered:
                await checkpoint()
        await app.settled()
        assert await room.kept() == ["first", "second", "told-first", "told-second"]


@pytest.mark.parametrize("durable", [True, False])
async def test_a_caller_waits_no_longer_than_the_queues_timeout(room: Mailroom, durable: bool) -> None:
    """It is answered as if there had been room. A durable event is kept; a volatile one without room is lost."""
    room.telling(EventQueue("mail", durable=durable, capacity=1, timeout=SHORT))
    async with room.running() as app:
        await app.run(room.filing("first"))
        await until_inside(room, 1)
        with fail_after(CALM):
            assert await app.run(room.filing("second")) == 1
        room.gate.is_open.set()
        await app.settled()
        (counts,) = app.counts().values()
    expected = AgendaCounts(handled=2) if durable else AgendaCounts(handled=1, lost_without_room=1)
    assert counts.agenda == expected


@pytest.mark.parametrize("durable", [True, False])
async def test_enqueue_at_a_door_waits_for_room_before_it_writes(room: Mailroom, durable: bool) -> None:
    """First come, first served."""
    room.telling(EventQueue("mail", durable=durable, capacity=1, concurrency=1, timeout=LONG))
    async with room.running() as app, create_task_group() as group:
        await app.run(enqueue(FiledOccurred("first")))
        await until_inside(room, 1)
        group.start_soon(app.run, enqueue(FiledOccurred("second")))
        for _ in range(50):
            await checkpoint()
        assert (await app.health()).popitem()[1].agenda == (1 if durable else 0)
        room.gate.is_open.set()
        await until_told(room, "second")
    assert room.tried == ["first", "second"]


@pytest.mark.parametrize("durable", [True, False])
async def test_enqueue_in_vain_ends_with_queue_full(room: Mailroom, durable: bool) -> None:
    """Nothing was written; `run` raises it with the way out."""
    room.telling(EventQueue("mail", durable=durable, capacity=1, timeout=SHORT))
    async with room.running() as app:
        await app.run(enqueue(FiledOccurred("first")))
        await until_inside(room, 1)
        assert await app.run_exit(enqueue(FiledOccurred("second"))) == Failed(QueueFull("mail", 1))
        with pytest.raises(UnhandledFailure) as caught:
            await app.run(enqueue(FiledOccurred("third")))
        assert caught.value.error == QueueFull("mail", 1)
        room.gate.is_open.set()
        await app.settled()
    assert room.tried == ["first"]


@pytest.mark.parametrize("durable", [True, False])
async def test_a_handler_that_enqueues_to_its_own_full_queue_goes_on(room: Mailroom, durable: bool) -> None:
    """Handlers never wait for room, so no cycle of queues can deadlock."""

    def body(event: FiledOccurred) -> Writing[None]:
        if event.value < 8:
            yield from enqueue(FiledOccurred(event.key, event.value + 1))
            yield from enqueue(FiledOccurred(event.key, 100))

    room.telling(EventQueue("mail", durable=durable, capacity=8, concurrency=1, timeout=LONG), body)
    async with room.running() as app:
        with fail_after(CALM):
            await app.run(enqueue(FiledOccurred("a", 1)))
            await app.settled()
    assert len(room.tried) == 15


async def test_a_failed_event_is_tried_again_and_then_a_dead_letter_to_replay(room: Mailroom) -> None:
    """Two tries at once, one delayed; a replay has all of them before it."""
    broken: list[bool] = [True]

    def body(event: FiledOccurred) -> Writing[None]:
        rt = yield from room.context.runtime
        yield from rt.notes.put(f"told-{event.key}", event.value)
        if broken:
            raise RuntimeError("the printer is out of paper")

    schedule = Schedule.fixed(timedelta(milliseconds=5)).times(1)
    room.telling(EventQueue("mail", immediate=2, schedule=schedule), body)
    async with room.running() as app:
        await app.run(room.filing("a"))
        with fail_after(CALM):
            while not await app.dead_letters.list():
                await checkpoint()
        await app.settled()
        (letter,) = await app.dead_letters.list()
        assert (letter.side, letter.destination, letter.topic, letter.type) == (
            "agenda",
            "notes.tell",
            "mail",
            "notes.note-filed",
        )
        assert (letter.attempts, len(letter.history), await room.kept()) == (4, 4, ["a"])
        assert [told.subject.split(":")[0].split(" ", 1)[0] for told in room.told] == ["notes.note-filed"] * 2
        broken.clear()
        await app.dead_letters.replay(letter.id)
        await app.settled()
        assert (await room.kept(), await app.dead_letters.list()) == (["a", "told-a"], ())


async def test_a_declared_failure_means_what_the_handler_maps_it_to(room: Mailroom) -> None:
    """`dead_letter=` gives up at once; `ignore=` counts as done."""

    def body(event: FiledOccurred) -> Writing[None, Refusal]:
        yield from fail(Refusal(event.key))

    room.telling(EventQueue("mail"), body, dead_letter=(Refusal,))
    async with room.running() as app:
        await app.run(room.filing("a"))
        await app.settled()
        (letter,) = await app.dead_letters.list()
    assert (room.tried, letter.attempts, letter.cause) == (["a"], 1, "Refusal(reason='a')")


async def test_a_dead_letter_of_the_agenda_keeps_its_operations_and_becomes_a_test(room: Mailroom) -> None:
    """As that of a subscription does; `test_reproduced_agenda` runs such tests."""

    def body(event: FiledOccurred) -> Writing[None]:
        rt = yield from room.context.runtime
        yield from rt.notes.put("told", 1)
        raise RuntimeError("broken")

    room.telling(EventQueue("mail", immediate=0, schedule=never_again), body)
    async with room.running() as app:
        await app.run(room.filing("a"))
        await app.settled()
        (letter,) = await app.dead_letters.list()
        assert "def test_" in await app.dead_letters.reproduce(letter.id)
    assert letter.recording is not None
    assert [operation.place for operation in decoded_recording(letter.recording).operations][-1] == "Notes.put"


async def test_a_dead_letter_of_a_volatile_queue_is_for_reading_alone(room: Mailroom) -> None:
    """Its event was never encoded: a replay says how to get letters that can be."""

    def body(event: FiledOccurred) -> Writing[None]:
        raise RuntimeError("broken")
        yield

    room.telling(EventQueue("mail", durable=False, immediate=0, schedule=never_again), body)
    async with room.running() as app:
        await app.run(room.filing("a"))
        await app.settled()
        (letter,) = await app.dead_letters.list()
        assert (letter.side, letter.destination, letter.body) == (
            "agenda",
            "notes.tell",
            b"FiledOccurred(key='a', value=1)",
        )
        with pytest.raises(DeadLetterNotReplayable, match="durable=True"):
            await app.dead_letters.replay(letter.id)
        await app.dead_letters.discard(letter.id)
        assert await app.dead_letters.list() == ()


async def waited(app: App, key: str, timeout: timedelta = LONG) -> Acknowledgement:
    """Enqueue an event and wait for its end."""
    with fail_after(CALM):
        return await app.run(enqueue_and_wait(FiledOccurred(key), timeout=timeout))


@pytest.mark.parametrize("durable", [True, False])
async def test_a_handled_event_is_acknowledged_once_its_handler_has_committed(room: Mailroom, durable: bool) -> None:
    """What it wrote can be read then."""
    room.telling(EventQueue("mail", durable=durable))
    room.gate.is_open.set()
    async with room.running() as app:
        assert await waited(app, "a") == Handled()
        assert await room.kept() == ["told-a"]


@pytest.mark.parametrize("durable", [True, False])
async def test_an_event_given_up_is_acknowledged_with_its_letters(room: Mailroom, durable: bool) -> None:
    """By their ids."""

    def body(event: FiledOccurred) -> Writing[None]:
        raise RuntimeError("broken")
        yield

    room.telling(EventQueue("mail", durable=durable, immediate=1, schedule=never_again), body)
    async with room.running() as app:
        ended = await waited(app, "a")
        (letter,) = await app.dead_letters.list()
    assert (ended, room.tried) == (GivenUp((letter.id,)), ["a", "a"])


@pytest.mark.parametrize("durable", [True, False])
async def test_an_event_that_nobody_ends_in_time_is_still_queued(room: Mailroom, durable: bool) -> None:
    """Its handler goes on."""
    room.telling(EventQueue("mail", durable=durable))
    async with room.running() as app:
        assert await waited(app, "a", SHORT) == StillQueued()
        room.gate.is_open.set()
        await app.settled()
        assert await room.kept() == ["told-a"]


async def test_an_event_that_nobody_works_on_is_still_queued_at_the_timeout(room: Mailroom) -> None:
    """It waits in the store for a process that does."""
    room.telling(EventQueue("mail"))
    async with room.running(agenda=False) as app:
        assert await waited(app, "a", SHORT) == StillQueued()
        (entry,) = await app.agenda.list()
    assert entry.item.reaction == "notes.tell"
    room.gate.is_open.set()
    async with room.running() as app:
        await app.settled()
        assert await room.kept() == ["told-a"]


@pytest.mark.parametrize("breaks", [False, True])
async def test_an_event_that_another_process_ends_is_acknowledged(room: Mailroom, breaks: bool) -> None:
    """Handled or given up: the store tells."""

    def body(event: FiledOccurred) -> Writing[None]:
        if breaks:
            raise RuntimeError("broken")
        yield from room.gate.through(event.key)

    room.telling(EventQueue("mail", immediate=0, schedule=never_again), body)
    room.gate.is_open.set()
    other = room.app()
    async with other.running(), room.running(agenda=False) as app:
        ended = await waited(app, "a")
        letters = await app.dead_letters.list()
    assert ended == (GivenUp(tuple(letter.id for letter in letters)) if breaks else Handled())
    assert len(letters) == breaks


async def test_an_event_whose_entry_an_operator_cancels_is_acknowledged_as_lost(room: Mailroom) -> None:
    """Its handler never ran."""
    room.telling(EventQueue("mail"))
    ended: list[Acknowledgement] = []
    async with room.running(agenda=False) as app, create_task_group() as group:

        async def wait() -> None:
            ended.append(await waited(app, "a"))

        group.start_soon(wait)
        with fail_after(CALM):
            while not await app.agenda.list():
                await checkpoint()
        (entry,) = await app.agenda.list()
        assert await app.agenda.cancel(entry.item.envelope.id)
        assert not await app.agenda.cancel(entry.item.envelope.id)
    assert ended == [Lost()]


async def test_an_event_that_nobody_hears_is_acknowledged_at_once(room: Mailroom) -> None:
    """All of its handlers have handled it: there are none."""
    async with room.running() as app:
        assert await waited(app, "a") == Handled()


@pytest.mark.parametrize(("durable", "expected"), [(True, StillQueued()), (False, Lost())])
async def test_a_shutdown_acknowledges_what_it_leaves(room: Mailroom, durable: bool, expected: object) -> None:
    """A durable event waits in the store, and the next process handles it; a volatile one is lost, and counted."""
    room.telling(EventQueue("mail", durable=durable))
    ended: list[Acknowledgement] = []
    pace = Pace(drain=SHORT)
    async with create_task_group() as group:
        async with room.running(pace=pace) as app:

            async def wait() -> None:
                ended.append(await waited(app, "a"))

            group.start_soon(wait)
            await until_inside(room, 1)
    assert ended == [expected]
    room.gate.is_open.set()
    async with room.running() as app:
        await app.settled()
        assert await room.kept() == (["told-a"] if durable else [])


@pytest.mark.parametrize("durable", [True, False])
async def test_what_ends_during_the_drain_is_acknowledged_as_what_it_became(room: Mailroom, durable: bool) -> None:
    """The drain lets handlers finish before anybody is told otherwise."""
    room.telling(EventQueue("mail", durable=durable))
    ended: list[Acknowledgement] = []
    async with create_task_group() as group:
        async with room.running() as app:

            async def wait() -> None:
                ended.append(await waited(app, "a"))

            async def release() -> None:
                for _ in range(50):
                    await checkpoint()
                room.gate.is_open.set()

            group.start_soon(wait)
            await until_inside(room, 1)
            group.start_soon(release)
    assert (ended, await room.kept_later()) == ([Handled()], ["told-a"])


async def test_a_volatile_queue_is_drained_before_the_application_ends(room: Mailroom) -> None:
    """What waits in it is worked on, too, not only what was in hand."""
    room.telling(EventQueue("mail", durable=False, concurrency=1))
    async with create_task_group() as group:
        async with room.running() as app:
            for number in range(5):
                await app.run(room.filing(f"n{number}"))
            await until_inside(room, 1)
            group.start_soon(checkpoint)
            room.gate.is_open.set()
    assert room.gate.passed == [f"n{number}" for number in range(5)]


async def test_a_drain_ends_at_its_deadline_and_counts_what_is_lost(room: Mailroom) -> None:
    """The one in work and those that wait; the counts can be read until the end."""
    room.telling(EventQueue("mail", durable=False, concurrency=1))
    app = room.app(pace=Pace(drain=SHORT))
    async with app.running():
        for number in range(3):
            await app.run(room.filing(f"n{number}"))
        await until_inside(room, 1)
        assert app._live is not None
        (site,) = app._live.sites.values()
    assert site.counts.agenda == AgendaCounts(lost_at_shutdown=3)
    assert await room.kept_later() == ["n0", "n1", "n2"]


async def test_whoever_waits_for_room_is_let_go_by_the_shutdown(room: Mailroom) -> None:
    """After its commit a caller is answered; before it, it is refused, because no room will come."""
    room.telling(EventQueue("mail", capacity=1, timeout=LONG))
    exits: dict[str, object] = {}
    async with create_task_group() as group:
        async with room.running(pace=Pace(drain=SHORT)) as app:
            await app.run(room.filing("first"))
            await until_inside(room, 1)

            async def file() -> None:
                exits["after"] = await app.run_exit(room.filing("second"))

            async def put() -> None:
                exits["before"] = await app.run_exit(enqueue(FiledOccurred("third")))

            group.start_soon(file)
            group.start_soon(put)
            with fail_after(CALM):
                while "second" not in await room.kept():
                    await checkpoint()
            for _ in range(50):
                await checkpoint()
    assert exits == {"after": Succeeded(1), "before": Failed(QueueFull("mail", 1))}


async def test_a_caller_that_is_cancelled_while_it_waits_leaves_its_command_standing(room: Mailroom) -> None:
    """The commit was before the wait."""
    room.telling(EventQueue("mail", capacity=1, timeout=LONG))
    async with room.running() as app:
        await app.run(room.filing("first"))
        await until_inside(room, 1)
        async with create_task_group() as group:
            group.start_soon(app.run, room.filing("second"))
            with fail_after(CALM):
                while "second" not in await room.kept():
                    await checkpoint()
            group.cancel_scope.cancel()
        room.gate.is_open.set()
        await app.settled()
        assert await room.kept() == ["first", "second", "told-first", "told-second"]


async def test_a_handler_that_tells_another_queue_never_waits_for_it(room: Mailroom) -> None:
    """Also when that is full: its events are above the capacity for a while."""
    other = EventQueue("other", capacity=1, concurrency=1, timeout=LONG)

    def body(event: FiledOccurred) -> Writing[None]:
        for number in range(5):
            yield from emit(FiledOccurred(event.key, number))

    notes = room.context

    @notes.after_commit(FiledOccurred, queue=other)
    def hear(event: FiledOccurred) -> Writing[None]:
        yield from room.gate.through(event.key)

    room.telling(EventQueue("mail"), lambda event: body(event) if event.value == 99 else enqueue_nothing())
    async with room.running() as app:
        async with create_task_group() as group:
            group.start_soon(app.run, enqueue(FiledOccurred("a", 99)))
            with fail_after(CALM):
                while len(room.tried) < 6:
                    await checkpoint()
            room.gate.is_open.set()
        await app.settled()
    assert len(room.gate.passed) == 6


def enqueue_nothing() -> Writing[None]:
    """Do nothing."""
    return
    yield


async def test_entries_that_nobody_knows_are_reported_as_stuck(room: Mailroom) -> None:
    """Their handler was renamed without `id=`, or is gone: an operator cancels them, or the code comes back."""
    room.telling(EventQueue("mail"))
    async with room.running(agenda=False) as app:
        await app.run(room.filing("a"))
        (health,) = (await app.health()).values()
        assert (health.agenda, health.stuck, health.is_well) == (1, (), True)
    room.context.after_commits.clear()
    async with room.running() as app:
        await app.settled()
        (health,) = (await app.health()).values()
        assert (health.agenda, health.stuck, health.is_well) == (1, ("notes.tell",), False)
        (entry,) = await app.agenda.list()
        assert await app.agenda.cancel(entry.item.envelope.id)
        (health,) = (await app.health()).values()
        assert (health.agenda, health.is_well) == (0, True)


async def test_a_commit_of_another_process_is_noticed(room: Mailroom) -> None:
    """Its events are worked on by any process that works on the agenda."""
    room.telling(EventQueue("mail"))
    room.gate.is_open.set()
    worker = room.app()
    async with worker.running(), room.running(agenda=False) as app:
        await worker.settled()
        await app.run(room.filing("a"))
        await until_told(room, "a")


async def test_a_handler_that_dies_by_a_bug_does_not_fail_the_command(room: Mailroom) -> None:
    """The command has committed; `Died` is for what happens before that."""

    def body(event: FiledOccurred) -> Writing[None]:
        raise RuntimeError("broken")
        yield

    room.telling(EventQueue("mail", immediate=0, schedule=never_again), body)
    async with room.running() as app:
        exit = await app.run_exit(room.filing("a"))
        await app.settled()
        assert not isinstance(exit, Died)
        assert exit == Succeeded(1)
