"""A consumer that remembers the last message only: a copy that comes after another message is counted again."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import App, Principal, Topic, integration_event, publish
from effect_runtime.integration import decode_message
from effect_runtime.testing import Client, Delivery, Faults, Hears, Simulation, View
from tests.simulation.strangers.premises import Doing, Stranger, app_of, desk_of, facts_of


class Deposits(Topic, name="strangers-06.deposits"):
    """What the branch tells."""

    __slots__ = ()


@frozen
@integration_event("strangers-06.deposited", key="account")
class Deposited(Deposits):
    """Money came in."""

    account: str


@frozen
class Deposit:
    """Bring money."""

    account: str


@frozen
class Book:
    """Book a deposit that came in a message."""

    account: str
    message: str


def nothing_is_booked_twice(view: View) -> bool:
    """The ledger has no more than was brought."""
    brought = facts_of(view, "branch", "brought")
    return all(booked <= brought.get(key, 0) for key, booked in facts_of(view, "ledger", "booked").items())


def everything_is_booked(view: View) -> bool:
    """The ledger has what was brought."""
    return facts_of(view, "branch", "brought") == facts_of(view, "ledger", "booked")


def _world(planted: bool) -> Simulation:
    branch, ledger = desk_of("branch", publishes=[Deposits]), desk_of("ledger")

    @branch.command(access="public")
    def deposit(cmd: Deposit) -> Doing[None]:
        rt = yield from branch.runtime
        yield from rt.facts.add("brought", cmd.account, 1)
        yield from publish(Deposited(cmd.account))

    @ledger.command(access="internal")
    def book(cmd: Book) -> Doing[None]:
        rt = yield from ledger.runtime
        if (yield from rt.facts.get("seen", cmd.message)):
            return
        if planted:
            for other in (yield from rt.facts.all("seen")):
                yield from rt.facts.drop("seen", other)
        yield from rt.facts.put("seen", cmd.message, 1)
        yield from rt.facts.add("booked", cmd.account, 1)

    async def receive(app: App, delivery: Delivery) -> None:
        envelope = decode_message(delivery.message)
        await app.run(book(Book(envelope.key or "", envelope.id)), principal=Principal.system("ledger"))
        await delivery.ack()

    return Simulation(
        app_of(branch, ledger),
        [Client("ann", [deposit(Deposit("ann"))]), Client("bob", [deposit(Deposit("bob"))])],
        hears=[Hears("ledger", Deposits, "ledger.by-hand", receive)],
        faults=Faults(crashes=True, messages=True),
        always=[nothing_is_booked_twice],
        eventually=[everything_is_booked],
    )


STRANGER = Stranger(
    title="only the last message is remembered",
    needs="a copy that comes after another message",
    deviations=1,
    world=_world,
)
