"""A shop with two events, one of them with a history, and an application that a command line can name."""

from __future__ import annotations

from typing import Never

from attrs import field, frozen, validators

from effect_runtime import App, Context, Do, Topic, integration_event, succeed
from effect_runtime.integration import Envelope, Payload, upcaster
from effect_runtime.manifest import WireManifest
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.transports import InProcess


class ShopEvents(Topic, name="manifest-shop"):
    """What the shop tells."""

    __slots__ = ()


@frozen
@integration_event("manifest-shop.sold", version=2, key="article")
class Sold(ShopEvents):
    """Version 1 did not say how many."""

    article: str
    count: int
    currency: str = field(default="EUR", validator=validators.max_len(3))


@upcaster(Sold, version=1)
def one_was_sold(payload: Payload, envelope: Envelope) -> Payload:
    """Read version 1."""
    return {**payload, "count": 1}


@frozen
@integration_event("manifest-shop.closed", formerly=["manifest-shop.shut"])
class Closed(ShopEvents):
    """The shop is closed."""


class WeatherEvents(Topic, name="manifest-weather"):
    """What another application tells."""

    __slots__ = ()


@frozen
@integration_event("manifest-weather.rained")
class Rained(WeatherEvents):
    """It rained."""

    litres: float


@frozen
class Nothing:
    """A runtime without services."""


def shop(manifest: WireManifest | str | None = None) -> App:
    """Make the application: a context that publishes, and one that listens to it and to the weather."""
    desk = Context("desk", Nothing, publishes=[ShopEvents])
    books = Context("books", Nothing)
    sales = books.subscribe(ShopEvents, id="books.sales", start="earliest")
    weather = books.subscribe(WeatherEvents, id="books.weather", poison="skip")

    @sales.on(Sold)
    def note_sale(event: Sold) -> Do[None, Never, Nothing]:
        yield from succeed(None)

    @weather.on(Rained)
    def note_rain(event: Rained) -> Do[None, Never, Nothing]:
        yield from succeed(None)

    return App(
        "shop",
        wire=InProcess(),
        foreign_topics=[WeatherEvents],
        manifest=manifest,
        contexts=[context.bind(lambda tx: Nothing(), store=MemoryStore(context.name)) for context in (desk, books)],
    )


def shop_with_a_parameter(name: str) -> App:
    """Be a function that no command line can call."""
    return shop()


app = shop()
