"""Sound payloads of every version of the shared contracts: what mutations start from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

BOOK: Final = "0b1f5a9e-6a1c-4f0e-9d3b-0a2c4e6f8a10"
EVERYTHING: Final[Mapping[str, Any]] = {
    "text": "text",
    "number": 7,
    "ratio": 0.5,
    "flag": True,
    "price": "12.50",
    "moment": "2026-03-01T12:00:00Z",
    "day": "2026-03-01",
    "id": BOOK,
    "raw": "AAEC",
    "condition": "good",
    "floor": 1,
    "choice": "a",
    "book_id": BOOK,
    "shelf": 3,
    "loan_id": BOOK,
    "remark": None,
    "note": "note",
    "maybe": None,
    "numbers": [1, 2],
    "maybes": [None, BOOK],
    "pair": ["x", "worn"],
    "fee": {"amount": "1.5", "currency": "EUR"},
    "receipts": [{"fee": {"amount": "2", "currency": "USD"}, "lines": ["a"]}],
    "isbn": "0123456789",
}
BORROWED: Final[Mapping[str, Any]] = {
    "book_id": BOOK,
    "patron": 1,
    "loan_id": None,
    "occurred_at": "2026-03-01T12:00:00Z",
}
EVENT_DATA: Final[Mapping[str, tuple[tuple[int, Mapping[str, Any]], ...]]] = {
    "lending.book-borrowed": ((1, {"book": BOOK}), (2, {"book_id": BOOK, "patron": 2}), (3, BORROWED)),
    "lending.everything-told": ((1, EVERYTHING),),
    "lending.library-opened": ((1, {}),),
}
"""Version and payload, by wire identity."""
