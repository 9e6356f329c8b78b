"""Who asked what, when it was answered, and how: the messages of clients as dispatch saw them.

A message that no answer came to may or may not have been done. Knows no model and no order; it only writes down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

from attrs import define, field

from effect_runtime.dispatch import CommitUnknown, OutsideUnit
from effect_runtime.effect import Call, Exit, Failed, Operation, Raised, Succeeded
from effect_runtime.errors import CommandNotDone
from effect_runtime.interpreter import Perform
from effect_runtime.testing.loop._sequencer import FIBER


@final
@define(eq=False)
class Spoken:
    """One message of a client: when it began and ended, counted in such moments; None: nobody knows how it ended.

    `instead` is what a model answers in an order that explains all the others, where that is something else.
    """

    client: str
    message: Any
    began: int
    ended: int | None = None
    exit: Exit[Any, Any] | None = None
    instead: Exit[Any, Any] | None = None

    def __str__(self) -> str:
        told = f"{self.client}: {self.message!r} -> {'no answer' if self.exit is None else _shown(self.exit)}"
        return told if self.instead is None else f"{told}, where the model says {_shown(self.instead)}"


def _shown(exit: Exit[Any, Any]) -> str:
    return repr(exit.value if isinstance(exit, Succeeded) else exit)


def drawn(history: Sequence[Spoken]) -> Iterator[str]:
    """Draw when each message was asked and answered, from left to right, beside what it was."""
    moments = sorted({moment for each in history for moment in (each.began, each.ended) if moment is not None})
    column = {moment: number for number, moment in enumerate(moments)}
    for each in history:
        first, last = column[each.began], len(moments) if each.ended is None else column[each.ended]
        bar = f"{' ' * first}[{'-' * (last - first - 1)}{'?' if each.ended is None else ']'}"
        yield f"{bar:{len(moments) + 1}} {each}"


@final
@define(eq=False)
class History:
    """The messages of one run, in the order in which they began. Owned by its world."""

    spoken: list[Spoken] = field(factory=list)
    _moment: int = 0
    _open: dict[tuple[str, str], Spoken] = field(factory=dict)

    def intercept(self, perform: Perform) -> Perform:
        """Write down what clients say: an interceptor, the outermost. A command inside a command is part of it."""

        async def heard(operation: Operation, runtime: Any) -> Any:
            fiber = FIBER.get()
            if fiber.scope is None or not isinstance(runtime, OutsideUnit) or not isinstance(operation, Call):
                return await perform(operation, runtime)
            spoken = self._begin(fiber.process, fiber.name, operation.message)
            try:
                answer = await perform(operation, runtime)
            except Raised as raised:
                self._end(spoken, Failed(raised.error))
                raise
            except CommandNotDone as error:
                if not isinstance(error.reason, CommitUnknown):  # it may take effect yet, or be asked for again
                    self._end(spoken, None)
                raise
            except Exception:
                self._end(spoken, None)  # a defect, or a command that may or may not be done
                raise
            self._end(spoken, Succeeded(answer))
            return answer

        return heard

    def _begin(self, process: str, fiber: str, message: Any) -> Spoken:
        """Take a message down; one that is begun again after a crash is still the same, under the same id."""
        again = self._open.get((process, fiber))
        if again is not None and again.ended is None and again.message is message:
            return again
        self._moment += 1
        spoken = Spoken(fiber, message, self._moment)
        self._open[process, fiber] = spoken
        self.spoken.append(spoken)
        return spoken

    def _end(self, spoken: Spoken, exit: Exit[Any, Any] | None) -> None:
        self._moment += 1
        spoken.ended, spoken.exit = self._moment, exit
