"""Due commands: what a program writes down for later, and how it is answered when its time has come."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from attrs import evolve, frozen

from effect_runtime import Failed, Forbidden, Principal, Succeeded, atomic, attempt, fail, gather, run
from effect_runtime.dispatch import (
    DUE,
    AgendaItem,
    Conflict,
    DueId,
    HasDue,
    cancel_due,
    no_due,
    reschedule_due,
    send_later,
    stored,
)
from effect_runtime.dispatch import Due as DuePort
from effect_runtime.effect import Died, Eff, succeed
from effect_runtime.errors import (
    BadPayload,
    NaiveDue,
    NotSendable,
    OperationOutsideUnit,
    QueueClosed,
    StoreConflict,
    UnknownEvent,
    Unserializable,
)
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Recorded, record
from tests.dispatch.desk import MINUTE, Notes, Remind, open_desk, taking
from tests.dispatch.world import Bench, Keep, NotesRuntime, Other, Refusal, Writing
from tests.outbox.stores.world import NOON

pytestmark = pytest.mark.anyio

LATER = NOON + timedelta(hours=1)


@frozen
@stored("archive.purge")
class Purge:
    """A command of nobody here."""

    key: str


def planner(notes: Notes):  # type: ignore[no-untyped-def]  # the command's type is long and says nothing here
    """Register a command that keeps a note and sends a reminder of it in an hour."""

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[DueId]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return (yield from send_later(Remind(command.key), due=timedelta(hours=1)))

    return plan


def reminder(notes: Notes, *, access: str = "internal"):  # type: ignore[no-untyped-def]  # as above
    """Register the handler of the reminder."""

    @notes.command(access=access)  # type: ignore[arg-type]  # either of the two words
    def remind(command: Remind) -> Writing[str]:
        rt = yield from notes.runtime
        yield from rt.notes.put(f"reminded {command.key}", 1)
        return command.key

    return remind


async def test_a_command_is_written_in_the_units_transaction(bench: Bench) -> None:
    """Its item carries it under its stored identity, and what caused it; nothing of it runs."""
    notes = bench.context()
    plan = planner(notes)
    reminder(notes)
    async with open_desk(bench, notes) as desk:
        answer = await desk.run(plan(Keep("a")), command_id="k-1")
        (entry,) = await desk.agenda()
        id = entry.item.envelope.id
        assert answer == Succeeded(DueId(id))
        envelope = Envelope(
            id=id,
            source="/bench/notes",
            type="notes.remind",
            version=1,
            topic=DUE,
            time=NOON,
            data=b'{"key":"a"}',
            correlation="c-1",
            causation="k-1",
        )
        assert entry.item == AgendaItem(reaction="notes/notes.remind", envelope=envelope, due=LATER)
        assert desk.home.due_reactions == ("notes/notes.remind",)
        assert (await bench.rows(), desk.queues.log) == ({"a": 1}, ["wake"])


async def test_a_unit_that_fails_sends_nothing(bench: Bench) -> None:
    """Nor does a step that is undone; no worker is woken for what never was."""
    notes = bench.context()
    reminder(notes)

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[None, Refusal]:
        doomed: Eff[None, Refusal, HasDue] = send_later(Remind("gone"), due=MINUTE).bind(lambda _: fail(Refusal("no")))
        yield from attempt(atomic(doomed))
        yield from send_later(Remind(command.key), due=MINUTE)
        if command.value == 0:
            yield from fail(Refusal("no"))

    async with open_desk(bench, notes) as desk:
        assert await desk.run(plan(Keep("never", 0))) == Failed(Refusal("no"))
        assert (await desk.agenda(), desk.queues.log) == ((), [])
        assert await desk.run(plan(Keep("a"))) == Succeeded(None)
        assert [entry.item.envelope.data for entry in await desk.agenda()] == [b'{"key":"a"}']


@pytest.mark.parametrize("due", [LATER, LATER.astimezone(), timedelta(hours=1)], ids=["utc", "local", "from-now"])
async def test_a_due_time_is_a_moment_or_a_time_from_now(bench: Bench, due: datetime | timedelta) -> None:
    """Now is that of the clock the store works by."""
    notes = bench.context()
    reminder(notes)

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[DueId]:
        return (yield from send_later(Remind(command.key), due=due))

    async with open_desk(bench, notes) as desk:
        await desk.run(plan(Keep("a")))
        assert [entry.item.due for entry in await desk.agenda()] == [LATER]


async def test_a_due_time_without_a_timezone_is_refused(bench: Bench) -> None:
    """It names no moment."""
    notes = bench.context()
    naive = LATER.replace(tzinfo=None)

    @notes.command(access="public")
    def postpone(command: Other) -> Writing[bool]:
        return (yield from reschedule_due(DueId(command.key), due=naive))

    @notes.command(access="public")
    def repeat(command: Remind) -> Writing[DueId]:
        return (yield from send_later(command, due=naive))

    async with open_desk(bench, notes) as desk:
        for program in (repeat(Remind("a")), postpone(Other("d-1"))):
            died = await desk.run(program)
            assert isinstance(died, Died)
            assert isinstance(died.exception, NaiveDue)
            assert died.exception.due == naive
        assert await desk.agenda() == ()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Keep("a"), "it has no stored identity"),
        (Purge("a"), "it is none of the commands that this context handles"),
        ("a", "it is none of the commands that this context handles"),
    ],
    ids=["unstored", "foreign", "no-command"],
)
async def test_only_stored_commands_of_the_context_can_be_sent(bench: Bench, command: object, reason: str) -> None:
    """Another is a defect that says which, where and why."""
    notes = bench.context()
    reminder(notes)

    @notes.command(access="public")
    def plan(ask: Keep) -> Writing[DueId]:
        return (yield from send_later(command, due=MINUTE))  # type: ignore[arg-type]  # what the checkers refuse

    async with open_desk(bench, notes) as desk:
        died = await desk.run(plan(Keep("a")))
        assert await desk.agenda() == ()
    assert isinstance(died, Died)
    error = died.exception
    assert isinstance(error, NotSendable)
    assert (error.command, error.context, error.reason) == (type(command).__name__, "notes", reason)


async def test_a_command_that_does_not_hold_what_it_says_is_a_defect(bench: Bench) -> None:
    """It is refused where it is sent."""
    notes = bench.context()
    reminder(notes)

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[DueId]:
        return (yield from send_later(Remind(1), due=MINUTE))  # type: ignore[arg-type]  # what the checkers refuse

    async with open_desk(bench, notes) as desk:
        died = await desk.run(plan(Keep("a")))
    assert isinstance(died, Died)
    assert isinstance(died.exception, Unserializable)


async def test_a_due_command_is_cancelled_once(bench: Bench) -> None:
    """Then it is gone, and was never there for whoever asks again."""
    notes = bench.context()
    plan = planner(notes)
    reminder(notes)

    @notes.command(access="public")
    def cancel(command: Other) -> Writing[bool]:
        return (yield from cancel_due(DueId(command.key)))

    async with open_desk(bench, notes) as desk:
        answer = await desk.run(plan(Keep("a")))
        assert isinstance(answer, Succeeded)
        assert await desk.run(cancel(Other(answer.value))) == Succeeded(True)
        assert await desk.agenda() == ()
        assert await desk.run(cancel(Other(answer.value))) == Succeeded(False)


async def test_a_due_command_is_rescheduled(bench: Bench) -> None:
    """It has its new time at once; a loan of it is worth nothing any more; the workers are told."""
    notes = bench.context()
    plan = planner(notes)
    reminder(notes)

    @notes.command(access="public")
    def postpone(command: Other) -> Writing[bool]:
        return (yield from reschedule_due(DueId(command.key), due=timedelta(hours=2)))

    async with open_desk(bench, notes) as desk:
        answer = await desk.run(plan(Keep("a")))
        assert isinstance(answer, Succeeded)
        desk.time.pass_(timedelta(hours=1))
        entry = await desk.claim("notes/notes.remind")
        desk.queues.log.clear()
        assert await desk.run(postpone(Other(answer.value))) == Succeeded(True)
        assert desk.queues.log == ["wake"]
        assert [entry.item.due for entry in await desk.agenda()] == [NOON + timedelta(hours=3)]
        assert await desk.answer_due(entry) == Succeeded(None)
        assert await bench.rows() == {"a": 1}
        assert await desk.run(postpone(Other("nobody"))) == Succeeded(False)


async def test_only_due_commands_of_the_context_are_cancelled(bench: Bench) -> None:
    """Other items of the store are none of its business, whatever id it is given."""
    notes = bench.context()
    reminder(notes)

    @notes.command(access="public")
    def cancel(command: Other) -> Writing[bool]:
        return (yield from cancel_due(DueId(command.key)))

    async with open_desk(bench, notes) as desk:
        envelope = Envelope(
            id="i-1", source="/x", type="x.y", version=1, topic="mail", time=NOON, data=b"{}", correlation="c"
        )
        await desk.add(AgendaItem(reaction="notes.tell", envelope=envelope))
        await desk.add(AgendaItem(reaction="archive/x.y", envelope=evolve(envelope, id="i-2", topic=DUE), due=LATER))
        for id in ("i-1", "i-2"):
            assert await desk.run(cancel(Other(id))) == Succeeded(False)
        assert len(await desk.agenda()) == 2


async def test_a_due_command_runs_under_its_own_id(bench: Bench) -> None:
    """It is a command like any other, of the system: audited, its answer remembered, its item taken with its rows."""
    notes = bench.context()
    plan = planner(notes)
    remind = reminder(notes)
    async with open_desk(bench, notes) as desk:
        answer = await desk.run(plan(Keep("a")), command_id="k-1")
        assert isinstance(answer, Succeeded)
        desk.time.pass_(timedelta(hours=1))
        entry = await desk.claim("notes/notes.remind")
        assert await desk.answer_due(entry) == Succeeded("a")
        assert (await bench.rows(), await desk.agenda()) == ({"a": 1, "reminded a": 1}, ())
        assert (await bench.audit())[-1] == ("remind", "system:notes.remind", "succeeded")
        assert await desk.run(remind(Remind("a")), command_id=answer.value, principal=Principal.system("x")) == (
            Succeeded("a")
        )
        assert len(await bench.audit()) == 2


@pytest.mark.parametrize("reads", [False, True], ids=["at-once", "policy-that-reads"])
async def test_an_answer_that_is_there_already_only_takes_the_item(bench: Bench, reads: bool) -> None:
    """A twin has done it: nothing runs again, and the item does not stay behind."""
    notes = bench.context()
    plan = planner(notes)
    ran: list[str] = []

    def allow(principal: Principal, command: Remind) -> bool | Eff[bool, object, NotesRuntime]:
        return notes.runtime.map(lambda _: True) if reads else True

    @notes.command(access=allow)  # type: ignore[arg-type]  # a policy of two kinds
    def remind(command: Remind) -> Writing[str]:
        ran.append(command.key)
        yield from succeed(None)
        return command.key

    async with open_desk(bench, notes) as desk:
        answer = await desk.run(plan(Keep("a")))
        assert isinstance(answer, Succeeded)
        desk.time.pass_(timedelta(hours=1))
        assert await desk.run(remind(Remind("a")), command_id=answer.value) == Succeeded("a")
        assert await desk.answer_due(await desk.claim("notes/notes.remind")) == Succeeded("a")
        assert (ran, await desk.agenda()) == (["a"], ())


async def test_a_twin_that_answers_meanwhile_only_takes_the_item(bench: Bench) -> None:
    """The claim of the command id finds the answer; the unit is given up and the item taken."""
    notes = bench.context()
    plan = planner(notes)
    remind = reminder(notes)
    async with open_desk(bench, notes) as desk:
        answer = await desk.run(plan(Keep("a")))
        assert isinstance(answer, Succeeded)
        desk.time.pass_(timedelta(hours=1))
        entry = await desk.claim("notes/notes.remind")

        async def twin() -> None:
            as_system = Principal.system("twin")
            await desk.run(remind(Remind("a")), command_id=answer.value, principal=as_system)

        bench.store.on("answer", None)
        bench.store.on("begin", twin)
        assert await desk.answer_due(entry) == Succeeded("a")
        assert await desk.agenda() == ()


@pytest.mark.parametrize("key", ["fails", "dies"])
async def test_a_declared_failure_and_a_defect_leave_the_item(bench: Bench, key: str) -> None:
    """What becomes of it is the worker's to decide; nothing is written and nothing remembered."""
    notes = bench.context()
    plan = planner(notes)
    bug = RuntimeError("bug")

    @notes.command(access="internal")
    def remind(command: Remind) -> Writing[str, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put("reminded", 1)
        if command.key == "fails":
            return (yield from fail(Refusal("no")))
        raise bug

    async with open_desk(bench, notes) as desk:
        await desk.run(plan(Keep(key)))
        desk.time.pass_(timedelta(hours=1))
        exit = await desk.answer_due(await desk.claim("notes/notes.remind"))
        assert exit == (Failed(Refusal("no")) if key == "fails" else Died(bug))
        assert (await bench.rows(), len(await desk.agenda())) == ({key: 1}, 1)


async def test_a_refused_due_command_is_audited(bench: Bench) -> None:
    """A policy may refuse the system, too."""
    notes = bench.context()
    plan = planner(notes)

    @notes.command(access=lambda principal, command: not principal.is_system)
    def remind(command: Remind) -> Writing[None]:
        yield from succeed(None)

    async with open_desk(bench, notes) as desk:
        await desk.run(plan(Keep("a")))
        desk.time.pass_(timedelta(hours=1))
        exit = await desk.answer_due(await desk.claim("notes/notes.remind"))
        reason = "system:notes.remind may not use notes.remind."
        assert exit == Failed(Forbidden(reason))
        assert (await bench.audit())[-1] == ("remind", "system:notes.remind", f"forbidden: {reason}")


async def test_a_conflict_runs_a_due_command_again(bench: Bench) -> None:
    """The item is taken in the unit that commits; where none does, trouble of the store is told as such."""
    notes = bench.context()
    plan = planner(notes)
    reminder(notes)
    async with open_desk(bench, notes) as desk:
        await desk.run(plan(Keep("a")))
        desk.time.pass_(timedelta(hours=1))
        entry = await desk.claim("notes/notes.remind")
        bench.store.on("commit", *[StoreConflict("notes", reason="busy")] * 9)
        died = await desk.answer_due(entry)
        assert isinstance(died, Died)
        assert getattr(died.exception, "reason", None) == Conflict("busy")
        bench.store.on("commit", StoreConflict("notes", reason="busy"))
        assert await desk.answer_due(entry) == Succeeded("a")
        assert (await bench.rows(), await desk.agenda()) == ({"a": 1, "reminded a": 1}, ())


@pytest.mark.parametrize(
    ("type", "data", "error"),
    [("notes.remind", b"{}", BadPayload), ("notes.forget", b'{"key":"a"}', UnknownEvent)],
)
async def test_a_due_command_that_cannot_be_read_is_refused(
    bench: Bench, type: str, data: bytes, error: type[Exception]
) -> None:
    """Before anything opens, as for an event."""
    notes = bench.context()
    reminder(notes)
    envelope = Envelope(id="i-1", source="/x", type=type, version=1, topic=DUE, time=NOON, data=data, correlation="c")
    async with open_desk(bench, notes) as desk:
        await desk.add(AgendaItem(reaction=f"notes/{type}", envelope=envelope))
        entry = await desk.claim(f"notes/{type}")
        bench.store.log.clear()
        with pytest.raises(error):
            await desk.dispatcher.answer_due("notes", entry.item, admit=taking(entry))
        assert bench.store.log == []


async def test_parallel_branches_queue_on_the_unit(bench: Bench) -> None:
    """Two branches that send at once are one after another in the transaction."""
    notes = bench.context()
    reminder(notes)

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[None]:
        yield from gather(send_later(Remind("a"), due=MINUTE), send_later(Remind("b"), due=MINUTE))

    async with open_desk(bench, notes) as desk:
        assert await desk.run(plan(Keep("a"))) == Succeeded(None)
        assert sorted(entry.item.envelope.data for entry in await desk.agenda()) == [b'{"key":"a"}', b'{"key":"b"}']


async def test_interceptors_see_due_commands_by_their_port(bench: Bench) -> None:
    """They are transactional operations of the runtime's field `due`."""
    notes = bench.context()
    reminder(notes)
    log: list[Recorded] = []

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[bool]:
        id = yield from send_later(Remind("a"), due=MINUTE)
        yield from reschedule_due(id, due=MINUTE)
        return (yield from cancel_due(id))

    async with open_desk(bench, notes, interceptors=[record(log)]) as desk:
        assert await desk.run(plan(Keep("a"))) == Succeeded(True)
    told = [(entry.place, entry.kind) for entry in log if entry.kind == "transactional"]
    assert told == [(f"Due.{name}", "transactional") for name in ("send_later", "reschedule_due", "cancel_due")]


async def test_due_commands_end_with_their_unit(bench: Bench) -> None:
    """A runtime that was kept beyond its unit sends nothing."""
    notes = bench.context()
    reminder(notes)
    kept: list[DuePort] = []

    @notes.command(access="public")
    def plan(command: Keep) -> Writing[None]:
        rt = yield from notes.runtime
        kept.append(rt.due)
        if command.value in (1, 4):
            yield from kept[0].send_later(Remind("a"), MINUTE)
        if command.value == 2:
            yield from kept[0].cancel_due(DueId("d"))
        if command.value == 3:
            yield from kept[0].reschedule_due(DueId("d"), MINUTE)

    async with open_desk(bench, notes) as desk:
        assert await desk.run(plan(Keep("a", 1))) == Succeeded(None)
        for value in (2, 3, 4):
            died = await desk.run(plan(Keep("a", value)))
            assert isinstance(died, Died)
            assert isinstance(died.exception, QueueClosed)
        assert len(await desk.agenda()) == 1


async def test_a_transaction_built_by_hand_sends_nothing() -> None:
    """Its due commands say that there is no unit; a test gives a port of its own instead."""
    for program in (
        no_due.send_later(Remind("a"), MINUTE),
        no_due.cancel_due(DueId("d")),
        no_due.reschedule_due(DueId("d"), MINUTE),
    ):
        with pytest.raises(OperationOutsideUnit):
            await run(program, None)
