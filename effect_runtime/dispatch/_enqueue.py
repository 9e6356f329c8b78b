"""`enqueue`: tell after-commit handlers, and nobody else.

Inside a unit of work it is an operation on its event queue; outside it is a message that dispatch answers. Knows no
handler.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, Never, cast, final

from attrs import frozen

from effect_runtime.dispatch._outside import OutsideUnit
from effect_runtime.dispatch._queues import Acknowledgement
from effect_runtime.effect import Call, Do, Eff, do
from effect_runtime.events import DomainEvent, HasEvents
from effect_runtime.events import enqueue as collect
from effect_runtime.runtime import ask


@final
@frozen
class Enqueue:
    """Mark a `Call` that enqueues an event where no unit of work is open; `wait`: until it has ended, for that long."""

    wait: timedelta | None = None

    def __repr__(self) -> str:
        return "enqueue" if self.wait is None else "enqueue_and_wait"


def enqueue(event: DomainEvent[Any]) -> Eff[None, Never, HasEvents]:
    """Describe telling the after-commit handlers of an event, not those in the transaction.

    In a handler the event is collected and starts after the commit, if there is one; seen by interceptors as
    `Events.enqueue`. `app.run(enqueue(event))` writes it in a unit of its own, once its queues have room; in vain it
    ends with `QueueFull`.
    """
    return _enqueuing(event)


def enqueue_and_wait(
    event: DomainEvent[Any], *, timeout: timedelta = timedelta(seconds=30)
) -> Eff[Acknowledgement, Never, HasEvents]:
    """Describe enqueuing an event from outside and waiting until all its handlers have ended, or until `timeout`.

    `Handled`, `GivenUp`, `Lost` or `StillQueued`: one of them always comes, also when the application shuts down.
    Inside a unit of work it is `errors.WaitInsideUnit`: what it waits for begins after the commit.
    """
    return cast("Eff[Acknowledgement, Never, HasEvents]", Call(Enqueue(timeout), event, title="enqueue_and_wait"))


_RUNTIME: Final = ask[HasEvents]()


@do
def _enqueuing(event: DomainEvent[Any]) -> Do[None, Never, HasEvents]:
    runtime = yield from _RUNTIME
    if isinstance(runtime, OutsideUnit):
        yield from Call(Enqueue(), event, title="enqueue")
    else:
        yield from collect(runtime.events, event)
