"""A store with boundaries around what it makes durable. Knows the ports of a store and no technology."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, final

from effect_runtime.dispatch import Ledger, Store
from effect_runtime.interpreter import Host
from effect_runtime.testing._boundaries import Boundaries
from effect_runtime.testing._faults import Go, Victim
from effect_runtime.testing._sequencer import Fiber

_NOTHING: Final = Ledger()


@final
class GuardedStore:
    """A store of one life of a process. `breaks` makes its COMMITs fail from now on, for the reason given."""

    def __init__(self, store: Store[Any, Any], boundaries: Boundaries, breaks: Callable[[str], None] | None) -> None:
        self._store = store
        self._boundaries = boundaries
        self._breaks = breaks

    @property
    def name(self) -> str:
        """Return the store's name."""
        return self._store.name

    @asynccontextmanager
    async def opened(self, host: Host) -> AsyncIterator[Any]:  # what it does not guard is the store's own
        """Open the store."""
        async with self._store.opened(host) as store:
            yield GuardedOpen(store, self._boundaries, self._breaks)


@final
class GuardedOpen:
    """An open store that asks before and after a commit, a loan and a settlement; the rest is the store's own."""

    def __init__(self, store: Any, boundaries: Boundaries, breaks: Callable[[str], None] | None) -> None:
        self._store = store
        self._boundaries = boundaries
        self._faults = () if breaks is None or not boundaries.faults.commits else (Broken(breaks),)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        setattr(self, name, value)
        return value

    def unit(self, *, alone: bool = False) -> GuardedUnit:
        """Give one unit of work."""
        return GuardedUnit(self._store.unit(alone=alone), self._boundaries, self._faults)

    async def claim(self, **loan: Any) -> Any:
        """Lend lanes."""
        return await self._claimed("Lanes.claim", await self._store.claim(**loan))

    async def claim_waiting(self, **loan: Any) -> Any:
        """Lend waiting events."""
        return await self._claimed("Waiting.claim", await self._store.claim_waiting(**loan))

    async def claim_agenda(self, **loan: Any) -> Any:
        """Lend due items of the agenda."""
        return await self._claimed("Agenda.claim", await self._store.claim_agenda(**loan))

    async def settle(self, settlements: Any) -> Any:
        """Record outcomes."""
        if not settlements:
            return await self._store.settle(settlements)
        return await self._boundaries.around("Lanes.settle", lambda: self._store.settle(settlements))

    async def _claimed(self, name: str, claimed: Any) -> Any:
        """Ask once a loan is durable; that nothing was due is no event."""

        async def told() -> Any:
            return claimed

        return await self._boundaries.around(name, told) if claimed else claimed


@final
class GuardedUnit:
    """A unit of work that asks around its commit."""

    __slots__ = ("_boundaries", "_faults", "_manager", "_unit")

    def __init__(self, manager: Any, boundaries: Boundaries, faults: tuple[Broken, ...]) -> None:
        self._manager = manager
        self._boundaries = boundaries
        self._faults = faults
        self._unit: Any = manager

    async def __aenter__(self) -> GuardedUnit:
        self._unit = await self._manager.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._manager.__aexit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)

    async def commit(self, ledger: Ledger) -> Any:
        """Commit; where nothing is written, nobody is asked."""
        if not self._unit.is_open and ledger == _NOTHING:
            return await self._unit.commit(ledger)
        committed = await self._boundaries.around(
            "Transaction.commit", lambda: self._unit.commit(ledger), more=self._faults
        )
        self._boundaries.watch()
        return committed


@final
class Broken:
    """The disk takes no COMMIT for as long as this one is tried."""

    title = "the disk fails"

    def __init__(self, breaks: Callable[[str], None]) -> None:
        self._breaks = breaks

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Fail this COMMIT and those that come until time has passed."""
        self._breaks("disk I/O error")
        return await go()
