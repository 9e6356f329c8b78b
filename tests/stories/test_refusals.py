"""Three mistakes that are refused before anything runs, each with its code, its place and the way out."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from attrs import frozen

from effect_runtime import A, App, Context, Do, E, Outbox, Topic, Transaction, integration_event
from effect_runtime.errors import ConfigurationError
from effect_runtime.outbox.memory import MemorySession, MemoryStore
from effect_runtime.transports import InProcess
from library_example.contracts import CatalogEvents
from library_example.lending.handlers import BorrowBook, lending
from library_example.lending.memory import make_lending, make_lending_reads


class ShopEvents(Topic, name="stories.shop"):
    """What the shop tells the world."""

    __slots__ = ()


@frozen
@integration_event("stories.book-sold", key="title")
class BookSold(ShopEvents):
    """A book was sold."""

    title: str


@frozen
class ShopRuntime:
    """What a command of the shop may use."""

    outbox: Outbox[ShopEvents]


Shop: TypeAlias = Do[A, E, ShopRuntime]


def make_shop(tx: Transaction[MemorySession]) -> ShopRuntime:
    """Build what one command of the shop may use."""
    return ShopRuntime(tx.outbox)


def test_an_event_without_identity_is_refused() -> None:
    """Where it is defined: the class cannot even be made."""
    with pytest.raises(ConfigurationError) as refused:

        @frozen
        class BookStolen(ShopEvents):
            """A book was stolen, and nobody said under which name."""

            title: str

    assert refused.value.codes == ("ER201",)
    assert "BookStolen" in str(refused.value)
    assert '@integration_event("' in str(refused.value)


def test_a_handler_in_the_publishers_context_is_refused() -> None:
    """The shop may not subscribe to what the shop publishes."""
    shop = Context("shop", ShopRuntime, publishes=[ShopEvents])
    own_events = shop.subscribe(ShopEvents, id="shop.own-events")

    @own_events.on(BookSold)
    def listen(event: BookSold) -> Shop[None]:
        """Hear ourselves."""
        yield from ()

    app = App("shop", wire=InProcess(), contexts=[shop.bind(make_shop, store=MemoryStore())])
    with pytest.raises(ConfigurationError) as refused:
        app.build()
    assert refused.value.codes == ("ER301",)
    assert "shop.own-events" in str(refused.value)
    assert "test_refusals.py" in str(refused.value)


def test_a_command_of_another_context_is_refused() -> None:
    """The shop may not answer lending's `BorrowBook`: contexts share contracts only."""
    shop = Context("shop", ShopRuntime, publishes=[ShopEvents])

    @shop.command(access="public")
    def sell(command: BorrowBook) -> Shop[None]:
        """Answer what is asked of somebody else."""
        yield from ()

    app = App(
        "shop",
        wire=InProcess(),
        foreign_topics=[CatalogEvents],
        contexts=[
            shop.bind(make_shop, store=MemoryStore("shop")),
            lending.bind(make_lending, make_lending_reads, store=MemoryStore("lending")),
        ],
    )
    with pytest.raises(ConfigurationError) as refused:
        app.build()
    assert refused.value.codes == ("ER111",)
    assert "BorrowBook is defined in context 'lending'" in str(refused.value)
