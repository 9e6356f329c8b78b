"""Both stores are what the ports ask for: mypy and pyright hold these assignments, and the names are what users see."""

from __future__ import annotations

from pathlib import Path

import pytest

from effect_runtime.dispatch import Store, UnitStore
from effect_runtime.outbox import DeliveryStore
from effect_runtime.outbox._ports import (
    AgendaStore,
    DeadLetterStore,
    Inbox,
    InboxStore,
    InboxUnit,
    LentAgenda,
    RelayStore,
)
from effect_runtime.outbox.memory import MemoryReadSession, MemorySession, MemoryStore
from effect_runtime.outbox.memory._store import OpenMemory
from effect_runtime.outbox.sqlite import SqliteReadSession, SqliteSession, SqliteStore
from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.world import still_host

pytestmark = pytest.mark.anyio


async def _use(
    relay: RelayStore, inbox: InboxStore, letters: DeadLetterStore, agenda: AgendaStore, *, destination: str
) -> tuple[int, object, object, object]:
    """Ask each port something, as its consumer would."""
    async with agenda.unit() as working:
        lent: LentAgenda = working.agenda
        assert not await lent.take("i-1", 1)
    async with inbox.unit() as unit:
        held: InboxUnit = unit
        kept: Inbox = held.inbox
        line = await kept.next_in_line(destination, "loans", "k")
    waiting = await relay.backlog([destination], limit=1)
    return waiting, line, await letters.dead_letters(), await agenda.next_agenda([destination])


async def test_a_memory_store_is_every_port() -> None:
    """One open store implements all ports, because they share one transaction."""
    described: Store[MemorySession, MemoryReadSession] = MemoryStore("tests")
    assert (described.name, repr(described)) == ("tests", "MemoryStore('tests')")
    async with MemoryStore().opened(still_host()) as opened:
        units: UnitStore[MemorySession, MemoryReadSession] = opened
        store: OpenMemory = opened
        delivery: DeliveryStore = store
        assert await units.answer("c-1") is None
        assert await _use(delivery, delivery, delivery, delivery, destination="catalog") == (0, None, (), None)


async def test_an_sqlite_store_is_every_port(tmp_path: Path) -> None:
    """One open store implements all ports, because they share one transaction."""
    file = SqliteStore(tmp_path / "a.db")
    described: Store[SqliteSession, SqliteReadSession] = file
    assert (described.name, repr(described)) == (str(tmp_path / "a.db"), f"SqliteStore({str(tmp_path / 'a.db')!r})")
    async with file.opened(still_host()) as opened:
        units: UnitStore[SqliteSession, SqliteReadSession] = opened
        store: OpenSqlite = opened
        delivery: DeliveryStore = store
        assert await units.answer("c-1") is None
        assert await _use(delivery, delivery, delivery, delivery, destination="catalog") == (0, None, (), None)
