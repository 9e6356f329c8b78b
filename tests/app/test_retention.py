"""What an application forgets: by its janitors while it runs, and by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from anyio import fail_after
from anyio.lowlevel import checkpoint

from effect_runtime import App
from effect_runtime.errors import AppNotRunning, EventsPurged
from effect_runtime.outbox import Purged, Retention
from effect_runtime.transports import InProcess
from tests.app.pair import Pair
from tests.dispatch.world import Keep, NoteEvents

pytestmark = pytest.mark.anyio

AT_ONCE = Retention(events=timedelta(0), inbox=timedelta(0), answers=timedelta(0), every=timedelta(milliseconds=1))


async def test_the_janitor_of_each_store_forgets_while_the_application_runs(pair: Pair) -> None:
    """App.retention: for each store; what it forgot is counted by store."""
    app = pair.app(retention=AT_ONCE)
    async with app.running():
        await app.run(pair.keep(Keep("a", 1)), command_id="c-1")
        await app.settled()
        with fail_after(30):
            while sum((counts.purged for counts in app.counts().values()), Purged()).total < 3:
                await checkpoint()
        assert [counts.purged for counts in app.counts().values()] == [Purged(events=1, answers=1), Purged(inbox=1)]
        assert [health.is_well for health in (await app.health()).values()] == [True, True]


async def test_an_application_that_keeps_everything_runs_no_janitor(pair: Pair) -> None:
    """App.retention: None is for ever, also by hand, unless that says otherwise."""
    app = pair.app(retention=None)
    async with app.running():
        await app.run(pair.keep(Keep("a", 1)), command_id="c-1")
        await app.settled()
        assert await app.purge() == Purged()
        assert await app.purge(Retention(answers=timedelta(0))) == Purged(answers=1)


async def test_a_process_may_leave_forgetting_to_others(pair: Pair) -> None:
    """App.running: the janitor is a role like relay and consumers."""
    app = pair.app(retention=AT_ONCE)
    async with app.running(janitor=False):
        await app.run(pair.keep(Keep("a", 1)), command_id="c-1")
        await app.settled()
        assert [counts.purged for counts in app.counts().values()] == [Purged(), Purged()]
        assert await app.purge() == Purged(events=1, inbox=1, answers=1)
    with pytest.raises(AppNotRunning, match=r"app\.purge"):
        await app.purge()


async def test_a_new_earliest_subscription_is_refused_where_events_are_gone(pair: Pair) -> None:
    """Design: refused at start where retention no longer has them."""
    async with pair.running() as app:
        await app.run(pair.keep(Keep("a", 1)))
        await app.settled()
        await app.purge(Retention(events=timedelta(0)))
    pair.counts.subscribe(NoteEvents, id="counts.late", start="earliest")
    with pytest.raises(EventsPurged, match=r"'counts.late' asks for events of topic 'notes' from the earliest on"):
        async with App("pair", wire=InProcess(), contexts=pair.bindings()).running():
            pass
