"""Scenario 30: payloads of one byte, 64 KB, 1 MB and 50 MB.

Observable: up to the store's limit an event leaves whole; above it the unit is refused with a sentence that names
event, size, limit and way out, and leaves nothing. A message that is too large to be read is a dead letter, unread.
There is no claim check: the sentence says what to do instead.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from effect_runtime.errors import EventTooLarge
from effect_runtime.integration import Message
from effect_runtime.interpreter import Host
from effect_runtime.outbox import Route
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.outbox.sqlite import SqliteStore
from effect_runtime.transports import InProcess
from tests.app.pair import Pair
from tests.dispatch.world import StoreKind
from tests.outbox.world import TOPIC, commit, event

pytestmark = pytest.mark.anyio

LIMIT = 1 << 20
WAY_OUT = "Store the content elsewhere and publish a reference to it, or open the store with a larger event_limit."


def payload(size: int) -> bytes:
    """Return a payload of exactly this size."""
    return b"7" * size


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_30_what_fits_leaves_whole_and_what_does_not_is_refused(tmp_path: Path, kind: StoreKind) -> None:
    """To the byte: the limit fits, one more does not."""
    store: Any = MemoryStore("sizes") if kind == "memory" else SqliteStore(tmp_path / "sizes.db")
    async with store.opened(Host()) as opened:
        await opened.register((Route(TOPIC, "catalog"),))
        for number, size in enumerate((1, 64 << 10, LIMIT)):
            await commit(opened, evolve(event(number), data=payload(size)))
        for number, size in enumerate((LIMIT + 1, 50 * LIMIT), 10):
            with pytest.raises(EventTooLarge) as caught:
                await commit(opened, event(9), evolve(event(number), data=payload(size)))
            what = f"Event 'dune-{number}' of type 'lending.book-borrowed' takes {size} bytes"
            assert str(caught.value) == f"{what} and the store accepts {LIMIT}. {WAY_OUT}"
        [claimed] = await opened.claim(
            owner="o", lanes=9, events=9, lease=timedelta(seconds=9), destinations=["catalog"]
        )
    sent = [(each.sequence, each.data) for each in claimed.envelopes]
    assert sent == [(1, payload(1)), (2, payload(64 << 10)), (3, payload(LIMIT))]


@pytest.mark.parametrize("size", [9 << 20, 50 << 20])
async def test_scenario_30_a_message_that_is_too_large_is_kept_unread(tmp_path: Path, size: int) -> None:
    """As a dead letter with its bytes: nobody parses what nobody could have sent."""
    pair, wire = Pair.on("sqlite", tmp_path), InProcess()
    app = pair.app(wire=wire, diagnostics=lambda _: None)
    async with app.running(relay=False):
        body = b'{"data":"' + b"x" * size + b'"}'
        await wire.publish("counts.note-events", Message(body))
        [letter] = await app.dead_letters.list()
    assert letter.body == body
    assert f"is {len(body)} bytes long, more than 8388608" in letter.cause
