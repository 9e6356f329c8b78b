"""A cache beside a table: what is thrown away before the commit is filled again with what was true before it."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Succeeded
from effect_runtime.effect import Exit
from effect_runtime.testing import Client, Linearizable, Simulation
from tests.simulation.strangers.premises import Doing, Looking, Stranger, app_of, desk_of


@frozen
class SetPrice:
    """Set a price."""

    item: str
    price: int


@frozen
class PriceOf:
    """Ask for a price."""

    item: str


@frozen
class Prices:
    """What clients may be told of one item: the price that was set last."""

    price: int = 0

    def apply(self, message: object) -> tuple[Prices, Exit[object, object]]:
        """Set or tell the price."""
        if isinstance(message, SetPrice):
            return Prices(message.price), Succeeded(None)
        return self, Succeeded(self.price)


def _item(message: SetPrice | PriceOf) -> str:
    return message.item


def _world(planted: bool) -> Simulation:
    shop = desk_of("shop")

    @shop.command(access="public")
    def set_price(cmd: SetPrice) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.facts.put("price", cmd.item, cmd.price)
        yield from rt.memory.forget(cmd.item)

    @shop.query(access="public")
    def price_of(ask: PriceOf) -> Looking[int]:
        rt = yield from shop.reads
        known = yield from rt.memory.recall(ask.item)
        if planted and known is not None:
            return known
        price = yield from rt.facts.get("price", ask.item)
        yield from rt.memory.keep(ask.item, price)
        return price

    return Simulation(
        app_of(shop),
        [
            Client("owner", [set_price(SetPrice("lamp", 10)), price_of(PriceOf("lamp"))]),
            Client("ann", [price_of(PriceOf("lamp"))]),
        ],
        linearizable=Linearizable(Prices(), key=_item),
    )


STRANGER = Stranger(
    title="a cache that is filled again before the commit",
    needs="a reader between the invalidation and the commit",
    deviations=1,
    world=_world,
)
