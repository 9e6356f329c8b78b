"""The bench of every dispatch test: each store in turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dispatch.world import Bench


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Return a bench on a new store of each kind."""
    return Bench.on(request.param, tmp_path)
