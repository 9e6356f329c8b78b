"""`python -m effect_runtime.outbox.sqlite plan|apply|verify FILE`: what a file lacks, run it, compare the file with it.

Exit status 0 when all is well, 1 when `plan` has something to show or `verify` finds a difference, 2 when the file
cannot be used or a migration cannot run. The user's own migrations come with `--migrations MODULE:NAME`.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import anyio

from effect_runtime.errors import EffectRuntimeError, SchemaDiffers
from effect_runtime.interpreter import system_host
from effect_runtime.outbox.sqlite._migration import Migration
from effect_runtime.outbox.sqlite._store import SqliteStore

WELL: Final = 0
DIFFERENT: Final = 1
UNUSABLE: Final = 2


def named_migrations(name: str) -> tuple[Migration, ...]:
    """Return the migrations that a module keeps under a name."""
    module, _, attribute = name.partition(":")
    try:
        found = tuple(getattr(import_module(module), attribute))
    # Whatever is wrong with the name ends as usage, with status 2: it is said before any file is touched.
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ArgumentTypeError(f"{name!r} is no list of migrations: {error}. Write MODULE:NAME.") from error
    if not all(isinstance(each, Migration) for each in found):
        raise ArgumentTypeError(f"{name!r} holds more than migrations. Name a list of Migration(...).")
    return found


def plan(store: SqliteStore) -> int:
    """Print the statements that have not run."""
    text = store.plan()
    print(text or f"{store.name}: nothing is pending", end="" if text else "\n")
    return DIFFERENT if text else WELL


def apply(store: SqliteStore) -> int:
    """Run what is pending and print what was run."""
    for migration in anyio.run(store.apply, system_host()):
        print(migration)
    return WELL


def verify(store: SqliteStore) -> int:
    """Print every difference between the file and its migrations."""
    try:
        store.verify()
    except SchemaDiffers as error:
        print(error)
        return DIFFERENT
    print(f"{store.name}: as its migrations left it")
    return WELL


def parser() -> ArgumentParser:
    """Return the command line."""
    root = ArgumentParser("python -m effect_runtime.outbox.sqlite", description="The schema of a store's file.")
    commands = root.add_subparsers(required=True, metavar="plan|apply|verify")
    for run in (plan, apply, verify):
        command = commands.add_parser(run.__name__, help=run.__doc__)
        command.set_defaults(run=run)
        command.add_argument("file", metavar="FILE", help="the store's file")
        command.add_argument(
            "--migrations", type=named_migrations, default=(), metavar="MODULE:NAME", help="the application's own"
        )
    return root


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    words: Namespace = parser().parse_args(arguments)
    try:
        status: int = words.run(SqliteStore(words.file, migrations=words.migrations))
    except EffectRuntimeError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
