"""One coroutine function lived to its end on the kit's own loop, without an application around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import timedelta

from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._ordered import in_asyncio, ordered_scopes
from effect_runtime.testing.loop._sequencer import FIBER, Fiber, Sequencer


def context_of(fiber: Fiber) -> Context:
    """Return a context in which one fiber runs."""
    context = Context()
    context.run(FIBER.set, fiber)
    context.run(in_asyncio)
    return context


def lived(sequencer: Sequencer, life: Incarnation, main: Callable[[], Awaitable[None]]) -> list[BaseException | str]:
    """Run a function to its end, and return what went wrong. Whoever has more lives disposes of those."""
    wrong: list[BaseException | str] = []

    async def whole() -> None:
        try:
            await main()
        except BaseException as error:
            wrong.append(error)
        sequencer.unfinished -= 1

    sequencer.unfinished += 1
    life.create_task(whole(), context=context_of(Fiber(life.process, "main")))
    with ordered_scopes():
        ending = sequencer.drive(timedelta(hours=1).total_seconds())
        life.dispose()
    wrong += [] if ending == "done" else [ending]
    return [*wrong, *sequencer.troubles]
