"""One context whose events are handled after the commit, as an application: on either store, with a gate in the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Never, TypeAlias

from anyio import Event
from attrs import define, field

from effect_runtime import App, Context, Schedule, emit
from effect_runtime.dispatch import AfterCommit, Command, Diagnostic, EventQueue
from effect_runtime.effect import Eff, Program
from effect_runtime.interpreter import system_host
from effect_runtime.outbox import RecordingInterpreter
from effect_runtime.runtime import operation
from tests.dispatch.desk import FiledOccurred
from tests.dispatch.world import Bench, Keep, NotesReads, NotesRuntime, Writing

Notes: TypeAlias = Context[NotesRuntime, NotesReads]
Body: TypeAlias = Callable[[FiledOccurred], Program[Any, Any, NotesRuntime]]

never_again = Schedule().times(0)


class Gate:
    """The world outside: holds everybody up until it is opened, and sees who is inside at the same time."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self.most = 0
        self.passed: list[str] = []
        self.is_open = Event()
        self.entered = Event()

    @operation(kind="external", idempotent=True)
    async def through(self, name: str) -> None:
        """Wait until it is open."""
        self.inside.append(name)
        self.most = max(self.most, len(self.inside))
        self.entered.set()
        try:
            await self.is_open.wait()
        finally:
            self.inside.remove(name)
        self.passed.append(name)


@define
class Mailroom:
    """The context `notes` on a store of one kind: filing a note tells of it, after the commit."""

    bench: Bench
    context: Notes = field(init=False)
    file: Command[Keep, int, Never, NotesRuntime] = field(init=False)
    gate: Gate = field(factory=Gate)
    told: list[Diagnostic] = field(factory=list)
    tried: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        """Register the command."""
        notes = self.context = self.bench.context()

        @notes.command(access="public")
        def file(command: Keep) -> Writing[int]:
            rt = yield from notes.runtime
            yield from rt.notes.put(command.key, command.value)
            yield from emit(FiledOccurred(command.key, command.value))
            return command.value

        self.file = file

    def telling(self, queue: EventQueue, body: Body | None = None, **rest: Any) -> AfterCommit:
        """Register a handler that passes the gate and keeps a note `told-<key>`, or does what `body` says."""
        notes = self.context

        @notes.after_commit(FiledOccurred, queue=queue, id="tell", **rest)
        def tell(event: FiledOccurred) -> Writing[None, Any]:
            self.tried.append(event.key)
            if body is not None:
                yield from body(event)
                return
            yield from self.gate.through(event.key)
            rt = yield from notes.runtime
            yield from rt.notes.put(f"told-{event.key}", event.value)

        return tell

    def filing(self, key: str, value: int = 1) -> Eff[int, Any, Any]:
        """Describe filing a note."""
        return self.file(Keep(key, value))

    def app(self, **options: Any) -> App:
        """Build an application."""
        binding = self.context.bind(self.bench.make, self.bench.make_reads, store=self.bench.store)
        return App(
            "mailroom",
            contexts=[binding],
            transport=RecordingInterpreter(),
            diagnostics=self.told.append,
            **options,
        )

    @asynccontextmanager
    async def running(self, *, agenda: bool = True, **options: Any) -> AsyncIterator[App]:
        """Run an application."""
        app = self.app(**options)
        async with app.running(agenda=agenda):
            yield app

    async def kept(self) -> list[str]:
        """Return the keys of all notes, in their order, while an application runs."""
        return sorted(await self.bench.rows())

    async def kept_later(self) -> list[str]:
        """Return the keys of all notes after the application has ended."""
        async with self.bench.store.opened(system_host()):
            return await self.kept()
