"""The life cycles, drawn from the transition tables that the library exports: a diagram and a table for each.

Finds the tables by their form, so that a new one is drawn without being named here. Knows no library code beyond them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from importlib import import_module
from typing import Any, Final, TypeAlias

Table: TypeAlias = Mapping[tuple[Enum, Enum], Enum]

DOORS: Final = ("outbox", "transports", "app", "dispatch")


def tables() -> dict[str, Table]:
    """Return every exported table `(state, what happens) -> state`, by its name."""
    found: dict[str, Table] = {}
    for door in DOORS:
        module = import_module(f"effect_runtime.{door}")
        for name in module.__all__:
            value = getattr(module, name)
            if _is_table(value):
                found[f"{door}.{name}"] = value
    return found


def life_cycles_page() -> str:
    """Return the page of all life cycles."""
    parts = [
        "# Reference: life cycles\n\n"
        "What the library's longer-lived things go through. Each diagram is drawn from the table that the code looks\n"
        "its next state up in, or that its tests walk; what has no arrow cannot happen.\n\n"
        "Written by `python -m tests.docs.reference`; a test holds it to the source.\n"
    ]
    parts.extend(_section(name, table) for name, table in tables().items())
    return "\n".join(parts)


def _is_table(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, tuple) and all(isinstance(part, Enum) for part in key) for key in value)
    )


def _section(name: str, table: Table) -> str:
    states = type(next(iter(table))[0])
    steps = type(next(iter(table))[1])
    summary = (states.__doc__ or "").splitlines()[0]
    rows = "\n".join(f"| {before.value} | {step.value} | {after.value} |" for (before, step), after in table.items())
    return (
        f"## `effect_runtime.{name}`\n\n"
        f"{summary} States are `{states.__name__}`, arrows `{steps.__name__}`.\n\n"
        f"```mermaid\n" + "\n".join(_diagram(states, table)) + "\n```\n\n"
        f"| state | what happens | next state |\n|---|---|---|\n{rows}\n"
    )


def _diagram(states: type[Enum], table: Table) -> Iterator[str]:
    """Draw one arrow for each pair of states; steps that change nothing are left to the table."""
    yield "stateDiagram-v2"
    yield f"    [*] --> {_id(next(iter(states)))}"
    arrows: dict[tuple[Enum, Enum], list[str]] = {}
    for (before, step), after in table.items():
        if before is not after:
            arrows.setdefault((before, after), []).append(str(step.value))
    for (before, after), steps in arrows.items():
        yield f"    {_id(before)} --> {_id(after)}: {' / '.join(steps)}"
    left = {before for before, after in arrows}
    for state in states:
        if state not in left:
            yield f"    {_id(state)} --> [*]"


def _id(state: Enum) -> str:
    return state.name.lower()
