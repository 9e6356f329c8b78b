"""An older event over a newer one: prices travel without a key, so nobody keeps their order."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Topic, integration_event, publish
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, app_of, office, recorded


class PriceEvents(Topic, name="corpus-12.prices"):
    """What the desk tells about prices."""

    __slots__ = ()


@frozen
@integration_event("corpus-12.price-set", key="book")
class PriceSet(PriceEvents):
    """A price was set; the events of a book keep their order."""

    book: str
    price: int


@frozen
@integration_event("corpus-12.price-noted")
class PriceNoted(PriceEvents):
    """A price was set; these keep no order."""

    book: str
    price: int


@frozen
class SetPrice:
    """Set the price of a book."""

    book: str
    price: int


def both_agree_on_the_price(view: View) -> bool:
    """What the hall shows is what the desk has set last."""
    return recorded(view, "hall", "price") == recorded(view, "desk", "price")


def _case(*, planted: bool) -> Case:
    desk, hall = office("desk", publishes=[PriceEvents]), office("hall")

    @desk.command(access="public")
    def set_price(cmd: SetPrice) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.records.put("price", cmd.book, cmd.price)
        yield from publish((PriceNoted if planted else PriceSet)(cmd.book, cmd.price))

    prices = hall.subscribe(PriceEvents, id="hall.prices", start="earliest")

    @prices.on(PriceSet)
    def show(event: PriceSet) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.records.put("price", event.book, event.price)

    @prices.on(PriceNoted)
    def show_noted(event: PriceNoted) -> Doing[None]:
        rt = yield from hall.runtime
        yield from rt.records.put("price", event.book, event.price)

    return Case(
        number=12,
        title="out-of-order event overwrites newer state",
        needs=frozenset({"reorder"}),
        deviations=1,
        app=app_of(desk, hall, outside=Listener()),
        clients=[Client("ann", [set_price(SetPrice("b1", 10)), set_price(SetPrice("b1", 20))])],
        eventually=[both_agree_on_the_price],
    )


def bug() -> Case:
    """Publish prices without a key."""
    return _case(planted=True)


def twin() -> Case:
    """Publish them under the book's key."""
    return _case(planted=False)
