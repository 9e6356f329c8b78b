"""A running application: what is open, in the order in which it was opened, and what is in flight.

Owned by one `App.running()`. Knows no doors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any, final

from anyio import move_on_after
from anyio.lowlevel import checkpoint

from effect_runtime.app._plan import Plan
from effect_runtime.app._site import Site, agenda_of, consumer_of, home_of, relay_of, routes_of, volatile_of
from effect_runtime.dispatch import NOTHING, Binding, Dispatcher, owner_of
from effect_runtime.interpreter import relink
from effect_runtime.outbox import Janitor, Lookout, Wake


@final
class Live:
    """The open parts of a running application."""

    __slots__ = ("_in_flight", "_moved", "closing", "dispatcher", "plan", "sites")

    def __init__(self, plan: Plan, sites: Mapping[int, Site], dispatcher: Dispatcher) -> None:
        self.plan = plan
        self.sites = sites
        self.dispatcher = dispatcher
        self.closing = False
        self._in_flight = 0
        self._moved = Wake()

    def enter(self) -> None:
        """Count one use of a door, so that closing waits for it."""
        self._in_flight += 1

    def leave(self) -> None:
        """End one use of a door."""
        self._in_flight -= 1
        if self.closing:
            self._moved.ring()

    def tidy(self, error: Exception) -> None:
        """Take our own frames out of an exception that leaves by a door, unless the application is debugged."""
        if not self.plan.interpreter.debug:
            relink(error)

    async def drained(self) -> None:
        """Wait until no door is in use, within the deadline of the drain.

        Whoever waits for the end of an event is not waited for: the queues' own drain comes next, and answers.
        """
        self.closing = True
        lookouts = [site.lookout for site in self.sites.values()]
        with ExitStack() as stack, move_on_after(self.plan.drain.total_seconds()):
            for lookout in lookouts:
                stack.enter_context(lookout.waits.followed_by(self._moved))
                lookout.refuse()
            # No await lies between this question and the count below: a door that closes in between cannot ring
            # unheard.
            while self._in_flight > sum(lookout.waiting for lookout in lookouts):
                await self._moved.after(self._moved.rings)

    async def settled(self) -> None:
        """Wait until relays, consumers and agendas have nothing to do now: what is due later does not count."""
        # Until all are calm at once: what one site has done may be work for another.
        while True:
            # Whatever was committed in this turn of the loop rings first, or calm would be found too early.
            await checkpoint()
            for site in self.sites.values():
                await site.calm()
            if all(site.is_calm for site in self.sites.values()):
                return


@asynccontextmanager
async def opened(
    plan: Plan, *, relay: bool, consumers: bool, agenda: bool, janitor: bool = False
) -> AsyncIterator[Live]:
    """Open stores, resources and the wire; start consumers, relays, and work on the agenda; close it all in reverse.

    On the way out no new message is taken, those in flight end, then the agenda's workers, relays and consumers drain,
    and last the volatile queues, to which all of them may have added.
    """
    async with AsyncExitStack() as stack:
        sites = await _open_sites(plan, stack)
        dispatcher = Dispatcher({name: home for site in sites.values() for name, home in site.homes.items()})
        for site in sites.values():
            await _open_queues(plan, site, dispatcher, stack)
        if plan.wire is not None:
            await stack.enter_async_context(plan.wire.running())
        for site in sites.values():
            site.routes = routes_of(plan, site)
            if site.routes:
                # Before anything can be committed here: a store owes a route the events that come after it.
                await site.delivery.register(site.routes)
        # Consumers before relays, so that on the way out nobody sends to who has gone.
        if consumers:
            await _start_consumers(plan, sites, dispatcher, stack)
        if relay:
            for site in sites.values():
                site.relay = relay_of(plan, site)
                if site.relay is not None:
                    await stack.enter_async_context(site.relay.running())
        if agenda:
            for site in sites.values():
                stack.enter_context(site.wake.followed_by(site.agenda_wake))  # a replay may be for anybody
                site.agenda = agenda_of(plan, site, dispatcher)
                if site.agenda is not None:
                    await stack.enter_async_context(site.agenda.running())
        if janitor and plan.retention is not None:
            for site in sites.values():
                site.janitor = Janitor(site.delivery, plan.retention, host=plan.host)
                await stack.enter_async_context(site.janitor.running())
        live = Live(plan, sites, dispatcher)
        try:
            yield live
        finally:
            await live.drained()


async def _open_sites(plan: Plan, stack: AsyncExitStack) -> dict[int, Site]:
    # Verified before: dispatch finds homes by name, and one would hide the other.
    assert len(plan.bindings) == len({binding.name for binding in plan.bindings})
    owners = _owners(plan)
    sites: dict[int, Site] = {}
    for binding in plan.bindings:
        # By identity: contexts share a transaction where they were given the same store, not one of the same name.
        key = id(binding.store)
        site = sites.get(key)
        if site is None:
            store: Any = await stack.enter_async_context(binding.store.opened(plan.host))
            lookout = Lookout(store, host=plan.host, pace=plan.pace)
            site = sites[key] = Site(_unused(binding, sites), store, lookout, plan.wire)
        resources = NOTHING
        if binding.resources is not None:
            resources = await stack.enter_async_context(binding.resources())
        strangers = {event: owner for event, owner in owners.items() if owner != binding.name}
        site.homes[binding.name] = home_of(plan, binding, site, opened=resources, owners=strangers)
    return sites


def _unused(binding: Binding, sites: Mapping[int, Site]) -> str:
    """Name a store; one file opened twice, each for a context, must not hide one's health behind the other's."""
    name = binding.store.name
    return f"{name} of {binding.name}" if any(site.name == name for site in sites.values()) else name


async def _open_queues(plan: Plan, site: Site, dispatcher: Dispatcher, stack: AsyncExitStack) -> None:
    """Let doors wait for queues, and volatile queues take events over, in whatever this process does besides."""
    if not any(home.after_commits for home in site.homes.values()):
        return
    await stack.enter_async_context(site.lookout.running())
    site.volatile = volatile_of(plan, site, dispatcher)
    if site.volatile is not None:
        await stack.enter_async_context(site.volatile.running())


async def _start_consumers(
    plan: Plan, sites: Mapping[int, Site], dispatcher: Dispatcher, stack: AsyncExitStack
) -> None:
    wire = plan.wire
    if wire is None:
        return
    for site in sites.values():
        site.consumer = consumer_of(plan, site, dispatcher)
        if site.consumer is None:
            continue
        await stack.enter_async_context(site.consumer.running())
        for inlet in site.consumer.inlets.values():
            receive = site.consumer.receiver(inlet.id)
            await stack.enter_async_context(wire.listening(inlet.id, inlet.topic, receive))


def _owners(plan: Plan) -> dict[type, str]:
    """Say to which context each handled domain event belongs."""
    contexts = [binding.context for binding in plan.bindings]
    owners: dict[type, str] = {}
    for context in contexts:
        for handler in (*context.handlers, *context.after_commits):
            owner = owner_of(handler.event, contexts)
            owners[handler.event] = context.name if owner is None else owner.name
    return owners
