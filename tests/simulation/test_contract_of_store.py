"""The stores of a simulated process keep the production contract, on the simulation's own loop.

The suite of all stores runs over them on asyncio and trio as well: `tests.outbox.stores` has them among its kinds. Here
its very functions run where a world runs. Few of them do two things at once: orders are what worlds are searched for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attrs import evolve

from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing.ground._disk import Disk
from effect_runtime.testing.loop._host import InlineBlocking
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._sequencer import Order, Sequencer
from effect_runtime.testing.loop._site import Canonical, Chooser, Walk
from tests.outbox.stores import (
    test_agenda_store,
    test_inbox_store,
    test_letter_store,
    test_relay_store,
    test_retention_store,
    test_units,
)
from tests.outbox.stores.world import Described, ManualTime, in_a_world, sqlite_store, still_host
from tests.simulation.living import lived

SUITE = (test_units, test_relay_store, test_inbox_store, test_letter_store, test_agenda_store, test_retention_store)

ELSEWHERE = {
    "test_what_is_committed_is_there_when_the_store_is_opened_again": "it opens stores itself, these among them",
    "test_two_processes_may_forget_at_the_same_time": "it opens two files itself; two processes on a disk are below",
    "test_walks_go_along_keys_that_are_there": "it asks SQLite for its query plan, which is the same on a disk",
}
"""What of the suite does not take a store from a fixture, and why that is no gap."""

APART = {
    "test_sqlite_batches": "a COMMIT on a thread, and who shares it; on a disk commits run inline, one after another",
    "test_sqlite_cancellation": "the wait for a COMMIT on a thread; its one test of all stores has these, too",
    "test_sqlite_damage": "a file that something has written rubbish into",
    "test_sqlite_processes": "real processes, killed and forked; a simulated process dies by a flag",
    "test_sqlite_reading": "long reads that move to a thread; plans and steps are SQLite's own on both",
    "test_sqlite_schema": "files, migrated and inspected from outside",
    "test_sqlite_stubborn": "a connection whose COMMIT and ROLLBACK fail; worlds have it by `commits` and `verdicts`",
    "test_sqlite_tempo": "when a COMMIT runs in the loop; on a disk always",
    "test_sqlite_trouble": "a file that is full, deleted, replaced or closed too early",
    "test_sqlite_verify": "files that differ from what their migrations make",
    "test_ports": "types, held by mypy and pyright",
    "test_same_answers": "histories, with these stores among those compared",
    "test_retention_histories": "histories, with these stores among those compared",
}
"""Modules beside the suite that are about files, threads and processes, or run over these stores by themselves."""

KINDS: dict[str, Callable[[Path], Any]] = {
    "memory": lambda folder: MemoryStore(),
    "sqlite": lambda folder: sqlite_store(folder).on(Disk("store.db").drive()),
}


def claims() -> Iterator[Any]:
    """Return every function of the suite with every set of its parameters."""
    for module in SUITE:
        for name, function in vars(module).items():
            if name.startswith("test_") and name not in ELSEWHERE:
                for number, given in enumerate(_parameters(function)):
                    title = f"{module.__name__.rpartition('.')[2]}.{name}" + (f"-{number}" if given else "")
                    yield pytest.param(function, given, id=title)


def _parameters(function: Any) -> Iterator[dict[str, Any]]:
    marks = [mark.args for mark in getattr(function, "pytestmark", ()) if mark.name == "parametrize"]
    names = [names if isinstance(names, tuple) else (names,) for names, *_ in marks]
    for values in product(*(values for _, values, *_ in marks)):
        given: dict[str, Any] = {}
        for each, value in zip(names, values, strict=True):
            given.update(zip(each, value if len(each) > 1 else (value,), strict=True))
        yield given


def wrong(
    function: Callable[..., Any], given: dict[str, Any], store: Any, chooser: Chooser, order: Order = "run to block"
) -> list[BaseException | str]:
    """Run a function of the suite on a store in a world, and return what went wrong."""
    sequencer = Sequencer(chooser, order=order, strict=False)
    time = ManualTime()

    async def main() -> None:
        described: Described = in_a_world(store, sequencer)
        async with described.opened(evolve(still_host(time), blocking=InlineBlocking())) as opened:
            fixtures = {"store": opened, "time": time, **given}
            await function(**{name: fixtures[name] for name in inspect.signature(function).parameters})

    return lived(sequencer, Incarnation(sequencer, "p"), main)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("function", "given"), list(claims()))
def test_a_store_in_a_world_keeps_the_contract(
    function: Callable[..., Any], given: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    """In both canonical orders, and where others go first whenever somebody could."""
    ways: tuple[tuple[Chooser, Order], ...] = (
        (Canonical(), "run to block"),
        (Canonical(), "first come"),
        (Walk(0, every=1), "run to block"),
    )
    for chooser, order in ways:
        assert wrong(function, given, KINDS[kind](tmp_path), chooser, order) == []


def test_every_module_of_the_stores_is_accounted_for() -> None:
    """None is left out without a reason, and no reason is given for one that is not there."""
    folder = Path(str(test_units.__file__)).parent
    modules = {path.stem for path in folder.glob("test_*.py")}
    assert modules == {*(_stem(module) for module in SUITE), *APART}
    functions = {name for module in SUITE for name in vars(module) if name.startswith("test_")}
    assert functions >= set(ELSEWHERE)


def _stem(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
