"""Plans as hypothesis draws them: few deviations, drawn before the run. Knows how long a run is, not what is in it."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from effect_runtime.testing.loop._site import Canonical
from effect_runtime.testing.search._deviating import Deviations
from effect_runtime.testing.world._simulation import Simulation

_REACH: Final = 60
"""How many questions a run may have whose clients are all drawn: a few commands. Numbers beyond it change nothing."""


def plans(simulation: Simulation, *, max_deviations: int = 4) -> st.SearchStrategy[Deviations]:
    """Draw plans for `simulate`: up to `max_deviations` departures from the boring run, half of them with priorities.

    The boring plan is the simplest, so that what fails shrinks towards it. Sites go by their numbers, which clients
    that are drawn beside a plan may shift; the simulation's own clients tell how many there are, if it has any.
    """
    asked = len(simulation.run(Canonical()).asked) * 5 // 4
    reach = max(asked, 1 if simulation.clients else _REACH)
    answers = st.dictionaries(st.integers(0, reach), st.integers(0, 11), max_size=max_deviations)
    return st.builds(Deviations, answers, st.none() | st.integers(0, 255))
