"""The pure decisions of the catalog."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from library_example.catalog.domain import Book, InventoryBelowZero, Isbn, check_digit, count_out
from library_example.contracts import AuthorId, BookId

counts = st.integers(min_value=0, max_value=10)
twelve_digits = st.builds(
    "{}{:09d}".format, st.sampled_from(["978", "979"]), st.integers(min_value=0, max_value=999_999_999)
)


def book(*, total: int, on_loan: int) -> Book:
    """Build a book of which only the counts matter."""
    return Book(
        id=BookId("dune"),
        title="Dune",
        isbn=Isbn("978-0-441-17271-9"),
        author=AuthorId("frank-herbert"),
        total=total,
        on_loan=on_loan,
    )


@given(twelve_digits)
def test_an_isbn_of_13_digits_is_read_with_its_own_check_digit_only(twelve: str) -> None:
    """Of the ten possible last digits exactly one is accepted."""
    accepted = []
    for digit in "0123456789":
        try:
            accepted.append(Isbn(twelve + digit).digits)
        except ValueError:
            continue
    assert accepted == [twelve + check_digit(twelve)]


@given(st.integers(min_value=0, max_value=999_999_999))
def test_both_spellings_of_an_isbn_are_one_isbn(number: int) -> None:
    """The 10-digit form, with its own check digit, equals the 13-digit form."""
    nine = f"{number:09d}"
    last = -sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), nine, strict=True)) % 11
    ten = nine + ("X" if last == 10 else str(last))
    assert Isbn(ten) == Isbn("978" + nine + check_digit("978" + nine))


@given(twelve_digits, st.integers(min_value=0, max_value=12), st.integers(min_value=1, max_value=9))
def test_a_mistyped_digit_is_noticed(twelve: str, place: int, shift: int) -> None:
    """Changing any one digit of an ISBN makes it no ISBN."""
    digits = twelve + check_digit(twelve)
    wrong = digits[:place] + str((int(digits[place]) + shift) % 10) + digits[place + 1 :]
    with pytest.raises(ValueError, match="is no ISBN: give 10 or 13 digits"):
        Isbn(wrong)


@pytest.mark.parametrize(
    "text", ["", "978", "0-306-40615-3", "X306406152", "٩٧٨٠٤٤١١٧٢٧١٩", "9770441172719", "97804411727190"]
)
def test_what_is_no_isbn_is_refused(text: str) -> None:
    """Wrong lengths, signs, scripts, prefixes and check digits are refused with a sentence."""
    with pytest.raises(ValueError, match="is no ISBN"):
        Isbn(text)


@given(counts, counts)
def test_available_copies_are_never_negative(total: int, on_loan: int) -> None:
    """What is available and what is overlent follow from the two counts."""
    shown = book(total=total, on_loan=on_loan)
    assert (shown.available, shown.overlent) == (max(0, total - on_loan), on_loan > total)


@given(counts, counts, st.integers(min_value=-10, max_value=10))
def test_copies_on_loan_never_fall_below_zero(total: int, on_loan: int, delta: int) -> None:
    """A count is changed by exactly what was asked, or refused."""
    decided = count_out(book(total=total, on_loan=on_loan), delta)
    if on_loan + delta < 0:
        assert decided == Failure(InventoryBelowZero(BookId("dune")))
    else:
        assert decided == Success(book(total=total, on_loan=on_loan + delta))
