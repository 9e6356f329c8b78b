"""What retry and repeat mean: small blocks of our own that ask the schedule and wait on the host's time.

Knows the host's time and chance; the schedule decides.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any, final

from effect_runtime.effect import Eff, Pure, Raised, Repeat, Retry, Schedule
from effect_runtime.interpreter._loop import Thrown
from effect_runtime.interpreter._outcome import note, shown
from effect_runtime.interpreter._strand import Effect, Enter, Resume, Strand, Unwind


@final
class _Settle(Eff[Any, Any, Any]):
    """Yield the value or the signal of `source`: unlike `attempt` it keeps the traceback."""

    __slots__ = ("source",)

    def __init__(self, source: Effect) -> None:
        self.source = source


@final
class _Pause(Eff[None]):
    """Wait on the host's time."""

    __slots__ = ("duration",)

    def __init__(self, duration: timedelta) -> None:
        self.duration = duration


@final
class _Clockwork:
    """Count the tries of one run of a schedule and measure its time."""

    __slots__ = ("_began", "_host", "_schedule", "number")

    def __init__(self, strand: Strand, schedule: Schedule) -> None:
        self._host = strand.machine.host
        self._schedule = schedule
        self._began = self._host.time.monotonic()
        self.number = 0

    def next_wait(self) -> timedelta | None:
        """Return the wait before the next try, or `None` to stop."""
        self.number += 1
        elapsed = timedelta(seconds=self._host.time.monotonic() - self._began)
        # Chance is drawn only where it matters, so that exact schedules leave a simulation's stream alone.
        chance = self._host.entropy.random() if self._schedule.jitter else 0.0
        return self._schedule.decide(self.number, elapsed=elapsed, chance=chance)


def _retrying(strand: Strand, eff: Retry) -> Generator[Effect, Any, Any]:
    clockwork = _Clockwork(strand, eff.schedule)
    earlier: list[str] = []
    while True:
        value, signal = yield _Settle(eff.source)
        if signal is None:
            return value
        wait = clockwork.next_wait() if eff.schedule.covers(signal.error) else None
        if wait is not None:
            earlier.append(f"try {clockwork.number} failed with {shown(signal.error)}")
            yield _Pause(wait)
            continue
        for text in earlier:
            note(signal, text)
        thrown = Thrown(signal)
        del signal  # This frame will stand in its traceback.
        yield thrown


def _repeating(strand: Strand, eff: Repeat) -> Generator[Effect, Any, Any]:
    clockwork = _Clockwork(strand, eff.schedule)
    while True:
        value = yield eff.source
        wait = clockwork.next_wait()
        if wait is None:
            return value
        yield _Pause(wait)


async def _retry(strand: Strand, eff: Retry) -> Effect:
    strand.stack.append(_retrying(strand, eff))
    return Pure(None)


async def _repeat(strand: Strand, eff: Repeat) -> Effect:
    strand.stack.append(_repeating(strand, eff))
    return Pure(None)


async def _settle(strand: Strand, eff: _Settle) -> Effect:
    strand.stack.append(eff)
    return eff.source


async def _pause(strand: Strand, eff: _Pause) -> Effect:
    if eff.duration or not strand.loopless:
        await strand.machine.host.time.sleep(eff.duration)
    return Pure(None)


def _unwind_settle(strand: Strand, frame: _Settle, error: BaseException) -> Effect | None:
    return Pure((None, error)) if isinstance(error, Raised) else None


ENTER: Mapping[type[Any], Enter] = {Retry: _retry, Repeat: _repeat, _Settle: _settle, _Pause: _pause}
RESUME: Mapping[type[Any], Resume] = {_Settle: lambda strand, frame, value: Pure((value, None))}
UNWIND: Mapping[type[Any], Unwind] = {_Settle: _unwind_settle}
