"""What is counted on a ledger made by hand, and which of its lines are trouble."""

from __future__ import annotations

from typing import Any

from tests.chaos.driver import Counts, counted, healthy_letters
from tests.chaos.ledger import Line


def a_line(kind: str, **facts: Any) -> Line:
    """Return a line of a ledger."""
    return {"kind": kind, "at": 1.0, **facts}


def test_a_ledger_is_counted() -> None:
    """Messages again are duplicates; who was killed without having come to a point was killed from outside."""
    lines = [
        *(a_line("acknowledged", payment=payment, number=1) for payment in ("p1", "p2")),
        a_line("unknown", payment="p3"),
        a_line("refused", payment="p4"),
        a_line("again", payment="p5", reason="StoreUnavailable"),
        *(a_line("received", subscription="s", event=event) for event in ("e1", "e2", "e1", "e1")),
        a_line("received", subscription="other", event="e1"),
        a_line("handled", hop="posting", payment="p1", account="a", number=1),
        a_line("stale", count=2),
        a_line("stale", count=3),
        a_line("mended", payment="p1", sick=True, cause="sick"),
        a_line("dying", point="F2"),
        a_line("stopping", point="F8"),
        *(a_line("killed", worker=worker, role="relay", engine="trio") for worker in ("relay-1", "relay-2")),
    ]
    assert counted(lines) == Counts(
        acknowledged=2,
        unknown=1,
        refused=1,
        unavailable=1,
        received=5,
        duplicates=2,
        handled=1,
        stale=5,
        letters=1,
        deaths=2,
        engines={"trio": 2},
        points={"F2": 1, "outside": 1},
    )


def test_a_dead_letter_of_a_healthy_event_is_trouble() -> None:
    """Sick ones belong there; an event that was well was given up for nothing."""
    sick = a_line("mended", payment="p1", sick=True, cause="PaymentSick")
    well = a_line("mended", payment="p2", sick=False, cause="TimeoutError")
    assert healthy_letters([sick, well]) == ("p2 was well and became a dead letter: TimeoutError",)
