"""Values to canonical JSON and back: laws, strictness, and every fault with its path."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

import pytest
from attrs import Factory, define, field, frozen, validators
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.errors import Undecodable, Unserializable
from effect_runtime.integration import (
    FieldError,
    FieldErrors,
    decode_value,
    encode_fields,
    encode_value,
    fingerprint,
    storable,
    structure_all,
)
from tests.integration.contracts import Condition, EverythingTold, Fee, Floor, Isbn, LoanId, Receipt
from tests.integration.strategies import EVERYTHING, FEES, JSON, LOANS, TEXT

T = TypeVar("T")
ID = UUID("00000000-0000-4000-8000-000000000001")


@frozen
class Paid:
    """One outcome."""

    fee: Fee


@frozen
class Waived:
    """Another outcome."""

    reason: str


@frozen
class Box(Generic[T]):
    """A generic class."""

    content: T


@frozen
class Node:
    """A class that contains itself."""

    after: Node | None


@frozen
class Either:
    """A class that is one of several in a field of its own."""

    content: Either | Paid


@frozen
class Order:
    """A message with rules of every kind."""

    count: int = field(validator=[validators.gt(0), validators.lt(100)])
    name: str = field(validator=validators.min_len(3))
    isbn: Isbn
    fees: tuple[Fee, ...]
    condition: Condition = Condition.GOOD
    remark: str = field(default="none", validator=validators.max_len(5))
    total: Decimal = Factory(Decimal)


@frozen
class Conversion:
    """A message whose fields have the names of the code generator's own parameters."""

    converter: str
    cl: int = field(validator=validators.ge(0))
    ratio: float = 1.0


@frozen
class Period:
    """A message whose rule needs two fields."""

    first: int
    last: int

    def __attrs_post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("The last day is before the first")


Outcome = Paid | Waived | None
ANSWERS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (None, st.none()),
    (int, st.integers()),
    (LoanId, LOANS),
    (LoanId | None, st.none() | LOANS),
    (Outcome, st.none() | st.builds(Paid, FEES) | st.builds(Waived, TEXT)),
    (tuple[Outcome, ...], st.lists(st.none() | st.builds(Waived, TEXT)).map(tuple)),
    (list[Fee], st.lists(FEES)),
    (Sequence[int], st.lists(st.integers()).map(tuple)),
    (frozenset[Condition], st.frozensets(st.sampled_from(Condition))),
    (set[LoanId], st.sets(LOANS, max_size=3)),
    (dict[str, Fee], st.dictionaries(TEXT, FEES, max_size=3)),
    (Mapping[int, tuple[str, ...]], st.dictionaries(st.integers(), st.just(("x",)), max_size=3)),
    (dict[bool, Floor], st.dictionaries(st.booleans(), st.sampled_from(Floor))),
    (dict[LoanId, date], st.dictionaries(LOANS, st.dates(), max_size=3)),
    (dict[Floor, int], st.dictionaries(st.sampled_from(Floor), st.integers())),
    (tuple[int, str, None], st.tuples(st.integers(), TEXT, st.none())),
    (EverythingTold, EVERYTHING),
]


@given(st.data())
@pytest.mark.parametrize(("kind", "values"), ANSWERS, ids=[str(kind) for kind, _ in ANSWERS])
def test_a_value_comes_back_as_it_was(kind: Any, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    """Decoding what was encoded gives an equal value, for every kind that can travel."""
    value = data.draw(values)
    assert decode_value(encode_value(value, kind), kind) == value


@given(EVERYTHING)
def test_the_bytes_are_canonical(event: EverythingTold) -> None:
    """Keys are sorted, nothing is escaped that need not be, and encoding again gives the same bytes."""
    body = encode_fields(event)
    spelled = json.dumps(json.loads(body), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert body == spelled
    assert encode_fields(decode_value(body, EverythingTold)) == body


@given(JSON)
def test_any_json_is_read_or_refused_with_paths(value: Any) -> None:
    """Whatever a stranger sends, the answer is an instance or a list of faults."""
    answer = structure_all(Order, value)
    assert isinstance(answer, Order | FieldErrors)


def test_values_have_one_published_form() -> None:
    """The form of each kind is part of the wire contract and is pinned here."""
    told = EverythingTold(
        text="Bücher",
        number=-7,
        ratio=0.5,
        flag=True,
        price=Decimal("1.50"),
        moment=datetime(2026, 3, 1, 14, 0, 0, 250, tzinfo=timezone(timedelta(hours=2))),
        day=date(2026, 3, 1),
        id=ID,
        raw=b"\x00\xff",
        condition=Condition.WORN,
        floor=Floor.FIRST,
        choice="a",
        book_id=ID,  # type: ignore[arg-type]  # a NewType is its base at run time
        shelf=3,  # type: ignore[arg-type]  # as above
        loan_id=LoanId(ID),
        remark=None,
        note="n",
        maybe=None,
        numbers=(1, 2),
        maybes=(None, LoanId(ID)),
        pair=("p", Condition.GOOD),
        fee=Fee(Decimal(2)),
        receipts=(Receipt(Fee(Decimal(3), "USD"), ("line",)),),
    )
    assert json.loads(encode_fields(told)) == {
        "text": "Bücher",
        "number": -7,
        "ratio": 0.5,
        "flag": True,
        "price": "1.50",
        "moment": "2026-03-01T12:00:00.000250Z",
        "day": "2026-03-01",
        "id": str(ID),
        "raw": "AP8=",
        "condition": "worn",
        "floor": 1,
        "choice": "a",
        "book_id": str(ID),
        "shelf": 3,
        "loan_id": str(ID),
        "remark": None,
        "note": "n",
        "maybe": None,
        "numbers": [1, 2],
        "maybes": [None, str(ID)],
        "pair": ["p", "good"],
        "fee": {"amount": "2", "currency": "EUR"},
        "receipts": [{"fee": {"amount": "3", "currency": "USD"}, "lines": ["line"]}],
        "isbn": "0123456789",
    }


def test_a_union_carries_the_name_of_its_class() -> None:
    """`$type` tells the alternatives apart."""
    assert json.loads(encode_value(Waived("kind"), Outcome)) == {"$type": "Waived", "reason": "kind"}


def test_a_set_has_one_spelling() -> None:
    """Its items are sorted by their own spelling, so that a fingerprint does not depend on hashing."""
    assert encode_value(frozenset({10, 9, 1}), frozenset[int]) == b"[1,10,9]"


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (True, int, "is bool, not a whole number"),
        (1.0, int, "is float, not a whole number"),
        (1 << 5000, int, "is longer than 4096 bits"),
        ("1", int, "is str, not a whole number"),
        (1, str, "is int, not text"),
        ("\ud800", str, "holds half of a surrogate pair"),
        (float("nan"), float, "is nan, which JSON cannot hold"),
        (float("-inf"), float, "is -inf, which JSON cannot hold"),
        (10**400, float, "is too large for a float"),
        (True, float, "is bool, not a number"),
        (1, bool, "is int, not true or false"),
        (0, None, "is int, not null"),
        (Decimal("NaN"), Decimal, "is NaN, which is no finite number"),
        (Decimal("1E+999999"), Decimal, "has an exponent or length beyond 6144"),
        (1, Decimal, "is int, not a Decimal"),
        (
            datetime(2026, 3, 1),
            datetime,
            "is naive: give it a timezone, for example datetime.now(UTC)",
        ),
        (
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime,
            "lies outside the years 1 to 9999 in UTC",
        ),
        (date(2026, 3, 1), datetime, "is date, not a date and time"),
        (datetime(2026, 3, 1, tzinfo=UTC), date, "is datetime, not a date"),
        (str(ID), UUID, "is str, not a UUID"),
        ("AP8=", bytes, "is str, not bytes"),
        ("good", Condition, "is str, not Condition"),
        ("b", Literal["a"], "is none of 'a'"),
        (1, Literal[True], "is none of True"),
        (ID, LoanId, "is UUID, not LoanId"),
        ({}, Fee, "is dict, not Fee"),
        (Fee(Decimal(1)), Outcome, "is Fee, not Paid or Waived"),
        ("abc", tuple[str, ...], "is str, not tuple"),
        ((1, 2), tuple[int], "holds 2 items, not 1"),
        ([], dict[str, int], "is list, not a mapping"),
        (object(), object, "object has no form on the wire"),
    ],
)
def test_a_value_that_is_not_what_its_annotation_says_is_not_encoded(value: object, kind: Any, problem: str) -> None:
    """An encoder that let it pass would leave it to a stranger's decoder."""
    with pytest.raises(Unserializable) as caught:
        encode_value(value, kind)
    assert caught.value.faults == {"": problem}


@pytest.mark.parametrize(
    ("body", "kind", "problem"),
    [
        (b"1.0", int, "is float, not a whole number"),
        (b"true", int, "is bool, not a whole number"),
        (b'"x"', Decimal, "is no decimal number"),
        (b'"NaN"', Decimal, "is NaN, which is no finite number"),
        (b"1.5", Decimal, "is float, not a decimal number as text"),
        (b'"yesterday"', datetime, "is no ISO 8601 date and time"),
        (b'"2026-03-01T12:00:00"', datetime, "is naive: give it a timezone, for example datetime.now(UTC)"),
        (b'"0001-01-01T00:00:00+14:00"', datetime, "lies outside the years 1 to 9999 in UTC"),
        (b'"March"', date, "is no ISO 8601 date"),
        (b"7", date, "is int, not a date"),
        (b'"x"', UUID, "is no UUID"),
        (b"7", UUID, "is int, not a UUID as text"),
        (b'"\xc3\xbc"', bytes, "is no base 64"),
        (b'"new"', Condition, "is none of 'good', 'worn'"),
        (b"true", Floor, "is none of 0, 1"),
        (b"[1]", Condition, "is none of 'good', 'worn'"),
        (b"[1]", Literal["a"], "is none of 'a'"),
        (b'"short"', Isbn, "Length of 'text' must be >= 10: 5"),
        (b'"abc"', tuple[str, ...], "is str, not an array"),
        (b'{"a":1}', tuple[str, ...], "is dict, not an array"),
        (b"[1]", dict[str, int], "is list, not an object"),
        (b"[1]", Outcome, "is list, not an object"),
        (b"[]", Fee, "is list, not an object"),
        (b"nul", int, "is not JSON (Expecting value at 0)"),
    ],
)
def test_bytes_that_hold_another_value_are_not_decoded(body: bytes, kind: Any, problem: str) -> None:
    """Nothing is coerced: text is no number, a number is no bool."""
    with pytest.raises(Undecodable) as caught:
        decode_value(body, kind)
    assert caught.value.faults == {"": problem}


@pytest.mark.parametrize(
    ("body", "kind", "faults"),
    [
        (b'[1,"x",2,"y"]', tuple[int, ...], {"[1]": "is str, not a whole number", "[3]": "is str, not a whole number"}),
        (b'["x",[]]', tuple[int, str], {"[0]": "is str, not a whole number", "[1]": "is list, not text"}),
        (b'{"a":"x"}', dict[str, int], {"a": "is str, not a whole number"}),
        (b'{"x":1}', dict[int, int], {"x": "is no key of this object"}),
        (b'{"[[[[":1}', dict[int, int], {"[[[[": "is no key of this object"}),
        (b'{"$type":"Node"}', Outcome, {"$type": "is none of Paid, Waived"}),
        (b"{}", Outcome, {"$type": "is none of Paid, Waived"}),
        (b'{"$type":"Paid","fee":{"amount":1.5}}', Outcome, {"fee.amount": "is float, not a decimal number as text"}),
    ],
)
def test_a_fault_inside_is_named_by_its_path(body: bytes, kind: Any, faults: dict[str, str]) -> None:
    """Items are numbered, members are named, and all of an array's faults are told."""
    with pytest.raises(Undecodable) as caught:
        decode_value(body, kind)
    assert caught.value.faults == faults


def test_a_message_is_built_from_plain_fields() -> None:
    """Defaults are filled in and unknown fields are ignored."""
    fields = {"count": 2, "name": "abc", "isbn": "0123456789", "fees": [{"amount": "1"}], "unknown": object()}
    assert structure_all(Order, fields) == Order(2, "abc", Isbn("0123456789"), (Fee(Decimal(1)),))


def test_a_dynamic_door_may_hold_values_already() -> None:
    """Typed values are taken as they are, and their rules hold none the less."""
    fields = {"count": 2, "name": "abc", "isbn": Isbn("0123456789"), "fees": (Fee(Decimal(1)),), "total": Decimal(3)}
    assert structure_all(Order, fields) == Order(2, "abc", Isbn("0123456789"), (Fee(Decimal(1)),), total=Decimal(3))


def test_every_field_that_is_wrong_is_told_at_once() -> None:
    """Types, missing fields, validators of ids, of each field and of nested records: all in one answer."""
    fields = {
        "count": 0,
        "name": "ab",
        "isbn": "short",
        "fees": [{"amount": "1", "currency": "EURO"}, 7, {"currency": "EUR"}],
        "condition": "new",
        "remark": "too long",
    }
    answer = structure_all(Order, fields)
    assert isinstance(answer, FieldErrors)
    assert sorted(answer.fields, key=lambda error: error.field) == [
        FieldError("condition", "is none of 'good', 'worn'"),
        FieldError("count", "'count' must be > 0: 0"),
        FieldError("fees[0].currency", "Length of 'currency' must be <= 3: 4"),
        FieldError("fees[1]", "is int, not an object"),
        FieldError("fees[2].amount", "is missing"),
        FieldError("isbn", "Length of 'text' must be >= 10: 5"),
        FieldError("name", "Length of 'name' must be >= 3: 2"),
        FieldError("remark", "Length of 'remark' must be <= 5: 8"),
    ]


def test_no_field_name_is_taken() -> None:
    """A field may be called as the code generator's own parameters are, with all that holds for others."""
    message = Conversion("copper", 3)
    assert decode_value(encode_fields(message), Conversion) == message
    assert structure_all(Conversion, {"converter": 1, "cl": -1, "ratio": "x"}) == FieldErrors(
        (
            FieldError("converter", "is int, not text"),
            FieldError("ratio", "is str, not a number"),
            FieldError("cl", "'cl' must be >= 0: -1"),
        )
    )
    assert structure_all(Conversion, {"cl": 1}) == FieldErrors((FieldError("converter", "is missing"),))
    assert structure_all(Conversion, {"converter": "c", "cl": -1}) == FieldErrors(
        (FieldError("cl", "'cl' must be >= 0: -1"),)
    )


def test_a_message_may_contain_messages_of_its_own_class() -> None:
    """No answer and no event may, but a command is only read, written and digested."""
    chain = Node(Node(Node(None)))
    assert encode_fields(chain) == b'{"after":{"after":{"after":null}}}'
    assert structure_all(Node, {"after": {"after": {"after": None}}}) == chain
    assert structure_all(Node, {"after": {"after": 1}}) == FieldErrors(
        (FieldError("after.after", "is int, not an object"),)
    )
    either = Either(Either(Paid(Fee(Decimal(1)))))
    assert structure_all(Either, json.loads(encode_fields(either))) == either


def test_a_rule_over_several_fields_is_told_of_the_message() -> None:
    """What a constructor refuses, and no field alone is to blame for, has an empty path."""
    assert structure_all(Period, {"first": 2, "last": 1}) == FieldErrors(
        (FieldError("", "The last day is before the first"),)
    )


def test_every_field_that_cannot_be_encoded_is_told_at_once() -> None:
    """The error names each field by its path, and ends with the way out."""
    wrong: Any = Order(1, "abc", Isbn("0123456789"), (Fee(Decimal("NaN")), 7), "good", total=1)  # type: ignore[arg-type]  # the point
    with pytest.raises(Unserializable) as caught:
        encode_fields(wrong)
    assert caught.value.faults == {
        "fees[0].amount": "is NaN, which is no finite number",
        "fees[1]": "is int, not Fee",
        "condition": "is str, not Condition",
        "total": "is int, not a Decimal",
    }
    assert str(caught.value) == (
        "Order cannot be encoded: fees[0].amount: is NaN, which is no finite number; fees[1]: is int, not Fee; "
        "condition: is str, not Condition; total: is int, not a Decimal. "
        "Build it with values of the annotated types; a datetime needs a timezone, a number must be finite."
    )


@given(EVERYTHING, EVERYTHING)
def test_equal_messages_have_equal_fingerprints_and_others_differ(one: EverythingTold, two: EverythingTold) -> None:
    """A fingerprint tells messages apart as their bytes do."""
    same = encode_fields(one) == encode_fields(two)
    assert (fingerprint("told", one) == fingerprint("told", two)) == same
    assert fingerprint("told", one) != fingerprint("other", one)


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """Stored fingerprints are compared by later processes, so the digest is pinned."""
    assert fingerprint("waive", Waived("kind")).hex() == "26150bebcbac1e5d4e48910f0c30e13e"
    assert fingerprint("count", 7).hex() == "7886c1c9bfcd46b98d297802d0e460db"


@define
class Draft:
    """A class that can be changed: storable as an answer, because the store keeps bytes."""

    title: str


@pytest.mark.parametrize(
    "kind", [None, int, LoanId, Outcome, list[Draft], dict[str, Fee], frozenset[Condition], tuple[()], str | None]
)
def test_what_can_be_stored_has_no_reason_against_it(kind: Any) -> None:
    """Answers may nest more freely than events."""
    assert storable(kind) is None


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (object, "object has no form on the wire"),
        (Any, "Any has no form on the wire"),
        (list, "a bare list does not say what it holds"),
        (tuple, "a bare tuple does not say what it holds"),
        (int | str, "int | str mixes types that are not all attrs classes"),
        (Box[int], "tests.integration.test_codec.Box[int] has no form on the wire"),
        (Box, "Box is generic"),
        (Node, "after: Node contains itself"),
        (dict[float, int], "float cannot be the key of an object"),
        (Literal[b"x"], "Literal[b'x'] holds more than str, int and bool"),
        (tuple[LoanId, object], "[]: object has no form on the wire"),
    ],
)
def test_what_cannot_be_stored_says_why(kind: Any, reason: str) -> None:
    """The reason names the type at fault, with its path."""
    assert storable(kind) == reason
