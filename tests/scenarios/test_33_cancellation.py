"""Scenario 33: a command is cancelled at every point at which it waits.

Observable: all of it or nothing: the row with its event, or neither; no transaction is left open, so the next command
goes through at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint

from effect_runtime import App, Succeeded
from effect_runtime.effect import Operation
from effect_runtime.interpreter import Interceptor, Perform
from tests.app.pair import Pair
from tests.dispatch.world import Keep, StoreKind

pytestmark = pytest.mark.anyio

FURTHEST = 400
"""More turns of the event loop than a command takes; the test says when it has come past the end."""


async def cancelled_after(app: App, pair: Pair, key: str, turns: int) -> bool:
    """Ask for a command and cancel it after so many turns of the loop; tell whether it was done before."""
    done = False
    async with create_task_group() as tasks:
        scope = CancelScope()

        async def ask() -> None:
            nonlocal done
            with scope:
                await app.run(pair.keep(Keep(key)))
                done = True

        tasks.start_soon(ask)
        for _ in range(turns):
            await checkpoint()
        scope.cancel()
    return done


def waiting(turns: int) -> Interceptor:
    """Make each operation wait before and after it is performed, so that there is something to interrupt."""

    def intercept(perform: Perform) -> Perform:
        async def slow(operation: Operation, runtime: Any) -> Any:
            for _ in range(turns):
                await checkpoint()
            answer = await perform(operation, runtime)
            for _ in range(turns):
                await checkpoint()
            return answer

        return slow

    return intercept


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_33_a_cancelled_command_is_whole_or_was_never(tmp_path: Path, kind: StoreKind) -> None:
    """Cancelled after each number of turns, up to one that comes too late; after each, another command succeeds."""
    pair = Pair.on(kind, tmp_path)
    app = pair.app(interceptors=[waiting(2)])
    asked: list[str] = []
    async with app.running():
        for turns in range(FURTHEST):
            asked.append(f"k{turns}")
            if await cancelled_after(app, pair, asked[-1], turns):
                break
            assert await app.run_exit(pair.keep(Keep("probe", turns))) == Succeeded(turns)
        else:
            raise AssertionError("no command was ever done")
        await app.settled()
        kept = set(await pair.publisher.rows()) - {"probe"}
        heard = set(pair.heard) - {"probe"}
    assert len(asked) > 5
    assert kept == heard
    assert asked[-1] in kept
    assert asked[0] not in kept
