"""Operators: what `catch` removes, what `provide` supplies, what `gather` and the methods keep."""

from __future__ import annotations

from typing import Never

from typing_extensions import assert_type

from effect_runtime import Eff, Failed, Succeeded, attempt, catch, fail, gather, provide, recover, succeed
from tests.typing.world import (
    Books,
    BookUnknown,
    HasBooks,
    LendingRuntime,
    LoanLimitReached,
    Patron,
    Patrons,
    PatronUnknown,
)


def patron_unknown(error: PatronUnknown) -> Eff[int]:
    return succeed(error.patron)


def replaced(error: PatronUnknown) -> Eff[int, BookUnknown]:
    return fail(BookUnknown(error.patron))


def one() -> Eff[int, PatronUnknown, LendingRuntime]:
    return succeed(1)


def two() -> Eff[int, PatronUnknown | LoanLimitReached, LendingRuntime]:
    return succeed(1)


def three() -> Eff[int, PatronUnknown | LoanLimitReached | BookUnknown, LendingRuntime]:
    return succeed(1)


# `catch` removes one of one and one of two in both, one of three in pyright; mypy then says `object`, loudly.
assert_type(one().pipe(catch(PatronUnknown, patron_unknown)), Eff[int, LoanLimitReached, LendingRuntime])  # rejected
caught_one = one().pipe(catch(PatronUnknown, patron_unknown))
nothing_left: Eff[int, LoanLimitReached, LendingRuntime] = caught_one
caught_two = two().pipe(catch(PatronUnknown, patron_unknown))
assert_type(caught_two, Eff[int, LoanLimitReached, LendingRuntime])
caught_three = three().pipe(catch(PatronUnknown, patron_unknown))
two_left: Eff[int, LoanLimitReached | BookUnknown, LendingRuntime] = caught_three  # rejected by mypy
known_limit: Eff[int, object, LendingRuntime] = caught_three
still_failing: Eff[int, LoanLimitReached, LendingRuntime] = caught_three  # rejected
swapped = two().pipe(catch(PatronUnknown, replaced))
assert_type(swapped, Eff[int, BookUnknown | LoanLimitReached, LendingRuntime])
uncaught = two().pipe(catch(PatronUnknown, lambda error: succeed(error.loans)))  # rejected

# `recover` takes every failure.
assert_type(recover(one(), patron_unknown), Eff[int, Never, LendingRuntime])
recover(two(), patron_unknown)  # rejected

# `provide` removes the need for a runtime, and takes no other runtime.
def supplied(rt: LendingRuntime) -> Eff[int, PatronUnknown]:
    given = one().pipe(provide(rt))
    assert_type(given, Eff[int, PatronUnknown])
    return given


def supplied_with_another(other: HasBooks) -> None:
    one().pipe(provide(other))  # rejected


unsupplied: Eff[int, PatronUnknown] = one()  # rejected


# `gather` keeps each place's type, and joins failures.
def gathered(patrons: Patrons, books: Books) -> None:
    pair = gather(patrons.get(1), books.shelf(1))
    assert_type(pair, Eff[tuple[Patron, int], PatronUnknown | BookUnknown])
    triple = gather(patrons.get(1), books.shelf(1), succeed("x"))
    assert_type(triple, Eff[tuple[Patron, int, str], PatronUnknown | BookUnknown])
    wrong: Eff[tuple[int, Patron], PatronUnknown | BookUnknown] = pair  # rejected


# Methods keep what they do not change.
assert_type(one().map(str), Eff[str, PatronUnknown, LendingRuntime])
assert_type(attempt(one()), Eff[Succeeded[int] | Failed[PatronUnknown], Never, LendingRuntime])
assert_type(fail(BookUnknown(1)), Eff[Never, BookUnknown])


def copies(number: int) -> Eff[str, BookUnknown, LendingRuntime]:
    return fail(BookUnknown(number))


assert_type(one().bind(copies), Eff[str, PatronUnknown | BookUnknown, LendingRuntime])
one().bind(len)  # rejected
