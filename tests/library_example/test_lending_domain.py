"""The pure decisions of lending."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from library_example.contracts import BookId, HoldId, LoanId, PatronId
from library_example.lending.domain import (
    LOAN_LIMIT,
    AlreadyBorrowed,
    AlreadyReturned,
    BorrowRefused,
    Hold,
    HoldExists,
    HoldOrderBroken,
    InvalidLoanPeriod,
    Loan,
    LoanLimitReached,
    NoCopyAvailable,
    Patron,
    PatronBlocked,
    Shelf,
    Waiting,
    check_due,
    free_copy,
    give_back,
    lend,
    serve,
    stand_in_line,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ann = Patron(id=PatronId("ann"), name="Ann", email="ann@example.org")
dune = BookId("dune")
places = st.integers(min_value=1, max_value=20)
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


def waiting(place: int, *, reader: str | None = None, blocked: bool = False, active_loans: int = 0) -> Waiting:
    """Build a reader in the line for Dune."""
    id = PatronId(reader or f"reader-{place}")
    patron = Patron(id=id, name=id, email=f"{id}@example.org", blocked=blocked, active_loans=active_loans)
    return Waiting(Hold(id=HoldId(f"hold-{place}"), patron_id=id, book_id=dune, place=place), patron)


lines = st.lists(
    st.builds(
        lambda place, blocked, loans: waiting(place, blocked=blocked, active_loans=loans),
        places,
        st.booleans(),
        st.integers(min_value=3, max_value=5),
    ),
    max_size=6,
    unique_by=lambda one: one.hold.place,
).map(lambda line: sorted(line, key=lambda one: one.hold.place))


def ask(
    patron: Patron = ann,
    *,
    shelf: int = 1,
    out: tuple[Loan, ...] = (),
    line: Sequence[Waiting] = (),
    days: int = 14,
) -> Result[Loan, BorrowRefused]:
    """Ask for Dune at noon."""
    return lend(patron, Shelf(book_id=dune, copies=shelf), out, line, loan_id=LoanId("new"), now=NOON, days=days)


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


def test_a_newcomer_waits_for_those_in_line_who_may_borrow() -> None:
    """One free copy belongs to the line; a second one is the newcomer's; who may not borrow holds nobody up."""
    first, blocked = waiting(1), waiting(2, blocked=True)
    assert ask(shelf=1, line=(first,)) == Failure(HoldOrderBroken(dune))
    assert ask(shelf=2, line=(first, blocked)).unwrap().patron_id == ann.id
    assert ask(shelf=1, line=(blocked, waiting(3, active_loans=LOAN_LIMIT))).unwrap().patron_id == ann.id


def test_a_reader_in_line_waits_for_those_before_only() -> None:
    """The first of the line may take the copy, the second may not."""
    line = (waiting(1), waiting(2))
    assert ask(line[0].patron, line=line).unwrap().patron_id == line[0].patron.id
    assert ask(line[1].patron, line=line) == Failure(HoldOrderBroken(dune))


@given(lines, copies, st.integers(min_value=0, max_value=8))
def test_the_line_is_served_in_place_order(line: list[Waiting], taken: set[int], shelf: int) -> None:
    """As many are served as copies stand there; nobody who may borrow is passed over; nobody else is served."""
    out = [loan(f"borrower-{copy}", copy=copy) for copy in taken]
    served = serve(Shelf(book_id=dune, copies=shelf), out, line).unwrap()
    entitled = [one for one in line if not one.patron.blocked and one.patron.active_loans < 5]
    assert served == entitled[: max(0, shelf - len(taken))]


@given(lines, st.randoms(use_true_random=False))
def test_a_line_out_of_order_is_served_to_nobody(line: list[Waiting], random: Random) -> None:
    """Whatever the order of the places, only the ascending one is served."""
    mixed = random.sample(line, len(line))
    decided = serve(Shelf(book_id=dune, copies=1), (), mixed)
    assert isinstance(decided, Success) == (mixed == line)
    assert isinstance(decided, Success) or decided == Failure(HoldOrderBroken(dune))


@given(lines)
def test_a_new_hold_stands_behind_all_others(line: list[Waiting]) -> None:
    """Its place is greater than every other of the book."""
    hold = stand_in_line(ann, dune, (), line, hold_id=HoldId("new")).unwrap()
    place = max((one.hold.place for one in line), default=0) + 1
    assert hold == Hold(id=HoldId("new"), patron_id=ann.id, book_id=dune, place=place)


def test_a_hold_is_refused_to_who_needs_none_or_may_have_none() -> None:
    """A blocked patron, one who has the book, and one who waits already are each told why."""
    line = (waiting(4, reader="ann"),)
    refusals = [
        stand_in_line(evolve(ann, blocked=True), dune, (), (), hold_id=HoldId("new")),
        stand_in_line(ann, dune, (loan("ann"),), (), hold_id=HoldId("new")),
        stand_in_line(ann, dune, (), line, hold_id=HoldId("new")),
    ]
    assert refusals == [
        Failure(PatronBlocked(ann.id)),
        Failure(AlreadyBorrowed(LoanId("ann-1"))),
        Failure(HoldExists(HoldId("hold-4"))),
    ]


def test_a_loan_is_overdue_once_its_due_moment_has_come() -> None:
    """Not before, and not when it is back."""
    out = loan("ann", days=1)
    closed = evolve(out, returned_at=NOON)
    due = NOON + timedelta(days=1)
    assert check_due(out, due) == evolve(out, overdue=True)
    assert check_due(out, due - timedelta(microseconds=1)) == out
    assert check_due(closed, due) == closed
