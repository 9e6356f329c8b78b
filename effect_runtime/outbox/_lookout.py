"""Whoever waits for a queue: for room in it, or for the end of an event. One task looks for all of them.

Knows which workers of this process end an item, because they say so; what other processes do it finds in the store.
Nobody waits with a transaction open, and everybody is answered: by what happened, by their own timeout, or by `close`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Protocol, final

from anyio import Event, create_task_group, get_cancelled_exc_class
from anyio.abc import TaskGroup
from attrs import define, field

from effect_runtime.dispatch import Acknowledgement, GivenUp, Handled, Lost, StillQueued
from effect_runtime.interpreter import Host
from effect_runtime.outbox._ports import AgendaStore, DeadLetterStore
from effect_runtime.outbox._pump import Pace
from effect_runtime.outbox._wake import Wake


class LookoutStore(AgendaStore, DeadLetterStore, Protocol):
    """What looking for others needs from a store."""

    def version(self) -> int:
        """Return a number that grows when any process has committed."""
        ...


@define(eq=False)
class Expected:
    """Some items that somebody wants to see ended; owned by the one who waits. `here`: those that no store tells of."""

    lookout: Lookout
    open: set[str]
    here: set[str] = field(factory=set)
    endings: list[Acknowledgement] = field(factory=list)
    done: Event = field(factory=Event)

    @property
    def answer(self) -> Acknowledgement:
        """Return what is known by now; a dead letter outweighs a loss, and a loss a success."""
        if self.open:
            return StillQueued()
        letters = tuple(letter for each in self.endings if isinstance(each, GivenUp) for letter in each.letters)
        if letters:
            return GivenUp(letters)
        return next((each for each in self.endings if isinstance(each, Lost)), Handled())

    def ended(self, id: str, ending: Acknowledgement) -> None:
        """Take note of the end of one item."""
        if id in self.open:
            self.open.remove(id)
            self.endings.append(ending)
        if not self.open:
            self.done.set()

    async def acknowledged(self, timeout: timedelta) -> Acknowledgement:
        """Wait until every item has ended, in this process or another, or until `timeout`; always returns."""
        if self.open:
            await self.lookout.wait(self, timeout)
        return self.answer


@define(eq=False)
class Asking:
    """Somebody who waits for room for `more` items; `level` tells how many there are, `capacity` how many may be."""

    level: Callable[[], Awaitable[int]]
    capacity: int
    more: int
    done: Event = field(factory=Event)
    is_granted: bool = False

    async def is_met(self) -> bool:
        """Tell whether there is room now."""
        return await self.level() + self.more <= self.capacity


@final
class Lookout:
    """Answer everybody who waits for the queues of one store. Owned by the running application."""

    __slots__ = (
        "_asking", "_bell", "_closed", "_expected", "_host", "_is_closing", "_pace", "_store", "_watched", "waits",
    )  # fmt: skip

    def __init__(self, store: LookoutStore, *, host: Host, pace: Pace | None = None) -> None:
        self._store = store
        self._host = host
        self._pace = pace or Pace()
        self._bell = Wake()
        self._asking: list[Asking] = []
        self._expected: dict[str, Expected] = {}
        self._watched: list[Expected] = []
        self._is_closing = False
        self._closed = False
        self.waits = Wake()

    @contextmanager
    def expect(self, ids: Collection[str]) -> Iterator[Expected]:
        """Begin to watch some items, before they are committed."""
        expected = Expected(self, set(ids))
        self._expected.update(dict.fromkeys(ids, expected))
        try:
            yield expected
        finally:
            for id in ids:
                self._expected.pop(id, None)

    @property
    def waiting(self) -> int:
        """Return how many wait for the end of an event; `waits` rings when somebody begins to."""
        return len(self._watched)

    def keep(self, id: str) -> None:
        """Hear that an item is in the hands of this process: no store can tell what becomes of it."""
        expected = self._expected.get(id)
        if expected is not None:
            expected.here.add(id)

    def leave(self, id: str) -> None:
        """Hear that the store can tell of an item again."""
        expected = self._expected.get(id)
        if expected is not None:
            expected.here.discard(id)

    def ended(self, id: str, ending: Acknowledgement) -> None:
        """Hear of the end of an item from a worker of this process; never waits."""
        expected = self._expected.get(id)
        if expected is not None:
            expected.ended(id, ending)
        if self._asking:
            self._bell.ring()

    async def room(self, asking: Asking, timeout: timedelta) -> bool:
        """Wait for room, first come, first served; False when there was none in time."""
        # Whoever comes while others wait stands behind them, even if there is room: small requests would starve large
        # ones.
        if not any(each.level == asking.level for each in self._asking) and await asking.is_met():
            return True
        if self._is_closing:
            return False
        self._asking.append(asking)
        try:
            await self._until(asking.done, timeout)
        finally:
            self._asking.remove(asking)
        return asking.is_granted

    async def wait(self, expected: Expected, timeout: timedelta) -> None:
        """Wait until all that is expected has ended, or `timeout`, or the end of the application's work."""
        if self._closed:
            return
        self._watched.append(expected)
        self.waits.ring()
        try:
            await self._until(expected.done, timeout)
        finally:
            self._watched.remove(expected)

    def refuse(self) -> None:
        """Let nobody wait for room any more: the application takes no more messages."""
        self._is_closing = True
        for asking in self._asking:
            asking.done.set()

    def close(self) -> None:
        """Answer everybody with what is known: nothing more will be."""
        self._closed = True
        self.refuse()
        for expected in self._watched:
            expected.done.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look while entered; leaving answers everybody."""
        failure: BaseException | None = None
        async with create_task_group() as group:
            group.start_soon(self._run)
            try:
                yield
            except get_cancelled_exc_class():
                raise
            except BaseException as error:  # carried around the task group, which would wrap it
                failure = error
            finally:
                self.close()
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _run(self) -> None:
        """Look until cancelled; costs nothing while nobody waits."""
        while True:
            rings = self._bell.rings
            if not (self._asking or self._watched):
                await self._bell.after(rings)
            # The version from before the look: what is committed during it is looked at again.
            seen, interval = await self._look(), self._pace.busy_poll
            while self._asking or self._watched:
                rings = self._bell.rings
                await self._rung(rings, interval)
                version = self._version()
                is_changed = self._bell.rings != rings or version != seen
                interval = self._pace.busy_poll if is_changed else min(interval * 1.5, self._pace.idle_poll)
                if is_changed or self._asking:  # room may have been given to somebody who did not use it
                    seen = await self._look()

    async def _look(self) -> int | None:
        """Answer everybody who can be answered now; return the store's version from before."""
        version = self._version()
        try:
            await self._look_for_room()
            await self._look_for_ends()
        except Exception:  # the store is down, and its workers say so; whoever waits has a timeout
            return None
        return version

    async def _look_for_room(self) -> None:
        free: dict[object, int] = {}
        for asking in tuple(self._asking):
            if asking.done.is_set():
                continue
            if asking.level not in free:
                free[asking.level] = asking.capacity - await asking.level()
            if free[asking.level] >= asking.more:
                # Those granted in one look have added nothing yet: what they were promised is no longer free.
                free[asking.level] -= asking.more
                asking.is_granted = True
                asking.done.set()

    async def _look_for_ends(self) -> None:
        """Find items that another process has ended: they are not on the agenda any more."""
        wanted = {id: expected for expected in self._watched for id in expected.open - expected.here}
        if not wanted:
            return
        for id in await self._gone(tuple(wanted)):
            # Asked after the item was found gone: both are one transaction, so a letter cannot be missed.
            letter = await self._store.dead_letter(id)  # a dead letter of the agenda has its item's id
            wanted[id].ended(id, Handled() if letter is None else GivenUp((letter.id,)))

    async def _gone(self, ids: Sequence[str]) -> list[str]:
        # A unit, because only inside one an item is found by its id. Undone: nothing was written.
        async with self._store.unit() as unit:
            await unit.begin()
            gone = [id for id in ids if await unit.agenda.find(id) is None]
            await unit.rollback()
        return gone

    def _version(self) -> int | None:
        try:
            return self._store.version()
        except Exception:
            return None

    async def _until(self, done: Event, timeout: timedelta) -> None:
        if timeout <= timedelta(0):
            return
        # The looking task sleeps as long as nobody waits.
        self._bell.ring()
        async with create_task_group() as group:
            group.start_soon(self._snooze, timeout, group)
            await done.wait()
            group.cancel_scope.cancel()

    async def _rung(self, rings: int, interval: timedelta) -> None:
        async with create_task_group() as group:
            group.start_soon(self._snooze, interval, group)
            await self._bell.after(rings)
            group.cancel_scope.cancel()

    async def _snooze(self, duration: timedelta, group: TaskGroup) -> None:
        await self._host.time.sleep(duration)
        group.cancel_scope.cancel()
