"""The interpreter: the doors through which a program is run, and what it is run with.

Knows the loop and the interceptors; knows no message, no transaction and no store.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from contextlib import suppress
from functools import reduce
from typing import Any, overload

from attrs import Factory, evolve, field, frozen
from typing_extensions import TypeVar

from effect_runtime.effect import Died, Eff, Failed, Operation, Raised, Succeeded
from effect_runtime.errors import DryRun, Suspended, UnhandledFailure
from effect_runtime.interpreter import _again, _chain, _frames, _parallel
from effect_runtime.interpreter._frames import perform_live
from effect_runtime.interpreter._host import Host
from effect_runtime.interpreter._interceptors import Interceptor
from effect_runtime.interpreter._loop import unfold
from effect_runtime.interpreter._lost import watched
from effect_runtime.interpreter._outcome import note
from effect_runtime.interpreter._strand import Machine, Perform, Runtime, Strand
from effect_runtime.interpreter._traceback import block_line, relink

A = TypeVar("A")
E = TypeVar("E")
R = TypeVar("R")

_ENTER = {**_frames.ENTER, **_parallel.ENTER, **_again.ENTER}
_RESUME = {**_frames.RESUME, **_chain.RESUME, **_again.RESUME}
_UNWIND = {**_frames.UNWIND, **_chain.UNWIND, **_again.UNWIND}


@frozen
class Interpreter:
    """Run programs: the one loop, with interceptors around every operation (the first is the outermost).

    `perform` is what lies below the interceptors. `debug` keeps our own frames in tracebacks and warns of slips.
    """

    interceptors: tuple[Interceptor, ...] = ()
    host: Host = field(factory=Host)
    debug: bool = False
    perform: Perform = perform_live
    _machine: Machine = field(
        init=False, repr=False, eq=False, default=Factory(lambda self: self._build(), takes_self=True)
    )

    def _build(self) -> Machine:
        plain = self.perform is perform_live and not self.interceptors
        around: Perform = reduce(lambda inner, wrap: wrap(inner), reversed(self.interceptors), self.perform)
        return Machine(
            host=self.host,
            # None lets the loop call adapters itself, without a function in between.
            perform=None if plain else around,
            debug=self.debug,
            unfold=unfold,
            enter=_ENTER,
            resume=_RESUME,
            unwind=_UNWIND,
            watch=watched if self.debug else None,
        )

    def with_perform(self, perform: Perform) -> Interpreter:
        """Return an interpreter whose interceptors lie around another way to perform operations."""
        # Once for each unit of work, so spelled out: `evolve` takes twice as long.
        return Interpreter(self.interceptors, self.host, self.debug, perform)

    def with_interceptors(self, *interceptors: Interceptor) -> Interpreter:
        """Return an interpreter with more interceptors, outside those it has."""
        return evolve(self, interceptors=interceptors + self.interceptors)

    def with_host(self, host: Host) -> Interpreter:
        """Return an interpreter on another host."""
        return evolve(self, host=host)

    @overload
    async def run(self, eff: Eff[A, E]) -> A: ...
    @overload
    async def run(self, eff: Eff[A, E, R], runtime: R) -> A: ...
    async def run(self, eff: Eff[Any, Any, Any], runtime: Any = None) -> Any:
        """Run a program for its value.

        A declared failure is raised as `UnhandledFailure`, a defect as itself, both without our frames. A
        cancellation by the host passes.
        """
        try:
            try:
                # Two levels, because what the inner one raises in place of a signal is tidied like any other
                # exception.
                return await unfold(Strand(self._machine, runtime), eff)
            except Raised as signal:
                raise _unhandled(signal) from None
        except Exception as error:
            self._tidy(error)
            raise

    @overload
    async def run_exit(self, eff: Eff[A, E]) -> Succeeded[A] | Failed[E] | Died: ...
    @overload
    async def run_exit(self, eff: Eff[A, E, R], runtime: R) -> Succeeded[A] | Failed[E] | Died: ...
    async def run_exit(self, eff: Eff[Any, Any, Any], runtime: Any = None) -> Any:
        """Run a program for its exit.

        The host's cancellation, KeyboardInterrupt and SystemExit pass: as an exit they would be swallowed.
        """
        try:
            return Succeeded(await unfold(Strand(self._machine, runtime), eff))
        except Raised as signal:
            return Failed(signal.error)
        except Exception as defect:
            self._tidy(defect)
            return Died(defect)

    @overload
    def run_sync(self, eff: Eff[A, E]) -> A: ...
    @overload
    def run_sync(self, eff: Eff[A, E, R], runtime: R) -> A: ...
    def run_sync(self, eff: Eff[Any, Any, Any], runtime: Any = None) -> Any:
        """Run a program that never waits, without an event loop; one that does is `Suspended`, with its line."""
        strand = Strand(self._machine, runtime, loopless=True)
        unfolding = unfold(strand, eff)
        try:
            try:
                # One step: a program that never waits is over by then.
                unfolding.send(None)
            except StopIteration as stop:
                return stop.value
            except Raised as signal:
                raise _unhandled(signal) from None
            except RuntimeError as error:
                if not _is_want_of_loop(error):
                    raise
                raise Suspended(block_line(error.__traceback__)) from error
            # Before it is closed, while its blocks still stand somewhere.
            place = strand.place()
            _abandon(unfolding)
            raise Suspended(place)
        except Exception as error:
            self._tidy(error)
            raise

    async def interpret(self, eff: Eff[A, E, R], runtime: R) -> A:
        """Run a program inside another one's operation: everything that goes wrong is raised raw, `Raised` included."""
        value: A = await unfold(Strand(self._machine, runtime), eff)
        return value

    def _tidy(self, error: BaseException) -> None:
        if not self.debug:
            relink(error)


def _abandon(unfolding: Coroutine[Any, Any, Any]) -> None:
    """Close a program that waits, and its finalizers, of which each may wait in turn."""
    while inspect.getcoroutinestate(unfolding) != inspect.CORO_CLOSED:
        with suppress(RuntimeError):  # "coroutine ignored GeneratorExit": the next finalizer waits.
            unfolding.close()


def _is_want_of_loop(error: RuntimeError) -> bool:
    """Say whether a library that waits complained, before it waited, that there is nothing to wait on.

    asyncio, anyio and trio have no class in common for it, and no name but these words.
    """
    return "event loop" in str(error) or "async context" in str(error)


def _unhandled(signal: Raised) -> UnhandledFailure:
    failure = UnhandledFailure(signal.error)
    for text in getattr(signal, "__notes__", ()):
        note(failure, text)
    return failure.with_traceback(signal.__traceback__)


async def _perform_dry(operation: Operation, runtime: Runtime) -> Any:
    if operation.kind == "local":
        return await perform_live(operation, runtime)
    raise DryRun(operation.place(runtime), operation.kind)


live = Interpreter()
"""Perform every operation by calling its adapter."""

dry_run = Interpreter(perform=_perform_dry)
"""Perform local operations alone. Others must be answered by `stub`; `record` tells what would have been done."""

run = live.run
run_exit = live.run_exit
run_sync = live.run_sync
"""Run a program that never waits, without an event loop, as `live.run_sync` does."""
