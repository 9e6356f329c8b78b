"""One open context without an application around it: its dispatcher, its agenda, and queues that only remember.

So nothing works on the agenda but the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, TypeAlias

from attrs import define, field, frozen

from effect_runtime import Context, DomainEvent, Principal, emit
from effect_runtime.dispatch import (
    NOTHING,
    Acknowledgement,
    AfterCommit,
    AgendaEntry,
    AgendaItem,
    Dispatcher,
    EventQueue,
    Handled,
    Home,
    Ledger,
    MessageContext,
    OutsideUnit,
    Services,
    VolatileItem,
    anonymous,
    context_faults,
    entries_of,
    reactions_of,
    stored,
)
from effect_runtime.effect import Died, Eff, Failed, Raised, Succeeded
from effect_runtime.errors import CommandNotDone, raise_faults
from effect_runtime.events import declared_failures
from effect_runtime.interpreter import Host, Interceptor, Interpreter
from tests.dispatch.world import Bench, Keep, NotesReads, NotesRuntime, Writing
from tests.outbox.stores.world import ManualTime

MINUTE = timedelta(minutes=1)

Notes: TypeAlias = Context[NotesRuntime, NotesReads]


@frozen
@stored("notes.note-filed")
class FiledOccurred(DomainEvent):
    """A note was filed; what happens about it may happen later."""

    key: str
    value: int = 1


@frozen
@stored("notes.note-lost")
class LostOccurred(DomainEvent):
    """A note was lost."""

    key: str


@frozen
@stored("notes.remind")
class Remind:
    """Remind of a note: a command that can be sent later."""

    key: str


@define
class RememberedQueues:
    """Queues that nobody works on, with a log of what dispatch asked of them, in order."""

    log: list[Any] = field(factory=list)
    items: list[VolatileItem] = field(factory=list)
    full: EventQueue | None = None
    ending: Acknowledgement = field(factory=Handled)
    is_open: Callable[[], bool] = lambda: False

    async def room(self, queues: Sequence[EventQueue], *, more: int) -> EventQueue | None:
        """Answer as the test says."""
        assert not self.is_open()
        self.log.append(("room", tuple(queue.name for queue in queues), more))
        return self.full

    def put(self, items: Sequence[VolatileItem]) -> None:
        """Remember the events."""
        self.items.extend(items)
        self.log.append(("put", tuple((item.reaction, item.event) for item in items)))

    def wake(self) -> None:
        """Remember the bell."""
        self.log.append("wake")

    @contextmanager
    def expect(self, ids: Collection[str]) -> Iterator[RememberedQueues]:
        """Remember how many are expected."""
        self.log.append(("expect", len(ids)))
        yield self
        self.log.append("expected")

    async def acknowledged(self, timeout: timedelta) -> Acknowledgement:
        """Answer as the test says."""
        self.log.append(("acknowledged", timeout))
        return self.ending


@define
class Desk:
    """An open context and its doors."""

    bench: Bench
    home: Home
    dispatcher: Dispatcher
    queues: RememberedQueues
    time: ManualTime

    async def run(
        self, eff: Eff[Any, Any, Any], *, command_id: str | None = None, principal: Principal = anonymous
    ) -> Succeeded[Any] | Failed[Any] | Died:
        """Run a program as the application's door does."""
        request = MessageContext(correlation="c-1", command_id=command_id, principal=principal)
        try:
            perform = self.dispatcher.door(request)
            value = await self.home.interpreter.with_perform(perform).interpret(eff, OutsideUnit())
            return Succeeded(value)
        except Raised as signal:
            return Failed(signal.error)
        except CommandNotDone as error:
            return Failed(error.reason)
        except Exception as defect:
            return Died(defect)

    async def agenda(self) -> tuple[AgendaEntry, ...]:
        """Return what stands in the agenda, in the order of adding."""
        entries: tuple[AgendaEntry, ...] = await self.bench.store.open.agenda_entries()
        return entries

    async def claim(self, *reactions: str) -> AgendaEntry:
        """Borrow the one entry of some reactions that is due."""
        (entry,) = await self.bench.store.open.claim_agenda(owner="desk", limit=1, lease=MINUTE, reactions=reactions)
        assert isinstance(entry, AgendaEntry)
        return entry

    async def react(self, reaction: AfterCommit, entry: AgendaEntry) -> Succeeded[None] | Failed[Any] | Died:
        """Let an after-commit handler take an entry."""
        return await self.dispatcher.react(reaction, entry.item, admit=taking(entry))

    async def answer_due(self, entry: AgendaEntry) -> Succeeded[Any] | Failed[Any] | Died:
        """Let a due command be dispatched."""
        return await self.dispatcher.answer_due("notes", entry.item, admit=taking(entry))

    async def add(self, item: AgendaItem) -> None:
        """Put an item on the agenda, beside dispatch."""
        async with self.bench.store.open.unit() as unit:
            await unit.commit(Ledger(agenda=(item,)))


def taking(entry: AgendaEntry) -> Callable[[Any], Awaitable[bool]]:
    """Return what takes an entry inside a unit, as its worker does."""

    async def admit(unit: Any) -> bool:
        taken: bool = await unit.agenda.take(entry.item.envelope.id, entry.token)
        return taken

    return admit


@asynccontextmanager
async def open_desk(
    bench: Bench,
    context: Notes,
    *,
    interceptors: Sequence[Interceptor] = (),
    strangers: dict[type, str] | None = None,
    event_depth: int = 32,
) -> AsyncIterator[Desk]:
    """Verify and open a context, and give its desk."""
    raise_faults("context 'notes'", context_faults(context))
    time, queues = ManualTime(), RememberedQueues()
    host = Host(time=time)
    async with bench.store.opened(host) as store:
        home = Home(
            app="bench",
            binding=context.bind(bench.make, bench.make_reads, store=bench.store, event_depth=event_depth),
            store=store,
            opened=NOTHING,
            transport=bench.recorded,
            host=host,
            services=Services.of(host),
            interpreter=Interpreter(tuple(interceptors), host),
            diagnose=bench.diagnostics.append,
            tenant=None,
            commands=entries_of(context.commands),
            queries=entries_of(context.queries),
            reactions=reactions_of(context.handlers, declared_failures),
            subscriptions={},
            strangers={**(strangers or {})},
            queues=queues,
        )
        bench.store.log.clear()
        yield Desk(bench, home, Dispatcher({"notes": home}), queues, time)


def filer(notes: Notes):  # type: ignore[no-untyped-def]  # the command's type is long and says nothing here
    """Register a command that keeps a note and tells of it."""

    @notes.command(access="public")
    def file(command: Keep) -> Writing[int]:
        rt = yield from notes.runtime
        yield from rt.notes.put(command.key, command.value)
        yield from emit(FiledOccurred(command.key, command.value))
        return command.value

    return file
