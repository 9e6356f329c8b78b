"""`enqueue_and_wait` gave up waiting, and nobody looks: the parcel leaves before it is packed."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import DomainEvent, Refused, do
from effect_runtime.dispatch import EventQueue, Handled, enqueue_and_wait, stored
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
@stored("strangers-11.ordered")
class OrderedOccurred(DomainEvent):
    """Something is to be packed."""

    order: str


@frozen
class Ship:
    """Hand a parcel over."""

    order: str


def nothing_leaves_unpacked(view: View) -> bool:
    """What was shipped was packed."""
    return set(facts_of(view, "store", "shipped")) <= set(facts_of(view, "store", "packed"))


def _world(planted: bool) -> Simulation:
    store = desk_of("store")
    packing = EventQueue("packing")

    @store.after_commit(OrderedOccurred, queue=packing)
    def pack(event: OrderedOccurred) -> Doing[None]:
        rt = yield from store.runtime
        yield from rt.facts.put("packed", event.order, 1)

    @store.command(access="public")
    def ship(cmd: Ship) -> Doing[None]:
        rt = yield from store.runtime
        yield from rt.facts.put("shipped", cmd.order, 1)

    @do
    def fulfil(order: str) -> Program[None, Refused]:
        packed = yield from enqueue_and_wait(OrderedOccurred(order), timeout=timedelta(seconds=10))
        if planted or isinstance(packed, Handled):
            yield from ship(Ship(order))

    return Simulation(
        app_of(store),
        [Client("ann", [fulfil("o1")])],
        faults=Faults(crashes=True, slow=(timedelta(seconds=1), timedelta(minutes=1))),
        always=[nothing_leaves_unpacked],
    )


STRANGER = Stranger(
    title="an acknowledgement that nobody looks at",
    needs="two slow attempts: one alone is cut off and done again within the wait",
    deviations=2,
    world=_world,
)
