"""The oracle on its own: each promise, broken in the evidence, is named; and evidence that is whole is not."""

from __future__ import annotations

from attrs import evolve

from tests.chaos.oracle import Committed, Effect, Evidence, Hop, Verdict, judge

PAID = (Committed("p1", "a", 1), Committed("p2", "a", 2), Committed("p3", "b", 1))
APPLIED = (Effect("p1", "a", 1, 1), Effect("p3", "b", 1, 1), Effect("p2", "a", 2, 1))
OUTBOX = (("a", 1), ("a", 2), ("b", 1))
HOP = Hop(name="posting", committed=PAID, outbox=OUTBOX, handled=frozenset(("p1", "p2", "p3")), effects=APPLIED)
WHOLE = Evidence(hops=(HOP,), acknowledged=(("p1", 1), ("p2", 2)), refused=frozenset(("p4",)))


def after(hop: Hop) -> Verdict:
    """Judge the evidence with another hop."""
    return judge(evolve(WHOLE, hops=(hop,)))


def test_whole_evidence_is_clean() -> None:
    """A payment that nobody was told of is no fault when it arrived; neither is a handler that ran twice."""
    assert judge(WHOLE) == Verdict()


def test_a_committed_payment_that_did_not_arrive_is_lost() -> None:
    """L: committed without effect."""
    assert after(evolve(HOP, effects=APPLIED[:2])) == Verdict(lost=("posting p2",))


def test_an_acknowledged_payment_that_is_not_committed_is_lost() -> None:
    """L: the caller was told, and the row is not there."""
    assert judge(evolve(WHOLE, acknowledged=(("p9", 1),))) == Verdict(lost=("acknowledged p9",))


def test_an_effect_without_commit_is_a_ghost() -> None:
    """G: arrived, and never committed."""
    effects = (*APPLIED, Effect("p9", "c", 1, 1))
    assert after(evolve(HOP, effects=effects)) == Verdict(ghosts=("posting p9",))


def test_a_handler_that_ran_for_nothing_committed_is_a_ghost() -> None:
    """G: the ledger outside saw the handler, though no row was left."""
    assert after(evolve(HOP, handled=frozenset(("p9",)))) == Verdict(ghosts=("posting p9",))


def test_a_refused_payment_that_is_kept_is_a_ghost() -> None:
    """G: the caller was told no, and the row is there."""
    assert judge(evolve(WHOLE, refused=frozenset(("p3",)))) == Verdict(ghosts=("refused p3",))


def test_an_effect_applied_twice_is_counted() -> None:
    """E: the row says how often."""
    effects = (*APPLIED[:2], Effect("p2", "a", 2, 2))
    assert after(evolve(HOP, effects=effects)) == Verdict(effects=("posting p2 x2",))


def test_an_effect_before_its_predecessor_is_an_inversion() -> None:
    """O: within a key only; keys pass each other freely."""
    effects = (APPLIED[2], APPLIED[1], APPLIED[0])
    assert after(evolve(HOP, effects=effects)) == Verdict(order=("posting a: 1 after 2",))


def test_where_no_order_is_promised_none_is_asked_for() -> None:
    """Due commands of one key may pass each other."""
    assert after(evolve(HOP, ordered=False, effects=(APPLIED[2], APPLIED[1], APPLIED[0]))) == Verdict()


def test_what_is_no_event_needs_no_outbox_row() -> None:
    """What a context does later by itself is judged by its effects alone."""
    assert after(evolve(HOP, outbox=None)) == Verdict()
    assert after(evolve(HOP, outbox=None, effects=APPLIED[:2])) == Verdict(lost=("posting p2",))


def test_business_and_outbox_rows_are_joined_both_ways() -> None:
    """A business row without its event, and an event without its business row, are both named."""
    verdict = after(evolve(HOP, outbox=(("a", 1), ("a", 2), ("c", 1))))
    assert verdict == Verdict(orphans=("posting without outbox row ('b', 1)", "posting without business row ('c', 1)"))


def test_a_caller_who_was_told_another_number_is_named() -> None:
    """An answer under a command id is the committed one."""
    assert judge(evolve(WHOLE, acknowledged=(("p2", 3),))) == Verdict(answers=("p2 was told 3, is 2",))


def test_stuck_rows_and_trouble_are_passed_on() -> None:
    """S: whatever still waits is wrong when all is quiet; so is a worker that ended by itself."""
    verdict = judge(evolve(WHOLE, stuck=("till.db lane x",), trouble=("whole-1 ended",)))
    assert verdict == Verdict(stuck=("till.db lane x",), trouble=("whole-1 ended",))
