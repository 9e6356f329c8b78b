"""The two technologies that keep the example's data, each as what a contract test needs of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import frozen

from effect_runtime import Events, Outbox, ReadTransaction, Transaction
from effect_runtime.dispatch import Ledger, Store, UnitStore
from effect_runtime.interpreter import system_host
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.runtime import SystemClock, SystemIds, SystemRandom
from library_example.catalog import memory as catalog_memory
from library_example.catalog import sqlite as catalog_sqlite
from library_example.catalog.ports import CatalogReads, CatalogRuntime
from library_example.lending import memory as lending_memory
from library_example.lending import sqlite as lending_sqlite
from library_example.lending.ports import LendingReads, LendingRuntime

R = TypeVar("R")
N = TypeVar("N")


@frozen
class Technology(Generic[R, N]):
    """A store, and how a context's runtimes are made over it."""

    store: Store[Any, Any]
    make: Callable[[Transaction[Any]], R]
    make_reads: Callable[[ReadTransaction[Any]], N]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Shelter[R, N]]:
        """Open the store."""
        async with self.store.opened(system_host()) as store:
            yield Shelter(self, store)


@frozen
class Shelter(Generic[R, N]):
    """An open store that lends runtimes."""

    technology: Technology[R, N]
    store: UnitStore[Any, Any]

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[R]:
        """Give a runtime inside one unit of work, committed on the way out."""
        host = system_host()
        async with self.store.unit() as unit:
            await unit.begin()
            tx = Transaction(
                unit.session,
                Events(),
                Outbox[Any](),
                SystemClock(host.time),
                SystemIds(host.entropy),
                SystemRandom(host.entropy),
            )
            yield self.technology.make(tx)
            await unit.commit(Ledger())

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[N]:
        """Give a runtime of queries."""
        host = system_host()
        async with self.store.reading() as session:
            tx = ReadTransaction(session, SystemClock(host.time), SystemIds(host.entropy), SystemRandom(host.entropy))
            yield self.technology.make_reads(tx)


def lending_over(name: str, folder: Path) -> Technology[LendingRuntime, LendingReads]:
    """Return lending over `memory` or `sqlite`."""
    if name == "memory":
        return Technology(MemoryStore("lending"), lending_memory.make_lending, lending_memory.make_lending_reads)
    store = SqliteStore(folder / "lending.db", migrations=lending_sqlite.MIGRATIONS)
    return Technology(store, lending_sqlite.make_lending, lending_sqlite.make_lending_reads)


def catalog_over(name: str, folder: Path) -> Technology[CatalogRuntime, CatalogReads]:
    """Return the catalog over `memory` or `sqlite`."""
    if name == "memory":
        return Technology(MemoryStore("catalog"), catalog_memory.make_catalog, catalog_memory.make_catalog_reads)
    store = SqliteStore(folder / "catalog.db", migrations=catalog_sqlite.MIGRATIONS)
    return Technology(store, catalog_sqlite.make_catalog, catalog_sqlite.make_catalog_reads)
