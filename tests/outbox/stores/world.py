"""What the store tests share: a host whose time stands still, both stores, and rows that either can keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from anyio.lowlevel import checkpoint
from attrs import define, field

from effect_runtime.dispatch import Answer, AuditEntry, Ledger, Store
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import Address, Claimed, DeadLetter, Lane, Route, Settlement, Waiting, WaitingReason
from effect_runtime.outbox.memory import MemoryReadSession, MemorySession, MemoryStore
from effect_runtime.outbox.memory._store import OpenMemory
from effect_runtime.outbox.memory._unit import MemoryUnit
from effect_runtime.outbox.sqlite import Migration, SqliteReadSession, SqliteSession, SqliteStore
from effect_runtime.outbox.sqlite._open import OpenSqlite
from effect_runtime.outbox.sqlite._unit import SqliteUnit
from effect_runtime.testing import Faults
from effect_runtime.testing.ground._boundaries import Boundaries
from effect_runtime.testing.ground._disk import Disk
from effect_runtime.testing.ground._guarded import GuardedStore
from effect_runtime.testing.loop._sequencer import FIBER, Fiber, Sequencer
from effect_runtime.testing.loop._site import Canonical

AnyStore: TypeAlias = OpenMemory | OpenSqlite
AnyUnit: TypeAlias = MemoryUnit | SqliteUnit
AnySession: TypeAlias = MemorySession | SqliteSession
AnyReadSession: TypeAlias = MemoryReadSession | SqliteReadSession

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)
NOTHING = Ledger()
ROWS = Migration(1, "rows", ["CREATE TABLE rows(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"])


@define
class ManualTime:
    """A clock that moves when it is told to, and when somebody sleeps."""

    moment: datetime = NOON

    def now(self) -> datetime:
        """Return the moment it was set to."""
        return self.moment

    def monotonic(self) -> float:
        """Return seconds since noon."""
        return (self.moment - NOON).total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        """Move on at once."""
        self.pass_(duration)
        await checkpoint()

    def pass_(self, duration: timedelta) -> None:
        """Let time pass."""
        self.moment += duration


@define
class CountingEntropy:
    """Ids that count, and no chance at all."""

    drawn: int = field(default=0)

    def uuid(self) -> UUID:
        """Return the next id."""
        self.drawn += 1
        return UUID(int=self.drawn)

    def random(self) -> float:
        """Return the middle."""
        return 0.5


def still_host(time: ManualTime | None = None) -> Host:
    """Return a host without real time and chance."""
    return Host(time=time or ManualTime(), entropy=CountingEntropy())


def sqlite_store(folder: Path, name: str = "store.db", **options: object) -> SqliteStore:
    """Return an SQLite store with a table for rows."""
    return SqliteStore(folder / name, migrations=[ROWS], **options)  # type: ignore[arg-type]  # options of the test


REAL = ("memory", "sqlite", "sqlite on a thread")
SIMULATED = ("sqlite on a simulated disk", "memory in a world", "sqlite in a world")
KINDS = (*REAL, *SIMULATED)
"""Every kind of store that must keep the contract. One in a world is what a simulated process is given."""


class Described(Protocol):
    """A store that is not open yet."""

    def opened(self, host: Host) -> AbstractAsyncContextManager[AnyStore]:
        """Open it."""
        ...


def a_store(kind: str, folder: Path) -> Described:
    """Return a store of one kind; where it is in a world, nothing unexpected happens there."""
    match kind:
        case "memory":
            return MemoryStore()
        case "sqlite":
            return sqlite_store(folder)
        case "sqlite on a thread":
            return sqlite_store(folder, statements="thread")
        case "sqlite on a simulated disk":
            return sqlite_store(folder).on(Disk("store.db").drive())
        case "memory in a world":
            return in_a_world(MemoryStore(), Sequencer(Canonical(), strict=False))
        case _:
            disk = Disk("store.db")
            return in_a_world(sqlite_store(folder).on(disk.drive()), Sequencer(Canonical(), strict=False))


def in_a_world(store: Store[Any, Any], sequencer: Sequencer) -> GuardedStore:
    """Return a store as a process of a world has it; who uses it stands under a fiber of that process."""
    if FIBER not in copy_context():
        FIBER.set(Fiber("p", "test"))
    nobody: Any = None  # without faults nothing happens to its process
    boundaries = Boundaries(sequencer, "p", nobody, Faults(), lambda: None)
    return GuardedStore(store, boundaries, lambda reason: None)


@contextmanager
def no_commit_yet(store: OpenSqlite) -> Iterator[Event]:
    """Keep the store's commit thread busy until the block ends or the gate is set."""
    gate = Event()
    thread = store._writer._thread
    assert thread is not None  # a store that commits on a thread
    thread.submit(lambda: gate.wait(30), lambda _: None)
    try:
        yield gate
    finally:
        gate.set()


async def put(session: AnySession, key: str, value: str) -> None:
    """Write a row of the user's."""
    if isinstance(session, MemorySession):
        session.table("rows")[key] = value
    else:
        await session.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (key, value))


async def rows(session: AnySession | AnyReadSession) -> dict[str, str]:
    """Read all rows of the user's."""
    if isinstance(session, MemorySession | MemoryReadSession):
        return dict(session.table("rows"))
    found = await session.fetch_all("SELECT key, value FROM rows ORDER BY key")
    return {row["key"]: row["value"] for row in found}


async def committed(store: AnyStore) -> dict[str, str]:
    """Read all rows that are committed."""
    async with store.reading() as session:
        return await rows(session)


def an_event(id: str, key: str | None = "k", *, topic: str = "loans", payload: bytes = b"{}") -> Envelope:
    """Return an event that has no number yet."""
    return Envelope(
        id=id,
        source="/library/lending",
        type="lending.book-borrowed",
        version=1,
        topic=topic,
        time=NOON,
        data=payload,
        correlation="c-1",
        key=key,
        causation="m-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        tenant="north",
    )


def an_audit(command_id: str = "c-1") -> AuditEntry:
    """Return an audit entry."""
    return AuditEntry(
        at=NOON,
        context="lending",
        command="BorrowBook",
        command_id=command_id,
        principal="ann",
        outcome="succeeded",
        correlation="c-1",
    )


def an_answer(command_id: str = "c-1", body: bytes = b'"loan"') -> Answer:
    """Return an encoded success."""
    return Answer(command_id=command_id, fingerprint=b"print", body=body)


async def publish(store: AnyStore, *events: Envelope) -> tuple[Envelope, ...]:
    """Commit events in a unit of their own."""
    async with store.unit() as unit:
        return await unit.commit(Ledger(events=events))


async def claim(
    store: AnyStore,
    *,
    owner: str = "relay-1",
    lanes: int = 10,
    events: int = 10,
    lease: timedelta = LEASE,
    destinations: Sequence[str] = ("catalog",),
) -> tuple[Claimed, ...]:
    """Claim as a relay does."""
    return await store.claim(owner=owner, lanes=lanes, events=events, lease=lease, destinations=destinations)


def ids(claims: Sequence[Claimed]) -> list[list[str]]:
    """Return the ids of the claimed events, a list for each lane."""
    return [[envelope.id for envelope in claimed.envelopes] for claimed in claims]


def accepted(claimed: Claimed, count: int | None = None) -> Settlement:
    """Return the settlement of a claim whose first events were accepted."""
    return Settlement(
        lane=claimed.lane, token=claimed.token, accepted=len(claimed.envelopes) if count is None else count
    )


def refused(claimed: Claimed, *, block: bool = True, accepted: int = 0) -> Settlement:
    """Return the settlement of a claim whose head is given up."""
    return Settlement(
        lane=claimed.lane, token=claimed.token, accepted=accepted, then="quarantine", error="too odd", block=block
    )


def address(event: str, sequence: int | None = 1, *, key: str | None = "k") -> Address:
    """Return the address of an event in one subscription."""
    return Address(subscription="catalog.loans", topic="loans", event=event, key=key, sequence=sequence)


def waiting(
    event: str, sequence: int | None = 1, reason: WaitingReason = WaitingReason.GAP, *, due: datetime | None = None
) -> Waiting:
    """Return a held event."""
    return Waiting(
        address=address(event, sequence, key=None if sequence is None else "k"),
        reason=reason,
        body=b"body of " + event.encode(),
        since=NOON,
        due=due,
        attempts=2,
        history=("first", "second"),
    )


def a_letter(event: str, sequence: int = 1, *, blocks: bool = True) -> DeadLetter:
    """Return a dead letter of the inbox."""
    return DeadLetter(
        id=f"letter of {event}",
        side="inbox",
        destination="catalog.loans",
        topic="loans",
        key="k",
        sequence=sequence,
        event=event,
        type="lending.book-borrowed",
        body=b"body of " + event.encode(),
        cause="ValueError: no",
        history=("first", "ValueError: no"),
        attempts=2,
        blocks=blocks,
        at=NOON,
    )


CATALOG = Route("loans", "catalog")
KEYED = Lane("catalog", "loans", "k")
