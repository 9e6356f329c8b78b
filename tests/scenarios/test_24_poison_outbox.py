"""Scenario 24: a poison row of the outbox: what cannot be written, is too large, or is refused by its destination.

Observable: an event that cannot be stored fails its command, which leaves nothing. A row that its destination refuses
is quarantined after the attempts of the relay's schedule; other keys flow meanwhile; health tells.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from effect_runtime import Succeeded
from effect_runtime.effect import Died, Schedule
from effect_runtime.errors import EventTooLarge, MessageRejected, Unserializable
from effect_runtime.integration import Envelope
from effect_runtime.outbox import RelayPolicy
from effect_runtime.outbox.memory import MemoryStore
from tests.app.pair import Pair
from tests.dispatch.world import Keep, StoreKind
from tests.outbox.world import Wire

pytestmark = pytest.mark.anyio

THRICE = RelayPolicy(retries=Schedule.fixed(timedelta(milliseconds=5)).times(2), pause=timedelta(milliseconds=5))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_24_a_refused_row_is_quarantined_and_others_flow(tmp_path: Path, kind: StoreKind) -> None:
    """Three attempts, one letter that blocks its key, and every other key at its destination."""
    pair, wire = Pair.on(kind, tmp_path), Wire()

    async def fault(destination: str, envelope: Envelope) -> None:
        if envelope.key == "poison":
            raise MessageRejected(destination, reason="no such exchange", event=envelope.id)

    wire.fault = fault
    app = pair.app(wire=wire, relay=THRICE, diagnostics=lambda _: None)
    async with app.running():
        for key in ("a", "poison", "b", "poison", "c"):
            await app.run(pair.keep(Keep(key)))
        while not (letters := await app.dead_letters.list()):
            await app.settled()
        await app.settled()
        [letter] = letters
        health = [each for each in (await app.health()).values() if not each.is_well]
        assert (letter.side, letter.key, letter.attempts, letter.blocks) == ("outbox", "poison", 3, True)
        assert "no such exchange" in letter.cause
        assert sorted(pair.heard) == ["a", "b", "c"]
        assert len(health) == 1
        wire.fault = None
        await app.dead_letters.replay(letter.id)
        while len(pair.heard) < 5:
            await app.settled()
    assert pair.heard[3:] == ["poison", "poison"]


@pytest.mark.parametrize("key", ["x" * 2_000, "half of a pair \ud800"], ids=["too large", "not to be written"])
async def test_scenario_24_what_cannot_be_stored_fails_its_command(tmp_path: Path, key: str) -> None:
    """Before the commit: no row, no event, and the next command is none the worse."""
    pair = Pair.on("memory", tmp_path)
    pair.publisher.store.inner = MemoryStore("notes", event_limit=1_000)
    async with pair.running() as app:
        exit: Any = await app.run_exit(pair.keep(Keep(key)))
        assert isinstance(exit, Died)
        assert isinstance(exit.exception, EventTooLarge | Unserializable)
        assert await app.run_exit(pair.keep(Keep("a"))) == Succeeded(1)
        await app.settled()
        assert (await pair.publisher.rows(), pair.heard) == ({"a": 1}, ["a"])
