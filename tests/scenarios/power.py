"""A disk whose power can be cut: what was written and not synced is gone, or only some of it is there.

A VFS of `apsw` on real files. What a cut would leave is kept in memory, file by file, as of each file's last sync;
`cut` writes it to another folder. Knows nothing of the library but the port for what a store is kept on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, final

import apsw
from attrs import define, field, frozen

SECTOR: Final = 512
"""Bytes that a disk writes or does not write, whatever the power does."""


@final
@define(eq=False)
class PowerDisk:
    """What lies safely on the disk, and what was written since, in its order: (file, offset, bytes)."""

    name: str
    safe: dict[str, bytes] = field(factory=dict)
    loose: list[tuple[str, int, bytes]] = field(factory=list)
    syncs: int = 0
    _system: Any = None

    def __attrs_post_init__(self) -> None:
        self._system = _System(self)

    def written(self, file: str, offset: int, data: bytes) -> None:
        """Take down a write that nothing has made safe yet."""
        self.loose.append((file, offset, data))

    def truncated(self, file: str, size: int) -> None:
        """Take down that a file was made shorter; the disk may know it at once."""
        self.safe[file] = self.safe.get(file, b"")[:size]
        self.loose = [each for each in self.loose if each[0] != file or each[1] < size]

    def synced(self, file: str) -> None:
        """Make everything safe that was written to a file so far."""
        self.syncs += 1
        mine = [each for each in self.loose if each[0] == file]
        self.loose = [each for each in self.loose if each[0] != file]
        self.safe[file] = _patched(self.safe.get(file, b""), mine)

    def deleted(self, file: str) -> None:
        """Forget a file."""
        self.safe.pop(file, None)
        self.loose = [each for each in self.loose if each[0] != file]

    def cut(self, folder: Path, *, luck: Random | None = None) -> None:
        """Write to `folder` what a power cut at this moment leaves: with `luck`, some of the loose sectors, too."""
        kept = [] if luck is None else [each for each in _sectors(self.loose) if luck.random() < 0.5]
        for file in {*self.safe, *(each[0] for each in kept)}:
            mine = [each for each in kept if each[0] == file]
            (folder / Path(file).name).write_bytes(_patched(self.safe.get(file, b""), mine))


def _patched(content: bytes, writes: Sequence[tuple[str, int, bytes]]) -> bytes:
    patched = bytearray(content)
    for _, offset, data in writes:
        patched.extend(b"\0" * (offset + len(data) - len(patched)))
        patched[offset : offset + len(data)] = data
    return bytes(patched)


def _sectors(writes: Iterable[tuple[str, int, bytes]]) -> Iterator[tuple[str, int, bytes]]:
    for file, offset, data in writes:
        for start in range(0, len(data), SECTOR):
            yield file, offset + start, data[start : start + SECTOR]


class _System(apsw.VFS):
    """The file system of a power disk, on the machine's own."""

    def __init__(self, disk: PowerDisk) -> None:
        super().__init__(disk.name, "")
        self.disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        """Open a file."""
        return _File(name, flags, self.disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Delete a file."""
        super().xDelete(filename, syncdir)
        self.disk.deleted(filename)


class _File(apsw.VFSFile):
    """An open file of a power disk."""

    def __init__(self, name: Any, flags: list[int], disk: PowerDisk) -> None:
        super().__init__("", name, flags)
        self.path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.disk = disk

    def xWrite(self, data: Any, offset: int) -> None:
        """Write."""
        super().xWrite(data, offset)
        if self.path is not None:
            self.disk.written(self.path, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        """Make the file shorter."""
        super().xTruncate(newsize)
        if self.path is not None:
            self.disk.truncated(self.path, newsize)

    def xSync(self, flags: int) -> None:
        """Sync."""
        super().xSync(flags)
        if self.path is not None:
            self.disk.synced(self.path)


class Row(tuple[Any, ...]):
    """A row as `sqlite3.Row` is: read by position or by the name of a column."""

    names: tuple[str, ...] = ()

    def __getitem__(self, place: Any) -> Any:
        return super().__getitem__(self.names.index(place) if isinstance(place, str) else place)

    def keys(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.names)


def _row(cursor: apsw.Cursor, values: tuple[Any, ...]) -> Row:
    row = Row(values)
    row.names = tuple(name for name, *_ in cursor.description)
    return row


@final
class Cursor:
    """The answer to one statement."""

    def __init__(self, rows: Iterator[Row], changed: int) -> None:
        self._rows = rows
        self.rowcount = changed

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    def fetchone(self) -> Row | None:
        """Return the next row."""
        return next(self._rows, None)

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        return list(self._rows)


@final
class Connection:
    """A connection of `apsw` that answers as one of `sqlite3` does, as far as a store asks it."""

    def __init__(self, path: Path, disk: PowerDisk, synchronous: str) -> None:
        self._connection = apsw.Connection(str(path), vfs=disk.name)
        self._synchronous = synchronous

    @property
    def in_transaction(self) -> bool:
        """Tell whether a transaction is open."""
        return self._connection.in_transaction

    @property
    def total_changes(self) -> int:
        """Return how many rows this connection has changed."""
        return self._connection.total_changes()

    def execute(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run a statement to its end."""
        if statement == "PRAGMA synchronous = FULL":
            statement = f"PRAGMA synchronous = {self._synchronous}"
        elif statement == "PRAGMA synchronous":
            return Cursor(iter([Row((2,))]), -1)  # the lie of a store that is kept on less than it says
        bound: Any = dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)
        before = self._connection.total_changes()
        cursor = self._connection.cursor()
        cursor.row_trace = _row
        rows = list(cursor.execute(statement, bound))
        return Cursor(iter(rows), self._connection.total_changes() - before)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> Cursor:
        """Run a statement once for each row of parameters."""
        changed = sum(self.execute(statement, row).rowcount for row in rows)
        return Cursor(iter(()), changed)

    def set_progress_handler(self, handler: Any, steps: int) -> None:
        """Take no notice: reads are short here."""

    def close(self) -> None:
        """Close it."""
        self._connection.close()


@final
@frozen
class PowerMedium:
    """A store's medium: a disk whose power can be cut, used with FULL or with NORMAL syncs."""

    disk: PowerDisk
    synchronous: Literal["FULL", "NORMAL"] = "FULL"

    def connect(self, path: Path) -> Any:
        """Open one more connection."""
        return Connection(path, self.disk, self.synchronous)

    def identity_of(self, path: Path) -> tuple[int, int] | None:
        """Return what tells the file from another of its name."""
        return (path.stat().st_dev, path.stat().st_ino) if path.exists() else None
