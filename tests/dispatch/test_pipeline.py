"""What happens before and around the body: the order, validation, access, correlation, the audit of refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Never

import pytest

from effect_runtime import Eff, Failed, Forbidden, Invalid, Principal, Succeeded, attempt, do, publish
from effect_runtime.dispatch import StoreUnavailable, anonymous
from effect_runtime.effect import Call, Died, Operation
from effect_runtime.errors import CommandNotDone, ContextUnknown, StoreDown, UnhandledFailure
from effect_runtime.integration import FieldError
from effect_runtime.interpreter import Perform
from tests.dispatch.world import All, Bench, Keep, NoteKept, NotesRuntime, Other, Reading, Writing, keeper

pytestmark = pytest.mark.anyio

ann = Principal("ann", roles=frozenset({"clerk"}))


def wrong_fields(command: Keep) -> Iterator[FieldError]:
    """Find every wrong field of a note."""
    if not command.key:
        yield FieldError("key", "is empty")
    if command.value < 0:
        yield FieldError("value", "is negative")


async def test_a_command_passes_the_pipeline_in_the_stated_order(bench: Bench) -> None:
    """Validate, authorise, stored answer, body, claim, events, ledger and commit, wake: each once, in this order."""
    notes = bench.context()
    steps = bench.store.log

    def validate(command: Keep) -> Iterator[FieldError]:
        steps.append("validate")
        yield from ()

    def access(principal: Principal, command: Keep) -> bool:
        steps.append("authorise")
        return True

    @notes.command(access=access, validate=validate)
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        steps.append("body")
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        return 1

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")), command_id="c")
    order = ["validate", "authorise", "answer", "unit", "body", "begin", "claim", "commit", "committed"]
    assert steps == order


async def test_all_wrong_fields_are_reported_at_once(bench: Bench) -> None:
    """`Invalid` lists each wrong field, and nothing was opened for it but the audit."""
    notes = bench.context()

    @notes.command(access="public", validate=wrong_fields)
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return 1

    async with bench.running(notes) as app:
        exit = await app.run_exit(keep(Keep("", -1)), principal=ann)
        assert exit == Failed(Invalid((FieldError("key", "is empty"), FieldError("value", "is negative"))))
        assert await bench.audit() == [("keep", "ann", "invalid: key, value")]
        assert bench.store.log == ["audit"]


async def test_validation_comes_before_access(bench: Bench) -> None:
    """A message that makes no sense is not judged further."""
    notes = bench.context()

    @notes.command(access="internal", validate=wrong_fields)
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep(""))) == Failed(Invalid((FieldError("key", "is empty"),)))


async def test_an_internal_command_is_refused_at_the_door(bench: Bench) -> None:
    """Only the application itself, and other handlers, may use it."""
    notes = bench.context()

    @notes.command(access="internal")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return 1

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int, Invalid | Forbidden]:
        return (yield from keep(Keep(command.key)))

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Forbidden("notes.keep is internal."))
        assert await app.run_exit(keep(Keep("a")), principal=ann) == Failed(Forbidden("notes.keep is internal."))
        pretender = Principal("system:notes")
        assert await app.run_exit(keep(Keep("a")), principal=pretender) == Failed(Forbidden("notes.keep is internal."))
        assert await bench.rows() == {}
        assert await app.run_exit(keep(Keep("a")), principal=Principal.system("nightly")) == Succeeded(1)
        assert await app.run_exit(outer(Other("b"))) == Succeeded(1)
        assert await bench.rows() == {"a": 1, "b": 1}
        assert await bench.audit() == [
            ("keep", "anonymous", "forbidden: notes.keep is internal."),
            ("keep", "ann", "forbidden: notes.keep is internal."),
            ("keep", "system:notes", "forbidden: notes.keep is internal."),
            ("keep", "system:nightly", "succeeded"),
            ("outer", "anonymous", "succeeded"),
        ]


async def test_a_policy_sees_principal_and_message(bench: Bench) -> None:
    """A policy without reads is asked before any transaction, and a refusal names who and what."""
    notes = bench.context()
    asked: list[tuple[Principal, Keep]] = []

    def clerks(principal: Principal, command: Keep) -> bool:
        asked.append((principal, command))
        return "clerk" in principal.roles

    @notes.command(access=clerks)
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Forbidden("anonymous may not use notes.keep."))
        assert bench.store.log == ["audit"]
        assert await app.run_exit(keep(Keep("a")), principal=ann) == Succeeded(1)
    assert asked == [(anonymous, Keep("a")), (ann, Keep("a"))]


async def test_a_policy_that_reads_runs_inside_the_unit(bench: Bench) -> None:
    """It sees what the body will see, in one transaction; a refusal rolls back and is audited by itself."""
    notes = bench.context()
    keep = keeper(notes)

    def owner(principal: Principal, command: Other) -> Eff[bool, Never, NotesRuntime]:
        return is_owner(principal)

    @do
    def is_owner(principal: Principal) -> Writing[bool]:
        rt = yield from notes.runtime
        return (principal.id, 1) in (yield from rt.notes.all())

    @notes.command(access=owner)
    def change(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return command.value

    async with bench.running(notes) as app:
        await app.run(keep(Keep("ann")))
        bench.store.log.clear()
        assert await app.run_exit(change(Other("x")), principal=ann) == Succeeded(1)
        assert bench.store.log == ["unit", "begin", "commit", "committed"]
        bench.store.log.clear()
        refused = await app.run_exit(change(Other("y")), principal=Principal("bob"))
        assert refused == Failed(Forbidden("bob may not use notes.change."))
        assert bench.store.log == ["unit", "begin", "audit"]
        assert await bench.rows() == {"ann": 1, "x": 1}
        assert (await bench.audit())[-1] == ("change", "bob", "forbidden: bob may not use notes.change.")


async def test_a_policy_that_reads_stands_before_a_stored_answer(bench: Bench) -> None:
    """Nobody learns an answer by its command id who may not ask for it."""
    notes = bench.context()
    keep = keeper(notes)

    def kept(principal: Principal, command: Other) -> Eff[bool, Never, NotesRuntime]:
        return is_kept(principal)

    @do
    def is_kept(principal: Principal) -> Writing[bool]:
        rt = yield from notes.runtime
        return principal.id in dict((yield from rt.notes.all()))

    @notes.command(access=kept)
    def change(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return command.value

    async with bench.running(notes) as app:
        await app.run(keep(Keep("ann")))
        assert await app.run_exit(change(Other("x", 5)), principal=ann, command_id="c") == Succeeded(5)
        assert await app.run_exit(change(Other("x", 5)), principal=ann, command_id="c") == Succeeded(5)
        refused = await app.run_exit(change(Other("x", 5)), principal=Principal("bob"), command_id="c")
        assert refused == Failed(Forbidden("bob may not use notes.change."))


async def test_a_query_is_judged_like_a_command(bench: Bench) -> None:
    """Queries state their access too; a refusal is audited, an answer is not."""
    notes = bench.context()
    keep = keeper(notes)

    @notes.query(access=lambda principal, query: principal == ann)
    def read(query: All) -> Reading[tuple[tuple[str, int], ...]]:
        rt = yield from notes.reads
        return (yield from rt.notes.all())

    async with bench.running(notes) as app:
        await app.run(keep(Keep("a")))
        assert await app.run_exit(read(All()), principal=ann) == Succeeded((("a", 1),))
        assert await app.run_exit(read(All())) == Failed(Forbidden("anonymous may not use notes.read."))
        assert await bench.audit() == [
            ("keep", "anonymous", "succeeded"),
            ("read", "anonymous", "forbidden: anonymous may not use notes.read."),
        ]


async def test_events_inherit_the_context_of_their_message(bench: Bench) -> None:
    """Correlation, trace and tenant go on; the cause of an event is the command's own id."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from publish(NoteKept(command.key))
        return 1

    async with bench.running(notes) as app:
        await app.run(
            keep(Keep("a")),
            command_id="command-1",
            correlation="visit-7",
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            tracestate="vendor=1",
            tenant="north",
        )
    (envelope,) = bench.published()
    assert envelope.source == "/bench/notes"
    assert envelope.correlation == "visit-7"
    assert envelope.causation == "command-1"
    assert envelope.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert envelope.tracestate == "vendor=1"
    assert envelope.tenant == "north"
    assert envelope.time.tzinfo is UTC


async def test_interceptors_see_the_command_and_its_operations(bench: Bench) -> None:
    """A dispatched command is an operation like those of services: seen, recorded and stubbed alike."""
    notes = bench.context()
    keep = keeper(notes)
    seen: list[str] = []

    def watch(inner: Perform) -> Perform:
        async def perform(operation: Operation, runtime: object) -> object:
            seen.append(operation.title if isinstance(operation, Call) else operation.name)
            return await inner(operation, runtime)

        return perform

    async with bench.running(notes, interceptors=[watch]) as app:
        await app.run(keep(Keep("a")))
    assert seen == ["keep", "put"]


async def test_a_handler_of_an_unknown_context_is_a_defect(bench: Bench) -> None:
    """A command whose context the app does not have names both."""
    notes, other = bench.context(), bench.context()
    keeper(notes)
    stranger = keeper(other)
    async with bench.running(notes) as app:
        died = await app.run_exit(stranger(Keep("a")))
    assert isinstance(died, Died)
    assert isinstance(died.exception, ContextUnknown)


async def test_a_refusal_that_cannot_be_audited_is_no_refusal(bench: Bench) -> None:
    """Nobody is told "forbidden" off the record: the store's trouble is the answer."""
    notes = bench.context()

    @notes.command(access="internal")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        return 1

    bench.store.on("audit", StoreDown("notes", reason="the disk is gone"))
    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(StoreUnavailable("notes", "the disk is gone"))


async def test_a_refusal_that_cannot_be_audited_names_its_handler(bench: Bench) -> None:
    """What was not done is the command, not its context."""
    notes = bench.context()

    @notes.command(access="internal")
    def keep(command: Keep) -> Writing[int]:
        yield from notes.runtime
        return 1

    bench.store.on("audit", StoreDown("notes", reason="the disk is gone"))
    async with bench.running(notes) as app:
        with pytest.raises(UnhandledFailure) as caught:
            await app.run(keep(Keep("a")))
    assert isinstance(caught.value.__cause__, CommandNotDone)
    assert caught.value.__cause__.command == "notes.keep"


async def test_an_unaudited_nested_refusal_does_not_undo_a_commit(bench: Bench) -> None:
    """The command that survived it stands and is answered; the trouble is a diagnostic."""
    notes = bench.context()

    @notes.command(access=lambda principal, command: False)
    def inner(command: Keep) -> Writing[int]:
        yield from notes.runtime
        return 1

    @notes.command(access="public")
    def outer(command: Other) -> Writing[int]:
        rt = yield from notes.runtime
        yield from attempt(inner(Keep("a")))
        yield from rt.notes.put("outer", 2)
        return 2

    bench.store.on("audit", StoreDown("notes", reason="the disk is gone"))
    async with bench.running(notes) as app:
        assert await app.run_exit(outer(Other("x"))) == Succeeded(2)
        assert await bench.rows() == {"outer": 2}
    (diagnostic,) = bench.diagnostics
    assert (diagnostic.kind, diagnostic.command) == ("after-commit", "notes.outer")
