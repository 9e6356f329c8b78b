"""A small context to dispatch in: notes in a table, a post office outside, on every store.

Handlers are written by each test on a context of its own, so that a test reads by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Never, Protocol, TypeAlias

from attrs import define, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import (
    A,
    App,
    Context,
    Do,
    DomainEvent,
    E,
    Eff,
    Events,
    Outbox,
    ReadTransaction,
    Schedule,
    Topic,
    Transaction,
    integration_event,
    operation,
)
from effect_runtime.dispatch import AuditEntry, Diagnostic, Due, TransportInterpreter
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Interceptor
from effect_runtime.outbox import RecordingInterpreter
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import Migration, SqliteStore
from effect_runtime.runtime import Clock, Ids
from tests.dispatch.troubled import TroubledStore

StoreKind: TypeAlias = Literal["memory", "sqlite"]


@frozen
class Missing:
    """There is no such note."""

    key: str


@frozen
class Refusal:
    """Whatever a test's handler refuses for."""

    reason: str


@frozen
class Keep:
    """Keep a note."""

    key: str
    value: int = 1


@frozen
class Other:
    """Do something else with a note."""

    key: str
    value: int = 1


@frozen
class All:
    """Ask for all notes."""


@frozen
class KeptOccurred(DomainEvent[Refusal]):
    """A note was kept; a handler may refuse it."""

    key: str


@frozen
class CountedOccurred(DomainEvent):
    """Something was counted."""

    number: int


@frozen
class RecountedOccurred(DomainEvent):
    """Something was counted again."""

    number: int


class NoteEvents(Topic, name="notes"):
    """What the notes tell the world."""

    __slots__ = ()


@frozen
@integration_event("notes.note-kept", key="key")
class NoteKept(NoteEvents):
    """A note was kept."""

    key: str


class Notes(Protocol):
    """Where notes are kept."""

    def put(self, key: str, value: int) -> Eff[None]:
        """Keep a note."""
        ...

    def get(self, key: str) -> Eff[int, Missing]:
        """Read a note."""
        ...

    def all(self) -> Eff[tuple[tuple[str, int], ...]]:
        """Read all notes in order."""
        ...


class MemoryNotes:
    """Notes in a table of the memory store."""

    def __init__(self, session: Any) -> None:
        self.table = session.table("note")

    @operation(kind="transactional")
    async def put(self, key: str, value: int) -> None:
        """Keep a note."""
        self.table[key] = value

    @operation(kind="transactional")
    async def get(self, key: str) -> Result[int, Missing]:
        """Read a note."""
        return Success(self.table[key]) if key in self.table else Failure(Missing(key))

    @operation(kind="transactional")
    async def all(self) -> tuple[tuple[str, int], ...]:
        """Read all notes."""
        return tuple(sorted(self.table.items()))


class SqliteNotes:
    """Notes in a table of an SQLite file."""

    def __init__(self, session: Any) -> None:
        self.session = session

    @operation(kind="transactional")
    async def put(self, key: str, value: int) -> None:
        """Keep a note."""
        await self.session.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (key, value))

    @operation(kind="transactional")
    async def get(self, key: str) -> Result[int, Missing]:
        """Read a note."""
        row = await self.session.fetch_one("SELECT value FROM note WHERE key = ?", (key,))
        return Failure(Missing(key)) if row is None else Success(row[0])

    @operation(kind="transactional")
    async def all(self) -> tuple[tuple[str, int], ...]:
        """Read all notes."""
        return tuple(tuple(row) for row in await self.session.fetch_all("SELECT key, value FROM note ORDER BY key"))


class Post(Protocol):
    """Whom a handler may call outside."""

    def send(self, text: str) -> Eff[None]:
        """Send a letter; twice is two letters."""
        ...

    def set_flag(self, text: str) -> Eff[None]:
        """Set a flag; twice is once."""
        ...


@define
class LoggedPost:
    """A post office that remembers what it was asked."""

    log: list[str] = field(factory=list)

    @operation(kind="external")
    async def send(self, text: str) -> None:
        """Send a letter."""
        self.log.append(f"sent {text}")

    @operation(kind="external", idempotent=True)
    async def set_flag(self, text: str) -> None:
        """Set a flag."""
        self.log.append(f"flag {text}")


@frozen
class NotesRuntime:
    """What a command may use."""

    notes: Notes
    post: Post
    clock: Clock
    ids: Ids
    events: Events
    outbox: Outbox[NoteEvents]
    due: Due


@frozen
class NotesReads:
    """What a query may use."""

    notes: Notes


Writing: TypeAlias = Do[A, E, NotesRuntime]
Reading: TypeAlias = Do[A, E, NotesReads]

MIGRATIONS = (Migration(1, "note", ("CREATE TABLE note (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT",)),)


thrice = Schedule().times(3)


@define
class Bench:
    """A store of one kind with everything a test looks at afterwards."""

    kind: StoreKind
    store: TroubledStore
    post: LoggedPost = field(factory=LoggedPost)
    recorded: RecordingInterpreter = field(factory=RecordingInterpreter)
    transport: TransportInterpreter | None = None
    diagnostics: list[Diagnostic] = field(factory=list)

    @classmethod
    def on(cls, kind: StoreKind, folder: Path) -> Bench:
        """Make a bench on a new store."""
        inner: Any = (
            MemoryStore("notes") if kind == "memory" else SqliteStore(folder / "notes.db", migrations=MIGRATIONS)
        )
        return cls(kind, TroubledStore(inner))

    def context(self) -> Context[NotesRuntime, NotesReads]:
        """Return a new context without handlers, but for the query `all_notes`."""
        return Context("notes", NotesRuntime, reads=NotesReads, publishes=[NoteEvents])

    @asynccontextmanager
    async def running(
        self,
        context: Context[NotesRuntime, NotesReads],
        *,
        interceptors: Sequence[Interceptor] = (),
        conflicts: Schedule = thrice,
        deadline: timedelta | None = timedelta(seconds=30),
        event_depth: int = 32,
    ) -> AsyncIterator[App]:
        """Run an application of this one context."""
        binding = context.bind(
            self.make,
            self.make_reads,
            store=self.store,
            conflicts=conflicts,
            deadline=deadline,
            event_depth=event_depth,
        )
        app = App(
            "bench",
            contexts=[binding],
            transport=self.transport or self.recorded,
            interceptors=interceptors,
            diagnostics=self.diagnostics.append,
        )
        async with app.running():
            self.store.log.clear()
            yield app

    def make(self, tx: Transaction[Any]) -> NotesRuntime:
        """Build the runtime of one unit of work."""
        return NotesRuntime(self.notes(tx.session), self.post, tx.clock, tx.ids, tx.events, tx.outbox, tx.due)

    def make_reads(self, tx: ReadTransaction[Any]) -> NotesReads:
        """Build the runtime of one query."""
        return NotesReads(self.notes(tx.session))

    def notes(self, session: Any) -> Notes:
        """Build the adapter that fits the store."""
        return MemoryNotes(session) if self.kind == "memory" else SqliteNotes(session)

    async def rows(self) -> dict[str, int]:
        """Read the committed notes, beside dispatch."""
        async with self.store.open.reading() as session:
            if self.kind == "memory":
                return dict(session.table("note"))
            return dict(tuple(row) for row in await session.fetch_all("SELECT key, value FROM note"))

    async def audit(self) -> list[tuple[str, str, str]]:
        """Read the audit: command, principal, outcome."""
        entries: Sequence[AuditEntry] = await self.store.open.audit_trail()
        return [(entry.command, entry.principal, entry.outcome) for entry in entries]

    def published(self) -> list[Envelope]:
        """Return the events that were committed."""
        return self.recorded.published


def keeper(context: Context[NotesRuntime, NotesReads]) -> Any:
    """Register the simplest command: keep a note and answer with its value."""

    @context.command(access="public")
    def keep(command: Keep) -> Writing[int, Never]:
        rt = yield from context.runtime
        yield from rt.notes.put(command.key, command.value)
        return command.value

    return keep
