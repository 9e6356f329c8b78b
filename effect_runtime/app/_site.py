"""One open store of a running application, and everything of ours that works on it: homes, relay, consumer, agenda.

Contexts that are bound to the same store value share a site. Knows the wire and the ports; opens stores and resources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from attrs import define, field, frozen

from effect_runtime.app._agenda import StoredAgenda
from effect_runtime.app._plan import Plan
from effect_runtime.app._takers import desks_of, queues_of, taker_of, titles_of
from effect_runtime.dispatch import (
    Binding,
    Dispatcher,
    Home,
    Services,
    TransportInterpreter,
    deliveries_of,
    entries_of,
    reactions_of,
)
from effect_runtime.events import declared_failures
from effect_runtime.integration import Transport, topic_name
from effect_runtime.interpreter import Host
from effect_runtime.outbox import (
    AgendaCounts,
    AgendaWorkers,
    Consumer,
    ConsumerCounts,
    ConsumerPolicy,
    DeadLetters,
    DeliveryStore,
    Health,
    ImmediateInterpreter,
    Janitor,
    Lookout,
    OutboxInterpreter,
    Purged,
    Relay,
    RelayCounts,
    Retention,
    Route,
    RunningQueues,
    VolatileQueue,
    VolatileWorkers,
    Wake,
    health,
    inlet_of,
)


@frozen(kw_only=True)
class Counts:
    """What relay, consumer, agenda and janitor of one store have done in this process since it began to run.

    All are zero for a loop that this process does not run.
    """

    relay: RelayCounts
    consumer: ConsumerCounts
    agenda: AgendaCounts
    purged: Purged = field(factory=Purged)


@define(eq=False)
class Site:
    """An open store with its homes; relay, consumer and workers of the agenda where this process runs them."""

    name: str
    store: Any
    lookout: Lookout
    wire: Transport | None = None
    # Two bells: an event for the relay is no reason for the agenda's workers to ask the store, nor the other way round.
    wake: Wake = field(factory=Wake)
    agenda_wake: Wake = field(factory=Wake)
    homes: dict[str, Home] = field(factory=dict)
    relay: Relay | None = None
    consumer: Consumer | None = None
    agenda: AgendaWorkers | None = None
    volatile: VolatileWorkers | None = None
    janitor: Janitor | None = None
    queues: dict[str, RunningQueues] = field(factory=dict)
    tally: Counter[str] = field(factory=Counter)
    routes: tuple[Route, ...] = ()

    @property
    def delivery(self) -> DeliveryStore:
        """Return the store as delivery sees it."""
        return cast("DeliveryStore", self.store)

    @property
    def destinations(self) -> tuple[str, ...]:
        """Return where its events must be accepted."""
        return tuple(dict.fromkeys(route.destination for route in self.routes))

    @property
    def dead_letters(self) -> DeadLetters:
        """Return the store's dead letters."""
        return DeadLetters(self.delivery, self.wake, self.wire)

    @property
    def reactions(self) -> tuple[str, ...]:
        """Return who may take something from its agenda."""
        return tuple(title for home in self.homes.values() for title in titles_of(home))

    @property
    def stored_agenda(self) -> StoredAgenda:
        """Return its agenda as operators handle it."""
        return StoredAgenda(self.delivery, self.agenda_wake, self.lookout)

    @property
    def loops(self) -> tuple[Relay | Consumer | AgendaWorkers | VolatileWorkers, ...]:
        """Return what this process runs on it."""
        loops = (self.relay, self.consumer, self.agenda, self.volatile)
        return tuple(loop for loop in loops if loop is not None)

    @property
    def is_calm(self) -> bool:
        """Tell whether nobody has anything to do now."""
        return all(loop.is_calm for loop in self.loops)

    async def calm(self) -> None:
        """Wait until nobody has anything to do."""
        for loop in self.loops:
            await loop.calm()

    @property
    def counts(self) -> Counts:
        """Return what its loops have done."""
        return Counts(
            relay=RelayCounts() if self.relay is None else self.relay.counts,
            consumer=ConsumerCounts() if self.consumer is None else self.consumer.counts,
            agenda=AgendaCounts(**self.tally),
            purged=Purged() if self.janitor is None else self.janitor.purged,
        )

    async def health(self, plan: Plan) -> Health:
        """Look at delivery on this store."""
        return await health(
            self.delivery,
            now=plan.host.time.now(),
            relay=self.relay,
            consumer=self.consumer,
            destinations=self.destinations,
            workers=tuple(each for each in (self.agenda, self.volatile) if each is not None),
            reactions=self.reactions,
            janitor=self.janitor,
        )

    async def purge(self, retention: Retention, host: Host) -> Purged:
        """Forget what is old now."""
        return await Janitor(self.delivery, retention, host=host).purge()


def home_of(plan: Plan, binding: Binding, site: Site, *, opened: Any, owners: Mapping[type, str]) -> Home:
    """Put together what one context needs while it is open."""
    context, services = binding.context, Services.of(plan.host)
    site.queues[context.name] = RunningQueues(
        {queue: [each.title for each in handlers] for queue, handlers in queues_of(context.after_commits).items()},
        store=site.delivery,
        lookout=site.lookout,
        wake=site.agenda_wake,
    )
    return Home(
        app=plan.name,
        binding=binding,
        store=site.store,
        opened=opened,
        transport=interpreter_of(plan, site),
        host=plan.host,
        services=services,
        interpreter=plan.interpreter,
        diagnose=plan.diagnose,
        tenant=plan.tenant,
        commands=entries_of(context.commands, plan.signatures),
        queries=entries_of(context.queries, plan.signatures),
        reactions=reactions_of(context.handlers, declared_failures),
        subscriptions=deliveries_of(context.subscriptions, plan.signatures),
        strangers=dict(owners),
        queues=site.queues[context.name],
    )


def interpreter_of(plan: Plan, site: Site) -> TransportInterpreter:
    """Return what commits the events of a site's units."""
    if plan.transport == "outbox":
        return OutboxInterpreter(site.wake)
    if plan.transport == "immediate":
        wire = plan.wire
        assert wire is not None  # verified: nothing is published without a wire
        return ImmediateInterpreter(wire, lambda topic: wire.destinations(topic, _ids(plan, topic)))
    return plan.transport


def routes_of(plan: Plan, site: Site) -> tuple[Route, ...]:
    """Say where the events that a site commits must be accepted."""
    if plan.wire is None:
        return ()
    routes: dict[tuple[str, str], bool] = {}
    for topic in (topic for home in site.homes.values() for topic in home.topics):
        name = topic_name(topic)
        for subscription in plan.subscriptions:
            if topic_name(subscription.topic) == name:
                for destination in plan.wire.destinations(name, (subscription.id,)):
                    # On a wire where subscriptions share a destination, one that wants the earliest gets it for all:
                    # the inbox of each tells what it has had.
                    earliest = routes.get((name, destination), False)
                    routes[name, destination] = earliest or subscription.start == "earliest"
    return tuple(Route(topic, destination, earliest) for (topic, destination), earliest in routes.items())


def relay_of(plan: Plan, site: Site) -> Relay | None:
    """Build the relay of a site, if it has anywhere to send to."""
    if plan.wire is None or plan.transport != "outbox" or not site.destinations:
        return None
    return Relay(
        site.delivery,
        plan.wire,
        site.destinations,
        host=plan.host,
        wake=site.wake,
        policy=plan.relay,
        pace=plan.pace,
    )


def consumer_of(plan: Plan, site: Site, dispatcher: Dispatcher) -> Consumer | None:
    """Build the consumer of a site, if it has subscriptions."""
    subscriptions = [each for home in site.homes.values() for each in home.subscriptions]
    if plan.wire is None or not subscriptions:
        return None
    inlets = [inlet_of(each, dispatcher, tenant=plan.tenant, secrets=plan.secrets) for each in subscriptions]
    return Consumer(
        site.delivery,
        inlets,
        host=plan.host,
        wake=site.wake,
        policy=plan.consumer,
        pace=plan.pace,
        diagnose=plan.diagnose,
    )


def agenda_of(plan: Plan, site: Site, dispatcher: Dispatcher) -> AgendaWorkers | None:
    """Build the workers of a site's agenda, if anything of its contexts can be on it."""
    desks = [desk for home in site.homes.values() for desk in desks_of(home, dispatcher, plan.secrets)]
    if not desks:
        return None
    return AgendaWorkers(
        site.delivery,
        desks,
        host=plan.host,
        wake=site.agenda_wake,
        ended=site.lookout.ended,
        tally=site.tally,
        policy=plan.consumer,
        pace=plan.pace,
        diagnose=plan.diagnose,
    )


def volatile_of(plan: Plan, site: Site, dispatcher: Dispatcher) -> VolatileWorkers | None:
    """Build the workers of a site's volatile queues and open those queues, if there are any."""
    # Of its own, because these queues are in no store: no commit of anybody else concerns them.
    bell = Wake()
    queues = []
    for name, home in site.homes.items():
        for queue, handlers in queues_of(home.binding.context.after_commits).items():
            if queue.durable:
                continue
            made = VolatileQueue(
                queue=queue,
                takers={handler.title: taker_of(handler, dispatcher, plan.secrets) for handler in handlers},
                store=site.delivery,
                host=plan.host,
                policy=plan.consumer or ConsumerPolicy(),
                tally=site.tally,
                ended=site.lookout.ended,
                bell=bell,
                diagnose=plan.diagnose,
            )
            site.queues[name].host(made)
            queues.append(made)
    return VolatileWorkers(queues, host=plan.host, bell=bell, pace=plan.pace) if queues else None


def _ids(plan: Plan, topic: str) -> tuple[str, ...]:
    return tuple(each.id for each in plan.subscriptions if topic_name(each.topic) == topic)
