"""Which program triggers which code. Knows the programs, not what they are about."""

from __future__ import annotations

import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TypeAlias, TypeVar

from effect_runtime.check import Finding
from effect_runtime.errors import Code, ConfigurationError, Fault

Offence: TypeAlias = Fault | Finding
Program: TypeAlias = Callable[[], object]
P = TypeVar("P", bound=Program)

_registered: dict[Code, list[Program]] = defaultdict(list)


def fails_with(code: Code) -> Callable[[P], P]:
    """Register a program that breaks one rule and no other.

    The program takes nothing. It raises a `ConfigurationError` or a `Fault`, or answers findings of the source check.
    """

    def register(program: P) -> P:
        _registered[code].append(program)
        return program

    return register


def failing_programs() -> Mapping[Code, Iterable[Program]]:
    """Import every module beside this one and return the programs by code."""
    package = __name__.rpartition(".")[0]
    for module in pkgutil.iter_modules(import_module(package).__path__):
        import_module(f"{package}.{module.name}")
    return _registered


def offences(program: Program) -> tuple[Offence, ...]:
    """Run one program and return all that was found wrong with it."""
    try:
        answer = program()
    except ConfigurationError as error:
        return tuple(fault for fault in error.exceptions if isinstance(fault, Fault))
    except Fault as fault:
        return (fault,)
    found = answer if isinstance(answer, tuple) else ()
    return tuple(item for item in found if isinstance(item, Finding))
