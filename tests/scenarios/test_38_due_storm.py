"""Scenario 38: many commands due in the same second, three processes.

Observable: each once, none early, nothing left; the spread and the lateness are reported by the storm itself.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.scenarios.due_storm import storm
from tests.scenarios.shop import PATIENCE

pytestmark = pytest.mark.anyio


async def test_scenario_38_each_command_of_a_storm_is_dispatched_once(tmp_path: Path) -> None:
    """A small one: `python -m tests.scenarios.due_storm` runs the large one."""
    found = await storm(tmp_path, count=600, processes=3, lead=timedelta(seconds=2), within=PATIENCE)
    assert (found.once, found.twice, found.never, found.early, found.left, found.letters) == (600, 0, 0, 0, 0, 0)
    assert sum(found.spread) == 600
