"""What the relay decides about a lane, and a real store along the lane's life cycle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import define

from effect_runtime.effect import Schedule
from effect_runtime.outbox import LANE, Claimed, Lane, LaneEvent, LaneState, RelayPolicy, Settlement
from effect_runtime.outbox._lanes import Ending, Paused, Rejected, Through, Unavailable, plan
from tests.outbox.world import START, TOPIC, World, commit, event, numbered, worlds

POLICY = RelayPolicy(retries=Schedule.fixed(timedelta(seconds=2)).times(2), pause=timedelta(seconds=5))
LANE_OF_DUNE = Lane("shop", TOPIC, "dune")


def loan(attempts: int = 0, lane: Lane = LANE_OF_DUNE) -> Claimed:
    """Return a borrowed lane with two events."""
    return Claimed(lane=lane, token=7, attempts=attempts, envelopes=(numbered(1), numbered(2)))


def planned(ending: Ending, *, accepted: int = 0, attempts: int = 0, lane: Lane = LANE_OF_DUNE) -> Settlement:
    """Plan at noon."""
    return plan(loan(attempts, lane), accepted, ending, now=START, policy=POLICY)


@pytest.mark.parametrize("ending", [Through(), Unavailable("silence")])
def test_a_lane_is_released_when_nothing_is_wrong_with_its_head(ending: Ending) -> None:
    """Destination trouble spends no attempt, and another relay may try at once."""
    assert planned(ending, accepted=1) == Settlement(lane=LANE_OF_DUNE, token=7, accepted=1)


def test_a_paused_lane_waits_and_spends_no_attempt() -> None:
    """A key at its bound is asked again later."""
    due = START + timedelta(seconds=5)
    expected = Settlement(lane=LANE_OF_DUNE, token=7, accepted=1, then="retry", due=due, error="full")
    assert planned(Paused("full"), accepted=1, attempts=9) == expected


def test_a_rejected_head_is_tried_again_and_then_quarantined() -> None:
    """Two further attempts, then a dead letter that blocks the key."""
    due = START + timedelta(seconds=2)
    again = Settlement(lane=LANE_OF_DUNE, token=7, accepted=0, then="retry", due=due, spend=True, error="bad")
    over = Settlement(lane=LANE_OF_DUNE, token=7, accepted=0, then="quarantine", spend=True, error="bad", block=True)
    assert [planned(Rejected("bad"), attempts=attempts) for attempts in (0, 1, 2)] == [again, again, over]


def test_attempts_belong_to_the_head_and_not_to_the_lane() -> None:
    """After an accepted event the next head begins with no attempts spent."""
    assert planned(Rejected("bad"), accepted=1, attempts=2).then == "retry"


def test_an_event_without_a_key_blocks_nothing() -> None:
    """Its lane ends with it."""
    assert planned(Rejected("bad"), attempts=2, lane=Lane("shop", TOPIC, None, "x")).block is False


@define
class Walk:
    """A lane on a real store, and the steps of its life cycle by name."""

    world: World
    lane: Lane
    keyed: bool
    held: Claimed | None = None
    number: int = 0

    async def claim(self) -> Claimed | None:
        """Borrow the lane if the store lends it."""
        found = await self.world.source.claim(
            owner="us", lanes=1, events=1, lease=timedelta(seconds=9), destinations=(self.lane.destination,)
        )
        return found[0] if found else None

    async def settle(self, **rest: object) -> None:
        """Settle the present loan."""
        assert self.held is not None
        settlement = Settlement(lane=self.lane, token=self.held.token, **rest)  # type: ignore[arg-type]  # one test table
        assert await self.world.source.settle((settlement,)) == ()
        self.held = None

    async def letter(self) -> str:
        """Return the id of the newest open dead letter."""
        return str((await self.world.source.dead_letters())[-1].id)

    async def state(self) -> LaneState:
        """Tell the state from what the store says, without changing it."""
        due = await self.world.source.next_due((self.lane.destination,))
        if due is None:
            return (
                LaneState.BLOCKED
                if any(each.blocks for each in await self.world.source.dead_letters())
                else LaneState.EMPTY
            )
        if due <= self.world.host.time.now():
            return LaneState.DUE
        return LaneState.LENT if self.held is not None else LaneState.LATER

    async def take(self, step: LaneEvent) -> None:
        """Make one step of the table happen."""
        source, later = self.world.source, START + timedelta(seconds=60)
        match step:
            case LaneEvent.COMMITTED:
                self.number += 1
                await commit(source, event(self.number, key="dune" if self.keyed else None))
            case LaneEvent.CLAIMED:
                self.held = await self.claim()
                assert self.held is not None
            case LaneEvent.LEASE_ENDED:
                self.world.time.turn(timedelta(seconds=10))
                self.held = None
            case LaneEvent.DRAINED:
                await self.settle(accepted=1)
            case LaneEvent.RELEASED:
                await self.settle(accepted=0)
            case LaneEvent.RETRIED:
                await self.settle(accepted=0, then="retry", due=later, spend=True)
            case LaneEvent.WAITED:
                self.world.time.turn(timedelta(seconds=120))
            case LaneEvent.QUARANTINED | LaneEvent.BURIED:
                await self.settle(accepted=0, then="quarantine", spend=True, block=self.keyed)
            case LaneEvent.REPLAYED:
                assert await source.close_dead_letter(await self.letter(), "replayed")
            case LaneEvent.DISCARDED | LaneEvent.GIVEN_UP:
                assert await source.close_dead_letter(await self.letter(), "discarded")


E_ = LaneEvent
WALKS: list[tuple[bool, list[LaneEvent]]] = [
    (True, [E_.COMMITTED, E_.CLAIMED, E_.DRAINED, E_.COMMITTED, E_.CLAIMED, E_.LEASE_ENDED, E_.CLAIMED, E_.RELEASED]),
    (True, [E_.COMMITTED, E_.CLAIMED, E_.COMMITTED, E_.RETRIED, E_.COMMITTED, E_.WAITED, E_.CLAIMED, E_.RELEASED]),
    (True, [E_.COMMITTED, E_.CLAIMED, E_.QUARANTINED, E_.COMMITTED, E_.REPLAYED, E_.CLAIMED, E_.RELEASED]),
    (True, [E_.COMMITTED, E_.COMMITTED, E_.CLAIMED, E_.QUARANTINED, E_.DISCARDED]),
    (True, [E_.COMMITTED, E_.CLAIMED, E_.QUARANTINED, E_.GIVEN_UP, E_.COMMITTED, E_.COMMITTED]),
    (False, [E_.COMMITTED, E_.CLAIMED, E_.BURIED, E_.REPLAYED, E_.CLAIMED, E_.DRAINED]),
]  # fmt: skip


def test_the_walks_pass_every_line_of_the_table() -> None:
    """No transition is left to belief."""
    passed = set()
    for _, steps in WALKS:
        state = LaneState.EMPTY
        for step in steps:
            passed.add((state, step))
            state = LANE[state, step]
    assert passed == set(LANE)


@pytest.mark.anyio
@pytest.mark.parametrize("walk", WALKS)
async def test_a_store_follows_the_life_cycle_of_a_lane(walk: tuple[bool, list[LaneEvent]]) -> None:
    """After each step the store says what the table says."""
    keyed, steps = walk
    async with worlds() as world:
        key = "dune" if keyed else None
        lane = Lane(world.shop.id, TOPIC, key, None if keyed else f"{key}-1")
        walker, state = Walk(world, lane, keyed), LaneState.EMPTY
        for step in steps:
            await walker.take(step)
            state = LANE[state, step]
            assert (step, await walker.state()) == (step, state)
