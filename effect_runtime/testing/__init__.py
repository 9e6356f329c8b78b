"""How we know: production applications in a world without chance, under every order and every crash.

A `Simulation` runs an application again and again; a `Chooser` decides what happens wherever more than one thing could.

This door loads what stands behind it when a name is first asked for: the pytest plugin lives here, and every pytest
loads that.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from effect_runtime.testing._replay import replayed
    from effect_runtime.testing._simulated import Simulated, simulated
    from effect_runtime.testing.ground._broker import Delivery
    from effect_runtime.testing.ground._faults import Fails, Faults
    from effect_runtime.testing.ground._party import Party
    from effect_runtime.testing.loop._site import Alternative, Canonical, Chooser, Plan, Planned, Site, Walk
    from effect_runtime.testing.loop._trace import Step, Trace
    from effect_runtime.testing.search._coverage import Complete, Covered, Tally
    from effect_runtime.testing.search._deviating import Deviations
    from effect_runtime.testing.search._explore import explore, replay, simulate
    from effect_runtime.testing.search._explorer import Explorer
    from effect_runtime.testing.world._claims import Claim, View
    from effect_runtime.testing.world._linear import Explains, Linearizable
    from effect_runtime.testing.world._process import Client
    from effect_runtime.testing.world._run import Run
    from effect_runtime.testing.world._setting import Hears
    from effect_runtime.testing.world._simulation import Simulation

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
        "ground._broker": "Delivery",
        "world._claims": "Claim View",
        "search._coverage": "Complete Covered Tally",
        "search._deviating": "Deviations",
        "search._explore": "explore replay simulate",
        "search._explorer": "Explorer",
        "ground._faults": "Fails Faults",
        "world._linear": "Explains Linearizable",
        "ground._party": "Party",
        "world._process": "Client",
        "_replay": "replayed",
        "_simulated": "Simulated simulated",
        "world._simulation": "Simulation",
        "loop._site": "Alternative Canonical Chooser Plan Planned Site Walk",
        "loop._trace": "Step Trace",
        "world._run": "Run",
        "world._setting": "Hears",
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
