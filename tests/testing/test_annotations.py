"""Annotations that say more than a class: type parameters, aliases, ids with rules, narrow and impossible ranges."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Generic, NewType

import pytest
from attrs import field, frozen
from attrs.validators import ge, gt, le, lt, matches_re, min_len
from hypothesis import Phase, given, settings
from typing_extensions import TypeAliasType, TypeVar

from effect_runtime.errors import NoStrategy
from effect_runtime.testing.properties import values_of
from effect_runtime.testing.properties._learning import id_kinds, ids_in

T = TypeVar("T")

SeatId = NewType("SeatId", str)
Cents = NewType("Cents", int)
AnySeat = TypeAliasType("AnySeat", SeatId)
Row = TypeAliasType("Row", list[T], type_params=(T,))


@frozen
class Plate:
    """An id that is a class with a rule."""

    value: str = field(validator=matches_re(r"[A-Z]-\d{2}"))


@frozen
class Page(Generic[T]):
    """Some of many."""

    items: tuple[T, ...] = field(validator=min_len(1))
    cursor: T | None


@frozen
class SeatPage(Page[SeatId]):
    """A page that says what it holds by its base."""

    number: int


@frozen
class Booking:
    """Everything that stands for something else."""

    seat: AnySeat
    row: Row[SeatId]
    noted: Annotated[SeatId, "a note"]
    page: Page[SeatId]


@frozen
class Price:
    """A number with a name, whose range no made-up id meets."""

    cents: Cents = field(validator=[ge(Cents(100)), le(Cents(900))])


@frozen
class Narrow:
    """A range between two neighbours of two places."""

    share: Decimal = field(validator=[gt(Decimal(0)), lt(Decimal("0.01"))])
    seats: frozenset[SeatId] = field(validator=min_len(5))


@frozen
class Never:
    """A range with nothing in it."""

    seats: int = field(validator=[ge(5), le(3)])


def many(kind: Any) -> list[Any]:
    """Return a hundred values of a type."""
    drawn: list[Any] = []

    @given(values_of(kind))
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None)
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    return drawn


SEATS = {"seat-1", "seat-2", "seat-3"}


def test_an_alias_of_an_id_is_that_id() -> None:
    """Whatever stands between a field and its id, the pool is the id's."""
    for drawn in many(Booking):
        assert {drawn.seat, drawn.noted, *drawn.row, *drawn.page.items} <= SEATS


@pytest.mark.parametrize("kind", [Page[SeatId], SeatPage])
def test_a_generic_class_holds_what_its_parameter_says(kind: Any) -> None:
    """The parameter is given where the class is named, or by a class that derives from it."""
    drawn = many(kind)
    assert {item for page in drawn for item in page.items} == SEATS
    assert {page.cursor for page in drawn} == {None, *SEATS}


def test_a_parameter_that_nobody_gives_is_named() -> None:
    """A bare generic class says nothing of its fields."""
    with pytest.raises(NoStrategy, match=r"no strategy for Page\.items\[\]: T may stand for anything"):
        values_of(Page)


def test_an_id_with_a_rule_is_met_again_and_is_new() -> None:
    """A value class that judges may be an id or a name: half of what is drawn comes from three values."""
    drawn = [plate for row in many(tuple[Plate, Plate, Plate]) for plate in row]
    counts = sorted((drawn.count(plate) for plate in set(drawn)), reverse=True)
    assert sum(counts[:3]) > 75
    assert len(counts) > 20


def test_a_number_that_validators_narrow_is_no_made_up_id() -> None:
    """An amount is a `NewType`, too: where no id of ours fits, its range is drawn from."""
    drawn = {price.cents for price in many(Price)}
    assert min(drawn) >= 100
    assert len(drawn) > 20


def test_there_is_something_between_neighbours() -> None:
    """Decimals get the places that their range asks for; a set gets as many ids as it must have."""
    for drawn in many(Narrow):
        assert Decimal(0) < drawn.share < Decimal("0.01")
        assert len(drawn.seats) >= 5


def test_what_cannot_be_is_named() -> None:
    """Validators that exclude each other are told with the field."""
    with pytest.raises(NoStrategy) as caught:
        values_of(Never)
    assert caught.value.subject == "Never.seats"
    assert caught.value.reason.startswith("Cannot have max_value=3 < min_value=5")


@frozen
class Receipt:
    """An answer of one field, which might be an id of its own."""

    seat: SeatId


def test_an_id_in_a_record_of_one_field_is_found() -> None:
    """Whether the record is an id or holds one cannot be told, so both are met."""
    receipt = Receipt(SeatId("a"))
    assert list(ids_in(receipt, Receipt)) == [(Receipt, receipt), (SeatId, "a")]
    assert list(id_kinds(list[Receipt])) == [Receipt, SeatId]


def test_ids_are_found_behind_every_alias() -> None:
    """A machine learns ids from answers, however they are annotated."""
    page = Page(items=(SeatId("a"),), cursor=SeatId("b"))
    booking = Booking(SeatId("c"), [SeatId("d")], SeatId("e"), page)
    assert {id for _, id in ids_in(booking, Booking)} == {"a", "b", "c", "d", "e"}
    assert {kind for kind, _ in ids_in(booking, Booking)} == {SeatId}
    assert list(ids_in(page, Page[SeatId])) == [(SeatId, "a"), (SeatId, "b")]
