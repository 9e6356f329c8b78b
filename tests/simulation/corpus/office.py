"""What the cases have in common: a desk with records in a store, a clock, and somebody outside to talk to.

The adapters are right. Each bug is in the handlers of its own module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeAlias

from anyio.lowlevel import checkpoint
from attrs import define, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import A, App, Context, Do, E, Eff, Outbox, ReadTransaction, Transaction, operation
from effect_runtime.dispatch import Binding
from effect_runtime.outbox.sqlite import Migration, SqliteReadSession, SqliteSession, SqliteStore
from effect_runtime.runtime import Clock
from effect_runtime.transports import InProcess
from tests.simulation.corpus.case import View

TABLES = Migration(
    1,
    "records",
    ("CREATE TABLE record(kind TEXT NOT NULL, key TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (kind, key))",),
)


class Readings(Protocol):
    """Numbers by kind and key, to be read."""

    def get(self, kind: str, key: str, default: int = 0) -> Eff[int]:
        """Read one."""
        ...

    def all(self, kind: str) -> Eff[dict[str, int]]:
        """Read all of a kind, by key."""
        ...


class Records(Readings, Protocol):
    """Numbers by kind and key."""

    def put(self, kind: str, key: str, value: int) -> Eff[None]:
        """Write one."""
        ...

    def drop(self, kind: str, key: str) -> Eff[None]:
        """Remove one."""
        ...


class SqliteRecords:
    """Numbers in one table."""

    def __init__(self, session: SqliteSession | SqliteReadSession) -> None:
        self._session: Any = session

    @operation(kind="transactional")
    async def get(self, kind: str, key: str, default: int = 0) -> int:
        """Read one."""
        row = await self._session.fetch_one("SELECT value FROM record WHERE kind = ? AND key = ?", (kind, key))
        return default if row is None else int(row["value"])

    @operation(kind="transactional")
    async def all(self, kind: str) -> dict[str, int]:
        """Read all of a kind, by key."""
        rows = await self._session.fetch_all("SELECT key, value FROM record WHERE kind = ? ORDER BY key", (kind,))
        return {row["key"]: row["value"] for row in rows}

    @operation(kind="transactional")
    async def put(self, kind: str, key: str, value: int) -> None:
        """Write one."""
        await self._session.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", (kind, key, value))

    @operation(kind="transactional")
    async def drop(self, kind: str, key: str) -> None:
        """Remove one."""
        await self._session.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))


@frozen
class NoAnswer:
    """The other side did not answer; nobody knows what it did."""


class Outside(Protocol):
    """Somebody outside, who keeps what is told."""

    def tell(self, what: str, *, key: str | None = None, fence: int | None = None) -> Eff[None]:
        """Tell something that is sure to arrive."""
        ...

    def ask(self, what: str, *, key: str | None = None) -> Eff[None, NoAnswer]:
        """Tell something and wait for an answer."""
        ...


@define(eq=False)
class Listener:
    """Remember what was told. What comes under a `key` counts once; a `fence` below an earlier one is turned away."""

    told: list[str] = field(factory=list)
    answers: bool = True
    _keys: set[str] = field(factory=set)
    _fence: int = 0

    def reset(self) -> None:
        """Forget everything."""
        self.told.clear()
        self._keys.clear()
        self._fence = 0

    @operation(kind="external", idempotent=True)
    async def tell(self, what: str, *, key: str | None = None, fence: int | None = None) -> None:
        """Tell something that is sure to arrive."""
        await checkpoint()  # whoever is outside is waited for
        self._hear(what, key, fence)

    @operation(kind="external", idempotent=True)
    async def ask(self, what: str, *, key: str | None = None) -> Result[None, NoAnswer]:
        """Tell something and wait for an answer."""
        await checkpoint()
        self._hear(what, key, None)
        return Success(None) if self.answers else Failure(NoAnswer())

    def _hear(self, what: str, key: str | None, fence: int | None) -> None:
        if (key is not None and key in self._keys) or (fence is not None and fence < self._fence):
            return
        if key is not None:
            self._keys.add(key)
        self._fence = fence or self._fence
        self.told.append(what)


class Memory(Protocol):
    """What one process remembers until it dies."""

    def recall(self, key: str) -> Eff[int | None]:
        """Read a number, if it is remembered."""
        ...

    def keep(self, key: str, value: int) -> Eff[None]:
        """Remember a number."""
        ...


@define(eq=False)
class ProcessMemory:
    """A table in the process."""

    known: dict[str, int] = field(factory=dict)

    @operation(kind="local", idempotent=True)
    async def recall(self, key: str) -> int | None:
        """Read a number, if it is remembered."""
        return self.known.get(key)

    @operation(kind="local", idempotent=True)
    async def keep(self, key: str, value: int) -> None:
        """Remember a number."""
        self.known[key] = value


@frozen
class Office:
    """What a handler may use."""

    records: Records
    outside: Outside
    memory: Memory
    clock: Clock
    outbox: Outbox[Any]


@frozen
class Window:
    """What a query may use."""

    records: Readings
    memory: Memory
    clock: Clock


Doing: TypeAlias = Do[A, E, Office]
Looking: TypeAlias = Do[A, E, Window]
Program: TypeAlias = Do[A, E, Any]  # at a door messages of several runtimes meet


def app_of(*contexts: Context[Office, Window], outside: Listener) -> App:
    """Put contexts together, each on a store of its own, over one wire."""
    bindings = [_bound(context, outside) for context in contexts]
    return App("corpus", wire=InProcess(), contexts=bindings, diagnostics=lambda _: None)


def _bound(context: Context[Office, Window], outside: Listener) -> Binding:
    def make(tx: Transaction[SqliteSession], memory: ProcessMemory) -> Office:
        return Office(SqliteRecords(tx.session), outside, memory, tx.clock, tx.outbox)

    def make_reads(tx: ReadTransaction[SqliteReadSession], memory: ProcessMemory) -> Window:
        return Window(SqliteRecords(tx.session), memory, tx.clock)

    store = SqliteStore(f"{context.name}.db", migrations=[TABLES])
    return context.bind(make, make_reads, store=store, resources=_remembering())


def _remembering() -> Callable[[], AbstractAsyncContextManager[ProcessMemory]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[ProcessMemory]:
        yield ProcessMemory()

    return opened


def office(name: str, **options: Any) -> Context[Office, Window]:
    """Make a context of this kind."""
    return Context(name, Office, reads=Window, **options)


def recorded(view: View, context: str, kind: str) -> dict[str, int]:
    """Return the committed records of a kind, by key."""
    rows = view.query(context, "SELECT kind, key, value FROM record ORDER BY kind, key")
    return {key: value for found, key, value in rows if found == kind}
