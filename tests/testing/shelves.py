"""Classes of every kind that commands and events are made of, and what may be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeAlias
from uuid import UUID

from attrs import field, frozen
from attrs.validators import (
    and_,
    deep_iterable,
    deep_mapping,
    ge,
    gt,
    in_,
    instance_of,
    le,
    lt,
    matches_re,
    max_len,
    min_len,
    optional,
)

from effect_runtime.integration import Redacted

ShelfId = NewType("ShelfId", str)
RoomNumber = NewType("RoomNumber", int)
Note = NewType("Note", Decimal)
Shade: TypeAlias = Literal["light", "dark"]


class Size(Enum):
    """How large a shelf is."""

    SMALL = "small"
    LARGE = "large"


@frozen
class OwnerId:
    """An id that is a class of its own."""

    value: UUID


@frozen
class Colour:
    """A nested value with a rule of its own."""

    name: str = field(validator=[min_len(2), max_len(4)])


def squeezed(text: str) -> str:
    """Take the blanks off a text."""
    return text.strip()


def counted(items: Sequence[int]) -> int:
    """Make a number of a list."""
    return len(items)


@frozen
class PutUp:
    """A command with everything in it that a strategy can follow."""

    shelf: ShelfId
    room: RoomNumber
    owner: OwnerId
    colour: Colour
    size: Size
    shade: Shade
    secret: Redacted[str]
    note: Note
    short: str = field(validator=[min_len(1), max_len(3)])
    long: str = field(validator=max_len(300))
    code: str = field(validator=and_(matches_re(r"[A-Z]{2}\d+"), max_len(5)))
    inside: str = field(validator=matches_re(r"x", func=None))
    height: int = field(validator=[ge(10), lt(20)])
    weight: float = field(validator=[gt(0.0), le(2.5)])
    price: Decimal = field(validator=[ge(Decimal(1)), le(Decimal(2))])
    kind: str = field(validator=in_({"oak", "pine"}))
    step: int = field(validator=[in_([1, 5, 50]), lt(50)])
    width: int | None = field(validator=optional([ge(1), le(3)]))
    labels: tuple[str, ...] = field(validator=deep_iterable(max_len(2), min_len(1)))
    counts: Mapping[str, int] = field(validator=deep_mapping(max_len(3), ge(0)))
    pair: tuple[int, str]
    tags: frozenset[str]
    others: list[ShelfId]
    since: datetime = field(validator=ge(datetime(2040, 1, 1, tzinfo=UTC)))
    day: date
    span: timedelta = field(validator=gt(timedelta(0)))
    raw: bytes
    either: Colour | Size | None
    anything: Any = field(validator=instance_of((int, str)))
    trimmed: str = field(converter=squeezed, validator=min_len(1))
    summed: int = field(converter=counted)
    commented: Annotated[str, "a comment"] = "nothing"
    many: list[int] = field(factory=list)
    made: int = field(init=False, default=7)


@frozen
class Tree:
    """A value that holds others of its class."""

    name: ShelfId
    below: tuple[Tree, ...] = ()


@frozen(slots=False)
class Open:
    """A class without slots, whose fields are no attributes of the class."""

    number: int
    name: str


def odd(instance: object, attribute: object, value: int) -> None:
    """Judge without saying what is wanted."""
    if value % 2 == 0:
        raise ValueError(f"{value} is even.")


def prime_room(instance: object, attribute: object, value: int) -> None:
    """Take one number of millions."""
    if value != 7_919_191:
        raise ValueError(f"{value} is not the room.")


@frozen
class OddOne:
    """A class that takes half of what is drawn."""

    number: int = field(validator=odd)


@frozen
class OneRoom:
    """A class that takes nothing that anybody would draw."""

    number: int = field(validator=prime_room)


@frozen
class Vague:
    """A class of which nobody knows what it holds."""

    what: Any


class Mystery:
    """A class that cannot be made from what it says."""

    def __init__(self, thing) -> None:  # type: ignore[no-untyped-def]  # says nothing, on purpose
        self.thing = thing


@frozen
class Mysterious:
    """A class with a field of a class of which nobody knows."""

    mystery: Mystery
