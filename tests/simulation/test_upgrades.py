"""A process that comes back as the next version of its application, beside others that have not yet, on one ground."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import frozen

from effect_runtime import App, Context, Do, Succeeded, Transaction
from effect_runtime.errors import NotSimulated
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import Migration, SqliteSession, SqliteStore
from effect_runtime.testing import Client, Faults, Simulation, View, Walk
from tests.simulation.corpus.bug_12_older_over_newer import twin as prices
from tests.simulation.corpus.office import TABLES, SqliteRecords, recorded
from tests.simulation.faulty import SECOND, of, shown
from tests.simulation.running import simulation_of

CENTS = Migration(2, "cents", ("UPDATE record SET value = value * 100 WHERE kind = 'money'",))


@frozen
class Till:
    """What a till needs."""

    records: SqliteRecords


@frozen
class Pay:
    """Pay one."""


@frozen
class PayMore:
    """Pay so much."""

    much: int = 1


def version(*, unit: int, migrations: tuple[Migration, ...] = (TABLES,), message: type[Any] = Pay) -> tuple[App, Any]:
    """Return a till that counts in a unit of its own, and its command."""
    till = Context("till", Till)

    def pay(cmd: Any) -> Do[int, Any, Till]:
        rt = yield from till.runtime
        paid = (yield from rt.records.get("money", "ann")) + unit * getattr(cmd, "much", 1)
        yield from rt.records.put("money", "ann", paid)
        yield from rt.records.put("unit", "ann", unit)
        return paid // unit

    pay.__annotations__["cmd"] = message
    command = till.command(access="public")(pay)

    def make(tx: Transaction[SqliteSession]) -> Till:
        return Till(SqliteRecords(tx.session))

    store = SqliteStore("till.db", migrations=migrations)
    return App("till", contexts=[till.bind(make, store=store)], diagnostics=lambda _: None), command


def tills(following: App, **options: Any) -> Simulation:
    """Return a world of the first version, which counts in whole pieces and may come back as another one."""
    app, pay = version(unit=1)

    def nothing_is_lost_or_found(view: View) -> bool:
        unit = recorded(view, "till", "unit").get("ann", 1)
        return recorded(view, "till", "money").get("ann", 0) == 2 * unit

    faults = Faults(crashes=True, upgrade=following, slow=(SECOND,))
    clients = [Client("ann", [pay(Pay()), pay(Pay())])]
    return Simulation(app, clients, faults=faults, eventually=[nothing_is_lost_or_found], **options)


def test_new_code_on_old_rows_shows_a_migration_that_was_forgotten() -> None:
    """Each version is right by itself, and survives every crash of its own."""
    bug, _ = version(unit=100)
    twin, _ = version(unit=100, migrations=(TABLES, CENTS))
    assert shown(tills(bug)) == {"crash and upgrade before"}
    assert shown(tills(twin)) == set()


def test_the_next_version_answers_the_clients_of_this_one() -> None:
    """Their messages go to the handlers of the same names, with fields that are new there at their defaults."""
    following, _ = version(unit=100, migrations=(TABLES, CENTS), message=PayMore)
    run = of(tills(following), "crash and upgrade before", nth=5)
    told = [(step.process, step.what) for step in run.trace.steps if step.what in ("CRASH", "restart")]
    assert told == [("till", "CRASH"), ("till", "restart")]
    assert (run.failure, [exit.value for exit in run.exits["ann"] if exit is not None]) == (None, [1, 2])  # type: ignore[union-attr]  # both succeed: nothing else has a value


def empty(name: str, context: str, store: Any) -> App:
    """Return an application of one context without a handler."""
    made = Context(context, Till)
    return App(name, contexts=[made.bind(lambda tx: Till(tx.session), store=store)], diagnostics=lambda _: None)


def test_an_upgrade_that_lacks_something_is_refused_with_everything_that_it_lacks() -> None:
    """A context, a kind of store, a handler, a field without a default: the place and the way out of each."""
    with pytest.raises(NotSimulated) as refused:
        tills(empty("next", "desk", MemoryStore()))
    assert str(refused.value) == (
        "the upgrade of app 'till' to 'next' cannot be simulated: "
        "context 'till' is missing; bind it in the next version, too; "
        "context 'desk' is new and no process runs it; bind it in this version, too."
    )
    with pytest.raises(NotSimulated) as refused:
        tills(empty("next", "till", MemoryStore()))
    assert "context 'till' moves from SqliteStore to MemoryStore; let it keep its kind of store" in str(refused.value)
    assert "command till.pay (" in str(refused.value)
    assert ") is missing; keep a handler of that name" in str(refused.value)


@frozen
class PayWhom:
    """Pay somebody."""

    whom: str


def test_a_handler_whose_message_cannot_be_made_from_the_old_one_is_refused() -> None:
    """Clients of this version would not know what to send."""
    following, _ = version(unit=1, message=PayWhom)
    with pytest.raises(NotSimulated, match=r"which cannot be made from .*; give new fields a default"):
        tills(following)


def test_old_and_new_run_side_by_side_on_one_store_and_one_broker() -> None:
    """A rolling upgrade: each process comes back as the next version when it dies, the others stay what they are."""
    simulation = simulation_of(
        prices(),
        processes={"desk-1": ["desk"], "desk-2": ["desk"], "hall": ["hall"]},
        faults=Faults(upgrade=prices().app, power=True, messages=True),
    )
    assert shown(simulation) == set()
    run = of(simulation, "crash and upgrade before", nth=3)
    assert (run.failure, run.crashes, [type(exit) for exit in run.exits["ann"]]) == (None, 1, [Succeeded, Succeeded])


@pytest.mark.parametrize("seed", range(4))
def test_a_walk_through_upgrades_can_be_repeated(seed: int) -> None:
    """Several processes, one after the other, wherever chance says."""
    faults = Faults(crashes=True, storms=True, upgrade=prices().app, messages=True, pauses=(SECOND,))
    simulation = simulation_of(prices(), faults=faults)
    walked = simulation.run(Walk(seed, every=8))
    assert walked.failure is None
    assert simulation.replay(walked.plan).trace.hash == walked.trace.hash
