"""The queue of domain events of one unit of work, and `emit`."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.effect import Succeeded
from effect_runtime.errors import ForeignEvent, QueueClosed
from effect_runtime.events import DomainEvent, Enqueued, Events, emit
from effect_runtime.interpreter import Interpreter, Recorded, record, run, stub


@frozen
class BookReturnedOccurred(DomainEvent):
    """A book came back."""

    book: int


@frozen
class Runtime:
    """A runtime that can emit."""

    events: Events


@given(st.lists(st.integers(0, 9), max_size=8), st.lists(st.integers(10, 19), max_size=8))
def test_cutting_back_forgets_exactly_what_came_after_the_mark(before: list[int], after: list[int]) -> None:
    """What a savepoint undoes is gone, and everything before it stays in order."""
    events = Events()
    for book in before:
        events.add(BookReturnedOccurred(book))
    mark = events.mark()
    for book in after:
        events.add(BookReturnedOccurred(book))
    events.cut(mark)
    assert list(events) == [BookReturnedOccurred(book) for book in before]
    assert (len(events), events.mark()) == (len(before), mark)


def test_events_are_read_by_place_while_more_are_added() -> None:
    """A drain goes by place, so an event that a handler emits is found behind the others."""
    events = Events()
    events.add(BookReturnedOccurred(1))
    seen = []
    place = 0
    while place < events.mark():
        event: Any = events.at(place)
        seen.append(event.book)
        if event.book < 3:
            events.add(BookReturnedOccurred(event.book + 1))
        place += 1
    assert seen == [1, 2, 3]


def test_a_closed_queue_names_the_event_and_the_way_out() -> None:
    """A runtime that is kept beyond its unit of work cannot emit into nothing."""
    events = Events()
    events.close()
    events.close()
    with pytest.raises(QueueClosed) as caught:
        events.add(BookReturnedOccurred(1))
    assert str(caught.value) == (
        "BookReturnedOccurred was added to the event queue of a unit of work that has ended. "
        "Use the runtime only inside the handler it was built for."
    )


def test_an_enqueued_event_is_told_apart_and_cut_back_like_the_others() -> None:
    """One order for both; a closed queue takes neither, and strangers are refused by the word that was used."""
    events = Events()
    events.add(BookReturnedOccurred(1))
    mark = events.mark()
    events.enqueue(BookReturnedOccurred(2))
    assert list(events) == [BookReturnedOccurred(1), Enqueued(BookReturnedOccurred(2))]
    events.cut(mark)
    assert list(events) == [BookReturnedOccurred(1)]
    stranger: Any = "an event"
    with pytest.raises(ForeignEvent, match=r"was refused by enqueue: it is no domain event\. Enqueue an instance"):
        events.enqueue(stranger)
    events.close()
    with pytest.raises(QueueClosed):
        events.enqueue(BookReturnedOccurred(3))


def test_what_is_no_domain_event_is_refused() -> None:
    """Untyped code cannot put anything else into the queue."""
    stranger: Any = "an event"
    with pytest.raises(ForeignEvent, match=r"builtins\.str was refused by emit: it is no domain event\."):
        Events().add(stranger)


@pytest.mark.parametrize("modules", [("tests.events",), (__name__,), ("lending", "tests")])
def test_an_event_of_the_context_is_admitted(modules: tuple[str, ...]) -> None:
    """Events from the context's packages, and from below them, belong to it."""
    events = Events(modules)
    events.add(BookReturnedOccurred(1))
    assert list(events) == [BookReturnedOccurred(1)]


@pytest.mark.parametrize("modules", [(), ("tests.even",), ("tests.events.test_queue.more",)])
def test_an_event_of_another_context_is_refused(modules: tuple[str, ...]) -> None:
    """A package whose name merely begins alike is another one."""
    with pytest.raises(ForeignEvent, match="it is defined outside this context"):
        Events(modules).add(BookReturnedOccurred(1))


@pytest.mark.anyio
async def test_emit_adds_to_the_queue_of_the_runtime_each_time_it_runs() -> None:
    """Building the effect does nothing; running it twice emits twice."""
    runtime = Runtime(Events())
    emitting = emit(BookReturnedOccurred(1))
    assert len(runtime.events) == 0
    await run(emitting, runtime)
    await run(emitting, runtime)
    assert list(runtime.events) == [BookReturnedOccurred(1), BookReturnedOccurred(1)]


@pytest.mark.anyio
async def test_interceptors_see_emit_as_the_operation_of_the_queue() -> None:
    """`record` names it, with the event among its arguments, and it is local."""
    log: list[Recorded] = []
    runtime = Runtime(Events())
    await Interpreter(interceptors=(record(log),)).run(emit(BookReturnedOccurred(1)), runtime)
    assert log == [Recorded("Events.add", (BookReturnedOccurred(1),), {}, "local", Succeeded(None))]
    assert list(runtime.events) == [BookReturnedOccurred(1)]


@pytest.mark.anyio
async def test_emit_can_be_stubbed() -> None:
    """A test may answer for the queue: nothing is added then."""
    runtime = Runtime(Events())
    heard: list[object] = []
    interpreter = Interpreter(interceptors=(stub({Events.add: heard.append}),))
    await interpreter.run(emit(BookReturnedOccurred(1)), runtime)
    assert (heard, list(runtime.events)) == ([BookReturnedOccurred(1)], [])
