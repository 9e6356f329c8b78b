"""What runs next: run to block, the parked last, and time only when nobody can go on."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextvars import Context
from datetime import timedelta
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from effect_runtime.testing.loop._host import virtual_host
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._ordered import in_asyncio, ordered_scopes
from effect_runtime.testing.loop._sequencer import FIBER, Ending, Fiber, Sequencer
from effect_runtime.testing.loop._site import Canonical, Planned, Site


@define(eq=False)
class Bench:
    """Fibers on one sequencer, and what they said."""

    sequencer: Sequencer = field(factory=lambda: Sequencer(Canonical()))
    said: list[str] = field(factory=list)
    life: Incarnation = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin a life."""
        self.life = Incarnation(self.sequencer, "p")

    def start(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        """Start a fiber."""
        context = Context()
        context.run(FIBER.set, Fiber("p", name))
        context.run(in_asyncio)
        self.sequencer.unfinished += 1
        self.life.create_task(self._whole(coroutine), context=context)

    async def _whole(self, coroutine: Coroutine[Any, Any, None]) -> None:
        await coroutine
        self.sequencer.unfinished -= 1

    def drive(self, horizon: float = 100.0) -> Ending:
        """Run, then dispose of what still waits."""
        with ordered_scopes():
            ending = self.sequencer.drive(horizon)
            self.life.dispose()
        return ending

    async def say(self, *words: str) -> None:
        """Say words with a boundary before each."""
        for word in words:
            fiber = FIBER.get().name
            await self.sequencer.offer_switch("p", fiber, "say")
            self.said.append(f"{fiber}{word}")


def _at(name: str, nth: int) -> Site:
    return Site("p", name, "say", nth, "schedule")


def test_a_fiber_goes_on_until_it_waits() -> None:
    """Without a choice there is no race: one after the other."""
    bench = Bench()
    bench.start("a", bench.say("1", "2"))
    bench.start("b", bench.say("1", "2"))
    assert bench.drive() == "done"
    assert bench.said == ["a1", "a2", "b1", "b2"]


def test_one_switch_parks_a_fiber_until_everybody_else_waits() -> None:
    """A race is one deviation."""
    bench = Bench(Sequencer(Planned({_at("a", 2): 1})))
    bench.start("a", bench.say("1", "2", "3"))
    bench.start("b", bench.say("1", "2"))
    bench.start("c", bench.say("1"))
    assert bench.drive() == "done"
    assert bench.said == ["a1", "b1", "b2", "c1", "a2", "a3"]
    assert bench.sequencer.plan == {_at("a", 2): 1}


def test_a_checkpoint_does_not_let_others_go_first() -> None:
    """A bare checkpoint waits for nothing, so nothing is left to the order of tasks."""
    bench = Bench()

    async def polite() -> None:
        await bench.say("1")
        await checkpoint()
        await bench.say("2")

    bench.start("a", polite())
    bench.start("b", bench.say("1"))
    bench.drive()
    assert bench.said == ["a1", "a2", "b1"]


def test_a_sleep_of_nothing_lets_others_go_first() -> None:
    """A program that polls must not keep out whom it waits for."""
    bench = Bench()
    time = virtual_host(bench.sequencer, number=0).time

    async def polls() -> None:
        while "b1" not in bench.said:
            await time.sleep(timedelta(0))
        await bench.say("1")

    bench.start("a", polls())
    bench.start("b", bench.say("1"))
    assert bench.drive() == "done"
    assert bench.said == ["b1", "a1"]


def test_a_loop_of_checkpoints_gives_way_in_the_end() -> None:
    """Whoever waits for another in a loop of checkpoints does not hang the run."""
    bench = Bench()

    async def polls() -> None:
        while "b1" not in bench.said:
            await checkpoint()

    bench.start("a", polls())
    bench.start("b", bench.say("1"))
    assert bench.drive() == "done"


def test_first_come_is_another_order_that_nobody_chooses() -> None:
    """At each boundary whoever is ready first goes first."""
    bench = Bench(Sequencer(Canonical(), order="first come"))
    bench.start("a", bench.say("1", "2"))
    bench.start("b", bench.say("1", "2"))
    bench.drive()
    assert bench.said == ["a1", "b1", "a2", "b2"]


def test_time_passes_only_when_nobody_can_go_on_and_is_never_rounded() -> None:
    """Timers of one moment run in the order of their making."""
    bench = Bench()

    async def late(word: str, after: float) -> None:
        await anyio.sleep(after)
        bench.said.append(f"{word} {bench.sequencer.now!r}")

    bench.start("a", late("x", 0.1 + 0.2))
    bench.start("b", late("y", 0.30000000000000004))
    bench.start("c", late("z", 0.1))
    assert bench.drive() == "done"
    assert bench.said == ["z 0.1", "x 0.30000000000000004", "y 0.30000000000000004"]


def test_whoever_waits_for_nothing_is_told_by_the_ending() -> None:
    """A deadlock is quiet."""
    bench = Bench()
    bench.start("a", anyio.sleep_forever())
    assert bench.drive() == "quiet"


def test_too_much_at_one_instant_is_told_by_the_ending() -> None:
    """A livelock is restless; time that passes starts the count again."""
    bench = Bench(Sequencer(Canonical(), bound=2_000))

    async def spins() -> None:
        while True:
            await checkpoint()

    bench.start("a", spins())
    assert bench.drive() == "restless"


def test_a_cancelled_fiber_hears_of_it_at_its_next_wait_and_again_at_the_one_after() -> None:
    """anyio's level cancellation holds: what is awaited in a `finally` is cut off, too."""
    bench = Bench()

    async def stubborn() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            try:
                await checkpoint()
            finally:
                try:
                    await checkpoint()
                finally:
                    bench.said.append("cut off twice")
            bench.said.append("never")

    bench.start("a", stubborn())
    assert bench.drive() == "done"
    assert bench.said == ["cut off twice"]


def test_what_a_dead_life_has_queued_is_skipped_and_its_finally_blocks_do_not_run() -> None:
    """Until it is disposed of: a crash needs no cooperation."""
    bench = Bench()

    async def dies() -> None:
        try:
            bench.life.die()
            await checkpoint()
            bench.said.append("never")
        finally:
            bench.said.append("finally")

    bench.start("a", dies())
    with ordered_scopes():
        assert bench.sequencer.drive(1.0) == "quiet"
        assert bench.said == []
        bench.life.dispose()
    assert bench.said == ["finally"]


def test_sites_are_numbered_by_process_fiber_and_operation() -> None:
    """The number counts whether or not there was a choice, so that one deviation does not rename the others."""
    bench = Bench()
    bench.start("a", bench.say("1", "2"))
    bench.start("b", bench.say("1"))
    bench.drive()
    asked: Sequence[Site] = [site for site, _ in bench.sequencer.asked]
    assert asked == [_at("a", 1), _at("a", 2)]


def test_a_paused_life_stands_still_with_its_timers_while_another_goes_on() -> None:
    """It wakes where it stood, its fibers in their order, and what came due meanwhile comes due then."""
    bench = Bench()
    other = Incarnation(bench.sequencer, "q")
    told = bench.said.append

    async def pauses() -> None:
        other.call_later(60.0, bench.life.wake, context=Context())
        bench.life.pause()
        await bench.sequencer.give_way()
        told(f"pauser at {bench.sequencer.now:g}")

    async def times_out() -> None:
        with anyio.move_on_after(5):
            await anyio.sleep(30)
        told(f"timeout at {bench.sequencer.now:g}")

    bench.start("sleeper", times_out())
    bench.start("pauser", pauses())
    for at in (10.0, 70.0):
        other.call_later(at, told, f"other at {at:g}", context=Context())
    assert bench.drive() == "done"
    assert bench.said == ["other at 10", "pauser at 60", "timeout at 60"]


def test_a_paused_life_that_dies_does_not_wake() -> None:
    """What was put aside is gone with everything else."""
    bench = Bench()
    other = Incarnation(bench.sequencer, "q")

    async def pauses() -> None:
        other.call_later(1.0, bench.life.die, context=Context())
        other.call_later(2.0, bench.life.wake, context=Context())
        bench.life.pause()
        await bench.sequencer.give_way()
        bench.said.append("never")

    bench.start("pauser", pauses())
    assert bench.drive() == "quiet"
    assert bench.said == []
