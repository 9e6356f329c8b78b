"""What happened in a run, in order. Holds values and renders them only when somebody looks.

Fibers and processes go by their names: nothing in a trace depends on an address or on a hash seed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, Final, NamedTuple, final

from effect_runtime.errors import OpaqueValue

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
class Trace:
    """The steps of one run. Owned by its core, which appends; read it when the run has ended."""

    __slots__ = ("add", "steps", "strict")

    def __init__(self, *, strict: bool) -> None:
        self.steps: list[Step] = []
        self.add = self.steps.append
        self.strict = strict

    def lines(self) -> Iterator[str]:
        """Render the steps; raises `errors.OpaqueValue` in strict mode for a value that shows its address alone."""
        for step in self.steps:
            line = str(step)
            if _ADDRESS.search(line):
                if self.strict:
                    raise OpaqueValue(step.what, shown=line)
                line = _ADDRESS.sub("", line)
            yield line

    @property
    def hash(self) -> str:
        """Return a digest that two runs of one plan share, on any machine and any supported Python."""
        digest = blake2b(digest_size=16)
        for line in self.lines():
            digest.update(line.encode())
            digest.update(b"\n")
        return digest.hexdigest()
