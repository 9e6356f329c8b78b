"""Due commands of a running application: once, never early, on the store's clock; taken back, moved, listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from anyio import create_task_group, fail_after
from anyio.lowlevel import checkpoint
from attrs import define, field, frozen

from effect_runtime import App, Context, Succeeded, fail
from effect_runtime.dispatch import DueId, cancel_due, reschedule_due, send_later, stored
from effect_runtime.effect import Failed
from effect_runtime.errors import NaiveDue
from effect_runtime.interpreter import Host
from effect_runtime.outbox import Pace, RecordingInterpreter
from tests.dispatch.desk import Remind
from tests.dispatch.world import Bench, Keep, NotesReads, NotesRuntime, Other, Refusal, Writing
from tests.outbox.world import START, TurnedTime, turned_host, until

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
SELDOM = Pace(busy_poll=timedelta(seconds=1), idle_poll=timedelta(minutes=1))
"""Turning time by inches is slow."""

NOTHING_LEFT = 20.0
"""Seconds after which a test that waits for something has failed."""


@frozen
@stored("notes.shred")
class Shred:
    """Shred a note: nobody outside may ask for it."""

    key: str


@frozen
class ShredLater:
    """Shred a note in an hour."""

    key: str


@frozen
class GiveUp:
    """Remind of a note, and then do nothing at all."""

    key: str


@frozen
class Delay:
    """Give a reminder another time."""

    id: DueId
    due: datetime | timedelta


@define
class Reminders:
    """The context `notes`, which reminds of notes later."""

    bench: Bench
    context: Context[NotesRuntime, NotesReads] = field(init=False)
    reminded: list[tuple[str, datetime]] = field(factory=list)
    troubles: list[Exception] = field(factory=list)
    plan: Any = field(init=False)
    remind: Any = field(init=False)
    take_back: Any = field(init=False)
    delay: Any = field(init=False)
    shred_later: Any = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Register the commands."""
        notes = self.context = self.bench.context()

        @notes.command(access="public")
        def plan(command: Keep) -> Writing[DueId]:
            """Remind of a note so many minutes from now."""
            return (yield from send_later(Remind(command.key), due=timedelta(minutes=command.value)))

        @notes.command(access="public")
        def remind(command: Remind) -> Writing[str, Refusal]:
            rt = yield from notes.runtime
            now = yield from rt.clock.now()
            self.reminded.append((command.key, now))
            yield from rt.notes.put(f"reminded-{command.key}", 1)
            if self.troubles:
                raise self.troubles.pop()
            if command.key == "refused":
                yield from fail(Refusal("nobody is home"))
            return command.key

        @notes.command(access="public")
        def take_back(command: Other) -> Writing[bool]:
            rt = yield from notes.runtime
            yield from rt.notes.put(f"cancelled-{command.key}", 1)
            return (yield from cancel_due(DueId(command.key)))

        @notes.command(access="public")
        def delay(command: Delay) -> Writing[bool]:
            return (yield from reschedule_due(command.id, due=command.due))

        @notes.command(access="internal")
        def shred(command: Shred) -> Writing[None]:
            rt = yield from notes.runtime
            yield from rt.notes.put(f"shredded-{command.key}", 1)

        @notes.command(access="public")
        def shred_later(command: ShredLater) -> Writing[DueId]:
            return (yield from send_later(Shred(command.key), due=HOUR))

        self.plan, self.remind, self.take_back, self.delay = plan, remind, take_back, delay
        self.shred_later = shred_later

    def app(self, host: Host | None = None) -> App:
        """Build an application; without a host, on the machine's own clock."""
        binding = self.context.bind(self.bench.make, self.bench.make_reads, store=self.bench.store)
        return App(
            "reminders",
            contexts=[binding],
            transport=RecordingInterpreter(),
            host=host,
            diagnostics=lambda told: None,
            pace=None if host is None else SELDOM,
        )

    @property
    def times(self) -> list[str]:
        """Return whom it has reminded, once for each try."""
        return sorted(key for key, _ in self.reminded)


@pytest.fixture
def reminders(bench: Bench) -> Reminders:
    """Return the context on each store in turn."""
    return Reminders(bench)


@asynccontextmanager
async def turned(reminders: Reminders) -> AsyncIterator[tuple[App, TurnedTime]]:
    """Run an application on a clock that a test turns."""
    host, time = turned_host()
    app = reminders.app(host)
    async with app.running():
        yield app, time


async def test_a_command_is_dispatched_once_and_never_early(reminders: Reminders) -> None:
    """On the store's clock, as `system:<its title>`; its id is its command id, so its answer is remembered."""
    async with turned(reminders) as (app, time):
        id = await app.run(reminders.plan(Keep("a", 60)))
        time.turn(HOUR - timedelta(seconds=1))
        for _ in range(50):
            await checkpoint()
        assert reminders.reminded == []
        await until(time, lambda: len(reminders.reminded) == 1)
        await app.settled()
        ((key, moment),) = reminders.reminded
        assert (key, moment >= START + HOUR) == ("a", True)
        assert (await reminders.bench.audit())[-1] == ("remind", "system:notes.remind", "succeeded")
        assert await app.run(reminders.remind(Remind("a")), command_id=id) == "a"
        assert len(reminders.reminded) == 1
        assert next(iter(app.counts().values())).agenda.handled == 1


async def test_a_command_that_was_taken_back_never_runs(reminders: Reminders) -> None:
    """Taking it back a second time finds nothing."""
    async with turned(reminders) as (app, time):
        id = await app.run(reminders.plan(Keep("a", 60)))
        assert await app.run(reminders.take_back(Other(id))) is True
        assert await app.run(reminders.take_back(Other(id))) is False
        time.turn(2 * HOUR)
        await app.settled()
    assert reminders.reminded == []


@pytest.mark.parametrize("minutes", [5, 600])
async def test_a_command_that_was_moved_runs_at_its_new_time(reminders: Reminders, minutes: int) -> None:
    """Earlier or later than before."""
    async with turned(reminders) as (app, time):
        id = await app.run(reminders.plan(Keep("a", 60)))
        due = START + timedelta(minutes=minutes)
        assert await app.run(reminders.delay(Delay(id, due))) is True
        await until(time, lambda: len(reminders.reminded) == 1)
        assert reminders.reminded[0][1] >= due
        await app.settled()
        assert await app.run(reminders.delay(Delay(id, HOUR))) is False


async def test_what_is_due_is_listed_and_operators_can_take_it_back_or_move_it(reminders: Reminders) -> None:
    """By id, across all stores; a time without timezone is refused."""
    async with turned(reminders) as (app, time):
        ids = [await app.run(reminders.plan(Keep(key, 60))) for key in ("a", "b")]
        first, second = await app.agenda.list()
        assert [entry.item.envelope.id for entry in (first, second)] == ids
        assert (first.item.reaction, first.due) == ("notes/notes.remind", START + HOUR)
        assert await app.agenda.list(reactions=["notes/notes.shred"]) == ()
        assert await app.agenda.cancel(ids[0])
        assert await app.agenda.reschedule(ids[1], START + 2 * HOUR)
        with pytest.raises(NaiveDue):
            await app.agenda.reschedule(ids[1], datetime(2026, 3, 1))
        await until(time, lambda: len(reminders.reminded) == 1)
        ((key, moment),) = reminders.reminded
        assert (key, moment >= START + 2 * HOUR) == ("b", True)
        await app.settled()
        assert not await app.agenda.reschedule(ids[1], START + HOUR)


async def test_a_command_due_at_either_end_of_the_calendar_keeps_nobody_up(reminders: Reminders) -> None:
    """In any timezone: UTC has no date for these moments. The first is at once, the last is never."""
    async with turned(reminders) as (app, time):
        ids = [await app.run(reminders.plan(Keep(key, 60))) for key in ("first", "last", "between")]
        assert await app.run(reminders.delay(Delay(ids[0], datetime.min.replace(tzinfo=timezone(HOUR)))))
        assert await app.agenda.reschedule(ids[1], datetime.max.replace(tzinfo=timezone(-HOUR)))
        await app.settled()
        assert reminders.times == ["first"]
        await until(time, lambda: len(reminders.reminded) == 2)
        await app.settled()
        assert reminders.times == ["between", "first"]
        assert [entry.item.envelope.id for entry in await app.agenda.list()] == [ids[1]]


async def test_a_command_for_the_inside_alone_may_be_sent_later(reminders: Reminders) -> None:
    """It is the application that asks."""
    async with turned(reminders) as (app, time):
        await app.run(reminders.shred_later(ShredLater("a")))
        time.turn(HOUR)
        await app.settled()
        assert await reminders.bench.rows() == {"shredded-a": 1}


async def test_a_declared_failure_is_the_answer_and_a_dead_letter_at_once(reminders: Reminders) -> None:
    """No try would change it; what it wrote is undone."""
    async with turned(reminders) as (app, time):
        id = await app.run(reminders.plan(Keep("refused", 60)))
        await until(time, lambda: len(reminders.reminded) == 1)
        await app.settled()
        (letter,) = await app.dead_letters.list()
        assert (letter.id, letter.side, letter.destination, letter.attempts) == (id, "agenda", "notes/notes.remind", 1)
        assert letter.cause == "Refusal(reason='nobody is home')"
        assert await reminders.bench.rows() == {}


async def test_a_defect_is_tried_again_by_a_schedule_and_then_a_dead_letter_to_replay(reminders: Reminders) -> None:
    """Nine tries over about a minute; a replay runs under the same id."""
    reminders.troubles = [RuntimeError("the printer is out of paper") for _ in range(99)]
    async with turned(reminders) as (app, time):
        id = await app.run(reminders.plan(Keep("a", 60)))
        await until(time, lambda: next(iter(app.counts().values())).agenda.buried == 1)
        reminders.troubles.clear()
        (letter,) = await app.dead_letters.list()
        assert (letter.id, letter.attempts, letter.type) == (id, 9, "notes.remind")
        await app.dead_letters.replay(id)
        await app.settled()
        assert await reminders.bench.rows() == {"reminded-a": 1}
        assert await app.run_exit(reminders.remind(Remind("a")), command_id=id) == Succeeded("a")


async def test_what_is_due_outlives_the_process(reminders: Reminders) -> None:
    """Whoever works on the agenda next dispatches it."""
    host, time = turned_host()
    async with reminders.app(host).running(agenda=False) as app:
        await app.run(reminders.plan(Keep("a", 60)))
        time.turn(HOUR)
        await app.settled()
        assert reminders.reminded == []
        assert (await app.health()).popitem()[1].overdue == timedelta(0)
        time.turn(HOUR)
        assert (await app.health()).popitem()[1].overdue == HOUR
    async with reminders.app(host).running() as app:
        await app.settled()
        assert await reminders.bench.rows() == {"reminded-a": 1}


async def test_cancel_and_fire_race_and_exactly_one_wins(reminders: Reminders) -> None:
    """Whichever commits first: a command that was taken back has no effect, one that had an effect was not taken."""
    async with reminders.app().running() as app:
        ids: dict[str, str] = {}
        for number in range(40):
            ids[f"n{number}"] = await app.run(reminders.plan(Keep(f"n{number}", 0)))
        cancelled: dict[str, bool] = {}

        async def take_back(key: str) -> None:
            for _ in range(int(key[1:]) % 7):
                await checkpoint()
            cancelled[key] = await app.run(reminders.take_back(Other(ids[key])))

        async with create_task_group() as group:
            for key in ids:
                group.start_soon(take_back, key)
        with fail_after(NOTHING_LEFT):
            await app.settled()
        rows = await reminders.bench.rows()
        assert {key: f"reminded-{key}" not in rows for key in ids} == cancelled
        assert await app.agenda.list() == ()
        assert await app.dead_letters.list() == ()


async def test_a_storm_over_several_processes_dispatches_each_command_once(reminders: Reminders) -> None:
    """Three applications on one store share the work; what two of them borrow has its effect once."""
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(reminders.app().running()) for _ in range(3)]
        for number in range(60):
            await apps[0].run(reminders.plan(Keep(f"n{number}", 0)))
        with fail_after(NOTHING_LEFT):
            for app in apps:
                await app.settled()
        rows = await reminders.bench.rows()
        assert sorted(rows) == sorted(f"reminded-n{number}" for number in range(60))
        audit = [line for line in await reminders.bench.store.open.audit_trail(limit=1000) if line.command == "remind"]
        assert len(audit) == 60


async def test_a_refused_program_sends_nothing(reminders: Reminders) -> None:
    """What a unit sends later goes with its rows."""
    notes = reminders.context

    @notes.command(access="public")
    def give_up(command: GiveUp) -> Writing[None, Refusal]:
        yield from send_later(Remind(command.key), due=HOUR)
        yield from fail(Refusal("no"))

    async with turned(reminders) as (app, _):
        assert await app.run_exit(give_up(GiveUp("a"))) == Failed(Refusal("no"))
        assert await app.agenda.list() == ()
