"""The outbox of one unit of work, and `publish`."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.effect import Succeeded
from effect_runtime.errors import ForeignEvent, QueueClosed
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Outbox, Topic, integration_event, publish
from effect_runtime.interpreter import Interpreter, Recorded, record, run, stub


class LendingEvents(Topic, name="lending"):
    """What lending tells."""

    __slots__ = ()


class CatalogEvents(Topic, name="catalog"):
    """What the catalog tells."""

    __slots__ = ()


@frozen
@integration_event("lending.book-borrowed", key="book")
class BookBorrowed(LendingEvents):
    """A book went out."""

    book: int


@frozen
@integration_event("catalog.book-added", key="book")
class BookAdded(CatalogEvents):
    """A book is new."""

    book: int


@frozen
class BookBorrowedOccurred(DomainEvent):
    """The inside's own event."""

    book: int


@frozen
class Runtime:
    """A runtime that can publish."""

    outbox: Outbox[LendingEvents]


@given(st.lists(st.integers(0, 9), max_size=8), st.lists(st.integers(10, 19), max_size=8))
def test_cutting_back_forgets_exactly_what_came_after_the_mark(before: list[int], after: list[int]) -> None:
    """What a savepoint undoes is gone, and everything before it stays in order."""
    outbox: Outbox[LendingEvents] = Outbox()
    for book in before:
        outbox.add(BookBorrowed(book))
    mark = outbox.mark()
    for book in after:
        outbox.add(BookBorrowed(book))
    outbox.cut(mark)
    assert list(outbox) == [BookBorrowed(book) for book in before]
    assert (len(outbox), outbox.mark()) == (len(before), mark)


def test_a_closed_outbox_names_the_event_and_can_still_be_read() -> None:
    """A runtime that is kept beyond its unit of work cannot publish into nothing."""
    outbox: Outbox[LendingEvents] = Outbox()
    outbox.add(BookBorrowed(1))
    outbox.close()
    outbox.close()
    with pytest.raises(QueueClosed) as caught:
        outbox.add(BookBorrowed(2))
    assert str(caught.value) == (
        "BookBorrowed was added to the outbox of a unit of work that has ended. "
        "Use the runtime only inside the handler it was built for."
    )
    assert list(outbox) == [BookBorrowed(1)]


@pytest.mark.parametrize("stranger", ["an event", BookBorrowedOccurred(1), LendingEvents()])
def test_what_is_no_integration_event_is_refused(stranger: Any) -> None:
    """Untyped code cannot publish a domain event, a bare topic, or anything else."""
    outbox: Outbox[Any] = Outbox()
    with pytest.raises(ForeignEvent, match="was refused by publish: it is no integration event"):
        outbox.add(stranger)


def test_only_topics_that_the_context_publishes_are_admitted() -> None:
    """A foreign topic is a type error; where types are not checked, it is a defect that says so."""
    outbox: Outbox[Any] = Outbox([LendingEvents])
    outbox.add(BookBorrowed(1))
    with pytest.raises(ForeignEvent, match="its topic 'catalog' is not published by this context"):
        outbox.add(BookAdded(1))
    assert list(outbox) == [BookBorrowed(1)]


@pytest.mark.anyio
async def test_publish_adds_to_the_outbox_of_the_runtime_each_time_it_runs() -> None:
    """Building the effect does nothing; running it twice publishes twice."""
    runtime = Runtime(Outbox())
    publishing = publish(BookBorrowed(1))
    assert len(runtime.outbox) == 0
    await run(publishing, runtime)
    await run(publishing, runtime)
    assert list(runtime.outbox) == [BookBorrowed(1), BookBorrowed(1)]


@pytest.mark.anyio
async def test_interceptors_see_publish_as_the_operation_of_the_outbox() -> None:
    """`record` names it, with the event among its arguments, and it is local."""
    log: list[Recorded] = []
    runtime = Runtime(Outbox())
    await Interpreter(interceptors=(record(log),)).run(publish(BookBorrowed(1)), runtime)
    assert log == [Recorded("Outbox.add", (BookBorrowed(1),), {}, "local", Succeeded(None))]


@pytest.mark.anyio
async def test_publish_can_be_stubbed() -> None:
    """A test may answer for the outbox: nothing is collected then."""
    runtime = Runtime(Outbox())
    told: list[object] = []
    interpreter = Interpreter(interceptors=(stub({Outbox.add: told.append}),))
    await interpreter.run(publish(BookBorrowed(1)), runtime)
    assert (told, list(runtime.outbox)) == ([BookBorrowed(1)], [])
