"""Scenario 37: many dead letters are replayed while live traffic goes on, and whoever replays them is killed.

Observable: each letter is replayed once, live commands succeed all the while, and a second round goes on where the
first was. The hundred thousand, the rate, and what they cost live traffic are `benchmarks/results/replay-100k.json`.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint

from effect_runtime import App, Succeeded
from effect_runtime.integration import Message
from effect_runtime.transports import InProcess
from tests.app.pair import Pair
from tests.dispatch.world import Keep
from tests.scenarios.test_23_poison_bytes import SUBSCRIPTION, sound

pytestmark = pytest.mark.anyio

LETTERS = 200


async def burdened(pair: Pair) -> tuple[str, ...]:
    """Bury so many events, by code that cannot read them yet; return what they are about."""
    wire = InProcess()
    app = pair.app(wire=wire, diagnostics=lambda _: None, tenant="ours")
    async with app.running(relay=False):
        for number in range(LETTERS):
            await wire.publish(SUBSCRIPTION, Message(json.dumps(sound(number)).encode()))
        assert len(await app.dead_letters.list(limit=LETTERS + 1)) == LETTERS
    return tuple(f"k{number}" for number in range(LETTERS))


async def live(app: App, pair: Pair, done: list[int], stop: list[bool]) -> None:
    """Ask for one command after the other."""
    while not stop:
        number = len(done)
        assert await app.run_exit(pair.keep(Keep(f"live-{number}", number))) == Succeeded(number)
        done.append(number)


async def test_scenario_37_an_interrupted_replay_beside_live_traffic_replays_each_letter_once(tmp_path: Path) -> None:
    """On files: a round is cut off in the middle, and another one finishes it."""
    pair = Pair.on("sqlite", tmp_path)
    keys = await burdened(pair)
    app = pair.app(diagnostics=lambda _: None)
    async with app.running():
        done, stop = list[int](), list[bool]()
        before = datetime.now(UTC)
        async with create_task_group() as tasks:
            tasks.start_soon(live, app, pair, done, stop)
            with CancelScope() as scope:

                async def cut() -> None:
                    while len(pair.heard) < LETTERS // 4:
                        await checkpoint()
                    scope.cancel()

                async with create_task_group() as rounds:
                    rounds.start_soon(cut)
                    await app.dead_letters.replay_all(before=before, per_second=2_000)
            left = len(await app.dead_letters.list(limit=LETTERS))
            assert 0 < left < LETTERS
            replays = await app.dead_letters.replay_all(before=before, destination=SUBSCRIPTION, per_second=inf)
            assert replays.replayed == left
            stop.append(True)
        await app.settled()
        assert await app.dead_letters.list() == ()
    replayed = Counter(key for key in pair.heard if not key.startswith("live-"))
    assert replayed == Counter(keys)
    assert Counter(key for key in pair.heard if key.startswith("live-")) == Counter(f"live-{each}" for each in done)
