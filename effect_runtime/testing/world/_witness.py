"""What a run looks like from where the user stands: lines of the user's, what commits changed, who waits where.

Somebody looks on at a run that is made again for a report; no other run pays for it. Looking changes nothing: it reads
the stack of whoever tells a step, and what is committed. Knows how to look, nothing of how it is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from types import FrameType, GeneratorType, TracebackType
from typing import Any, Final, Protocol, TypeAlias, final

from attrs import define, field, fields, frozen, has

from effect_runtime.effect import Call, Operation
from effect_runtime.testing.loop._places import is_foreign, line_of, lines_awaited
from effect_runtime.testing.loop._trace import Step

Content: TypeAlias = Mapping[str, Sequence[Any]]
"""The rows of a store, by their tables."""

_LASTING: Final = frozenset({"Transaction.commit", "Lanes.settle", "CRASH", "restart"})
"""Steps with which something can have become durable."""

_EDGE: Final = 2
"""Frames between a look and the boundary that tells a step, which say nothing."""

_NEAR: Final = 3
"""Frames next to those: an operation among them is what the step is about."""

_MOST: Final = 1_000
"""Steps that are looked behind: who goes in circles does so long before."""


class Lasting(Protocol):
    """Something durable that can be looked at. What is not committed is not there."""

    def content(self) -> dict[str, list[Any]]:
        """Return its rows, by table."""
        ...


class Watched(Protocol):
    """The trace of a run that goes on: `add` is how steps get there."""

    steps: list[Step]
    add: Callable[[Step], None]


@frozen
class Sight:
    """What stands behind a step: the user's line, the kind of the operation if it is one, and in which message.

    `message` is the innermost command or query around the step, with the line of its handler.
    """

    line: str | None
    kind: str | None
    message: tuple[str, str] | None


@frozen
class Change:
    """What a step did to a table: rows that went, and rows that came."""

    table: str
    gone: tuple[Any, ...]
    come: tuple[Any, ...]


@final
@define(eq=False)
class Witness:
    """Look on at one run. `sights` has what stands behind each step, by number, `changes` what became durable there.

    `waiting` has for each fiber that has not ended the lines on which it stands, the innermost last; `parties` how
    each party ended up.
    """

    sights: dict[int, Sight] = field(factory=dict)
    changes: dict[int, tuple[Change, ...]] = field(factory=dict)
    waiting: dict[tuple[str, str], tuple[str, ...]] = field(factory=dict)
    parties: tuple[str, ...] = ()
    _stores: Sequence[Lasting] = ()
    _before: list[Content] = field(factory=list)

    def attend(self, trace: Watched, stores: Sequence[Lasting]) -> None:
        """Look on from now on."""
        self._stores = stores
        self._before = [store.content() for store in stores]
        add = trace.add

        def seen(step: Step) -> None:
            number = len(trace.steps)
            add(step)
            if number < _MOST and step.process != "--":
                self.sights[number] = _sight(sys._getframe(_EDGE))
            if step.what in _LASTING and (changes := self._changed()):
                self.changes[number] = changes

        trace.add = seen

    def depart(self, fibers: Iterable[tuple[str, str, Any]]) -> None:
        """Look at who is left: fibers that have not ended, each with its coroutine."""
        for process, fiber, coroutine in fibers:
            lines = lines_awaited(coroutine)
            if lines:
                self.waiting.setdefault((process, fiber), lines)

    def parties_end(self, parties: Sequence[object]) -> None:
        """Look at how the parties ended up, those that can show it."""
        shown = (_party(party) for party in parties)
        self.parties = tuple(each for each in shown if " at 0x" not in each)

    def _changed(self) -> tuple[Change, ...]:
        """Say what has changed since somebody looked last."""
        after = [store.content() for store in self._stores]
        changes = tuple(
            change for old, new in zip(self._before, after, strict=True) for change in _differences(old, new)
        )
        self._before = list(after)
        return changes


def place_of(frame: FrameType) -> str | None:
    """Return the line of the user's that a frame stands on: `file:line in function`; None for everybody else's."""
    if frame.f_code.co_varnames[:1] == ("strand",):
        # A run loop: the blocks of its program are on its own stack, not among the frames.
        return _place_in(getattr(frame.f_locals["strand"], "stack", ()))
    return line_of(frame)


def _place_in(stack: Sequence[object]) -> str | None:
    """Return the line of the innermost block of the user's on the stack of a run loop."""
    for entry in reversed(stack):
        place, block = None, entry
        while isinstance(block, GeneratorType):
            frame = block.gi_frame
            place = place if frame is None else line_of(frame) or place
            block = block.gi_yieldfrom
        if place is not None:
            return place
    return None


def line_raised(traceback: TracebackType | None) -> str | None:
    """Return the user's line from which an error came, the innermost."""
    found = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_foreign(code.co_filename):
            found = f"{code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}"
        traceback = traceback.tb_next
    return found


def _sight(frame: FrameType | None) -> Sight:
    """Read the stack of whoever tells a step, from the innermost frame."""
    block = plain = kind = message = handler = None
    for near, found in zip(chain([True] * _NEAR, repeat(False)), _stack(frame), strict=False):
        first = found.f_code.co_varnames[:1]
        place = place_of(found)
        if first == ("strand",):
            block = block or place
        else:
            plain = plain or place
        operation = found.f_locals["operation"] if first == ("operation",) else None
        if isinstance(operation, Operation):
            kind = operation.method.kind if near else kind
            if isinstance(operation, Call):
                place = str(getattr(operation.handler, "place", ""))
                handler = handler or place or None
                if not near and message is None:
                    message = operation.title, place
    return Sight(block or plain or handler, kind, message)


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames of a run, the innermost first; below them stands whoever makes the run."""
    while frame is not None and frame.f_code.co_name != "_drive":
        yield frame
        frame = frame.f_back


def _party(party: object) -> str:
    """Return a party with what it holds, without what it keeps to itself."""
    kind: Any = type(party)
    if not has(kind):
        return repr(party)
    held = {each.name: getattr(party, each.name, None) for each in fields(kind) if each.repr}
    shown = (f"{name}={value!r}" for name, value in held.items() if not name.startswith("_"))
    return f"{kind.__name__}({', '.join(shown)})"


def _differences(old: Content, new: Content) -> Iterator[Change]:
    for table in dict.fromkeys((*old, *new)):
        gone, come = list(old.get(table, ())), []
        for row in new.get(table, ()):
            if row in gone:
                gone.remove(row)
            else:
                come.append(row)
        if gone or come:
            yield Change(table, tuple(gone), tuple(come))
