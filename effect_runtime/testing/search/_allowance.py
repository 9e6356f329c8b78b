"""How long a search may go on, in time and in runs. Knows no search; the clock is the real one, by argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from attrs import define


@final
@define(eq=False)
class Allowance:
    """What is left: until a moment of `clock`, and for so many runs (None: as many as there is time for).

    What is spent of a part is spent of the `whole`, too.
    """

    clock: Callable[[], float]
    until: float
    runs: int | None = None
    whole: Allowance | None = None

    @property
    def is_spent(self) -> bool:
        """Tell whether nothing is left."""
        return (self.runs is not None and self.runs <= 0) or self.clock() >= self.until

    def spend(self) -> None:
        """Count one run."""
        if self.runs is not None:
            self.runs -= 1
        if self.whole is not None:
            self.whole.spend()

    def share(self, part: float) -> Allowance:
        """Return a part of what is left."""
        now = self.clock()
        runs = None if self.runs is None else int(self.runs * part)
        return Allowance(self.clock, now + max(0.0, self.until - now) * part, runs, self)
