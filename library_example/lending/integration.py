"""Where lending listens: the catalog's contract becomes lending's own command."""

from __future__ import annotations

from effect_runtime import Refused
from library_example.contracts import BookAdded, CatalogEvents, CopiesChanged
from library_example.lending.domain import HoldOrderBroken
from library_example.lending.handlers import Lending, StockShelf, lending, stock_shelf

catalog_events = lending.subscribe(CatalogEvents, id="lending.catalog-events", start="earliest")


@catalog_events.on(BookAdded, dead_letter=(HoldOrderBroken,))
def shelve_new_book(event: BookAdded) -> Lending[None, HoldOrderBroken | Refused]:
    """Open a shelf for a new book."""
    yield from stock_shelf(StockShelf(event.book_id, event.copies))


@catalog_events.on(CopiesChanged, dead_letter=(HoldOrderBroken,))
def restock(event: CopiesChanged) -> Lending[None, HoldOrderBroken | Refused]:
    """Lend as many copies as there are now."""
    yield from stock_shelf(StockShelf(event.book_id, event.copies))
