"""A machine refuses what no model can follow: real clocks and chance, by whatever name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from attrs import frozen
from hypothesis.stateful import run_state_machine_as_test

from effect_runtime import A, Context, Do, E, Succeeded, operation
from effect_runtime.dispatch import Binding
from effect_runtime.errors import LeftSimulation, ModelDisagrees
from effect_runtime.outbox.memory import MemoryStore
from effect_runtime.testing.properties import Drawn, machine_of
from tests.testing.test_machine import QUICK


@frozen
class Runtime:
    """What the desk runs with."""

    stamps: Stamps


@frozen
class Stamps:
    """Something that draws."""

    draw: Callable[[], object]

    @operation(kind="local")
    async def next(self) -> str:
        """Draw."""
        return type(self.draw()).__name__


@frozen
class Stamp:
    """Draw a stamp."""


Desk: TypeAlias = Do[A, E, Runtime]


def desk_that(draws: Callable[[], object]) -> Binding:
    """Return a desk that draws, and catches whatever it is told."""
    desk = Context("desk", Runtime)

    @desk.command(access="public")
    def stamp(command: Stamp) -> Desk[str]:
        rt = yield from desk.runtime
        try:
            return (yield from rt.stamps.next())
        except Exception:
            return "nothing"

    return desk.bind(lambda tx: Runtime(Stamps(draws)), store=MemoryStore("desk"))


class Names:
    """A model that knows what is drawn."""

    def apply(self, message: Any, drawn: Drawn) -> Succeeded[Any]:
        """Say what a stamp is."""
        return Succeeded("datetime")


@pytest.mark.parametrize(("draws", "name"), [(uuid4, "uuid.uuid4"), (datetime.now, "datetime.now")])
def test_real_chance_and_clocks_are_refused(draws: Callable[[], object], name: str) -> None:
    """By names that were taken before, and whatever the program catches; again and again."""
    with pytest.raises(LeftSimulation) as caught:
        run_state_machine_as_test(machine_of(desk_that(draws), model=Names), settings=QUICK)
    assert name in str(caught.value)
    assert "test_strict_machine.py" in str(caught.value)


def test_who_is_not_strict_may_do_as_they_like() -> None:
    """Then the model is on its own."""
    run_state_machine_as_test(machine_of(desk_that(datetime.now), model=Names, strict=False), settings=QUICK)
    with pytest.raises(ModelDisagrees):
        run_state_machine_as_test(machine_of(desk_that(uuid4), model=Names, strict=False), settings=QUICK)
