"""Scenario 2: COMMIT succeeds and its reply is lost (F4).

Observable: the caller is told that nobody knows; a retry under the same command id gives the answer, and there is one
business row and one event.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from effect_runtime import Failed, Succeeded
from effect_runtime.dispatch import CommitUnknown
from effect_runtime.errors import CommitUndecided
from tests.app.pair import Pair
from tests.dispatch.world import Keep, StoreKind
from tests.scenarios.shop import until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_02_an_unknown_commit_is_asked_again_under_its_id(tmp_path: Path, kind: StoreKind) -> None:
    """One row, one event heard, whatever the caller was told the first time."""
    pair = Pair.on(kind, tmp_path)
    pair.publisher.store.on("committed", CommitUndecided("notes", waited=timedelta(seconds=60)))
    async with pair.running() as app:
        first = await app.run_exit(pair.keep(Keep("a", 7)), command_id="c-1")
        assert first == Failed(CommitUnknown("c-1"))
        assert await app.run_exit(pair.keep(Keep("a", 7)), command_id="c-1") == Succeeded(7)
        await until(lambda: pair.heard == ["a"])  # nobody has rung for it: the relay finds it by itself
        await app.settled()
        assert await pair.publisher.rows() == {"a": 7}
        assert (pair.heard, await pair.reader.rows()) == (["a"], {"a": 1})


async def test_scenario_02_without_an_id_the_caller_is_told_so(tmp_path: Path) -> None:
    """Nothing can be asked again safely: the refusal names no id, and the row stands."""
    pair = Pair.on("sqlite", tmp_path)
    pair.publisher.store.on("committed", CommitUndecided("notes", waited=timedelta(seconds=60)))
    async with pair.running() as app:
        assert await app.run_exit(pair.keep(Keep("a", 7))) == Failed(CommitUnknown(None))
        await until(lambda: pair.heard == ["a"])
        await app.settled()
        assert (await pair.publisher.rows(), pair.heard) == ({"a": 7}, ["a"])
