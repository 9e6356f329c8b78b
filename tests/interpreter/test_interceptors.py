"""Interceptors: what each does, and the laws by which they compose in any order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from effect_runtime.effect import (
    Call,
    Died,
    Do,
    Eff,
    Failed,
    Raised,
    Succeeded,
    attempt,
    do,
    exit_of,
    fail,
    recover,
    succeed,
)
from effect_runtime.errors import DryRun, NoDispatch
from effect_runtime.interpreter import (
    Inject,
    Interceptor,
    Interpreter,
    Recorded,
    dry_run,
    inject,
    live,
    record,
    run_exit,
    run_sync,
    stub,
    trace,
)
from tests.interpreter.library import (
    BookUnknown,
    HasShelf,
    MemoryShelf,
    Reading,
    Shelf,
    ShelfBroken,
    SyncShelf,
    collapse,
    copies_of,
    put,
    reading,
)
from tests.interpreter.spans import Spans

pytestmark = pytest.mark.anyio


@frozen
class TwoShelves:
    """A runtime with two fields of one port."""

    near: Shelf
    far: Shelf


@do
def move(book: int) -> Do[int, BookUnknown, HasShelf]:
    """Perform three operations."""
    count = yield from copies_of(book)
    yield from put(book)
    yield from put(book + 1)
    return count


async def test_record_writes_every_operation_with_its_exit() -> None:
    """The log tells the port's method, the arguments, the kind and the exit, in order."""
    log: list[Recorded] = []
    interpreter = live.with_interceptors(record(log))
    await interpreter.run(move(1), reading(book_1=2))
    await interpreter.run_exit(copies_of(9), reading())
    broken = await interpreter.run_exit(collapse(), reading())
    assert isinstance(broken, Died)
    assert log == [
        Recorded("Shelf.copies", (1,), {}, "transactional", Succeeded(2)),
        Recorded("Shelf.put", (1,), {}, "transactional", Succeeded(None)),
        Recorded("Shelf.put", (2,), {}, "transactional", Succeeded(None)),
        Recorded("Shelf.copies", (9,), {}, "transactional", Failed(BookUnknown(9))),
        Recorded("Shelf.collapse", (), {}, "external", Died(broken.exception)),
    ]


async def test_two_fields_of_one_port_are_told_apart() -> None:
    """Where two fields share a port, the field is part of the name."""
    log: list[Recorded] = []
    runtime = TwoShelves(SyncShelf({1: 1}), SyncShelf({1: 2}))
    both: Eff[tuple[int, int], BookUnknown] = runtime.near.copies(1).zip(runtime.far.copies(1))
    assert await live.with_interceptors(record(log)).run(both, runtime) == (1, 2)
    assert [entry.place for entry in log] == ["near:Shelf.copies", "far:Shelf.copies"]


async def test_an_adapter_in_no_field_names_itself() -> None:
    """An operation of a service that the runtime does not hold is named by the adapter."""
    log: list[Recorded] = []
    await live.with_interceptors(record(log)).run(SyncShelf({1: 1}).copies(1))
    assert [entry.place for entry in log] == ["SyncShelf.copies"]


@pytest.mark.parametrize(
    "answer",
    [lambda book: 7, lambda book: Success(7), lambda book: succeed(7)],
    ids=["value", "result", "effect"],
)
async def test_stub_answers_as_the_port_would(answer: Any) -> None:
    """A plain value, a `Result` and an effect are all answers; the adapter is not called."""
    shelf = MemoryShelf()
    interpreter = live.with_interceptors(stub({Shelf.copies: answer}))
    assert await interpreter.run(copies_of(1), Reading(shelf)) == 7
    assert shelf.journal == []


async def test_stub_answers_with_failures_awaitables_and_by_adapter() -> None:
    """Failures come as `Failure` or `fail`; an async answer is awaited; the adapter's method is a key too."""

    async def later(book: int) -> Result[int, BookUnknown]:
        return Success(book)

    for key, answer, exit in (
        (Shelf.copies, lambda book: Failure(BookUnknown(book)), Failed(BookUnknown(3))),
        (Shelf.copies, lambda book: fail(BookUnknown(book)), Failed(BookUnknown(3))),
        (MemoryShelf.copies, later, Succeeded(3)),
        (SyncShelf.copies, later, Failed(BookUnknown(3))),
    ):
        interpreter = live.with_interceptors(stub({key: answer}))
        assert await interpreter.run_exit(copies_of(3), reading()) == exit


async def test_trace_opens_a_span_for_each_operation() -> None:
    """Each span bears the port's name and ends on every exit."""
    spans = Spans()
    interpreter = live.with_interceptors(trace(spans))
    await interpreter.run_exit(move(1), reading(book_1=1))
    await interpreter.run_exit(collapse(), reading())
    assert spans.ended == ["Shelf.copies", "Shelf.put", "Shelf.put", "Shelf.collapse"]


async def test_inject_breaks_the_chosen_call() -> None:
    """The nth call goes wrong, before it is performed or after; other calls are left alone."""
    fault = ConnectionError("gone")
    for faults, exit, journal in (
        ((Inject(Shelf.put, fault),), Died(fault), ["copies 1"]),
        ((Inject(Shelf.put, fault, nth=2),), Died(fault), ["copies 1", "put 1"]),
        ((Inject(Shelf.put, fault, nth=2, after=True),), Died(fault), ["copies 1", "put 1", "put 2"]),
        ((Inject(Shelf.copies, Failure(BookUnknown(0))),), Failed(BookUnknown(0)), []),
        ((Inject(Shelf.put, fault, nth=3),), Succeeded(2), ["copies 1", "put 1", "put 2"]),
    ):
        shelf = MemoryShelf({1: 2})
        interpreter = live.with_interceptors(inject(*faults))
        assert await interpreter.run_exit(move(1), Reading(shelf)) == exit
        assert shelf.journal == journal


async def test_dry_run_performs_nothing_that_reaches_out() -> None:
    """Transactional and external operations need an answer; local ones are performed; all are recorded."""
    shelf, log = MemoryShelf({1: 2}), list[Recorded]()
    refused = await dry_run.run_exit(move(1), Reading(shelf))
    assert isinstance(refused, Died)
    assert isinstance(refused.exception, DryRun)
    assert str(refused.exception).startswith("a dry run performs no transactional operation, and Shelf.copies is one.")
    answered = dry_run.with_interceptors(record(log), stub({Shelf.copies: lambda _: 5, Shelf.put: lambda _: None}))
    assert await answered.run(move(1), Reading(shelf)) == 5
    assert ([entry.place for entry in log], shelf.journal) == (["Shelf.copies", "Shelf.put", "Shelf.put"], [])
    assert await dry_run.run(SyncShelf({1: 3}).copies(1)) == 3


async def test_a_dispatched_command_is_an_operation_too() -> None:
    """A `Call` is refused outside an app, and can be stubbed by its handler, recorded and performed by dispatch."""
    handler, log = object(), list[Recorded]()
    command: Eff[Any, Any] = Call(handler, "message", title="borrow_book")
    refused = await run_exit(command)
    assert isinstance(refused, Died)
    assert isinstance(refused.exception, NoDispatch)
    assert str(refused.exception).startswith("borrow_book(...) was run outside an app.")
    stubbed = live.with_interceptors(record(log), stub({handler: lambda message: succeed(f"stubbed {message}")}))
    assert await stubbed.run(command) == "stubbed message"
    assert [(entry.place, entry.args, entry.kind) for entry in log] == [("borrow_book", ("message",), "dispatch")]


async def test_interpret_raises_raw_inside_another_program() -> None:
    """A dispatcher that runs one program inside another's operation passes failures and defects on unchanged."""

    async def dispatch(operation: Any, runtime: Any) -> Any:
        return await live.interpret(copies_of(operation.message), reading(book_1=2))

    outer = live.with_perform(dispatch)

    def call(book: int) -> Eff[int, BookUnknown]:
        return Call(object(), book, title="get")

    assert await outer.run_exit(call(1)) == Succeeded(2)
    assert await outer.run_exit(call(9)) == Failed(BookUnknown(9))
    assert await outer.run_exit(recover(call(9), lambda error: succeed(error.book))) == Succeeded(9)
    with pytest.raises(Raised):
        await outer.interpret(call(9), None)


# Laws, over programs that hypothesis makes: an exit, and what the adapters saw.


def programs() -> st.SearchStrategy[Eff[Any, Any, Any]]:
    """Make programs over the shelf."""
    leaves = st.one_of(
        st.integers(0, 3).map(copies_of),
        st.integers(0, 3).map(put),
        st.just(collapse()),
        st.integers().map(succeed),
        st.integers().map(fail),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: two[0].then(two[1])),
            st.tuples(inner, inner).map(lambda two: two[0].lash(lambda _: two[1])),
            inner.map(attempt),
            inner.map(exit_of),
            st.tuples(inner, inner).map(lambda two: two[0].zip(two[1])),
        ),
        max_leaves=8,
    )


def seen(interpreter: Interpreter, program: Eff[Any, Any, Any]) -> tuple[str, dict[int, int]]:
    """Run a program on a fresh shelf, and return its exit and what is on the shelf."""
    shelf = SyncShelf({1: 1})
    runtime = Reading(shelf)
    return repr(interpreter.run_sync(exit_of(program), runtime)), shelf.books


@given(programs())
def test_law_identity(program: Eff[Any, Any, Any]) -> None:
    """Interceptors that have nothing to say change nothing, in any order."""
    nothing: tuple[Interceptor, ...] = (record([]), trace(Spans()), stub({}), inject())
    expected = seen(live, program)
    for order in permutations(nothing):
        assert seen(live.with_interceptors(*order), program) == expected


@given(programs())
def test_law_outer_record_sees_what_is_stubbed_and_inner_does_not(program: Eff[Any, Any, Any]) -> None:
    """What lies inside a stub does not see what the stub answers; the exit is the same in either order."""
    answers = {Shelf.put: lambda _: None}
    outer, inner = list[Recorded](), list[Recorded]()
    interpreter = live.with_interceptors(record(outer), stub(answers), record(inner))
    assert seen(interpreter, program) == seen(live.with_interceptors(stub(answers)), program)
    assert [entry.place for entry in inner] == [entry.place for entry in outer if entry.place != "Shelf.put"]


@given(programs())
def test_law_stubs_with_different_keys_commute(program: Eff[Any, Any, Any]) -> None:
    """The order of two stubs matters only where they answer the same operation, and then the outer one answers."""
    copies, puts = stub({Shelf.copies: lambda _: 9}), stub({Shelf.put: lambda _: None})
    both = stub({Shelf.copies: lambda _: 9, Shelf.put: lambda _: None})
    expected = seen(live.with_interceptors(both), program)
    assert seen(live.with_interceptors(copies, puts), program) == expected
    assert seen(live.with_interceptors(puts, copies), program) == expected
    other = stub({Shelf.copies: lambda _: 0})
    assert seen(live.with_interceptors(copies, puts, other), program) == expected


@given(programs())
def test_law_inject_then_recover_is_a_failing_stub(program: Eff[Any, Any, Any]) -> None:
    """Injecting a failure into the first call is the same above and below a record."""
    fault = Inject(Shelf.copies, Failure(BookUnknown(0)))
    above, below = list[Recorded](), list[Recorded]()
    one = seen(live.with_interceptors(inject(fault), record(above)), program)
    two = seen(live.with_interceptors(record(below), inject(fault)), program)
    assert one == two
    failed = [entry for entry in below if entry.exit == Failed(BookUnknown(0)) and entry.place == "Shelf.copies"]
    assert len(above) >= len(below) - max(1, len(failed))


@given(programs())
def test_law_dry_run_touches_nothing(program: Eff[Any, Any, Any]) -> None:
    """A dry run whose operations are all answered leaves the adapters as they were, and records the same places."""
    shelf = MemoryShelf({1: 1})
    answers = {Shelf.copies: lambda _: 1, Shelf.put: lambda _: None, Shelf.collapse: lambda: None}
    dry, wet = list[Recorded](), list[Recorded]()
    run_dry = dry_run.with_interceptors(record(dry), stub(answers))
    run_wet = live.with_interceptors(record(wet), stub(answers))
    runtime = Reading(shelf)
    assert repr(run_dry.run_sync(exit_of(program), runtime)) == repr(run_wet.run_sync(exit_of(program), runtime))
    assert (dry, shelf.journal) == (wet, [])


def test_run_sync_needs_no_event_loop() -> None:
    """Interceptors and operations that never wait run without one."""
    log: list[Recorded] = []
    assert run_sync(SyncShelf({1: 1}).copies(1)) == 1
    assert live.with_interceptors(record(log)).run_sync(copies_of(1), Reading(SyncShelf({1: 1}))) == 1
    assert [entry.exit for entry in log] == [Succeeded(1)]
    with pytest.raises(ShelfBroken):
        run_sync(collapse(), Reading(SyncShelf()))
