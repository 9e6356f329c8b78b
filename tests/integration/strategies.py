"""Values of every kind that can travel, for hypothesis. Says nothing of how they are encoded."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

from attrs import evolve
from hypothesis import strategies as st

from effect_runtime.integration import Envelope
from tests.integration.contracts import (
    BookBorrowed,
    BookId,
    Condition,
    EverythingTold,
    Fee,
    Floor,
    Isbn,
    LoanId,
    Receipt,
    ShelfNumber,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ZONES = st.one_of(
    st.just(UTC), st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
)
# One day within the years that UTC can tell, whatever the zone.
MOMENTS = st.datetimes(timezones=ZONES).filter(lambda moment: 1 < moment.year < 9999)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
FEES = st.builds(Fee, DECIMALS, st.text("ABC", max_size=3))
LOANS = st.builds(LoanId, st.uuids())

EVERYTHING = st.builds(
    EverythingTold,
    text=TEXT,
    number=st.integers(),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    price=DECIMALS,
    moment=MOMENTS,
    day=st.dates(),
    id=st.uuids(),
    raw=st.binary(max_size=20),
    condition=st.sampled_from(Condition),
    floor=st.sampled_from(Floor),
    choice=st.sampled_from(["a", 1, True]),
    book_id=st.uuids().map(BookId),
    shelf=st.integers().map(ShelfNumber),
    loan_id=LOANS,
    remark=st.none() | TEXT,
    note=TEXT,
    maybe=st.none() | st.uuids(),
    numbers=st.lists(st.integers(), max_size=3).map(tuple),
    maybes=st.lists(st.none() | LOANS, max_size=3).map(tuple),
    pair=st.tuples(TEXT, st.sampled_from(Condition)),
    fee=FEES,
    receipts=st.lists(st.builds(Receipt, FEES, st.lists(TEXT, max_size=2).map(tuple)), max_size=2).map(tuple),
    isbn=st.builds(Isbn, st.text("0123456789X", min_size=10, max_size=13)),
)
BORROWED = st.builds(BookBorrowed, st.uuids().map(BookId), st.integers(), st.none() | LOANS, MOMENTS)

# CloudEvents attributes: text without control characters, and not empty.
ATTRIBUTES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


def _numbered(envelope: Envelope, sequence: int | None) -> Envelope:
    return evolve(envelope, sequence=None if envelope.key is None else sequence)


def envelopes(data: st.SearchStrategy[bytes]) -> st.SearchStrategy[Envelope]:
    """Return envelopes with every combination of optional attributes."""
    optional = st.none() | ATTRIBUTES
    return st.builds(
        _numbered,
        st.builds(
            Envelope,
            id=ATTRIBUTES,
            source=ATTRIBUTES,
            type=ATTRIBUTES,
            version=st.integers(1, 2**31 - 1),
            topic=ATTRIBUTES,
            time=MOMENTS,
            data=data,
            correlation=ATTRIBUTES,
            key=optional,
            causation=optional,
            traceparent=optional,
            tracestate=optional,
            tenant=optional,
        ),
        st.none() | st.integers(1, 2**63 - 1),
    )
