"""`@operation` and `ask`: how adapters and programs meet their runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Never, Protocol

import pytest
from attrs import frozen

from effect_runtime.effect import Ask, Do, Eff, Operation, do
from effect_runtime.interpreter import run, run_sync
from effect_runtime.runtime import ask, operation

if TYPE_CHECKING:
    from decimal import Decimal

pytestmark = pytest.mark.anyio


class Bell(Protocol):
    """A port."""

    def ring(self, times: int, *, loud: bool = False) -> Eff[str]:
        """Ring the bell."""
        ...


class BrassBell:
    """An adapter."""

    @operation(kind="external", idempotent=True)
    async def ring(self, times: int, *, loud: bool = False) -> str:
        """Ring it."""
        return ("DONG " if loud else "dong ") * times


@frozen
class Tower:
    """A runtime."""

    bell: Bell


@frozen
class Unreadable:
    """A runtime whose annotations only a type checker can resolve."""

    bell: Bell
    price: Decimal


def ring(bell: Bell) -> Operation:
    """Build the operation."""
    effect = bell.ring(2, loud=True)
    assert isinstance(effect, Operation)
    return effect


async def test_an_operation_is_data() -> None:
    """It tells its service, function, arguments, kind and name, and is performed by the loop."""
    bell = BrassBell()
    effect = ring(bell)
    assert (effect.service, effect.args, effect.kwargs) == (bell, (2,), {"loud": True})
    assert (effect.name, effect.kind, effect.idempotent) == ("ring", "external", True)
    assert await effect.function(effect.service, *effect.args, **effect.kwargs) == "DONG DONG "
    assert await run(effect) == "DONG DONG "
    assert repr(effect) == "<BrassBell.ring(...) operation>"


def test_an_operation_is_named_after_its_port() -> None:
    """The annotation of the field that holds the adapter names the place; without one the adapter does."""
    bell = BrassBell()
    assert ring(bell).place(Tower(bell)) == "Bell.ring"
    assert ring(bell).place(Tower(BrassBell())) == "BrassBell.ring"
    assert ring(bell).place(None) == "BrassBell.ring"


def test_annotations_that_cannot_be_resolved_are_no_obstacle() -> None:
    """The adapter's own class names the operation then."""
    bell = BrassBell()
    unreadable = Unreadable(bell, None)  # type: ignore[arg-type]  # never looked at
    assert ring(bell).place(unreadable) == "BrassBell.ring"


def test_an_operation_answers_to_its_ports_and_its_adapters_method() -> None:
    """Both methods are keys for it, and no other is."""
    bell = BrassBell()
    effect, tower = ring(bell), Tower(bell)
    keys = (Bell.ring, BrassBell.ring, Tower.__init__)
    assert [effect.answers_to(key, tower) for key in keys] == [True, True, False]


def test_an_operation_keeps_the_name_and_words_of_its_method() -> None:
    """`@operation` is invisible to whoever reads the adapter."""
    assert (BrassBell.ring.__name__, BrassBell.ring.__doc__) == ("ring", "Ring it.")


def test_ask_yields_the_runtime() -> None:
    """Asking for a narrow protocol gives the whole runtime, seen as that."""

    class HasBell(Protocol):
        @property
        def bell(self) -> Bell: ...

    @do
    def program() -> Do[Bell, Never, HasBell]:
        return (yield from ask[HasBell]()).bell

    tower = Tower(BrassBell())
    assert run_sync(program(), tower) is tower.bell
    assert isinstance(ask[HasBell](), Ask)
