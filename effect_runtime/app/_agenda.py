"""The agendas of all stores of an application, as one list for operators. Knows which store an entry came from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from effect_runtime.dispatch import AgendaEntry, Ledger, Lost
from effect_runtime.errors import NaiveDue
from effect_runtime.outbox import AgendaStore, Lookout, Wake


@frozen(eq=False)
class StoredAgenda:
    """The agenda of one store, the bell of its workers, and whoever waits for the end of an entry."""

    store: AgendaStore
    wake: Wake
    lookout: Lookout

    async def cancel(self, id: str) -> bool:
        """Take an entry off; whoever waits for its end is told that it is lost."""
        self.lookout.keep(id)  # or it would find the entry gone, and call it handled
        try:
            async with self.store.unit() as unit:
                await unit.begin()
                if not await unit.agenda.cancel(id):
                    return False
                await unit.commit(Ledger())
            self.lookout.ended(id, Lost())
        finally:
            self.lookout.leave(id)
        self.wake.ring()
        return True


@frozen
class AllAgendas:
    """What the contexts of an application will do later: events for after-commit handlers, and due commands."""

    _agendas: Sequence[StoredAgenda]

    async def list(self, *, reactions: Sequence[str] | None = None, limit: int = 100) -> tuple[AgendaEntry, ...]:
        """List entries in the order of adding, those of some reactions or of all."""
        # Each store is asked for all of it: how a list is shared among them is known only when it is sorted.
        entries = [entry for each in self._agendas for entry in await each.store.agenda_entries(reactions, limit=limit)]
        return tuple(sorted(entries, key=lambda entry: entry.since)[:limit])

    async def cancel(self, id: str) -> bool:
        """Take an entry off the agenda, whoever works on it; the next of its lane goes on.

        False when it has ended: then its effect stands. Whoever waits for the end of an event is told that it is lost.
        """
        for each in self._agendas:
            if await each.cancel(id):
                return True
        return False

    async def reschedule(self, id: str, due: datetime) -> bool:
        """Give an entry another time, with its attempts forgotten; False when it has ended.

        A time without timezone is `errors.NaiveDue`.
        """
        if due.utcoffset() is None:
            raise NaiveDue(due)
        for each in self._agendas:
            async with each.store.unit() as unit:
                await unit.begin()
                if not await unit.agenda.reschedule(id, due):
                    continue
                await unit.commit(Ledger())
            each.wake.ring()
            return True
        return False
