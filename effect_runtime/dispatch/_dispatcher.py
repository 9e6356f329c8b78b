"""The base of `perform` for a whole application: dispatched commands and queries, each in a unit of its own.

Order of one command: correlate, validate, authorise, unit of work (stored answer, body, domain events, ledger,
commit), tell the caller. Knows no names of messages, no wire, no life cycle.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, final

from attrs import frozen

from effect_runtime.dispatch._after_commit import AfterCommit, VolatileItem
from effect_runtime.dispatch._answering import Admit, Waits, answer_command, answer_event, due_request, request_of
from effect_runtime.dispatch._enqueue import Enqueue
from effect_runtime.dispatch._entrance import enqueue_outside
from effect_runtime.dispatch._home import Entry, Home
from effect_runtime.dispatch._nesting import ATOMIC
from effect_runtime.dispatch._ports import AgendaItem
from effect_runtime.dispatch._reading import Reading
from effect_runtime.dispatch._refusals import Refusals
from effect_runtime.dispatch._refused import Refused
from effect_runtime.dispatch._request import MessageContext
from effect_runtime.dispatch._subscription import Subscription
from effect_runtime.effect import Call, Died, Failed, Operation, Raised, Succeeded
from effect_runtime.errors import (
    AtomicOutsideUnit,
    CommandIdWithoutCommand,
    ContextUnknown,
    OperationOutsideUnit,
    RunInsideUnit,
    UnknownEvent,
)
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Recording, this_task


@final
@frozen(eq=False)
class Dispatcher:
    """Dispatch messages to the open contexts of one application."""

    homes: Mapping[str, Home]

    def door(self, context: MessageContext) -> Callable[[Operation, Any], Awaitable[Any]]:
        """Return the base of `perform` for a program that a door of the application was given."""

        async def perform(operation: Operation, runtime: Any) -> Any:
            if isinstance(operation, Call):
                return await self.answer(operation, context)
            if operation.kind == "transactional":
                raise OperationOutsideUnit(operation.place(runtime))
            return await operation.method.function(*operation.call, **operation.kwargs)

        return perform

    async def answer(self, call: Call, context: MessageContext) -> Any:
        """Dispatch one message from outside: a command in a unit of work, a query in a read session."""
        handler = call.handler
        if handler is ATOMIC:
            raise AtomicOutsideUnit
        if isinstance(handler, Enqueue):
            if context.command_id is not None:
                raise CommandIdWithoutCommand(context.command_id, program=call.title)
            homes = self.homes.values()
            return await enqueue_outside(homes, call.message, context, wait=handler.wait, enter=self._refuse_inside)
        home = self.homes.get(getattr(handler, "context", ""))
        if home is not None:
            entry = home.commands.get(handler)
            if entry is not None:
                return await self._command(home, entry, call.message, context)
            entry = home.queries.get(handler)
            if entry is not None:
                return await Reading(home, entry, context).answer(call.message)
        raise ContextUnknown(call.title, context=getattr(handler, "context", "unknown"), known=tuple(self.homes))

    async def refuse(self, handler: object, context: MessageContext, refusal: Refused) -> None:
        """Audit a refusal that a door made before the message could be dispatched."""
        home = self.homes[getattr(handler, "context", "")]
        refusals, name = Refusals(home, context), getattr(handler, "name", "")
        refusals.add(name, refusal)
        await refusals.audited(f"{home.name}.{name}")

    async def _command(self, home: Home, entry: Entry, message: Any, request: MessageContext) -> Any:
        self._refuse_inside(home, entry.handler.title)
        value, job = await answer_command(home, entry, message, request)
        if job is not None and job.queues:
            # Only doors wait for room: a queue's own handlers must be able to go on.
            await home.queues.room(job.queues, more=0)
        return value

    def _refuse_inside(self, home: Home, title: str) -> None:
        """Refuse a message that would wait for the transaction of the very task that asks for it."""
        # Without this look the command would wait for its own caller's transaction until the deadline.
        task = this_task()
        for other in self.homes.values():
            if other.store is home.store and task in other.writing:
                raise RunInsideUnit(title, unit=other.writing[task])

    async def deliver(
        self,
        subscription: Subscription[Any],
        event: Any,
        envelope: Envelope,
        *,
        admit: Admit,
        recording: Recording | None = None,
    ) -> Succeeded[None] | Failed[Any] | Died:
        """Run a subscription's handler for one event, in a unit of its own context.

        The unit begins and `admit` decides in it, first: False commits what it wrote and runs nothing. Nothing is
        written when the answer is Failed or Died. `admit` may be called again for the same event, in a new unit.
        `recording` then holds the operations of the last one.
        """
        handler = subscription.handler_of(type(event))
        return await answer_event(
            self.homes[subscription.context],
            f"{subscription.id}.{type(event).__name__ if handler is None else handler.name}",
            None if handler is None else handler.body(event),
            request_of(subscription.id, envelope),
            admit=admit,
            recording=recording,
        )

    async def react(
        self,
        reaction: AfterCommit,
        item: AgendaItem | VolatileItem,
        *,
        admit: Admit | None = None,
        waits: Waits | None = None,
        recording: Recording | None = None,
    ) -> Succeeded[None] | Failed[Any] | Died:
        """Run an after-commit handler for one event, in a unit of its own; else as `deliver`.

        The transaction opens as late as a command's does, and then `admit` decides first: what a handler calls before
        its first write holds nobody up. False abandons the handler there, and nothing is written. `waits` is told when
        the unit begins to wait for its transaction. Raises `errors.UndecodableMessage`, with nothing opened, for an
        item that its class cannot be built from.
        """
        home = self.homes[reaction.context]
        event = item.event if isinstance(item, VolatileItem) else home.registry.decode(item.envelope)
        return await answer_event(
            home,
            reaction.title,
            reaction.body(event),
            request_of(reaction.title, item.envelope),
            admit=admit,
            admit_late=True,
            waits=waits,
            recording=recording,
        )

    async def answer_due(
        self,
        context: str,
        item: AgendaItem,
        *,
        admit: Admit,
        waits: Waits | None = None,
        recording: Recording | None = None,
    ) -> Succeeded[Any] | Failed[Any] | Died:
        """Dispatch a due command of a context under its item's id as command id; else as `deliver`.

        Where that id has answered already, only `admit` runs, and the stored answer is the value. Raises
        `errors.UndecodableMessage`, with nothing opened, for an item that no command can be built from.
        """
        home = self.homes[context]
        command = home.registry.decode(item.envelope)
        entry = home.due_commands.get(type(command))
        if entry is None:
            raise UnknownEvent(item.envelope.type, item.envelope.version, known=home.due_reactions)
        request = due_request(entry.handler.title, item.envelope)
        try:
            value, _ = await answer_command(
                home, entry, command, request, admit=admit, waits=waits, recording=recording
            )
        except Raised as raised:
            return Failed(raised.error)
        except Exception as defect:
            return Died(defect)
        return Succeeded(value)
