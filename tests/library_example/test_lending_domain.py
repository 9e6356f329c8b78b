"""The pure decisions of lending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from library_example.contracts import BookId, LoanId, PatronId
from library_example.lending.domain import (
    LOAN_LIMIT,
    AlreadyBorrowed,
    AlreadyReturned,
    BorrowRefused,
    InvalidLoanPeriod,
    Loan,
    LoanLimitReached,
    NoCopyAvailable,
    Patron,
    PatronBlocked,
    Shelf,
    free_copy,
    give_back,
    lend,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ann = Patron(id=PatronId("ann"), name="Ann", email="ann@example.org")
dune = BookId("dune")
copies = st.sets(st.integers(min_value=1, max_value=8), max_size=6)


def loan(reader: str, *, copy: int = 1, days: int = 14) -> Loan:
    """Build an open loan of Dune."""
    return Loan(
        id=LoanId(f"{reader}-{copy}"),
        patron_id=PatronId(reader),
        book_id=dune,
        copy=copy,
        borrowed_at=NOON,
        due_at=NOON + timedelta(days=days),
    )


def ask(
    patron: Patron = ann, *, shelf: int = 1, out: tuple[Loan, ...] = (), days: int = 14
) -> Result[Loan, BorrowRefused]:
    """Ask for Dune at noon."""
    return lend(patron, Shelf(book_id=dune, copies=shelf), out, loan_id=LoanId("new"), now=NOON, days=days)


def test_a_loan_takes_a_free_copy_until_its_due_day() -> None:
    """The whole loan follows from the question."""
    assert ask(shelf=2, out=(loan("bob"),), days=7) == Success(
        Loan(
            id=LoanId("new"),
            patron_id=ann.id,
            book_id=dune,
            copy=2,
            borrowed_at=NOON,
            due_at=NOON + timedelta(days=7),
        )
    )


def test_a_blocked_patron_gets_nothing() -> None:
    """A block stands above every other question."""
    assert ask(evolve(ann, blocked=True)) == Failure(PatronBlocked(ann.id))


def test_the_loan_limit_holds() -> None:
    """The last allowed loan is granted, the next refused."""
    assert isinstance(ask(evolve(ann, active_loans=LOAN_LIMIT - 1)), Success)
    assert ask(evolve(ann, active_loans=LOAN_LIMIT)) == Failure(LoanLimitReached(ann.id))


def test_nobody_borrows_a_book_twice() -> None:
    """A patron who has a copy is told which loan it is."""
    assert ask(shelf=5, out=(loan("ann"),)) == Failure(AlreadyBorrowed(LoanId("ann-1")))


def test_a_refusal_names_the_first_day_a_copy_is_due() -> None:
    """Of several loans the earliest due day counts; without any there is none."""
    out = (loan("bob", days=9), loan("cid", copy=2, days=3))
    assert ask(shelf=2, out=out) == Failure(NoCopyAvailable(dune, NOON + timedelta(days=3)))
    assert ask(shelf=0) == Failure(NoCopyAvailable(dune, None))


def test_an_overlent_book_is_lent_again_only_when_enough_came_back() -> None:
    """With one copy owned and copy 2 still out, copy 1 stays in the house."""
    assert ask(shelf=1, out=(loan("bob", copy=2),)) == Failure(NoCopyAvailable(dune, NOON + timedelta(days=14)))


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_a_loan_lasts_one_to_sixty_days(days: int) -> None:
    """Any other period is refused, also absurd ones."""
    decided = ask(days=days)
    if 1 <= days <= 60:
        assert decided.unwrap().due_at == NOON + timedelta(days=days)
    else:
        assert decided == Failure(InvalidLoanPeriod(days))


@given(copies)
def test_a_free_copy_is_the_lowest_that_is_not_out(taken: set[int]) -> None:
    """No copy is in two open loans, and no number is wasted."""
    number = free_copy([loan(f"reader-{copy}", copy=copy) for copy in taken])
    assert number not in taken
    assert set(range(1, number)) <= taken


@given(copies, st.integers(min_value=0, max_value=8))
def test_a_lent_copy_is_one_that_the_shelf_has(taken: set[int], shelf: int) -> None:
    """A copy is lent only while fewer are out than there are, and its number is within the shelf."""
    decided = ask(shelf=shelf, out=tuple(loan(f"reader-{copy}", copy=copy) for copy in taken))
    if len(taken) < shelf:
        assert decided.unwrap().copy in set(range(1, shelf + 1)) - taken
    else:
        assert isinstance(decided, Failure)


def test_a_loan_is_closed_once() -> None:
    """The first return closes the loan, the second is refused."""
    closed = evolve(loan("ann"), returned_at=NOON)
    assert give_back(loan("ann"), NOON) == Success(closed)
    assert give_back(closed, NOON) == Failure(AlreadyReturned(closed.id))
