"""A lock in a table without an end: its owner dies and does not come back, and the others ask for ever."""

from __future__ import annotations

import anyio
from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.effect import from_async
from effect_runtime.testing import Client, Faults, Simulation
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of


@frozen
class Lock:
    """Take the lock; True if it was free."""

    who: int


@frozen
class Unlock:
    """Give the lock back."""

    who: int


def _world(planted: bool) -> Simulation:
    mill = desk_of("mill")

    @mill.command(access="public")
    def lock(cmd: Lock) -> Doing[bool]:
        rt = yield from mill.runtime
        now = int((yield from rt.clock.now()).timestamp())
        until = yield from rt.facts.get("lock", "until")
        if until and (planted or until > now):
            return False
        yield from rt.facts.put("lock", "until", now + 60)
        yield from rt.facts.put("lock", "owner", cmd.who)
        return True

    @mill.command(access="public")
    def unlock(cmd: Unlock) -> Doing[None]:
        rt = yield from mill.runtime
        if (yield from rt.facts.get("lock", "owner")) == cmd.who:
            yield from rt.facts.drop("lock", "until")

    @do
    def grind(who: int) -> Program[None, Refused]:
        while not (yield from lock(Lock(who))):
            yield from from_async(anyio.sleep, 5)
        yield from unlock(Unlock(who))

    return Simulation(
        app_of(mill),
        [Client("ann", [grind(1)]), Client("bob", [grind(2)])],
        faults=Faults(crashes=True),
    )


STRANGER = Stranger(
    title="a lock of the dead",
    needs="a crash while the lock is held",
    deviations=1,
    world=_world,
)
