"""What should happen: effect values, do-blocks, combinators, exits and retry policy. No I/O, no clock, no loop."""

from __future__ import annotations

from effect_runtime.effect._block import Block
from effect_runtime.effect._block import do as do
from effect_runtime.effect._eff import (
    A as A,
)
from effect_runtime.effect._eff import (
    Ask,
    Bind,
    Die,
    Fail,
    Fold,
    Map,
    Program,
    Pure,
    WriteYieldFrom,
    die,
)
from effect_runtime.effect._eff import (
    Do as Do,
)
from effect_runtime.effect._eff import (
    E as E,
)
from effect_runtime.effect._eff import (
    Eff as Eff,
)
from effect_runtime.effect._eff import (
    fail as fail,
)
from effect_runtime.effect._eff import (
    from_result as from_result,
)
from effect_runtime.effect._eff import (
    succeed as succeed,
)
from effect_runtime.effect._exit import Cancelled, Died, Exit
from effect_runtime.effect._exit import Failed as Failed
from effect_runtime.effect._exit import Succeeded as Succeeded
from effect_runtime.effect._frames import (
    Acquire,
    Attempt,
    Catch,
    Caught,
    Defer,
    Ensure,
    ExitOf,
    Local,
    Scoped,
    TimedOut,
    Timeout,
    Uninterruptible,
    acquire,
    defer,
    ensure,
    exit_of,
    local,
    or_else,
    scoped,
    timeout,
    uninterruptible,
)
from effect_runtime.effect._frames import (
    attempt as attempt,
)
from effect_runtime.effect._frames import (
    catch as catch,
)
from effect_runtime.effect._frames import (
    guard as guard,
)
from effect_runtime.effect._frames import (
    provide as provide,
)
from effect_runtime.effect._frames import (
    recover as recover,
)
from effect_runtime.effect._frames import (
    require as require,
)
from effect_runtime.effect._lift import (
    FromAsync,
    FromBlocking,
    FromSync,
    from_async,
    from_blocking,
    from_future_result,
    from_maybe,
    from_sync,
)
from effect_runtime.effect._operation import Call, Kind, Method, Operation, Port
from effect_runtime.effect._parallel import (
    Cancel,
    Fiber,
    ForEach,
    Fork,
    Gather,
    Join,
    Race,
    Validate,
    cancel,
    fork,
    join,
    race,
    validate,
)
from effect_runtime.effect._parallel import (
    for_each as for_each,
)
from effect_runtime.effect._parallel import (
    gather as gather,
)
from effect_runtime.effect._schedule import Repeat, Retry, repeat, retry
from effect_runtime.effect._schedule import Schedule as Schedule
from effect_runtime.effect._signal import Raised

__all__ = [
    "Acquire",
    "Ask",
    "Attempt",
    "Bind",
    "Block",
    "Call",
    "Cancel",
    "Cancelled",
    "Catch",
    "Caught",
    "Defer",
    "Die",
    "Died",
    "Ensure",
    "Exit",
    "ExitOf",
    "Fail",
    "Fiber",
    "Fold",
    "ForEach",
    "Fork",
    "FromAsync",
    "FromBlocking",
    "FromSync",
    "Gather",
    "Join",
    "Kind",
    "Local",
    "Map",
    "Method",
    "Operation",
    "Port",
    "Program",
    "Pure",
    "Race",
    "Raised",
    "Repeat",
    "Retry",
    "Scoped",
    "TimedOut",
    "Timeout",
    "Uninterruptible",
    "Validate",
    "WriteYieldFrom",
    "acquire",
    "cancel",
    "defer",
    "die",
    "ensure",
    "exit_of",
    "fork",
    "from_async",
    "from_blocking",
    "from_future_result",
    "from_maybe",
    "from_sync",
    "join",
    "local",
    "or_else",
    "race",
    "repeat",
    "retry",
    "scoped",
    "timeout",
    "uninterruptible",
    "validate",
]
