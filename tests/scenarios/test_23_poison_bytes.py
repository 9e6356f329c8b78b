"""Scenario 23: poison bytes, an unknown version, a wrong schema, a bad attribute; and a type that nobody handles.

Observable: none is acknowledged silently. Each is a dead letter that holds the raw bytes and says what is wrong, once
however often it comes; a type that nobody handles is counted; the rest of the batch is handled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from effect_runtime.integration import Message
from effect_runtime.transports import InProcess
from tests.app.pair import Pair
from tests.dispatch.world import StoreKind

pytestmark = pytest.mark.anyio

SUBSCRIPTION = "counts.note-events"


def sound(number: int, **changes: Any) -> dict[str, Any]:
    """Return an envelope without a key, with some attributes changed."""
    return {
        "specversion": "1.0",
        "id": f"e-{number}",
        "source": "/elsewhere",
        "type": "notes.note-kept",
        "topic": "notes",
        "time": "2026-03-01T12:00:00Z",
        "correlationid": "c",
        "eventversion": 1,
        "data": {"key": f"k{number}"},
        **changes,
    }


POISON = {
    "no JSON": (b"\xff\xfe{", "is not UTF-8"),
    "a bad attribute": (json.dumps(sound(1, time="yesterday")).encode(), "'time'"),
    "a missing attribute": (json.dumps(sound(2, correlationid=None)).encode(), "'correlationid' is missing"),
    "an unknown version": (json.dumps(sound(3, eventversion=9)).encode(), "version 9"),
    "a wrong schema": (json.dumps(sound(4, data={"key": 7})).encode(), "key"),
    "a wrong topic": (json.dumps(sound(5, topic="others")).encode(), "'others'"),
}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_scenario_23_poison_is_kept_as_it_came_and_the_rest_is_handled(tmp_path: Path, kind: StoreKind) -> None:
    """One letter for each, with its bytes and its flaw; healthy events before, between and after them."""
    pair, wire = Pair.on(kind, tmp_path), InProcess()
    app = pair.app(wire=wire)
    async with app.running(relay=False):
        for number, (body, _) in enumerate(POISON.values()):
            await wire.publish(SUBSCRIPTION, Message(json.dumps(sound(10 + number)).encode()))
            for _again in range(2):
                await wire.publish(SUBSCRIPTION, Message(body))
        await wire.publish(SUBSCRIPTION, Message(json.dumps(sound(20, type="notes.never-heard-of")).encode()))
        await app.settled()
        letters = await app.dead_letters.list()
        [_, counts] = app.counts().values()
    assert pair.heard == [f"k{10 + number}" for number in range(len(POISON))]
    assert [letter.body for letter in letters] == [body for body, _ in POISON.values()]
    assert [flaw for (_, flaw), letter in zip(POISON.values(), letters, strict=True) if flaw not in letter.cause] == []
    assert (counts.consumer.buried, counts.consumer.unhandled, counts.consumer.duplicates) == (6, 1, 6)
