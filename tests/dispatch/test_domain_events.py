"""Domain events in the transaction: first in first out, until quiet, with vetoes and a bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime import Failed, Succeeded, announce, emit, fail, publish
from effect_runtime.effect import Died, succeed
from effect_runtime.errors import EventCycle, UndeclaredFailure
from effect_runtime.outbox.memory import MemoryStore
from tests.dispatch.troubled import TroubledStore
from tests.dispatch.world import (
    Bench,
    CountedOccurred,
    Keep,
    KeptOccurred,
    NoteKept,
    RecountedOccurred,
    Refusal,
    Writing,
)

pytestmark = pytest.mark.anyio


async def test_a_handler_writes_in_the_commands_transaction(bench: Bench) -> None:
    """It sees the command's rows, and its own are committed with them."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(KeptOccurred(command.key))
        return 1

    @notes.on(KeptOccurred)
    def count(event: KeptOccurred) -> Writing[None]:
        rt = yield from notes.runtime
        yield from rt.notes.put("count", len((yield from rt.notes.all())))
        yield from publish(NoteKept(event.key))

    async with bench.running(notes) as app:
        assert await app.run(keep(Keep("a"))) == 1
        assert await bench.rows() == {"a": 1, "count": 1}
        assert bench.store.log == ["unit", "begin", "commit", "committed"]
    assert [one.key for one in bench.published()] == ["a"]


async def test_a_veto_fails_the_command(bench: Bench) -> None:
    """The failure that the event declares is the command's own, and nothing is kept."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(KeptOccurred(command.key))
        return 1

    @notes.on(KeptOccurred)
    def refuse(event: KeptOccurred) -> Writing[None, Refusal]:
        yield from fail(Refusal(event.key))

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Failed(Refusal("a"))
        assert await bench.rows() == {}


async def test_events_are_handled_first_in_first_out(bench: Bench) -> None:
    """What a handler emits comes after what is waiting; handlers of one event run as they were registered."""
    notes = bench.context()
    heard: list[str] = []

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int, Refusal]:
        yield from emit(KeptOccurred("a"))
        yield from emit(KeptOccurred("b"))
        heard.append("body")
        return 1

    @notes.on(KeptOccurred)
    def first(event: KeptOccurred) -> Writing[None]:
        heard.append(f"first {event.key}")
        yield from emit(CountedOccurred(ord(event.key)))

    @notes.on(KeptOccurred)
    def second(event: KeptOccurred) -> Writing[None]:
        heard.append(f"second {event.key}")
        yield from succeed(None)

    @notes.on(CountedOccurred)
    def third(event: CountedOccurred) -> Writing[None]:
        heard.append(f"third {chr(event.number)}")
        yield from succeed(None)

    async with bench.running(notes) as app:
        await app.run(keep(Keep("x")))
    assert heard == ["body", "first a", "second a", "first b", "second b", "third a", "third b"]


async def test_an_undeclared_failure_of_a_handler_is_a_defect(bench: Bench) -> None:
    """A handler that slipped past the checkers is named, with its event."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(CountedOccurred(1))
        return 1

    @notes.on(CountedOccurred)
    def refuse(event: CountedOccurred) -> Writing[None]:
        yield from fail(Refusal("sly"))  # type: ignore[misc]  # what the checkers refuse

    async with bench.running(notes) as app:
        died = await app.run_exit(keep(Keep("a")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, UndeclaredFailure)
    assert (died.exception.event, died.exception.handler) == ("CountedOccurred", "refuse")
    assert died.exception.failure == Refusal("sly")


async def test_a_defect_of_a_handler_names_event_and_handler(bench: Bench) -> None:
    """The notes of the exception tell the way to it."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        yield from emit(CountedOccurred(1))
        return 1

    @notes.on(CountedOccurred)
    def stumble(event: CountedOccurred) -> Writing[None]:
        yield from succeed(None)
        raise RuntimeError("bug")

    async with bench.running(notes) as app:
        died = await app.run_exit(keep(Keep("a")))
    assert isinstance(died, Died)
    assert died.exception.__notes__ == ["while stumble handled CountedOccurred", "in notes.keep"]


async def test_a_cycle_ends_at_the_bound_and_is_named(bench: Bench) -> None:
    """Two events that cause one another end as a defect that shows the turn."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(CountedOccurred(0))
        return 1

    @notes.on(CountedOccurred)
    def again(event: CountedOccurred) -> Writing[None]:
        yield from emit(RecountedOccurred(event.number))

    @notes.on(RecountedOccurred)
    def and_again(event: RecountedOccurred) -> Writing[None]:
        yield from emit(CountedOccurred(event.number + 1))

    async with bench.running(notes, event_depth=7) as app:
        died = await app.run_exit(keep(Keep("a")))
        assert await bench.rows() == {}
    assert isinstance(died, Died)
    assert isinstance(died.exception, EventCycle)
    assert died.exception.bound == 7
    assert died.exception.chain == ("CountedOccurred", "RecountedOccurred", "CountedOccurred")


async def test_a_long_chain_within_the_bound_is_no_cycle(bench: Bench) -> None:
    """The bound is on depth, not on the number of events."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        for number in range(100):
            yield from emit(CountedOccurred(number))
        return 1

    @notes.on(CountedOccurred)
    def descend(event: CountedOccurred) -> Writing[None]:
        if event.number >= 98:
            yield from emit(CountedOccurred(event.number - 2))

    async with bench.running(notes, event_depth=4) as app:
        assert await app.run_exit(keep(Keep("a"))) == Succeeded(1)


async def test_an_event_without_handlers_is_fine(bench: Bench) -> None:
    """Telling nobody is no fault."""
    notes = bench.context()

    @notes.command(access="public")
    def keep(command: Keep) -> Writing[int]:
        yield from announce(CountedOccurred(1), NoteKept("a"))
        return 1

    async with bench.running(notes) as app:
        assert await app.run_exit(keep(Keep("a"))) == Succeeded(1)
    assert [one.type for one in bench.published()] == ["notes.note-kept"]


trees = st.recursive(st.just(()), lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=12)


@given(forest=st.lists(trees, max_size=3).map(tuple))
async def test_any_tree_of_causes_is_drained_breadth_first(forest: tuple[object, ...]) -> None:
    """For any tree of events that cause events, the order is that of a queue, and none is lost."""
    bench = Bench("memory", TroubledStore(MemoryStore()))
    notes = bench.context()
    nodes: dict[int, tuple[object, ...]] = {}
    heard: list[int] = []

    def number(node: object) -> int:
        nodes[len(nodes)] = node  # type: ignore[assignment]  # a node is the tuple of its children
        return len(nodes) - 1

    @notes.command(access="public")
    def grow(command: Keep) -> Writing[int]:
        for node in forest:
            yield from emit(CountedOccurred(number(node)))
        return 1

    @notes.on(CountedOccurred)
    def sprout(event: CountedOccurred) -> Writing[None]:
        heard.append(event.number)
        for child in nodes[event.number]:
            yield from emit(CountedOccurred(number(child)))

    async with bench.running(notes) as app:
        await app.run(grow(Keep("a")))
    assert heard == list(range(len(nodes)))
