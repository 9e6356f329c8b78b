"""Hostile inputs, a small run of them; the million is `python -m tests.fuzz --inputs 1000000`."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.errors import BadEnvelope, UndecodableMessage
from effect_runtime.integration import EventRegistry, Message, decode_event, decode_message
from tests.fuzz.campaign import PEAK_BASE, PEAK_FACTOR, Batch, batches, judged, peak_of
from tests.fuzz.hostile import deep, message
from tests.fuzz.listener import Verdict, heard
from tests.integration.contracts import LendingEvents

REGISTRY = EventRegistry((LendingEvents,))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["messages", "messages on SQLite", "manifests", "files"])
def test_no_hostile_input_does_harm(target: str) -> None:
    """No crash, no message that vanishes: what a small batch of each target comes to."""
    size = {"messages": 600, "manifests": 300}.get(target, 60)
    verdict = judged(Batch(target, tuple(f"suite/{target}/{number}" for number in range(size))))
    assert verdict.wrong == {}
    assert sum(verdict.outcomes.values()) >= size


@pytest.mark.parametrize("engine", ["asyncio", "trio"])
def test_the_oracle_sees_a_message_that_vanishes(engine: str) -> None:
    """A batch with every kind of outcome is accounted for on both engines."""
    bodies = [message(f"oracle/{number}") for number in range(300)]
    verdict: Verdict = anyio.run(partial(heard, bodies), backend=engine)
    assert verdict.wrong == {}
    assert {"applied", "unhandled", "duplicates", "parked", "buried"} <= verdict.outcomes.keys()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bytes_are_an_envelope_or_refused(body: bytes) -> None:
    """By `BadEnvelope` and nothing else."""
    with pytest.raises(BadEnvelope):
        decode_message(Message(body))


@given(st.integers(), JSON)
def test_a_payload_is_an_event_or_refused(seed: int, data: Any) -> None:
    """By one of the errors that a consumer makes a dead letter of."""
    try:
        decode_event(decode_message(Message(message(f"{seed}"))), REGISTRY)
    except UndecodableMessage:
        return


@given(st.randoms())
def test_deep_nesting_takes_memory_in_proportion(random: Any) -> None:
    """However deep: a reader that recurses, or keeps what it refuses, would not."""
    body = deep(random).encode()
    assert peak_of(body) <= PEAK_BASE + PEAK_FACTOR * len(body)


def test_a_run_divides_its_inputs_among_the_targets() -> None:
    """All of them, each once, and the same ones again from the same seed."""
    divided = list(batches(100_000, "s"))
    assert divided == list(batches(100_000, "s"))
    counts = Counter[str]()
    for batch in divided:
        counts[batch.target] += len(batch.seeds)
    assert sum(counts.values()) == 100_000
    assert len({seed for batch in divided for seed in batch.seeds}) == 100_000


def test_the_published_run_found_nothing() -> None:
    """What `benchmarks/results/fuzz.json` says of the million."""
    path = ROOT / "benchmarks" / "results" / "fuzz.json"
    if not path.exists():
        pytest.skip("nobody has published a run yet")
    published = json.loads(path.read_text(encoding="utf-8"))
    assert (published["ok"], published["wrong"], published["crashes"], published["silent_acks"]) == (True, [], 0, 0)
    assert sum(published["inputs"].values()) >= 1_000_000
