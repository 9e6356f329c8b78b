"""What adapters hold of a memory store: tables by name, inside one unit of work or one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, final

from effect_runtime.outbox.memory._database import Database
from effect_runtime.outbox.memory._tables import Snapshots, Table

K = TypeVar("K")
V = TypeVar("V")


@final
class MemorySession:
    """Tables inside one unit of work: what is written is undone with the unit or its savepoint."""

    __slots__ = ("_check", "_database")

    def __init__(self, database: Database, check: Callable[[], None]) -> None:
        self._database = database
        self._check = check

    def table(self, name: str) -> MutableMapping[Any, Any]:
        """Return a table by its name, made when it is asked for the first time.

        Values must be immutable: a change inside one would be seen by nobody and undone by nothing. A runtime may ask
        for its tables before the unit opens its transaction; using one before that, or after the unit, is refused.
        """
        return _UnitTable(self._database.users(name), self._check)


@final
class _UnitTable(MutableMapping[K, V]):
    """A table as one unit sees it: of no use once the unit has ended."""

    __slots__ = ("_check", "_table")

    def __init__(self, table: Table[K, V], check: Callable[[], None]) -> None:
        self._table = table
        self._check = check

    def __getitem__(self, key: K) -> V:
        # Asked at every access: a runtime holds its tables from before the unit opens until after it has ended.
        self._check()
        return self._table[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._check()
        self._table[key] = value

    def __delitem__(self, key: K) -> None:
        self._check()
        del self._table[key]

    def __iter__(self) -> Iterator[K]:
        self._check()
        return iter(self._table)

    def __len__(self) -> int:
        self._check()
        return len(self._table)


@final
class MemoryReadSession:
    """Tables as they were committed when the session began; they cannot be written."""

    __slots__ = ("_check", "_database", "_snapshots")

    def __init__(self, database: Database, snapshots: Snapshots, check: Callable[[], None]) -> None:
        self._database = database
        self._snapshots = snapshots
        self._check = check

    def table(self, name: str) -> Mapping[Any, Any]:
        """Return a table by its name; one that nobody has written is empty."""
        self._check()
        return _ReadTable(self._snapshots, self._database.users(name), self._check)


@final
class _ReadTable(Mapping[K, V]):
    """A table as one snapshot shows it."""

    __slots__ = ("_check", "_snapshots", "_table")

    def __init__(self, snapshots: Snapshots, table: Table[K, V], check: Callable[[], None]) -> None:
        self._snapshots = snapshots
        self._table = table
        self._check = check

    def _rows(self) -> Mapping[K, V]:
        # Looked up each time: the snapshot is copied only when the table is about to change.
        self._check()
        return self._snapshots.of(self._table)

    def __getitem__(self, key: K) -> V:
        return self._rows()[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._rows())

    def __len__(self) -> int:
        return len(self._rows())
