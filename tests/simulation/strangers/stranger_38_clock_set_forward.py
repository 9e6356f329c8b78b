"""A lock by the clock on the wall: it is set forward, and two millers grind at once."""

from __future__ import annotations

from datetime import timedelta

from attrs import frozen

from effect_runtime import Refused, do
from effect_runtime.testing import Client, Faults, Simulation, View
from tests.simulation.strangers.premises import Doing, Program, Stranger, app_of, desk_of, facts_of


@frozen
class Lock:
    """Take the mill for a minute; False if somebody has it, else the number of this turn."""

    who: int


@frozen
class Grind:
    """Grind, in a turn."""

    turn: int


def each_turn_comes_after_the_one_before(view: View) -> bool:
    """Nobody grinds whose turn is over."""
    return not facts_of(view, "mill", "too late")


def _world(planted: bool) -> Simulation:
    mill = desk_of("mill")

    @mill.command(access="public")
    def lock(cmd: Lock) -> Doing[int]:
        rt = yield from mill.runtime
        now = int((yield from rt.clock.now()).timestamp())
        if (yield from rt.facts.get("lock", "until")) > now:
            return 0
        yield from rt.facts.put("lock", "until", now + 60)
        return (yield from rt.facts.add("lock", "turn", 1))

    @mill.command(access="public")
    def grind(cmd: Grind) -> Doing[None]:
        rt = yield from mill.runtime
        if (yield from rt.facts.get("lock", "turn")) > cmd.turn:
            if planted:
                yield from rt.facts.put("too late", str(cmd.turn), 1)
            return
        yield from rt.facts.add("flour", "all", 1)

    @do
    def work(who: int) -> Program[None, Refused]:
        turn = yield from lock(Lock(who))
        if turn:
            yield from grind(Grind(turn))

    return Simulation(
        app_of(mill),
        [Client("ann", [work(1)]), Client("bob", [work(2)])],
        faults=Faults(clocks=(timedelta(minutes=2), timedelta(minutes=-2))),
        always=[each_turn_comes_after_the_one_before],
    )


STRANGER = Stranger(
    title="a lock by the clock on the wall",
    needs="a clock that is set forward, while the owner of the lock is put off",
    deviations=2,
    world=_world,
)
