"""A queue of after-commit handlers: a value that says how its events are worked on. Holds no event and runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, final

from attrs import field, frozen

from effect_runtime.dispatch._subscription import patient
from effect_runtime.effect import Schedule
from effect_runtime.errors import Code, Fault, raise_faults

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[-.][a-z0-9]+)*")
_ZERO: Final = timedelta(0)


@final
@frozen
class EventQueue:
    """Say how the events of some after-commit handlers are worked on: `@context.after_commit(Event, queue=...)`.

    `concurrency` bounds how many lanes are worked on at once (0: all). A lane is the events of one key of one handler,
    in their order, one at a time; an event without a key is a lane of its own. After a failure an event is tried again
    `immediate` times at once, then by `schedule`, and is a dead letter in the end.

    `durable`: events are written in the commit of their unit and survive the process. Otherwise they are kept in
    memory, and those that a shutdown finds there are lost, and counted. `capacity` bounds the events that wait: beyond
    it, whoever calls `app.run` waits for room for up to `timeout`, with nothing open. Refused where it is defined, as
    `errors.ConfigurationError`, if a setting cannot work.
    """

    name: str
    capacity: int = field(default=1000, kw_only=True)
    concurrency: int = field(default=0, kw_only=True)
    durable: bool = field(default=True, kw_only=True)
    immediate: int = field(default=2, kw_only=True)
    schedule: Schedule = field(default=patient, kw_only=True)
    timeout: timedelta = field(default=timedelta(seconds=10), kw_only=True)

    def __attrs_post_init__(self) -> None:
        raise_faults(f"queue {self.name!r}", _faults(self))


def _faults(queue: EventQueue) -> Iterator[Fault]:
    sound = {
        "name": _names(queue.name),
        "capacity": _counts(queue.capacity, least=1),
        "concurrency": _counts(queue.concurrency, least=0),
        "immediate": _counts(queue.immediate, least=0),
        "timeout": _lasts(queue.timeout),
    }
    for setting, is_sound in sound.items():
        if not is_sound:
            yield Fault(
                Code.ER119,
                place=f"queue {queue.name!r}",
                problem=f"{setting}={getattr(queue, setting)!r} cannot work.",
                fix=_FIXES[setting],
            )


def _names(name: object) -> bool:
    return isinstance(name, str) and len(name) <= 200 and _NAME.fullmatch(name) is not None


def _lasts(time: object) -> bool:
    return isinstance(time, timedelta) and time >= _ZERO


def _counts(number: object, *, least: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= least


_FIXES: Final = {
    "name": 'Write lower-case words with dashes: EventQueue("notifications").',
    "capacity": "Give a whole number of events, at least 1.",
    "concurrency": "Give the number of lanes that are worked on at once, or 0 for all of them.",
    "immediate": "Give the number of tries at once after the first, or 0 for none.",
    "timeout": "Give a timedelta that is not negative.",
}
