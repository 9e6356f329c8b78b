"""What dispatch needs from a store and from a transport interpreter, as ports.

A store implements these; dispatch decides when each is called. Knows no SQL, no wire, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from attrs import frozen
from typing_extensions import TypeVar

from effect_runtime.integration import Envelope
from effect_runtime.interpreter import Host

S_co = TypeVar("S_co", covariant=True)
Q_co = TypeVar("Q_co", covariant=True)


@frozen(kw_only=True)
class AuditEntry:
    """One line of the audit: who asked for what, when, and what came of it."""

    at: datetime
    context: str
    command: str
    command_id: str
    principal: str
    outcome: str
    correlation: str


@frozen(kw_only=True)
class Answer:
    """The encoded success of a command, remembered under its id. `fingerprint` digests command name and payload."""

    command_id: str
    fingerprint: bytes
    body: bytes


@frozen(kw_only=True)
class AgendaItem:
    """Work that a unit of work leaves for later in its own context.

    `reaction` is the title of what takes it: an after-commit handler, or the handler of a due command. `envelope`
    carries the event or the command under its stored identity; its `id` is the item's own, its `topic` the name of
    the queue, and its `key` the lane. `due`: not before this moment on the store's clock; None is at once.
    """

    reaction: str
    envelope: Envelope
    due: datetime | None = None


@frozen(kw_only=True)
class AgendaEntry:
    """An item as the agenda holds it.

    `token` grows with each loan; `due` is None behind another item of its lane, and the end of the lease while it is
    lent. `since` is when it was added.
    """

    item: AgendaItem
    since: datetime
    due: datetime | None
    attempts: int = 0
    history: tuple[str, ...] = ()
    token: int = 0
    is_lent: bool = False


class Agenda(Protocol):
    """The agenda of one store inside one unit of work: every method reads and writes in its transaction.

    1. Items of one lane, which is one key of one reaction, become due one after another, in the order in which they
       were added: an item has no due time before the one in front of it has ended.
    2. `cancel` removes an item, lent or not; `reschedule` gives it another due time, with its attempts forgotten, and
       makes loans of it stale. False when there is no such item any more.
    """

    async def add(self, item: AgendaItem) -> None:
        """Add an item; an id that is there already is left as it is."""
        ...

    async def find(self, id: str) -> AgendaEntry | None:
        """Read one entry."""
        ...

    async def cancel(self, id: str) -> bool:
        """Remove an item."""
        ...

    async def reschedule(self, id: str, due: datetime) -> bool:
        """Give an item another due time."""
        ...


@frozen(kw_only=True)
class Ledger:
    """Everything a commit adds beside the user's own rows, written as the transaction's last statement."""

    audit: AuditEntry | None = None
    answer: Answer | None = None
    events: tuple[Envelope, ...] = ()
    agenda: tuple[AgendaItem, ...] = ()


class UnitOfWork(Protocol[S_co]):
    """One transaction of one store, opened lazily.

    1. `begin` opens the transaction, waiting for its turn; calling it again does nothing.
    2. `claim` makes the command id this unit's, before anything else is written, and returns the answer that a twin
       has stored already, if any. A twin in flight makes it wait. Where one unit writes at a time the open transaction
       is the claim; elsewhere it is the first row. A claim that ends without an answer leaves nothing behind.
    3. Savepoints nest; `rollback_to` undoes exactly what came after `savepoint` and ends it.
    4. `commit` writes the ledger last and returns only when everything is durable. It numbers keyed events from
       their counter row. Cancelled, it still learns the verdict first; `errors.CommitUndecided` if there is none.
    5. `errors.StoreConflict`: nothing was written, running the unit again may succeed. `errors.TransactionLost`: the
       same, and it must be run again `alone`. `errors.StoreDown`: the store cannot be reached or written.
    6. `rollback`, and every outcome of a unit that read uncommitted data of its batch, is told only when that batch
       is durable. Rolling back twice, or after a commit, does nothing.
    7. The session refuses use after the unit has ended (`errors.UnitEnded`).
    """

    @property
    def session(self) -> S_co:
        """Return the store's session, through which adapters read and write in this transaction."""
        ...

    @property
    def is_open(self) -> bool:
        """Tell whether the transaction has been opened and has not ended."""
        ...

    @property
    def agenda(self) -> Agenda:
        """Return the agenda inside this transaction."""
        ...

    async def begin(self) -> None:
        """Open the transaction unless it is open."""
        ...

    async def claim(self, command_id: str, fingerprint: bytes) -> Answer | None:
        """Claim a command id, or return what its twin has answered."""
        ...

    async def savepoint(self) -> int:
        """Open a savepoint and return its number."""
        ...

    async def release(self, savepoint: int) -> None:
        """End a savepoint and keep what was done in it."""
        ...

    async def rollback_to(self, savepoint: int) -> None:
        """End a savepoint and undo what was done in it."""
        ...

    async def commit(self, ledger: Ledger) -> tuple[Envelope, ...]:
        """Write the ledger, commit durably and return the events with their numbers."""
        ...

    async def rollback(self) -> None:
        """Undo everything."""
        ...


class UnitStore(Protocol[S_co, Q_co]):
    """An open store, as dispatch sees it."""

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[UnitOfWork[S_co]]:
        """Give one unit of work; leaving without `commit` rolls back, also under cancellation.

        `alone` asks for a transaction that is shared with no other unit's commit.
        """
        ...

    def reading(self) -> AbstractAsyncContextManager[Q_co]:
        """Give one read session that sees one consistent snapshot and cannot write."""
        ...

    async def answer(self, command_id: str) -> Answer | None:
        """Read a stored answer, outside any unit."""
        ...

    async def audit(self, entry: AuditEntry) -> None:
        """Write one audit entry in a transaction of its own and wait until it is durable."""
        ...


class Store(Protocol[S_co, Q_co]):
    """A store that is described and not yet open: a value for the composition root."""

    @property
    def name(self) -> str:
        """Return what names this store in messages, for example its file."""
        ...

    def opened(self, host: Host) -> AbstractAsyncContextManager[UnitStore[S_co, Q_co]]:
        """Open the store, migrate it if it is asked to, close it on the way out."""
        ...


class TransportInterpreter(Protocol):
    """Commit the integration events that a unit of work collected.

    1. `rows` is pure and runs before the commit: what it returns is written in the unit's transaction.
    2. `committed` runs after the commit and gets the collected events, numbered where they became rows; it must not
       lose what `rows` wrote if it fails or is cancelled.
    """

    @property
    def durable(self) -> bool:
        """Tell whether collected events survive a crash right after the commit."""
        ...

    def rows(self, events: Sequence[Envelope]) -> tuple[Envelope, ...]:
        """Return the events to write in the unit's transaction."""
        ...

    async def committed(self, events: Sequence[Envelope]) -> None:
        """Act on events whose unit has committed."""
        ...
