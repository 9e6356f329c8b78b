"""Put together: contexts, stores and a wire, verified, opened and closed as one application."""

from __future__ import annotations

from effect_runtime.app._agenda import AllAgendas
from effect_runtime.app._app import App as App
from effect_runtime.app._letters import AllDeadLetters
from effect_runtime.app._plan import Profile
from effect_runtime.app._replay import Replay
from effect_runtime.app._site import Counts

__all__ = [
    "AllAgendas",
    "AllDeadLetters",
    "Counts",
    "Profile",
    "Replay",
]
