"""The questions of one process, asked wherever an effect meets the world: operations, stores, the wire.

At each boundary: does another fiber go first, does something go wrong, does it take long. What is asked, and in which
order, depends on the program alone, so that a plan means the same in each run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar, final

from attrs import define, field, frozen

from effect_runtime.effect import Failed, Operation, Raised
from effect_runtime.errors import CommandNotDone, NotSimulated
from effect_runtime.interpreter import Perform
from effect_runtime.testing.ground._faults import Cancel, Delay, Fault, Faults, Storm, Victim
from effect_runtime.testing.loop._sequencer import FIBER, Sequencer
from effect_runtime.testing.loop._site import Alternative, Kind
from effect_runtime.testing.loop._trace import Named

T = TypeVar("T")

NO_FAULT: Final = "no fault"
_AT_ONCE: Final = "at once"

AMBIGUOUS: Final = (
    "what it does inside a transaction stands or falls with that, and its answer comes with it; "
    "leave applied=True out, or let a commit lose its verdict with verdicts=True"
)
"""Why nothing that is done inside a transaction can be done and unanswered."""


@frozen
class Menu:
    """What may go wrong at one boundary, and how those alternatives read."""

    faults: tuple[Fault, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """Return the alternatives; the first is none of them."""
        return (NO_FAULT, *(fault.title for fault in self.faults))


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
    _delays: tuple[Delay, ...] = field(init=False)
    _late: tuple[str, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the menu of boundaries that are no operations."""
        menu = Menu(self.faults.deaths)
        self._plain = menu, menu.titles
        self._delays = self.faults.delays
        self._late = (_AT_ONCE, *(delay.title for delay in self._delays))

    def intercept(self, perform: Perform) -> Perform:
        """Ask around every operation: an interceptor."""

        async def asked(operation: Operation, runtime: Any) -> Any:
            known = self._names.get((operation.method, type(runtime)))
            name, menu, titles = known or self._look_up(operation, runtime)
            shown = operation.args
            if operation.kwargs:
                shown = (*shown, *map(Named, operation.kwargs, operation.kwargs.values()))
            kind = operation.method.kind
            if kind == "transactional":
                return await self._around(name, menu, titles, lambda: perform(operation, runtime), shown)
            self.sequencer.turns += 1  # what clients were told, and what is outside, outlives the process
            answer = await self._around(name, menu, titles, lambda: perform(operation, runtime), shown)
            if kind == "external":
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

    async def again(self, boot: Callable[[], Awaitable[None]]) -> None:
        """Ask around the boot of a process that has died."""
        if self.faults.storms:
            await self.around("boot", boot, more=(Storm(),))
        else:
            await boot()

    def answer(self, fiber: str, name: str, kind: Kind, titles: Sequence[Alternative]) -> Alternative:
        """Ask what happens at something that is nobody's doing here; the first title is what does by itself."""
        if self.healed or len(titles) == 1:
            return titles[0]
        return titles[self.sequencer.ask(self.process, fiber, name, kind, titles)]

    async def _around(
        self, name: str, menu: Menu, titles: tuple[str, ...], go: Callable[[], Awaitable[Any]], shown: tuple[Any, ...]
    ) -> Any:
        fiber, sequencer, site, before = FIBER.get(), self.sequencer, None, None
        if not self.healed:
            await sequencer.offer_switch(self.process, fiber.name, name)
            if self._delays:
                late = sequencer.ask(self.process, fiber.name, name, "time", self._late)
                if late:
                    await self._delays[late - 1].befall(self.victim)
            if menu.faults:
                before = sequencer.rest(is_used=self.victim.is_used)
                index = sequencer.ask(self.process, fiber.name, name, "fault", titles)
                if index:
                    return await menu.faults[index - 1].meet(self.victim, fiber, go)
                site = sequencer.asked[-1][0]
        try:
            answer = await go()
        except BaseException as error:
            sequencer.heed(error)
            sequencer.tell(self.process, fiber.name, name, *shown, _ended(error))
            raise
        if site is not None:
            sequencer.remains[site] = before, sequencer.rest(is_used=self.victim.is_used)
        sequencer.tell(self.process, fiber.name, name, *shown, answer)
        return answer

    def _look_up(self, operation: Operation, runtime: Any) -> tuple[str, Menu, tuple[str, ...]]:
        name = operation.name if operation.method.kind == "dispatch" else operation.place(runtime)
        listed = tuple(fault for fault in self.faults.fails if operation.answers_to(fault.method, runtime))
        if operation.method.kind == "transactional" and any(fault.applied for fault in listed):
            # Only now: a port does not say of which kind its adapters are. It fails the first, boring run.
            self.sequencer.troubles.append(NotSimulated(f"{name} failing after it was done", reason=AMBIGUOUS))
        cancel: tuple[Fault, ...] = (Cancel(),) if self.faults.cancels else ()
        unheard = self.faults.unheard(is_awaited=False) if operation.method.kind == "external" else ()
        menu = Menu((*self.faults.deaths, *listed, *cancel, *unheard))
        self._names[operation.method, type(runtime)] = found = (name, menu, menu.titles)
        return found


def _ended(error: BaseException) -> Any:
    """Say how something ended that raised, without the text of a defect: that may hold what no two runs share."""
    match error:
        case Raised():
            return Failed(error.error)
        case CommandNotDone():
            return Failed(error.reason)
        case _:
            return type(error).__name__
