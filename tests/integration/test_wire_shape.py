"""What the fields of an event look like on the wire, in words."""

from __future__ import annotations

from effect_runtime.integration import FieldShape, field_shapes
from tests.integration.contracts import BookBorrowed, EverythingTold, LibraryOpened

CONDITION = FieldShape("choice", choices=('"good"', '"worn"'))


def test_an_event_without_fields_has_no_shapes() -> None:
    """There is nothing at any path."""
    assert field_shapes(LibraryOpened) == {}


def test_typed_ids_are_what_they_travel_as() -> None:
    """A `NewType` and a value class of one field leave no trace on the wire."""
    assert field_shapes(BookBorrowed) == {
        "book_id": FieldShape("uuid"),
        "patron": FieldShape("int"),
        "loan_id": FieldShape("uuid", is_nullable=True),
        "occurred_at": FieldShape("datetime"),
    }


def test_every_kind_of_field_has_a_shape() -> None:
    """Scalars, choices, what may be null, what has a default, and what nests, each at its path."""
    assert field_shapes(EverythingTold) == {
        "text": FieldShape("text"),
        "number": FieldShape("int"),
        "ratio": FieldShape("float"),
        "flag": FieldShape("bool"),
        "price": FieldShape("decimal"),
        "moment": FieldShape("datetime"),
        "day": FieldShape("date"),
        "id": FieldShape("uuid"),
        "raw": FieldShape("bytes"),
        "condition": CONDITION,
        "floor": FieldShape("choice", choices=("0", "1")),
        "choice": FieldShape("choice", choices=('"a"', "1", "true")),
        "book_id": FieldShape("uuid"),
        "shelf": FieldShape("int"),
        "loan_id": FieldShape("uuid"),
        "remark": FieldShape("text", is_nullable=True),
        "note": FieldShape("text"),
        "maybe": FieldShape("uuid", is_nullable=True),
        "numbers": FieldShape("array"),
        "numbers[]": FieldShape("int"),
        "maybes": FieldShape("array"),
        "maybes[]": FieldShape("uuid", is_nullable=True),
        "pair": FieldShape("tuple"),
        "pair[0]": FieldShape("text"),
        "pair[1]": CONDITION,
        "fee": FieldShape("record"),
        "fee.amount": FieldShape("decimal"),
        "fee.currency": FieldShape("text", is_optional=True),
        "receipts": FieldShape("array"),
        "receipts[]": FieldShape("record"),
        "receipts[].fee": FieldShape("record"),
        "receipts[].fee.amount": FieldShape("decimal"),
        "receipts[].fee.currency": FieldShape("text", is_optional=True),
        "receipts[].lines": FieldShape("array", is_optional=True),
        "receipts[].lines[]": FieldShape("text"),
        "isbn": FieldShape("text", is_optional=True),
    }
