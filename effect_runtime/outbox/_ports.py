"""What the relay, the consumer and the operator need from a store, as ports.

A store implements these beside dispatch's. Knows no SQL, no wire; time is the store's own clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from attrs import frozen

from effect_runtime.dispatch import Agenda, AgendaEntry, UnitOfWork
from effect_runtime.integration import Envelope


@frozen
class Route:
    """Events of `topic` must be accepted by `destination`. `earliest`: also those committed before this route."""

    topic: str
    destination: str
    earliest: bool = False


@frozen
class Lane:
    """The unit of order, lease and retry: the events of one key on their way to one destination.

    An event without a key is a lane of its own: `key` is None and `event` is its id.
    """

    destination: str
    topic: str
    key: str | None
    event: str | None = None


@frozen(kw_only=True)
class Claimed:
    """A lane under a fenced lease with its next events in order; the head has been tried `attempts` times."""

    lane: Lane
    token: int
    attempts: int
    envelopes: tuple[Envelope, ...]


@frozen(kw_only=True)
class Settlement:
    """What became of a claim: the first `accepted` events are through, and the rest as `then` says.

    `release`: give the lane back, due at once. `retry`: due at `due`; `spend` adds an attempt to the head.
    `quarantine`: the head becomes a dead letter, the attempt that led to it counted; the lane is blocked (`block`) or
    goes on without it.
    """

    lane: Lane
    token: int
    accepted: int
    then: Literal["release", "retry", "quarantine"] = "release"
    due: datetime | None = None
    spend: bool = False
    error: str = ""
    block: bool = True


class RelayStore(Protocol):
    """Lend lanes to relays.

    1. A lane is lent to one owner until its lease ends on the store's clock; each loan has a larger token.
    2. Only lanes that are due, not blocked, and have unaccepted events are lent, oldest due first.
    3. `settle` changes nothing for a token that is not the lane's last one, or whose lease was lent on: it returns
       those settlements as stale. It is atomic for each settlement.
    4. A registered route gets every event committed after its registration. An `earliest` one that is new also gets
       those that are stored; `errors.EventsPurged` where some were removed.
    """

    async def register(self, routes: Sequence[Route]) -> None:
        """Remember the routes; known ones are left as they are."""
        ...

    async def claim(
        self, *, owner: str, lanes: int, events: int, lease: timedelta, destinations: Sequence[str]
    ) -> tuple[Claimed, ...]:
        """Lend up to `lanes` due lanes of these destinations, each with up to `events` events."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> tuple[Settlement, ...]:
        """Record outcomes; return the stale ones."""
        ...

    async def next_due(self, destinations: Sequence[str]) -> datetime | None:
        """Return when the next unblocked lane is due or its lease ends; None when nothing waits."""
        ...

    async def backlog(self, destinations: Sequence[str], *, limit: int) -> int:
        """Count the events that these destinations have not accepted yet, counting no further than `limit`."""
        ...

    def version(self) -> int:
        """Return a number that grows when any process has committed; cheap enough to poll each few milliseconds."""
        ...


@frozen(kw_only=True)
class Address:
    """One event for one subscription."""

    subscription: str
    topic: str
    event: str
    key: str | None = None
    sequence: int | None = None


@frozen(kw_only=True)
class InboxState:
    """What the inbox knows before an event is admitted. `mark`: last number settled; None for a new key.

    `seen`: it is settled. `held`: a waiting row of this very address exists. `waiting`: waiting rows of its key.
    """

    seen: bool
    held: bool
    mark: int | None
    blocked: bool
    waiting: int


class WaitingReason(Enum):
    """Why a received event is held: a number before it is missing, its key is blocked, or it will be tried again."""

    GAP = "gap"
    BEHIND = "behind"
    RETRY = "retry"


@frozen(kw_only=True)
class Waiting:
    """A received and acknowledged event that the inbox holds durably."""

    address: Address
    reason: WaitingReason
    body: bytes
    since: datetime
    due: datetime | None = None
    attempts: int = 0
    history: tuple[str, ...] = ()
    replayed: bool = False


@frozen(kw_only=True)
class DeadLetter:
    """A message that could not be handled: its bytes, where it was going, and every attempt's error.

    `side` tells who gave up: the relay (`outbox`), the subscription (`inbox`) or the agenda. `destination` is then a
    subscription's id, or the title of an after-commit handler or due command. `blocks`: its key waits for it.
    `recording` holds the operations of its last attempt, encoded and bounded, where there was one.
    """

    id: str
    side: Literal["outbox", "inbox", "agenda"]
    destination: str
    topic: str | None
    key: str | None
    sequence: int | None
    event: str | None
    type: str | None
    body: bytes
    cause: str
    history: tuple[str, ...]
    attempts: int
    blocks: bool
    at: datetime
    state: Literal["dead", "replayed", "discarded"] = "dead"
    recording: bytes | None = None


class Inbox(Protocol):
    """The inbox of one context, inside one unit of work: every method reads and writes in its transaction.

    1. `settled` inserts the row that makes a second delivery a duplicate, and moves the key's mark to the event's
       number if that is higher; concurrent twins wait for one another on it. In the same step the waiting event of
       the next number, if there is one and the key is not blocked, becomes due at once.
    2. `hold` replaces a waiting row of the same address and ends its lease.
    3. `bury` stores a dead letter, removes its waiting row, and blocks its key if it says so.
    """

    async def state(self, address: Address) -> InboxState:
        """Read what is known of an event and its key."""
        ...

    async def settled(self, address: Address, outcome: str) -> None:
        """Record that this event is done for this subscription: applied, ignored, skipped or discarded."""
        ...

    async def hold(self, waiting: Waiting) -> None:
        """Keep an event until its turn or its next attempt."""
        ...

    async def drop(self, address: Address) -> None:
        """Remove a waiting row."""
        ...

    async def next_in_line(self, subscription: str, topic: str, key: str) -> Waiting | None:
        """Return the waiting event with the lowest number of one key."""
        ...

    async def bury(self, letter: DeadLetter) -> None:
        """Store a dead letter."""
        ...

    async def unblock(self, subscription: str, topic: str, key: str) -> None:
        """Let a blocked key move again."""
        ...


class InboxUnit(UnitOfWork[object], Protocol):
    """A unit of work whose store also keeps the inbox."""

    @property
    def inbox(self) -> Inbox:
        """Return the inbox inside this transaction."""
        ...


class InboxStore(Protocol):
    """The inbox outside a unit: what the consumer's worker polls."""

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[InboxUnit]:
        """Give one unit of work with its inbox."""
        ...

    async def claim_waiting(
        self, *, owner: str, limit: int, lease: timedelta, subscriptions: Sequence[str]
    ) -> tuple[Waiting, ...]:
        """Lend waiting rows of these subscriptions that are due, each to one owner until its lease ends, oldest first.

        Rows of other subscriptions are left alone: another process of the same store may know them.
        """
        ...

    async def next_waiting(self, subscriptions: Sequence[str]) -> datetime | None:
        """Return when the next waiting row of these is due or its lease ends; None when none will be."""
        ...

    async def stale_gaps(self, older_than: timedelta) -> tuple[Waiting, ...]:
        """Return events held for a gap longer than this, for health reports."""
        ...


class DeadLetterStore(Protocol):
    """Dead letters, as an operator sees them."""

    async def dead_letters(
        self, *, state: Literal["dead", "replayed", "discarded"] | None = "dead", limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters, oldest first."""
        ...

    async def dead_letter(self, id: str) -> DeadLetter | None:
        """Read one dead letter."""
        ...

    async def open_letters(
        self, *, before: datetime, destination: str | None = None, after: str | None = None, limit: int = 100
    ) -> tuple[str, ...]:
        """Return the ids of open letters that were written no later than `before`, oldest first, behind `after`."""
        ...

    async def close_dead_letter(self, id: str, state: Literal["replayed", "discarded"]) -> bool:
        """Mark a dead letter as replayed or discarded in one transaction with its effect on the lane or key.

        Outbox side: replayed makes the head due again with no attempts spent; discarded lets the lane go on without it.
        Inbox side: replayed holds the event for retry, due at once and marked `replayed`; discarded settles it. Both
        free a blocked key's successors, in order: after a replay they stay behind the head until it is settled.
        Agenda side: replayed puts the item back, due at once, with no attempts and outside the order of its lane;
        `errors.DeadLetterNotReplayable` for a letter that holds no message; discarded only closes it.
        Returns False when it was not `dead` any more.
        """
        ...


class LentAgenda(Agenda, Protocol):
    """The agenda inside a unit, for whoever borrowed an entry.

    1. `take` ends a loan with success: the item is removed, and in the same step the next of its lane becomes due, at
       its own due time.
    2. `retry` keeps the item, with one attempt more and at the head of its lane; `release` keeps it as if it had never
       been lent, due at once; `bury` removes it, as `take` does, and stores the dead letter.
    3. Each is False for a loan that is stale: lent on, cancelled, rescheduled or ended. Then nothing is written.
    """

    async def take(self, id: str, token: int) -> bool:
        """End a loan with success."""
        ...

    async def retry(self, id: str, token: int, *, due: datetime, error: str) -> bool:
        """End a loan with a failure after which the item is tried again."""
        ...

    async def release(self, id: str, token: int) -> bool:
        """End a loan without a try."""
        ...

    async def bury(self, id: str, token: int, letter: DeadLetter) -> bool:
        """End a loan with a dead letter."""
        ...


class AgendaUnit(UnitOfWork[object], Protocol):
    """A unit of work whose agenda can end loans."""

    @property
    def agenda(self) -> LentAgenda:
        """Return the agenda inside this transaction."""
        ...


class AgendaStore(Protocol):
    """The agenda outside a unit: what its workers poll.

    1. An entry is lent to one owner until its lease ends on the store's clock; each loan has a larger token.
    2. Only entries that are due are lent, earliest due first; of a lane that is its head.
    3. Reactions that are not asked for are left alone: another process of the same store may know them.
    """

    def unit(self, *, alone: bool = False) -> AbstractAsyncContextManager[AgendaUnit]:
        """Give one unit of work with its agenda."""
        ...

    async def claim_agenda(
        self, *, owner: str, limit: int, lease: timedelta, reactions: Sequence[str]
    ) -> tuple[AgendaEntry, ...]:
        """Lend up to `limit` due entries of these reactions."""
        ...

    async def next_agenda(self, reactions: Sequence[str]) -> datetime | None:
        """Return when the next entry of these is due or its lease ends; None when none will be."""
        ...

    async def agenda_backlog(self, reactions: Sequence[str] | None, *, limit: int) -> int:
        """Count entries of these reactions, or of all, counting no further than `limit`."""
        ...

    async def agenda_entries(
        self, reactions: Sequence[str] | None = None, *, limit: int = 100, after: str | None = None
    ) -> tuple[AgendaEntry, ...]:
        """List entries in the order of adding, beginning behind the entry with the id `after`; for operators.

        From the beginning when that entry has ended: whoever ends what is listed need not remember a place.
        """
        ...

    async def agenda_reactions(self) -> tuple[str, ...]:
        """Return every reaction that has an entry, by name: those that no process knows are stuck."""
        ...


class Kept(Enum):
    """What a store keeps for a time after it is done."""

    EVENTS = "events"
    INBOX = "inbox"
    ANSWERS = "answers"
    LETTERS = "letters"
    AUDIT = "audit"


Place: TypeAlias = tuple[str | int, ...]
"""How far a sweep has come, in the store's own terms; empty is the beginning."""


@frozen
class Sweep:
    """One step through rows of one kind: how many were removed, and where to go on; None when all were looked at."""

    removed: int
    reached: Place | None


class RetentionStore(Protocol):
    """Forget what is done and old.

    1. What is still needed stays, however old it is: an event that a destination has not accepted, or that an open dead
       letter of the relay stands for; an inbox row of an event that waits or is an open dead letter; open dead letters.
       Waiting rows, lanes, the agenda, numbers and marks are no kinds at all.
    2. A step looks at no more than `limit` rows, decides and removes in one short transaction, and writes nothing when
       there is nothing to remove. Several may run at the same time.
    3. Where events were removed, an `earliest` route that is new to the topic is refused: `errors.EventsPurged`.
    """

    async def purge(self, kept: Kept, before: datetime, *, limit: int, behind: Place = ()) -> Sweep:
        """Remove rows of one kind that were done before a moment, beginning behind where the last step came to."""
        ...
