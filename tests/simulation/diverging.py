"""What makes two runs of one plan differ: state beside the stores, of every kind, and addresses."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from attrs import frozen

from effect_runtime import A, App, Context, Do, E, Transaction, operation
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing import Client, Simulation

SEEN: Final[dict[str, int]] = {}
NUMBERS: Final = itertools.count()
TIMES: Final = Counter[str]()


class Cache:
    """An object of a module, with slots."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept: list[str] = []


CACHE: Final = Cache()


class Machine:
    """A class that counts for all that it has made."""

    made = 0


def remembered(value: str, before: list[str] = []) -> int:  # noqa: B006  # what is tested
    """Return how often it was asked, in its own default."""
    before.append(value)
    return len(before)


@lru_cache
def priced(value: str) -> object:
    """Return the same object for the same value, for ever."""
    return object()


def _in_class() -> int:
    Machine.made += 1
    return Machine.made


def _in_slots() -> int:
    CACHE.kept.append("x")
    return len(CACHE.kept)


def _in_dict() -> int:
    SEEN["x"] = SEEN.get("x", 0) + 1
    return SEEN["x"]


def _in_counter() -> int:
    TIMES["x"] += 1
    return TIMES["x"]


def _in_cache() -> int:
    priced("x")
    return priced.cache_info().hits


HERE: Final = __name__
KEEPERS: Final[dict[str, Callable[[], int]]] = {
    f"{HERE}.SEEN": _in_dict,
    f"{HERE}.NUMBERS": lambda: next(NUMBERS),
    f"{HERE}.TIMES": _in_counter,
    f"{HERE}.CACHE": _in_slots,
    f"{HERE}.Machine.made": _in_class,
    f"{HERE}.remembered, default 0": lambda: remembered("x"),
    f"{HERE}.priced": _in_cache,
}
"""By what a report should name: something that counts over runs."""


@frozen
class Go:
    """Do it."""


class Shelf:
    """What a handler may use."""

    def __init__(self, table: MutableMapping[str, int]) -> None:
        self._table = table

    @operation(kind="transactional")
    async def put(self, number: object) -> None:
        """Put a number."""
        self._table["x"] = hash(number)


@frozen
class Desk:
    """What a handler may use."""

    shelf: Shelf


Doing: TypeAlias = Do[A, E, Desk]


def after(runs: int, keeper: Callable[[], object]) -> Callable[[], object]:
    """Return a keeper that begins to count after some runs."""
    begun = itertools.count()
    return lambda: keeper() if next(begun) >= runs else 0


def keeping(keeper: Callable[[], object], **options: Any) -> Simulation:
    """Return a world whose program puts down what a keeper says."""
    desk = Context("desk", Desk)

    @desk.command(access="public")
    def go(command: Go) -> Doing[None]:
        rt = yield from desk.runtime
        yield from rt.shelf.put(keeper())

    def make(tx: Transaction[Any]) -> Desk:
        return Desk(Shelf(tx.session.table("shelf")))

    app = App("diverging", contexts=[desk.bind(make, store=MemoryStore())])
    return Simulation(app, [Client("ann", [go(Go())])], **options)
