"""The only place that touches anyio's insides: what of it depends on addresses is put in order while a run lasts.

anyio keeps the tasks and children of a cancel scope in sets, which iterate by address, delivers cancellations again
and again through the loop, and keeps a record of each task whose values refer to their keys.
"""

from __future__ import annotations

from asyncio import Task
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, final

from anyio._backends import _asyncio as engine
from anyio._core import _eventloop
from anyio._core._eventloop import set_current_async_library

T = TypeVar("T", bound=Hashable)

_SCOPES: Final[Any] = engine  # edge: the module is given a name of its own for `set` while a run lasts
_DELIVER: Final = engine.CancelScope._deliver_cancellation


@final
class OrderedSet(dict[T, None]):
    """A set that iterates in the order in which its members came."""

    __slots__ = ()

    def add(self, member: T) -> None:
        """Take a member in."""
        self[member] = None

    def remove(self, member: T) -> None:
        """Let a member go; raises `KeyError` when it is not there."""
        del self[member]

    def discard(self, member: T) -> None:
        """Let a member go if it is there."""
        self.pop(member, None)


@contextmanager
def ordered_scopes() -> Iterator[None]:
    """Make every set that anyio creates keep its order, while entered. Entering again inside is harmless."""
    outer = vars(_SCOPES).get("set")
    _SCOPES.set = OrderedSet
    try:
        yield
    finally:
        if outer is None:
            del _SCOPES.set
        else:
            _SCOPES.set = outer


@contextmanager
def not_in_trio() -> Iterator[None]:
    """Let anyio forget, while entered, that trio drives this thread: what runs inside is asyncio's."""
    local: Any = getattr(getattr(_eventloop, "sniffio", None), "thread_local", None)
    outer = getattr(local, "name", None)
    if outer is None:
        yield
        return
    local.name = None
    try:
        yield
    finally:
        local.name = outer


def is_redelivery(callback: Any) -> bool:
    """Tell anyio's attempt to deliver a cancellation again, which queues itself for as long as somebody runs."""
    return getattr(callback, "__func__", None) is _DELIVER


def forget(task: Task[Any]) -> None:
    """Drop what anyio keeps about a task that will never end."""
    engine._task_states.pop(task, None)


def unstarted(coroutine: Any) -> Any:
    """Return the coroutine that anyio has wrapped in one that has not begun, if any: nobody else would close it."""
    frame = coroutine.cr_frame
    handle = None if frame is None else frame.f_locals.get("self")
    return getattr(handle, "_coro", None)


def in_asyncio() -> None:
    """Tell anyio, in this context, that asyncio is what runs; it would otherwise find out anew at each call."""
    set_current_async_library("asyncio")
