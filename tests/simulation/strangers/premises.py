"""What the strangers' applications stand on: numbers in a table, a provider outside, and what a process remembers.

The adapters are right. Each bug is in the handlers of its own module.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias

from anyio import Event
from anyio.lowlevel import checkpoint
from attrs import define, field, frozen
from returns.result import Failure, Result, Success

from effect_runtime import A, App, Context, Do, E, Events, Outbox, ReadTransaction, Transaction, operation
from effect_runtime.dispatch import Binding, Due
from effect_runtime.outbox.sqlite import Migration, SqliteReadSession, SqliteSession, SqliteStore
from effect_runtime.runtime import Clock, Ids
from effect_runtime.testing import Simulation, View
from effect_runtime.transports import InProcess

TABLES = Migration(
    1,
    "facts",
    ("CREATE TABLE fact(kind TEXT NOT NULL, key TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (kind, key))",),
)


OPENING = datetime(2031, 5, 5, 9, tzinfo=UTC)
"""When a world begins whose clients look at the clock."""


@frozen
class Facts:
    """Numbers by kind and key, in one table."""

    session: Any  # one that writes, or one that only reads

    @operation(kind="transactional")
    async def get(self, kind: str, key: str, default: int = 0) -> int:
        """Read one."""
        row = await self.session.fetch_one("SELECT value FROM fact WHERE kind = ? AND key = ?", (kind, key))
        return default if row is None else int(row["value"])

    @operation(kind="transactional")
    async def all(self, kind: str) -> dict[str, int]:
        """Read all of a kind, by key."""
        rows = await self.session.fetch_all("SELECT key, value FROM fact WHERE kind = ? ORDER BY key", (kind,))
        return {row["key"]: row["value"] for row in rows}

    @operation(kind="transactional")
    async def put(self, kind: str, key: str, value: int) -> None:
        """Write one."""
        await self.session.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", (kind, key, value))

    @operation(kind="transactional")
    async def add(self, kind: str, key: str, by: int) -> int:
        """Add to one, and read what it is then."""
        await self.session.execute(
            "INSERT INTO fact VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
            (kind, key, by),
        )
        row = await self.session.fetch_one("SELECT value FROM fact WHERE kind = ? AND key = ?", (kind, key))
        return int(row["value"])

    @operation(kind="transactional")
    async def drop(self, kind: str, key: str) -> bool:
        """Remove one; False when it was not there."""
        return bool(await self.session.execute("DELETE FROM fact WHERE kind = ? AND key = ?", (kind, key)))


@frozen
class NoAnswer:
    """The provider did not answer; nobody knows what it did."""


@define(eq=False)
class Provider:
    """Somebody outside, who does what comes under a `key` once."""

    done: list[str] = field(factory=list)
    _keys: set[str] = field(factory=set)

    def reset(self) -> None:
        """Forget everything."""
        self.done.clear()
        self._keys.clear()

    @operation(kind="external", idempotent=True)
    async def ask(self, what: str, *, key: str | None = None) -> Result[None, NoAnswer]:
        """Let something be done, and wait for the answer."""
        await checkpoint()  # whoever is outside is waited for
        if key is None or key not in self._keys:
            self.done.append(what)
        if key is not None:
            self._keys.add(key)
        return Success(None) if what else Failure(NoAnswer())


@define(eq=False)
class Memory:
    """What one process remembers until it dies."""

    known: dict[str, int] = field(factory=dict)
    locks: dict[str, Event] = field(factory=dict)

    @operation(kind="local", idempotent=True)
    async def recall(self, key: str) -> int | None:
        """Read a number, if it is remembered."""
        return self.known.get(key)

    @operation(kind="local", idempotent=True)
    async def keep(self, key: str, value: int) -> None:
        """Remember a number."""
        self.known[key] = value

    @operation(kind="local", idempotent=True)
    async def forget(self, key: str) -> None:
        """Forget a number."""
        self.known.pop(key, None)

    @operation(kind="local", idempotent=True)
    async def lock(self, key: str) -> None:
        """Wait until nobody has a lock, and take it."""
        while key in self.locks:
            await self.locks[key].wait()
        self.locks[key] = Event()

    @operation(kind="local", idempotent=True)
    async def unlock(self, key: str) -> None:
        """Give a lock back."""
        self.locks.pop(key).set()


@frozen
class Desk:
    """What a handler may use. `key` stays the same however often its message is tried."""

    facts: Facts
    provider: Provider
    memory: Memory
    clock: Clock
    ids: Ids
    key: str
    due: Due
    events: Events
    outbox: Outbox[Any]


@frozen
class Window:
    """What a query may use."""

    facts: Facts
    memory: Memory
    clock: Clock
    ids: Ids


Doing: TypeAlias = Do[A, E, Desk]
Looking: TypeAlias = Do[A, E, Window]
Program: TypeAlias = Do[A, E, Any]  # at a door messages of several runtimes meet


@frozen(kw_only=True)
class Stranger:
    """A planted bug and its twin, `world(planted)`: one application, its clients and claims.

    `deviations` is the least number of departures from the boring run that shows the bug, as far as its author knows.
    """

    title: str
    needs: str
    deviations: int
    world: Callable[[bool], Simulation]


def desk_of(name: str, **options: Any) -> Context[Desk, Window]:
    """Make a context of this kind."""
    return Context(name, Desk, reads=Window, **options)


def app_of(*contexts: Context[Desk, Window], provider: Provider | None = None) -> App:
    """Put contexts together, each on a store of its own, over one wire."""
    outside = provider or Provider()
    bindings = [_bound(context, outside) for context in contexts]
    return App("strangers", wire=InProcess(), contexts=bindings, diagnostics=lambda _: None)


def _bound(context: Context[Desk, Window], outside: Provider) -> Binding:
    def make(tx: Transaction[SqliteSession], memory: Memory) -> Desk:
        facts, key = Facts(tx.session), tx.message.idempotency_key
        return Desk(facts, outside, memory, tx.clock, tx.ids, key, tx.due, tx.events, tx.outbox)

    def make_reads(tx: ReadTransaction[SqliteReadSession], memory: Memory) -> Window:
        return Window(Facts(tx.session), memory, tx.clock, tx.ids)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Memory]:
        yield Memory()

    store = SqliteStore(f"{context.name}.db", migrations=[TABLES])
    return context.bind(make, make_reads, store=store, resources=opened)


def facts_of(view: View, context: str, kind: str) -> dict[str, int]:
    """Return the committed facts of a kind, by key."""
    rows: Sequence[tuple[Any, ...]] = view.query(context, f"SELECT key, value FROM fact WHERE kind = '{kind}'")
    return dict(sorted((key, value) for key, value in rows))
