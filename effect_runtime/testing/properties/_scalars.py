"""Strategies of single values, as narrow as their constraints. Knows no class, no union, no collection.

Ranges are those that every store and every wire of ours can hold: integers of 64 bits, moments of the years 2000 to
2099 in UTC, texts without lone surrogates. What lies beyond is for `overrides`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import ceil, floor
from types import MappingProxyType, NoneType
from typing import Any, Final, TypeAlias
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from effect_runtime.testing.properties._constraints import Constraints

Draw: TypeAlias = Callable[[Constraints], SearchStrategy[Any]]

USUAL: Final = 10
"""How much longer than it must a text or a collection usually is; the longest that is allowed comes up beside it."""

_LARGEST: Final = 2**63 - 1
_LETTERS: Final = st.characters(exclude_categories=["Cs"])


def sizes(asked: Constraints, usual: int = USUAL) -> tuple[int, int]:
    """Return how long something may be, and how long it usually is at most."""
    longest = asked.shortest + usual
    return asked.shortest, longest if asked.longest is None else min(longest, asked.longest)


def _texts(asked: Constraints) -> SearchStrategy[str]:
    if asked.matches:
        return _matching(asked)
    shortest, usual = sizes(asked)
    texts = st.text(_LETTERS, min_size=shortest, max_size=usual)
    if asked.longest is None or asked.longest == usual:
        return texts
    return texts | _LETTERS.map(lambda letter: letter * (asked.longest or 0))


def _matching(asked: Constraints) -> SearchStrategy[str]:
    """Draw by the first pattern; the others judge."""
    match = asked.matches[0]
    texts = st.from_regex(match.__self__, fullmatch=match.__name__ == "fullmatch", alphabet=_LETTERS)  # type: ignore[attr-defined]  # a bound method
    longest = _LARGEST if asked.longest is None else asked.longest
    return texts.filter(lambda text: asked.shortest <= len(text) <= longest and asked.lets(text))


def _bytes(asked: Constraints) -> SearchStrategy[bytes]:
    shortest, usual = sizes(asked)
    return st.binary(min_size=shortest, max_size=usual)


def _range(asked: Constraints, lowest: Any, highest: Any) -> tuple[Any, Any]:
    """Return the ends of a range: those asked for, and usual ones where nothing is asked."""
    least, most = asked.bound(">=", ">"), asked.bound("<=", "<")
    return (
        (lowest if most is None else min(lowest, most)) if least is None else least,
        (highest if least is None else max(highest, least)) if most is None else most,
    )


def _integers(asked: Constraints) -> SearchStrategy[int]:
    least, most = _range(asked, -_LARGEST, _LARGEST)
    return st.integers(ceil(least), floor(most)).filter(asked.lets)


def _floats(asked: Constraints) -> SearchStrategy[float]:
    least, most = _range(asked, -1e300, 1e300)
    return st.floats(float(least), float(most), allow_nan=False, allow_infinity=False).filter(asked.lets)


def _decimals(asked: Constraints) -> SearchStrategy[Decimal]:
    least, most = (Decimal(str(end)) for end in _range(asked, Decimal(-_LARGEST), Decimal(_LARGEST)))
    places = max(2, *(-int(end.as_tuple().exponent) for end in (least, most)))
    while 0 < most - least < 3 * Decimal(10) ** -places:  # between the ends there must be something
        places += 1
    return st.decimals(least, most, allow_nan=False, allow_infinity=False, places=places).filter(asked.lets)


def _moments(asked: Constraints) -> SearchStrategy[datetime]:
    least, most = _range(asked, datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC))
    ends = [end.astimezone(UTC).replace(tzinfo=None) for end in (least, most)]
    moments = st.datetimes(ends[0], ends[1], timezones=st.just(UTC))
    return moments.map(lambda moment: moment.replace(fold=0)).filter(asked.lets)


def _days(asked: Constraints) -> SearchStrategy[date]:
    return st.dates(*_range(asked, date(2000, 1, 1), date(2099, 12, 31))).filter(asked.lets)


def _durations(asked: Constraints) -> SearchStrategy[timedelta]:
    return st.timedeltas(*_range(asked, timedelta(days=-3650), timedelta(days=3650))).filter(asked.lets)


SCALARS: Final[Mapping[Any, Draw]] = MappingProxyType(
    {
        NoneType: lambda asked: st.none(),
        bool: lambda asked: st.booleans(),
        str: _texts,
        bytes: _bytes,
        int: _integers,
        float: _floats,
        Decimal: _decimals,
        datetime: _moments,
        date: _days,
        timedelta: _durations,
        UUID: lambda asked: st.uuids(),
    }
)
"""What draws each scalar."""
