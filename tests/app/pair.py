"""Two contexts over one wire: notes are kept in one, and counted in the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from attrs import define, field, frozen

from effect_runtime import A, App, Context, Do, E, Events, Refused, Schedule, Transaction, publish
from effect_runtime.dispatch import Binding, Command, Subscription
from effect_runtime.transports import InProcess
from tests.dispatch.world import (
    Bench,
    Keep,
    Missing,
    NoteEvents,
    NoteKept,
    Notes,
    NotesReads,
    NotesRuntime,
    Other,
    Reading,
    StoreKind,
    Writing,
)


@frozen
class CountRuntime:
    """What counting may use."""

    notes: Notes
    events: Events


@frozen
class Count:
    """Count a note."""

    key: str


Counting: TypeAlias = Do[A, E, CountRuntime]
at_once = Schedule().times(2)


@define
class Pair:
    """Both contexts, their stores and handlers."""

    kind: StoreKind
    publisher: Bench
    reader: Bench
    notes: Context[NotesRuntime, NotesReads] = field(init=False)
    counts: Context[CountRuntime, NotesReads] = field(init=False)
    subscription: Subscription[CountRuntime] = field(init=False)
    keep: Command[Keep, int, Any, NotesRuntime] = field(init=False)
    heard: list[str] = field(factory=list)

    @classmethod
    def on(cls, kind: StoreKind, folder: Path) -> Pair:
        """Make both on new stores."""
        (folder / "publisher").mkdir()
        (folder / "reader").mkdir()
        return cls(kind, Bench.on(kind, folder / "publisher"), Bench.on(kind, folder / "reader"))

    def __attrs_post_init__(self) -> None:
        """Register the handlers."""
        self.notes = self.publisher.context()
        self.counts = Context("counts", CountRuntime, reads=NotesReads)
        self.subscription = self.counts.subscribe(
            NoteEvents, id="counts.note-events", start="earliest", schedule=at_once
        )
        self.keep = self._publisher()
        self._reader()

    def _publisher(self) -> Any:
        notes = self.notes

        @notes.command(access="public")
        def keep(command: Keep) -> Writing[int]:
            """Keep a note and tell the world."""
            rt = yield from notes.runtime
            yield from rt.notes.put(command.key, command.value)
            yield from publish(NoteKept(command.key))
            return command.value

        @notes.query(access="public")
        def kept(query: Other) -> Reading[int, Missing]:
            """Read a note."""
            rt = yield from notes.reads
            return (yield from rt.notes.get(query.key))

        return keep

    def _reader(self) -> None:
        counts = self.counts

        @counts.command(access="internal")
        def count(command: Count) -> Counting[int]:
            """Count a note."""
            rt = yield from counts.runtime
            known = dict((yield from rt.notes.all()))
            yield from rt.notes.put(command.key, known.get(command.key, 0) + 1)
            return known.get(command.key, 0) + 1

        @self.subscription.on(NoteKept)
        def hear(event: NoteKept) -> Counting[None, Refused]:
            """Count what was kept, through the context's own dispatch."""
            self.heard.append(event.key)
            yield from count(Count(event.key))

    def bindings(self) -> list[Binding]:
        """Bind both to their stores."""
        return [
            self.notes.bind(self.publisher.make, self.publisher.make_reads, store=self.publisher.store),
            self.counts.bind(self.make, self.reader.make_reads, store=self.reader.store),
        ]

    def app(self, **options: Any) -> App:
        """Build an application of both."""
        return App("pair", wire=options.pop("wire", None) or InProcess(), contexts=self.bindings(), **options)

    def app_of(self, counts: Binding, *, notes: Binding | None = None) -> App:
        """Build an application of other bindings."""
        return App("pair", wire=InProcess(), contexts=[notes or self.bindings()[0], counts])

    @asynccontextmanager
    async def running(self, **roles: bool) -> AsyncIterator[App]:
        """Run an application of both."""
        app = self.app()
        async with app.running(**roles):
            yield app

    def make(self, tx: Transaction[Any]) -> CountRuntime:
        """Build the runtime of the counting context."""
        return CountRuntime(self.reader.notes(tx.session), tx.events)
