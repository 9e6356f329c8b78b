"""How we know: production applications in a world without chance, under every order and every crash.

A `Simulation` runs an application again and again; a `Chooser` decides what happens wherever more than one thing could.

This door loads what stands behind it when a name is first asked for: the pytest plugin lives here, and every pytest
loads that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from effect_runtime.testing._broker import Delivery
    from effect_runtime.testing._claims import Claim, View
    from effect_runtime.testing._coverage import Complete, Covered, Tally
    from effect_runtime.testing._deviating import Deviations
    from effect_runtime.testing._explore import explore, replay, simulate
    from effect_runtime.testing._explorer import Explorer
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
    "Explorer",
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

if not TYPE_CHECKING:  # Shown to a type checker, `__getattr__` would make every misspelt name pass.
    _NAMES = {
        "_broker": "Delivery",
        "_claims": "Claim View",
        "_coverage": "Complete Covered Tally",
        "_deviating": "Deviations",
        "_explore": "explore replay simulate",
        "_explorer": "Explorer",
        "_faults": "Fails Faults",
        "_linear": "Explains Linearizable",
        "_party": "Party",
        "_process": "Client",
        "_replay": "replayed",
        "_simulated": "Simulated simulated",
        "_simulation": "Simulation",
        "_site": "Alternative Canonical Chooser Plan Planned Site Walk",
        "_trace": "Step Trace",
        "_world": "Hears Run",
    }
    _MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Return a name of this door from its module, and keep it."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}.")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value

    def __dir__() -> list[str]:
        """List the names of this door, loaded or not."""
        return sorted({*globals(), *__all__})
