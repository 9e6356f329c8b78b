"""Several pumps that begin and end together. Knows nothing of what they work on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, final

from effect_runtime.outbox._pump import Pump
from effect_runtime.outbox._wake import Wake


@final
class Crew:
    """Run pumps side by side under one bell; owned by whoever runs the application."""

    __slots__ = ("_bell", "_pumps", "_wake")

    def __init__(self, pumps: Sequence[Pump[Any]], *, wake: Wake, bell: Wake) -> None:
        self._pumps = tuple(pumps)
        self._wake = wake
        self._bell = bell

    @property
    def trouble(self) -> tuple[str, ...]:
        """Return what keeps the pumps from their store, if anything does."""
        return tuple(pump.trouble for pump in self._pumps if pump.trouble is not None)

    @property
    def is_calm(self) -> bool:
        """Tell whether every pump has looked, found nothing due, and has not been rung since."""
        return all(pump.is_calm for pump in self._pumps)

    async def calm(self) -> None:
        """Wait until it is calm. Only a running crew becomes so."""
        while not self.is_calm:
            for pump in self._pumps:
                await pump.calm()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while entered; leaving stops all pumps at once, and then waits for each within its drain."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._wake.followed_by(self._bell))
            for pump in self._pumps:
                await stack.enter_async_context(pump.running())
            try:
                yield
            finally:
                for pump in self._pumps:
                    pump.stop()
