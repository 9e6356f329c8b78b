"""Random histories of crashes, zombies, duplicates and failures, against one oracle.

After quiescence: nothing committed is lost, nothing is applied twice, every key is in order, nothing is stuck.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio import CancelScope, create_task_group
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from effect_runtime.effect import Schedule
from effect_runtime.errors import DestinationUnavailable, MessageRejected, StoreDown
from effect_runtime.integration import Envelope, encode_message
from effect_runtime.outbox import Consumer, Pace, Relay
from tests.outbox.world import QUICK, World, commit, event, numbered, steps, until, worlds

KEYS = ("a", "b", None)
ABRUPT = Pace(idle_poll=timedelta(milliseconds=500), drain=timedelta(0), settle=timedelta(0))
ONCE_MORE = Schedule.fixed(timedelta(seconds=1)).times(1)


@define
class Process:
    """One incarnation of relay and consumer that can be killed without a word."""

    relay: Relay
    consumer: Consumer
    scope: CancelScope = field(factory=CancelScope)


class Dead(StoreDown):
    """What a killed process meets when it tries to write its last words."""


class Mortal:
    """A store as one process sees it: once that process is dead, nothing it says reaches the store."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.alive = True

    def __getattr__(self, name: str) -> Any:
        if not self.alive:
            raise Dead("store", reason="the process is dead")
        return getattr(self._inner, name)


@define
class History:
    """What happens to the world, step by step, and what was committed."""

    world: World
    group: anyio.abc.TaskGroup
    flaws: dict[str, list[str]]
    start_at: str = "earliest"
    processes: dict[int, tuple[Process, Mortal, Mortal]] = field(factory=dict)
    committed: list[str] = field(factory=list)
    numbers: dict[str | None, int] = field(factory=lambda: defaultdict(int))

    async def handle(self, event: dict[str, Any], envelope: Envelope) -> object:
        """Fail as often as the history wants."""
        await anyio.lowlevel.checkpoint()
        flaws = self.flaws.get(envelope.id, [])
        match flaws.pop() if flaws else "well":
            case "breaks":
                raise RuntimeError("a defect")
            case "fails":
                return "retry"
            case "store":
                raise StoreDown("target", reason="the disk is full")
            case _:
                return None

    async def fault(self, destination: str, envelope: Envelope) -> None:
        """Lose a publish before it arrives."""
        await anyio.lowlevel.checkpoint()
        if self.flaws.get(f"before {envelope.id}"):
            if self.flaws[f"before {envelope.id}"].pop() == "breaks":
                raise MessageRejected(destination, reason="unroutable", event=envelope.id)
            raise DestinationUnavailable(destination, reason="lost on the way")

    async def after(self, destination: str, envelope: Envelope) -> None:
        """Lose the confirmation of a publish that arrived."""
        await anyio.lowlevel.checkpoint()
        if self.flaws.get(f"after {envelope.id}"):
            self.flaws[f"after {envelope.id}"].pop()
            raise DestinationUnavailable(destination, reason="the answer was lost")

    async def publish(self, key: str | None) -> None:
        """Commit one event."""
        self.numbers[key] += 1
        envelope = event(self.numbers[key], key=key)
        await commit(self.world.source, envelope)
        self.world.wake.ring()
        self.committed.append(envelope.id)

    async def start(self, place: int) -> None:
        """Start a process unless it runs."""
        if place in self.processes:
            return
        source: Any = Mortal(self.world.source)  # edge: it answers like the store until its process is dead
        target: Any = Mortal(self.world.target)
        world = self.world
        relay = Relay(source, world.wire, (world.shop.id,), host=world.host, wake=world.wake, policy=QUICK, pace=ABRUPT)
        shop = type(world.shop)(target, world.host, world.shop.id, self.handle, world.shop.begun)
        inlet = shop.inlet(start=self.start_at, parked_limit=3, schedule=ONCE_MORE)
        consumer = Consumer(target, (inlet,), host=world.host, wake=world.target_wake, pace=ABRUPT)
        process = Process(relay, consumer)
        self.processes[place] = process, source, target
        self.group.start_soon(self._live, process)

    async def _live(self, process: Process) -> None:
        with process.scope:
            async with process.consumer.running(), process.relay.running():
                await anyio.sleep_forever()

    async def kill(self, place: int) -> None:
        """Kill a process between any two of its steps."""
        if place not in self.processes:
            return
        process, source, target = self.processes.pop(place)
        source.alive = target.alive = False
        process.scope.cancel()
        await steps(5)

    async def redeliver(self, nth: int) -> None:
        """Let the wire deliver an event again that was accepted before, whatever its place."""
        known = self.world.wire.published
        if not known or not self.processes:
            return
        id = known[nth % len(known)][1]
        key, _, number = id.rpartition("-")
        again = event(int(number), key=None) if key == "None" else numbered(int(number), key=key)
        try:
            await next(iter(self.processes.values()))[0].consumer.receive(self.world.shop.id, encode_message(again))
        except Exception:  # refused: the wire keeps it, and the relay has it as well
            return


@asynccontextmanager
async def listening(history: History) -> AsyncIterator[None]:
    """Let the wire deliver to any process that lives."""

    async def receive(message: Any) -> None:
        for process, _, _ in history.processes.values():
            await process.consumer.receive(history.world.shop.id, message)
            return
        raise DestinationUnavailable(history.world.shop.id, reason="nobody lives")

    async with history.world.wire.listening(history.world.shop.id, "lending", receive):
        yield


Step = Callable[[History], Coroutine[Any, Any, None]]


def named(name: str, *arguments: object) -> tuple[str, tuple[object, ...]]:
    """Return a step as data, so that a failing history prints well."""
    return name, arguments


STEPS = st.one_of(
    st.builds(lambda key: named("publish", key), st.sampled_from(KEYS)),
    st.builds(lambda key: named("publish", key), st.sampled_from(KEYS)),
    st.builds(lambda place: named("start", place), st.integers(0, 1)),
    st.builds(lambda place: named("kill", place), st.integers(0, 1)),
    st.builds(lambda nth: named("redeliver", nth), st.integers(0, 9)),
    st.builds(lambda count: named("steps", count), st.integers(0, 40)),
    st.builds(lambda seconds: named("turn", seconds), st.sampled_from([0.01, 1.0, 9.5, 30.0])),
)
FLAWS = st.dictionaries(
    st.builds(
        lambda when, key, number: f"{when}{key}-{number}",
        st.sampled_from(["", "before ", "after "]),
        st.sampled_from(KEYS),
        st.integers(1, 3),
    ),
    st.lists(st.sampled_from(["breaks", "fails", "store"]), min_size=1, max_size=3),
    max_size=4,
)


async def live(history_steps: list[tuple[str, tuple[object, ...]]], flaws: dict[str, list[str]], start_at: str) -> None:
    """Live one history through, then heal the world, wait for quiescence and ask the oracle."""
    async with worlds() as world, create_task_group() as group:
        history = History(world, group, {name: list(each) for name, each in flaws.items()}, start_at)
        world.wire.fault, world.wire.after = history.fault, history.after
        async with listening(history):
            for name, arguments in history_steps:
                await step(history, name, arguments)
            await history.start(0)
            await settle(history)
        group.cancel_scope.cancel()
        await judge(history)


async def step(history: History, name: str, arguments: tuple[Any, ...]) -> None:
    """Make one step happen."""
    match name:
        case "steps":
            await steps(*arguments)
        case "turn":
            history.world.time.turn(timedelta(seconds=arguments[0]))
            await steps(3)
        case _:
            await getattr(history, name)(*arguments)


async def settle(history: History) -> None:
    """Replay what died until every event has had its effect; fails when the world is stuck."""
    world = history.world
    for _ in range(60):
        await world.rest(*[each for process, _, _ in history.processes.values() for each in process_loops(process)])
        for letter in await world.letters.list():
            await world.letters.replay(letter.id)
        for letter in await world.source.dead_letters():
            await world.source.close_dead_letter(letter.id, "replayed")
        if await is_quiescent(history):
            return
        await until(world.time, lambda start=world.time.elapsed: world.time.elapsed > start + 5)  # type: ignore[misc]  # mypy cannot infer a default


async def is_quiescent(history: History) -> bool:
    """Tell whether nothing is on its way any more."""
    world = history.world
    backlog = await world.source.backlog((world.shop.id,), limit=1)
    waiting = await world.target.next_waiting((world.shop.id,))
    return len(await world.shop.ids()) >= len(history.committed) and backlog == 0 and waiting is None


def process_loops(process: Process) -> tuple[Relay, Consumer]:
    """Return what must come to rest."""
    return process.relay, process.consumer


async def judge(history: History) -> None:
    """Compare what was committed with what had an effect."""
    effects = await history.world.shop.effects()
    ids = [id for _, _, id in effects]
    assert sorted(ids) == sorted(history.committed)  # no loss, no ghost, no double effect
    for key in ("a", "b"):
        numbers = [sequence for found, sequence, _ in effects if found == key]
        assert numbers == list(range(1, len(numbers) + 1))  # order
    assert await is_quiescent(history)  # nothing stuck


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=settings().max_examples * 5 // 2)
@given(st.lists(STEPS, min_size=3, max_size=25), FLAWS, st.sampled_from(["now", "earliest"]))
def test_any_history_ends_with_every_effect_once_and_in_order(
    backend: str, history_steps: list[tuple[str, tuple[object, ...]]], flaws: dict[str, list[str]], start_at: str
) -> None:
    """Duplicates, lost answers, kills at any step, zombies, two processes, failing handlers: promises 1 and 2 hold."""
    anyio.run(live, history_steps, flaws, start_at, backend=backend)
