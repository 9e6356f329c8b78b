"""Strategies that follow from classes: types, validators, converters, pools, and what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from effect_runtime.errors import NoStrategy, ValuesRefused
from effect_runtime.testing.properties import commands_of, events_of, values_of
from effect_runtime.testing.properties._messages import signature_of
from library_example.contracts import BookId, LendingEvents, PatronId
from library_example.lending.handlers import BorrowBook, RegisterPatron, borrow_book, lending, place_hold
from tests.testing.shelves import (
    Colour,
    Mysterious,
    Mystery,
    Note,
    OddOne,
    OneRoom,
    Open,
    OwnerId,
    PutUp,
    RoomNumber,
    ShelfId,
    Size,
    Tree,
    Vague,
)

COMMANDS = {signature_of(each).message for each in lending.commands}
few = settings(max_examples=25)
"""Large values are slow to draw."""


@given(values_of(PutUp))
@few
def test_drawn_values_keep_to_types_and_validators(drawn: PutUp) -> None:
    """Every field holds what its annotation and its validators say: the class itself took it."""
    assert isinstance(drawn, PutUp)
    assert (drawn.step, drawn.kind in {"oak", "pine"}) in {(1, True), (5, True)}
    assert 10 <= drawn.height < 20
    assert 0 < drawn.weight <= 2.5
    assert Decimal(1) <= drawn.price <= Decimal(2)
    assert re.fullmatch(r"[A-Z]{2}\d+", drawn.code)
    assert 1 <= len(drawn.short) <= 3
    assert drawn.width in {None, 1, 2, 3}
    assert all(len(label) <= 2 for label in drawn.labels)
    assert drawn.labels
    assert all(len(key) <= 3 and count >= 0 for key, count in drawn.counts.items())
    assert drawn.since >= datetime(2040, 1, 1, tzinfo=UTC)
    assert drawn.span > timedelta(0)
    assert isinstance(drawn.anything, int | str)
    assert drawn.trimmed == drawn.trimmed.strip()
    assert drawn.made == 7


CLAIMS: Mapping[str, Callable[[PutUp], object]] = {
    "the longest text": lambda drawn: len(drawn.long) == 300,
    "a default": lambda drawn: drawn.commented == "nothing",
    "no default": lambda drawn: drawn.commented != "nothing",
    "what a factory would leave empty": lambda drawn: drawn.many,
    "none of a union": lambda drawn: drawn.either is None,
    "one side": lambda drawn: isinstance(drawn.either, Colour),
    "the other": lambda drawn: isinstance(drawn.either, Size),
    "an end of a range": lambda drawn: drawn.height == 19,
    "what a converter takes": lambda drawn: drawn.summed == 2,
    "nothing where it is optional": lambda drawn: drawn.width is None,
    "ids that meet": lambda drawn: drawn.shelf in drawn.others,
}


def test_what_may_be_comes_up() -> None:
    """The longest text, defaults and others, each side of a union, ends of ranges and ids that meet are all drawn."""
    missing = dict(CLAIMS)

    @given(values_of(PutUp))
    @settings(max_examples=200, phases=[Phase.generate], derandomize=True, database=None)
    def draw(drawn: PutUp) -> None:
        for name in [name for name, claim in missing.items() if claim(drawn)]:
            del missing[name]

    draw()
    assert list(missing) == []


@given(values_of(PutUp))
@few
def test_ids_come_from_small_pools(drawn: PutUp) -> None:
    """Each type of id has three values, named after the type."""
    assert drawn.shelf in {"shelf-1", "shelf-2", "shelf-3"}
    assert drawn.room in {1, 2, 3}
    assert drawn.owner in {OwnerId(UUID(int=number)) for number in (1, 2, 3)}


@given(values_of(PutUp, pools={ShelfId: ["north"], OwnerId: [OwnerId(UUID(int=9))]}))
@few
def test_pools_can_be_given(drawn: PutUp) -> None:
    """A pool that is given takes the place of our own."""
    assert (drawn.shelf, drawn.owner) == ("north", OwnerId(UUID(int=9)))


@given(
    values_of(
        PutUp,
        overrides={PutUp.height: st.just(12), (PutUp, "note"): st.just(Decimal(3)), Colour: st.just(Colour("red"))},
    )
)
@few
def test_fields_and_types_can_be_overridden(drawn: PutUp) -> None:
    """An override is keyed by the field itself, by its class and name, or by a type."""
    assert (drawn.height, drawn.note, drawn.colour) == (12, Note(Decimal(3)), Colour("red"))


@given(values_of(Open, overrides={(Open, "number"): st.just(4)}))
def test_a_field_of_a_class_without_slots_is_named_by_class_and_name(drawn: Open) -> None:
    """Such a class has no attribute for its field, so a pair stands for it."""
    assert drawn == Open(4, drawn.name)


@given(values_of(RoomNumber), values_of(int | None))
def test_any_annotation_can_be_drawn(room: RoomNumber, number: int | None) -> None:
    """What is derived need not be a class."""
    assert room in {1, 2, 3}
    assert number is None or -(2**63) < number < 2**63


def test_a_class_that_holds_its_own_kind_is_drawn() -> None:
    """Recursion ends."""
    tree = find(values_of(Tree), lambda tree: any(each.below for each in tree.below), settings=settings(database=None))
    assert tree == Tree(ShelfId("shelf-1"), (Tree(ShelfId("shelf-1"), (Tree(ShelfId("shelf-1")),)),))


@given(values_of(OddOne))
def test_a_validator_that_only_judges_is_obeyed(drawn: OddOne) -> None:
    """What a function of the user's refuses is drawn again."""
    assert drawn.number % 2 == 1


def test_a_class_that_refuses_everything_is_named_with_its_field() -> None:
    """The error names the class, the field, what it said, and the override to write."""

    @given(values_of(OneRoom))
    @settings(database=None)
    def draw(room: OneRoom) -> None: ...

    with pytest.raises(ValuesRefused) as caught:
        draw()
    assert (caught.value.name, caught.value.field) == ("OneRoom", "number")
    assert re.fullmatch(
        r"OneRoom refused all of \d+ values drawn for it, the last with: -?\d+ is not the room\. "
        r"Say what it takes: overrides=\{OneRoom\.number: \.\.\.\}, with a strategy of hypothesis\.",
        str(caught.value),
    )


def test_a_field_that_says_nothing_is_named() -> None:
    """`Any` alone gives no strategy."""
    with pytest.raises(NoStrategy) as caught:
        values_of(Vague)
    assert str(caught.value) == (
        "no strategy for Vague.what: Any says nothing. "
        "Say what its values are: overrides={Vague.what: ...}, with a strategy of hypothesis."
    )


def test_a_class_of_which_nothing_is_known_is_named() -> None:
    """What hypothesis cannot build either is an error at once, and an override settles it."""
    with pytest.raises(NoStrategy) as caught:
        values_of(Mysterious)
    assert (caught.value.subject, caught.value.key) == ("Mysterious.mystery", "Mystery")
    mystery = Mystery(1)
    found = find(values_of(Mysterious, overrides={Mystery: st.just(mystery)}), lambda drawn: True)
    assert found == Mysterious(mystery)


@given(commands_of(lending, pools={PatronId: ["ann"]}))
def test_commands_of_a_context(command: Any) -> None:
    """Every command class of the context is drawn, and they share their pools."""
    assert type(command) in COMMANDS
    assert getattr(command, "patron_id", "ann") == "ann"
    assert not isinstance(command, RegisterPatron) or "@" in command.email


def test_every_command_comes_up() -> None:
    """No command of a context is left out."""
    drawn = set[type]()

    @given(commands_of(lending))
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None)
    def draw(command: Any) -> None:
        drawn.add(type(command))

    draw()
    assert drawn == COMMANDS


@given(commands_of([borrow_book, place_hold], overrides={BorrowBook.days: st.integers(1, 2)}))
def test_commands_of_some_handlers(command: Any) -> None:
    """Handlers can be named one by one."""
    assert getattr(command, "days", 1) in {1, 2}
    assert command.book_id in {"book-1", "book-2", "book-3"}


@given(events_of(LendingEvents, pools={BookId: ["dune"]}))
def test_events_of_a_topic(event: Any) -> None:
    """Every event of a topic is drawn with its fields."""
    assert event.book_id == "dune"
    assert event.occurred_at.tzinfo is UTC
