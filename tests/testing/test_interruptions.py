"""One line for every crash, one for every failure: sound commands pass, others are told with what they left."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import frozen
from hypothesis import strategies as st
from returns.result import Result, Success

from effect_runtime import A, App, Context, Do, E, Principal, Transaction, do, operation
from effect_runtime.app import App as AnyApp
from effect_runtime.dispatch import Due, send_later, stored
from effect_runtime.errors import HalfDone, NotSimulated
from effect_runtime.outbox.memory import MemorySession, MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.testing import Canonical, Client, Simulation
from effect_runtime.testing.properties import Interruptions, assert_crash_safe, assert_failures_handled
from library_example.app import library, library_in_memory
from library_example.catalog.handlers import AddBook, add_book
from library_example.contracts import AuthorId
from library_example.lending.handlers import BorrowBook, RegisterPatron, borrow_book, register_patron
from tests.library_example.machine import ISBNS
from tests.testing.bank import AccountId, MemoryRows, Move, OpenAccount, bank_with

ANN = register_patron(RegisterPatron("Ann", "ann@example.org"))
BOB = register_patron(RegisterPatron("Bob", "bob@example.org"))


@pytest.mark.parametrize("app", [library_in_memory(), library(Path("nowhere"))], ids=["memory", "sqlite"])
def test_a_command_survives_every_crash(app: AnyApp) -> None:
    """Killed before and after everything that it does, asked again or given up, on both technologies."""
    tried = assert_crash_safe(app, ANN, given=[BOB])
    assert tried.runs + tried.alike == 4 * tried.places
    assert tried.runs >= 4
    assert tried.places > 3


def test_a_command_whose_event_travels_survives_every_crash() -> None:
    """What relay, broker and subscriber do for it is interrupted, too."""
    bank = bank_with(None)
    opening, _ = bank.bank.commands
    assert assert_crash_safe(bank.app, opening(OpenAccount(3))).places > 10


def test_a_program_of_two_commands_is_not_safe() -> None:
    """Killed between the two, one is done and the other is not: said with the place and the rows."""
    bank = bank_with(None)
    opening, _ = bank.bank.commands

    @do
    def two() -> Do[None, Any, Any]:
        yield from opening(OpenAccount(1))
        yield from opening(OpenAccount(2))

    with pytest.raises(HalfDone) as caught:
        assert_crash_safe(bank.app, two())
    assert "asked again, and the stores are not as they must be" in str(caught.value)
    assert "+accounts: ('<id>', 1)" in caught.value.difference


@pytest.mark.parametrize("app", [library_in_memory(), library(Path("nowhere"))], ids=["memory", "sqlite"])
def test_a_command_handles_every_failure(app: AnyApp) -> None:
    """Each declared failure and a defect, at each operation that may have them."""
    assert assert_failures_handled(app, ANN, given=[BOB]) == Interruptions(places=2, runs=3)


def test_what_is_given_may_be_done_by_somebody() -> None:
    """A client with rights adds a book first; the loan of it is tried everywhere, its events and reactions included."""
    app = library_in_memory()
    dune = add_book(AddBook("Dune", ISBNS[0], AuthorId("herbert")))
    desk = Client("desk", [dune], principal=Principal("desk", roles=frozenset({"staff"})))
    world = Simulation(app, [], given=[desk, ANN])
    world.run(Canonical())
    tables = {name: rows for content in world.contents() for name, rows in content.items()}
    loan = borrow_book(BorrowBook(tables["patrons"][0][0], tables["books"][0][0]))
    assert assert_crash_safe(app, loan, given=[desk, ANN]).places > 20
    assert assert_failures_handled(app, loan, given=[desk, ANN]).places > 10


def test_a_program_that_fails_halfway_is_told() -> None:
    """Its second command fails, and the first stays done."""
    bank = bank_with(None)
    opening, _ = bank.bank.commands

    @do
    def two() -> Do[None, Any, Any]:
        yield from opening(OpenAccount(1))
        yield from opening(OpenAccount(2))

    with pytest.raises(HalfDone, match=r"Interrupted at Ids\.uuid #2 of bank, and the stores are not as they must be"):
        assert_failures_handled(bank.app, two())


@frozen
class Broken:
    """The scale is broken, since some day."""

    day: int


class Scale:
    """A service that says what it may fail with."""

    @operation(kind="external", idempotent=True)
    async def weigh(self) -> Result[int, Broken]:
        """Weigh."""
        return Success(3)


@frozen
class ShopRuntime:
    """What the shop runs with."""

    scale: Scale


@frozen
class Weigh:
    """Weigh something."""


Shop: TypeAlias = Do[A, E, ShopRuntime]


def shop() -> tuple[App, Any]:
    """Return a shop whose command forgets to declare what its service fails with."""
    context = Context("shop", ShopRuntime)

    @context.command(access="public")
    def weigh(command: Weigh) -> Shop[int]:
        rt = yield from context.runtime
        grams: int = yield from rt.scale.weigh()  # type: ignore[misc]  # the mistake that this is about
        return grams

    return App("shop", contexts=[context.bind(lambda tx: ShopRuntime(Scale()), store=MemoryStore("shop"))]), weigh


def test_a_failure_that_a_command_does_not_declare_is_told() -> None:
    """The failure is built from its class, and the command's exit says which it was."""
    app, weigh = shop()
    with pytest.raises(HalfDone) as caught:
        assert_failures_handled(app, weigh(Weigh()), overrides={Broken.day: st.just(4)})
    assert caught.value.event == "Broken at Scale.weigh #1 of shop"
    assert "Broken(day=4)" in caught.value.problem
    assert caught.value.problem.endswith("which it does not declare")


class Terminal:
    """A bank outside, which no crash touches; with `keyed` it knows a charge again by its key."""

    def __init__(self, *, keyed: bool) -> None:
        self.charges: list[str] = []
        self._keyed = keyed

    def reset(self) -> None:
        """Forget everything."""
        self.charges.clear()

    @operation(kind="external", idempotent=True)
    async def charge(self, key: str) -> None:
        """Take money."""
        if key not in self.charges or not self._keyed:
            self.charges.append(key)


@frozen
class TillRuntime:
    """What the till runs with."""

    terminal: Terminal
    sales: MemoryRows


@frozen
class Sell:
    """Sell something."""

    order: AccountId


Till: TypeAlias = Do[A, E, TillRuntime]


def till(terminal: Terminal) -> tuple[App, Any]:
    """Return a till that charges before it writes anything down."""
    context = Context("till", TillRuntime)

    @context.command(access="public")
    def sell(command: Sell) -> Till[None]:
        rt = yield from context.runtime
        yield from rt.terminal.charge(command.order)
        sold = yield from rt.sales.get(command.order)
        if sold is not None and sold < 0:
            raise ZeroDivisionError("sold less than nothing")
        yield from rt.sales.put(command.order, 1)

    @context.command(access="public")
    def spoil(command: Spoil) -> Till[None]:
        rt = yield from context.runtime
        yield from rt.sales.put(command.order, -1)

    def make(tx: Transaction[MemorySession]) -> TillRuntime:
        return TillRuntime(terminal, MemoryRows(tx.session.table("sales")))

    return App("till", contexts=[context.bind(make, store=MemoryStore("till"))]), sell


@frozen
class Spoil:
    """Bring the books into disorder."""

    order: AccountId


ORDER = AccountId("o1")


def test_what_is_done_outside_twice_is_told() -> None:
    """A charge before anything durable is made again after a crash; a bank that knows its key takes it once."""
    careless = Terminal(keyed=False)
    app, sell = till(careless)
    with pytest.raises(HalfDone) as caught:
        assert_crash_safe(app, sell(Sell(ORDER)), parties=[careless])
    assert caught.value.event == "crash after at Terminal.charge #1 of till, asked again"
    assert caught.value.problem == "what is outside is not as it must be"
    assert "+outside, Terminal.charges: ['o1', 'o1']" in caught.value.difference

    careful = Terminal(keyed=True)
    app, sell = till(careful)
    with pytest.raises(HalfDone) as caught:
        assert_crash_safe(app, sell(Sell(ORDER)), parties=[careful])
    # Given up after the charge: money was taken for nothing, which only an event that follows the commit can mend.
    assert caught.value.event == "crash after at Terminal.charge #1 of till, given up"


def test_nobody_looks_at_parties_who_are_not_named() -> None:
    """Without them the stores alone are compared."""
    app, sell = till(Terminal(keyed=False))
    assert assert_crash_safe(app, sell(Sell(ORDER))).places > 3


def test_a_failure_may_leave_the_outside_as_it_is() -> None:
    """What was done outside before another operation failed stays done: the stores are as before."""
    terminal = Terminal(keyed=True)
    app, sell = till(terminal)
    assert assert_failures_handled(app, sell(Sell(ORDER)), parties=[terminal]) == Interruptions(places=3, runs=4)


@pytest.mark.parametrize("asserted", [assert_crash_safe, assert_failures_handled])
def test_a_command_that_does_not_even_succeed_proves_nothing(asserted: Any) -> None:
    """A mistaken id or a bug would be interrupted in vain: both are refused, with how it ended."""
    bank = bank_with(None)
    _, moving = bank.bank.commands
    with pytest.raises(NotSimulated, match=r"Failed\(error=Unknown\(account='a'\)\)\]; let it succeed"):
        asserted(bank.app, moving(Move(AccountId("a"), AccountId("b"), 1)))
    app, sell = till(Terminal(keyed=True))
    _, spoil = app.bindings[0].context.commands
    with pytest.raises(NotSimulated, match=r"Died\(exception=ZeroDivisionError\('sold less than nothing'\)\)"):
        asserted(app, sell(Sell(ORDER)), given=[spoil(Spoil(ORDER))])


@stored("testing.remind")
@frozen
class Remind:
    """Remind of an order."""

    item: str


@frozen
class Order:
    """Order something."""

    item: str


@frozen
class Reminding:
    """What the desk runs with."""

    due: Due


@pytest.mark.parametrize("store", [MemoryStore("desk"), SqliteStore("desk.db")], ids=["memory", "sqlite"])
def test_what_waits_to_be_done_counts_as_done(store: Any) -> None:
    """A program that is begun again reminds twice: no row tells so before the day has come, the agenda does."""
    desk: Context[Reminding] = Context("desk", Reminding)

    @desk.command(access="internal")
    def remind(command: Remind) -> Do[None, Any, Reminding]:
        yield from desk.runtime

    @desk.command(access="public")
    def order(command: Order) -> Do[None, Any, Reminding]:
        yield from send_later(Remind(command.item), due=timedelta(days=9))

    @do
    def twice() -> Do[None, Any, Any]:
        yield from order(Order("tea"))
        yield from order(Order("cake"))

    app = App("desk", contexts=[desk.bind(lambda tx: Reminding(tx.due), store=store)])
    assert assert_crash_safe(app, order(Order("tea"))).places > 1
    with pytest.raises(HalfDone) as caught:
        assert_crash_safe(app, twice())
    assert any(line.startswith("+agenda: ") for line in caught.value.difference)
