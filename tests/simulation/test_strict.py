"""What a run must not touch is refused on the line that reaches for it, and given back afterwards."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from _thread import start_new_thread
from asyncio import all_tasks, create_subprocess_exec, to_thread, wait
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from os import getpid, urandom
from pathlib import Path
from random import Random, SystemRandom, randint
from random import random as random_by_name
from secrets import token_bytes
from socket import socket as Socket
from subprocess import Popen
from threading import Event, Thread
from time import monotonic, perf_counter_ns, sleep
from time import time as time_by_name
from typing import Any
from uuid import uuid1

import anyio
import anyio.to_thread
import pytest

from effect_runtime.errors import LeftSimulation
from effect_runtime.testing import Canonical
from effect_runtime.testing.loop._incarnation import Incarnation
from effect_runtime.testing.loop._sequencer import Sequencer
from effect_runtime.testing.loop._strict import inside_simulation, refusing
from tests.simulation import leaky
from tests.simulation.leaky import STATIONS, Dated, Reach, Stamped, reaching


class Moment(datetime):
    """A class of one's own that reads the same clock."""


LEAKS: dict[str, Callable[[], Any]] = {
    "time.time": lambda: time.time(),
    "time.monotonic": lambda: time.monotonic(),
    "time.sleep": lambda: time.sleep(0),
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.shuffle([]),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "os.urandom": lambda: os.urandom(1),
    "os.getpid": lambda: os.getpid(),
    "time.localtime": lambda: time.localtime(),
    "time.strftime": lambda: time.strftime("%H"),
    "random.Random.seed": lambda: random.Random(),
    "random.SystemRandom": lambda: random.SystemRandom().random(),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "asyncio.wait": lambda: asyncio.wait([]),
    "asyncio.all_tasks": lambda: asyncio.all_tasks(),
    "asyncio.to_thread": lambda: asyncio.to_thread(print),
    "threading.Condition.wait": lambda: threading.Event().wait(),
    "threading.Thread.start": lambda: threading.Thread(target=print).start(),
    "socket.__new__": lambda: socket.socket(),
    "open for writing": lambda: os.open("never-made", os.O_CREAT),
    "sqlite3.connect": lambda: sqlite3.connect("never-made"),
    "os.putenv": lambda: os.environ.update(NEVER="set"),
    "os.remove": lambda: os.remove("never-made"),
    "subprocess.Popen": lambda: subprocess.Popen([sys.executable, "-c", ""]),
}


@pytest.mark.parametrize("name", LEAKS)
def test_the_real_world_is_refused_by_name(name: str) -> None:
    """The message names what was used and says where to take it from."""
    with pytest.raises(LeftSimulation) as refused, inside_simulation(), refusing():
        LEAKS[name]()
    assert (refused.value.name, str(refused.value.place).partition(":")[0]) == (name, __file__)


def test_afterwards_everything_is_as_it_was() -> None:
    """The same functions, not copies of them."""
    before = [time.time, time.monotonic, random.random, uuid.uuid4, os.urandom, threading.Thread.start]
    with inside_simulation(), inside_simulation():
        assert time.time is not before[0]
        assert time.time() > 0  # between two runs nobody is simulated
    assert [time.time, time.monotonic, random.random, uuid.uuid4, os.urandom, threading.Thread.start] == before
    socket.socket().close()


def test_a_log_record_may_say_when_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    """Programs log, and diagnostics do; nothing in a run reads the time of a record."""
    with inside_simulation(), refusing():
        logging.getLogger("shop").warning("sold out")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("shop", "sold out")]


def test_a_generator_of_ones_own_is_no_leak() -> None:
    """Chance from a seed is the same in each run."""
    with inside_simulation(), refusing():
        assert random.Random(1).random() == 0.13436424411240122


def test_what_needs_neither_clock_nor_chance_may_be_used() -> None:
    """A moment that is given is written the same way everywhere; a file and the environment say the same each time."""
    with inside_simulation(), refusing():
        assert time.strftime("%Y", time.gmtime(0)) == "1970"
        assert "HOME" in os.environ or "PATH" in os.environ
        with open(__file__) as file, open(os.devnull, "w") as nowhere:
            nowhere.write(file.readline())
        sqlite3.connect(":memory:").close()


@pytest.mark.parametrize("name", ["run_in_executor", "create_connection", "add_reader", "subprocess_exec"])
def test_a_simulated_loop_opens_nothing(name: str) -> None:
    """What it does not have is refused by name rather than missing."""
    with pytest.raises(LeftSimulation, match=name):
        getattr(Incarnation(Sequencer(Canonical()), "p"), name)


NAMED: dict[str, Reach] = {
    "time.time": time_by_name,
    "time.monotonic": monotonic,
    "time.perf_counter_ns": perf_counter_ns,
    "time.sleep": lambda: sleep(0),
    "datetime.now": lambda: datetime.now(UTC),
    "datetime.utcnow": lambda: datetime.utcnow(),
    "date.today": lambda: date.today(),
    "Moment.now": lambda: Moment.now(),
    "random.random": random_by_name,
    "random.randint": lambda: randint(1, 6),
    "random.SystemRandom": lambda: SystemRandom().random(),
    "random.Random.seed": lambda: Random(),
    "os.urandom": lambda: urandom(1),
    "os.getpid": getpid,
    "uuid.uuid1": uuid1,
    "uuid.uuid4": lambda: Stamped(),
    "secrets.token_bytes": token_bytes,
    "threading.Thread.start": lambda: Thread(target=print).start(),
    "threading.Condition.wait": lambda: Event().wait(),
    "_thread.start_new_thread": lambda: start_new_thread(int, ()),
    "socket.__new__": lambda: Socket(),
    "subprocess.Popen": lambda: Popen([sys.executable, "-c", ""]),
    "open for writing": lambda: Path("never-made").write_text(""),
    "asyncio.wait": lambda: wait([asyncio.create_task(asyncio.sleep(0))]),
    "asyncio.all_tasks": lambda: all_tasks(),
    "asyncio.to_thread": lambda: to_thread(print),
    "the event loop's run_in_executor": lambda: asyncio.get_running_loop().run_in_executor(None, print),
    "the event loop's subprocess_exec": lambda: create_subprocess_exec(sys.executable),
    "the event loop's create_connection": lambda: asyncio.open_connection("localhost", 1),
    "the event loop's getaddrinfo": lambda: anyio.getaddrinfo("localhost", 1),
}
"""What is reached for by names that were taken when this module was imported, and what it is called in the refusal."""


@pytest.mark.parametrize("name", NAMED)
def test_a_run_is_refused_what_it_reaches_for_by_any_name(name: str) -> None:
    """The first run raises it, with the line, although the program caught it and went on."""
    with pytest.raises(LeftSimulation) as refused:
        reaching("adapter", NAMED[name]).run(Canonical())
    assert (refused.value.name, str(refused.value.place).partition(":")[0]) in (
        (name, __file__),
        (name, leaky.__file__),
    )
    assert f"{refused.value.place}, where two" in str(refused.value)
    assert str(refused.value).endswith(refused.value.way_out)


def test_a_thread_that_is_awaited_is_refused_at_once() -> None:
    """The run would wait for ever for somebody who cannot come."""
    with pytest.raises(LeftSimulation) as refused:
        reaching("adapter", lambda: anyio.to_thread.run_sync(print)).run(Canonical())
    assert refused.value.name == "threading.Thread.start"


@pytest.mark.parametrize(
    "reach", [monotonic, lambda: datetime.now(UTC), lambda: Dated()], ids=["monotonic", "now", "attrs"]
)
@pytest.mark.parametrize("station", STATIONS)
def test_wherever_a_program_reaches_from_it_is_refused(station: str, reach: Reach) -> None:
    """In what dispatch calls, and in what attrs calls for it; whoever caught it has not mended the run."""
    with pytest.raises(LeftSimulation):
        reaching(station, reach).run(Canonical())


def test_what_only_waits_or_reads_is_no_leak() -> None:
    """Virtual time is waited for with the loop's own means."""
    for reach in (
        lambda: asyncio.sleep(1),
        lambda: anyio.sleep(1),
        lambda: Path(__file__).read_text(),
        lambda: Random(1).random(),
    ):
        assert reaching("adapter", reach).run(Canonical()).is_sound


def test_a_run_that_is_not_strict_may_reach_for_anything() -> None:
    """It is then the program's business that two runs agree."""
    assert reaching("adapter", lambda: datetime.now(UTC), strict=False).run(Canonical()).is_sound


def test_every_run_that_is_repeated_is_watched() -> None:
    """Later runs are not, for it costs as much again."""
    begun: list[None] = []

    def late() -> object:
        begun.append(None)
        return None if len(begun) < 4 else monotonic()

    simulation = reaching("handler", late)
    runs = [simulation.run(Canonical()) for _ in range(4)]
    assert [run.is_sound for run in runs] == [True] * 4
    with pytest.raises(LeftSimulation, match=r"time\.monotonic"):
        simulation.confirm(runs[-1])


def test_who_profiles_keeps_the_profiler() -> None:
    """And whoever has none has none afterwards."""
    seen: list[str] = []

    def profiler(frame: Any, event: str, arg: Any) -> None:
        seen.append(event)

    simulation = reaching("nowhere", monotonic)
    outer = sys.getprofile()
    sys.setprofile(profiler)
    try:
        simulation.run(Canonical())
        kept = sys.getprofile()
    finally:
        sys.setprofile(outer)
    assert kept is profiler
    assert seen
    with suppress(LeftSimulation):
        reaching("handler", monotonic).run(Canonical())
    assert sys.getprofile() is outer


def test_who_traces_goes_on_tracing() -> None:
    """Coverage and debuggers see a watched run, and a refusal, like anything else."""
    lines: set[str] = set()

    def tracer(frame: Any, event: str, arg: Any) -> Any:
        lines.add(frame.f_code.co_name)
        return tracer

    outer = sys.gettrace()
    sys.settrace(tracer)
    try:
        with suppress(LeftSimulation):
            reaching("handler", monotonic).run(Canonical())
        kept = sys.gettrace()
    finally:
        sys.settrace(outer)
    assert kept is tracer
    assert {"go", "at"} <= lines
