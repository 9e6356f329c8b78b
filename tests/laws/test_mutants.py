"""Our laws are worth something: each of many faults is told by one of them, and hardly any by the laws of `returns`."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from returns.contrib.hypothesis.laws import _run_law, default_settings
from returns.future import FutureResult
from returns.result import Failure, Result, Success

from effect_runtime.effect import Raised
from effect_runtime.interpreter import Container
from tests.laws.equations import LAWS
from tests.laws.mutants import MUTANTS, Mutant
from tests.laws.sides import Broken

A = TypeVar("A")
E = TypeVar("E")
R = TypeVar("R")

BY_NAME = {law.name: law for law in LAWS}
ONCE = settings(max_examples=400, derandomize=True, database=None, phases=[Phase.generate])


def counterexample(mutant: Mutant, law_name: str, runner: asyncio.Runner) -> object | None:
    """Return what breaks a law under a mutant, if anything does."""
    law, way = BY_NAME[law_name], mutant.way()

    def breaks(drawn: tuple[Any, ...]) -> bool:
        async def claim() -> None:
            await law.claim(way, mutant.kit, *drawn)

        try:
            runner.run(claim())
        except Broken:
            return True
        return False

    try:
        found: object = find(st.tuples(*law.draws), breaks, settings=ONCE)
    except NoSuchExample:
        return None
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed_by_its_law(mutant: Mutant) -> None:
    """The law that a mutant names, which the sound interpreter obeys, finds a counterexample."""
    with asyncio.Runner() as runner:
        found = counterexample(mutant, mutant.killer, runner)
    print(f"{mutant.name}: killed by {mutant.killer!r} with {found}")
    assert found is not None


class Plain:
    """Not generic: Hypothesis finds a class behind the kinds of `returns` only if such a base stands first."""

    __slots__ = ()


def view_of(mutant: Mutant) -> type[Container[Any, Any, Any]]:
    """Return the `returns` view with the combinators of a mutant, run by its interpreter."""
    kit, way = mutant.kit, mutant.way()

    async def outcome(effect: Any, runtime: Any) -> Result[Any, Any]:
        try:
            return Success(await way(effect, runtime))
        except Raised as signal:
            return Failure(signal.error)

    class View(Plain, Container[A, E, R]):
        """The view that the laws of `returns` see."""

        __slots__ = ()

        def __call__(self, deps: Any) -> FutureResult[Any, Any]:
            return FutureResult(outcome(self.effect, deps))

        def map(self, function: Any) -> Any:
            return View(kit.map(self.effect, function))

        def bind(self, function: Any) -> Any:
            return View(kit.bind(self.effect, lambda value: function(value).effect))

        def apply(self, container: Any) -> Any:
            return View(kit.apply(self.effect, container.effect))

        def alt(self, function: Any) -> Any:
            return View(kit.alt(self.effect, function))

        def lash(self, function: Any) -> Any:
            return View(kit.lash(self.effect, lambda error: function(error).effect))

        def swap(self) -> Any:
            return View(kit.swap(self.effect))

    return View


def returns_objects(mutant: Mutant) -> bool:
    """Say whether one of the seventeen laws of `returns` tells a mutant."""
    view = view_of(mutant)
    quick = settings(max_examples=5, derandomize=True, database=None, phases=[Phase.generate])
    for laws in view.laws().values():
        for law in laws:
            try:
                quick(given(st.data())(_run_law(view, law, settings=default_settings(view))))()
            except AssertionError:
                return True
    return False


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_laws_of_returns_know_few_mutants(mutant: Mutant) -> None:
    """Those that change an answer are told by `returns`; those that change what happens on the way are not."""
    assert returns_objects(mutant) == mutant.seen_by_returns


def test_most_mutants_survive_the_laws_of_returns() -> None:
    """There are at least a dozen faults that only our laws tell, among many more laws than those of `returns`."""
    survivors = [mutant for mutant in MUTANTS if not mutant.seen_by_returns]
    assert len(survivors) >= 12
    assert {mutant.killer for mutant in MUTANTS} <= set(BY_NAME)
