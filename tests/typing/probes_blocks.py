"""Do-blocks: what `yield from` gives, what an annotation must name, how failures narrow."""

from __future__ import annotations

from typing_extensions import assert_type

from effect_runtime import Do, Eff, Failed, Succeeded, ask, attempt, do, fail, guard, require, succeed
from tests.typing.world import (
    Books,
    BookUnknown,
    HasBooks,
    HasPatrons,
    Lending,
    LendingRuntime,
    LoanLimitReached,
    Patron,
    Patrons,
    PatronUnknown,
    lending,
)


# A value is inferred through `yield from`.
@do
def inferred(id: int) -> Do[int, PatronUnknown, HasPatrons]:
    rt = yield from ask[HasPatrons]()
    assert_type(rt, HasPatrons)
    patron = yield from rt.patrons.get(id)
    assert_type(patron, Patron)
    number = yield from succeed(1)
    assert_type(number, int)
    return patron.loans + number


assert_type(inferred(1), Eff[int, PatronUnknown, HasPatrons])
inferred("1")  # rejected


@do
def wrong_answer(id: int) -> Do[str, PatronUnknown, HasPatrons]:
    rt = yield from ask[HasPatrons]()
    patron = yield from rt.patrons.get(id)
    return patron.loans  # rejected


# An undeclared failure is rejected on its line.
@do
def undeclared(id: int) -> Do[int, PatronUnknown, LendingRuntime]:
    rt = yield from lending.runtime
    patron = yield from rt.patrons.get(id)
    copies = yield from rt.books.shelf(id)  # rejected
    yield from guard(copies > 0, LoanLimitReached(id))  # rejected
    return patron.loans


# A missing capability is rejected on its line.
@do
def missing(id: int) -> Do[int, PatronUnknown | BookUnknown, HasPatrons]:
    with_patrons = yield from ask[HasPatrons]()
    with_books = yield from ask[HasBooks]()  # rejected
    yield from with_books.books.shelf(id)
    yield from with_patrons.patrons.get(id)
    return id


# A narrower need fits a wider runtime; a wider need does not fit a narrower one.
@lending.command(access="public")
def wider(id: int) -> Lending[int, PatronUnknown]:
    return (yield from inferred(id))


@do
def narrower(id: int) -> Do[int, PatronUnknown, HasPatrons]:
    return (yield from wider.program(id))  # rejected


# Failures of nested blocks add up, and each must be declared.
@do
def both(id: int) -> Lending[int, PatronUnknown | BookUnknown]:
    rt = yield from lending.runtime
    copies = yield from rt.books.shelf(id)
    return copies + (yield from inferred(id))


@do
def one_forgotten(id: int) -> Lending[int, BookUnknown]:
    rt = yield from lending.runtime
    copies = yield from rt.books.shelf(id)
    return copies + (yield from inferred(id))  # rejected


# `return (yield from fail(...))` narrows; `require` narrows without a branch.
@do
def narrowed(found: Patron | None) -> Do[Patron, PatronUnknown]:
    if found is None:
        return (yield from fail(PatronUnknown(1)))
    assert_type(found, Patron)
    return found


@do
def required(found: Patron | None) -> Do[Patron, PatronUnknown]:
    patron = yield from require(found, PatronUnknown(1))
    assert_type(patron, Patron)
    return patron


# `attempt`, then `match outcome.error`, narrows for three failures.
@do
def three(id: int) -> Do[int, PatronUnknown | LoanLimitReached | BookUnknown]:
    yield from guard(id > 0, PatronUnknown(id))
    yield from guard(id > 1, LoanLimitReached(id))
    yield from guard(id > 2, BookUnknown(id))
    return id


@do
def matched(id: int) -> Do[int, BookUnknown]:
    outcome = yield from attempt(three(id))
    assert_type(outcome, Succeeded[int] | Failed[PatronUnknown | LoanLimitReached | BookUnknown])
    if isinstance(outcome, Succeeded):
        return outcome.value
    match outcome.error:
        case PatronUnknown(patron):
            assert_type(patron, int)
            return 0
        case LoanLimitReached():
            return 1
        case rest:
            assert_type(rest, BookUnknown)
            return (yield from fail(rest))


@do
def half_matched(id: int) -> Do[int, BookUnknown]:
    outcome = yield from attempt(three(id))
    if isinstance(outcome, Succeeded):
        return outcome.value
    match outcome.error:
        case PatronUnknown():
            return 0
        case rest:
            return (yield from fail(rest))  # rejected


# `x = yield eff` is refused at its first use.
@do
def forgotten_from(patrons: Patrons) -> Do[int, PatronUnknown]:
    patron = yield patrons.get(1)
    return patron.loans  # rejected


@do
def forgotten_from_argument(books: Books, patrons: Patrons) -> Do[int, PatronUnknown | BookUnknown]:
    patron = yield patrons.get(1)
    return (yield from books.shelf(patron))  # rejected


# A context's short alias behaves like `Do`: with and without failures, in and out.
def alias(id: int) -> Lending[int, PatronUnknown]:
    return (yield from inferred(id))


def alias_without_failure(id: int) -> Lending[int]:
    return (yield from inferred(id))  # rejected


def alias_written_out(id: int) -> Do[int, PatronUnknown, LendingRuntime]:
    return (yield from alias(id))


aliased = do(alias)
assert_type(aliased(1), Eff[int, PatronUnknown, LendingRuntime])
