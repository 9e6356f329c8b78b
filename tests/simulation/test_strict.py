"""What a run must not touch is refused on the line that reaches for it, and given back afterwards."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from effect_runtime.errors import LeftSimulation
from effect_runtime.testing._incarnation import Incarnation
from effect_runtime.testing._sequencer import Sequencer
from effect_runtime.testing._site import Canonical
from effect_runtime.testing._strict import inside_simulation

LEAKS: dict[str, Callable[[], Any]] = {
    "time.time": lambda: time.time(),
    "time.monotonic": lambda: time.monotonic(),
    "time.sleep": lambda: time.sleep(0),
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.shuffle([]),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "os.urandom": lambda: os.urandom(1),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "asyncio.wait": lambda: asyncio.wait([]),
    "asyncio.to_thread": lambda: asyncio.to_thread(print),
    "threading.Thread.start": lambda: threading.Thread(target=print).start(),
    "socket.__new__": lambda: socket.socket(),
    "subprocess.Popen": lambda: subprocess.Popen([sys.executable, "-c", ""]),
}


@pytest.mark.parametrize("name", LEAKS)
def test_the_real_world_is_refused_by_name(name: str) -> None:
    """The message names what was used and says where to take it from."""
    with inside_simulation(), pytest.raises(LeftSimulation) as refused:
        LEAKS[name]()
    assert refused.value.name == name


def test_afterwards_everything_is_as_it_was() -> None:
    """The same functions, not copies of them."""
    before = [time.time, time.monotonic, random.random, uuid.uuid4, os.urandom, threading.Thread.start]
    with inside_simulation(), inside_simulation():
        assert time.time is not before[0]
    assert [time.time, time.monotonic, random.random, uuid.uuid4, os.urandom, threading.Thread.start] == before
    socket.socket().close()


def test_a_log_record_may_say_when_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    """Programs log, and diagnostics do; nothing in a run reads the time of a record."""
    with inside_simulation():
        logging.getLogger("shop").warning("sold out")
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("shop", "sold out")]


def test_a_generator_of_ones_own_is_no_leak() -> None:
    """Chance from a seed is the same in each run."""
    with inside_simulation():
        assert random.Random(1).random() == 0.13436424411240122


@pytest.mark.parametrize("name", ["run_in_executor", "create_connection", "add_reader", "subprocess_exec"])
def test_a_simulated_loop_opens_nothing(name: str) -> None:
    """What it does not have is refused by name rather than missing."""
    with pytest.raises(LeftSimulation, match=name):
        getattr(Incarnation(Sequencer(Canonical()), "p"), name)
