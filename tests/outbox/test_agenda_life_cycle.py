"""The life cycle of an agenda's item, walked along its table on a real store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.dispatch import Ledger
from effect_runtime.integration import encode_message
from effect_runtime.outbox import AGENDA, AgendaState, AgendaStep, DeadLetter, LentAgenda
from tests.outbox.chores import NOTIFY, Chores, chore, chores

HOUR = timedelta(hours=1)


@define
class Walk:
    """One item, `a`, and what stands before it in its lane, `before`, where something does."""

    world: Chores
    letters: list[str] = field(factory=list)

    async def step(self, step: AgendaStep) -> None:
        """Let something happen to the item."""
        world, now = self.world, self.world.host.time.now()
        match step:
            case AgendaStep.ADDED:
                await world.add(chore("a"))
            case AgendaStep.ADDED_LATER:
                await world.add(chore("a", due=now + HOUR))
            case AgendaStep.ADDED_BEHIND:
                await world.add(chore("before", key="lane"), chore("a", key="lane"))
            case AgendaStep.TURN_CAME | AgendaStep.TURN_CAME_EARLY:
                await self._within(lambda agenda: agenda.reschedule("a", now + HOUR))
                if step is AgendaStep.TURN_CAME:
                    world.time.turn(2 * HOUR)
                await self._within(lambda agenda: agenda.cancel("before"))
            case AgendaStep.WAITED:
                world.time.turn(2 * HOUR)
            case AgendaStep.CLAIMED:
                await world.store.claim_agenda(owner="w", limit=1, lease=HOUR, reactions=(NOTIFY,))
            case AgendaStep.LEASE_ENDED:
                world.time.turn(2 * HOUR)
            case AgendaStep.TAKEN:
                token = await self._token()
                await self._within(lambda agenda: agenda.take("a", token))
            case AgendaStep.RETRIED_AT_ONCE | AgendaStep.RETRIED:
                token, due = await self._token(), now if step is AgendaStep.RETRIED_AT_ONCE else now + HOUR
                await self._within(lambda agenda: agenda.retry("a", token, due=due, error="broken"))
            case AgendaStep.BURIED:
                token, letter = await self._token(), self._letter()
                await self._within(lambda agenda: agenda.bury("a", token, letter))
            case AgendaStep.CANCELLED:
                await self._within(lambda agenda: agenda.cancel("a"))
                await self._within(lambda agenda: agenda.cancel("before"))
            case AgendaStep.RESCHEDULED:
                await self._within(lambda agenda: agenda.reschedule("a", now + HOUR))
            case AgendaStep.REPLAYED:
                await world.letters.replay(self.letters[-1])
            case AgendaStep.DISCARDED:
                await world.letters.discard(self.letters[-1])

    async def state(self) -> AgendaState:
        """Look where the item stands."""
        entries = {entry.item.envelope.id: entry for entry in await self.world.store.agenda_entries()}
        entry, now = entries.get("a"), self.world.host.time.now()
        if entry is None:
            return AgendaState.DEAD if await self.world.letters.list() else AgendaState.ABSENT
        if entry.due is None:
            return AgendaState.BEHIND
        if entry.due <= now:
            return AgendaState.DUE
        return AgendaState.LENT if entry.is_lent else AgendaState.LATER

    async def _within(self, work: Callable[[LentAgenda], Awaitable[bool]]) -> None:
        async with self.world.store.unit() as unit:
            await work(unit.agenda)
            await unit.commit(Ledger())

    async def _token(self) -> int:
        (entry,) = [each for each in await self.world.store.agenda_entries() if each.item.envelope.id == "a"]
        token: int = entry.token
        return token

    def _letter(self) -> DeadLetter:
        self.letters.append(f"letter-{len(self.letters)}")
        envelope = chore("a").envelope
        return DeadLetter(
            id=self.letters[-1],
            side="agenda",
            destination=NOTIFY,
            topic=envelope.topic,
            key=None,
            sequence=None,
            event="a",
            type=envelope.type,
            body=encode_message(envelope).body,
            cause="broken",
            history=("broken",),
            attempts=1,
            blocks=False,
            at=self.world.host.time.now(),
        )


async def walk(choices: list[int]) -> None:
    """Take one possible step after the other, and compare the table with the store."""
    async with chores() as world:
        item, state = Walk(world), AgendaState.ABSENT
        for choice in choices:
            steps = [step for (before, step) in AGENDA if before is state]
            step = steps[choice % len(steps)]
            await item.step(step)
            state = AGENDA[state, step]
            assert (step, await item.state()) == (step, state)


@given(st.lists(st.integers(0, 5), max_size=25))
def test_the_store_goes_where_the_table_says(choices: list[int]) -> None:
    """Every walk along the table is one of the store."""
    anyio.run(walk, choices)
