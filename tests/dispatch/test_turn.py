"""The lock of a unit: first come, first served, and never lost."""

from __future__ import annotations

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.dispatch._turn import Turn

pytestmark = pytest.mark.anyio


async def test_a_free_turn_is_taken_without_waiting() -> None:
    """And only by one."""
    turn = Turn()
    assert turn.take()
    assert not turn.take()
    turn.leave()
    assert turn.take()


@given(cancelled=st.lists(st.booleans(), min_size=1, max_size=8), handed=st.booleans())
async def test_whoever_is_cancelled_the_others_get_their_turn_in_order(cancelled: list[bool], handed: bool) -> None:
    """Cancelled while waiting, or in the moment of being handed the turn: nobody behind waits for ever."""
    turn = Turn()
    assert turn.take()
    served: list[int] = []
    scopes = [CancelScope() for _ in cancelled]

    async def visit(number: int) -> None:
        with scopes[number]:
            await turn.wait()
            served.append(number)
            try:
                await checkpoint()
            finally:
                turn.leave()

    async with create_task_group() as group:
        for number in range(len(cancelled)):
            group.start_soon(visit, number)
            await checkpoint()
            await checkpoint()
        if handed:
            turn.leave()
        for number, stop in enumerate(cancelled):
            if stop:
                scopes[number].cancel()
        if not handed:
            turn.leave()
    assert served == sorted(served)
    assert {number for number, stop in enumerate(cancelled) if not stop} <= set(served)
