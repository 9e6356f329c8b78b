"""A model: the rules of a context once more, in the plainest form, without effects, stores or events.

Compared with the real thing it is a specification; played to others it is a fake. Knows no application.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Protocol, TypeAlias, final, runtime_checkable
from uuid import UUID

from attrs import define, field
from returns.result import Failure

from effect_runtime.dispatch import Context, Due
from effect_runtime.effect import Call, Failed, Operation, Succeeded
from effect_runtime.interpreter import Interceptor, Perform
from effect_runtime.runtime import SystemClock, SystemIds, SystemRandom
from effect_runtime.testing.loop._host import NOON

Expected: TypeAlias = Succeeded[Any] | Failed[Any]


class Drawn(Protocol):
    """What a program drew while it handled a message, in the order in which it did: the time, ids, chance."""

    def now(self) -> datetime:
        """Return the next moment that it read."""
        ...

    def uuid(self) -> UUID:
        """Return the next id that it drew."""
        ...

    def random(self) -> float:
        """Return the next random number that it drew."""
        ...


class Model(Protocol):
    """The rules of a context over plain data.

    Duties: 1. `apply` changes the model as the message changes the context, and returns the whole exit that the
    message must end with. 2. A message that fails changes nothing. 3. Time, ids and chance come from `drawn`.
    A model in which something happens by itself is a `PassingModel`.
    """

    def apply(self, message: Any, drawn: Drawn) -> Expected:
        """Handle one command or query."""
        ...


@runtime_checkable
class PassingModel(Model, Protocol):
    """A model in which something happens when its time has come: holds expire, due commands are done.

    Duties: 4. `passes` does what is due by `now`, oldest first. It is called after every message and whenever time has
    passed; all is quiet then. What those commands drew is in `drawn`, after what the message itself drew.
    """

    def passes(self, now: datetime, drawn: Drawn) -> None:
        """Do what is due."""
        ...


@final
@define(eq=False)
class Watched:
    """What one message drew. `watch` listens; whoever asks for more than was drawn gets what nobody else has."""

    moment: datetime = NOON
    _drawn: dict[str, list[Any]] = field(factory=lambda: {"now": [], "uuid": [], "random": []})

    def watch(self, operation: Operation, answer: Any, runtime: Any) -> None:
        """Remember an answer if it is the time, an id, or chance. The id of a due command is one, too."""
        if operation.answers_to(Due.send_later, runtime):
            self._drawn["uuid"].append(UUID(answer))
        elif isinstance(operation.service, SystemIds | SystemClock | SystemRandom) and operation.name in self._drawn:
            self._drawn[operation.name].append(answer)

    def now(self) -> datetime:
        """Return the next moment, or the last one again."""
        self.moment = self._next("now", self.moment)
        return self.moment

    def uuid(self) -> UUID:
        """Return the next id."""
        found: UUID = self._next("uuid", UUID(int=0))
        return found

    def random(self) -> float:
        """Return the next random number."""
        return float(self._next("random", 0.0))

    def _next(self, name: str, otherwise: Any) -> Any:
        drawn = self._drawn[name]
        return drawn.pop(0) if drawn else otherwise


@final
@define(eq=False)
class Counted:
    """What a fake draws where no program did: one moment, ids that count, and no chance."""

    moment: datetime
    _ids: Iterator[int] = field(factory=lambda: count(1))

    def now(self) -> datetime:
        """Return the moment."""
        return self.moment

    def uuid(self) -> UUID:
        """Return the next id."""
        return UUID(int=next(self._ids))

    def random(self) -> float:
        """Return nothing but zero."""
        return 0.0


def played_by(model: Model, *contexts: Context[Any, Any], now: datetime = NOON) -> Interceptor:
    """Answer every command and query of some contexts by a model: the model as a fake of them all.

    Put it around an interpreter or an app: `live.with_interceptors(played_by(LendingModel(), lending))`.
    """
    names: Sequence[str] = tuple(context.name for context in contexts)
    drawn = Counted(now)

    def intercept(perform: Perform) -> Perform:
        async def played(operation: Operation, runtime: Any) -> Any:
            if not isinstance(operation, Call) or getattr(operation.handler, "context", None) not in names:
                return await perform(operation, runtime)
            match model.apply(operation.message, drawn):
                case Succeeded(value):
                    return value
                case Failed(error):
                    return Failure(error)

        return played

    return intercept
