"""What goes wrong around a simulation, as opposed to in the program that it runs."""

from __future__ import annotations

from effect_runtime.errors._root import EffectRuntimeError


class LeftSimulation(EffectRuntimeError):
    """Refuse the real world to a simulated program: its clocks, chance, threads and sockets."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name} was used inside a simulation, where two runs of one plan must not differ. "
            f"Take time, ids and chance from what a transaction gives; let a party stand for what is outside."
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
