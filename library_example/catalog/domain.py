"""What the catalog knows of books: values, refusals and pure decisions.

Knows no effect, no store, no clock and nothing of lending: how many copies are out is only a number here.
"""

from __future__ import annotations

from attrs import evolve, field, frozen
from attrs.validators import ge, max_len, min_len
from returns.result import Failure, Result, Success

from library_example.contracts import AuthorId, BookId

TITLE_LENGTH = 256


def check_digit(twelve: str) -> str:
    """Return the digit that completes the first twelve of an ISBN-13."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return str(-total % 10)


def _is_isbn_10(signs: str) -> bool:
    if len(signs) != 10 or not _is_number(signs[:9]) or not (_is_number(signs[9]) or signs[9] == "X"):
        return False
    # Modulo 11 needs a digit for ten, and only the last place, which checks the others, can become one.
    values = [10 if sign == "X" else int(sign) for sign in signs]
    return sum(weight * value for weight, value in zip(range(10, 0, -1), values, strict=True)) % 11 == 0


def _is_isbn_13(signs: str) -> bool:
    return (
        len(signs) == 13
        and _is_number(signs)
        and signs.startswith(("978", "979"))
        and signs[12] == check_digit(signs[:12])
    )


def _is_number(signs: str) -> bool:
    # `isdigit` alone accepts digits of every script and superscripts.
    return signs.isascii() and signs.isdigit()


def _thirteen_digits(text: str) -> str:
    signs = text.replace("-", "").replace(" ", "").upper()
    if _is_isbn_10(signs):
        return "978" + signs[:9] + check_digit("978" + signs[:9])
    if not _is_isbn_13(signs):
        raise ValueError(f"{text!r} is no ISBN: give 10 or 13 digits, the last of which checks the others.")
    return signs


@frozen
class Isbn:
    """An ISBN in its 13-digit form, so that all spellings of one book are equal; anything else is a ValueError.

    >>> Isbn("0-306-40615-2") == Isbn("978-0-306-40615-7")
    True
    """

    digits: str = field(converter=_thirteen_digits)


@frozen(kw_only=True)
class Book:
    """A title of the catalog. `total` counts the copies we own, `on_loan` those that readers have."""

    id: BookId
    title: str = field(validator=[min_len(1), max_len(TITLE_LENGTH)])
    isbn: Isbn
    author: AuthorId
    total: int = field(validator=ge(0))
    on_loan: int = field(default=0, validator=ge(0))

    @property
    def available(self) -> int:
        """Return how many copies stand in the house."""
        return max(0, self.total - self.on_loan)

    @property
    def overlent(self) -> bool:
        """Tell whether more copies are out than we own: legal after copies were withdrawn."""
        return self.on_loan > self.total

    @property
    def searchable(self) -> str:
        """Return the text in which readers search, in one case; a line break keeps its parts apart."""
        return "\n".join((self.title, self.author, self.isbn.digits)).casefold()


@frozen
class BookUnknown:
    """The catalog has no such book."""

    book_id: BookId


@frozen
class IsbnTaken:
    """Another book has this ISBN already."""

    isbn: Isbn


@frozen
class InventoryBelowZero:
    """More copies would have come back than were out."""

    book_id: BookId


def count_out(book: Book, delta: int) -> Result[Book, InventoryBelowZero]:
    """Decide how many copies are out after `delta` more were borrowed (or, negative, came back)."""
    on_loan = book.on_loan + delta
    if on_loan < 0:
        return Failure(InventoryBelowZero(book.id))
    return Success(evolve(book, on_loan=on_loan))
