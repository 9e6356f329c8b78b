"""One run: processes on durable ground, driven until the clients are done and then until all is quiet.

Built for one run and disposed of after it. What outlives it, disks and parties, belongs to the simulation.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Final, final

from attrs import evolve

from effect_runtime.app import App
from effect_runtime.dispatch import Binding
from effect_runtime.effect import Died, Exit
from effect_runtime.integration import Transport, topic_name
from effect_runtime.interpreter import Host, Interceptor
from effect_runtime.outbox import Pace
from effect_runtime.testing.ground._boundaries import Boundaries
from effect_runtime.testing.ground._broker import Broker, BrokerWire, Delivery
from effect_runtime.testing.ground._disk import Disk
from effect_runtime.testing.ground._guarded import GuardedStore
from effect_runtime.testing.ground._party import state_of
from effect_runtime.testing.loop._host import VirtualTime, virtual_host
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._sequencer import FIBER, Ending, Order, Sequencer
from effect_runtime.testing.loop._site import Chooser
from effect_runtime.testing.loop._trace import Trace
from effect_runtime.testing.world._claims import Claim, Claims
from effect_runtime.testing.world._history import History, Spoken
from effect_runtime.testing.world._process import Ground, Process, Visit
from effect_runtime.testing.world._run import Run
from effect_runtime.testing.world._setting import Durable, Hears, Movable, Setting
from effect_runtime.testing.world._upgrade import Heirs, heirs_of, readdressed
from effect_runtime.transports import InProcess

_IDLE: Final = timedelta(seconds=15)
"""Virtual time between two looks in vain: much shorter than what is slow here, and seldom, for each costs real time."""

_ALONE: Final = Pace(alone=True, idle_poll=_IDLE)

_SHARED: Final = Pace(idle_poll=_IDLE)

_LOOKS: Final = 10
"""How often within a horizon processes look at least for what they were not told of."""

_GIVEN: Final = 1 << 15
"""The number of the first process that does what is given. Numbers have two bytes in an id."""


@final
class World:
    """A run while it goes on."""

    def __init__(self, setting: Setting, chooser: Chooser, durable: Mapping[int, Durable], *, order: Order) -> None:
        self.sequencer = Sequencer(chooser, order=order, bound=setting.bound, strict=setting.strict)
        self._order: Order = order
        self._setting = setting
        self._durable = durable
        self._broker = Broker()
        self._healed = False
        self._boundaries: list[Boundaries] = []
        self._claims = Claims()
        self._history = History() if setting.linearizable is not None else None
        # A run must not draw the ids of what was given: an inbox would take its events for those.
        numbered = enumerate(setting.processes, _GIVEN if setting.is_given else 0)
        self._hosts = {
            name: virtual_host(self.sequencer, number=number, start=setting.start) for number, name in numbered
        }
        upgrade = setting.faults.upgrade
        self._heirs: Heirs = {} if upgrade is None else heirs_of(setting.app, upgrade)
        self._ways = {binding.name: durable[id(binding.store)] for binding in setting.bindings}
        self._pace = _pace(setting)
        if setting.faults.deaths:
            self.sequencer.outlives = self._outlives
        self._join()
        self.processes = [
            Process(
                self.sequencer,
                name,
                [Visit(client) for client in setting.clients.get(name, ())],
                on_crash=setting.on_crash,
                ground=self._ground,
                clock=_clock(self._hosts[name]),
                lose_power=self._lose_power,
            )
            for name in setting.processes
        ]

    def query(self, context: str, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the SQLite store of one context."""
        disk = self._ways[context]
        assert isinstance(disk, Disk)  # the claim says so itself, by asking in SQL
        return disk.query(statement)

    @property
    def exits(self) -> dict[str, Sequence[Exit[Any, Any] | None]]:
        """Return how the programs of each client have ended so far; None is one that was given up after a crash."""
        return {visit.client.name: visit.exits for process in self.processes for visit in process.visits}

    def dead_letters(self, context: str) -> list[str]:
        """Return why each dead letter of one context came to be one."""
        causes = self._ways[context].content()["dead letters"]
        return [cause if isinstance(cause, str) else cause[0] for cause in causes]

    def run(self) -> Run:
        """Boot, let the clients come and go and what they have begun come to rest; heal, and come to rest again."""
        sequencer = self.sequencer
        for process in self.processes:
            process.boot()
        ending = self._awaited()
        if ending == "done":
            sequencer.unfinished += 1  # nobody is awaited any more: what is left is to become quiet
            # Disturbed first: a due command, a later try or a redelivery may fail as well as what clients ask for.
            rest = self._rested()
            if rest == "quiet":
                self._heal()
                rest = self._rested()
            if rest == "restless":
                ending = rest
        self.watch()
        self._look("at_end", self._setting.at_end)
        self._look("eventually", self._setting.eventually)
        if self._claims.trouble is not None:
            raise self._claims.trouble
        unexplained = self._unexplained()
        return Run(
            plan=sequencer.plan,
            order=self._order,
            asked=sequencer.asked,
            trace=sequencer.trace,
            ending=ending,
            exits=self.exits,
            broken=tuple(self._claims.broken),
            failure=self._failure(ending),
            troubles=tuple(sequencer.troubles),
            crashes=sum(len(process.lives) - 1 for process in self.processes),
            busiest=sequencer.busiest,
            reached=tuple(self._claims.reached),
            said=self._claims.said,
            unexplained=unexplained,
            remains=sequencer.remains,
        )

    def _rested(self) -> Ending:
        """Drive until nothing has come for as long as the horizon is."""
        return self.sequencer.drive(self.sequencer.now + self._setting.horizon.total_seconds())

    def _awaited(self) -> Ending:
        """Drive until the clients are done, or nothing has become of them for as long as the horizon is."""
        horizon = self._setting.horizon.total_seconds()
        late = (client.after for clients in self._setting.clients.values() for client in clients)
        until = horizon + max((after.total_seconds() for after in late), default=0.0)
        while True:
            ending, trace = self.sequencer.drive(until), self.sequencer.trace
            # What was put off, or came late, or has just begun, has its own time from there.
            told = (trace.steps[number].at for number in trace.deviations)
            turned = (step.at for step in trace.steps if step.what in ("begin", "end"))
            latest = max((*told, *turned), default=0.0)
            if ending != "quiet" or latest + horizon <= until:
                return ending
            until = latest + horizon

    def _outlives(self) -> Hashable:
        """Return what tells two states of all that is durable apart."""
        stores = tuple((each.version, getattr(each, "broken", None)) for each in self._durable.values())
        clocks = tuple((process.clock.skew, process.is_upgraded) for process in self.processes)
        return stores, self._broker.version, clocks, tuple(state_of(party) for party in self._setting.parties)

    def watch(self) -> None:
        """Look at what must always hold, and at what should once."""
        self._look("always", self._setting.always)
        self._claims.notice(self._setting.sometimes, self)

    def _look(self, kind: str, claims: Sequence[Claim]) -> None:
        for name in self._claims.look(kind, claims, self):
            self.sequencer.tell("--", "--", f"{name} does not hold")

    def _unexplained(self) -> Sequence[Spoken]:
        claim = self._setting.linearizable
        if claim is None or self._history is None:
            return ()
        unexplained = claim.unexplained(self._history.spoken)
        if unexplained:
            self._claims.broken[claim.title] = claim.title
        return unexplained

    def _failure(self, ending: Ending) -> str | None:
        """Name what went wrong. What cannot end breaks claims about the end, too: that it cannot is the cause."""
        unsafe = next((title for title in self._claims.broken.values() if title.startswith("always")), None)
        if unsafe is None and ending != "done":
            return "deadlock" if ending == "quiet" else "livelock"
        for title in (unsafe, *self._claims.broken.values(), self._defect()):
            if title is not None:
                return title
        return f"uncaught({type(self.sequencer.troubles[0]).__name__})" if self.sequencer.troubles else None

    def _defect(self) -> str | None:
        """Name the first defect of which a client's program died, unless it is one that was put there."""
        put = [fails.failure for fails in self._setting.faults.fails]
        exits = (exit for process in self.processes for visit in process.visits for exit in visit.exits)
        for exit in exits:
            if isinstance(exit, Died) and not any(each is of for each in _causes(exit.exception) for of in put):
                return f"died({type(exit.exception).__name__})"
        return None

    @property
    def fibers(self) -> Iterator[tuple[str, str, Any]]:
        """Yield who has not ended in the present lives: process, fiber, and the coroutine that stands somewhere."""
        for process in self.processes:
            for task, context in process.life.unended:
                if FIBER in context:
                    yield process.name, context[FIBER].name, task.get_coro()

    def dispose(self) -> None:
        """Close what still waits, of every life. What it says of its end is no part of the run."""
        self.sequencer.trace = Trace(strict=False)
        for process in self.processes:
            for life in process.lives:
                life.dispose()

    def _heal(self) -> None:
        self._healed = True
        self.sequencer.tell("--", "--", "healed")
        for boundaries in self._boundaries:
            boundaries.healed = True
        for durable in self._durable.values():
            if isinstance(durable, Disk):
                durable.broken = None
        for process in self.processes:
            process.clock.skew = timedelta(0)

    def _lose_power(self) -> None:
        for process in self.processes:
            process.die()

    def _join(self) -> None:
        """Make every group known before anything is published."""
        for binding in self._setting.bindings:
            for subscription in binding.context.subscriptions:
                self._broker.join(topic_name(subscription.topic), subscription.id)
        for heard in self._setting.hears:
            self._broker.join(topic_name(heard.topic), heard.id)

    def _ground(self, process: Process, life: Incarnation) -> Ground:
        setting, faults, version = self._setting, self._setting.faults, self._setting.app
        interceptors: list[Interceptor] = [] if self._history is None else [self._history.intercept]
        if process.is_upgraded and faults.upgrade is not None:
            version, faults = faults.upgrade, evolve(faults, upgrade=None)
            interceptors.append(readdressed(self._heirs))
        boundaries = Boundaries(self.sequencer, process.name, process, faults, self.watch, self._healed)
        self._boundaries.append(boundaries)
        stores, deaths = self._stores(version.bindings, process, boundaries)
        wire: Transport = InProcess()
        beside: Callable[[App], ExitStack] = _alone
        if len(setting.processes) > 1 or setting.hears:
            wire = broker_wire = BrokerWire(self._broker, life, boundaries, process.context)
            heard = [each for each in setting.hears if each.context in setting.processes[process.name]]
            beside = _listening(broker_wire, heard)
        app = version.moved(
            self._hosts[process.name],
            lambda binding: stores.get(id(binding.store)) if binding.name in setting.processes[process.name] else None,
            wire=wire if setting.around_wire is None else setting.around_wire(wire),
            interceptors=[*interceptors, boundaries.intercept],
            elsewhere=setting.elsewhere,
            pace=self._pace,
            heard=setting.heard,
        )

        def crash() -> None:
            for die in deaths:
                die()
            self._broker.drop(life)

        return Ground(app, beside, boundaries.again, crash)

    def _stores(
        self, bindings: Sequence[Binding], process: Process, boundaries: Boundaries
    ) -> tuple[dict[int, GuardedStore], list[Callable[[], None]]]:
        stores: dict[int, GuardedStore] = {}
        deaths: list[Callable[[], None]] = []
        for binding in bindings:
            if binding.name not in self._setting.processes[process.name] or id(binding.store) in stores:
                continue
            durable, store, breaks = self._ways[binding.name], binding.store, None
            if isinstance(durable, Disk):
                assert isinstance(store, Movable)  # a disk stands for nothing else
                drive = durable.drive(self._hosts[process.name])
                store, breaks = store.on(drive), self._breaking(durable)
                deaths.append(drive.crash)
            else:
                store = durable
                deaths.append(durable.abandon)
            stores[id(binding.store)] = GuardedStore(store, boundaries, breaks)
        return stores, deaths

    def _breaking(self, disk: Disk) -> Callable[[str], None]:
        def breaks(reason: str) -> None:
            disk.broken = reason
            mender = Incarnation(self.sequencer, "disk")
            mender.call_later(1.0, setattr, disk, "broken", None, context=contextvars.Context())

        return breaks


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from; what it was only raised meanwhile is another matter."""
    met: list[BaseException] = []  # a chain may be a ring
    while error is not None and error not in met:
        met.append(error)
        yield error
        error = error.__cause__


def _clock(host: Host) -> VirtualTime:
    assert isinstance(host.time, VirtualTime)  # all hosts of a run are virtual ones
    return host.time


def _pace(setting: Setting) -> Pace:
    """Say how often processes look for what they were not told of."""
    if _is_shared(setting):
        return _SHARED
    if not setting.faults.verdicts and not setting.faults.clocks:
        return _ALONE
    # A commit may go unheard, or a clock be set: somebody has to look, but each look is in every run.
    every = setting.horizon / _LOOKS
    return Pace(idle_poll=every, nap=every)


def _is_shared(setting: Setting) -> bool:
    """Tell whether two processes commit to one store."""
    users: dict[int, set[str]] = {}
    for binding in setting.bindings:
        names = {name for name, contexts in setting.processes.items() if binding.name in contexts}
        users.setdefault(id(binding.store), set()).update(names)
    return any(len(names) > 1 for names in users.values())


def _alone(app: App) -> ExitStack:
    return ExitStack()


def _listening(wire: BrokerWire, heard: Sequence[Hears]) -> Callable[[App], ExitStack]:
    def beside(app: App) -> ExitStack:
        stack = ExitStack()
        for each in heard:
            receive = each.receive

            async def take(delivery: Delivery, receive: Any = receive) -> None:
                await receive(app, delivery)

            stack.enter_context(wire.taking(each.id, topic_name(each.topic), take))
        return stack

    return beside
