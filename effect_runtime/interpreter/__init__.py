"""How a program unfolds: the one run loop, its interceptors, and the host it runs on."""

from __future__ import annotations

from effect_runtime.interpreter._frames import perform_live
from effect_runtime.interpreter._host import Blocking, Entropy, Host, Time, system_host
from effect_runtime.interpreter._interceptors import (
    Inject,
    Interceptor,
    Recorded,
    Tracer,
    inject,
    record,
    stub,
    trace,
)
from effect_runtime.interpreter._interpreter import Interpreter, dry_run, live, run_sync
from effect_runtime.interpreter._interpreter import run as run
from effect_runtime.interpreter._interpreter import run_exit as run_exit
from effect_runtime.interpreter._outcome import note as note
from effect_runtime.interpreter._recording import Defect, Performed, Recording
from effect_runtime.interpreter._recording import this_task as this_task
from effect_runtime.interpreter._returns import Container, container
from effect_runtime.interpreter._strand import Perform
from effect_runtime.interpreter._traceback import relink
from effect_runtime.interpreter._where import running_line

__all__ = [
    "Blocking",
    "Container",
    "Defect",
    "Entropy",
    "Host",
    "Inject",
    "Interceptor",
    "Interpreter",
    "Perform",
    "Performed",
    "Recorded",
    "Recording",
    "Time",
    "Tracer",
    "container",
    "dry_run",
    "inject",
    "live",
    "perform_live",
    "record",
    "relink",
    "run_sync",
    "running_line",
    "stub",
    "system_host",
    "trace",
]
