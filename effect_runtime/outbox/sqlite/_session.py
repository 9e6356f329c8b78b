"""What adapters hold of an SQLite store: statements inside one unit of work, or inside one snapshot.

Rows are `sqlite3.Row`: they unpack as tuples and answer by column name. Knows nothing of batches and commits.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Concatenate, Final, ParamSpec, Protocol, TypeAlias, TypeVar, final

from effect_runtime.errors import StatementRefused

P = ParamSpec("P")
T = TypeVar("T")

Value: TypeAlias = str | bytes | int | float | None
"""What SQLite can hold."""
Parameters: TypeAlias = Sequence[Value] | Mapping[str, Value]
"""What is bound to the signs `?` or `:name` of a statement."""
Row: TypeAlias = sqlite3.Row
"""A row, to be read by position or by the name of a column."""

# Behind any white space, comments and empty statements: SQLite skips those, too.
_FIRST_WORD: Final = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*([a-z]+)", re.IGNORECASE | re.DOTALL)
# Besides what ends a transaction: an attached file commits apart from this one when the power fails, and a pragma may
# take back what was asserted of durability.
_REFUSED: Final = frozenset(
    ("BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "PRAGMA", "VACUUM")
)
_REMEMBERED: Final = 4096


class Runs(Protocol):
    """Whatever runs a step on its connection: a unit of work or a snapshot."""

    async def run(
        self, step: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step and translate the store's own trouble."""
        ...


@final
class Statements:
    """The statements that one open store has looked at, so that each text is judged once."""

    def __init__(self, store: str) -> None:
        self._store = store
        self._good: set[str] = set()

    def judge(self, statement: str) -> None:
        """Refuse a statement that would end or bypass the transaction."""
        if statement in self._good:
            return
        word = _FIRST_WORD.match(statement)
        if word is not None and word.group(1).upper() in _REFUSED:
            raise StatementRefused(self._store, statement=" ".join(statement.split())[:80])
        # Statements with their values written into them are new each time: they must not fill the memory.
        if len(self._good) >= _REMEMBERED:
            self._good.clear()
        self._good.add(statement)


def _execute(connection: sqlite3.Connection, statement: str, parameters: Parameters) -> int:
    return connection.execute(statement, parameters).rowcount


def _execute_many(connection: sqlite3.Connection, statement: str, rows: Iterable[Parameters]) -> int:
    return connection.executemany(statement, rows).rowcount


def _fetch_one(connection: sqlite3.Connection, statement: str, parameters: Parameters) -> Row | None:
    row: Row | None = connection.execute(statement, parameters).fetchone()
    return row


def _fetch_all(connection: sqlite3.Connection, statement: str, parameters: Parameters) -> list[Row]:
    return connection.execute(statement, parameters).fetchall()


@final
class SqliteReadSession:
    """Statements on one snapshot. Nothing can be written; a long one moves to a thread by itself."""

    __slots__ = ("_runs", "_statements")

    def __init__(self, runs: Runs, statements: Statements) -> None:
        self._runs = runs
        self._statements = statements

    async def fetch_one(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or None."""
        self._statements.judge(statement)
        return await self._runs.run(_fetch_one, statement, parameters)

    async def fetch_all(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query."""
        self._statements.judge(statement)
        return await self._runs.run(_fetch_all, statement, parameters)


@final
class SqliteSession:
    """Statements inside one unit of work, in the order in which they are awaited.

    What a statement does wrong, for example against a constraint, is raised as the driver's own exception and leaves
    the unit as it was before that statement.
    """

    __slots__ = ("_runs", "_statements")

    def __init__(self, runs: Runs, statements: Statements) -> None:
        self._runs = runs
        self._statements = statements

    async def execute(self, statement: str, parameters: Parameters = ()) -> int:
        """Run a statement and return how many rows it changed."""
        self._statements.judge(statement)
        return await self._runs.run(_execute, statement, parameters)

    async def execute_many(self, statement: str, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each row of parameters and return how many rows were changed."""
        self._statements.judge(statement)
        return await self._runs.run(_execute_many, statement, rows)

    async def fetch_one(self, statement: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or of a statement with RETURNING; None when there is none."""
        self._statements.judge(statement)
        return await self._runs.run(_fetch_one, statement, parameters)

    async def fetch_all(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Return all rows of a query, or of a statement with RETURNING."""
        self._statements.judge(statement)
        return await self._runs.run(_fetch_all, statement, parameters)
