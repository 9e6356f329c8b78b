"""A file that somebody else, or a disk, has changed: the store is down and says why, and nothing else is raised."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from effect_runtime.errors import StoreDown
from effect_runtime.interpreter import Host
from effect_runtime.outbox.sqlite import SqliteStore
from tests.outbox.stores.world import NOTHING, a_letter

pytestmark = pytest.mark.anyio


async def wounded(path: Path, statement: str) -> SqliteStore:
    """Keep a dead letter in a new file, change the file behind the store's back, and return it."""
    store = SqliteStore(path)
    async with store.opened(Host()) as opened, opened.unit() as unit:
        await unit.inbox.bury(a_letter("e-1", 1))
        await unit.commit(NOTHING)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    return store


WOUNDS = [
    pytest.param("UPDATE er_dead SET history = '{'", "JSONDecodeError", id="text that is no JSON"),
    pytest.param("UPDATE er_dead SET at = 1 << 62", "OverflowError", id="a moment beyond all time"),
    pytest.param("DROP TABLE er_dead", "no such table: er_dead", id="a table that is gone"),
]


@pytest.mark.parametrize(("statement", "reason"), WOUNDS)
async def test_what_cannot_be_read_is_trouble_of_the_store(tmp_path: Path, statement: str, reason: str) -> None:
    """Reading and closing a letter say so; the store can be asked for other things."""
    store = await wounded(tmp_path / "damaged.db", statement)
    async with store.opened(Host()) as opened:
        with pytest.raises(StoreDown, match=reason):
            await opened.dead_letters()
        with pytest.raises(StoreDown, match=reason):
            await opened.close_dead_letter(a_letter("e-1", 1).id, "replayed")
        assert await opened.backlog(["anywhere"], limit=1) == 0
