"""Forgetting, at any moment, changes nothing that is promised: a history with purges goes as the one without them.

Both are the same operations on two stores of one kind; one of them forgets all that it may before each operation. What
may differ is what retention is for: closed letters, lines of the audit, and how a settled event is known as settled.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.outbox._ports import InboxState, Kept
from tests.outbox.stores.test_retention_store import purge
from tests.outbox.stores.test_same_answers import (
    DESTINATIONS,
    Receive,
    Register,
    Run,
    claims,
    claims_waiting,
    everything,
    passes,
    publishes,
    receives,
    settles,
)
from tests.outbox.stores.world import SIMULATED, ManualTime, a_store, still_host

pytestmark = pytest.mark.anyio

FORGOTTEN = (Kept.EVENTS, Kept.INBOX, Kept.LETTERS, Kept.AUDIT)
"""Not answers: whether a command id is known is what their retention decides."""


@frozen
class CloseOpen:
    """Close one of the letters that are open."""

    which: int
    state: Literal["replayed", "discarded"]

    async def on(self, run: Run) -> object:
        """Run it."""
        letters = await run.store.dead_letters()
        if not letters:
            return None
        letter = letters[self.which % len(letters)]
        run.replays += self.state == "replayed"
        return letter, await run.store.close_dead_letter(letter.id, self.state)


def promised(operation: object, answer: Any) -> Any:
    """Return what a caller may rely on: a settled event is known by its row or by its number."""
    if not isinstance(operation, Receive):
        return answer
    return tuple(
        evolve(part, seen=part.seen or operation.sequence <= (part.mark or 0)) if isinstance(part, InboxState) else part
        for part in answer
    )


keyed_receives = receives.filter(lambda receive: receive.key is not None)
closes = st.builds(CloseOpen, st.integers(0, 9), st.sampled_from(["replayed", "discarded"]))
outbox_side = st.one_of(publishes, claims, settles, passes, closes)
inbox_side = st.one_of(keyed_receives, claims_waiting, passes, closes)
# Long ones, or hardly any would publish, claim, settle and claim again.
histories = st.one_of(*(st.lists(side, min_size=10, max_size=40) for side in (outbox_side, inbox_side | outbox_side)))


@pytest.mark.parametrize("kind", ["memory", "sqlite", *SIMULATED])
@given(history=histories)
async def test_forgetting_changes_nothing_that_is_promised(kind: str, history: list[Any]) -> None:
    """RetentionStore 1: no later claim, delivery, replay or order can tell whether a store has forgotten."""
    one, two = ManualTime(), ManualTime()
    with TemporaryDirectory() as folder:
        keeping, forgetting = (a_store(kind, Path(folder, name)) for name in ("keeping", "forgetting"))
        for name in ("keeping", "forgetting"):
            Path(folder, name).mkdir()
        async with keeping.opened(still_host(one)) as kept, forgetting.opened(still_host(two)) as forgot:
            first, second = Run(kept, one), Run(forgot, two)
            for operation in (*(Register(name, False) for name in DESTINATIONS), *history):
                answer = promised(operation, await operation.on(first))
                for kind_of_row in FORGOTTEN:
                    await purge(forgot, kind_of_row, two.now(), limit=2)
                assert promised(operation, await operation.on(second)) == answer, operation
                for time in (one, two):
                    time.pass_(timedelta(microseconds=1))
            before, after = await everything(kept), await everything(forgot)
            differing = ("audit", "letters")
            assert {k: v for k, v in after.items() if k not in differing} == {
                k: v for k, v in before.items() if k not in differing
            }
            assert await forgot.dead_letters() == await kept.dead_letters()
