"""What happened in a run, in order. Holds values and renders them only when somebody looks.

Fibers and processes go by their names: nothing in a trace depends on an address or on a hash seed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple, final

from effect_runtime.errors import OpaqueValue
from effect_runtime.testing.loop._site import Site

_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


class Step(NamedTuple):
    """One thing that happened: when, where, in which fiber, and the values that belong to it."""

    at: float
    process: str
    fiber: str
    what: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        values = ", ".join(repr(value) for value in self.values)
        return f"t={self.at:.3f} {self.process}/{self.fiber} {self.what}({values})"


@final
class Named(NamedTuple):
    """A value that was handed over under a name."""

    name: str
    value: Any

    def __repr__(self) -> str:
        return f"{self.name}={self.value!r}"


@final
class Trace:
    """The steps of one run. Owned by its sequencer, which appends; read it when the run has ended."""

    __slots__ = ("add", "deviations", "steps", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.steps: list[Step] = []
        self.add = self.steps.append
        self.deviations: dict[int, Site] = {}
        self.strict = strict

    def deviate(self, step: Step, site: Site) -> None:
        """Add the step that says that the run leaves the boring way at a site."""
        self.deviations[len(self.steps)] = site
        self.add(step)

    def lines(self) -> Iterator[str]:
        """Render the steps; raises `errors.OpaqueValue` in strict mode for a value that shows its address alone."""
        yield from self._lines(self.steps)

    def _lines(self, steps: Iterable[Step]) -> Iterator[str]:
        for step in steps:
            line = str(step)
            if _ADDRESS.search(line):
                if self.strict:
                    raise OpaqueValue(step.what, shown=line)
                line = _ADDRESS.sub("", line)
            yield line

    @property
    def hash(self) -> str:
        """Return a digest that two runs of one plan share, on any machine and any supported Python."""
        return _digest(self.lines())

    @property
    def deeds(self) -> str:
        """Return a digest of what the program did, whatever claims said of it."""
        return _digest(self._lines(step for step in self.steps if step.process != "--"))

    @property
    def outcome(self) -> str:
        """Return a digest of what came of the deviations, which two runs of different plans may share."""
        return _digest(self._lines(step for number, step in enumerate(self.steps) if number not in self.deviations))


def _digest(lines: Iterable[str]) -> str:
    digest = blake2b(digest_size=16)
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()
