"""Properties for free: strategies, state machines and round trips that follow from the application itself.

Stands on hypothesis (`pip install "effect-runtime[testing]"`). Whoever writes commands, events and handlers has said
enough for all of this; what cannot be read from them is named, with the way out.
"""

from __future__ import annotations

from effect_runtime.testing.properties._available import HYPOTHESIS as HYPOTHESIS
from effect_runtime.testing.properties._clients import clients_of
from effect_runtime.testing.properties._failures import failures_of
from effect_runtime.testing.properties._interruptions import (
    Interrupted,
    Interruptions,
    assert_crash_safe,
    assert_failures_handled,
)
from effect_runtime.testing.properties._invariants import Invariant, Read
from effect_runtime.testing.properties._machine import CommandMachine, machine_of
from effect_runtime.testing.properties._messages import Overrides, Pools, commands_of, events_of, values_of
from effect_runtime.testing.properties._model import Drawn, Model, PassingModel, played_by
from effect_runtime.testing.properties._plans import plans
from effect_runtime.testing.properties._round_trips import assert_round_trips

__all__ = [
    "CommandMachine",
    "Drawn",
    "Interrupted",
    "Interruptions",
    "Invariant",
    "Model",
    "Overrides",
    "PassingModel",
    "Pools",
    "Read",
    "assert_crash_safe",
    "assert_failures_handled",
    "assert_round_trips",
    "clients_of",
    "commands_of",
    "events_of",
    "failures_of",
    "machine_of",
    "plans",
    "played_by",
    "values_of",
]
