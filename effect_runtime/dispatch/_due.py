"""Due commands as a program sees them: the service of its runtime, and the effects that use it.

Knows no agenda: `_due_commands` implements the port inside a unit of work.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Never, NewType, Protocol, final

from attrs import frozen

from effect_runtime.effect import Do, Eff, do
from effect_runtime.errors import OperationOutsideUnit
from effect_runtime.runtime import ask, operation

DueId = NewType("DueId", str)
"""Names a due command: to cancel it or to give it another time. When it is due, it is its command id."""


class Message(Protocol):
    """Be an instance of an attrs class, as far as type checkers can tell."""

    @property
    def __match_args__(self) -> tuple[Any, ...]:
        """Return the names of the positional fields."""
        ...


class Due(Protocol):
    """Send commands later, within the transaction of a unit of work.

    Duties: 1. A command is due at a moment of the store's clock, or after a time from now on it; never earlier.
    2. What a rolled back unit or savepoint did here never was. 3. `cancel_due` and `reschedule_due` answer whether
    there still was such a command: one that has begun to be handled is ended by whoever commits first.
    """

    def send_later(self, command: Message, due: datetime | timedelta) -> Eff[DueId]:
        """Write down a command."""
        ...

    def cancel_due(self, id: DueId) -> Eff[bool]:
        """Take a command back."""
        ...

    def reschedule_due(self, id: DueId, due: datetime | timedelta) -> Eff[bool]:
        """Give a command another time."""
        ...


class HasDue(Protocol):
    """Be a runtime that can send commands later."""

    @property
    def due(self) -> Due:
        """Return the due commands of the current unit of work."""
        ...


def send_later(command: Message, *, due: datetime | timedelta) -> Eff[DueId, Never, HasDue]:
    """Describe sending a command of this context later: at a moment, or after a time from now.

    It is written in the unit's own transaction, and later runs as a command of its own, under its id as command id, as
    principal `system:<its title>`, with this unit's correlation. Its class needs `@stored`; `errors.NotSendable`
    otherwise, and for a command that this context does not handle. A due time without timezone is `errors.NaiveDue`.
    Performed as the operation `Due.send_later`.
    """
    return _sending(command, due)


def cancel_due(id: DueId) -> Eff[bool, Never, HasDue]:
    """Describe taking a due command back; False when it has ended, or never was."""
    return _cancelling(id)


def reschedule_due(id: DueId, *, due: datetime | timedelta) -> Eff[bool, Never, HasDue]:
    """Describe giving a due command another time, with its attempts forgotten; False when it has ended."""
    return _rescheduling(id, due)


_RUNTIME: Final = ask[HasDue]()


@do
def _sending(command: Message, due: datetime | timedelta) -> Do[DueId, Never, HasDue]:
    runtime = yield from _RUNTIME
    return (yield from runtime.due.send_later(command, due))


@do
def _cancelling(id: DueId) -> Do[bool, Never, HasDue]:
    runtime = yield from _RUNTIME
    return (yield from runtime.due.cancel_due(id))


@do
def _rescheduling(id: DueId, due: datetime | timedelta) -> Do[bool, Never, HasDue]:
    runtime = yield from _RUNTIME
    return (yield from runtime.due.reschedule_due(id, due))


@final
@frozen
class NoDue:
    """The due commands of a transaction that a test builds by hand: every use is a defect that says so."""

    @operation(kind="transactional")
    async def send_later(self, command: Message, due: datetime | timedelta) -> DueId:
        """Refuse."""
        raise OperationOutsideUnit("Due.send_later")

    @operation(kind="transactional")
    async def cancel_due(self, id: DueId) -> bool:
        """Refuse."""
        raise OperationOutsideUnit("Due.cancel_due")

    @operation(kind="transactional")
    async def reschedule_due(self, id: DueId, due: datetime | timedelta) -> bool:
        """Refuse."""
        raise OperationOutsideUnit("Due.reschedule_due")


no_due: Final = NoDue()
"""The default of a `Transaction`."""
