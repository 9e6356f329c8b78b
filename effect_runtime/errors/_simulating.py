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
    """Refuse to pass silently over the deviations of a plan that do not come up any more.

    `has_changed` tells whether the program does something else undisturbed than when the plan was made, where that is
    known. `is_seed_drawn`: strings hash otherwise in each process, so that sets of them iterate otherwise.
    """

    def __init__(self, sites: Sequence[str], *, has_changed: bool = True, is_seed_drawn: bool = False) -> None:
        super().__init__(tuple(sites), has_changed, is_seed_drawn)
        self.sites = tuple(sites)
        self.has_changed = has_changed
        self.is_seed_drawn = is_seed_drawn

    def __str__(self) -> str:
        since = "the world has changed since this plan was made"
        if not self.has_changed:
            since = "faults or clients are others than when this plan was made, for undisturbed the program is the same"
        seed = (
            " If it iterates a set of strings, fix PYTHONHASHSEED." if self.has_changed and self.is_seed_drawn else ""
        )
        return (
            f"{since}; these sites do not come up any more: "
            f"{'; '.join(self.sites)}. Search again, and keep the plan that is found then.{seed}"
        )


class Diverged(EffectRuntimeError):
    """Report two runs of one plan that differ: something in the program depends on what no plan decides.

    `outlived` names what a run changes and the next one finds: values of modules, classes, functions and closures.
    """

    def __init__(self, step: int, *, first: str | None, second: str | None, outlived: Sequence[str] = ()) -> None:
        super().__init__(step, first, second, tuple(outlived))
        self.step = step
        self.first = first
        self.second = second
        self.outlived = tuple(outlived)

    def __str__(self) -> str:
        if self.outlived:
            way_out = (
                f"These outlive a run, and would not outlive a crash: {', '.join(self.outlived)}. "
                f"Keep them in the store, or in what `make` builds."
            )
        else:
            way_out = (
                "Look, in what ran just before, for an id(), a set of objects that is iterated, a weak reference, "
                "or a clock not the transaction's."
            )
        return (
            f"two runs of one plan differ at step {self.step}: {self.first or 'the end'}; {self.second or 'the end'}. "
            f"{way_out}"
        )
