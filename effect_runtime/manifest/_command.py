"""The two commands of a manifest: `check` compares the committed file with the code, `write` brings it up to date.

Imports the application that it is told of and prints what it finds. Decides nothing about changes itself.
"""

from __future__ import annotations

import inspect
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from effect_runtime.errors import AppNotFound, Fault
from effect_runtime.integration import Topic
from effect_runtime.manifest._change import Change, Impact, worst
from effect_runtime.manifest._comparison import compare
from effect_runtime.manifest._contract import WireManifest
from effect_runtime.manifest._golden import examples_of, golden_faults

SOUND: Final = 0
BROKEN: Final = 1
STALE: Final = 3
"""Exit statuses; 2 is for what cannot be read at all, as it is for a wrong command line."""


@runtime_checkable
class Promising(Protocol):
    """What is asked of an application: an `App` is one."""

    @property
    def topics(self) -> tuple[type[Topic], ...]:
        """Return every topic that it publishes or hears."""
        ...

    def manifest(self) -> WireManifest:
        """Return what the code promises now."""
        ...


def parser() -> ArgumentParser:
    """Return the command line of `python -m effect_runtime.manifest`."""
    root = ArgumentParser("python -m effect_runtime.manifest", description="Guard what was promised on the wire.")
    commands = root.add_subparsers(required=True, metavar="check|write")
    check = commands.add_parser("check", help="compare the committed manifest with the code")
    check.set_defaults(run=run_check)
    write = commands.add_parser("write", help="write what the code promises, with what was committed before")
    write.set_defaults(run=run_write)
    write.add_argument(
        "--retire", action="append", default=[], metavar="NAME", help="an event or subscription given up"
    )
    write.add_argument("--breaking", action="store_true", help="write a change that breaks what was committed")
    for command in (check, write):
        command.add_argument("app", metavar="MODULE:APP", help="an App, or a function that makes one")
        command.add_argument("file", type=Path, metavar="FILE", help="the committed manifest")
        command.add_argument("--golden", type=Path, metavar="FOLDER", help="the folder of golden payloads")
    return root


def run_check(words: Namespace) -> int:
    """Print what has changed since the manifest was committed, and which golden payloads are not read."""
    app, committed = app_named(words.app), WireManifest.from_file(words.file)
    present = app.manifest().following(committed)
    changes = compare(committed, present)
    _print(changes)
    faults = golden_faults(app.topics, _payloads(words.golden)) if words.golden else ()
    _print(faults)
    if faults or worst(changes) is Impact.BREAKING:
        return BROKEN
    if present != committed:
        print(f"{words.file} is older than the code. Bring it up to date with `write`, and commit it.")
        return STALE
    return SOUND


def run_write(words: Namespace) -> int:
    """Write the manifest, and an example of each version that has no golden payload; refuse a breaking change."""
    app = app_named(words.app)
    committed = WireManifest.from_file(words.file) if words.file.exists() else None
    present = app.manifest().following(committed or WireManifest(), retire=words.retire)
    changes = compare(committed, present) if committed else ()
    _print(changes)
    if worst(changes) is Impact.BREAKING and not words.breaking:
        print(f"{words.file} is left as it was. Undo what breaks it, or write it all the same with `--breaking`.")
        return BROKEN
    words.file.write_text(present.to_text(), encoding="utf-8")
    faults = _write_golden(app, words.golden) if words.golden else ()
    _print(faults)
    return BROKEN if faults else SOUND


def app_named(target: str) -> Promising:
    """Import an application by MODULE:NAME; raises `errors.AppNotFound`."""
    module, _, name = target.partition(":")
    try:
        found: Any = getattr(import_module(module), name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise AppNotFound(target, reason=str(error)) from error
    # A module may keep a function that makes its app, so that importing it builds nothing.
    if callable(found) and not isinstance(found, type) and _takes_nothing(found):
        found = found()
    if not isinstance(found, Promising):
        raise AppNotFound(target, reason=f"it is {found!r}")
    return found


def _takes_nothing(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    return True


def _payloads(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}


def _write_golden(app: Promising, folder: Path) -> tuple[Fault, ...]:
    """Write what is missing, but nothing that would not be read, and return what is left to be done by hand."""
    present = _payloads(folder)
    # Never over a file that is there: a golden payload is history, and history is not brought up to date.
    missing = {name: text for name, text in examples_of(app.topics).items() if name not in present}
    everything = {**present, **{name: text.encode() for name, text in missing.items()}}
    faults = golden_faults(app.topics, everything)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in missing.items():
        if all(fault.place != name for fault in faults):
            (folder / name).write_text(text, encoding="utf-8")
    return tuple(_by_hand(fault) if fault.place in missing else fault for fault in faults)


def _by_hand(fault: Fault) -> Fault:
    fix = "Write a real payload into this file: none can be made from the types of its fields alone."
    return Fault(fault.code, place=fault.place, problem=fault.problem, fix=fix)


def _print(lines: Sequence[Change | Fault]) -> None:
    for line in lines:
        print(line)
