"""Time and chance as SQL asks for them, answered by the process whose statement it is.

`random()`, `CURRENT_TIMESTAMP` and `date('now')` are functions that a connection can replace. What does not ask for the
present, or for chance, stays SQLite's own answer. Knows no disk and no store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any, Final, final

from effect_runtime.interpreter import Host

_MOMENTS: Final = {
    "date": (0, 1), "time": (0, 1), "datetime": (0, 1), "julianday": (0, 1), "unixepoch": (0, 1), "strftime": (1, 2),
    "timediff": (0, 2),
}  # fmt: skip
"""SQL's functions of moments: from which argument to which it takes those; modifiers come after them."""

_PRESENT: Final = {"current_date": "date", "current_time": "time", "current_timestamp": "datetime"}
"""The words for the present, each with the function that says the same."""

_SUBSECOND: Final = frozenset({"subsec", "subsecond"})
"""What may stand alone where a moment is expected: the present, in milliseconds."""

_ZONES: Final = frozenset({"localtime", "utc"})
"""Modifiers that convert between two zones: one and the same, for a simulated machine lives in UTC."""

_HALF: Final = 1 << 32


@final
class Sql:
    """What one database's connections answer about time and chance; `host` is of whoever runs the statement.

    Without a host all answers are the real ones.
    """

    def __init__(self) -> None:
        self.host: Host | None = None
        self._plain = sqlite3.connect(":memory:", check_same_thread=False)

    def __del__(self) -> None:
        self._plain.close()

    def serve(self, connection: sqlite3.Connection) -> None:
        """Replace the functions of a connection that ask for the present or for chance."""
        connection.create_function("random", 0, self._random)
        connection.create_function("randomblob", 1, self._bytes)
        for word, function in _PRESENT.items():
            connection.create_function(word, 0, self._moment(function, 0, 1))
        for name, (first, end) in _MOMENTS.items():
            # Deterministic, as SQLite's own: only then may an index or a generated column use them.
            connection.create_function(name, -1, self._moment(name, first, end), deterministic=True)

    def _random(self) -> int:
        if self.host is None:
            return int(self._ask("random", ()))
        chance = self.host.entropy.random
        return int(chance() * _HALF) * _HALF + int(chance() * _HALF) - (1 << 63)

    def _bytes(self, length: Any) -> Any:
        if self.host is None:
            return self._ask("randomblob", (length,))
        chance = self.host.entropy.random
        return bytes(int(chance() * 256) for _ in range(max(1, int(length or 0))))

    def _moment(self, name: str, first: int, end: int) -> Callable[..., Any]:
        def answer(*asked: Any) -> Any:
            return self._ask(name, asked if self.host is None else self._at_present(self.host, asked, first, end))

        return answer

    def _at_present(self, host: Host, asked: Sequence[Any], first: int, end: int) -> Sequence[Any]:
        """Return the arguments with the present written out where they ask for it."""
        written = list(asked)
        if len(written) <= first or _word(written[first]) in _SUBSECOND:
            written.insert(first, "now")
        now = f"{host.time.now().astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
        moments = [now if _word(each) == "now" else each for each in written[first:end]]
        return [*written[:first], *moments, *(each for each in written[end:] if _word(each) not in _ZONES)]

    def _ask(self, name: str, asked: Sequence[Any]) -> Any:
        return self._plain.execute(f"SELECT {name}({', '.join('?' * len(asked))})", asked).fetchone()[0]


def _word(argument: Any) -> str | None:
    return argument.lower() if isinstance(argument, str) else None
