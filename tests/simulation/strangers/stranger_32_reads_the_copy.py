"""Read your writes: the profile page asks a copy that follows, and shows the name from before."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Succeeded, Topic, integration_event, publish
from effect_runtime.effect import Exit
from effect_runtime.testing import Client, Faults, Linearizable, Simulation
from tests.simulation.strangers.premises import Doing, Looking, Stranger, app_of, desk_of


class DeskEvents(Topic, name="strangers-32.desk"):
    """What the desk tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-32.moved", key="member")
class Moved(DeskEvents):
    """A member lives elsewhere."""

    member: str
    address: int


@frozen
class Move:
    """Live elsewhere."""

    member: str
    address: int


@frozen
class AddressOf:
    """Ask where a member lives."""

    member: str


@frozen
class Addresses:
    """What clients may be told of one member."""

    address: int = 0

    def apply(self, message: object) -> tuple[Addresses, Exit[object, object]]:
        """Note or tell the address."""
        if isinstance(message, Move):
            return Addresses(message.address), Succeeded(None)
        return self, Succeeded(self.address)


def _member(message: Move | AddressOf) -> str:
    return message.member


def _world(planted: bool) -> Simulation:
    desk, page = desk_of("desk", publishes=[DeskEvents]), desk_of("page")

    @desk.command(access="public")
    def move(cmd: Move) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.facts.put("address", cmd.member, cmd.address)
        yield from publish(Moved(cmd.member, cmd.address))

    news = page.subscribe(DeskEvents, id="page.desk", start="earliest")

    @news.on(Moved)
    def copy(event: Moved) -> Doing[None]:
        rt = yield from page.runtime
        yield from rt.facts.put("address", event.member, event.address)

    @(page if planted else desk).query(access="public")
    def address_of(ask: AddressOf) -> Looking[int]:
        rt = yield from (page if planted else desk).reads
        return (yield from rt.facts.get("address", ask.member))

    return Simulation(
        app_of(desk, page),
        [
            Client("ann", [move(Move("ann", 7))]),
            Client("eve", [address_of(AddressOf("ann"))], after=timedelta(seconds=20)),
        ],
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        linearizable=Linearizable(Addresses(), key=_member),
    )


STRANGER = Stranger(
    title="a page that reads the copy",
    needs="an event that comes late",
    deviations=1,
    world=_world,
)
