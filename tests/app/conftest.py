"""The pair of contexts of every application test, on each store in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.pair import Pair
from tests.dispatch.world import Bench


@pytest.fixture(params=["memory", "sqlite"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Return two contexts, each on a new store of one kind."""
    return Pair.on(request.param, tmp_path)


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Return a bench on a new store of each kind."""
    return Bench.on(request.param, tmp_path)
