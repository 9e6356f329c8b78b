"""What is closed when a run is over is closed at once and from the inside, wherever it stood."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._ordered import ordered_scopes
from effect_runtime.testing.loop._sequencer import FIBER, Fiber, Sequencer
from effect_runtime.testing.loop._site import Canonical
from tests.simulation.living import context_of


def closed(*, enters: bool) -> list[str]:
    """Leave a task in the middle of opening something, or of using it, and dispose of its life."""
    told: list[str] = []

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        try:
            if enters:
                told.append("opening")
                with anyio.CancelScope(shield=True):  # its end looks for the running loop, and there is none any more
                    await anyio.sleep(3600)
            yield
        finally:
            fiber = FIBER.get(None)  # whoever is collected as garbage is closed under no fiber
            told.append("closed by the collector" if fiber is None else f"closed by {fiber.name}")

    async def use() -> None:
        async with opened():
            told.append("using")
            await anyio.sleep(3600)

    sequencer = Sequencer(Canonical())
    life = Incarnation(sequencer, "p")
    life.create_task(use(), context=context_of(Fiber("p", "main")))
    with ordered_scopes():
        sequencer.drive(1.0)
        life.dispose()
    return told


def test_a_life_that_ends_while_it_opens_something_closes_it() -> None:
    """It stands inside of an async generator that has not yielded yet; what that says of its end is heard by nobody."""
    assert closed(enters=True) == ["opening", "closed by main"]


def test_a_life_that_ends_while_it_uses_something_closes_it() -> None:
    """Nothing is left to the collector, which comes when it likes and complains aloud."""
    assert closed(enters=False) == ["using", "closed by main"]
