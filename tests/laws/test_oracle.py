"""The one loop against a recursive oracle: any program, cancelled at any await, unfolds the same under both."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effect_runtime.interpreter import Host, Interpreter
from tests.laws.oracle import oracle
from tests.laws.programs import REAL, Tree, effects
from tests.laws.world import Here, StillTime, watch

pytestmark = pytest.mark.anyio

LOOP = Interpreter(host=Host(time=StillTime(), blocking=Here()))


@settings(max_examples=5 * settings().max_examples)
@given(effects())
async def test_the_loop_and_the_oracle_see_the_same(tree: Tree) -> None:
    """Exit, operations with the runtime of each, and finalizers in their order agree."""
    program = tree.build(REAL)
    assert await watch(LOOP.interpret, program) == await watch(oracle, program)


@settings(max_examples=5 * settings().max_examples)
@given(effects(), st.integers(1, 12))
async def test_they_agree_when_the_host_cancels(tree: Tree, strike_at: int) -> None:
    """The same holds when a cancellation strikes at any await, also inside finalizers."""
    program = tree.build(REAL)
    assert await watch(LOOP.interpret, program, strike_at) == await watch(oracle, program, strike_at)
