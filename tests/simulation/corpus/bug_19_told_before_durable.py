"""Told before it was durable: an answer is given from data whose commit then fails."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded


@frozen
class SetPrice:
    """Set a price."""

    book: str
    amount: int


@frozen
class PriceOf:
    """Ask for a price."""

    book: str


@frozen
class Say:
    """Say something to the world."""

    what: str


def _case(*, planted: bool) -> Case:
    street = Listener()
    shop = office("shop")

    @shop.command(access="public")
    def set_price(cmd: SetPrice) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.records.put("price", cmd.book, cmd.amount)
        if planted:
            yield from rt.memory.keep(cmd.book, cmd.amount)
        yield from rt.records.put("changed", f"{cmd.book} {cmd.amount}", 1)

    @shop.query(access="public")
    def price(ask: PriceOf) -> Looking[int]:
        rt = yield from shop.reads
        known = yield from rt.memory.recall(ask.book)
        return known if known is not None else (yield from rt.records.get("price", ask.book))

    @shop.command(access="public")
    def say(cmd: Say) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.outside.tell(cmd.what)

    @do
    def call_out() -> Program[None, Refused]:
        amount = yield from price(PriceOf("b1"))
        yield from say(Say(f"b1 {amount}"))

    def what_was_said_is_on_record(view: View) -> bool:
        return set(street.told) <= {"b1 0", *recorded(view, "shop", "changed")}

    return Case(
        number=19,
        title="an answer from a unit whose commit fails",
        needs=frozenset({"failure"}),
        deviations=1,
        app=app_of(shop, outside=street),
        clients=[Client("owner", [set_price(SetPrice("b1", 20))]), Client("crier", [call_out()])],
        parties=[street],
        at_end=[what_was_said_is_on_record],
    )


def bug() -> Case:
    """Remember a price for the next query before it is committed."""
    return _case(planted=True)


def twin() -> Case:
    """Answer queries from what is committed."""
    return _case(planted=False)
