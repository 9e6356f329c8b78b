"""The worlds that are explored, and what became of each: the same for the suite, for every change, and for an hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any, Final, TypeAlias

from attrs import asdict

from effect_runtime.errors import Counterexample, Diverged, NeverReached
from effect_runtime.testing import Simulation, explore
from tests.simulation.ourselves.library import changing_stock, last_copy, overdue, two_desks
from tests.simulation.ourselves.machinery import appointments, counting, parking

Found: TypeAlias = dict[str, Any]
"""What became of one world, as it is written down."""

WORLDS: Final[Mapping[str, Callable[[], Simulation]]] = {
    "library: the last copy": last_copy,
    "library: changing stock": changing_stock,
    "library: overdue": overdue,
    "library: two desks": two_desks,
    "counting": counting,
    "parking": parking,
    "appointments": appointments,
}


def explored(names: Sequence[str], *, budget: timedelta, seed: int) -> Iterator[Found]:
    """Explore worlds one after the other, an equal share of the budget each."""
    for name in names:
        yield _explored(name, budget=budget / len(names), seed=seed)


def _explored(name: str, *, budget: timedelta, seed: int) -> Found:
    began = perf_counter()
    found: Found = {"world": name, "ok": True}
    try:
        covered = explore(WORLDS[name](), budget=budget, seed=seed)
    except (Counterexample, Diverged, NeverReached) as finding:
        found |= {"ok": False, "finding": str(finding), "blob": getattr(finding, "blob", None)}
    else:
        found |= {"coverage": type(covered).__name__.lower(), **asdict(covered)}
    return found | {"seconds": round(perf_counter() - began, 1)}


def told(found: Found) -> str:
    """Tell what became of one world."""
    if not found["ok"]:
        return f"{found['world']}: {found['finding']}"
    matrix = ", ".join(f"{title} {each['tried']}/{each['offered']}" for title, each in found["boundaries"].items())
    return (
        f"{found['world']}: {found['plans']:,} plans and {found['drawn']:,} drawn, {found['distinct']:,} distinct "
        f"outcomes, {found['sites']} sites in {found['seconds']} s\n  {matrix}"
    )
