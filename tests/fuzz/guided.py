"""`python -m tests.fuzz --atheris`: messages that `atheris` chooses by the code that they reach, where it is installed.

It is no dependency: its wheels come late for new versions of Python. A process of its own, because only what is
imported under its eyes can be watched. Takes libFuzzer's options: `-runs=100000`, `-max_total_time=600`.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from typing import Any

import anyio


def guided(options: list[str]) -> int:
    """Fuzz until something is wrong, or as long as the options say; 2 where `atheris` is not installed."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        print("atheris is not installed: pip install atheris", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=["effect_runtime.integration", "effect_runtime.outbox", "json"]):
        heard: Any = import_module("tests.fuzz.listener").heard

    def one(body: bytes) -> None:
        verdict = anyio.run(partial(heard, [body]))
        if verdict.wrong:
            raise AssertionError(verdict.wrong)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(guided(sys.argv[1:]))
