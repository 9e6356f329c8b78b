"""How we know: production applications in a world without chance, under every order and every crash.

A `Simulation` runs an application again and again; a `Chooser` decides what happens wherever more than one thing could.
"""

from __future__ import annotations

from effect_runtime.testing._broker import Delivery
from effect_runtime.testing._claims import Claim, View
from effect_runtime.testing._coverage import Complete, Covered, Tally
from effect_runtime.testing._deviating import Deviations
from effect_runtime.testing._explore import explore, replay, simulate
from effect_runtime.testing._faults import Fails, Faults
from effect_runtime.testing._linear import Explains, Linearizable
from effect_runtime.testing._party import Party
from effect_runtime.testing._process import Client
from effect_runtime.testing._replay import replayed
from effect_runtime.testing._simulated import Simulated, simulated
from effect_runtime.testing._simulation import Simulation
from effect_runtime.testing._site import Alternative, Canonical, Chooser, Plan, Planned, Site, Walk
from effect_runtime.testing._trace import Step, Trace
from effect_runtime.testing._world import Hears, Run

__all__ = [
    "Alternative",
    "Canonical",
    "Chooser",
    "Claim",
    "Client",
    "Complete",
    "Covered",
    "Delivery",
    "Deviations",
    "Explains",
    "Fails",
    "Faults",
    "Hears",
    "Linearizable",
    "Party",
    "Plan",
    "Planned",
    "Run",
    "Simulated",
    "Simulation",
    "Site",
    "Step",
    "Tally",
    "Trace",
    "View",
    "Walk",
    "explore",
    "replay",
    "replayed",
    "simulate",
    "simulated",
]
