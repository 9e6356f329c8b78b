"""A run over many inputs: in batches, each from its own seed, with what became of them and how much memory it took."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Final

import anyio
from attrs import define, field, frozen

from effect_runtime.errors import BadEnvelope
from effect_runtime.integration import Message, decode_message
from tests.fuzz.documents import damaged_files, damaged_manifests
from tests.fuzz.hostile import message
from tests.fuzz.listener import Verdict, heard

BATCH: Final = 2_000
SHARES: Final = {"messages": 0.85, "messages on SQLite": 0.045, "manifests": 0.1, "files": 0.005}
"""Which part of all inputs goes to which target; a file takes as long to open as many messages to settle."""

SMALL: Final = {"files": 250}
"""Batches of targets that are slow."""

PEAK_FACTOR, PEAK_BASE = 400, 4 << 20
"""Reading a message of n bytes may take at most this factor of them, beside the base: Python objects are large."""


@frozen
class Batch:
    """So many inputs for one target; input number n has the seed `SEED/TARGET/n`."""

    target: str
    seeds: tuple[str, ...]


@define
class Record:
    """What a run has found so far."""

    inputs: Counter[str] = field(factory=Counter)
    outcomes: dict[str, Counter[str]] = field(factory=dict)
    wrong: list[str] = field(factory=list)
    memory: list[int] = field(factory=list)
    """Bytes of the whole process after each batch of messages."""

    peaks: int = 0
    """Messages whose reading was watched for memory."""

    def add(self, batch: Batch, verdict: Verdict) -> None:
        """Take in what a batch came to."""
        self.inputs[batch.target] += len(batch.seeds)
        self.outcomes.setdefault(batch.target, Counter()).update(verdict.outcomes)
        self.wrong.extend(
            f"{batch.target} from {batch.seeds[0]}: {promise}: {example}" for promise, example in verdict.wrong.items()
        )

    @property
    def growth(self) -> int:
        """Return by how many bytes the process grew in the second half of the run."""
        half = self.memory[len(self.memory) // 2 :]
        return half[-1] - half[0] if half else 0


def batches(inputs: int, seed: str) -> Iterator[Batch]:
    """Divide the inputs among the targets, taking turns, so that a run that is cut short has seen all of them."""
    counts = {target: round(inputs * share) for target, share in SHARES.items()}
    begun = dict.fromkeys(counts, 0)
    while any(begun[target] < counts[target] for target in counts):
        # Whoever is furthest behind its share is next.
        target = min(counts, key=lambda each: begun[each] / counts[each] if begun[each] < counts[each] else 2)
        size = min(SMALL.get(target, BATCH), counts[target] - begun[target])
        first = begun[target]
        begun[target] += size
        yield Batch(target, tuple(f"{seed}/{target}/{number}" for number in range(first, first + size)))


def judged(batch: Batch) -> Verdict:
    """Run one batch."""
    match batch.target:
        case "manifests":
            return damaged_manifests(batch.seeds)
        case "files":
            return damaged_files(batch.seeds)
        case target:
            bodies = [message(seed) for seed in batch.seeds]
            on = "sqlite" if target == "messages on SQLite" else "memory"
            return anyio.run(partial(heard, bodies, on=on))


def peak_of(body: bytes) -> int:
    """Return how many bytes reading a message takes at most."""
    tracemalloc.start()
    try:
        decode_message(Message(body))
    except BadEnvelope:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def watched(batch: Batch, record: Record) -> None:
    """Watch the memory that a few messages of a batch take to read."""
    for seed in Random(batch.seeds[0]).sample(batch.seeds, min(10, len(batch.seeds))):
        body = message(seed)
        peak = peak_of(body)
        record.peaks += 1
        if peak > PEAK_BASE + PEAK_FACTOR * len(body):
            record.wrong.append(f"unbounded memory: reading {seed}, {len(body)} bytes, took {peak}")


def resident() -> int:
    """Return the bytes that the process occupies."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as pages:
        return int(pages.read().split()[1]) * 4096
