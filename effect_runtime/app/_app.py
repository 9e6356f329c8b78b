"""The application: contexts, stores and a wire put together; the typed doors, and the dynamic one.

The only thing that opens and closes. Knows nothing of what its contexts do.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from datetime import timedelta
from functools import partial
from os import PathLike
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

from attrs import evolve

from effect_runtime.app._agenda import AllAgendas
from effect_runtime.app._catalogue import Catalogue
from effect_runtime.app._letters import AllDeadLetters
from effect_runtime.app._live import Live, opened
from effect_runtime.app._plan import Plan, Profile
from effect_runtime.app._promises import manifest_of, promise_faults, topics_of
from effect_runtime.app._site import Counts
from effect_runtime.app._verification import app_faults
from effect_runtime.dispatch import (
    Binding,
    Diagnostic,
    Invalid,
    MessageContext,
    NotDone,
    OutsideUnit,
    Principal,
    Store,
    Subscription,
    TransportInterpreter,
    anonymous,
    way_out,
)
from effect_runtime.effect import Call, Died, Eff, Failed, Raised, Succeeded
from effect_runtime.errors import (
    AppAlreadyRunning,
    AppNotRunning,
    CommandIdWithoutCommand,
    CommandNotDone,
    UnhandledFailure,
    raise_faults,
)
from effect_runtime.integration import FieldErrors, Secrets, Topic, Transport
from effect_runtime.interpreter import Host, Interceptor, Interpreter, system_host
from effect_runtime.manifest import WireManifest
from effect_runtime.outbox import ConsumerPolicy, Health, Pace, Purged, RelayPolicy, Retention

A = TypeVar("A")
E = TypeVar("E")

_OUTSIDE: Final = OutsideUnit()
_RETENTION: Final = Retention()


class App:
    """An application: `async with app.running():` opens it, `await app.run(command(...))` uses it.

    `transport="outbox"` commits integration events with the data; "immediate" sends them after the commit and loses
    them with the process. `interceptors` lie around every operation. `diagnostics` is told of what works and should
    not stay as it is, of a bug in a subscriber and of each dead letter; the default logs a warning. `tenant` is
    put on events that carry none, and events of other tenants are refused. `foreign_topics` are those that other
    applications publish on the same wire. `relay`, `consumer` and `pace` bound delivery: leases, attempts, how long
    a subscriber may take, polling. `redact` lists types whose values dead letters must not show, beside what is
    annotated `Redacted[...]`. `retention` says how long each store keeps what is done; None keeps all of it for ever.
    `manifest` is the committed wire manifest, or the path of its file: a change that breaks it is refused when the app
    is built.
    """

    def __init__(
        self,
        name: str,
        *,
        contexts: Sequence[Binding],
        wire: Transport | None = None,
        profile: Profile = "development",
        transport: Literal["outbox", "immediate"] | TransportInterpreter = "outbox",
        interceptors: Sequence[Interceptor] = (),
        host: Host | None = None,
        diagnostics: Callable[[Diagnostic], None] | None = None,
        tenant: str | None = None,
        foreign_topics: Sequence[type[Topic]] = (),
        relay: RelayPolicy | None = None,
        consumer: ConsumerPolicy | None = None,
        pace: Pace | None = None,
        drain: timedelta = timedelta(seconds=10),
        redact: Sequence[Any] = (),
        retention: Retention | None = _RETENTION,
        manifest: WireManifest | str | PathLike[str] | None = None,
        debug: bool = False,
    ) -> None:
        self._plan = Plan(
            name=name,
            bindings=tuple(contexts),
            wire=wire,
            profile=profile,
            transport=transport,
            interpreter=Interpreter(tuple(interceptors), host or system_host(), debug),
            diagnose=diagnostics or _warn,
            tenant=tenant,
            foreign_topics=tuple(foreign_topics),
            relay=relay,
            consumer=consumer,
            pace=pace,
            drain=drain,
            secrets=Secrets(redact),
            retention=retention,
        )
        self._live: Live | None = None
        self._is_taken = False
        self._catalogue: Catalogue | None = None
        self._is_moved = False
        self._committed = manifest

    @property
    def name(self) -> str:
        """Return the application's name."""
        return self._plan.name

    @property
    def topics(self) -> tuple[type[Topic], ...]:
        """Return every topic that its contexts publish or hear."""
        return topics_of(self._plan)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """Return its contexts with their stores."""
        return self._plan.bindings

    def build(self) -> None:
        """Import the modules that contexts name and verify everything; `running` does this first.

        Raises one `errors.ConfigurationError` with every fault: its code, its place and the way out.
        """
        self._verify()
        if self._committed is not None:
            raise_faults(f"app {self.name!r}", promise_faults(self._plan, self._committed))
        self._catalogue = Catalogue.of(self._plan)

    def manifest(self) -> WireManifest:
        """Return what the code promises on the wire now, once it is verified; what was committed is not asked.

        Raises `errors.ConfigurationError` as `build` does.
        """
        self._verify()
        return manifest_of(self._plan)

    def moved(
        self,
        host: Host,
        place: Callable[[Binding], Store[Any, Any] | None],
        *,
        wire: Transport | None,
        interceptors: Sequence[Interceptor] = (),
        elsewhere: Sequence[Subscription[Any]] = (),
        pace: Pace | None = None,
        heard: set[tuple[str, str, str]] | None = None,
    ) -> App:
        """Return the same application on other ground: host, wire, and for each context the store that `place` names.

        A context for which `place` names none runs elsewhere: its subscriptions are known, as are those of `elsewhere`,
        and nothing of it is opened. `interceptors` lie inside those that the application has. What was built before
        is not verified again. A diagnostic whose kind, command and place are in `heard` is not told again; what is told
        is added there.
        """
        plan = self._plan
        placed = [(binding, place(binding)) for binding in plan.bindings]
        away = (each for binding, store in placed if store is None for each in binding.context.subscriptions)
        app = copy(self)
        app._live, app._is_taken, app._is_moved = None, False, True
        app._plan = evolve(
            plan,
            bindings=tuple(evolve(binding, store=store) for binding, store in placed if store is not None),
            elsewhere=(*away, *elsewhere),
            interpreter=Interpreter((*plan.interpreter.interceptors, *interceptors), host, plan.interpreter.debug),
            wire=wire,
            pace=pace or plan.pace,
            diagnose=plan.diagnose if heard is None else partial(_tell_once, plan.diagnose, heard),
        )
        return app

    @asynccontextmanager
    async def running(
        self, *, relay: bool = True, consumers: bool = True, agenda: bool = True, janitor: bool = True
    ) -> AsyncIterator[App]:
        """Verify, open, start; on the way out take no more messages, drain and close in reverse.

        `relay`, `consumers`, `agenda` and `janitor` say what this process does beside answering its own doors, so that
        each may run in a process of its own. Volatile queues are worked on wherever their events come from.
        """
        if self._is_taken:
            raise AppAlreadyRunning(self.name)
        # Built again at each start: what its modules registered meanwhile is verified, too. A moved application has
        # seen that, and a simulation starts thousands.
        if self._catalogue is None or not self._is_moved:
            self.build()
        self._is_taken = True
        try:
            async with opened(self._plan, relay=relay, consumers=consumers, agenda=agenda, janitor=janitor) as live:
                self._live = live
                try:
                    yield self
                finally:
                    # Before the drain begins: doors refuse from here on, and it waits only for those that are in use.
                    self._live = None
        finally:
            self._is_taken = False

    async def run(
        self,
        eff: Eff[A, Any, Any],
        *,
        command_id: str | UUID | None = None,
        principal: Principal = anonymous,
        correlation: str | None = None,
        causation: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        tenant: str | None = None,
    ) -> A:
        """Dispatch a command or query, or a program made of them, and return its value.

        A failure, and whatever kept the command from being done, is raised as `errors.UnhandledFailure`; a defect as
        itself. Under a `command_id` a command is done once: asked again, it answers with the stored success.
        """
        live = self._expect_live("run")
        context = self._context(eff, command_id, principal, correlation, causation, traceparent, tracestate, tenant)
        live.enter()
        try:
            return await _valued(live, eff, context)
        except Exception as error:
            live.tidy(error)
            raise
        finally:
            live.leave()

    async def run_exit(
        self,
        eff: Eff[A, E, Any],
        *,
        command_id: str | UUID | None = None,
        principal: Principal = anonymous,
        correlation: str | None = None,
        causation: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        tenant: str | None = None,
    ) -> Succeeded[A] | Failed[E | NotDone] | Died:
        """Dispatch as `run` does, and return how it ended.

        `Failed` holds a declared failure or a `NotDone`; `Died` a defect. Cancellation by the host passes.
        """
        live = self._expect_live("run_exit")
        context = self._context(eff, command_id, principal, correlation, causation, traceparent, tracestate, tenant)
        return await self._exit(live, eff, context)

    async def send(
        self,
        message: object,
        fields: Mapping[str, object] | None = None,
        *,
        command_id: str | UUID | None = None,
        principal: Principal = anonymous,
        correlation: str | None = None,
        causation: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        tenant: str | None = None,
    ) -> Succeeded[Any] | Failed[Any] | Died:
        """Dispatch a message that is only known at run time: for HTTP, command lines and brokers.

        `message` is an instance of a command or query, or its name with plain `fields`: "BorrowBook",
        "lending.borrow_book". Fields that do not fit are all reported, in one `Failed(Invalid(...))`. Raises
        `errors.MessageUnknown` and `errors.MessageAmbiguous`.
        """
        live = self._expect_live("send")
        assert self._catalogue is not None  # built before it runs
        handler = self._catalogue.handler_of(message)
        if fields is None and self._catalogue.is_name(message):
            fields = {}
        built = message if fields is None else self._catalogue.build(handler, fields)
        eff: Eff[Any, Any, Any] = Call(handler, built, title=handler.name)
        context = self._context(eff, command_id, principal, correlation, causation, traceparent, tracestate, tenant)
        # Refused in dispatch and not here, so that it is audited like any other refusal.
        if isinstance(built, FieldErrors):
            invalid = Invalid(built.fields)
            live.enter()
            try:
                await live.dispatcher.refuse(handler, context, invalid)
            finally:
                live.leave()
            return Failed(invalid)
        return await self._exit(live, eff, context)

    @property
    def dead_letters(self) -> AllDeadLetters:
        """Return the dead letters of all stores: list, get, reproduce, replay, discard."""
        live = self._expect_live("dead_letters")
        return AllDeadLetters(tuple(site.dead_letters for site in live.sites.values()), self._plan)

    @property
    def agenda(self) -> AllAgendas:
        """Return what the contexts will do later, on all stores: list, cancel, reschedule."""
        live = self._expect_live("agenda")
        return AllAgendas(tuple(site.stored_agenda for site in live.sites.values()))

    async def health(self) -> dict[str, Health]:
        """Look at delivery on each store, by the store's name."""
        live = self._expect_live("health")
        return {site.name: await site.health(live.plan) for site in live.sites.values()}

    def counts(self) -> dict[str, Counts]:
        """Return what relays, consumers and agendas have done since the application runs, by the store's name."""
        live = self._expect_live("counts")
        return {site.name: site.counts for site in live.sites.values()}

    async def purge(self, retention: Retention | None = None) -> Purged:
        """Forget in all stores what is old now, by the application's retention or another, and say what was removed.

        What is still needed stays, however old it is. Cancelled in between, what was removed stays removed.
        """
        live = self._expect_live("purge")
        kept = retention or live.plan.retention or Retention.for_ever()
        purged = [await site.purge(kept, live.plan.host) for site in live.sites.values()]
        return sum(purged, Purged())

    async def settled(self) -> None:
        """Wait until every committed event has arrived or waits for a later attempt, and nothing is due.

        For tests and scripts.
        """
        await self._expect_live("settled").settled()

    def _verify(self) -> None:
        plan = self._plan
        faults = app_faults(
            plan.name,
            plan.bindings,
            has_wire=plan.wire is not None,
            transport=plan.transport,
            profile=plan.profile,
            foreign=plan.foreign_topics,
        )
        raise_faults(f"app {plan.name!r}", faults)

    def _expect_live(self, what: str) -> Live:
        if self._live is None or self._live.closing:
            raise AppNotRunning(self.name, what=f"app.{what}")
        return self._live

    async def _exit(
        self, live: Live, eff: Eff[A, E, Any], context: MessageContext
    ) -> Succeeded[A] | Failed[E | NotDone] | Died:
        live.enter()
        try:
            return Succeeded(await _dispatched(live, eff, context))
        except Raised as signal:
            return Failed(signal.error)
        except CommandNotDone as error:
            return Failed(error.reason)
        except Exception as defect:
            live.tidy(defect)
            return Died(defect)
        finally:
            live.leave()

    def _context(
        self,
        eff: Eff[Any, Any, Any],
        command_id: str | UUID | None,
        principal: Principal,
        correlation: str | None,
        causation: str | None,
        traceparent: str | None,
        tracestate: str | None,
        tenant: str | None,
    ) -> MessageContext:
        named = None if command_id is None else str(command_id)
        if named is not None and not isinstance(eff, Call):
            # An id stands for one stored answer: a program of several would repeat the others each time.
            raise CommandIdWithoutCommand(named, program=repr(eff))
        return MessageContext(
            correlation=correlation or named or str(self._plan.host.entropy.uuid()),
            causation=causation,
            principal=principal,
            command_id=named,
            traceparent=traceparent,
            tracestate=tracestate,
            tenant=tenant or self._plan.tenant,
        )

    def __repr__(self) -> str:
        return f"<App {self.name!r}>"


async def _valued(live: Live, eff: Eff[A, Any, Any], context: MessageContext) -> A:
    """Run a program at the door that raises failures."""
    try:
        value: A = await _dispatched(live, eff, context)
        return value
    except Raised as signal:
        # Not chained: the signal is ours, and its traceback is all that a user knows of it.
        raise UnhandledFailure(signal.error).with_traceback(signal.__traceback__) from None
    except CommandNotDone as error:
        raise UnhandledFailure(error.reason, way_out(error.reason)) from error


async def _dispatched(live: Live, eff: Eff[Any, Any, Any], context: MessageContext) -> Any:
    """Run a program at a door; what goes wrong is raised raw."""
    interpreter = live.plan.interpreter
    if isinstance(eff, Call) and not interpreter.interceptors:
        return await live.dispatcher.answer(eff, context)  # one message, and nobody looks on: no loop around it
    return await interpreter.with_perform(live.dispatcher.door(context)).interpret(eff, _OUTSIDE)


def _tell_once(tell: Callable[[Diagnostic], None], heard: set[tuple[str, str, str]], diagnostic: Diagnostic) -> None:
    known = diagnostic.kind, diagnostic.command, diagnostic.place
    if known not in heard:
        heard.add(known)
        tell(diagnostic)


def _warn(diagnostic: Diagnostic) -> None:
    logging.getLogger("effect_runtime").warning("%s", diagnostic)
