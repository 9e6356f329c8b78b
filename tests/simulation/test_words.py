"""Values as people read them in a report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from returns.result import Failure, Success

from effect_runtime.effect import Cancelled, Died, Failed, Succeeded
from effect_runtime.testing.search._words import asked_and_answered, changed, line_of, shown
from effect_runtime.testing.world._witness import Change


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (datetime(2030, 1, 1, 12, tzinfo=UTC), "2030-01-01 12:00:00+00:00"),
        (timedelta(minutes=1), "0:01:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Succeeded(None), "succeeded"),
        (Succeeded(3), "succeeded with 3"),
        (Failed("no"), "failed with 'no'"),
        (Died(KeyError("x")), "died of KeyError('x')"),
        (Cancelled(), "cancelled"),
        (Success(None), "None"),
        (Failure(1), "failed with 1"),
        ((1, (2,)), "(1, (2))"),
        ((), "()"),
        ("x" * 80, f"'{'x' * 68}..."),
    ],
)
def test_a_value_is_one_short_line(value: object, words: str) -> None:
    """Moments as people write them, exits in words, no longer than helps."""
    assert shown(value) == words


def test_what_was_asked_stands_before_what_came_of_it() -> None:
    """Nothing is said of an answer that says nothing."""
    assert asked_and_answered((1, "b", 2)) == "1, 'b' -> 2"
    assert asked_and_answered((1, None)) == "1"
    assert asked_and_answered((3,)) == "3"
    assert asked_and_answered(()) == ""


def test_changes_pair_rows_that_stand_for_one_thing() -> None:
    """A row that went and one that came with the same key are one that changed."""
    change = Change("copy", gone=(("b1", 1), ("b2", 1)), come=(("b1", 0), ("b3", 1)))
    assert changed([change]) == "copy ('b1', 1) -> ('b1', 0); copy - ('b2', 1); copy + ('b3', 1)"


def test_events_and_many_rows_are_told_shortly() -> None:
    """An event by its type and payload; of many rows a few, and how many more."""
    events = Change("events", gone=(), come=(("shop.sold", "k", b'{"book": "b1"}'),))
    many = Change("row", gone=(), come=tuple((number,) for number in range(5)))
    letters = Change("dead letters", gone=(), come=("NoAnswer()",))
    assert changed([events, many, letters]) == (
        'events + shop.sold {"book":"b1"}; row + 0, 1, 2 and 2 more; dead letters + NoAnswer()'
    )


def test_a_place_is_told_by_file_and_line() -> None:
    """The folder is known to whoever reads it."""
    assert line_of("/home/me/shop/handlers.py:41 in borrow") == "handlers.py:41"
    assert line_of("the program") == ""
