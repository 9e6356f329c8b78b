"""One program on virtual time: the third interpreter beside `live` and `dry_run`.

Time passes when everybody waits, ids count up, every operation is recorded. Knows no store and no dispatch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, final

from effect_runtime.effect import Died, Eff, Failed, Operation, Succeeded
from effect_runtime.events import DomainEvent
from effect_runtime.integration import Topic
from effect_runtime.interpreter import Host, Interceptor, Interpreter, Perform, Recorded, record, stub
from effect_runtime.runtime import SystemClock, SystemIds, SystemRandom
from effect_runtime.testing.loop._driver import Driver
from effect_runtime.testing.loop._host import NOON

A = TypeVar("A")
E = TypeVar("E")
R = TypeVar("R")
T = TypeVar("T")


@final
class Simulated(Generic[R]):
    """Run programs with one runtime, again and again; time goes on from one to the next.

    `recorded` holds every operation with how it ended, in the order of their ends.
    """

    def __init__(
        self, runtime: R, stubs: Mapping[Any, Any], interceptors: tuple[Interceptor, ...], start: datetime
    ) -> None:
        self.runtime = runtime
        self.recorded: list[Recorded] = []
        self._driver = Driver(start=start)
        around = (record(self.recorded), stub(stubs), *interceptors, _on(self._driver.host))
        self._interpreter = Interpreter(around, self._driver.host)

    def exit(self, program: Eff[A, E, R]) -> Succeeded[A] | Failed[E] | Died:
        """Run a program for its exit; raises `errors.Deadlocked` for one that waits for ever, with who waits where."""
        return self._driven(lambda: self._interpreter.run_exit(program, self.runtime))

    def run(self, program: Eff[A, Any, R]) -> A:
        """Run a program for its value; a failure is raised as `errors.UnhandledFailure`, a defect as itself."""
        return self._driven(lambda: self._interpreter.run(program, self.runtime))

    def operations(self, place: str) -> list[Recorded]:
        """Return what was performed at one place, such as `Loans.save`."""
        return [each for each in self.recorded if each.place == place]

    @property
    def emitted(self) -> list[DomainEvent[Any]]:
        """Return the domain events that programs emitted, in their order."""
        return [told for each in self.recorded for told in each.args if isinstance(told, DomainEvent)]

    @property
    def published(self) -> list[Topic]:
        """Return the integration events that programs published, in their order."""
        return [told for each in self.recorded for told in each.args if isinstance(told, Topic)]

    @property
    def now(self) -> datetime:
        """Return the present moment of the virtual clock."""
        return self._driver.host.time.now()

    @property
    def passed(self) -> timedelta:
        """Return how much virtual time has passed since the start."""
        return self._driver.passed

    def _driven(self, function: Callable[[], Awaitable[T]]) -> T:
        try:
            return self._driver.call(function, name="program")
        except BaseException:
            self._driver.dispose()
            raise


def simulated(
    runtime: R,
    *,
    stubs: Mapping[Any, Any] | None = None,
    interceptors: tuple[Interceptor, ...] = (),
    start: datetime = NOON,
) -> Simulated[R]:
    """Return what runs programs with `runtime` on virtual time, from plain functions and from async ones.

    A `SystemClock`, `SystemIds` or `SystemRandom` in the runtime answers with virtual time, ids that count, and chance
    from a fixed seed; whatever waits in an adapter or in a program waits on the same clock. `stubs` answer operations
    in place of their adapters, as `interpreter.stub` does.
    """
    return Simulated(runtime, stubs or {}, interceptors, start)


def _on(host: Host) -> Interceptor:
    """Perform what the system's own services offer on a virtual host."""
    services = {
        SystemClock: SystemClock(host.time),
        SystemIds: SystemIds(host.entropy),
        SystemRandom: SystemRandom(host.entropy),
    }

    def intercept(perform: Perform) -> Perform:
        async def moved(operation: Operation, runtime: Any) -> Any:
            service = services.get(type(operation.service))
            if service is None:
                return await perform(operation, runtime)
            return await operation.function(service, *operation.args, **operation.kwargs)

        return moved

    return intercept
