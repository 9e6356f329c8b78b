"""The due commands of one unit of work: the port of a runtime, on the agenda of the unit's own transaction.

Owned by the unit, which closes it. Knows which commands its context can send; runs none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, final

from attrs import define

from effect_runtime.dispatch._due import DueId, Message
from effect_runtime.dispatch._home import Home
from effect_runtime.dispatch._items import DUE, due_item
from effect_runtime.dispatch._ports import UnitOfWork
from effect_runtime.dispatch._request import MessageContext
from effect_runtime.errors import NaiveDue, NotSendable, QueueClosed
from effect_runtime.runtime import operation


@final
@define(eq=False)
class DueCommands:
    """Write, cancel and reschedule due commands. `is_used`: whether there is something for the workers to see.

    `identify` gives the id of the message that the unit is for: it causes what is sent here.
    """

    home: Home
    transaction: UnitOfWork[Any]
    request: MessageContext
    identify: Callable[[], str]
    is_used: bool = False
    is_closed: bool = False

    @operation(kind="transactional")
    async def send_later(self, command: Message, due: datetime | timedelta) -> DueId:
        """Write down a command."""
        self._expect_open(type(command).__name__)
        self._refuse_unsendable(type(command))
        now = self.home.host.time.now()
        moment = _moment(due, now)
        item = due_item(self.home, self.request, command, due=moment, causation=self.identify(), at=now)
        await self.transaction.agenda.add(item)
        self.is_used = True
        return DueId(item.envelope.id)

    @operation(kind="transactional")
    async def cancel_due(self, id: DueId) -> bool:
        """Take a command back."""
        self._expect_open("cancel_due")
        # An id of somebody else's item, such as an event for a handler, cannot be cancelled by guessing it.
        return await self._is_ours(id) and await self.transaction.agenda.cancel(id)

    @operation(kind="transactional")
    async def reschedule_due(self, id: DueId, due: datetime | timedelta) -> bool:
        """Give a command another time."""
        self._expect_open("reschedule_due")
        moment = _moment(due, self.home.host.time.now())
        if not await self._is_ours(id):
            return False
        self.is_used = True
        return await self.transaction.agenda.reschedule(id, moment)

    def close(self) -> None:
        """Refuse further use: what is written after this would be lost."""
        self.is_closed = True

    async def _is_ours(self, id: str) -> bool:
        """Tell whether there is such a command of this context; the store keeps other items beside them."""
        entry = await self.transaction.agenda.find(id)
        if entry is None or entry.item.envelope.topic != DUE:
            return False
        return entry.item.reaction in self.home.due_reactions

    def _expect_open(self, used: str) -> None:
        if self.is_closed:
            raise QueueClosed("due commands", event=used)

    def _refuse_unsendable(self, kind: type) -> None:
        home = self.home
        if kind in home.due_commands:
            return
        if any(entry.signature.message is kind for entry in home.commands.values()):
            reason, fix = "it has no stored identity", 'Write @stored("context.do-this") below @frozen of its class.'
        else:
            reason = "it is none of the commands that this context handles"
            fix = "Send a command of the context's own; another context is told with publish(...)."
        raise NotSendable(kind.__qualname__, context=home.name, reason=reason, fix=fix)


def _moment(due: datetime | timedelta, now: datetime) -> datetime:
    if isinstance(due, timedelta):
        return now + due
    if due.utcoffset() is None:
        raise NaiveDue(due)
    return due
