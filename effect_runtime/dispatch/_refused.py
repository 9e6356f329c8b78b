"""What a dispatched command may answer beside its own failures, as values.

`Refused` joins every command's `E`; `NotDone` appears only at the application's own doors. Knows no pipeline.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TypeAlias, assert_never, final

from attrs import frozen

from effect_runtime.integration import FieldError


@final
@frozen
class Invalid:
    """Refuse a message because of its content: every field that is wrong, not only the first."""

    fields: tuple[FieldError, ...] = ()


@final
@frozen
class Forbidden:
    """Refuse a message because of who sent it."""

    reason: str = ""


Refused: TypeAlias = Invalid | Forbidden
"""What the pipeline adds to the failures of every dispatched command and query."""


@final
@frozen
class CommandIdReused:
    """Say that this command id has answered another command, or another payload."""

    command_id: str


@final
@frozen
class Conflict:
    """Say that other units of work were in the way, and the unit may not or no more be run again."""

    reason: str


@final
@frozen
class DeadlineExceeded:
    """Say that the unit was rolled back at its deadline; `operation` was running then, None: the handler's own code."""

    operation: str | None
    after: timedelta


@final
@frozen
class CommitUnknown:
    """Say that the store gave no verdict on the commit. Run it again under the same command id: that is safe.

    `command_id` is None when the caller gave none: then only the data can tell.
    """

    command_id: str | None


@final
@frozen
class StoreUnavailable:
    """Say that the store could not be reached or written; nothing was done."""

    store: str
    reason: str


@final
@frozen
class QueueFull:
    """Say that a queue had no room for an event in its timeout; nothing was enqueued."""

    queue: str
    capacity: int


NotDone: TypeAlias = CommandIdReused | Conflict | DeadlineExceeded | CommitUnknown | StoreUnavailable | QueueFull
"""Why dispatch did not carry a command out; only `run_exit` returns it."""


def way_out(reason: NotDone) -> str:
    """Say what somebody can do about a command that was not done."""
    match reason:
        case CommandIdReused():
            return "Give each command an id of its own; repeat an id only with the very same command."
        case Conflict():
            return "Nothing was done: run it again, or bind its context with more patient conflicts=."
        case DeadlineExceeded():
            return "Nothing was done: make the handler shorter, or raise the deadline= of its context's bind."
        case CommitUnknown(None):
            return "Look at the data before you run it again; under a command_id it could be run again safely."
        case CommitUnknown():
            return "Run it again under the same command_id: it is done once."
        case StoreUnavailable():
            return "Nothing was done: look after the store (space, permissions, locks), then run it again."
        case QueueFull():
            return "Nothing was enqueued: try again later, or give the queue more capacity= or concurrency=."
        case _:
            assert_never(reason)
