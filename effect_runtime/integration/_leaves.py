"""Scalars as JSON and back, strictly.

A reader accepts the JSON form and the value itself (a dynamic door may hold either); a writer refuses what its
annotation does not say, because a wrong value that leaves is found by a stranger. Knows no class with fields.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from types import MappingProxyType, NoneType
from typing import Any, Final, TypeAlias, get_args
from uuid import UUID

from effect_runtime.integration._fields import Unfit

Leaf: TypeAlias = Callable[[Any], Any]

LONGEST_INT: Final = 4096
"""Bits of an int that are accepted: far beyond any count, and cheap to print."""

LARGEST_EXPONENT: Final = 6144
"""Decimal exponents stay within decimal128: `1E+999999999` fits a line and fills a memory."""


def no(value: object, expected: str) -> Unfit:
    """Say that a value is of another type than expected."""
    return Unfit.because(f"is {type(value).__name__}, not {expected}")


def write_text(value: Any) -> str:
    """Take text that UTF-8 can hold."""
    if not isinstance(value, str):
        raise no(value, "text")
    # Python's text may hold half of a surrogate pair, and nobody else's can. Asking whether it is ASCII is nearly
    # free.
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unfit.because("holds half of a surrogate pair") from None
    return value


def write_int(value: Any) -> int:
    """Take a whole number; a bool is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise no(value, "a whole number")
    if value.bit_length() > LONGEST_INT:
        raise Unfit.because(f"is longer than {LONGEST_INT} bits")
    return value


def write_float(value: Any) -> float:
    """Take a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise no(value, "a number")
    try:
        number = float(value)
    except OverflowError:
        raise Unfit.because("is too large for a float") from None
    if not math.isfinite(number):
        raise Unfit.because(f"is {number}, which JSON cannot hold")
    return number


def write_bool(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise no(value, "true or false")
    return value


def write_none(value: Any) -> None:
    """Take None."""
    if value is not None:
        raise no(value, "null")


def write_decimal(value: Any) -> str:
    """Write a finite decimal as text, digits kept."""
    if not isinstance(value, Decimal):
        raise no(value, "a Decimal")
    return str(_bounded(value))


def read_decimal(value: Any) -> Decimal:
    """Read a decimal from text or a whole number; a JSON float has lost digits already."""
    if isinstance(value, Decimal):
        return _bounded(value)
    if isinstance(value, str):
        try:
            return _bounded(Decimal(value))
        except InvalidOperation:
            raise Unfit.because("is no decimal number") from None
    return Decimal(write_int(value)) if isinstance(value, int) else _refuse(value, "a decimal number as text")


def write_datetime(value: Any) -> str:
    """Write an aware moment in UTC."""
    # It is UTC by now, and ends in `+00:00`.
    return f"{_moment(value).isoformat()[:-6]}Z"


def read_datetime(value: Any) -> datetime:
    """Read an aware moment, as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Unfit.because("is no ISO 8601 date and time") from None
    return _moment(value)


def write_date(value: Any) -> str:
    """Write a calendar day; a datetime is none."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise no(value, "a date")
    return value.isoformat()


def read_date(value: Any) -> date:
    """Read a calendar day."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise Unfit.because("is no ISO 8601 date") from None
    write_date(value)
    return value  # type: ignore[no-any-return]  # write_date has refused all else


def write_uuid(value: Any) -> str:
    """Write a UUID in lower-case hexadecimal groups."""
    if not isinstance(value, UUID):
        raise no(value, "a UUID")
    return str(value)


def read_uuid(value: Any) -> UUID:
    """Read a UUID in any of its usual spellings."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value) if isinstance(value, str) else _refuse(value, "a UUID as text")
    except ValueError:
        raise Unfit.because("is no UUID") from None


def write_bytes(value: Any) -> str:
    """Write bytes in base 64."""
    if not isinstance(value, bytes):
        raise no(value, "bytes")
    return base64.b64encode(value).decode("ascii")


def read_bytes(value: Any) -> bytes:
    """Read bytes from base 64."""
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(write_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise Unfit.because("is no base 64") from None


WRITERS: Final[Mapping[Any, Leaf]] = MappingProxyType(
    {
        str: write_text,
        int: write_int,
        float: write_float,
        bool: write_bool,
        NoneType: write_none,
        Decimal: write_decimal,
        datetime: write_datetime,
        date: write_date,
        UUID: write_uuid,
        bytes: write_bytes,
    }
)
READERS: Final[Mapping[Any, Leaf]] = MappingProxyType(
    {
        **WRITERS,
        Decimal: read_decimal,
        datetime: read_datetime,
        date: read_date,
        UUID: read_uuid,
        bytes: read_bytes,
    }
)
"""The JSON form of text, numbers, bool and None is the value itself: what writes them reads them."""


def enum_writer(kind: type[Enum]) -> Leaf:
    """Make the writer of an enum: the member's value."""

    def write(value: Any) -> Any:
        if not isinstance(value, kind):
            raise no(value, kind.__name__)
        return value.value

    return write


def enum_reader(kind: type[Enum]) -> Leaf:
    """Make the reader of an enum: a member's value, or the member."""
    expected = ", ".join(repr(member.value) for member in kind)

    def read(value: Any) -> Enum:
        # True equals 1: without this an int enum would read it.
        if not isinstance(value, bool):
            try:
                return kind(value)
            except ValueError:
                pass
        raise Unfit.because(f"is none of {expected}")

    return read


def literal_leaf(kind: Any) -> Leaf:
    """Make the reader, which is the writer too, of a `Literal`."""
    # With their types, because True equals 1 and hashes alike.
    allowed = {(type(value), value) for value in get_args(kind)}
    expected = ", ".join(repr(value) for value in get_args(kind))

    def take(value: Any) -> Any:
        if not isinstance(value, str | int) or (type(value), value) not in allowed:
            raise Unfit.because(f"is none of {expected}")
        return value

    return take


def _refuse(value: object, expected: str) -> Any:
    raise no(value, expected)


def _bounded(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise Unfit.because(f"is {value}, which is no finite number")
    if abs(value.adjusted()) > LARGEST_EXPONENT or len(value.as_tuple().digits) > LARGEST_EXPONENT:
        raise Unfit.because(f"has an exponent or length beyond {LARGEST_EXPONENT}")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise no(value, "a date and time")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise Unfit.because("is naive: give it a timezone, for example datetime.now(UTC)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Unfit.because("lies outside the years 1 to 9999 in UTC") from None
