"""Mutants of the machinery under a world: a store or a wire with one duty taken away.

Each stands where the production adapter stands and passes everything else through; nothing is patched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, final

from anyio import create_task_group
from attrs import define, evolve

from effect_runtime.errors import StoreConflict
from effect_runtime.integration import Features, Message, Receive, Transport
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite import Medium, SqliteStore


@define(eq=False)
class MutantStore:
    """An SQLite store whose units, or whose connections, are made worse."""

    store: SqliteStore
    unit: Callable[[Any], Any] | None = None
    connection: Callable[[Any], Any] | None = None

    @property
    def name(self) -> str:
        """Return the store's name."""
        return self.store.name

    def on(self, medium: Medium) -> MutantStore:
        """Return the same mutant on another medium."""
        return evolve(self, store=self.store.on(_Medium(medium, self.connection) if self.connection else medium))

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:
        """Open the store."""
        async with self.store.opened(host) as store:
            yield _Open(store, self.unit) if self.unit else store


@define(eq=False)
class _Medium:
    medium: Medium
    change: Any

    def connect(self, path: Path) -> Any:
        """Open a connection that is made worse."""
        return self.change(self.medium.connect(path))

    def identity_of(self, path: Path) -> tuple[int, int] | None:
        """Return what the medium says."""
        return self.medium.identity_of(path)


class _Through:
    """Whatever is not said here is the real one's."""

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@final
class _Open(_Through):
    def __init__(self, real: Any, change: Callable[[Any], Any]) -> None:
        super().__init__(real)
        self._change = change

    @asynccontextmanager
    async def unit(self, *, alone: bool = False) -> AsyncIterator[Any]:
        """Give a unit that is made worse."""
        async with self.real.unit(alone=alone) as unit:
            yield self._change(unit)


class WithoutDedupe(_Through):
    """A unit whose inbox forgets what it has applied."""

    @property
    def inbox(self) -> Any:
        """Return an inbox that writes no mark."""
        return _ForgetfulInbox(self.real.inbox)


@final
class _ForgetfulInbox(_Through):
    async def settled(self, address: Any, outcome: str) -> None:
        """Write nothing."""


class WithoutAnswers(_Through):
    """A unit that remembers no command: its idempotency row is never written."""

    async def commit(self, ledger: Any) -> Any:
        """Commit everything but the answer."""
        return await self.real.commit(evolve(ledger, answer=None))


@define(eq=False)
class Conflicts:
    """A party that makes the first commit of each run lose against somebody."""

    left: int = 1

    def reset(self) -> None:
        """Be ready for the next run."""
        self.left = 1

    def unit(self, real: Any) -> Any:
        """Return a unit that may lose."""
        return _Losing(real, self)


@final
class _Losing(_Through):
    def __init__(self, real: Any, conflicts: Conflicts) -> None:
        super().__init__(real)
        self._conflicts = conflicts

    async def commit(self, ledger: Any) -> Any:
        """Lose, if it is still to be lost."""
        if self._conflicts.left:
            self._conflicts.left -= 1
            raise StoreConflict("till.db", reason="somebody else was first")
        return await self.real.commit(ledger)


class WithoutTransaction(_Through):
    """A connection on which each statement of a handler is durable at once."""

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Run a statement, and commit what it wrote."""
        result = self.real.execute(statement, parameters)
        if self.real.in_transaction and " record " in statement and not statement.startswith("SELECT"):
            self.real.execute("COMMIT")
            self.real.execute("BEGIN IMMEDIATE")
        return result


class WithoutFsync(_Through):
    """A connection that answers COMMIT first and makes it durable when the next transaction begins."""

    def __init__(self, real: Any) -> None:
        super().__init__(real)
        self._owed = False

    @property
    def in_transaction(self) -> bool:
        """Tell what a caller believes."""
        return bool(self.real.in_transaction) and not self._owed

    def execute(self, statement: str, parameters: Any = ()) -> Any:
        """Run a statement; a COMMIT is only promised."""
        if statement == "COMMIT":
            self._owed = True
            return self.real.execute("SELECT 1")
        if self._owed and statement.startswith("BEGIN"):
            self._owed = False
            self.real.execute("COMMIT")
        return self.real.execute(statement, parameters)


@define(eq=False)
class EarlyAck:
    """A wire that acknowledges a message as soon as it has come, and handles it after that."""

    wire: Transport

    @property
    def features(self) -> Features:
        """Return what the real wire promises."""
        return self.wire.features

    def destinations(self, topic: str, subscriptions: Sequence[str]) -> tuple[str, ...]:
        """Return the real wire's destinations."""
        return self.wire.destinations(topic, subscriptions)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run the real wire."""
        return self.wire.running()

    @asynccontextmanager
    async def listening(self, subscription: str, topic: str, receive: Receive) -> AsyncIterator[None]:
        """Listen, and let go of each message before it is handled."""
        async with create_task_group() as group:

            async def handle(message: Message) -> None:
                await receive(message)

            async def early(message: Message) -> None:
                group.start_soon(handle, message)

            async with self.wire.listening(subscription, topic, early):
                yield
            group.cancel_scope.cancel()

    async def publish(self, destination: str, message: Message) -> None:
        """Publish on the real wire."""
        await self.wire.publish(destination, message)
