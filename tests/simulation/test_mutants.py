"""Mutants of the kit's own ground are killed: an oracle that a missing duty survives would be too weak.

One world for nearly all: a loan that is two rows and an event, a hall that counts it, and a street that is told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Never

import pytest
from attrs import define, field, frozen

from effect_runtime import App, Context, Do, Refused, Transaction, do, operation, publish
from effect_runtime.errors import Counterexample
from effect_runtime.integration import Transport
from effect_runtime.outbox.sqlite import SqliteSession, SqliteStore
from effect_runtime.testing import Client, Complete, Covered, Faults, Simulation, View, explore
from effect_runtime.transports import InProcess
from tests.simulation.corpus.loans import Lent, LoanEvents
from tests.simulation.corpus.office import TABLES, SqliteRecords, recorded
from tests.simulation.mutants import (
    Conflicts,
    EarlyAck,
    MutantStore,
    WithoutAnswers,
    WithoutDedupe,
    WithoutFsync,
    WithoutTransaction,
)

RUNS: Final = 1_000


@define(eq=False)
class Street:
    """Everybody who hears what is said, and a bank that takes what it is asked for."""

    heard: list[str] = field(factory=list)

    def reset(self) -> None:
        """Forget everything."""
        self.heard.clear()

    @operation(kind="external", idempotent=True)
    async def say(self, what: str) -> None:
        """Say something."""
        self.heard.append(what)

    @operation(kind="external")
    async def charge(self, what: str) -> None:
        """Take money, each time anew."""
        self.heard.append(what)

    @operation(kind="external", idempotent=True)
    async def charge_again(self, what: str) -> None:
        """Take money, each time anew, and claim that it does not matter how often."""
        self.heard.append(what)


@frozen
class Shelf:
    """What a handler may use."""

    records: SqliteRecords
    street: Street
    outbox: Any


@frozen
class Lend:
    """Lend a book."""

    book: str


@frozen
class Say:
    """Say that a book is lent."""

    book: str


@frozen
class Charge:
    """Charge a fee, and claim or not that asking twice is harmless."""

    loan: str
    is_claimed_harmless: bool


def store(name: str, **mutations: Any) -> Any:
    """Return a store as it should be, or a mutant."""
    real = SqliteStore(name, migrations=[TABLES])
    return MutantStore(real, **mutations) if mutations else real


def library(
    *,
    desk_store: Any = None,
    hall_store: Any = None,
    wire: Callable[[Transport], Transport] | None = None,
    is_counted: bool = True,
) -> Simulation:
    """Return a world in which a loan is two rows and an event, a hall counts it, and the street is told of it.

    Without `is_counted` nothing is claimed of the hall: so much follows from a desk that loses rows.
    """
    street = Street()
    desk, hall = Context("desk", Shelf, publishes=[LoanEvents]), Context("hall", Shelf)

    @desk.command(access="public")
    def lend(cmd: Lend) -> Do[None, Never, Shelf]:
        rt = yield from desk.runtime
        yield from rt.records.put("loan", cmd.book, (yield from rt.records.get("loan", cmd.book)) + 1)
        yield from rt.records.put("out", cmd.book, (yield from rt.records.get("out", cmd.book)) + 1)
        yield from publish(Lent(cmd.book))

    @desk.command(access="public")
    def say(cmd: Say) -> Do[None, Never, Shelf]:
        rt = yield from desk.runtime
        yield from rt.street.say(cmd.book)

    loans = hall.subscribe(LoanEvents, id="hall.loans", start="earliest")

    @loans.on(Lent)
    def count(event: Lent) -> Do[None, Never, Shelf]:
        rt = yield from hall.runtime
        yield from rt.records.put("count", event.book, (yield from rt.records.get("count", event.book)) + 1)

    @do
    def lend_and_say(book: str) -> Do[None, Refused, Any]:
        yield from lend(Lend(book))
        yield from say(Say(book))

    def a_loan_is_out(view: View) -> bool:
        return recorded(view, "desk", "loan") == recorded(view, "desk", "out")

    def a_command_is_done_once(view: View) -> bool:
        return recorded(view, "desk", "loan").get("b1", 0) <= 1

    def what_is_said_is_so(view: View) -> bool:
        return set(street.heard) <= set(recorded(view, "desk", "loan"))

    def every_loan_is_counted_once(view: View) -> bool:
        return recorded(view, "hall", "count") == recorded(view, "desk", "loan")

    def make(tx: Transaction[SqliteSession]) -> Shelf:
        return Shelf(SqliteRecords(tx.session), street, tx.outbox)

    bindings = [
        desk.bind(make, store=desk_store or store("desk.db")),
        hall.bind(make, store=hall_store or store("hall.db")),
    ]
    return Simulation(
        App("mutants", wire=InProcess(), contexts=bindings, diagnostics=lambda _: None),
        [Client("ann", [lend(Lend("b1"))]), Client("bob", [lend_and_say("b2")])],
        parties=[street],
        faults=Faults(crashes=True, messages=True),
        always=[a_loan_is_out, a_command_is_done_once],
        at_end=[what_is_said_is_so],
        eventually=[every_loan_is_counted_once] if is_counted else [],
        around_wire=wire,
    )


def bank(*, is_claimed_harmless: bool) -> Simulation:
    """Return a world in which every first commit loses, and a fee is charged by an operation that must not repeat."""
    street, conflicts = Street(), Conflicts()
    till = Context("till", Shelf)

    @till.command(access="public")
    def charge(cmd: Charge) -> Do[None, Never, Shelf]:
        rt = yield from till.runtime
        yield from rt.street.charge_again(cmd.loan) if cmd.is_claimed_harmless else rt.street.charge(cmd.loan)
        yield from rt.records.put("fee", cmd.loan, 1)

    def no_loan_is_charged_twice(view: View) -> bool:
        return len(street.heard) == len(set(street.heard))

    def make(tx: Transaction[SqliteSession]) -> Shelf:
        return Shelf(SqliteRecords(tx.session), street, tx.outbox)

    binding = till.bind(make, store=store("till.db", unit=conflicts.unit))
    return Simulation(
        App("bank", contexts=[binding], diagnostics=lambda _: None),
        [Client("ann", [charge(Charge("l1", is_claimed_harmless))])],
        parties=[street, conflicts],
        always=[no_loan_is_charged_twice],
    )


MUTANTS: Final[dict[str, tuple[Callable[[], Simulation], str]]] = {
    "drop dedupe": (
        lambda: library(hall_store=store("hall.db", unit=WithoutDedupe)),
        "eventually(every_loan_is_counted_once)",
    ),
    "drop the transaction": (
        lambda: library(desk_store=store("desk.db", connection=WithoutTransaction), is_counted=False),
        "died(OperationalError)",  # a savepoint that nobody has any more: it shows before the rows do
    ),
    "ack early": (lambda: library(wire=EarlyAck), "eventually(every_loan_is_counted_once)"),
    "drop the idempotency row": (
        lambda: library(desk_store=store("desk.db", unit=WithoutAnswers)),
        "always(a_command_is_done_once)",
    ),
    "drop the conflict-re-run check": (lambda: bank(is_claimed_harmless=True), "always(no_loan_is_charged_twice)"),
    "answer before the fsync": (
        lambda: library(desk_store=store("desk.db", connection=WithoutFsync), is_counted=False),
        "at_end(what_is_said_is_so)",
    ),
}
"""Each mutant, and the claim that it breaks."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_killed(mutant: str) -> None:
    """It breaks the claim that rests on the duty it lacks."""
    world, claim = MUTANTS[mutant]
    with pytest.raises(Counterexample) as found:
        explore(world(), runs=RUNS, budget=timedelta(minutes=5))
    assert found.value.claim == claim


def test_the_machinery_as_it_is_survives_every_single_fault() -> None:
    """No claim is broken where no duty is missing."""
    covered = explore(library(), runs=400, deviations=1, budget=timedelta(minutes=5))
    assert isinstance(covered, Covered)
    assert covered.deviations == 1


def test_a_command_that_may_have_been_charged_is_not_run_again() -> None:
    """Where the operation says that it must not be repeated, the conflict is the answer; there is no other plan."""
    assert isinstance(explore(bank(is_claimed_harmless=False)), Complete)
