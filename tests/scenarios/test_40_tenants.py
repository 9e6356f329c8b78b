"""Scenario 40: tenants: the database of one is down; an envelope of one comes to the other.

Observable: the other is unaffected. An envelope of a wrong tenant is refused: its handler never runs, and it is a dead
letter that names both, which is the record of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from effect_runtime import Failed, Succeeded
from effect_runtime.dispatch import StoreUnavailable
from effect_runtime.errors import StoreDown
from effect_runtime.integration import Message
from effect_runtime.transports import InProcess
from tests.app.pair import Pair
from tests.dispatch.world import Keep, StoreKind
from tests.scenarios.test_23_poison_bytes import SUBSCRIPTION, sound

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_40_an_envelope_of_another_tenant_is_refused(tmp_path: Path, kind: StoreKind) -> None:
    """And one that names none; its own are handled, and what it publishes carries its name."""
    pair, wire = Pair.on(kind, tmp_path), InProcess()
    app = pair.app(wire=wire, tenant="b", diagnostics=lambda _: None)
    async with app.running():
        for number, tenant in enumerate(("a", "b", None)):
            await wire.publish(SUBSCRIPTION, Message(json.dumps(sound(number, tenant=tenant)).encode()))
        await app.run(pair.keep(Keep("own")))
        await app.settled()
        letters = await app.dead_letters.list()
    assert pair.heard == ["k1", "own"]
    assert [(letter.event, letter.cause) for letter in letters] == [
        ("e-0", "Tenant 'a' came to an application of 'b'."),
        ("e-2", "Tenant None came to an application of 'b'."),
    ]


async def test_scenario_40_one_tenants_database_is_not_anothers(tmp_path: Path) -> None:
    """The commands of one are refused while its store is down; those of the other go on, and come back after it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = Pair.on("sqlite", tmp_path / "a"), Pair.on("sqlite", tmp_path / "b")
    down = StoreDown("a", reason="disk I/O error")
    async with first.app(tenant="a").running() as a, second.app(tenant="b").running() as b:
        first.publisher.store.on("begin", *[down] * 3)
        for number in range(3):
            assert await a.run_exit(first.keep(Keep("x"))) == Failed(StoreUnavailable("a", "disk I/O error"))
            assert await b.run_exit(second.keep(Keep("x", number))) == Succeeded(number)
        assert await a.run_exit(first.keep(Keep("x", 9))) == Succeeded(9)
        await a.settled()
        await b.settled()
        assert (first.heard, second.heard) == (["x"], ["x", "x", "x"])
        assert await b.dead_letters.list() == ()
