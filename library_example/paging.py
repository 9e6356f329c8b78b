"""Long lists, page by page: what is asked for, and what is answered. Knows neither context and no database.

A page begins after an entry, not at a number. While somebody reads on, entries may come and go: none is read twice for
that, and none is missed, as would happen to "the twenty entries from number forty".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol

from attrs import field, frozen
from attrs.validators import ge, le
from typing_extensions import TypeVar

PAGE_SIZE = 20
LARGEST_PAGE = 100


class Listed(Protocol):
    """Something that stands in a list under an id."""

    @property
    def id(self) -> str:
        """Return the id."""
        ...


T_co = TypeVar("T_co", covariant=True)
L = TypeVar("L", bound=Listed)


@frozen
class Page:
    """A part of a long list: so many entries `after` the one with this id, or from the beginning."""

    after: str | None = None
    size: int = field(default=PAGE_SIZE, validator=[ge(1), le(LARGEST_PAGE)])


FIRST_PAGE = Page()


@frozen
class Listing(Generic[T_co]):
    """One page of a list, in the list's order, and the `next` page to ask for: None at the end."""

    entries: tuple[T_co, ...]
    next: Page | None = None


def listing(following: Sequence[L], page: Page) -> Listing[L]:
    """Answer `page` from the entries that follow its `after`: one more than its size tells whether there is a next."""
    entries = tuple(following[: page.size])
    more = len(following) > page.size
    return Listing(entries, Page(after=entries[-1].id, size=page.size) if more else None)
