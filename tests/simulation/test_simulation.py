"""Runs of production applications: the boring one, each crash of it, and what is kept and lost."""

from __future__ import annotations

import gc
import logging
import time
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import pytest
from attrs import define, frozen

from effect_runtime import App, Context, Do, Eff, Succeeded, Transaction, do, operation
from effect_runtime.errors import Diverged, LeftSimulation, NotSimulated, OpaqueValue, SitesVanished
from effect_runtime.interpreter import Host
from effect_runtime.outbox.memory import MemorySession, MemoryStore
from effect_runtime.testing import Canonical, Client, Faults, Planned, Run, Simulation, Site, View, Walk, explore
from effect_runtime.testing.world._process import OnCrash
from tests.simulation.corpus.bug_01_over_lend import bug as over_lend
from tests.simulation.corpus.bug_12_older_over_newer import twin as prices
from tests.simulation.corpus.office import Doing, Listener, app_of, office, recorded
from tests.simulation.running import simulation_of


def crashes(simulation: Simulation) -> list[Run]:
    """Run once for each crash that the boring run offers."""
    sites = simulation.run(Canonical()).asked
    plans = [
        {site: index}
        for site, titles in sites
        for index, title in enumerate(titles)
        if site.kind == "fault" and title.startswith("crash")
    ]
    with simulation.shut_in():
        return [simulation.run(Planned(plan)) for plan in plans]


def test_the_boring_run_is_sound_and_deviates_in_nothing() -> None:
    """Two clients, one after the other: the second is refused."""
    run = simulation_of(over_lend()).run(Canonical())
    assert run.is_sound
    assert run.plan == {}
    assert [type(exit).__name__ for exits in run.exits.values() for exit in exits] == ["Succeeded", "Failed"]


def test_a_race_is_exactly_one_deviation() -> None:
    """The fiber that has looked is parked; the other one lends the copy meanwhile."""
    site = Site("shop", "ann", "Readings.get", 1, "schedule")
    run = simulation_of(over_lend()).replay({site: 1})
    assert run.broken == ("no_copy_is_lent_twice",)
    assert run.plan == {site: 1}


def test_each_crash_of_two_contexts_keeps_what_was_committed_and_loses_nothing() -> None:
    """On both sides of each operation, commit, claim, publish, acknowledgement and settlement."""
    runs = crashes(simulation_of(prices(), faults=Faults(crashes=True)))
    assert len(runs) == 36
    assert [(run.crashes, run.is_sound) for run in runs] == [(1, True)] * len(runs)


def test_a_client_that_retries_is_answered_and_one_that_gives_up_is_not() -> None:
    """A program that a crash has interrupted is begun again under its id, or remains without an exit."""
    faults = Faults(crashes=True)
    retried = crashes(simulation_of(prices(), faults=faults, on_crash="retry"))
    assert {tuple(run.exits["ann"]) for run in retried} == {(Succeeded(None), Succeeded(None))}
    abandoned = crashes(simulation_of(prices(), faults=faults, on_crash="abandon"))
    assert (None, Succeeded(None)) in {tuple(run.exits["ann"]) for run in abandoned}
    assert all(run.is_sound for run in abandoned)


@pytest.mark.parametrize("seed", range(8))
def test_a_walk_can_be_replayed_from_its_plan(seed: int) -> None:
    """Any chooser's run yields a plan with the same trace."""
    simulation = simulation_of(prices(), faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)))
    walked = simulation.run(Walk(seed, every=6))
    assert simulation.replay(walked.plan).trace.hash == walked.trace.hash
    simulation.confirm(walked)


def test_the_other_order_is_as_sound_and_as_repeatable() -> None:
    """First come, first served: run once beside the boring order."""
    simulation = simulation_of(prices())
    run = simulation.run(Canonical(), order="first come")
    assert run.is_sound
    simulation.confirm(run)


@pytest.mark.parametrize("on_crash", ["retry", "abandon"])
def test_two_relays_on_one_store_lose_and_double_nothing(on_crash: OnCrash) -> None:
    """Two processes of one context: leases, fencing and a busy file are the production ones."""
    simulation = simulation_of(
        prices(),
        processes={"desk-1": ["desk"], "desk-2": ["desk"], "hall": ["hall"]},
        faults=Faults(crashes=True, messages=True, slow=(timedelta(minutes=1),)),
        on_crash=on_crash,
    )
    with simulation.shut_in():
        runs = [simulation.run(Walk(seed, every=10)) for seed in range(15)]
    assert [run.is_sound for run in runs] == [True] * 15
    assert {0, 1} <= {run.crashes for run in runs}


def test_a_plan_for_another_world_names_the_sites_that_vanished() -> None:
    """It is never silently passed."""
    gone = Site("shop", "ann", "Renamed.get", 1, "schedule")
    with pytest.raises(SitesVanished) as vanished:
        simulation_of(over_lend()).replay({gone: 1})
    assert vanished.value.sites == ("shop/ann Renamed.get #1 (schedule)",)


def test_a_run_leaves_no_task_behind_and_the_collector_as_it_was() -> None:
    """Also one with crashes, whose tasks were held until the checks were over."""
    simulation = simulation_of(prices(), faults=Faults(crashes=True))
    simulation.run(Walk(3))
    gc.collect()
    before = _tasks()
    for seed in range(5):
        simulation.run(Walk(seed))
    gc.collect()
    assert gc.isenabled()
    assert _tasks() == before


def _tasks() -> int:
    return sum(type(each).__name__ == "Task" for each in gc.get_objects())


@frozen
class Put:
    """Put a number into a slot, as `how` says."""

    slot: str
    how: str = "well"


class Slots:
    """Slots in a table of the memory store."""

    def __init__(self, session: MemorySession) -> None:
        self.session = session
        self.unordered: set[object] = {object(), object(), object()}

    @operation(kind="transactional")
    async def put(self, slot: str, how: str) -> object:
        """Put a number into a slot."""
        table = self.session.table("slot")
        table[slot] = table.get(slot, 0) + 1
        match how:
            case "by the clock":
                return time.time()
            case "by address":
                return [id(each) for each in self.unordered]
            case "opaque":
                return object()
            case _:
                return table[slot]


@frozen
class SlotRuntime:
    """What putting needs."""

    slots: Slots


def slots_app(store: Any, alive: list[Slots] | None = None) -> tuple[App, Any]:
    """Return an application on a store, and its one command. What it works with is kept `alive`."""
    slots = Context("slots", SlotRuntime)

    @slots.command(access="public")
    def put(cmd: Put) -> Do[None, Any, SlotRuntime]:
        rt = yield from slots.runtime
        yield from rt.slots.put(cmd.slot, cmd.how)

    def make(tx: Transaction[Any]) -> SlotRuntime:
        found = Slots(tx.session)
        if alive is not None:
            alive.append(found)
        return SlotRuntime(found)

    return App("slots", contexts=[slots.bind(make, store=store)]), put


def test_a_memory_store_keeps_what_was_committed_over_a_crash() -> None:
    """What was not is undone, and the turn of the dead unit is free; each run begins from what is given."""
    app, put = slots_app(MemoryStore())
    put_twice = [put(Put("a")), put(Put("b"))]
    simulation = Simulation(app, [Client("ann", put_twice)], given=[put(Put("a"))], faults=Faults(crashes=True))
    runs = crashes(simulation)
    assert len(runs) == 12
    assert [(run.is_sound, run.exits["ann"]) for run in runs] == [(True, [Succeeded(None)] * 2)] * len(runs)
    found = [step.values[-1] for step in simulation.run(Canonical()).trace.steps if step.what == "Slots.put"]
    assert found == [2, 1]


def test_a_run_draws_no_id_that_what_is_given_has_drawn() -> None:
    """An outbox would take the first event of a run for that of the day before."""
    case = prices()
    (ann,) = case.clients
    yesterday = Client("yesterday", [ann.programs[1]])
    today = Client("ann", ann.programs[:1])
    simulation = Simulation(case.app, [today], given=[yesterday], eventually=case.eventually)
    run = simulation.run(Canonical())
    assert (run.failure, run.exits) == (None, {"ann": [Succeeded(None)]})


def test_a_real_clock_in_a_program_fails_the_run_with_its_line() -> None:
    """The client is answered with it, too; but a run that was refused something has simulated nothing."""
    app, put = slots_app(MemoryStore())
    with pytest.raises(LeftSimulation) as refused:
        Simulation(app, [Client("ann", [put(Put("a", "by the clock"))])]).run(Canonical())
    assert refused.value.name == "time.time"
    assert str(refused.value.place).endswith(" in Slots.put")


def test_a_value_that_shows_its_address_is_refused_when_the_trace_is_read() -> None:
    """Two runs would never agree on it."""
    app, put = slots_app(MemoryStore())
    opaque = [Client("ann", [put(Put("a", "opaque"))])]
    with pytest.raises(OpaqueValue, match=r"Slots\.put"):
        Simulation(app, opaque).run(Canonical()).trace.hash  # reading it is what is tested
    lenient = Simulation(app, opaque, strict=False)
    assert lenient.run(Canonical()).trace.hash == lenient.run(Canonical()).trace.hash


def test_a_program_that_depends_on_addresses_diverges_at_a_named_step() -> None:
    """The guard runs it twice and shows the first step that differs."""
    alive: list[Slots] = []  # as long as they live, no other object has their addresses
    app, put = slots_app(MemoryStore(), alive)
    simulation = Simulation(app, [Client("ann", [put(Put("a", "by address"))])])
    run = simulation.run(Canonical())
    with pytest.raises(Diverged) as diverged:
        simulation.confirm(run)
    assert "Slots.put" in (diverged.value.first or "")
    assert alive


class Elsewhere:
    """A store that nobody simulates."""

    name = "elsewhere"

    def opened(self, host: Host) -> AbstractAsyncContextManager[Any]:
        """Open nothing: it is refused before."""
        raise LookupError(host)


def test_a_store_that_nobody_simulates_is_refused_by_name() -> None:
    """At once, rather than run against the real one."""
    app, _ = slots_app(Elsewhere())
    with pytest.raises(NotSimulated, match="context 'slots'"):
        Simulation(app, [])


def test_claims_are_looked_at_after_every_commit() -> None:
    """What holds at the end need not have held before."""
    case = prices()
    seen: list[int] = []

    def watched(view: View) -> bool:
        seen.append(sum(recorded(view, "desk", "price").values()))
        return True

    Simulation(case.app, [Client("ann", case.clients[0].programs)], always=[watched]).run(Canonical())
    assert seen == sorted(seen)
    assert {10, 20} <= set(seen)


@do
def nothing() -> Do[None]:
    """Do nothing."""
    return
    yield  # a do-block is a generator


def test_a_program_that_asks_nobody_runs_in_the_first_process() -> None:
    """A client without a command has no context of its own."""
    empty: Eff[None] = nothing()
    assert simulation_of(over_lend(), horizon=timedelta(seconds=1)).run(Canonical()).is_sound
    case = over_lend()
    assert Simulation(case.app, [Client("idle", [empty])]).run(Canonical()).exits == {"idle": [Succeeded(None)]}


def test_what_is_told_in_every_run_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Something to be mended in a program is one warning, not one for each of a thousand runs."""
    till, bank = office("till"), Listener()

    @till.command(access="public")
    def charge(cmd: Put) -> Doing[None]:
        rt = yield from till.runtime
        yield from rt.records.put("fee", cmd.slot, 1)
        yield from rt.outside.tell(cmd.slot)  # while the transaction is open

    app = App("till", contexts=app_of(till, outside=bank).bindings)  # it tells the log
    world = Simulation(app, [Client("ann", [charge(Put("a"))])], parties=[bank])
    for expected in ([("effect_runtime", logging.WARNING)], []):
        caplog.clear()
        assert all(world.run(Canonical()).is_sound for _ in range(3))
        assert [(record.name, record.levelno) for record in caplog.records] == expected


@pytest.mark.parametrize("faults", [Faults(), Faults(crashes=True)], ids=["undisturbed", "with crashes"])
def test_an_interruption_by_a_person_ends_the_search_at_once(faults: Faults) -> None:
    """It is no exit of a client's and no counterexample; the world can be searched again."""
    street = Street()
    app, cross = street.crossing()
    world = Simulation(app, [Client("ann", [cross(Put("a"))])], faults=faults)
    street.is_interrupted = True
    with pytest.raises(KeyboardInterrupt):
        explore(world, runs=20)
    street.is_interrupted = False
    assert world.run(Canonical()).exits == {"ann": [Succeeded(None)]}


@define(eq=False)
class Street:
    """Where somebody presses Ctrl-C, or does not."""

    is_interrupted: bool = False

    def crossing(self) -> tuple[App, Any]:
        """Return an application that asks here, and its one command."""
        street = Context("street", SlotRuntime)

        @street.command(access="public")
        def cross(cmd: Put) -> Do[None, Any, SlotRuntime]:
            rt = yield from street.runtime
            yield from rt.slots.put(cmd.slot, cmd.how)
            if self.is_interrupted:
                raise KeyboardInterrupt

        binding = street.bind(lambda tx: SlotRuntime(Slots(tx.session)), store=MemoryStore())
        return App("street", contexts=[binding]), cross
