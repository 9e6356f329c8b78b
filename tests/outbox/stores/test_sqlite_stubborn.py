"""A medium that fails a COMMIT and the ROLLBACK after it: nobody waits for ever, and nothing of the unit comes back."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define

from effect_runtime.errors import StoreDown, TransactionLost
from effect_runtime.outbox.sqlite._connection import identity_of
from tests.outbox.stores.test_sqlite_batches import write
from tests.outbox.stores.world import committed, sqlite_store, still_host

pytestmark = pytest.mark.anyio


@define
class Stubborn:
    """Refuse the next so many of a statement."""

    refusals: dict[str, int]

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open one more connection, which asks us first."""
        refusals = self.refusals

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                if refusals.get(sql, 0):
                    refusals[sql] -= 1
                    trouble = sqlite3.OperationalError(f"disk I/O error in {sql}")
                    trouble.sqlite_errorname = "SQLITE_IOERR"
                    raise trouble
                return super().execute(sql, parameters)

        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, factory=Connection)
        connection.row_factory = sqlite3.Row
        return connection

    def identity_of(self, path: Path) -> tuple[int, int] | None:
        """Tell files apart as the real medium does."""
        return identity_of(str(path))


@pytest.mark.parametrize("rollbacks", [0, 1, 2])
async def test_a_store_outlives_a_commit_and_the_rollbacks_that_fail(tmp_path: Path, rollbacks: int) -> None:
    """The unit is told, others are refused while the transaction cannot be undone, and then all goes on without it."""
    medium = Stubborn({})
    async with sqlite_store(tmp_path).on(medium).opened(still_host()) as store:
        await write(store, "before")
        medium.refusals.update({"COMMIT": 1, "ROLLBACK": rollbacks})
        with anyio.fail_after(10):
            with pytest.raises((TransactionLost, StoreDown), match="COMMIT"):
                await write(store, "lost")
            for _ in range(rollbacks - 1):
                with pytest.raises(StoreDown, match="ROLLBACK"):
                    await write(store, "refused")
            await write(store, "after")
        assert await committed(store) == {"before": "1", "after": "1"}
