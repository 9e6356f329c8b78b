"""A tracer that keeps what it saw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from effect_runtime.effect import Operation


@define
class Spans:
    """Keep the name of each span when it ends."""

    ended: list[str] = field(factory=list)

    @contextmanager
    def span(self, name: str, operation: Operation) -> Iterator[None]:
        """Open a span."""
        try:
            yield
        finally:
            self.ended.append(name)
