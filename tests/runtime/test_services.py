"""The services over a host, and the system's own host."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import anyio
import pytest
from attrs import define, frozen

from effect_runtime.effect import Do, do, from_blocking
from effect_runtime.interpreter import Host, Interpreter, run, system_host
from effect_runtime.runtime import Clock, Ids, Random, SystemClock, SystemIds, SystemRandom, ask

pytestmark = pytest.mark.anyio

noon = datetime(2026, 6, 1, 12, tzinfo=UTC)


@define
class Still:
    """A time that stands still, and entropy that always draws one."""

    slept: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return noon."""
        return noon

    def monotonic(self) -> float:
        """Return nothing."""
        return 0.0

    async def sleep(self, duration: timedelta) -> None:
        """Count."""
        self.slept += duration

    def uuid(self) -> UUID:
        """Return one."""
        return UUID(int=1)

    def random(self) -> float:
        """Return a quarter."""
        return 0.25


@frozen
class Services:
    """A runtime of the three services."""

    clock: Clock
    ids: Ids
    random: Random


@do
def program() -> Do[tuple[datetime, UUID, float], object, Services]:
    """Use each service once."""
    services = yield from ask[Services]()
    yield from services.clock.sleep(timedelta(hours=1))
    return (
        (yield from services.clock.now()),
        (yield from services.ids.uuid()),
        (yield from services.random.random()),
    )


async def test_services_answer_from_their_host() -> None:
    """A program sees the host's time, ids and chance, and nothing of the machine's."""
    still = Still()
    services = Services(SystemClock(still), SystemIds(still), SystemRandom(still))
    assert await run(program(), services) == (noon, UUID(int=1), 0.25)
    assert still.slept == timedelta(hours=1)


async def test_the_systems_time_is_aware_and_goes_on() -> None:
    """`now` is in UTC, `monotonic` never goes back, `sleep` lets others run."""
    time = system_host().time
    first = time.monotonic()
    await time.sleep(timedelta(0))
    assert (time.now().tzinfo, time.monotonic() >= first) == (UTC, True)


def test_the_systems_ids_sort_by_their_moment() -> None:
    """Ids are version 7, unique and ascending, also within one millisecond."""
    entropy = system_host().entropy
    ids = [entropy.uuid() for _ in range(10_000)]
    assert ids == sorted(set(ids))
    assert {(drawn.version, drawn.variant) for drawn in ids} == {(7, "specified in RFC 4122")}
    assert all(0.0 <= entropy.random() < 1.0 for _ in range(100))


async def test_blocking_calls_leave_the_event_loop_free() -> None:
    """`offload` calls on another thread, `run` on this one."""
    blocking = system_host().blocking
    assert await blocking.offload(threading.get_ident) != threading.get_ident()
    assert blocking.run(threading.get_ident) == threading.get_ident()


async def test_a_blocking_call_is_not_abandoned() -> None:
    """A cancellation waits until the function has returned."""
    started, ended = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        ended.set()

    with anyio.CancelScope() as host:
        host.cancel()
        await run(from_blocking(block))
    assert started.is_set() == ended.is_set()


async def test_from_blocking_goes_through_the_host() -> None:
    """A host of our own may run blocking calls where it likes."""
    calls: list[str] = []

    class Inline:
        """Blocking calls at once, written down."""

        def run(self, function, *args, **kwargs):  # type: ignore[no-untyped-def]  # as in the port
            """Call."""
            return function(*args, **kwargs)

        async def offload(self, function, *args, **kwargs):  # type: ignore[no-untyped-def]  # as in the port
            """Call, and say so."""
            calls.append("offload")
            return function(*args, **kwargs)

    still = Still()
    interpreter = Interpreter(host=Host(still, still, Inline()))
    assert await interpreter.run(from_blocking(str, 1)) == "1"
    assert calls == ["offload"]
