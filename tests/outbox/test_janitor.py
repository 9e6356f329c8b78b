"""What the janitor forgets and when, on a clock that the test turns."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from attrs import define, field

from effect_runtime.dispatch import Answer, Ledger
from effect_runtime.errors import StoreDown
from effect_runtime.outbox import Janitor, Kept, Place, Purged, Retention, Sweep
from tests.outbox.world import START, event, turned_host, until, worlds

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@define
class Cellar:
    """A store that holds so many old rows of each kind, and remembers what it was asked."""

    rows: dict[Kept, int]
    asked: list[tuple[Kept, datetime, int, Place]] = field(factory=list)
    broken: int = 0

    async def purge(self, kept: Kept, before: datetime, *, limit: int, behind: Place = ()) -> Sweep:
        """Remove up to `limit` rows."""
        self.asked.append((kept, before, limit, behind))
        if self.broken:
            self.broken -= 1
            raise StoreDown("cellar", reason="it is flooded")
        removed = min(limit, self.rows.get(kept, 0))
        self.rows[kept] = self.rows.get(kept, 0) - removed
        return Sweep(removed, (len(self.asked),) if removed == limit else None)


def test_every_kind_has_its_own_duration_and_none_is_for_ever() -> None:
    """Retention: a month for what guards against a second time, longer for letters, the audit for ever."""
    assert dict(Retention().cutoffs(START)) == {
        Kept.EVENTS: START - 30 * DAY,
        Kept.INBOX: START - 30 * DAY,
        Kept.ANSWERS: START - 30 * DAY,
        Kept.LETTERS: START - 90 * DAY,
    }
    assert dict(Retention(events=HOUR, inbox=None, answers=None, letters=None, audit=DAY).cutoffs(START)) == {
        Kept.EVENTS: START - HOUR,
        Kept.AUDIT: START - DAY,
    }
    assert dict(Retention.for_ever().cutoffs(START)) == {}
    longest = timedelta.max
    assert dict(Retention(events=longest, inbox=longest, answers=longest, letters=longest).cutoffs(START)) == {}


@pytest.mark.parametrize("wrong", [{"events": -HOUR}, {"every": timedelta(0)}, {"batch": 0}, {"pause": -HOUR}])
def test_a_retention_that_makes_no_sense_is_refused(wrong: dict[str, timedelta]) -> None:
    """Retention: no negative durations, no endless rounds without a rest, no empty batches."""
    with pytest.raises(ValueError, match="must be"):
        Retention(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_counts_add_up_by_kind() -> None:
    """Purged: what several stores have forgotten is one sum."""
    total = sum([Purged(events=2, audit=1), Purged(events=3).plus(Kept.INBOX, 4)], Purged())
    assert (total, total.total) == (Purged(events=5, inbox=4, audit=1), 10)


async def test_a_round_goes_through_each_kind_in_batches() -> None:
    """Janitor.purge: until each kind has been looked at to its end, going on where the last step came to."""
    host, _ = turned_host()
    cellar = Cellar({Kept.EVENTS: 5, Kept.ANSWERS: 1})
    janitor = Janitor(cellar, Retention(batch=2, inbox=None, letters=None, pause=timedelta(0)), host=host)
    assert await janitor.purge() == Purged(events=5, answers=1)
    month = START - 30 * DAY
    assert cellar.asked == [
        (Kept.EVENTS, month, 2, ()),
        (Kept.EVENTS, month, 2, (1,)),
        (Kept.EVENTS, month, 2, (2,)),
        (Kept.ANSWERS, month, 2, ()),
    ]


async def test_the_janitor_works_at_once_and_again_after_each_rest() -> None:
    """Janitor.running: a round, a rest, a round; and none after it has been left."""
    host, time = turned_host()
    cellar = Cellar({})
    janitor = Janitor(cellar, Retention(inbox=None, answers=None, letters=None, every=HOUR), host=host)
    async with janitor.running():
        await until(time, lambda: len(cellar.asked) == 3)
    asked = [before + 30 * DAY - START for _, before, _, _ in cellar.asked]
    assert [round(each / HOUR) for each in asked] == [0, 1, 2]
    time.turn(10 * HOUR)
    assert len(cellar.asked) == 3


async def test_it_rests_between_two_batches() -> None:
    """Janitor.running: others come first; nobody waits for a long round."""
    host, time = turned_host()
    cellar = Cellar({Kept.EVENTS: 5})
    janitor = Janitor(cellar, Retention(batch=1, pause=timedelta(seconds=1)), host=host)
    async with janitor.running():
        await until(time, lambda: janitor.purged.total == 5)
        assert round(time.elapsed) == 4


async def test_trouble_with_the_store_is_told_and_survived() -> None:
    """Janitor.running: the loop goes on after a minute, and what was counted stays counted."""
    host, time = turned_host()
    cellar = Cellar({Kept.EVENTS: 1}, broken=1)
    janitor = Janitor(cellar, Retention(), host=host)
    async with janitor.running():
        await until(time, lambda: janitor.trouble is not None)
        assert str(janitor.trouble).startswith("StoreDown: Store 'cellar' cannot be used: it is flooded.")
        await until(time, lambda: janitor.trouble is None)
        assert (janitor.purged, round(time.elapsed)) == (Purged(events=1), 60)


async def test_an_error_in_the_body_passes_as_itself() -> None:
    """Janitor.running: leaving by an exception wraps nothing."""
    host, _ = turned_host()
    with pytest.raises(ZeroDivisionError):
        async with Janitor(Cellar({}), Retention(), host=host).running():
            raise ZeroDivisionError


async def test_delivery_goes_on_beside_the_janitor() -> None:
    """RetentionStore 1: events are forgotten when they have arrived, and not before."""
    async with worlds() as world:
        retention = Retention(events=timedelta(0), inbox=timedelta(0), every=timedelta(seconds=1))
        janitors = [Janitor(store, retention, host=world.host) for store in (world.source, world.target)]
        relay, consumer = world.relay(), world.consumer()
        async with janitors[0].running(), janitors[1].running():
            await world.publish(*(event(number, key="dune") for number in range(1, 6)))
            await until(world.time, lambda: world.time.elapsed > 10)
            assert [janitor.purged for janitor in janitors] == [Purged(), Purged()]
            async with world.running(relay, consumer):
                await until(world.time, lambda: janitors[0].purged == Purged(events=5))
                await until(world.time, lambda: janitors[1].purged == Purged(inbox=5))
        assert await world.shop.ids() == [f"dune-{number}" for number in range(1, 6)]


async def test_answers_are_known_for_as_long_as_it_is_said() -> None:
    """Retention.answers: counted from the success."""
    async with worlds() as world:
        janitor = Janitor(world.source, Retention(answers=DAY), host=world.host)
        async with world.source.unit() as unit:
            await unit.commit(Ledger(answer=Answer(command_id="c-1", fingerprint=b"", body=b"1")))
        world.time.turn(DAY)
        assert await janitor.purge() == Purged()
        world.time.turn(timedelta(seconds=1))
        assert await janitor.purge() == Purged(answers=1)
