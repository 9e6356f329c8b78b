"""A simulation: an application, who uses it and what may go wrong, to be run under any chooser as often as one likes.

Everything that runs is the production application. Searches stand on top: they choose plans and read what came of them.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any, Final, final

from attrs import evolve

from effect_runtime.app import App
from effect_runtime.dispatch import Binding
from effect_runtime.effect import Eff
from effect_runtime.errors import Diverged, LeftSimulation, NotSimulated, SitesVanished
from effect_runtime.integration import Transport
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing.ground._broker import PROMISED
from effect_runtime.testing.ground._disk import Disk
from effect_runtime.testing.ground._faults import Faults
from effect_runtime.testing.ground._party import Party
from effect_runtime.testing.ground._template import Template
from effect_runtime.testing.loop._host import NOON
from effect_runtime.testing.loop._ordered import ordered_scopes
from effect_runtime.testing.loop._outliving import changed, held
from effect_runtime.testing.loop._sequencer import Order
from effect_runtime.testing.loop._site import Canonical, Chooser, Plan, Planned
from effect_runtime.testing.loop._strict import inside_simulation, refusing
from effect_runtime.testing.loop._watch import watching
from effect_runtime.testing.world._claims import Claim, name_of
from effect_runtime.testing.world._contract import check_faults, check_world, placed
from effect_runtime.testing.world._linear import Linearizable
from effect_runtime.testing.world._process import Client, OnCrash
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._setting import Durable, Hears, Movable, Setting
from effect_runtime.testing.world._witness import Witness
from effect_runtime.testing.world._world import World
from effect_runtime.transports import InProcess

_QUIET: Final = timedelta(minutes=5)


@final
class Simulation:
    """An application in a world without chance.

    Each context is a process of its own on a simulated broker, unless `processes` groups them; alone, or all in one,
    they use the production wire of one process. SQLite stores are kept in memory by a `Disk`. `given` runs once,
    undisturbed, and every run starts from what it left in the stores: effects, or clients where it matters who asks.
    It must not talk to `parties`, which each run resets. `always` must hold after every commit, `at_end` and
    `eventually` when faults have stopped, every process is up and `horizon` has passed since: what must not have
    happened, and what must have. A search in which a claim of `sometimes` never holds has failed. `around_wire` wraps
    what each process sends and listens by. `strict` refuses real clocks, chance, threads, files, sockets inside a run.
    """

    def __init__(
        self,
        app: App,
        clients: Sequence[Client],
        *,
        given: Sequence[Eff[Any, Any, Any] | Client] = (),
        parties: Sequence[Party] = (),
        hears: Sequence[Hears] = (),
        processes: Mapping[str, Sequence[str]] | None = None,
        faults: Faults | None = None,
        on_crash: OnCrash = "retry",
        always: Sequence[Claim] = (),
        at_end: Sequence[Claim] = (),
        eventually: Sequence[Claim] = (),
        sometimes: Sequence[Claim] = (),
        linearizable: Linearizable | None = None,
        horizon: timedelta = _QUIET,
        start: datetime = NOON,
        strict: bool = True,
        bound: int = 20_000,
        around_wire: Callable[[Transport], Transport] | None = None,
    ) -> None:
        app.build()
        bindings = app.bindings
        grouped = processes or {binding.name: (binding.name,) for binding in bindings}
        check_world(bindings, grouped, [each.context for each in hears])
        wire = PROMISED if len(grouped) > 1 or hears else InProcess().features
        check_faults(faults or Faults(), app, wire, processes=len(grouped), horizon=horizon)
        self._setting = Setting(
            app=app,
            bindings=bindings,
            processes=grouped,
            clients=placed(clients, grouped),
            hears=tuple(hears),
            elsewhere=tuple(each.subscription for each in hears),
            faults=faults or Faults(),
            on_crash=on_crash,
            always=tuple(always),
            at_end=tuple(at_end),
            eventually=tuple(eventually),
            sometimes=tuple(sometimes),
            linearizable=linearizable,
            horizon=horizon,
            start=start,
            strict=strict,
            bound=bound,
            around_wire=around_wire,
            parties=tuple(parties),
        )
        self._parties = tuple(parties)
        self._given = tuple(given)
        self._durable = _durable(bindings)
        self._is_shut_in = False
        self._is_watched = False
        self._templates = self._prepared()

    def run(self, chooser: Chooser, *, order: Order = "run to block", witness: Witness | None = None) -> Run:
        """Run once; the same answers of a chooser give the same trace. A `witness` looks on, for a report.

        Raises `errors.LeftSimulation` for a strict run that reached for something real, whatever the program made of
        being refused. Names that a module had taken before are seen in the first run, and in those that `confirm`
        repeats.
        """
        is_watched, self._is_watched = not self._is_watched, True
        return self._run(chooser, order=order, witness=witness, is_watched=is_watched)

    def _run(self, chooser: Chooser, *, order: Order, witness: Witness | None = None, is_watched: bool) -> Run:
        with self.shut_in():
            for party in self._parties:
                party.reset()
            self._restore()
            run = _once(self._setting, chooser, self._durable, order=order, witness=witness, is_watched=is_watched)
            if witness is not None:
                witness.parties_end(self._parties)
            return run

    def replay(self, plan: Plan, *, order: Order = "run to block") -> Run:
        """Run as a plan says; raises `errors.SitesVanished` when the world has changed since it was made."""
        chooser = Planned(plan)
        run = self.run(chooser, order=order)
        if chooser.missed:
            raise SitesVanished([str(site) for site in chooser.missed])
        return run

    def confirm(self, run: Run) -> None:
        """Repeat a run; raises `errors.Diverged` with the first step that differs, if one does.

        A search does so by itself, now and then; `run` alone does not, for it would take twice as long.
        """
        again = self._run(Planned(run.plan), order=run.order, is_watched=True)
        for number, (first, second) in enumerate(zip_longest(run.trace.lines(), again.trace.lines())):
            if first != second:
                raise Diverged(number, first=first, second=second, outlived=self._outlived(run))

    def _outlived(self, run: Run) -> tuple[str, ...]:
        """Name what one more run changes, although nothing but the stores should know of it."""
        before = held(self._setting.bindings)
        self._run(Planned(run.plan), order=run.order, is_watched=False)
        return changed(before, held(self._setting.bindings))

    def contents(self) -> list[dict[str, list[Any]]]:
        """Return what the stores hold since the last run: the user's tables, events and dead letters of each."""
        return [each.content() for each in self._durable.values()]

    @property
    def clients(self) -> tuple[Client, ...]:
        """Return who uses the application."""
        return tuple(client for clients in self._setting.clients.values() for client in clients)

    @property
    def sometimes(self) -> tuple[str, ...]:
        """Return the names of what should hold once."""
        return tuple(name_of(claim) for claim in self._setting.sometimes)

    @property
    def on_crash(self) -> OnCrash:
        """Return what clients do about a crash."""
        return self._setting.on_crash

    @property
    def crashes(self) -> bool:
        """Tell whether processes crash."""
        return bool(self._setting.faults.deaths)

    def among(
        self, clients: Sequence[Client], *, on_crash: OnCrash | None = None, bound: int | None = None
    ) -> Simulation:
        """Return the same world with other clients, ones that take crashes otherwise, or a lower bound.

        Both stand on the same stores, which each run resets: run one at a time.
        """
        other = copy(self)
        other._is_shut_in = False
        setting = self._setting
        home = placed(clients, setting.processes)
        bound = setting.bound if bound is None else min(bound, setting.bound)
        other._setting = evolve(setting, clients=home, on_crash=on_crash or setting.on_crash, bound=bound)
        return other

    @contextmanager
    def shut_in(self) -> Iterator[None]:
        """Shut the real world out. Each run does so; entered around many runs, they share what it costs."""
        if self._is_shut_in:
            yield
            return
        self._is_shut_in = True
        enabled = gc.isenabled()
        gc.disable()  # a collection closes what waits, and when it comes is chance
        try:
            with inside_simulation() if self._setting.strict else nullcontext(), ordered_scopes():
                yield
        finally:
            self._is_shut_in = False
            if enabled:
                gc.enable()

    def _prepared(self) -> dict[int, Template]:
        """Run what is given, and return each disk as it was left."""
        with self.shut_in():
            self._give()
        return {key: each.template() for key, each in self._durable.items() if isinstance(each, Disk)}

    def _give(self) -> None:
        given = [
            each if isinstance(each, Client) else Client(f"given-{number}", [each])
            for number, each in enumerate(self._given)
        ]
        setting = evolve(
            self._setting,
            is_given=True,
            clients=placed(given, self._setting.processes),
            hears=(),
            faults=Faults(),
            always=(),
            at_end=(),
            eventually=(),
            sometimes=(),
            linearizable=None,
        )
        run = _once(setting, Canonical(), self._durable, order="run to block", is_watched=not self._is_watched)
        if not run.is_sound:
            reason = f"undisturbed it ends {run.ending}, with {run.exits!r} {run.troubles!r}; let it succeed"
            raise NotSimulated("what is given", reason=reason)

    def _restore(self) -> None:
        for key, template in self._templates.items():
            disk = self._durable[key]
            assert isinstance(disk, Disk)  # only disks have templates
            disk.reset(template)
        memory = [key for key, each in self._durable.items() if isinstance(each, MemoryStore)]
        for key in memory:
            self._durable[key] = MemoryStore(self._durable[key].name)
        if memory and self._given:
            self._give()


def _once(
    setting: Setting,
    chooser: Chooser,
    durable: Mapping[int, Durable],
    *,
    order: Order,
    witness: Witness | None = None,
    is_watched: bool,
) -> Run:
    world = World(setting, chooser, durable, order=order)
    if witness is not None:
        witness.attend(world.sequencer.trace, list(durable.values()))
    try:
        with refusing() if setting.strict else nullcontext(), watching() if is_watched else nullcontext():
            run = world.run()
        if witness is not None:
            witness.depart(world.fibers)
        return run
    finally:
        with suppress(LeftSimulation), refusing() if setting.strict else nullcontext():
            world.dispose()
        for each in durable.values():
            if isinstance(each, Disk):
                each.sql.host = None  # SQLite holds its functions where no collector sees them, and they this run


def _durable(bindings: Sequence[Binding]) -> dict[int, Durable]:
    durable: dict[int, Durable] = {}
    for binding in bindings:
        match binding.store:
            case Movable():
                durable.setdefault(id(binding.store), Disk(binding.store.name))
            case MemoryStore():
                durable.setdefault(id(binding.store), MemoryStore(binding.store.name))
            case other:
                reason = "nobody keeps it in memory; bind the context to a SqliteStore or a MemoryStore"
                raise NotSimulated(f"the store {other!r} of context {binding.name!r}", reason=reason)
    return durable
