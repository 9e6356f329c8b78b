"""When to try again: retry policy as data, and the two instructions that follow it.

Knows no clock and no chance: it is asked with the time that passed and a random number, and decides.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, final

from attrs import evolve, field, frozen, validators

from effect_runtime.effect._eff import A, Eff, F, S

_ZERO = timedelta(0)
_LONGEST = timedelta(days=36_500)
"""No wait is longer: far below what a `timedelta` can hold, so that rounding overflows nothing."""


@final
@frozen
class Schedule:
    """Say how long to wait before each further try, and when to stop.

    The default never waits and never stops: bound it with `times` or `within`.
    """

    initial: timedelta = field(default=_ZERO, validator=validators.ge(_ZERO))
    factor: float = field(default=1.0, validator=validators.ge(1.0))
    cap: timedelta | None = None
    jitter: float = field(default=0.0, validator=[validators.ge(0.0), validators.le(1.0)])
    limit: int | None = field(default=None, validator=validators.optional(validators.ge(0)))
    deadline: timedelta | None = None
    errors: tuple[type[Any], ...] = ()

    @classmethod
    def fixed(cls, every: timedelta) -> Schedule:
        """Wait equally long before each further try."""
        return cls(initial=every)

    @classmethod
    def exponential(
        cls, initial: timedelta, *, factor: float = 2.0, cap: timedelta | None = None, jitter: float = 0.0
    ) -> Schedule:
        """Wait `factor` times longer before each further try, never longer than `cap`.

        `jitter` is the share of each wait that chance may take away: 0 is exact, 1 is anything down to nothing.
        """
        return cls(initial=initial, factor=factor, cap=cap, jitter=jitter)

    def times(self, limit: int) -> Schedule:
        """Try at most `limit` times more after the first."""
        return evolve(self, limit=limit)

    def within(self, deadline: timedelta) -> Schedule:
        """Start no try later than `deadline` after the first began."""
        return evolve(self, deadline=deadline)

    def only(self, *errors: type[Any]) -> Schedule:
        """Try again after failures of these classes alone."""
        return evolve(self, errors=errors)

    def covers(self, error: object) -> bool:
        """Say whether a failure is one after which to try again."""
        return not self.errors or isinstance(error, self.errors)

    def delay(self, number: int, *, chance: float = 0.0) -> timedelta:
        """Return the wait before further try `number` (1 is the first); `chance` is in [0, 1)."""
        longest = (_LONGEST if self.cap is None else min(self.cap, _LONGEST)).total_seconds()
        try:
            full = self.initial.total_seconds() * self.factor ** (number - 1)
        except OverflowError:
            full = longest  # A float holds less than an int: by then the wait has long stopped growing.
        return timedelta(seconds=min(full, longest) * (1.0 - self.jitter * chance))

    def decide(self, number: int, *, elapsed: timedelta, chance: float = 0.0) -> timedelta | None:
        """Return the wait before further try `number`, or `None` to stop; never a wait that ends after the deadline."""
        if self.limit is not None and number > self.limit:
            return None
        wait = self.delay(number, chance=chance)
        # The wait is counted in: a try that would begin after the deadline is not waited for.
        if self.deadline is not None and elapsed > self.deadline - wait:
            return None
        return wait


@final
class Retry(Eff[Any, Any, Any]):
    """Run `source` again after a failure, as the schedule says."""

    __slots__ = ("schedule", "source")

    def __init__(self, source: Eff[Any, Any, Any], schedule: Schedule) -> None:
        self.source = source
        self.schedule = schedule


@final
class Repeat(Eff[Any, Any, Any]):
    """Run `source` again after a success, as the schedule says."""

    __slots__ = ("schedule", "source")

    def __init__(self, source: Eff[Any, Any, Any], schedule: Schedule) -> None:
        self.source = source
        self.schedule = schedule


def retry(eff: Eff[A, F, S], schedule: Schedule) -> Eff[A, F, S]:
    """Run `eff` again after a failure, as the schedule says; defects and cancellation pass.

    It does not sleep after the last try. It fails with the last failure; the earlier ones are its notes.
    Retrying undoes nothing that a failed try did.
    """
    return Retry(eff, schedule)


def repeat(eff: Eff[A, F, S], schedule: Schedule) -> Eff[A, F, S]:
    """Run `eff` again after a success, as the schedule says, and yield the last value. A failure ends it."""
    return Repeat(eff, schedule)
