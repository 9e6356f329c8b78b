"""Our laws hold for the interpreter and the combinators that we ship, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effect_runtime.interpreter import Host, Interpreter
from tests.laws.equations import LAWS, Law
from tests.laws.programs import REAL
from tests.laws.world import Here, StillTime

pytestmark = pytest.mark.anyio

LOOP = Interpreter(host=Host(time=StillTime(), blocking=Here()))


def that_holds(law: Law) -> Callable[..., None]:
    """Return the test of one law: its draws stand in `given`, because drawing inside a task confuses Hypothesis."""

    @given(st.tuples(*law.draws))
    async def test(drawn: tuple[Any, ...]) -> None:
        await law.claim(LOOP.interpret, REAL, *drawn)

    test.__doc__ = f"{law.name}, whatever the programs, and whenever a cancellation strikes."
    return test


for _law in LAWS:
    globals()[f"test_law_{_law.name.replace(' ', '_').replace(',', '')}"] = that_holds(_law)
