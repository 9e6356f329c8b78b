"""What goes wrong around a simulation, as opposed to in the program that it runs."""

from __future__ import annotations

from collections.abc import Sequence

from effect_runtime.errors._root import EffectRuntimeError


class LeftSimulation(EffectRuntimeError):
    """Refuse the real world to a simulated program: its clocks, chance, threads, files and sockets.

    `place` is the line of the user's that reached for it, where there is one.
    """

    def __init__(self, name: str, *, place: str | None = None, way_out: str) -> None:
        super().__init__(name, place, way_out)
        self.name = name
        self.place = place
        self.way_out = way_out

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        return (
            f"{self.name} was used inside a simulation{place}, where two runs of one plan must not differ. "
            f"{self.way_out}"
        )


class OpaqueValue(EffectRuntimeError):
    """Refuse a value in a trace that shows nothing but its address: no two runs would have the same trace."""

    def __init__(self, what: str, *, shown: str) -> None:
        super().__init__(what, shown)
        self.what = what
        self.shown = shown

    def __str__(self) -> str:
        return (
            f"a value of {self.what} shows its address: {self.shown}. "
            f"Make its class @frozen, give it a __repr__, or simulate with strict=False."
        )


class NotSimulated(EffectRuntimeError):
    """Refuse what cannot be part of a simulation."""

    def __init__(self, subject: str, *, reason: str) -> None:
        super().__init__(subject, reason)
        self.subject = subject
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.subject} cannot be simulated: {self.reason}."


class SitesVanished(EffectRuntimeError):
    """Refuse to pass silently over the deviations of a plan that do not come up any more."""

    def __init__(self, sites: Sequence[str]) -> None:
        super().__init__(tuple(sites))
        self.sites = tuple(sites)

    def __str__(self) -> str:
        return (
            f"the world has changed since this plan was made; these sites do not come up any more: "
            f"{'; '.join(self.sites)}. Search again, and keep the plan that is found then."
        )


class Diverged(EffectRuntimeError):
    """Report two runs of one plan that differ: something in the program depends on what no plan decides."""

    def __init__(self, step: int, *, first: str | None, second: str | None) -> None:
        super().__init__(step, first, second)
        self.step = step
        self.first = first
        self.second = second

    def __str__(self) -> str:
        return (
            f"two runs of one plan differ at step {self.step}: {self.first or 'the end'}; {self.second or 'the end'}. "
            f"Look, in what ran just before, for a set that is iterated, an id(), or a clock not the transaction's."
        )
