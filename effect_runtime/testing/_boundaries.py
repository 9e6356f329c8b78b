"""The questions of one process, asked wherever an effect meets the world: operations, stores, the wire.

At each boundary: does another fiber go first, does something go wrong, does it take long. What is asked, and in which
order, depends on the program alone, so that a plan means the same in each run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar, final

import anyio
from attrs import define, field, frozen

from effect_runtime.effect import Operation
from effect_runtime.interpreter import Perform
from effect_runtime.testing._faults import Cancel, Crash, Fault, Faults, Victim
from effect_runtime.testing._sequencer import FIBER, Sequencer

T = TypeVar("T")

_NO_FAULT: Final = "no fault"
_AT_ONCE: Final = "at once"


@frozen
class Menu:
    """What may go wrong at one boundary, and how those alternatives read."""

    faults: tuple[Fault, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """Return the alternatives; the first is none of them."""
        return (_NO_FAULT, *(fault.title for fault in self.faults))


@final
@define(eq=False)
class Boundaries:
    """The questions of one process in one run. `healed` ends them: whatever comes then goes well."""

    sequencer: Sequencer
    process: str
    victim: Victim
    faults: Faults
    watch: Callable[[], None]
    healed: bool = False
    _names: dict[tuple[Any, ...], tuple[str, Menu, tuple[str, ...]]] = field(factory=dict)
    _plain: tuple[Menu, tuple[str, ...]] = field(init=False)
    _late: tuple[str, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the menu of boundaries that are no operations."""
        menu = Menu(self._crashes)
        self._plain = menu, menu.titles
        self._late = (_AT_ONCE, *(f"{_seconds(delay)} late" for delay in self.faults.slow))

    @property
    def _crashes(self) -> tuple[Fault, ...]:
        return (Crash(), Crash(after=True)) if self.faults.crashes else ()

    def intercept(self, perform: Perform) -> Perform:
        """Ask around every operation: an interceptor."""

        async def asked(operation: Operation, runtime: Any) -> Any:
            known = self._names.get((operation.method, type(runtime)))
            name, menu, titles = known or self._look_up(operation, runtime)
            answer = await self._around(name, menu, titles, lambda: perform(operation, runtime), operation.args)
            if operation.method.kind == "external":
                self.watch()
            return answer

        return asked

    async def around(self, name: str, go: Callable[[], Awaitable[T]], *shown: Any, more: Sequence[Fault] = ()) -> T:
        """Ask around something that is no operation: a commit, a publish. `more` may go wrong there, too."""
        menu, titles = self._plain
        if more:
            menu = Menu((*menu.faults, *more))
            titles = menu.titles
        answer: T = await self._around(name, menu, titles, go, shown)
        return answer

    async def _around(
        self, name: str, menu: Menu, titles: tuple[str, ...], go: Callable[[], Awaitable[Any]], shown: tuple[Any, ...]
    ) -> Any:
        fiber, sequencer = FIBER.get(), self.sequencer
        if not self.healed:
            await sequencer.offer_switch(self.process, fiber.name, name)
            if self.faults.slow:
                late = sequencer.ask(self.process, fiber.name, name, "time", self._late)
                if late:
                    await anyio.sleep(self.faults.slow[late - 1].total_seconds())
            if menu.faults:
                index = sequencer.ask(self.process, fiber.name, name, "fault", titles)
                if index:
                    return await menu.faults[index - 1].meet(self.victim, fiber, go)
        try:
            answer = await go()
        except BaseException as error:
            sequencer.tell(self.process, fiber.name, name, *shown, type(error).__name__)
            raise
        sequencer.tell(self.process, fiber.name, name, *shown, answer)
        return answer

    def _look_up(self, operation: Operation, runtime: Any) -> tuple[str, Menu, tuple[str, ...]]:
        name = operation.name if operation.method.kind == "dispatch" else operation.place(runtime)
        listed = tuple(fault for fault in self.faults.fails if operation.answers_to(fault.method, runtime))
        cancel: tuple[Fault, ...] = (Cancel(),) if self.faults.cancels else ()
        menu = Menu((*self._crashes, *listed, *cancel))
        self._names[operation.method, type(runtime)] = found = (name, menu, menu.titles)
        return found


def _seconds(delay: timedelta) -> str:
    return f"{delay.total_seconds():g} s"
