"""What the consumer decides, without a store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.outbox import Address, Admission, InboxState
from effect_runtime.outbox._inbox import Bury, Hold, Settle, decide_admission, plan_after_failure


def state(**rest: Any) -> InboxState:
    """Return what the inbox knows of an event that it has not seen, in a key without a mark."""
    known: dict[str, Any] = {"seen": False, "held": False, "mark": None, "blocked": False, "waiting": 0}
    return InboxState(**{**known, **rest})


def at(sequence: int | None, key: str | None = "dune") -> Address:
    """Return the address of one event."""
    return Address(subscription="s", topic="t", event="e", key=key, sequence=sequence)


@pytest.mark.parametrize(
    ("sequence", "known", "expected"),
    [
        (4, state(mark=3), Admission.APPLY),
        (3, state(mark=3), Admission.DUPLICATE),
        (1, state(mark=3), Admission.DUPLICATE),
        (5, state(mark=3), Admission.GAP),
        (5, state(mark=3, blocked=True), Admission.BEHIND),
        (4, state(mark=3, blocked=True), Admission.DUPLICATE),
        (4, state(mark=3, seen=True), Admission.DUPLICATE),
        (4, state(mark=3, held=True), Admission.DUPLICATE),
        (4, state(mark=3, waiting=9), Admission.APPLY),
        (5, state(mark=3, waiting=9), Admission.PAUSE),
        (5, state(mark=3, waiting=9, blocked=True), Admission.PAUSE),
        (5, state(mark=3, waiting=8), Admission.GAP),
    ],
)
def test_an_event_is_admitted_by_its_number(sequence: int, known: InboxState, expected: Admission) -> None:
    """The next number is applied, lower ones are duplicates, higher ones wait, at the bound of 9 the key pauses."""
    assert decide_admission(at(sequence), known, start="now", bound=9) is expected


def test_a_key_without_a_mark_begins_where_its_subscription_says() -> None:
    """`now` takes the first number seen as its baseline; `earliest` waits for 1."""
    first = {start: decide_admission(at(7), state(), start=start, bound=9) for start in ("now", "earliest")}
    assert first == {"now": Admission.APPLY, "earliest": Admission.GAP}
    assert decide_admission(at(1), state(), start="earliest", bound=9) is Admission.APPLY


def test_an_event_without_a_number_is_applied_once() -> None:
    """Order is not asked of events without a key."""
    unkeyed = at(None, key=None)
    assert decide_admission(unkeyed, state(), start="now", bound=0) is Admission.APPLY
    assert decide_admission(unkeyed, state(seen=True), start="now", bound=0) is Admission.DUPLICATE
    assert decide_admission(unkeyed, state(held=True), start="now", bound=0) is Admission.DUPLICATE


def test_an_event_taken_up_from_its_waiting_row_is_no_duplicate_of_itself() -> None:
    """`held` is expected then, and the bound does not stop it."""
    held = state(mark=3, held=True, waiting=99)
    assert decide_admission(at(4), held, start="now", bound=9, taken_up=True) is Admission.APPLY
    assert decide_admission(at(5), held, start="now", bound=9, taken_up=True) is Admission.GAP


@given(
    st.integers(1, 20), st.none() | st.integers(0, 20), st.booleans(), st.booleans(), st.integers(0, 5), st.booleans()
)
def test_only_the_number_after_the_mark_is_ever_applied(
    sequence: int, mark: int | None, seen: bool, held: bool, waiting: int, blocked: bool
) -> None:
    """Whatever else is known, order holds."""
    known = state(mark=mark, seen=seen, held=held, waiting=waiting, blocked=blocked)
    admission = decide_admission(at(sequence), known, start="earliest", bound=3)
    if admission is Admission.APPLY:
        assert sequence == (mark or 0) + 1
        assert not seen
        assert not held
        assert not blocked


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("verdict", "wait", "ordered", "poison", "expected"),
    [
        ("ignore", SECOND, True, "block", Settle("ignored")),
        ("retry", SECOND, True, "block", Hold(SECOND, "broken")),
        ("retry", None, True, "block", Bury("broken", blocks=True)),
        ("retry", None, True, "skip", Bury("broken", blocks=False)),
        ("retry", None, False, "block", Bury("broken", blocks=False)),
        ("dead_letter", SECOND, True, "block", Bury("broken", blocks=True)),
    ],
)
def test_a_failure_is_ignored_tried_again_or_buried(
    verdict: Any, wait: timedelta | None, ordered: bool, poison: Any, expected: object
) -> None:
    """The verdict and the schedule decide; only an ordered event can block its key."""
    assert plan_after_failure(verdict, error="broken", wait=wait, ordered=ordered, poison=poison) == expected
