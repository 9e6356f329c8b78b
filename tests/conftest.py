"""What every test shares: both async engines, and repeatable hypothesis runs where nobody watches."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A slow machine is no failure: nothing here may depend on time, so no deadline, and slow examples count, too.
settings.register_profile("dev", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
# By hand, `--hypothesis-profile=thorough`: every law tries 25 times as many examples, new ones in each run.
settings.register_profile("thorough", settings.get_profile("dev"), max_examples=1000, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every async test on both engines."""
    return str(request.param)
