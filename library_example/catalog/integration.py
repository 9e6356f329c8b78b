"""Where the catalog listens: lending's contract becomes the catalog's own command."""

from __future__ import annotations

from effect_runtime import Refused
from library_example.catalog.domain import BookUnknown, InventoryBelowZero
from library_example.catalog.handlers import Catalog, UpdateInventory, catalog, update_inventory
from library_example.contracts import BookBorrowed, BookReturned, LendingEvents

lending_events = catalog.subscribe(LendingEvents, id="catalog.lending-events", start="earliest")


@lending_events.on(BookBorrowed, dead_letter=(BookUnknown, InventoryBelowZero))
def count_borrowed(event: BookBorrowed) -> Catalog[None, BookUnknown | InventoryBelowZero | Refused]:
    """Count a copy out."""
    yield from update_inventory(UpdateInventory(event.book_id, +1))


@lending_events.on(BookReturned, dead_letter=(BookUnknown, InventoryBelowZero))
def count_returned(event: BookReturned) -> Catalog[None, BookUnknown | InventoryBelowZero | Refused]:
    """Count a copy back in."""
    yield from update_inventory(UpdateInventory(event.book_id, -1))
