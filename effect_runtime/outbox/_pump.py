"""The loop under everything that claims: claim, work side by side, give back, rest. A crew is several of them.

Knows no lanes and no events. Rests until its bell rings or the next item is due; drains with a deadline on the way out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar, final

from anyio import CancelScope, Event, create_task_group, current_time, get_cancelled_exc_class, move_on_after
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from attrs import frozen

from effect_runtime.effect import Schedule
from effect_runtime.interpreter import Host
from effect_runtime.outbox._trouble import is_stray
from effect_runtime.outbox._wake import Wake, Watch

T = TypeVar("T")


class Source(Protocol[T]):
    """What a pump works on.

    1. `claim` lends up to `free` items. 2. `work` does one and keeps its outcome; what it raises is a defect.
    3. `flush` records the outcomes kept so far; after an error it is called again. 4. `close` is the last call: it
    also gives back what is still borrowed. 5. `due_in` is None when nothing waits.
    """

    async def claim(self, free: int) -> Sequence[T]:
        """Lend up to `free` items."""
        ...

    async def work(self, item: T) -> None:
        """Do one item."""
        ...

    async def flush(self) -> None:
        """Record the outcomes of finished items."""
        ...

    async def close(self) -> None:
        """Record all outcomes and give everything back."""
        ...

    async def due_in(self) -> float | None:
        """Return the seconds until the next item is due."""
        ...


def _recovery() -> Schedule:
    # Half of it chance: loops that lost the same store must not come back to it in step.
    return Schedule.exponential(timedelta(milliseconds=10), cap=timedelta(seconds=1), jitter=0.5)


@frozen(kw_only=True)
class Pace:
    """How wide and how eagerly a pump works. `drain` bounds the way out, `settle` each recording of outcomes.

    `busy_poll` and `idle_poll` bound how long another process's commit stays unnoticed: soon after the last commit, and
    after a while of silence. What commits in this process is never waited for. `nap` bounds how long it rests before
    what is due later, so that a clock that was set forward, or a machine that slept, is noticed. `alone`: no other
    process commits to the store and the clock is never set, so nothing is polled for.
    """

    window: int = 64
    busy_poll: timedelta = timedelta(milliseconds=2)
    idle_poll: timedelta = timedelta(milliseconds=10)
    drain: timedelta = timedelta(seconds=10)
    settle: timedelta = timedelta(seconds=5)
    nap: timedelta = timedelta(seconds=30)
    alone: bool = False


class Pump(Generic[T]):
    """Keep up to a window of items in work; owned by the relay or worker that made it."""

    __slots__ = (
        "_bell", "_calm", "_calm_at", "_drain_ends", "_draining", "_failures", "_host", "_in_flight", "_pace",
        "_recovery", "_source", "_wake", "_watch", "trouble",
    )  # fmt: skip

    def __init__(self, source: Source[T], *, host: Host, pace: Pace, wake: Wake, watch: Watch | None = None) -> None:
        self._source = source
        self._host = host
        self._pace = pace
        self._wake = wake
        self._watch = watch
        self._bell = Wake()
        self._calm = Wake()
        self._calm_at = -1
        self._in_flight = 0
        self._failures = 0
        self._recovery = _recovery()
        self._draining = False
        self._drain_ends = 0.0
        self.trouble: str | None = None

    @property
    def is_calm(self) -> bool:
        """Tell whether it has looked, found nothing to do now, and has not been rung since."""
        return self._calm_at == self._bell.rings and not self._in_flight

    async def calm(self) -> None:
        """Wait until it is calm. Only a running pump becomes so."""
        while not self.is_calm:
            await self._calm.after(self._calm.rings)

    def ring(self) -> None:
        """Say that there may be something to do."""
        self._bell.ring()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while entered; leaving stops claiming, finishes what is in flight within `drain`, and records it.

        A body that is cancelled drains nothing: items in flight are cancelled, and only their outcomes are recorded.
        """
        failure: BaseException | None = None
        self._draining = False
        done = Event()
        with self._wake.followed_by(self._bell):
            async with create_task_group() as group:
                group.start_soon(self._loop, done)
                if self._watch is not None and not self._pace.alone:
                    group.start_soon(self._watch.run)
                try:
                    yield
                except get_cancelled_exc_class():
                    raise
                except BaseException as error:  # carried around the task group, which would wrap it
                    failure = error
                # Not in a `finally`: a cancelled body drains nothing, its cancellation reaches the loop through the
                # group.
                await self._drained(done)
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """Claim nothing more. What is in flight goes on, until the drain's deadline counted from the first `stop`."""
        if not self._draining:
            self._draining = True
            self._drain_ends = current_time() + self._pace.drain.total_seconds()
        self._bell.ring()

    async def _drained(self, done: Event) -> None:
        self.stop()
        with CancelScope(deadline=self._drain_ends):
            await done.wait()

    async def _loop(self, done: Event) -> None:
        try:
            async with create_task_group() as group:
                # A draining loop goes on turning: what ends meanwhile is recorded as it ends, not only at the close.
                while not (self._draining and not self._in_flight):
                    await self._turn(group)
        finally:
            # Shielded: what was accepted must be recorded and leases given back even while we are being cancelled.
            with self._shield():
                await self._closed()
            done.set()

    def _shield(self) -> CancelScope:
        return move_on_after(self._pace.settle.total_seconds(), shield=True)

    async def _closed(self) -> None:
        try:
            await self._source.close()
        except Exception as error:  # the leases end by themselves; health tells why
            self._stumble(error)

    async def _turn(self, group: TaskGroup) -> None:
        # Read before anything is looked at: a ring from here on makes `_rest` look again instead of sleeping over it.
        rings = self._bell.rings
        try:
            with self._shield():
                await self._source.flush()
            # After the flush: it is what gives lanes and heads back, so that this claim may find them.
            free = 0 if self._draining else self._pace.window - self._in_flight
            items = await self._claimed(free) if free > 0 else ()
        except Exception as error:  # a store that is down or busy must not end the loop
            await self._recover(rings, error)
            return
        self._failures = 0
        self.trouble = None
        for item in items:
            self._in_flight += 1
            group.start_soon(self._work, item)
        # Calm is said of one count of rings: the next ring ends it without anybody undoing it.
        if not items and not self._in_flight and self._bell.rings == rings:
            self._calm_at = rings
            self._calm.ring()
        # A source that always has work would never let others run, nor a cancellation in.
        await checkpoint()
        await self._rest(rings, hungry=free > len(items))

    async def _claimed(self, free: int) -> Sequence[T]:
        # Shielded: a loan that we never heard of would idle until its lease ends.
        with self._shield():
            return await self._source.claim(free)
        return ()

    async def _work(self, item: T) -> None:
        try:
            await self._source.work(item)
        except Exception as error:  # its lease ends, and it is lent again
            self._stumble(error)
        except BaseException as error:
            if not is_stray(error):
                raise
            self._stumble(error)
        finally:
            # Rung for a failed item, too: its place in the window is free, and a full window rests until a ring.
            self._in_flight -= 1
            self._bell.ring()

    def _stumble(self, error: BaseException) -> None:
        self._failures += 1
        self.trouble = f"{type(error).__name__}: {error}"

    async def _recover(self, rings: int, error: Exception) -> None:
        self._stumble(error)
        wait = self._recovery.delay(self._failures, chance=self._host.entropy.random())
        await self._rung(rings, wait.total_seconds())

    async def _rest(self, rings: int, *, hungry: bool) -> None:
        if self._bell.rings != rings:
            return
        # The window is full, or we are draining: only the end of an item, which rings, changes anything.
        if not hungry:
            await self._bell.after(rings)
            return
        try:
            due_in = await self._source.due_in()
        except Exception as error:
            await self._recover(rings, error)
            return
        if due_in is None:
            await self._bell.after(rings)
        else:
            await self._rung(rings, self._nap(due_in))

    def _nap(self, due_in: float) -> float:
        """Return how long to rest before what is due in so many seconds of the store's clock."""
        # The clock that sleeps are measured on is another one: it stands still while a machine is suspended.
        longest = due_in if self._pace.alone else min(due_in, self._pace.nap.total_seconds())
        # Never less than a busy poll: what is due and not ours to claim must not spin.
        return max(longest, self._pace.busy_poll.total_seconds())

    async def _rung(self, rings: int, seconds: float) -> None:
        async with create_task_group() as group:
            group.start_soon(self._snooze, seconds, group)
            await self._bell.after(rings)
            group.cancel_scope.cancel()

    async def _snooze(self, seconds: float, group: TaskGroup) -> None:
        await self._host.time.sleep(timedelta(seconds=seconds))
        group.cancel_scope.cancel()


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
        # Again until all are calm at once: what one has done may have given another something to do.
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
                # All are stopped before the stack waits for the first: their drains run side by side, not in a row.
                for pump in self._pumps:
                    pump.stop()
