"""Dictionaries that can take back what was done to them, and snapshots that do not see what is not committed.

One unit writes at a time, so one journal serves all tables. Knows nothing of lanes, inboxes or users' rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Generic, TypeVar, cast, final

K = TypeVar("K")
V = TypeVar("V")


@final
class _Absent:
    """The undo record of a key that was not there."""


ABSENT: Final = _Absent()


@final
class Journal:
    """What the unit that is writing has replaced, oldest first; also tells readers before a table changes."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Table[Any, Any], Any, Any]] = []
        self._readers: dict[int, Snapshots] = {}
        self.version = 0

    @property
    def mark(self) -> int:
        """Return the place to which `undo` can go back."""
        return len(self._replaced)

    def note(self, table: Table[Any, Any], key: object, old: object) -> None:
        """Remember what a table held under a key before it changed."""
        # Before the change: a snapshot is copied from what the table still holds.
        for reader in self._readers.values():
            reader.keep(table)
        self._replaced.append((table, key, old))

    def undo(self, mark: int = 0) -> None:
        """Take back everything that was noted after `mark`, newest first."""
        while len(self._replaced) > mark:
            table, key, old = self._replaced.pop()
            table.restore(key, old)

    def keep(self) -> None:
        """Commit: forget how to take anything back."""
        if self._replaced:
            self._replaced.clear()
            self.version += 1

    def committed(self, table: Table[K, V]) -> Mapping[K, V]:
        """Return what a table holds without the changes of the unit that is writing."""
        touched = [(key, old) for changed, key, old in self._replaced if changed is table]
        # Nearly always so, and then nothing is copied: relays ask at each turn of their loop.
        if not touched:
            return table.rows
        rows = dict(table.rows)
        # Newest first, so that the oldest value of a key is what remains: that one is committed.
        for key, old in reversed(touched):
            if old is ABSENT:
                rows.pop(key, None)
            else:
                rows[key] = old
        return rows

    def read(self) -> Snapshots:
        """Open a set of snapshots, taken now; close it with `forget`."""
        reader = Snapshots(self)
        self._readers[id(reader)] = reader
        # What is being written right now must be hidden before it is committed.
        for table in {id(changed): changed for changed, _, _ in self._replaced}.values():
            reader.keep(table)
        return reader

    def forget(self, reader: Snapshots) -> None:
        """Close a set of snapshots."""
        self._readers.pop(id(reader), None)


@final
class Snapshots:
    """The tables as they were committed when a reader began; copied only when one of them changes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[int, Mapping[Any, Any]] = {}

    def keep(self, table: Table[Any, Any]) -> None:
        """Copy a table that is about to change, once."""
        if id(table) not in self._kept:
            self._kept[id(table)] = dict(self._journal.committed(table))

    def of(self, table: Table[K, V]) -> Mapping[K, V]:
        """Return the snapshot of one table."""
        return self._kept.get(id(table), table.rows)


@final
class Table(MutableMapping[K, V], Generic[K, V]):
    """Rows under keys, each change noted in the journal. Values must be immutable: only replacing one is noticed."""

    def __init__(self, journal: Journal, changed: Callable[[K, V], None] | None = None) -> None:
        self.rows: dict[K, V] = {}
        self._journal = journal
        self._changed = changed

    def __getitem__(self, key: K) -> V:
        return self.rows[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._journal.note(self, key, self.rows.get(key, ABSENT))
        self.rows[key] = value
        if self._changed is not None:
            self._changed(key, value)

    def __delitem__(self, key: K) -> None:
        # The indexes are not told: they find out when they meet the key, as they do after an undo.
        self._journal.note(self, key, self.rows[key])
        del self.rows[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, key: object) -> bool:
        return key in self.rows

    def restore(self, key: K, old: object) -> None:
        """Put back what was under a key, without noting it."""
        if old is ABSENT:
            self.rows.pop(key, None)
            return
        value = cast("V", old)
        self.rows[key] = value
        # Told again: an index drops what is not true when it meets it, and has lost this state if it met it meanwhile.
        if self._changed is not None:
            self._changed(key, value)
