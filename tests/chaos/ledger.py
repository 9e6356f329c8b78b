"""The ledger outside the system under test: append-only lines, each on the disk before the writer goes on.

One file for each process that writes. Knows nothing of databases and of the library.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

Line = dict[str, Any]  # edge: JSON


@final
class Ledger:
    """One process's own file of the ledger; it is never opened by two writers."""

    def __init__(self, folder: Path, name: str) -> None:
        self._file = os.open(folder / f"{name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)

    def write(self, kind: str, **facts: Any) -> None:
        """Append one line, with the moment on the clock that all processes of the machine share, and sync it."""
        self.jot(kind, **facts)
        os.fsync(self._file)

    def jot(self, kind: str, **facts: Any) -> None:
        """Append one line that only counts: it outlives the process, and nothing depends on it."""
        line = json.dumps({"kind": kind, "at": time.monotonic(), **facts})
        os.write(self._file, f"{line}\n".encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_ledger(folder: Path) -> Iterator[Line]:
    """Yield the lines of all files. A line that its writer did not live to end says nothing."""
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text().splitlines(keepends=True):
            if text.endswith("\n"):
                yield json.loads(text)
