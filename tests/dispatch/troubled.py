"""A store around another one that does what a test says at the points where stores get into trouble.

It takes plain values: an exception to raise, or a function to await, each used once, in order.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias

from effect_runtime.dispatch import Answer, AuditEntry, Ledger, Store
from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Host

Point: TypeAlias = Literal[
    "unit", "begin", "claim", "savepoint", "release", "rollback_to", "commit", "committed", "answer", "audit", "reading"
]
Trouble: TypeAlias = Exception | Callable[[], Awaitable[None]]


class TroubledStore:
    """A store with a script of trouble, and a log of what dispatch asked of it."""

    def __init__(self, inner: Store[Any, Any]) -> None:
        self.inner = inner
        self.name = inner.name
        self.script: dict[Point, deque[Trouble | None]] = defaultdict(deque)
        self.log: list[str] = []
        self.open: Any = None

    def on(self, point: Point, *troubles: Trouble | None) -> None:
        """Plan what happens the next times a point is reached; None means nothing."""
        self.script[point].extend(troubles)

    async def reach(self, point: Point) -> None:
        """Do what is planned for a point."""
        self.log.append(point)
        planned = self.script[point].popleft() if self.script[point] else None
        if isinstance(planned, Exception):
            raise planned
        if planned is not None:
            await planned()

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open the store inside."""
        async with self.inner.opened(host) as self.open:
            yield self

    def __getattr__(self, name: str) -> Any:
        # What delivery asks of a store passes unseen.
        return getattr(self.open, name)

    @asynccontextmanager
    async def unit(self, *, alone: bool = False) -> AsyncIterator[TroubledUnit]:
        """Give a unit of the store inside."""
        async with self.open.unit(alone=alone) as unit:
            self.log.append("alone" if alone else "unit")
            yield TroubledUnit(self, unit)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """Give a read session of the store inside."""
        await self.reach("reading")
        async with self.open.reading() as session:
            yield session

    async def answer(self, command_id: str) -> Answer | None:
        """Read a stored answer."""
        await self.reach("answer")
        found: Answer | None = await self.open.answer(command_id)
        return found

    async def audit(self, entry: AuditEntry) -> None:
        """Write one audit entry."""
        await self.reach("audit")
        await self.open.audit(entry)


class TroubledUnit:
    """A unit of work with the trouble of its store."""

    def __init__(self, store: TroubledStore, inner: Any) -> None:
        self.store = store
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def begin(self) -> None:
        """Open the transaction."""
        await self.store.reach("begin")
        await self.inner.begin()

    async def claim(self, command_id: str, fingerprint: bytes) -> Answer | None:
        """Claim a command id."""
        await self.store.reach("claim")
        found: Answer | None = await self.inner.claim(command_id, fingerprint)
        return found

    async def savepoint(self) -> int:
        """Open a savepoint."""
        await self.store.reach("savepoint")
        number: int = await self.inner.savepoint()
        return number

    async def release(self, savepoint: int) -> None:
        """End a savepoint."""
        await self.store.reach("release")
        await self.inner.release(savepoint)

    async def rollback_to(self, savepoint: int) -> None:
        """Undo a savepoint."""
        await self.store.reach("rollback_to")
        await self.inner.rollback_to(savepoint)

    async def commit(self, ledger: Ledger) -> tuple[Envelope, ...]:
        """Commit, with trouble before it and after it."""
        await self.store.reach("commit")
        numbered: tuple[Envelope, ...] = await self.inner.commit(ledger)
        await self.store.reach("committed")
        return numbered
