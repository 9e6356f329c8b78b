"""The state of one sequential unfolding of a program, and the scopes that own what it opened.

Holds data only: the loop moves it, the frames change it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from types import GeneratorType
from typing import Any, TypeAlias, final

from anyio.abc import TaskGroup

from effect_runtime.effect import Eff, Operation
from effect_runtime.interpreter._host import Host
from effect_runtime.interpreter._traceback import is_ours

Effect: TypeAlias = Eff[Any, Any, Any]
Runtime: TypeAlias = Any
Perform: TypeAlias = Callable[[Operation, Runtime], Awaitable[Any]]
"""How an operation is performed: it returns the answer (a `Result` is unwrapped, an effect is run) or raises."""
Enter: TypeAlias = "Callable[[Strand, Any], Awaitable[Effect]]"
Resume: TypeAlias = "Callable[[Strand, Any, Any], Effect]"
Unwind: TypeAlias = "Callable[[Strand, Any, BaseException], Effect | None]"


FOLD_AT = 8192
"""How many frames may stand on a stack before a long chain among them is folded."""


@final
class Machine:
    """What all strands of one interpreter share: its ports, and the tables that give each instruction its meaning."""

    __slots__ = ("debug", "enter", "host", "perform", "resume", "unfold", "unwind", "watch")

    def __init__(
        self,
        *,
        host: Host,
        perform: Perform | None,
        debug: bool,
        unfold: Callable[[Strand, Effect], Coroutine[Any, Any, Any]],
        enter: Mapping[type[Any], Enter],
        resume: Mapping[type[Any], Resume],
        unwind: Mapping[type[Any], Unwind],
        watch: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] | None,
    ) -> None:
        self.host = host
        self.perform = perform
        self.debug = debug
        self.unfold = unfold
        self.enter = enter
        self.resume = resume
        self.unwind = unwind
        self.watch = watch


@final
class Finalizer:
    """A promise to close something: the effect, the runtime it was made under, and the time it may take."""

    __slots__ = ("effect", "runtime", "within")

    def __init__(self, effect: Effect, runtime: Runtime, within: timedelta) -> None:
        self.effect = effect
        self.runtime = runtime
        self.within = within


@final
class Scope:
    """Own what was acquired and forked inside it. Strands that run in parallel share the scope around them."""

    __slots__ = ("fibers", "finalizers", "task_group")

    def __init__(self, task_group: TaskGroup | None = None) -> None:
        self.task_group = task_group
        self.finalizers: list[Finalizer] = []
        # A dict for its order: forks are told of in the order in which they began, in every process.
        self.fibers: dict[Any, None] = {}


@final
class ScopeFrame:
    """Close a scope when what it bounds has ended."""

    __slots__ = ("outer", "scope")

    def __init__(self, scope: Scope, outer: Scope | None) -> None:
        self.scope = scope
        self.outer = outer


@final
class Strand:
    """One sequential unfolding: its stack of blocks and frames, its runtime, its scope.

    `suspect` is the last cancellation that was thrown into a block: until it is confirmed, nothing that the block
    says afterwards is believed. `insisted`: a native one was asked for again, and has not arrived yet.
    `said` is on its way from one function to the next: a frame that a traceback keeps alive must not hold an exit.
    `defects` are those that gave way to a cancellation: whoever ends it tells them.
    """

    __slots__ = (
        "baseline",
        "defects",
        "fold_at",
        "insisted",
        "loopless",
        "machine",
        "runtime",
        "said",
        "scope",
        "stack",
        "suspect",
    )

    def __init__(
        self, machine: Machine, runtime: Runtime, scope: Scope | None = None, *, loopless: bool = False
    ) -> None:
        self.machine = machine
        self.runtime = runtime
        self.scope = scope
        self.stack: list[Any] = []
        self.fold_at = FOLD_AT
        self.defects: list[BaseException] = []
        self.suspect: BaseException | None = None
        self.baseline = 0
        self.insisted = False
        self.loopless = loopless
        self.said: Any = None

    def told(self) -> Any:
        """Return what was said, and forget it."""
        said, self.said = self.said, None
        return said

    def enclosing_scope(self) -> Scope:
        """Return the scope around the current instruction; the first call opens one around the whole strand."""
        if self.scope is None:
            self.scope = Scope()
            # At the very bottom: it is closed last, whatever stands above it by now.
            self.stack.insert(0, ScopeFrame(self.scope, None))
        return self.scope

    def branch(self, runtime: Runtime) -> Strand:
        """Return a new strand that shares the scope around the current instruction."""
        return Strand(self.machine, runtime, self.enclosing_scope(), loopless=self.loopless)

    def place(self) -> str:
        """Return the line of the innermost block, for people."""
        for entry in reversed(self.stack):
            if isinstance(entry, GeneratorType) and not is_ours(entry.gi_code):
                return line_of(entry)
        return "the program"


def line_of(block: GeneratorType[Any, Any, Any]) -> str:
    """Return where a suspended block stands: file, line and function of the innermost block it delegates to."""
    found = block
    inner = block.gi_yieldfrom
    while isinstance(inner, GeneratorType):
        if inner.gi_yieldfrom is None and inner.gi_code.co_name == "__iter__":
            break  # The effect's own generator: the line that yields from it is the one to name.
        found, inner = inner, inner.gi_yieldfrom
    frame = found.gi_frame
    line = frame.f_lineno if frame is not None else found.gi_code.co_firstlineno
    return f"{found.gi_code.co_filename}:{line} in {found.gi_code.co_qualname}"
