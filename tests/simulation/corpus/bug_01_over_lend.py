"""Check, then act: two patrons are told that the last copy is free, and both take it."""

from __future__ import annotations

from attrs import frozen

from effect_runtime import Refused, do, guard
from tests.simulation.corpus.case import Case, Client, View
from tests.simulation.corpus.office import Doing, Listener, Looking, Program, app_of, office, recorded


@frozen
class Stock:
    """Set the copies of a book."""

    book: str
    copies: int


@frozen
class CopiesFree:
    """Ask for the copies that are not lent."""

    book: str


@frozen
class Lend:
    """Hand a copy over."""

    book: str
    patron: str


@frozen
class NoneLeft:
    """All copies are out."""


def no_copy_is_lent_twice(view: View) -> bool:
    """A book has as many loans as copies at most."""
    return len(recorded(view, "shop", "loan")) <= recorded(view, "shop", "copies")["b1"]


def _case(*, planted: bool) -> Case:
    shop = office("shop")

    @shop.command(access="public")
    def stock(cmd: Stock) -> Doing[None]:
        rt = yield from shop.runtime
        yield from rt.records.put("copies", cmd.book, cmd.copies)

    @shop.query(access="public")
    def copies_free(ask: CopiesFree) -> Looking[int]:
        rt = yield from shop.reads
        loans = yield from rt.records.all("loan")
        return (yield from rt.records.get("copies", ask.book)) - len(loans)

    @shop.command(access="public")
    def lend(cmd: Lend) -> Doing[None, NoneLeft]:
        rt = yield from shop.runtime
        if not planted:
            loans = yield from rt.records.all("loan")
            copies = yield from rt.records.get("copies", cmd.book)
            yield from guard(len(loans) < copies or cmd.patron in loans, NoneLeft())
        yield from rt.records.put("loan", cmd.patron, 1)

    @do
    def borrow(patron: str) -> Program[None, NoneLeft | Refused]:
        free = yield from copies_free(CopiesFree("b1"))
        yield from guard(free > 0, NoneLeft())
        yield from lend(Lend("b1", patron))

    return Case(
        number=1,
        title="check-then-act over-lend",
        needs=frozenset({"order"}),
        deviations=1,
        app=app_of(shop, outside=Listener()),
        given=[stock(Stock("b1", 1))],
        clients=[Client("ann", [borrow("ann")]), Client("bob", [borrow("bob")])],
        always=[no_copy_is_lent_twice],
    )


def bug() -> Case:
    """Lend on the word of an earlier look."""
    return _case(planted=True)


def twin() -> Case:
    """Look again in the transaction that lends."""
    return _case(planted=False)
