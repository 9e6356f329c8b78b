"""The root of every exception we raise, and the shape of a configuration fault.

An exception takes facts and builds its own sentence: what, where, way out. It knows no chapter above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import final

from effect_runtime.errors._codes import Code


class EffectRuntimeError(Exception):
    """Be the one class that catches everything this library raises on purpose."""


class Fault(EffectRuntimeError):
    """Describe one configuration fault: a stable code, the place, what is wrong, the way out."""

    def __init__(self, code: Code, *, place: str, problem: str, fix: str) -> None:
        super().__init__(code, place, problem, fix)
        self.code = code
        self.place = place
        self.problem = problem
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.code.name} {self.place}: {self.problem} {self.fix}"


@final
class ConfigurationError(ExceptionGroup[Fault], EffectRuntimeError):
    """Report all configuration faults of one definition or one application at once."""

    def __new__(cls, subject: str, faults: Sequence[Fault]) -> ConfigurationError:
        # In `__new__`, because the text of a group is fixed there.
        count = len(faults)
        noun = "fault" if count == 1 else "faults"
        lines = "".join(f"\n  {fault}" for fault in faults)
        return super().__new__(cls, f"{subject}: {count} configuration {noun}{lines}", tuple(faults))

    def derive(self, excs: Sequence[Fault]) -> ConfigurationError:  # type: ignore[override]  # we hold faults only
        """Build the group that `split` and `subgroup` return."""
        # Otherwise `split` and `subgroup` would give a plain group, without `faults` and `codes`.
        return ConfigurationError("selected", excs)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Return all faults, in the order in which they were found."""
        return tuple(fault for fault in self.exceptions if isinstance(fault, Fault))

    @property
    def codes(self) -> tuple[str, ...]:
        """Return the codes of all faults, in the order in which they were found."""
        return tuple(fault.code.name for fault in self.faults)


def raise_faults(subject: str, faults: Iterable[Fault]) -> None:
    """Raise all `faults` as one `ConfigurationError`; return when there are none."""
    found = tuple(faults)
    if found:
        raise ConfigurationError(subject, found)
