"""Messages that `atheris` chooses by the code that they reach: by hand, where it is installed.

It is no dependency: its wheels come late for new versions of Python. Files that it finds are inputs to keep.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import anyio

Heard = Callable[[Sequence[bytes]], Coroutine[Any, Any, Any]]


def guided(heard: Heard) -> int:
    """Fuzz until something is wrong, or somebody stops it; 2 where `atheris` is not installed."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 2

    def one(body: bytes) -> None:
        verdict = anyio.run(partial(heard, [body]))
        if verdict.wrong:
            raise AssertionError(verdict.wrong)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0]], one)
    atheris.Fuzz()
    return 0
