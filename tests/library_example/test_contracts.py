"""The contracts on the wire: what has been sent once is read for ever."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from effect_runtime.integration import Envelope, EventRegistry, decode_event, make_envelope
from library_example.contracts import (
    BookBorrowed,
    BookId,
    BookReturned,
    HoldId,
    HoldPlaced,
    LendingEvents,
    LoanId,
    PatronId,
)

NOON = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)


def recorded(identity: str, version: int, payload: str) -> Envelope:
    """Build the envelope of a payload as it stood in the outbox of an older release."""
    return Envelope(
        id="3f1c",
        source="/library/lending",
        type=identity,
        version=version,
        topic="lending",
        time=NOON,
        data=payload.encode(),
        correlation="c-1",
        key="b-17",
        sequence=4,
    )


@pytest.mark.parametrize(
    ("identity", "event"), [("lending.book-borrowed", BookBorrowed), ("lending.book-returned", BookReturned)]
)
def test_a_recorded_payload_of_version_1_is_still_read(identity: str, event: type[BookBorrowed | BookReturned]) -> None:
    """It names no loan, and happened when the envelope says."""
    envelope = recorded(identity, 1, '{"book_id":"b-17","patron_id":"p-4"}')
    assert decode_event(envelope, EventRegistry([LendingEvents])) == event(BookId("b-17"), PatronId("p-4"), None, NOON)


@pytest.mark.parametrize(
    ("identity", "version", "payload", "event"),
    [
        (
            "lending.book-borrowed",
            2,
            '{"book_id":"b-17","loan_id":"l-2","occurred_at":"2024-05-01T12:30:00Z","patron_id":"p-4"}',
            BookBorrowed(BookId("b-17"), PatronId("p-4"), LoanId("l-2"), NOON),
        ),
        (
            "lending.hold-placed",
            1,
            '{"book_id":"b-17","hold_id":"h-9","occurred_at":"2024-05-01T12:30:00Z","patron_id":"p-4"}',
            HoldPlaced(BookId("b-17"), PatronId("p-4"), HoldId("h-9"), NOON),
        ),
    ],
)
def test_a_payload_of_today_is_written_as_it_was_recorded(
    identity: str, version: int, payload: str, event: LendingEvents
) -> None:
    """The bytes of today are those in the archive: canonical JSON, moments in UTC."""
    envelope = recorded(identity, version, payload)
    written = make_envelope(event, id="3f1c", source="/library/lending", time=NOON, correlation="c-1")
    assert written.numbered(4) == envelope
    assert decode_event(envelope, EventRegistry([LendingEvents])) == event
