"""What goes wrong in a store: between a unit of work and its durable commit.

`StoreConflict` and `TransactionLost` say that nothing was written; `CommitUndecided` says that nobody knows. It knows
no SQL: an adapter keeps the driver's own exception as the cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from effect_runtime.errors._root import EffectRuntimeError


class StoreConflict(EffectRuntimeError):
    """Report a unit that lost against another one. Nothing was written; running it again may succeed."""

    def __init__(self, store: str, *, reason: str) -> None:
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return f"Store {self.store!r} refused this unit of work: {self.reason}. Nothing was written; run it again."


class TransactionLost(EffectRuntimeError):
    """Report a unit whose shared transaction was undone by another's trouble. Run it again with `alone=True`."""

    def __init__(self, store: str, *, reason: str) -> None:
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} lost the transaction that this unit shared with others: {self.reason}. "
            "Nothing was written; run it again alone, in a transaction of its own."
        )


class StoreDown(EffectRuntimeError):
    """Report a store that cannot be reached, read or written. Nothing was written."""

    def __init__(self, store: str, *, reason: str) -> None:
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} cannot be used: {self.reason}. "
            "Nothing was written; free the space or repair the file, then try again."
        )


class CommitUndecided(EffectRuntimeError):
    """Report a commit whose verdict did not arrive in time: it may be durable, or not."""

    def __init__(self, store: str, *, waited: timedelta) -> None:
        super().__init__(store, waited)
        self.store = store
        self.waited = waited

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} gave no verdict on a commit within {self.waited.total_seconds():g} s. "
            "It may be durable or not: ask again with the same command id."
        )


class UnitEnded(EffectRuntimeError):
    """Report a session, inbox or unit of work that was used before its unit had begun or after it had ended."""

    def __init__(self, store: str, *, used: str) -> None:
        super().__init__(store, used)
        self.store = store
        self.used = used

    def __str__(self) -> str:
        return (
            f"{self.used} of store {self.store!r} was used while its unit of work was not open. "
            "Begin the unit first, and keep no runtime, session or repository beyond the command that was given it."
        )


class SavepointGone(EffectRuntimeError):
    """Report a savepoint that was released or rolled back already."""

    def __init__(self, store: str, *, savepoint: int) -> None:
        super().__init__(store, savepoint)
        self.store = store
        self.savepoint = savepoint

    def __str__(self) -> str:
        return (
            f"Savepoint {self.savepoint} of store {self.store!r} has ended already. "
            "End each savepoint once, the innermost first."
        )


class EventTooLarge(EffectRuntimeError):
    """Report an integration event that is larger than its store accepts. The command was rolled back."""

    def __init__(self, event: str, *, type: str, size: int, limit: int) -> None:
        super().__init__(event, type, size, limit)
        self.event = event
        self.type = type
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"Event {self.event!r} of type {self.type!r} takes {self.size} bytes and the store accepts {self.limit}. "
            "Store the content elsewhere and publish a reference to it, or open the store with a larger event_limit."
        )


class StoreClosed(EffectRuntimeError):
    """Report a store that was used after it had been closed."""

    def __init__(self, store: str) -> None:
        super().__init__(store)
        self.store = store

    def __str__(self) -> str:
        return f"Store {self.store!r} is closed. Use it inside `async with store.opened(host)` only."


class StoreForked(EffectRuntimeError):
    """Report a store that was opened before its process forked: using it could damage the file."""

    def __init__(self, store: str, *, opened_in: int, used_in: int) -> None:
        super().__init__(store, opened_in, used_in)
        self.store = store
        self.opened_in = opened_in
        self.used_in = used_in

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} was opened in process {self.opened_in} and used in its fork {self.used_in}. "
            "Open it after the fork, in the child itself."
        )


class StoreUnsafe(EffectRuntimeError):
    """Report a file that does not give the durability which the store promises."""

    def __init__(self, store: str, *, setting: str, wanted: str, found: str) -> None:
        super().__init__(store, setting, wanted, found)
        self.store = store
        self.setting = setting
        self.wanted = wanted
        self.found = found

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} needs {self.setting} = {self.wanted} and has {self.found}. "
            "Use a file on a local disk; network file systems and in-memory databases cannot keep what is promised."
        )


class StatementRefused(EffectRuntimeError):
    """Report a statement that would end or bypass the unit's own transaction."""

    def __init__(self, store: str, *, statement: str) -> None:
        super().__init__(store, statement)
        self.store = store
        self.statement = statement

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} does not run {self.statement!r} inside a unit: the unit owns its transaction and "
            "its connection. Use `atomic(...)` for a savepoint and `migrations=` for the schema."
        )


class EventsPurged(EffectRuntimeError):
    """Report a new subscription that asks for events from the earliest on where retention has removed some."""

    def __init__(self, destination: str, *, topic: str, until: datetime) -> None:
        super().__init__(destination, topic, until)
        self.destination = destination
        self.topic = topic
        self.until = until

    def __str__(self) -> str:
        return (
            f"Destination {self.destination!r} asks for events of topic {self.topic!r} from the earliest on, and "
            f"retention has removed those committed until {self.until.isoformat()}. "
            'Start the new subscription with start="now", and fill it from the publisher by other means.'
        )


class MigrationChanged(EffectRuntimeError):
    """Report a migration that was applied already and reads differently now."""

    def __init__(self, store: str, *, owner: str, version: int, name: str) -> None:
        super().__init__(store, owner, version, name)
        self.store = store
        self.owner = owner
        self.version = version
        self.name = name

    def __str__(self) -> str:
        return (
            f"Migration {self.version} {self.name!r} of {self.owner!r} was changed after it had run on store "
            f"{self.store!r}. Restore its text and put the change into a new migration with a higher version."
        )


class MigrationFailed(EffectRuntimeError):
    """Report a migration that could not run. It left nothing behind; those before it stand."""

    def __init__(self, store: str, *, owner: str, version: int, name: str, reason: str) -> None:
        super().__init__(store, owner, version, name, reason)
        self.store = store
        self.owner = owner
        self.version = version
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"Migration {self.version} {self.name!r} of {self.owner!r} failed on store {self.store!r}: {self.reason}. "
            "Nothing of it was kept; correct its statements and start again."
        )


class MigrationsPending(EffectRuntimeError):
    """Report migrations that have not run on a store which was opened with `migrate=False`."""

    def __init__(self, store: str, *, pending: Sequence[str]) -> None:
        super().__init__(store, tuple(pending))
        self.store = store
        self.pending = tuple(pending)

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} lacks {len(self.pending)} migrations: {', '.join(self.pending)}. "
            "Open it once with migrate=True, or leave that argument out."
        )


class SchemaDiffers(EffectRuntimeError):
    """Report a file whose schema is not what its migrations make of an empty one; all differences at once."""

    def __init__(self, store: str, *, differences: Sequence[str]) -> None:
        super().__init__(store, tuple(differences))
        self.store = store
        self.differences = tuple(differences)

    def __str__(self) -> str:
        lines = "".join(f"\n  {difference}" for difference in self.differences)
        return (
            f"Store {self.store!r} differs from its migrations in {len(self.differences)} places.{lines}\n"
            "Run what is pending with `apply`, undo by hand what was done by hand, or restore the file from a backup."
        )


class SchemaTooNew(EffectRuntimeError):
    """Report a file that a newer version of the library has migrated to something this version cannot work on."""

    def __init__(self, store: str, *, differences: Sequence[str]) -> None:
        super().__init__(store, tuple(differences))
        self.store = store
        self.differences = tuple(differences)

    def __str__(self) -> str:
        return (
            f"Store {self.store!r} was migrated by a newer version of effect_runtime: {'; '.join(self.differences)}. "
            "Use that version, or restore the file from a backup that was made before."
        )
