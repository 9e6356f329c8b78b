"""A store with boundaries around what it makes durable. Knows the ports of a store and no technology."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, final

import anyio
from anyio import CancelScope
from attrs import frozen

from effect_runtime.dispatch import Ledger, Store
from effect_runtime.errors import CommitUndecided, StoreConflict
from effect_runtime.interpreter import Host
from effect_runtime.testing.ground._boundaries import NO_FAULT, Boundaries
from effect_runtime.testing.ground._faults import Fault, Go, Victim
from effect_runtime.testing.loop._sequencer import FIBER, Fiber

_NOTHING: Final = Ledger()

_VERDICT: Final = timedelta(seconds=60)
"""How long a store waits for the verdict on a COMMIT unless it is told otherwise."""


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
            yield GuardedOpen(store, self.name, self._boundaries, self._breaks)


@final
class GuardedOpen:
    """An open store that asks before and after a commit, a loan and a settlement; the rest is the store's own."""

    def __init__(self, store: Any, name: str, boundaries: Boundaries, breaks: Callable[[str], None] | None) -> None:
        self._store = store
        self._boundaries = boundaries
        allowed = boundaries.faults
        self._conflicts: tuple[Fault, ...] = (Conflict(name),) if allowed.conflicts else ()
        self._commits: tuple[Fault, ...] = ()
        if breaks is not None:  # a store in memory has no COMMIT that could fail
            self._commits = (
                *((Broken(breaks),) if allowed.commits else ()),
                *((Undecided(name), Undecided(name, applied=True)) if allowed.verdicts else ()),
            )

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        setattr(self, name, value)
        return value

    def unit(self, *, alone: bool = False) -> GuardedUnit:
        """Give one unit of work."""
        # A store learns the verdict before it is cancelled: duty 4 of a unit of work.
        unheard = self._boundaries.faults.unheard(is_awaited=True)
        faults = (*self._commits, *self._conflicts, *unheard)
        return GuardedUnit(self._store.unit(alone=alone), self._boundaries, faults, self._conflicts)

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
        settle = self._store.settle
        return await self._boundaries.around("Lanes.settle", lambda: settle(settlements), more=self._conflicts)

    async def _claimed(self, name: str, claimed: Any) -> Any:
        """Ask once a loan is durable; that nothing was due is no event."""

        async def told() -> Any:
            return claimed

        return await self._boundaries.around(name, told) if claimed else claimed


@final
class GuardedUnit:
    """A unit of work that asks around its commit, and where it may lose against another one, before it begins."""

    __slots__ = ("_boundaries", "_conflicts", "_faults", "_manager", "_unit")

    def __init__(
        self, manager: Any, boundaries: Boundaries, faults: tuple[Fault, ...], conflicts: tuple[Fault, ...]
    ) -> None:
        self._manager = manager
        self._boundaries = boundaries
        self._faults = faults
        self._conflicts = conflicts
        self._unit: Any = manager

    async def __aenter__(self) -> GuardedUnit:
        self._unit = await self._manager.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._manager.__aexit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)

    async def begin(self) -> None:
        """Open the transaction unless it is open."""
        if self._conflicts and not self._unit.is_open:
            (conflict,), fiber = self._conflicts, FIBER.get()
            titles = (NO_FAULT, conflict.title)
            if self._boundaries.answer(fiber.name, "Transaction.begin", "fault", titles) != NO_FAULT:
                await conflict.meet(self._boundaries.victim, fiber, self._unit.begin)
        await self._unit.begin()

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


@final
@frozen
class Undecided:
    """The verdict on a COMMIT does not arrive in time; `applied`: it is durable all the same."""

    store: str
    applied: bool = False

    @property
    def title(self) -> str:
        """Return its name."""
        return "no verdict after it was done" if self.applied else "no verdict"

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Wait as long as a store does, and say that nobody knows."""
        if self.applied:
            await go()
        # Shielded: a store that is cancelled waits for the verdict all the same.
        with CancelScope(shield=True):
            await anyio.sleep(_VERDICT.total_seconds())
        raise CommitUndecided(self.store, waited=_VERDICT)


@final
@frozen
class Conflict:
    """A unit loses against another one, and nothing of it is written."""

    store: str

    @property
    def title(self) -> str:
        """Return its name."""
        return "conflict"

    async def meet(self, victim: Victim, fiber: Fiber, go: Go) -> Any:
        """Lose."""
        raise StoreConflict(self.store, reason="another unit was first")
