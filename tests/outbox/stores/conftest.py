"""Each test of the contract runs on every store, and on both async engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from effect_runtime.outbox.sqlite._open import OpenSqlite
from tests.outbox.stores.world import KINDS, AnyStore, ManualTime, a_store, sqlite_store, still_host


@pytest.fixture
def time() -> ManualTime:
    """Give the clock of the store under test."""
    return ManualTime()


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path, time: ManualTime) -> AsyncIterator[AnyStore]:
    """Give an open store of each kind."""
    async with a_store(request.param, tmp_path).opened(still_host(time)) as opened:
        yield opened


@pytest.fixture
async def sqlite(tmp_path: Path, time: ManualTime) -> AsyncIterator[OpenSqlite]:
    """Give an open SQLite store."""
    async with sqlite_store(tmp_path).opened(still_host(time)) as opened:
        yield opened
