"""A process: a production application that boots, crashes and boots again, and the clients who use it.

Volatile is what its present life holds; stores, broker and parties are outside. Knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from contextvars import Context
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, final

import anyio
from anyio import CancelScope
from attrs import define, field, frozen

from effect_runtime.app import App
from effect_runtime.dispatch import CommitUnknown, Principal, anonymous
from effect_runtime.effect import Call, Cancelled, Eff, Exit, Failed
from effect_runtime.testing.loop._host import VirtualTime
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._ordered import in_asyncio
from effect_runtime.testing.loop._sequencer import FIBER, MAIN, Fiber, Sequencer

OnCrash: TypeAlias = Literal["retry", "abandon"]
"""What a client does about a program of which nobody can say how it ended, because of a crash or a commit without a
verdict: begin it again under the same id, or give it up."""

RESTART: Final = 0.1
"""Virtual seconds from a crash to the next life."""


@frozen
class Client:
    """Somebody who uses a process as `principal`: programs one after the other, the first no earlier than `after`.

    `process` names whom they ask; by default the one that runs the context of their first dispatched message, the
    first of several, and the very first where none of the programs is a single message.
    """

    name: str
    programs: Sequence[Eff[Any, Any, Any]]
    after: timedelta = timedelta(0)
    principal: Principal = anonymous
    process: str | None = None


@define(eq=False)
class Visit:
    """How far a client has come: how each of its programs has ended. None: a crash interrupted it, and it was given up.

    `is_inside`: a program has begun and has not ended.
    """

    client: Client
    exits: list[Exit[Any, Any] | None] = field(factory=list)
    is_inside: bool = False

    @property
    def is_over(self) -> bool:
        """Tell whether every program has ended."""
        return len(self.exits) == len(self.client.programs)


@frozen(eq=False)
class Ground:
    """What one life of a process stands on: its application, what listens beside it, and what dies with it.

    `again` stands around the boot of a process that has died before.
    """

    app: App
    beside: Callable[[App], AbstractContextManager[object]]
    again: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]
    crash: Callable[[], None]


@final
class Process:
    """One process of a run: `sequencer.unfinished` counts its boots under way and its clients who have not ended."""

    def __init__(
        self,
        sequencer: Sequencer,
        name: str,
        visits: Sequence[Visit],
        *,
        on_crash: OnCrash,
        ground: Callable[[Process, Incarnation], Ground],
        clock: VirtualTime,
        lose_power: Callable[[], None],
    ) -> None:
        self.name = name
        self.is_upgraded = False
        self.clock = clock
        self.sequencer = sequencer
        self.visits = visits
        self.lives: list[Incarnation] = []
        self._on_crash = on_crash
        self._ground = ground
        self._present: Ground | None = None
        self._is_booting = False
        self._doomed = 0
        self._lose_power = lose_power
        sequencer.unfinished += sum(not visit.is_over for visit in visits)

    @property
    def life(self) -> Incarnation:
        """Return the present life, or the last one."""
        return self.lives[-1]

    @property
    def is_used(self) -> bool:
        """Tell whether a client's program has begun and has not ended."""
        return any(visit.is_inside for visit in self.visits)

    def boot(self) -> None:
        """Begin a life: a new loop, a new context, the application built anew."""
        life = Incarnation(self.sequencer, self.name)
        if self.lives:
            self.sequencer.tell(self.name, MAIN, "restart")
        self.lives.append(life)
        self._present = self._ground(self, life)
        if not self._is_booting:
            self._is_booting = True
            self.sequencer.unfinished += 1
        life.create_task(self._live(life, self._present), context=self.context(Fiber(self.name, MAIN)))

    def context(self, fiber: Fiber) -> Context:
        """Return a context that holds nothing of anybody else."""
        context = Context()
        context.run(FIBER.set, fiber)
        context.run(in_asyncio)
        return context

    async def crash(self, *, again: int = 0) -> None:
        """Die at once, and begin another life soon, of which `again` die in turn; whoever asked never goes on."""
        self._doomed = again
        self.die()
        await self.sequencer.give_way()

    async def crash_all(self) -> None:
        """Die at once together with every other process."""
        self._lose_power()
        await self.sequencer.give_way()

    async def upgrade(self) -> None:
        """Die at once; every later life runs the next version of the application."""
        self.is_upgraded = True
        self.die()
        await self.sequencer.give_way()

    def die(self) -> None:
        """End the present life and begin another one soon; one that is dead already does begin again."""
        life, ground = self.life, self._present
        if life.is_dead:
            return
        assert ground is not None  # who lives stands on it
        life.die()
        ground.crash()
        self.sequencer.tell(self.name, MAIN, "CRASH")
        self._give_up()
        if not self._is_booting:  # what waits for the restart must wait for all of it
            self._is_booting = True
            self.sequencer.unfinished += 1
        heir = Incarnation(self.sequencer, self.name)
        heir.call_later(RESTART, self.boot, context=Context())

    def jump(self, by: timedelta) -> None:
        """Set the clock on the wall, for this life and those that come."""
        self.clock.skew += by

    async def pause(self, duration: timedelta) -> None:
        """Stand still with everything that it does, timers too; it wakes without knowing that time has passed."""
        life = self.life
        life.pause()
        # Another life's timer: its own would be put aside with the rest.
        Incarnation(self.sequencer, self.name).call_later(duration.total_seconds(), self._wake, life, context=Context())
        await self.sequencer.give_way()

    def _wake(self, life: Incarnation) -> None:
        if not life.is_dead:
            self.sequencer.tell(self.name, MAIN, "wakes")
            life.wake()

    def _give_up(self) -> None:
        for visit in self.visits:
            if visit.is_inside and self._on_crash == "abandon":
                visit.exits.append(None)
                self.sequencer.unfinished -= visit.is_over
            visit.is_inside = False

    async def _live(self, life: Incarnation, ground: Ground) -> None:
        try:
            async with AsyncExitStack() as stack:

                async def boot() -> None:
                    await stack.enter_async_context(ground.app.running())

                if self._doomed:
                    await boot()
                    await self.crash(again=self._doomed - 1)
                await (boot() if len(self.lives) == 1 else ground.again(boot))
                with ground.beside(ground.app):
                    self._is_booting = False
                    self.sequencer.unfinished -= 1
                    self._admit(life, ground.app)
                    await life.create_future()
        except BaseException as error:
            if life.is_dead:
                raise  # it is being disposed of
            self.sequencer.trouble(error)

    def _admit(self, life: Incarnation, app: App) -> None:
        for visit in self.visits:
            if not visit.is_over:
                fiber = Fiber(self.name, visit.client.name)
                life.create_task(self._visited(visit, fiber, app), context=self.context(fiber))

    def _is_begun_again(self, exit: Exit[Any, Any]) -> bool:
        """Tell whether a client asks again, as an application says that one should who was told nothing certain."""
        return self._on_crash == "retry" and isinstance(exit, Failed) and isinstance(exit.error, CommitUnknown)

    async def _visited(self, visit: Visit, fiber: Fiber, app: App) -> None:
        client, sequencer = visit.client, self.sequencer
        try:
            early = client.after.total_seconds() - sequencer.now
            if early > 0:
                await anyio.sleep(early)
            while not visit.is_over:
                number = len(visit.exits)
                program = client.programs[number]
                command_id = f"{client.name}-{number}" if isinstance(program, Call) else None
                visit.is_inside = True
                sequencer.turns += 1
                sequencer.tell(self.name, fiber.name, "begin", number)
                exit: Exit[Any, Any] = Cancelled()
                with CancelScope() as fiber.scope:
                    exit = await app.run_exit(program, command_id=command_id, principal=client.principal)
                sequencer.tell(self.name, fiber.name, "end", number, exit)
                visit.is_inside = False
                sequencer.turns += 1
                if not self._is_begun_again(exit):
                    visit.exits.append(exit)
        except BaseException as error:
            if self.life.is_dead:
                raise  # it is being disposed of
            sequencer.trouble(error)
        sequencer.unfinished -= 1
