"""The only place that touches anyio's insides: what of it depends on addresses is put in order while a run lasts.

anyio keeps the tasks and children of a cancel scope in sets, which iterate by address, delivers cancellations again
and again through the loop, and keeps a record of each task whose values refer to their keys. asyncio's task groups
keep sets, too. An anyio whose insides have other names is refused when a run begins.
"""

from __future__ import annotations

from asyncio import Task, taskgroups
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Any, Final, TypeVar, final

from anyio._backends import _asyncio as engine
from anyio._core import _eventloop

from effect_runtime.errors import NotSimulated

T = TypeVar("T", bound=Hashable)

TESTED: Final = ("4.14", "4.15", "4.16")
"""The versions of anyio with which the kit is tested: each has the same insides."""

_KEEPS_SETS: Final[tuple[Any, ...]] = (
    engine,
    taskgroups,
)  # edge: given a name of their own for `set` while a run lasts
_INSIDES: Final[tuple[tuple[str, Any, tuple[str, ...]], ...]] = (
    ("the asyncio backend", engine, ("CancelScope", "TaskGroup", "_task_states")),
    ("CancelScope", getattr(engine, "CancelScope", None), ("_deliver_cancellation",)),
    ("the event loop", _eventloop, ("set_current_async_library",)),
)
_DELIVER: Final = getattr(getattr(engine, "CancelScope", None), "_deliver_cancellation", None)


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
    """Make every set that anyio and asyncio's task groups create keep its order, while entered.

    Entering again inside is harmless. Raises `errors.NotSimulated` for an anyio with other insides.
    """
    check_insides(_INSIDES)
    with ExitStack() as stack:
        for module in _KEEPS_SETS:
            if "set" in vars(module):
                stack.callback(setattr, module, "set", module.set)
            else:
                stack.callback(delattr, module, "set")
            module.set = OrderedSet
        yield


def check_insides(insides: tuple[tuple[str, Any, tuple[str, ...]], ...]) -> None:
    """Raise if one of these has not every name that this adapter knows."""
    missing = [f"no {name} in {title}" for title, owner, names in insides for name in names if not hasattr(owner, name)]
    if missing:
        known = f"{TESTED[0]} to {TESTED[-1]}"
        reason = f"there is {', '.join(missing)}; install a version from {known}, which the kit is tested with"
        raise NotSimulated(f"a run on anyio {version('anyio')}", reason=reason)


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
    _eventloop.set_current_async_library("asyncio")
